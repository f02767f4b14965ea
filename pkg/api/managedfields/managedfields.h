// Server-side apply: who manages which field, kept in metadata.managedFields.
// Mirrors: k8s.io/apimachinery/pkg/util/managedfields and sigs.k8s.io/structured-merge-diff/v4 (typed, fieldpath,
// merge). Works on JSON trees in the version of the request; a manager that spoke another version is converted by
// `convert`. Stateless, thread-safe, does not throw.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/status.h"

namespace knarr::managedfields {

// The shape of a type as far as merging goes: listType, listMapKey, mapType, defaults of keys. From the generated
// tables for built-in kinds (SchemaOf), from the structural schema for custom ones, Deduced() where there is none.
class TypeSchema {
 public:
  enum class Kind { kScalar, kMap, kStruct, kAtomic, kList, kSet, kAssociativeList, kUntyped };
  struct Info {
    Kind kind = Kind::kUntyped;
    std::vector<std::string> keys;                                  // of associative lists
    std::vector<std::pair<std::string, std::string>> key_defaults;  // JSON texts: protocol -> "TCP"
    const TypeSchema* element = nullptr;                            // of maps and lists
  };
  virtual ~TypeSchema() = default;
  virtual const Info& info() const = 0;
  // Fields of structs; nullptr: unknown.
  virtual const TypeSchema* Field(std::string_view json_name) const = 0;
};
const TypeSchema* SchemaOf(std::string_view message_full_name);
const TypeSchema& Deduced();

struct Request {
  std::string manager;      // fieldManager, or from the user agent (PrefixFromUserAgent)
  std::string api_version;  // of the request
  std::string subresource;
  bool force = false;  // apply: take over conflicting fields
  WallTime now;
  // Fields that this endpoint resets (status on the main resource, spec on /status): as JSON paths "status".
  std::vector<std::string> reset_fields;
  // A tree of this kind in another version; may be null if there is one version only.
  std::function<Result<boost::json::object>(const boost::json::object& tree, std::string_view api_version)> convert;
};

// After a create, update or patch: `updated` gets metadata.managedFields (upstream's rules for entries, times, merging
// of old update managers beyond 10, and removal of empty ones). `live` null on create. Trees are whole objects.
// An empty list sent by the client ([{}]) resets, as upstream.
Status Update(const TypeSchema& schema, const boost::json::object* live, boost::json::object& updated,
              const Request& request);

// PATCH application/apply-patch+yaml: the object to store. `live` null: it is created. Conflicts are kConflict with
// upstream's message and causes (reason FieldManagerConflict, one per field).
Result<boost::json::object> Apply(const TypeSchema& schema, const boost::json::object* live,
                                  const boost::json::object& applied, const Request& request);

// kubectl/v1.20.2 (linux/amd64) -> "kubectl"; at most 128 bytes, printable.
std::string ManagerFromUserAgent(std::string_view user_agent);
// metav1.ManagedFieldsEntry list of a request body: what is wrong with it.
// FieldsV1 JSON of a set and back is in fieldset.h.

}  // namespace knarr::managedfields
