// Compares watch caches with the store from time to time and counts what differs.
//
// The metric knarr_watch_cache_inconsistencies_total must stay zero: anything else is a bug, and is logged as one.
// Only resources that changed since their last comparison are read, so an idle server reads nothing.
// Mirrors: staging/src/k8s.io/apiserver/pkg/storage/cacher/compare.go
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/pool.h"

namespace knarr::apiserver {

class CacheDetector {
 public:
  CacheDetector(registry::Registry& registry, storage::Store& store, Logger log);
  // Every `interval`, on a thread of its own, until destroyed.
  void Start(std::chrono::seconds interval);
  // One round: keys that differ, over all resources. Resources that nobody asked about have no cache and are left out.
  int64_t Round(const Context& ctx);

 private:
  registry::Registry& registry_;
  storage::Store& store_;
  const Logger log_;
  std::map<std::string, uint64_t> compared_;  // generation by resource
  TaskGroup threads_;
};

}  // namespace knarr::apiserver
