// Deletion: grace periods, finalizers, and what the garbage collector is told.
// Mirrors: Delete and its helpers in staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go,
// pkg/registry/rest/delete.go
#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/registry/impl.h"

namespace knarr::registry {
namespace {

// What a deletion does to the object before it goes.
struct Begun {
  bool changed = false;
  bool pending = false;  // it waits for its grace period already, and nothing about that changes
  bool graceful = false;
};

void BumpGeneration(::knarr::meta::ObjectMeta& metadata) {
  if (metadata.generation() > 0) metadata.set_generation(metadata.generation() + 1);
}

WallTime TimeOf(const ::knarr::meta::Time& time) {
  return WallTime(std::chrono::seconds(time.seconds()));
}

Begun BeginGrace(const Strategy& strategy, Object& object, std::optional<int64_t> requested, WallTime now) {
  auto& metadata = object.metadata();
  if (metadata.has_deletiontimestamp()) {
    if (!metadata.has_deletiongraceperiodseconds() || metadata.deletiongraceperiodseconds() == 0) return {};
    // Shortening is allowed, never lengthening.
    const int64_t period = metadata.deletiongraceperiodseconds();
    std::optional<int64_t> shorter = requested ? strategy.GracePeriod(object, requested) : std::nullopt;
    if (!shorter || *shorter >= period) return {.pending = true};
    const WallTime asked = TimeOf(metadata.deletiontimestamp()) - std::chrono::seconds(period);
    const WallTime due = std::max(asked + std::chrono::seconds(*shorter), now);
    SetTime(due, metadata.mutable_deletiontimestamp());
    metadata.set_deletiongraceperiodseconds(*shorter);
    return {.changed = true, .graceful = *shorter > 0};
  }
  const std::optional<int64_t> period = strategy.GracePeriod(object, requested);
  if (!period) return {};
  SetTime(now + std::chrono::seconds(*period), metadata.mutable_deletiontimestamp());
  metadata.set_deletiongraceperiodseconds(*period);
  BumpGeneration(metadata);
  strategy.OnDeletionBegun(object);
  return {.changed = true, .graceful = *period > 0};
}

// Being deleted, held by finalizers only.
bool MarkDeleting(const Strategy& strategy, Object& object, WallTime now) {
  auto& metadata = object.metadata();
  if (metadata.has_deletiontimestamp() && metadata.deletiongraceperiodseconds() == 0) return false;  // 0 or unset
  if (!metadata.has_deletiontimestamp()) {
    BumpGeneration(metadata);
    SetTime(now, metadata.mutable_deletiontimestamp());
    strategy.OnDeletionBegun(object);
  } else if (TimeOf(metadata.deletiontimestamp()) > now) {
    SetTime(now, metadata.mutable_deletiontimestamp());
  }
  // Namespaces have no grace period: their own finalizers say when they go.
  if (!strategy.HeldBySpec(object)) metadata.set_deletiongraceperiodseconds(0);
  return true;
}

}  // namespace

Result<std::optional<Deleted>> Registry::Impl::RemoveNow(const RequestContext& rc, StoredResource& resource,
                                                         const std::string& key, Current current) {
  const auto result = KNARR_TRY(store.Delete(rc.ctx, key, current.revision));
  if (!result.succeeded) {
    if (!result.current) return errors::NotFound(resource.kind().group, resource.kind().resource, rc.name);
    return std::optional<Deleted>();
  }
  resource.reader().Written(result.revision);
  resource.kind().strategy->AfterDelete(rc, *current.object);
  current.object->metadata().set_resourceversion(std::to_string(result.revision));
  return Deleted{.object = std::move(current.object), .gone = true};
}

Result<std::optional<Deleted>> Registry::Impl::DeleteOnce(const RequestContext& rc, StoredResource& resource,
                                                          const std::string& key,
                                                          const ::knarr::meta::DeleteOptions& options,
                                                          const DeleteHooks& hooks) {
  const Kind& kind = resource.kind();
  const Strategy& strategy = *kind.strategy;
  Current current = KNARR_TRY(Read(rc.ctx, resource, key));
  if (!current.object) return errors::NotFound(kind.group, kind.resource, rc.name);
  KNARR_TRY(CheckPreconditions(kind, current.object->metadata(), options));
  if (hooks.validate) KNARR_TRY(hooks.validate(*current.object));

  auto updated = std::make_unique<Object>(current.object->Clone());
  std::optional<int64_t> requested;
  if (options.has_graceperiodseconds()) requested = options.graceperiodseconds();
  const WallTime now = clock.Now();
  const Begun begun = BeginGrace(strategy, *updated, requested, now);
  bool changed = SetGarbageFinalizers(FinalizingOf(rc, kind, updated->metadata(), options), updated->metadata());
  const bool held = !updated->metadata().finalizers().empty() || strategy.HeldBySpec(*updated);
  if (!begun.graceful && !begun.pending && held) changed |= MarkDeleting(strategy, *updated, now);
  if (begun.graceful || begun.pending || held) {
    if (!changed && !begun.changed) return Deleted{.object = std::move(updated), .gone = false};
    auto written = KNARR_TRY(Store(rc, resource, key, std::move(updated), current));
    if (!written) return std::optional<Deleted>();
    return Deleted{.object = std::move(written->object), .gone = false};
  }
  // A grace period that ends at once is written all the same: watchers see it, and the last state has it.
  if (begun.changed) {
    auto written = KNARR_TRY(Store(rc, resource, key, std::move(updated), current));
    if (!written) return std::optional<Deleted>();
    if (rc.dry_run) return Deleted{.object = std::move(written->object), .gone = true};
    current.object = std::move(written->object);
    current.revision = written->revision;
  }
  if (rc.dry_run) return Deleted{.object = std::move(current.object), .gone = true};
  return RemoveNow(rc, resource, key, std::move(current));
}

Result<Deleted> Registry::Delete(const RequestContext& rc, Resource& resource, std::string_view name,
                                 const ::knarr::meta::DeleteOptions& options, const DeleteHooks& hooks) {
  auto& stored = static_cast<StoredResource&>(resource);
  RequestContext named = rc;
  named.name = name;
  const std::string key = stored.Key(rc.namespace_, name);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    KNARR_TRY(rc.ctx.Err());
    auto deleted = KNARR_TRY(impl_->DeleteOnce(named, stored, key, options, hooks));
    if (deleted) return std::move(*deleted);
  }
  return errors::Conflict(stored.kind().group, stored.kind().resource, name, errors::kOptimisticLock);
}

}  // namespace knarr::registry
