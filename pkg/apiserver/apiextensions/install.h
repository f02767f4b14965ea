// Custom resources in a registry: what a server adds to have them. The kinds of Kinds() are added by whoever adds the
// other built-in ones.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "pkg/apiserver/apiextensions/apiextensions.h"
#include "pkg/apiserver/registry/registry.h"

namespace knarr::apiextensions {

class CustomResources {
 public:
  // All outlive it.
  CustomResources(registry::Registry& registry, Clock& clock, Logger log);
  ~CustomResources();
  // Serves what is defined and keeps an APIService for everything that is served; then follows changes. An error says
  // why that is not so yet: it is tried again.
  Status Start(const Context& ctx);
  // For /readyz: crd-informer-synced.
  bool Synced() const;

 private:
  bool Taken(std::string_view group, std::string_view resource);
  Status SyncServices(const Context& ctx);

  registry::Registry& registry_;
  Clock& clock_;
  const Logger log_;
  std::mutex mutex_;
  std::set<std::string> own_;  // "widgets.example.com"
  uint64_t services_of_ = 0;   // the registry's generation
  registry::ResourcePtr definitions_;
  std::unique_ptr<Controller> controller_;
};

}  // namespace knarr::apiextensions
