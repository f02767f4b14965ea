// Create and update.
// Mirrors: Create and Update in staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go,
// pkg/registry/rest/{create,update}.go
#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/meta/validation.h"
#include "pkg/apiserver/registry/impl.h"

namespace knarr::registry {
namespace {

// Upstream's built-in kinds are stricter with finalizers than definitions and custom resources.
api::Finalizers FinalizersOf(const Kind& kind) {
  return kind.custom ? api::Finalizers::kAny : api::Finalizers::kBuiltin;
}

field::ErrorList CheckNew(const RequestContext& rc, const Kind& kind, const Strategy& strategy, const Object& object) {
  field::ErrorList errors = api::ValidateObjectMeta(object.metadata(), kind.namespaced, kind.name_validator,
                                                    field::Path("metadata"), FinalizersOf(kind));
  field::Append(errors, strategy.Validate(rc, object));
  return errors;
}

field::ErrorList CheckUpdated(const RequestContext& rc, const Kind& kind, const Strategy& strategy,
                              const Object& updated, const Object& old) {
  field::ErrorList errors =
      api::ValidateObjectMetaUpdate(updated.metadata(), old.metadata(), field::Path("metadata"), FinalizersOf(kind));
  field::Append(errors, strategy.ValidateUpdate(rc, updated, old));
  return errors;
}

void AddWarnings(const RequestContext& rc, std::vector<std::string> warnings) {
  for (std::string& warning : warnings) rc.warnings->push_back(std::move(warning));
}

// The finish function of Strategy::Begin, called once, whatever happens.
class Finisher {
 public:
  explicit Finisher(Strategy::Finish finish) : finish_(std::move(finish)) {}
  Finisher(const Finisher&) = delete;
  ~Finisher() { Done(false); }
  void Done(bool written) {
    if (finish_) std::exchange(finish_, nullptr)(written);
  }

 private:
  Strategy::Finish finish_;
};

}  // namespace

Result<Written> Registry::Impl::CreateOnce(const RequestContext& rc, StoredResource& resource, Object object,
                                           const WriteHooks& hooks, bool generated) {
  const Kind& kind = resource.kind();
  const Strategy& strategy = *kind.strategy;
  strategy.PrepareForCreate(rc, object);
  if (const auto errors = CheckNew(rc, kind, strategy, object); !errors.empty())
    return errors::Invalid(kind.group, kind.kind, object.metadata().name(), errors);
  AddWarnings(rc, strategy.Warnings(rc, object, nullptr));
  if (hooks.validate) KNARR_TRY(hooks.validate(object, nullptr));
  Finisher finisher(KNARR_TRY(strategy.Begin(rc, object, nullptr)));

  const std::string name = object.metadata().name();
  const std::string key = resource.Key(rc.namespace_, name);
  const std::string value = KNARR_TRY(resource.codec().EncodeStored(object));
  Written written{.object = nullptr, .created = true};
  const auto exists = [&]() -> Status {
    if (!generated) return errors::AlreadyExists(kind.group, kind.resource, name);
    return Error(Code::kAlreadyExists,
                 "{} \"{}\" already exists, the server was not able to generate a unique name for the object",
                 kind.GroupResource(), name)
        .WithDetails({.name = name, .group = kind.group, .kind = kind.resource});
  };
  if (rc.dry_run) {
    if (KNARR_TRY(store.Get(rc.ctx, key))) return exists();
    written.object = std::make_unique<Object>(std::move(object));
    return written;
  }
  const auto result = KNARR_TRY(store.Create(rc.ctx, key, value, resource.ttl_seconds()));
  if (!result.succeeded) return exists();
  finisher.Done(true);
  resource.reader().Written(result.revision);
  object.metadata().set_resourceversion(std::to_string(result.revision));
  written.object = std::make_unique<Object>(std::move(object));
  written.revision = result.revision;
  return written;
}

Result<Written> Registry::Create(const RequestContext& rc, Resource& resource, Object object, const WriteHooks& hooks) {
  auto& stored = static_cast<StoredResource&>(resource);
  const Kind& kind = stored.kind();
  auto& metadata = object.metadata();
  KNARR_TRY(CheckNamespace(kind, rc.namespace_, metadata));
  if (!metadata.resourceversion().empty() && metadata.resourceversion() != "0")
    return errors::BadRequest("resourceVersion should not be set on objects to be created");
  metadata.clear_resourceversion();
  FillSystemFields(metadata, impl_->clock.Now());
  kind.strategy->SetDefaults(object);
  if (hooks.manage) KNARR_TRY(hooks.manage(object, nullptr));
  const bool generated = metadata.name().empty() && !metadata.generatename().empty();
  if (generated) metadata.set_name(GenerateName(metadata.generatename()));
  if (hooks.admit) KNARR_TRY(hooks.admit(object, nullptr));

  // A name that is taken is made anew: eight times, as upstream's RetryGenerateName.
  constexpr int kNames = 8;
  for (int attempt = 1;; ++attempt) {
    const bool last = !generated || attempt == kNames;
    Result<Written> written =
        impl_->CreateOnce(rc, stored, last ? std::move(object) : object.Clone(), hooks, generated);
    if (last || written.ok() || !written.error().Is(Code::kAlreadyExists)) return written;
    object.metadata().set_name(GenerateName(object.metadata().generatename()));
  }
}

Result<std::optional<Written>> Registry::Impl::Store(const RequestContext& rc, StoredResource& resource,
                                                     const std::string& key, ObjectPtr object, const Current& current) {
  const std::string value = KNARR_TRY(resource.codec().EncodeStored(*object));
  Written written{.object = std::move(object), .created = false, .revision = current.revision};
  if (value == current.value) {
    written.object->metadata().set_resourceversion(std::to_string(current.revision));
    return written;  // nothing changed: no write, the same resourceVersion
  }
  if (rc.dry_run) {
    written.object->metadata().set_resourceversion(std::to_string(current.revision));
    return written;
  }
  const auto result = KNARR_TRY(store.Update(rc.ctx, key, value, current.revision, resource.ttl_seconds()));
  if (!result.succeeded) return std::optional<Written>();
  resource.reader().Written(result.revision);
  written.object->metadata().set_resourceversion(std::to_string(result.revision));
  written.revision = result.revision;
  return written;
}

Result<std::optional<Written>> Registry::Impl::UpdateOnce(const RequestContext& rc, StoredResource& resource,
                                                          const Strategy& strategy, const Change& change,
                                                          const WriteHooks& hooks, bool may_create,
                                                          const std::string& key) {
  const Kind& kind = resource.kind();
  Current current = KNARR_TRY(Read(rc.ctx, resource, key));
  if (!current.object && !may_create) return errors::NotFound(kind.group, kind.resource, rc.name);
  ObjectPtr updated = KNARR_TRY(change(current.object.get()));
  auto& metadata = updated->metadata();
  if (metadata.name().empty()) {
    return errors::BadRequest(
        fmt::format("the name of the object ({} based on URL) was undeterminable: name must be provided", rc.name));
  }
  if (metadata.name() != rc.name) {
    return errors::BadRequest(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", metadata.name(), rc.name));
  }
  KNARR_TRY(CheckNamespace(kind, rc.namespace_, metadata));
  const Object* old = current.object.get();
  if (old == nullptr) {
    if (!metadata.resourceversion().empty() && metadata.resourceversion() != "0")
      return errors::Conflict(kind.group, kind.resource, rc.name, errors::kOptimisticLock);
    metadata.clear_resourceversion();
    FillSystemFields(metadata, clock.Now());
    strategy.SetDefaults(*updated);
    if (hooks.manage) KNARR_TRY(hooks.manage(*updated, nullptr));
    if (hooks.admit) KNARR_TRY(hooks.admit(*updated, nullptr));
    Result<Written> written = CreateOnce(rc, resource, std::move(*updated), hooks, false);
    if (!written.ok() && written.error().Is(Code::kAlreadyExists)) return std::optional<Written>();
    return std::optional<Written>(KNARR_TRY(std::move(written)));
  }

  // Upstream's checks in upstream's order: the uid a client names is a precondition, then the version.
  if (!metadata.uid().empty() && metadata.uid() != old->metadata().uid()) {
    return errors::Conflict(kind.group, kind.resource, rc.name,
                            fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}",
                                        metadata.uid(), old->metadata().uid()));
  }
  const bool unconditional = metadata.resourceversion().empty() || metadata.resourceversion() == "0";
  if (unconditional && !strategy.AllowUnconditionalUpdate()) {
    const field::ErrorList errors = {field::InvalidLiteral(field::Path("metadata").Child("resourceVersion"), "0x0",
                                                           "must be specified for an update")};
    return errors::Invalid(kind.group, kind.resource, rc.name, errors);  // upstream names the resource here
  }
  if (!unconditional && metadata.resourceversion() != old->metadata().resourceversion())
    return errors::Conflict(kind.group, kind.resource, rc.name, errors::kOptimisticLock);
  metadata.set_resourceversion(old->metadata().resourceversion());
  metadata.set_generation(old->metadata().generation());
  KeepSystemFields(old->metadata(), metadata);

  strategy.SetDefaults(*updated);
  if (hooks.manage) KNARR_TRY(hooks.manage(*updated, old));
  if (hooks.admit) KNARR_TRY(hooks.admit(*updated, old));
  strategy.PrepareForUpdate(rc, *updated, *old);
  if (const auto errors = CheckUpdated(rc, kind, strategy, *updated, *old); !errors.empty())
    return errors::Invalid(kind.group, kind.kind, rc.name, errors);
  AddWarnings(rc, strategy.Warnings(rc, *updated, old));
  if (hooks.validate) KNARR_TRY(hooks.validate(*updated, old));
  if (!rc.dry_run && old->metadata().has_deletiontimestamp() && ReadyToGo(kind, *updated)) {
    // Its last finalizer is gone.
    const ObjectPtr last = std::make_unique<Object>(updated->Clone());
    auto removed = KNARR_TRY(RemoveNow(rc, resource, key, std::move(current)));
    if (!removed) return std::optional<Written>();
    return Written{.object = std::move(updated), .created = false, .revision = 0};
  }
  Finisher finisher(KNARR_TRY(strategy.Begin(rc, *updated, old)));
  auto written = KNARR_TRY(Store(rc, resource, key, std::move(updated), current));
  if (written && !rc.dry_run) finisher.Done(true);
  return written;
}

Result<Written> Registry::Update(const RequestContext& rc, Resource& resource, const Strategy* strategy,
                                 const Change& change, const WriteHooks& hooks, bool may_create) {
  auto& stored = static_cast<StoredResource&>(resource);
  const Strategy& with = strategy ? *strategy : *stored.kind().strategy;
  const std::string key = stored.Key(rc.namespace_, rc.name);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    KNARR_TRY(rc.ctx.Err());
    rc.warnings->clear();
    auto written = KNARR_TRY(impl_->UpdateOnce(rc, stored, with, change, hooks, may_create, key));
    if (written) return std::move(*written);
  }
  return errors::Conflict(stored.kind().group, stored.kind().resource, rc.name, errors::kOptimisticLock);
}

}  // namespace knarr::registry
