// Custom resources: the kinds CustomResourceDefinition and APIService, and the kinds that definitions make.
//
// Both built-in kinds are stored as JSON, as upstream does, and have no generated type: their objects are custom ones
// (Object::custom()) with a structural schema written by hand.
// Mirrors: staging/src/k8s.io/{apiextensions-apiserver,kube-aggregator}
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/registry/kind.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/log.h"

namespace knarr::cacher {
class Reader;
struct Entry;
}  // namespace knarr::cacher

namespace knarr::apiextensions {

// customresourcedefinitions.apiextensions.k8s.io and apiservices.apiregistration.k8s.io, both v1.
std::vector<registry::Kind> Kinds();

// The kind that a CustomResourceDefinition (its object, valid) makes, whether established or not. Its versions are the
// served ones. kInvalid where there are none.
Result<registry::Kind> KindOf(const registry::Object& definition);

// The openAPIV3Schema of a custom kind's version; null: it has none.
std::shared_ptr<const boost::json::object> SchemaForOpenApi(const registry::Kind& kind, std::string_view version);
// What a version's schema does not know in the body of a custom resource: spec.foo, spec.list[0].bar. For
// fieldValidation Strict and Warn, before the object is pruned.
std::vector<std::string> UnknownFields(const registry::Kind& kind, std::string_view version,
                                       const boost::json::object& whole);

// Follows the definitions: accepts their names, serves and withdraws their kinds, sets their conditions, deletes their
// objects before they go. One thread, asleep while nothing changes.
class Controller {
 public:
  struct Options {
    registry::Access* access = nullptr;
    cacher::Reader* definitions = nullptr;  // of customresourcedefinitions
    std::function<Result<registry::ObjectPtr>(const cacher::Entry&)> decode;
    // Into the registry and out of it. `taken`: a built-in kind has this name.
    std::function<void(registry::Kind)> add;
    std::function<void(std::string_view group, std::string_view resource)> remove;
    std::function<bool(std::string_view group, std::string_view resource)> taken;
    Clock* clock = nullptr;
    Logger log;
  };
  explicit Controller(Options options);
  ~Controller();
  // Returns once what is defined now is served. An error says why that is not so yet: it is tried again,
  // and calling Start again asks whether it has worked.
  Status Start(const Context& ctx);
  bool Synced() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Makes an APIService for every group and version that is served (local, Available) and removes its own that are not.
struct GroupVersion {
  std::string group, version;
};
Status SyncApiServices(const Context& ctx, registry::Access& access, const std::vector<GroupVersion>& served,
                       Clock& clock);

}  // namespace knarr::apiextensions
