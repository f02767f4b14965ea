// What the strategies of several groups share.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/api/meta/equality.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::registry {

// A status subresource: GET, PATCH and PUT of the object itself.
inline Subresource StatusPart(std::shared_ptr<const Strategy> strategy) {
  Subresource status;
  status.name = "status";
  status.verbs = {"get", "patch", "update"};
  status.strategy = std::move(strategy);
  return status;
}

// Counts a generation where the spec is another.
template <typename T>
void CountGeneration(T& updated, const T& old) {
  const bool changed = !api::SemanticEqual(updated.spec(), old.spec());
  updated.mutable_metadata()->set_generation(old.metadata().generation() + (changed ? 1 : 0));
}

// Puts back what was there, absent where it was.
template <typename T>
void KeepStatus(T& updated, const T& old) {
  updated.clear_status();
  if (old.has_status()) *updated.mutable_status() = old.status();
}
template <typename T>
void KeepSpec(T& updated, const T& old) {
  updated.clear_spec();
  if (old.has_spec()) *updated.mutable_spec() = old.spec();
}

// The usual kind with a generation and a status of its own: both are the server's.
template <typename T>
class SpecStrategy : public TypedStrategy<T> {
 public:
  void PrepareCreate(const RequestContext&, T& object) const override {
    object.clear_status();
    object.mutable_metadata()->set_generation(1);
  }
  void PrepareUpdate(const RequestContext&, T& updated, const T& old) const override {
    KeepStatus(updated, old);
    CountGeneration(updated, old);
  }
};

// Warns of a version as upstream does; the minors are of 1.x, `use` is the version that replaces it, or empty.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/deprecation/deprecation.go
inline void Deprecate(Kind& kind, std::string_view version, int deprecated, int removed, std::string_view use) {
  for (ServedVersion& served : kind.versions) {
    if (served.version != version) continue;
    served.deprecation_warning = fmt::format("{}/{} {} is deprecated in v1.{}+, unavailable in v1.{}+", kind.group,
                                             version, kind.kind, deprecated, removed);
    if (!use.empty()) {
      served.deprecation_warning += fmt::format("; use {}/{} {}", kind.group, use, kind.kind);
    }
  }
}

// Of kinds whose pods are named after them.
inline void WarnOfPodNames(std::string_view name, std::vector<std::string>& warnings) {
  const names::Messages messages = names::IsDNS1123Label(name);
  if (messages.empty()) return;
  warnings.push_back(
      fmt::format("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a "
                  "DNS label is recommended: [{}]",
                  fmt::join(messages, " ")));
}

}  // namespace knarr::registry
