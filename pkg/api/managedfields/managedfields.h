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
// tables for built-in kinds (SchemaOf), from the structural schema for custom ones (SchemaFromOpenApi), Deduced() where
// there is none.
class TypeSchema {
 public:
  // kList: without keys, replaced as a whole. kAtomic: anything, replaced as a whole. kUntyped: anything; maps merge.
  enum class Kind { kScalar, kMap, kStruct, kAtomic, kList, kSet, kAssociativeList, kUntyped };
  enum class Scalar { kUntyped, kNumeric, kString, kBoolean };
  struct Info {
    Kind kind = Kind::kUntyped;
    Scalar scalar = Scalar::kUntyped;                               // of kScalar
    bool atomic = false;                                            // kStruct, kMap: replaced as a whole
    std::vector<std::string> keys;                                  // of associative lists
    std::vector<std::pair<std::string, std::string>> key_defaults;  // JSON texts: protocol -> "TCP"
    const TypeSchema* element = nullptr;                            // of maps and lists; of fields that kStruct lacks
  };
  virtual ~TypeSchema() = default;
  virtual const Info& info() const = 0;
  // Fields of structs; nullptr: unknown.
  virtual const TypeSchema* Field(std::string_view json_name) const = 0;
  // The JSON of an object of this type before anything is set, as Go prints it. A custom resource has nothing.
  virtual boost::json::object Empty() const;
};
const TypeSchema* SchemaOf(std::string_view message_full_name);
const TypeSchema& Deduced();
// From an OpenAPI v3 schema without references (a CRD's openAPIV3Schema): x-kubernetes-list-type and friends,
// x-kubernetes-preserve-unknown-fields, x-kubernetes-int-or-string, x-kubernetes-embedded-resource. apiVersion, kind
// and metadata are added on top.
std::shared_ptr<const TypeSchema> SchemaFromOpenApi(const boost::json::object& schema);

struct Request {
  std::string manager;      // fieldManager, or from the user agent (PrefixFromUserAgent)
  std::string api_version;  // of the request
  std::string subresource;
  bool force = false;  // apply: take over conflicting fields
  WallTime now;
  // Fields that this endpoint resets (status on the main resource, spec on /status): as JSON paths "status".
  std::vector<std::string> reset_fields;
  // A tree of this kind in another version; may be null if there is one version only. kNotFound: there is no such
  // version any more; its managers are forgotten.
  std::function<Result<boost::json::object>(const boost::json::object& tree, std::string_view api_version)> convert;
  // The schema of this kind in another version; null: the same for all.
  std::function<const TypeSchema*(std::string_view api_version)> schema_of;
};

// After a create, update or patch: `updated` gets metadata.managedFields (upstream's rules for entries, times, merging
// of old update managers beyond 10, and removal of empty ones). `live` null on create. Trees are whole objects.
// [{}] sent by the client resets, as upstream. On an error `updated` has no managedFields; upstream logs it and goes
// on, and so should the caller.
Status Update(const TypeSchema& schema, const boost::json::object* live, boost::json::object& updated,
              const Request& request);

// PATCH application/apply-patch+yaml: the object to store. `live` null: it is created. Conflicts are kConflict with
// upstream's message and causes (reason FieldManagerConflict, one per field).
Result<boost::json::object> Apply(const TypeSchema& schema, const boost::json::object* live,
                                  const boost::json::object& applied, const Request& request);

// kubectl/v1.20.2 (linux/amd64) -> "kubectl"; at most 128 bytes, printable.
std::string ManagerFromUserAgent(std::string_view user_agent);
// What is wrong with a list of metav1.ManagedFieldsEntry (JSON), for requests whose admission changed it.
Status ValidateEntries(const boost::json::value& managed_fields);
// Where `updated` differs from `live` in nothing but the times of its managedFields (and resourceVersion), it gets the
// old ones: the store then has nothing to write.
void KeepTimesIfUnchanged(const boost::json::object& live, boost::json::object& updated);
// FieldsV1 JSON of a set and back is in fieldset.h.

}  // namespace knarr::managedfields
