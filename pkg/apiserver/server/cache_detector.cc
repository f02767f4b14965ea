#include "pkg/apiserver/server/cache_detector.h"

#include "pkg/base/metrics/metrics.h"

namespace knarr::apiserver {
namespace {

metrics::Family<metrics::Counter>& Inconsistencies() {
  return metrics::Registry::Default().AddCounters("knarr_watch_cache_inconsistencies_total",
                                                  "Keys of which a watch cache and the store had different states.",
                                                  {"resource"});
}

}  // namespace

CacheDetector::CacheDetector(registry::Registry& registry, storage::Store& store, Logger log)
    : registry_(registry), store_(store), log_(std::move(log)) {
  Inconsistencies();  // zero is worth printing
}

void CacheDetector::Start(std::chrono::seconds interval) {
  threads_.Go("cache-detector", [this, interval](std::stop_token stop) {
    const Context ctx = Context::Background().WithStop(stop).WithLogger(log_);
    while (ctx.Sleep(interval).ok()) Round(ctx);
  });
}

int64_t CacheDetector::Round(const Context& ctx) {
  int64_t total = 0;
  for (const registry::ResourcePtr& resource : registry_.All()) {
    if (!resource->HasReader()) continue;
    cacher::Reader& reader = resource->reader();
    const std::string name = resource->kind().GroupResource();
    const uint64_t generation = reader.Generation();
    if (const auto last = compared_.find(name); last != compared_.end() && last->second == generation) continue;
    const auto differing = cacher::CompareWithStore(ctx, reader, store_, resource->Prefix(""));
    if (!differing.ok()) continue;  // the store is away; next time
    compared_[name] = generation;
    if (*differing == 0) continue;
    total += *differing;
    Inconsistencies().With({name}).Inc(static_cast<double>(*differing));
    log_.Error(Error(Code::kInternal, "{} keys differ", *differing), "A watch cache differs from the store",
               {{"resource", name}});
  }
  return total;
}

}  // namespace knarr::apiserver
