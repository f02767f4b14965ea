#include "pkg/kubelet/cm/pod_resources.h"

#include <algorithm>
#include <string>

#include "pkg/api/resource/quantity.h"
#include "pkg/kubelet/cm/cm.h"

namespace knarr::kubelet {

namespace {

constexpr int32_t kSystemCriticalPriority = 2'000'000'000;
constexpr uint64_t kMinShares = 2, kMaxShares = 262'144, kSharesPerCpu = 1024;
constexpr int64_t kMinQuotaUs = 1000;
constexpr int64_t kGuaranteedOomScoreAdj = -997, kBestEffortOomScoreAdj = 1000;

bool IsSidecar(const core::Container& init_container) {
  return init_container.restartpolicy() == "Always";
}

bool IsStaticPod(const core::Pod& pod) {
  const auto source = pod.metadata().annotations().find("kubernetes.io/config.source");
  return source != pod.metadata().annotations().end() && source->second != "api";
}

using ResourceMap = google::protobuf::Map<std::string, resource_pb::Quantity>;

Quantity Find(const ResourceMap& resources, const std::string& name) {
  const auto found = resources.find(name);
  return found == resources.end() ? Quantity() : Quantity::From(found->second);
}

// The maximum of what runs at one time: each init container beside the sidecars before it, then all containers
// beside all sidecars.
template <typename Get>
Quantity PeakOf(const core::PodSpec& spec, const std::string& resource, const Get& get) {
  Quantity running, sidecars, init_peak;
  for (const core::Container& container : spec.containers())
    running = running + Find(get(container.resources()), resource);
  for (const core::Container& container : spec.initcontainers()) {
    const Quantity own = Find(get(container.resources()), resource);
    if (IsSidecar(container)) sidecars = sidecars + own;
    init_peak = std::max(init_peak, IsSidecar(container) ? sidecars : sidecars + own);
  }
  return std::max(running + sidecars, init_peak);
}

template <typename Fn>
void ForEachContainer(const core::PodSpec& spec, const Fn& fn) {
  for (const core::Container& container : spec.containers()) fn(container);
  for (const core::Container& container : spec.initcontainers()) fn(container);
}

}  // namespace

PodQos PodQosOf(const core::Pod& pod) {
  for (const PodQos qos : {PodQos::kGuaranteed, PodQos::kBurstable, PodQos::kBestEffort}) {
    if (pod.status().qosclass() == api::ToString(qos)) return qos;
  }
  return api::ComputeQosClass(pod);
}

PodResources ComputePodResources(const core::Pod& pod) {
  const core::PodSpec& spec = pod.spec();
  const auto requests = [](const core::ResourceRequirements& r) -> const ResourceMap& { return r.requests(); };
  const auto limits = [](const core::ResourceRequirements& r) -> const ResourceMap& { return r.limits(); };
  const Quantity cpu_overhead = Find(spec.overhead(), "cpu"), memory_overhead = Find(spec.overhead(), "memory");
  // Overhead raises a limit only where there is one.
  const auto limit_with = [](const Quantity& limit, const Quantity& overhead) {
    return limit.IsZero() ? limit : limit + overhead;
  };

  PodResources out;
  out.cpu_request_milli = (PeakOf(spec, "cpu", requests) + cpu_overhead).MilliValue();
  out.cpu_limit_milli = limit_with(PeakOf(spec, "cpu", limits), cpu_overhead).MilliValue();
  out.memory_request = (PeakOf(spec, "memory", requests) + memory_overhead).Value();
  out.memory_limit = limit_with(PeakOf(spec, "memory", limits), memory_overhead).Value();
  out.all_have_cpu_limit = out.all_have_memory_limit = true;
  ForEachContainer(spec, [&](const core::Container& container) {
    if (Find(container.resources().limits(), "cpu").IsZero()) out.all_have_cpu_limit = false;
    if (Find(container.resources().limits(), "memory").IsZero()) out.all_have_memory_limit = false;
  });
  return out;
}

CgroupLimits PodCgroupLimits(const core::Pod& pod, bool enforce_cpu_quota, uint64_t period_us, int64_t pids_limit) {
  const PodResources resources = ComputePodResources(pod);
  CgroupLimits limits;
  if (pids_limit > 0) limits.pids = pids_limit;
  const PodQos qos = PodQosOf(pod);
  if (qos == PodQos::kBestEffort) {
    limits.cpu_shares = kMinShares;
    return limits;
  }
  limits.cpu_shares = MilliCpuToShares(resources.cpu_request_milli);
  limits.cpu_period = period_us;
  if (qos == PodQos::kGuaranteed || resources.all_have_cpu_limit) {
    limits.cpu_quota = enforce_cpu_quota ? MilliCpuToQuota(resources.cpu_limit_milli, period_us) : -1;
  }
  if (qos == PodQos::kGuaranteed || resources.all_have_memory_limit) limits.memory = resources.memory_limit;
  return limits;
}

bool IsCriticalPod(const core::Pod& pod) {
  return IsStaticPod(pod) || pod.metadata().annotations().contains("kubernetes.io/config.mirror") ||
         (pod.spec().has_priority() && pod.spec().priority() >= kSystemCriticalPriority);
}

bool IsNodeCriticalPod(const core::Pod& pod) {
  return IsCriticalPod(pod) && pod.spec().priorityclassname() == "system-node-critical";
}

uint64_t MilliCpuToShares(int64_t milli_cpu) {
  if (milli_cpu <= 0) return kMinShares;
  if (static_cast<uint64_t>(milli_cpu) > kMaxShares * 1000 / kSharesPerCpu) return kMaxShares;
  return std::clamp(static_cast<uint64_t>(milli_cpu) * kSharesPerCpu / 1000, kMinShares, kMaxShares);
}

int64_t MilliCpuToQuota(int64_t milli_cpu, uint64_t period_us) {
  if (milli_cpu <= 0) return 0;
  const __int128 quota = static_cast<__int128>(milli_cpu) * static_cast<__int128>(period_us) / 1000;
  constexpr __int128 kMax = INT64_MAX;
  return static_cast<int64_t>(std::clamp<__int128>(quota, kMinQuotaUs, kMax));
}

namespace {

int64_t ScoreFor(int64_t memory_request, uint64_t memory_capacity) {
  const __int128 share = static_cast<__int128>(memory_request) * 1000 / static_cast<__int128>(memory_capacity);
  return 1000 - static_cast<int64_t>(std::min<__int128>(share, 1000));
}

int64_t MemoryRequest(const core::Container& container) {
  return Find(container.resources().requests(), "memory").Value();
}

bool IsSidecarOf(const core::Pod& pod, const core::Container& container) {
  return std::any_of(pod.spec().initcontainers().begin(), pod.spec().initcontainers().end(),
                     [&](const core::Container& init) { return init.name() == container.name() && IsSidecar(init); });
}

}  // namespace

int64_t OomScoreAdjust(const core::Pod& pod, const core::Container& container, uint64_t memory_capacity) {
  if (IsNodeCriticalPod(pod)) return kGuaranteedOomScoreAdj;
  switch (PodQosOf(pod)) {
    case PodQos::kGuaranteed: return kGuaranteedOomScoreAdj;
    case PodQos::kBestEffort: return kBestEffortOomScoreAdj;
    case PodQos::kBurstable: break;
  }
  if (memory_capacity == 0) return kBestEffortOomScoreAdj - 1;
  int64_t score = ScoreFor(MemoryRequest(container), memory_capacity);
  // A sidecar must not be killed before the containers that need it.
  if (IsSidecarOf(pod, container) && pod.spec().containers_size() > 0) {
    int64_t least = INT64_MAX;
    for (const core::Container& main : pod.spec().containers()) least = std::min(least, MemoryRequest(main));
    score = std::min(score, ScoreFor(least, memory_capacity));
  }
  return std::clamp<int64_t>(score, 1000 + kGuaranteedOomScoreAdj, kBestEffortOomScoreAdj - 1);
}

}  // namespace knarr::kubelet
