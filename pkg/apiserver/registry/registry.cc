#include "pkg/apiserver/registry/registry.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/registry/impl.h"

namespace knarr::registry {

StoredResource::StoredResource(KindPtr kind, storage::Store& store, Clock& clock, const Logger& log, bool watch_cache)
    : kind_(kind), store_(store), clock_(clock), log_(log), watch_cache_(watch_cache), codec_(kind) {}

cacher::Reader& StoredResource::reader() {
  std::call_once(once_, [this] {
    if (kind_->computed) {
      reader_ = NewComputedReader(kind_, codec_);
      return;
    }
    cacher::CacherOptions options{.resource = kind_->GroupResource(), .prefix = kind_->storage_prefix};
    if (watch_cache_) {
      auto cacher = cacher::NewCacher(options, store_, codec_, clock_, log_);
      if (cacher.ok()) {
        reader_ = std::move(*cacher);
        has_reader_ = true;
        return;
      }
      log_.Error(cacher.error(), "No watch cache; reading from the store", {{"resource", kind_->GroupResource()}});
    }
    reader_ = cacher::NewDirectReader(options, store_, codec_, clock_, log_);
  });
  return *reader_;
}

std::string StoredResource::Prefix(std::string_view ns) const {
  if (ns.empty() || !kind_->namespaced) return kind_->storage_prefix;
  return fmt::format("{}{}/", kind_->storage_prefix, ns);
}

std::string StoredResource::Key(std::string_view ns, std::string_view name) const {
  return fmt::format("{}{}", Prefix(ns), name);
}

Registry::Registry(storage::Store& store, Clock& clock, Logger log, Options options)
    : impl_(std::make_unique<Impl>(store, clock, std::move(log), options)) {}
Registry::~Registry() = default;

void Registry::Add(Kind kind) {
  auto shared = std::make_shared<const Kind>(std::move(kind));
  auto resource =
      std::make_shared<StoredResource>(shared, impl_->store, impl_->clock, impl_->log, impl_->options.watch_cache);
  const std::unique_lock lock(impl_->mutex);
  impl_->resources[shared->group][shared->resource] = std::move(resource);
  ++impl_->generation;
}

void Registry::Remove(std::string_view group, std::string_view resource) {
  std::shared_ptr<StoredResource> removed;  // its cache ends outside the lock
  const std::unique_lock lock(impl_->mutex);
  const auto in_group = impl_->resources.find(group);
  if (in_group == impl_->resources.end()) return;
  const auto found = in_group->second.find(resource);
  if (found == in_group->second.end()) return;
  removed = std::move(found->second);
  in_group->second.erase(found);
  if (in_group->second.empty()) impl_->resources.erase(in_group);
  ++impl_->generation;
}

ResourcePtr Registry::Find(std::string_view group, std::string_view version, std::string_view resource) const {
  const std::shared_lock lock(impl_->mutex);
  const auto in_group = impl_->resources.find(group);
  if (in_group == impl_->resources.end()) return nullptr;
  const auto found = in_group->second.find(resource);
  if (found == in_group->second.end()) return nullptr;
  if (!version.empty() && found->second->kind().FindVersion(version) == nullptr) return nullptr;
  return found->second;
}

std::vector<ResourcePtr> Registry::All() const {
  const std::shared_lock lock(impl_->mutex);
  std::vector<ResourcePtr> all;
  for (const auto& [group, resources] : impl_->resources) {
    for (const auto& [name, resource] : resources) all.push_back(resource);
  }
  return all;
}

uint64_t Registry::Generation() const {
  return impl_->generation.load();
}

Result<Registry::Impl::Current> Registry::Impl::Read(const Context& ctx, StoredResource& resource,
                                                     const std::string& key) const {
  Current current;
  auto found = KNARR_TRY(store.Get(ctx, key));
  if (!found) return current;
  current.object = KNARR_TRY(resource.codec().DecodeStored(key, found->value, found->mod_revision));
  current.revision = found->mod_revision;
  current.value = std::move(found->value);
  return current;
}

Result<ObjectPtr> Registry::GetFromStore(const RequestContext& rc, Resource& resource, std::string_view name) {
  auto& stored = static_cast<StoredResource&>(resource);
  auto current = KNARR_TRY(impl_->Read(rc.ctx, stored, stored.Key(rc.namespace_, name)));
  if (!current.object) return errors::NotFound(stored.kind().group, stored.kind().resource, name);
  return std::move(current.object);
}

// ---- Access ---------------------------------------------------------------------------------------------------------

namespace {

Status NotServed(GroupResource what) {
  return Error(Code::kNotFound, "no resource {}{}{} is served", what.resource, what.group.empty() ? "" : ".",
               what.group);
}

RequestContext OwnContext(Registry& registry, const Context& ctx, Clock& clock, std::string_view ns,
                          std::string_view name, std::vector<std::string>& warnings) {
  static const auth::UserInfo* const kOwn = new auth::UserInfo{
      .name = "system:apiserver", .uid = {}, .groups = {std::string(auth::kMastersGroup)}, .extra = {}};
  return {.ctx = ctx,
          .user = kOwn,
          .namespace_ = std::string(ns),
          .name = std::string(name),
          .warnings = &warnings,
          .access = &registry,
          .clock = &clock};
}

}  // namespace

Result<ObjectRef> Registry::Get(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  const auto entry = KNARR_TRY(resource->reader().Get(ctx, resource->Key(ns, name), cacher::Freshness::kAny, 0));
  if (!entry) return errors::NotFound(what.group, what.resource, name);
  return ObjectRef(KNARR_TRY(resource->Decode(*entry)));
}

Result<ObjectRef> Registry::GetConsistent(const Context& ctx, GroupResource what, std::string_view ns,
                                          std::string_view name) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  std::vector<std::string> warnings;
  return ObjectRef(KNARR_TRY(GetFromStore(OwnContext(*this, ctx, impl_->clock, ns, name, warnings), *resource, name)));
}

Result<std::vector<ObjectRef>> Registry::List(const Context& ctx, GroupResource what, std::string_view ns,
                                              const labels::Selector& selector) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  cacher::ListQuery query;
  query.prefix = resource->Prefix(ns);
  query.freshness = cacher::Freshness::kAny;
  query.filter.label = selector;
  const auto answer = KNARR_TRY(resource->reader().List(ctx, query));
  std::vector<ObjectRef> objects;
  objects.reserve(answer.entries.size());
  for (const auto& entry : answer.entries) objects.push_back(KNARR_TRY(resource->Decode(*entry)));
  return objects;
}

uint64_t Registry::Generation(GroupResource what) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  return resource ? resource->reader().Generation() : 0;
}

Result<ObjectRef> Registry::Create(const Context& ctx, GroupResource what, Object object) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  std::vector<std::string> warnings;
  const std::string ns = object.metadata().namespace_();
  const std::string name = object.metadata().name();
  Written written = KNARR_TRY(
      Create(OwnContext(*this, ctx, impl_->clock, ns, name, warnings), *resource, std::move(object), WriteHooks()));
  return ObjectRef(std::move(written.object));
}

Result<ObjectRef> Registry::Update(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                                   std::string_view subresource, const std::function<Status(Object&)>& change) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  const Strategy* strategy = nullptr;
  if (!subresource.empty()) {
    const Subresource* found = resource->kind().FindSubresource(subresource);
    if (found == nullptr || !found->strategy) return NotServed(what);
    strategy = found->strategy.get();
  }
  std::vector<std::string> warnings;
  const auto apply = [&](const Object* current) -> Result<ObjectPtr> {
    auto updated = std::make_unique<Object>(current->Clone());
    KNARR_TRY(change(*updated));
    return updated;
  };
  Written written = KNARR_TRY(
      Update(OwnContext(*this, ctx, impl_->clock, ns, name, warnings), *resource, strategy, apply, WriteHooks()));
  return ObjectRef(std::move(written.object));
}

Status Registry::Delete(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                        std::string_view uid) {
  ::knarr::meta::DeleteOptions options;
  if (!uid.empty()) options.mutable_preconditions()->set_uid(std::string(uid));
  return DeleteWithOptions(ctx, what, ns, name, options);
}

Status Registry::DeleteWithOptions(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                                   const ::knarr::meta::DeleteOptions& options) {
  const ResourcePtr resource = Find(what.group, "", what.resource);
  if (!resource) return NotServed(what);
  std::vector<std::string> warnings;
  RequestContext rc = OwnContext(*this, ctx, impl_->clock, ns, name, warnings);
  rc.dry_run = options.dryrun_size() > 0;
  return Delete(rc, *resource, name, options, DeleteHooks()).status();
}

}  // namespace knarr::registry
