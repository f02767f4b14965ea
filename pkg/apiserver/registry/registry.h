// All kinds that the server serves, built-in and custom, and the generic verbs on each.
//
// A Kind is immutable; custom kinds come and go while the server runs, so finders return shared pointers and a verb
// works on the one it was given. Thread-safe.
// Mirrors: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/object/object.h"
#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/registry/kind.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class DeleteOptions;
}

namespace knarr::registry {

// One served resource: its kind, where it is read, where it is written.
class Resource {
 public:
  virtual ~Resource() = default;
  virtual const Kind& kind() const = 0;
  virtual cacher::Reader& reader() = 0;
  // Somebody asked for the reader: there is a cache to look at.
  virtual bool HasReader() const = 0;
  // The object that an entry's bytes are, hub version.
  virtual Result<ObjectPtr> Decode(const cacher::Entry& entry) const = 0;
  // "/registry/pods/default/web"; the prefix of a namespace; of everything ("").
  virtual std::string Key(std::string_view ns, std::string_view name) const = 0;
  virtual std::string Prefix(std::string_view ns) const = 0;
};
using ResourcePtr = std::shared_ptr<Resource>;

// Admission and patching enter an update here. All may be empty.
struct WriteHooks {
  // Sets managedFields: after defaults, before admission.
  std::function<Status(Object& object, const Object* old)> manage;
  // Mutating admission, before PrepareFor...
  std::function<Status(Object& object, const Object* old)> admit;
  // Validating admission, after validation.
  std::function<Status(const Object& object, const Object* old)> validate;
};
struct DeleteHooks {
  std::function<Status(const Object& old)> validate;
};

// The result of a write: the object as stored (or, dry run, as it would be).
struct Written {
  ObjectPtr object;
  bool created = false;
  cacher::Revision revision = 0;
};
struct Deleted {
  ObjectPtr object;   // its last state
  bool gone = false;  // false: it waits for finalizers or its grace period
};

class Registry : public Access {
 public:
  struct Options {
    bool watch_cache = true;
    std::chrono::seconds event_ttl{3600};
  };
  Registry(storage::Store& store, Clock& clock, Logger log, Options options);
  ~Registry() override;

  // A new resource; replaces the one of the same group and resource (custom kinds whose CRD changed; watches of the old
  // one end). Built-in ones are added before the server starts.
  void Add(Kind kind);
  void Remove(std::string_view group, std::string_view resource);
  // nullptr: not served. Version "": any.
  ResourcePtr Find(std::string_view group, std::string_view version, std::string_view resource) const;
  // Ordered by group, then resource; with the number of the last change, for discovery documents to be made anew.
  std::vector<ResourcePtr> All() const;
  uint64_t Generation() const;

  // `object`: hub version, decoded, not yet defaulted.
  Result<Written> Create(const RequestContext& rc, Resource& resource, Object object, const WriteHooks& hooks);
  // `change` gets the present state (null where there is none and the strategy allows creation) and returns the new
  // one; it may be called again after a conflict unless the new one has a resourceVersion. `strategy`: of the
  // subresource; null: the main one.
  using Change = std::function<Result<ObjectPtr>(const Object* current)>;
  Result<Written> Update(const RequestContext& rc, Resource& resource, const Strategy* strategy, const Change& change,
                         const WriteHooks& hooks, bool may_create = false);
  Result<Deleted> Delete(const RequestContext& rc, Resource& resource, std::string_view name,
                         const ::knarr::meta::DeleteOptions& options, const DeleteHooks& hooks);
  // A read from the store itself, not older than the call.
  Result<ObjectPtr> GetFromStore(const RequestContext& rc, Resource& resource, std::string_view name);

  // Access.
  Result<ObjectRef> Get(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name) override;
  Result<ObjectRef> GetConsistent(const Context& ctx, GroupResource what, std::string_view ns,
                                  std::string_view name) override;
  Result<std::vector<ObjectRef>> List(const Context& ctx, GroupResource what, std::string_view ns,
                                      const labels::Selector& selector) override;
  uint64_t Generation(GroupResource what) override;
  Result<ObjectRef> Create(const Context& ctx, GroupResource what, Object object) override;
  Result<ObjectRef> Update(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                           std::string_view subresource, const std::function<Status(Object&)>& change) override;
  Status Delete(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                std::string_view uid) override;
  Status DeleteWithOptions(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                           const ::knarr::meta::DeleteOptions& options) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::registry
