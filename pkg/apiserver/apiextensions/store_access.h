// For tests: an Access to custom kinds over a store, through their strategies, and readers of it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/apiextensions/custom.h"
#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::apiextensions {

class StoreAccess : public registry::Access, public cacher::EntryCodec {
 public:
  explicit StoreAccess(Clock& clock) : clock_(clock), store_(storage::NewMemoryStore(clock)) { rc_.clock = &clock_; }

  void Add(registry::Kind kind) {
    std::lock_guard lock(mutex_);
    const std::string key = kind.GroupResource();
    ++added_[key];
    kinds_[key] = std::make_shared<const registry::Kind>(std::move(kind));
  }
  void Remove(std::string_view group, std::string_view resource) {
    std::lock_guard lock(mutex_);
    kinds_.erase(fmt::format("{}.{}", resource, group));
  }
  registry::KindPtr Find(const std::string& group_resource) const {
    std::lock_guard lock(mutex_);
    const auto found = kinds_.find(group_resource);
    return found == kinds_.end() ? nullptr : found->second;
  }
  int added(const std::string& group_resource) {
    std::lock_guard lock(mutex_);
    return added_[group_resource];
  }
  storage::Store& store() { return *store_; }

  Result<registry::ObjectPtr> Decode(const cacher::Entry& entry) const { return Read(entry.bytes, entry.revision); }

  // EntryCodec.
  Result<cacher::EntryPtr> Decode(const storage::KeyValue& kv) const override {
    const registry::ObjectPtr object = KNARR_TRY(Read(kv.value, kv.mod_revision));
    auto entry = std::make_shared<cacher::Entry>();
    entry->key = kv.key;
    entry->name = object->metadata().name();
    entry->revision = kv.mod_revision;
    entry->bytes = kv.value;
    return cacher::EntryPtr(std::move(entry));
  }
  cacher::EntryPtr WithRevision(const cacher::Entry& entry, cacher::Revision revision) const override {
    auto copy = std::make_shared<cacher::Entry>();
    copy->key = entry.key;
    copy->name = entry.name;
    copy->revision = revision;
    copy->bytes = entry.bytes;
    return copy;
  }

  // Access.
  Result<registry::ObjectRef> Get(const Context& ctx, registry::GroupResource what, std::string_view ns,
                                  std::string_view name) override {
    return GetConsistent(ctx, what, ns, name);
  }
  Result<registry::ObjectRef> GetConsistent(const Context& ctx, registry::GroupResource what, std::string_view ns,
                                            std::string_view name) override {
    const registry::KindPtr kind = KNARR_TRY(KindFor(what));
    const auto kv = KNARR_TRY(store_->Get(ctx, Key(*kind, ns, name)));
    if (!kv) return errors::NotFound(what.group, what.resource, name);
    return registry::ObjectRef(KNARR_TRY(Read(kv->value, kv->mod_revision)));
  }
  Result<std::vector<registry::ObjectRef>> List(const Context& ctx, registry::GroupResource what, std::string_view,
                                                const labels::Selector&) override {
    const registry::KindPtr kind = KNARR_TRY(KindFor(what));
    const auto page = KNARR_TRY(store_->List(ctx, kind->storage_prefix, {}));
    std::vector<registry::ObjectRef> objects;
    for (const auto& kv : page.items) objects.emplace_back(KNARR_TRY(Read(kv.value, kv.mod_revision)));
    return objects;
  }
  uint64_t Generation(registry::GroupResource) override { return 0; }

  Result<registry::ObjectRef> Create(const Context& ctx, registry::GroupResource what,
                                     registry::Object object) override {
    const registry::KindPtr kind = KNARR_TRY(KindFor(what));
    kind->strategy->SetDefaults(object);
    kind->strategy->PrepareForCreate(rc_, object);
    const field::ErrorList wrong = kind->strategy->Validate(rc_, object);
    if (!wrong.empty()) return errors::Invalid(kind->group, kind->kind, object.metadata().name(), wrong);
    KNARR_TRY(kind->strategy->Begin(rc_, object, nullptr));
    object.metadata().set_uid("uid-" + object.metadata().name());
    const std::string key = Key(*kind, object.metadata().namespace_(), object.metadata().name());
    const auto written = KNARR_TRY(store_->Create(ctx, key, object.ToJson(kind->storage_version, kind->kind), 0));
    if (!written.succeeded) return errors::AlreadyExists(what.group, what.resource, object.metadata().name());
    return GetConsistent(ctx, what, object.metadata().namespace_(), object.metadata().name());
  }
  Result<registry::ObjectRef> Update(const Context& ctx, registry::GroupResource what, std::string_view ns,
                                     std::string_view name, std::string_view subresource,
                                     const std::function<Status(registry::Object&)>& change) override {
    const registry::KindPtr kind = KNARR_TRY(KindFor(what));
    const registry::Strategy& strategy =
        subresource.empty() ? *kind->strategy : *kind->FindSubresource(subresource)->strategy;
    for (;;) {
      const registry::ObjectRef old = KNARR_TRY(GetConsistent(ctx, what, ns, name));
      registry::Object updated = old->Clone();
      KNARR_TRY(change(updated));
      strategy.PrepareForUpdate(rc_, updated, *old);
      const field::ErrorList wrong = strategy.ValidateUpdate(rc_, updated, *old);
      if (!wrong.empty()) return errors::Invalid(kind->group, kind->kind, name, wrong);
      if (KNARR_TRY(Write(ctx, *kind, *old, std::move(updated)))) return Latest(ctx, what, ns, name, *old);
    }
  }
  Status Delete(const Context& ctx, registry::GroupResource what, std::string_view ns, std::string_view name,
                std::string_view) override {
    const registry::KindPtr kind = KNARR_TRY(KindFor(what));
    for (;;) {
      const registry::ObjectRef old = KNARR_TRY(GetConsistent(ctx, what, ns, name));
      registry::Object updated = old->Clone();
      auto& metadata = updated.metadata();
      if (!metadata.has_deletiontimestamp() &&
          (!metadata.finalizers().empty() || kind->strategy->HeldBySpec(updated))) {
        metadata.mutable_deletiontimestamp()->set_seconds(1700000000);
        kind->strategy->OnDeletionBegun(updated);
      } else if (metadata.finalizers().empty()) {
        metadata.mutable_deletiontimestamp()->set_seconds(1700000000);
      }
      if (KNARR_TRY(Write(ctx, *kind, *old, std::move(updated)))) return {};
    }
  }

 private:
  static Result<registry::ObjectPtr> Read(std::string_view bytes, cacher::Revision revision) {
    json::value value = json::parse({bytes.data(), bytes.size()});
    auto object =
        std::make_unique<registry::Object>(KNARR_TRY(registry::Object::FromJson(std::move(value.get_object()))));
    object->metadata().set_resourceversion(std::to_string(revision));
    return object;
  }
  Result<registry::KindPtr> KindFor(registry::GroupResource what) const {
    registry::KindPtr kind = Find(fmt::format("{}.{}", what.resource, what.group));
    if (!kind) return errors::GenericNotFound();
    return kind;
  }
  static std::string Key(const registry::Kind& kind, std::string_view ns, std::string_view name) {
    return kind.storage_prefix + (ns.empty() ? "" : std::string(ns) + "/") + std::string(name);
  }
  // False: somebody else was faster. Removes what is being deleted and has no finalizers.
  Result<bool> Write(const Context& ctx, const registry::Kind& kind, const registry::Object& old,
                     registry::Object updated) {
    const cacher::Revision revision = std::stoll(old.metadata().resourceversion());
    const std::string key = Key(kind, old.metadata().namespace_(), old.metadata().name());
    updated.metadata().clear_resourceversion();
    if (updated.metadata().has_deletiontimestamp() && updated.metadata().finalizers().empty()) {
      return KNARR_TRY(store_->Delete(ctx, key, revision)).succeeded;
    }
    const std::string text = updated.ToJson(kind.storage_version, kind.kind);
    return KNARR_TRY(store_->Update(ctx, key, text, revision, 0)).succeeded;
  }
  Result<registry::ObjectRef> Latest(const Context& ctx, registry::GroupResource what, std::string_view ns,
                                     std::string_view name, const registry::Object& old) {
    Result<registry::ObjectRef> latest = GetConsistent(ctx, what, ns, name);
    if (latest.status().Is(Code::kNotFound))
      return registry::ObjectRef(std::make_shared<registry::Object>(old.Clone()));
    return latest;
  }

  Clock& clock_;
  registry::RequestContext rc_;
  const std::unique_ptr<storage::Store> store_;
  mutable std::mutex mutex_;
  std::map<std::string, registry::KindPtr> kinds_;
  std::map<std::string, int> added_;
};

}  // namespace knarr::apiextensions
