#include "pkg/apiserver/registry/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <random>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kOrphanFinalizer = "orphan";
constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";

bool HasFinalizer(const ::knarr::meta::ObjectMeta& metadata, std::string_view name) {
  return std::find(metadata.finalizers().begin(), metadata.finalizers().end(), name) != metadata.finalizers().end();
}

}  // namespace

std::string NewUid() {
  thread_local boost::uuids::random_generator generator;
  return boost::uuids::to_string(generator());
}

std::string GenerateName(std::string_view base) {
  // Upstream's alphabet (k8s.io/apimachinery/pkg/util/rand): no vowels, nothing that looks like another letter.
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  constexpr size_t kMaxBase = 58;
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string name(base.substr(0, kMaxBase));
  for (int i = 0; i < 5; ++i) name += kLetters[random() % kLetters.size()];
  return name;
}

int64_t SecondsOf(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

void SetTime(WallTime time, ::knarr::meta::Time* out) {
  out->set_seconds(SecondsOf(time));
  out->set_nanos(0);
}

Status CheckNamespace(const Kind& kind, std::string_view ns, ::knarr::meta::ObjectMeta& metadata) {
  if (!kind.namespaced) {
    // Namespaces of cluster-scoped objects are an error of validation.
    return {};
  }
  if (metadata.namespace_().empty()) {
    metadata.set_namespace_(std::string(ns));
    return {};
  }
  if (metadata.namespace_() == ns) return {};
  return errors::BadRequest(
      fmt::format("the namespace of the provided object does not match the namespace sent on the request"));
}

void FillSystemFields(::knarr::meta::ObjectMeta& metadata, WallTime now) {
  SetTime(now, metadata.mutable_creationtimestamp());
  metadata.set_uid(NewUid());
  metadata.clear_deletiontimestamp();
  metadata.clear_deletiongraceperiodseconds();
  metadata.clear_selflink();
}

void KeepSystemFields(const ::knarr::meta::ObjectMeta& old, ::knarr::meta::ObjectMeta& updated) {
  if (updated.uid().empty()) updated.set_uid(old.uid());
  updated.clear_selflink();
  if (old.has_creationtimestamp()) *updated.mutable_creationtimestamp() = old.creationtimestamp();
  if (old.has_deletiontimestamp()) *updated.mutable_deletiontimestamp() = old.deletiontimestamp();
  if (old.has_deletiongraceperiodseconds() && !updated.has_deletiongraceperiodseconds())
    updated.set_deletiongraceperiodseconds(old.deletiongraceperiodseconds());
}

// Mirrors: shouldOrphanDependents, shouldDeleteDependents in pkg/registry/generic/registry/store.go
Finalizing FinalizingOf(const RequestContext& rc, const Kind& kind, const ::knarr::meta::ObjectMeta& metadata,
                        const ::knarr::meta::DeleteOptions& options) {
  if (options.has_orphandependents()) return options.orphandependents() ? Finalizing::kOrphan : Finalizing::kNothing;
  if (options.has_propagationpolicy()) {
    if (options.propagationpolicy() == "Orphan") return Finalizing::kOrphan;
    if (options.propagationpolicy() == "Foreground") return Finalizing::kForeground;
    return Finalizing::kNothing;
  }
  if (HasFinalizer(metadata, kOrphanFinalizer)) return Finalizing::kOrphan;
  if (HasFinalizer(metadata, kForegroundFinalizer)) return Finalizing::kForeground;
  return kind.strategy->DefaultOrphan(rc) ? Finalizing::kOrphan : Finalizing::kNothing;
}

bool SetGarbageFinalizers(Finalizing what, ::knarr::meta::ObjectMeta& metadata) {
  std::vector<std::string> wanted;
  for (const std::string& name : metadata.finalizers()) {
    if (name != kOrphanFinalizer && name != kForegroundFinalizer) wanted.push_back(name);
  }
  if (what == Finalizing::kOrphan) wanted.emplace_back(kOrphanFinalizer);
  if (what == Finalizing::kForeground) wanted.emplace_back(kForegroundFinalizer);
  const bool same =
      std::is_permutation(wanted.begin(), wanted.end(), metadata.finalizers().begin(), metadata.finalizers().end());
  if (same) return false;
  metadata.mutable_finalizers()->Assign(wanted.begin(), wanted.end());
  return true;
}

Status CheckPreconditions(const Kind& kind, const ::knarr::meta::ObjectMeta& metadata,
                          const ::knarr::meta::DeleteOptions& options) {
  if (!options.has_preconditions()) return {};
  const auto& wanted = options.preconditions();
  if (wanted.has_uid() && wanted.uid() != metadata.uid()) {
    // Namespaces are asked before the generic store is.
    if (kind.group.empty() && kind.resource == "namespaces") {
      return errors::Conflict(kind.group, kind.resource, metadata.name(),
                              fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}",
                                          wanted.uid(), metadata.uid()));
    }
    // Upstream names the kind here, not the resource.
    return errors::Conflict(kind.group, kind.kind, metadata.name(),
                            fmt::format("the UID in the precondition ({}) does not match the UID in record ({}). The "
                                        "object might have been deleted and then recreated",
                                        wanted.uid(), metadata.uid()));
  }
  if (wanted.has_resourceversion() && wanted.resourceversion() != metadata.resourceversion()) {
    return errors::Conflict(
        kind.group, kind.kind, metadata.name(),
        fmt::format("the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). "
                    "The object might have been modified",
                    wanted.resourceversion(), metadata.resourceversion()));
  }
  return {};
}

// Mirrors: ValidateDeleteOptions in k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go
field::ErrorList ValidateDeleteOptions(const ::knarr::meta::DeleteOptions& options) {
  field::ErrorList errors;
  if (options.has_orphandependents() && options.has_propagationpolicy()) {
    errors.push_back(field::InvalidLiteral(field::Path("propagationPolicy"),
                                           fmt::format("\"{}\"", options.propagationpolicy()),
                                           "orphanDependents and deletionPropagation cannot be both set"));
  }
  if (options.has_propagationpolicy() && options.propagationpolicy() != "Foreground" &&
      options.propagationpolicy() != "Background" && options.propagationpolicy() != "Orphan") {
    errors.push_back(field::NotSupported(field::Path("propagationPolicy"), options.propagationpolicy(),
                                         {"Foreground", "Background", "Orphan", "nil"}));
  }
  for (const std::string& value : options.dryrun()) {
    if (value != "All") errors.push_back(field::NotSupported(field::Path("dryRun"), value, {"All"}));
  }
  return errors;
}

bool ReadyToGo(const Kind& kind, const Object& object) {
  const auto& metadata = object.metadata();
  return metadata.has_deletiontimestamp() && metadata.finalizers().empty() &&
         metadata.deletiongraceperiodseconds() == 0 && !kind.strategy->HeldBySpec(object);
}

}  // namespace knarr::registry
