#include "pkg/kubelet/cm/pod_resources.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include "pkg/kubelet/cm/cm.h"

namespace knarr::kubelet {
namespace {

using Values = std::map<std::string, std::string>;

core::Container* Add(core::Container* container, const std::string& name, const Values& requests,
                     const Values& limits) {
  container->set_name(name);
  for (const auto& [key, value] : requests)
    (*container->mutable_resources()->mutable_requests())[key].set_string(value);
  for (const auto& [key, value] : limits) (*container->mutable_resources()->mutable_limits())[key].set_string(value);
  return container;
}

core::Pod PodWith(const Values& requests, const Values& limits) {
  core::Pod pod;
  Add(pod.mutable_spec()->add_containers(), "main", requests, limits);
  return pod;
}

BOOST_AUTO_TEST_SUITE(pod_resources)

BOOST_AUTO_TEST_CASE(a_pod_without_requests_is_best_effort) {
  BOOST_TEST(api::ToString(PodQosOf(PodWith({}, {}))) == "BestEffort");
  BOOST_TEST(api::ToString(PodQosOf(PodWith({{"cpu", "0"}}, {}))) == "BestEffort");
  BOOST_TEST(api::ToString(PodQosOf(PodWith({{"nvidia.com/gpu", "1"}}, {{"nvidia.com/gpu", "1"}}))) == "BestEffort");
}

BOOST_AUTO_TEST_CASE(equal_requests_and_limits_of_both_resources_are_guaranteed) {
  BOOST_TEST(api::ToString(PodQosOf(PodWith({{"cpu", "1"}, {"memory", "1Gi"}},
                                         {{"cpu", "1000m"}, {"memory", "1024Mi"}}))) == "Guaranteed");
  BOOST_TEST(api::ToString(PodQosOf(PodWith({{"cpu", "1"}}, {{"cpu", "1"}}))) == "Burstable");
  BOOST_TEST(api::ToString(PodQosOf(PodWith({{"cpu", "1"}, {"memory", "1Gi"}}, {{"cpu", "2"}, {"memory", "1Gi"}}))) ==
             "Burstable");
}

BOOST_AUTO_TEST_CASE(an_init_container_without_limits_makes_a_pod_burstable) {
  core::Pod pod = PodWith({{"cpu", "1"}, {"memory", "1Gi"}}, {{"cpu", "1"}, {"memory", "1Gi"}});
  Add(pod.mutable_spec()->add_initcontainers(), "init", {}, {});
  BOOST_TEST(api::ToString(PodQosOf(pod)) == "Burstable");
}

BOOST_AUTO_TEST_CASE(the_class_in_the_status_wins) {
  core::Pod pod = PodWith({}, {});
  pod.mutable_status()->set_qosclass("Guaranteed");
  BOOST_TEST(api::ToString(PodQosOf(pod)) == "Guaranteed");
}

BOOST_AUTO_TEST_CASE(requests_count_sidecars_with_the_containers_and_the_largest_init_step) {
  core::Pod pod = PodWith({{"cpu", "100m"}}, {});
  Add(pod.mutable_spec()->add_containers(), "second", {{"cpu", "200m"}}, {});
  Add(pod.mutable_spec()->add_initcontainers(), "sidecar", {{"cpu", "50m"}}, {})->set_restartpolicy("Always");
  BOOST_TEST(ComputePodResources(pod).cpu_request_milli == 350);
  Add(pod.mutable_spec()->add_initcontainers(), "big", {{"cpu", "1"}}, {});
  BOOST_TEST(ComputePodResources(pod).cpu_request_milli == 1050);
  (*pod.mutable_spec()->mutable_overhead())["cpu"].set_string("10m");
  BOOST_TEST(ComputePodResources(pod).cpu_request_milli == 1060);
}

BOOST_AUTO_TEST_CASE(shares_and_quota_are_upstream_s) {
  BOOST_TEST(MilliCpuToShares(0) == 2U);
  BOOST_TEST(MilliCpuToShares(1) == 2U);
  BOOST_TEST(MilliCpuToShares(100) == 102U);
  BOOST_TEST(MilliCpuToShares(1000) == 1024U);
  BOOST_TEST(MilliCpuToShares(256000) == 262144U);
  BOOST_TEST(MilliCpuToShares(INT64_MAX) == 262144U);
  BOOST_TEST(MilliCpuToQuota(0, 100000) == 0);
  BOOST_TEST(MilliCpuToQuota(5, 100000) == 1000);
  BOOST_TEST(MilliCpuToQuota(200, 100000) == 20000);
  BOOST_TEST(MilliCpuToQuota(1500, 100000) == 150000);
  BOOST_TEST(MilliCpuToQuota(INT64_MAX, 100000) == INT64_MAX);
}

BOOST_AUTO_TEST_CASE(a_burstable_pod_is_limited_only_if_every_container_is) {
  core::Pod pod = PodWith({{"cpu", "100m"}, {"memory", "64Mi"}}, {{"cpu", "200m"}, {"memory", "128Mi"}});
  CgroupLimits limits = PodCgroupLimits(pod, true, 100000, -1);
  BOOST_TEST(limits.cpu_shares.value() == 102U);
  BOOST_TEST(limits.cpu_quota.value() == 20000);
  BOOST_TEST(limits.memory.value() == 128 << 20);
  BOOST_TEST(!limits.pids.has_value());
  BOOST_TEST(PodCgroupLimits(pod, false, 100000, -1).cpu_quota.value() == -1);
  Add(pod.mutable_spec()->add_containers(), "free", {}, {});
  limits = PodCgroupLimits(pod, true, 100000, 64);
  BOOST_TEST(!limits.cpu_quota.has_value());
  BOOST_TEST(!limits.memory.has_value());
  BOOST_TEST(limits.pids.value() == 64);
}

constexpr uint64_t kCapacity = 4'000'000'000;

int64_t Score(const core::Pod& pod) {
  return OomScoreAdjust(pod, pod.spec().containers(0), kCapacity);
}

BOOST_AUTO_TEST_CASE(oom_scores_are_upstream_s) {
  BOOST_TEST(Score(PodWith({}, {})) == 1000);
  BOOST_TEST(Score(PodWith({{"cpu", "1"}, {"memory", "1G"}}, {{"cpu", "1"}, {"memory", "1G"}})) == -997);
  BOOST_TEST(Score(PodWith({{"memory", "1G"}}, {})) == 750);
  BOOST_TEST(Score(PodWith({{"cpu", "1"}}, {})) == 999);
  BOOST_TEST(Score(PodWith({{"memory", "4G"}}, {})) == 3);
  BOOST_TEST(Score(PodWith({{"memory", "8E"}}, {})) == 3);
}

BOOST_AUTO_TEST_CASE(node_critical_static_pods_are_killed_last) {
  core::Pod pod = PodWith({}, {});
  pod.mutable_spec()->set_priorityclassname("system-node-critical");
  BOOST_TEST(Score(pod) == 1000);
  (*pod.mutable_metadata()->mutable_annotations())["kubernetes.io/config.source"] = "api";
  BOOST_TEST(Score(pod) == 1000);
  (*pod.mutable_metadata()->mutable_annotations())["kubernetes.io/config.source"] = "file";
  BOOST_TEST(Score(pod) == -997);
}

BOOST_AUTO_TEST_CASE(a_sidecar_scores_no_higher_than_the_containers) {
  core::Pod pod = PodWith({{"memory", "1G"}}, {});
  const core::Container& sidecar = *Add(pod.mutable_spec()->add_initcontainers(), "sidecar", {{"memory", "4M"}}, {});
  BOOST_TEST(OomScoreAdjust(pod, sidecar, kCapacity) == 999);
  pod.mutable_spec()->mutable_initcontainers(0)->set_restartpolicy("Always");
  BOOST_TEST(OomScoreAdjust(pod, sidecar, kCapacity) == 750);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
