// A kind of object as the API server serves it: names, versions, how it is stored, what is special about it (Strategy),
// and its subresources. One small file per kind makes one of these (registry/core/configmap.cc, ...).
//
// Mirrors: staging/src/k8s.io/apiserver/pkg/registry/{generic/registry/store.go,rest} and pkg/registry/<group>/<kind>
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pkg/api/field/field.h"
#include "pkg/api/object/object.h"
#include "pkg/apiserver/auth/user.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"

namespace knarr::http {
struct Request;
class ResponseWriter;
}  // namespace knarr::http

namespace knarr::managedfields {
class TypeSchema;
}

namespace knarr::registry {

using api::Object;
using api::ObjectPtr;

class Access;

// What a request brings along to strategies, admission and subresources.
struct RequestContext {
  Context ctx;
  const auth::UserInfo* user = nullptr;
  std::string namespace_;
  std::string name;
  std::string version;  // that the client asked by, "v1beta1"; empty for the server's own work
  bool dry_run = false;
  // Texts for the Warning header; never null.
  std::vector<std::string>* warnings = nullptr;
  // The server's own view of everything; never null.
  Access* access = nullptr;
  Clock* clock = nullptr;
};

// kubectl's table. Mirrors: pkg/printers/internalversion/printers.go
struct Column {
  std::string_view name;             // "Age"
  std::string_view type = "string";  // string, integer, boolean, number, date
  std::string_view format = {};      // "name" for the first
  std::string_view description = {};
  int priority = 0;  // 1: only -o wide
};
using Cell = std::variant<std::string, int64_t, bool, std::nullptr_t>;
// "5m", "3d4h", "<unknown>" for no time. Mirrors: k8s.io/apimachinery/pkg/util/duration.HumanDuration
std::string HumanAge(WallTime since, WallTime now);

// What is special about a kind. Objects are of the hub version. All methods are const and thread-safe.
// The order on create: SetDefaults (at decoding), mutating admission, PrepareForCreate, Validate, validating admission,
// Begin, store. On update: SetDefaults, mutating admission, PrepareForUpdate, ValidateUpdate, validating admission.
// Metadata (names, labels, resourceVersion, uid, timestamps, generation on request) is the generic registry's business.
class Strategy {
 public:
  virtual ~Strategy() = default;

  // Applying it twice changes nothing. Also applied to what is read from the store.
  virtual void SetDefaults(Object&) const {}
  // Clears what a client may not set (status), sets metadata.generation = 1 where the kind has generations.
  virtual void PrepareForCreate(const RequestContext&, Object&) const {}
  // Puts back what this endpoint may not change (status, or everything but status) and counts generation.
  virtual void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const {
    (void)updated, (void)old;
  }
  // Of the spec and the kind's rules for names; generic metadata is validated before (see NameValidator).
  virtual field::ErrorList Validate(const RequestContext&, const Object&) const { return {}; }
  virtual field::ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object& old) const {
    (void)updated, (void)old;
    return {};
  }
  virtual std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const {
    (void)object, (void)old;
    return {};
  }
  // PUT of a name that does not exist creates it (configmaps no, leases yes, ...).
  virtual bool AllowCreateOnUpdate() const { return false; }
  // An update without resourceVersion overwrites.
  virtual bool AllowUnconditionalUpdate() const { return true; }
  // Values that field selectors can ask for, beside metadata.name and metadata.namespace, in any order.
  virtual std::vector<std::pair<std::string, std::string>> SelectableFields(const Object&) const { return {}; }
  // The names of the above: an unknown one in a selector is 400.
  virtual std::vector<std::string_view> SelectableFieldNames() const { return {}; }

  // The grace period of a deletion in seconds, given what the client asked for (nullopt: nothing). nullopt: this kind
  // is deleted at once (all but pods). Mirrors: rest.RESTGracefulDeleteStrategy
  virtual std::optional<int64_t> GracePeriod(const Object&, std::optional<int64_t> requested) const {
    (void)requested;
    return std::nullopt;
  }
  // The object's own finalizers, beside metadata.finalizers (spec.finalizers of namespaces): while this is true it is
  // not removed from the store.
  virtual bool HeldBySpec(const Object&) const { return false; }
  // Deletion begins: deletionTimestamp was just set. Namespaces become Terminating.
  virtual void OnDeletionBegun(Object&) const {}
  // Deletion without any propagation policy orphans: replicationcontrollers, and what was so in an old version.
  virtual bool DefaultOrphan(const RequestContext&) const { return false; }

  // Deletion answers with the object's last state rather than with a Status (pods, services, claims, ...).
  virtual bool ReturnDeletedObject() const { return false; }
  // Fields that this endpoint resets whatever the client says: "status" for the main one, "spec" for /status. They are
  // not owned by who wrote them.
  virtual std::vector<std::string> ResetFields() const { return {}; }

  // Things outside the object that must change with it: IP addresses, node ports. Called after validation, before the
  // write; the function returned is called with the write's outcome.
  using Finish = std::function<void(bool written)>;
  virtual Result<Finish> Begin(const RequestContext&, Object& object, const Object* old) const {
    (void)object, (void)old;
    return Finish();
  }
  // The object is gone from the store. `deleted` is its last state.
  virtual void AfterDelete(const RequestContext&, const Object& deleted) const { (void)deleted; }

  // "" : `object` may be seen by its kubectl columns. The default prints Name and Created At, as upstream's for kinds
  // without a printer.
  virtual std::vector<Column> Columns() const;
  virtual std::vector<Cell> Cells(const Object&, WallTime now) const;
};

// Strategy of a built-in kind, with its type.
template <typename T>
class TypedStrategy : public Strategy {
 public:
  virtual void Default(T&) const {}
  virtual void PrepareCreate(const RequestContext&, T&) const {}
  virtual void PrepareUpdate(const RequestContext&, T& updated, const T& old) const { (void)updated, (void)old; }
  virtual field::ErrorList Check(const RequestContext&, const T&) const { return {}; }
  // The default validates the updated object like a new one.
  virtual field::ErrorList CheckUpdate(const RequestContext& rc, const T& updated, const T& old) const {
    (void)old;
    return Check(rc, updated);
  }
  virtual std::vector<Cell> Row(const T&, WallTime now) const = 0;

  void SetDefaults(Object& o) const final { Default(o.As<T>()); }
  void PrepareForCreate(const RequestContext& rc, Object& o) const final { PrepareCreate(rc, o.As<T>()); }
  void PrepareForUpdate(const RequestContext& rc, Object& updated, const Object& old) const final {
    PrepareUpdate(rc, updated.As<T>(), old.As<T>());
  }
  field::ErrorList Validate(const RequestContext& rc, const Object& o) const final { return Check(rc, o.As<T>()); }
  field::ErrorList ValidateUpdate(const RequestContext& rc, const Object& updated, const Object& old) const final {
    return CheckUpdate(rc, updated.As<T>(), old.As<T>());
  }
  std::vector<Cell> Cells(const Object& o, WallTime now) const final { return Row(o.As<T>(), now); }
};

// Names of objects of a kind: what is wrong with one ("" of a prefix for generateName: `prefix` is true).
// names::IsDns1123Subdomain and friends; path segment rules for rbac.
using NameValidator = std::vector<std::string> (*)(std::string_view name, bool prefix);

// A subresource under /<resource>/<name>/<subresource>.
struct Subresource {
  std::string name;  // "status", "scale", "binding"
  // What its bodies are, for discovery: {"autoscaling", "v1", "Scale"}. Empty group and version: the resource's own.
  std::string group, version, kind;
  std::vector<std::string> verbs;  // in discovery's order

  // status, finalize, approval, ephemeralcontainers, resize: the object itself through another strategy (PUT, PATCH;
  // GET is the object).
  // Only what `verbs` names is served: binding has a strategy for Access::Update, and is POSTed to.
  std::shared_ptr<const Strategy> strategy;

  // scale: reads and writes something computed from the object. `apply` changes the object (it is then updated through
  // the main strategy).
  std::function<Result<std::unique_ptr<google::protobuf::Message>>(const RequestContext&, const Object&)> view;
  std::function<Status(const RequestContext&, const google::protobuf::Message& view, Object& object)> apply;

  // binding, eviction, token: POST of a body of `prototype`'s type; the answer is encoded with 201.
  const google::protobuf::Message& (*prototype)() = nullptr;
  std::function<Result<std::unique_ptr<google::protobuf::Message>>(const RequestContext&,
                                                                   std::unique_ptr<google::protobuf::Message> body)>
      create;

  // log, exec, attach, portforward, proxy: the raw exchange, after authorization and admission (CONNECT).
  // `rest` is the path behind /proxy/.
  std::function<void(const RequestContext&, const http::Request&, http::ResponseWriter&, std::string_view rest)>
      connect;
  bool HasPathRest() const { return name == "proxy"; }
};

struct ServedVersion {
  std::string version;
  const google::protobuf::Message& (*prototype)() = nullptr;  // null for custom kinds
  // Not hub: converted through pkg/api/conversion. Served, yet not first in discovery.
  std::string deprecation_warning;  // as upstream's "policy/v1beta1 X is deprecated in v1.21+, ..." ; "" for none
};

struct Kind {
  std::string group;      // "" for core
  std::string kind;       // "ConfigMap"
  std::string list_kind;  // "ConfigMapList"
  std::string resource;   // "configmaps"
  std::string singular;
  bool namespaced = true;
  std::vector<std::string> short_names, categories;
  std::vector<std::string> verbs;       // in discovery's order (alphabetic)
  std::vector<ServedVersion> versions;  // the hub first
  std::string storage_version;          // "apps/v1": what the store holds
  std::string storage_prefix;           // "/registry/configmaps/", with the slash
  std::shared_ptr<const Strategy> strategy;
  NameValidator name_validator = nullptr;
  std::vector<Subresource> subresources;

  // Kinds that are not stored (reviews, bindings): POST only.
  std::function<Result<std::unique_ptr<google::protobuf::Message>>(const RequestContext&,
                                                                   std::unique_ptr<google::protobuf::Message> body)>
      create_only;
  // Kinds whose objects are made when somebody asks (componentstatuses): get and list only. Sorted by name.
  std::function<std::vector<Object>(const Context&)> computed;
  // Events and the like: seconds until the object goes by itself.
  int64_t ttl_seconds = 0;
  // Of custom kinds: validation, pruning, defaulting and columns by its CRD; null for the others.
  std::shared_ptr<const void> custom;
  // Of custom kinds with a schema: its shape for server-side apply, by version; lives as long as `custom`.
  std::function<const managedfields::TypeSchema*(std::string_view version)> field_schema;

  std::string HubApiVersion() const;  // "v1", "apps/v1"
  std::string GroupResource() const;  // "configmaps", "deployments.apps"
  const ServedVersion* FindVersion(std::string_view version) const;
  const Subresource* FindSubresource(std::string_view name) const;
};
using KindPtr = std::shared_ptr<const Kind>;

// A built-in kind with everything that the generated scheme knows filled in: names, verbs, versions served (the given
// ones; the first is the hub), prefix "/registry/<resource>/", storage version = hub. KNARR_CHECKs that it exists.
Kind BuiltinKind(std::string_view group, std::string_view resource, std::vector<std::string_view> versions,
                 std::shared_ptr<const Strategy> strategy);

}  // namespace knarr::registry
