// Patches on JSON trees: RFC 6902, RFC 7386, and Kubernetes' strategic merge patch.
// Input is hostile: operations, copies and depth are bounded (but see each function). Stateless, thread-safe, does not
// throw. A patch that fails leaves the document half changed. Members lose their order: SortMembers.
// Mirrors: github.com/evanphx/json-patch (behaviour as the API server uses it),
// k8s.io/apimachinery/pkg/util/strategicpatch/patch.go, .../handlers/patch.go for limits and words.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <memory>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::patch {

struct Limits {
  int64_t operations = 10'000;     // the API server's maxJSONPatchOperations
  int64_t result_bytes = 3 << 20;  // of what "copy" may grow the document to
  int max_depth = 64;
};

// Errors as upstream answers: kBadRequest for a patch that cannot be read, kInvalid (422) for an operation that fails
// ("the server rejected our request due to an error in our request"), kRequestEntityTooLarge for too many operations.
Status ApplyJsonPatch(boost::json::value& document, const boost::json::value& patch, const Limits& limits = {});

// Recurses as deep as the patch is: parse it with a limit. Never fails: null deletes, objects merge, everything else
// replaces.
void ApplyMergePatch(boost::json::value& document, const boost::json::value& patch);

// How the fields of one type merge. The generated tables give one per message type (SchemaOf); custom resources have
// none (upstream refuses strategic merge patch for them, 415).
class MergeSchema {
 public:
  struct FieldInfo {
    bool is_list = false;
    bool list_of_objects = false;
    bool merge = false;          // patchStrategy=merge
    bool replace = false;        // patchStrategy=replace
    bool retain_keys = false;    // patchStrategy=retainKeys
    std::string_view merge_key;  // patchMergeKey
    // Of the value or element; null for scalars, maps and free-form JSON, whose insides upstream cannot merge.
    const MergeSchema* type = nullptr;
  };
  virtual ~MergeSchema() = default;
  // nullptr: not a field of this type.
  virtual const FieldInfo* Find(std::string_view json_name) const = 0;
  // Of the Go type, for errors: PodSpec.
  virtual std::string_view name() const { return {}; }
};
// Of a generated type: "k8s.io.api.core.v1.Pod". Lives for ever; nullptr for an unknown name.
const MergeSchema* SchemaOf(std::string_view message_full_name);

// With the directives $patch (replace, delete), $deleteFromPrimitiveList/x, $setElementOrder/x, $retainKeys. Recurses
// as deep as the patch is. Errors are kBadRequest, kInvalid or, as upstream answers most of them, kUnknown (500).
Status ApplyStrategicMergePatch(boost::json::object& document, const boost::json::object& patch,
                                const MergeSchema& schema);

// Members in the order of their names at every level, as Go prints maps: what custom resources are kept in.
void SortMembers(boost::json::value& value);

}  // namespace knarr::patch
