#include "pkg/apiserver/apiextensions/install.h"

#include <fmt/format.h>

namespace knarr::apiextensions {

CustomResources::CustomResources(registry::Registry& registry, Clock& clock, Logger log)
    : registry_(registry), clock_(clock), log_(std::move(log)) {}

CustomResources::~CustomResources() = default;

Status CustomResources::Start(const Context& ctx) {
  definitions_ = registry_.Find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  KNARR_CHECK(definitions_ != nullptr);
  Controller::Options options;
  options.access = &registry_;
  options.definitions = &definitions_->reader();
  options.decode = [this](const cacher::Entry& entry) { return definitions_->Decode(entry); };
  options.add = [this](registry::Kind kind) {
    {
      std::lock_guard lock(mutex_);
      own_.insert(kind.GroupResource());
    }
    registry_.Add(std::move(kind));
  };
  options.remove = [this](std::string_view group, std::string_view resource) {
    registry_.Remove(group, resource);
    std::lock_guard lock(mutex_);
    own_.erase(fmt::format("{}.{}", resource, group));
  };
  options.taken = [this](std::string_view group, std::string_view resource) { return Taken(group, resource); };
  options.after = [this](const Context& after) { return SyncServices(after); };
  options.clock = &clock_;
  options.log = log_;
  controller_ = std::make_unique<Controller>(std::move(options));
  return controller_->Start(ctx);
}

bool CustomResources::Synced() const {
  return controller_ && controller_->Synced();
}

bool CustomResources::Taken(std::string_view group, std::string_view resource) {
  std::lock_guard lock(mutex_);
  return !own_.contains(fmt::format("{}.{}", resource, group)) && registry_.Find(group, "", resource) != nullptr;
}

Status CustomResources::SyncServices(const Context& ctx) {
  const uint64_t generation = registry_.Generation();
  if (generation == services_of_) return {};
  std::vector<GroupVersion> served;
  for (const registry::ResourcePtr& resource : registry_.All()) {
    const registry::Kind& kind = resource->kind();
    for (const registry::ServedVersion& version : kind.versions) served.push_back({kind.group, version.version});
  }
  KNARR_TRY_CTX(SyncApiServices(ctx, registry_, served, clock_), "APIServices");
  services_of_ = generation;
  return {};
}

}  // namespace knarr::apiextensions
