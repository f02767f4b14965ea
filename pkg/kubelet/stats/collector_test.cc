#include "pkg/kubelet/stats/collector.h"

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"
#include "pkg/cri/fake/fake_runtime.h"

namespace knarr::kubelet::stats {
namespace {

class FakeCgroups : public CgroupManager {
 public:
  uint64_t cpu_nanos = 1'000'000'000;
  bool pod_gone = false;

  bool IsV2() const override { return true; }
  Status EnsureRoots() override { return {}; }
  Status EnsurePod(const core::Pod&) override { return {}; }
  std::string CgroupParent(const core::Pod&) const override { return "/kubepods"; }
  Status DestroyPod(const std::string&) override { return {}; }
  Result<std::set<std::string>> PodsOnDisk() const override { return std::set<std::string>(); }
  ContainerResources ResourcesFor(const core::Pod&, const core::Container&) const override { return {}; }
  Result<CgroupUsage> PodUsage(const core::Pod&) const override {
    if (pod_gone) return Error(Code::kNotFound, "gone");
    return CgroupUsage{
        .cpu_nanos = cpu_nanos, .memory_usage = 300, .memory_working_set = 200, .memory_rss = 100, .pids = 3};
  }
  Result<CgroupUsage> NodeUsage() const override {
    return CgroupUsage{
        .cpu_nanos = 10 * cpu_nanos, .memory_usage = 3000, .memory_working_set = 2000, .memory_rss = 1000, .pids = 0};
  }
};

struct Fixture {
  std::string root = "/tmp/knarr-stats-XXXXXX";
  FakeClock clock;
  cri::FakeRuntime cri{clock};
  FakeCgroups cgroups;
  std::vector<PodInput> pods;
  std::string container_id, log_dir;
  std::unique_ptr<Collector> collector;

  Fixture() {
    BOOST_REQUIRE(::mkdtemp(root.data()) != nullptr);
    collector = std::make_unique<Collector>(CollectorInputs{.node_name = "node",
                                                            .root_dir = root,
                                                            .memory_capacity = 5000,
                                                            .boot_time = clock.Now(),
                                                            .clock = clock,
                                                            .cri = cri,
                                                            .cgroups = cgroups,
                                                            .pods = [this] { return pods; }});
  }
  ~Fixture() { (void)RemoveAll(root); }

  void RunPod() {
    const Context ctx = Context::Background();
    cri.AddImage("image");
    cri::v1::PodSandboxConfig sandbox;
    sandbox.mutable_metadata()->set_name("web");
    sandbox.mutable_metadata()->set_uid("uid-1");
    sandbox.mutable_metadata()->set_namespace_("default");
    const std::string sandbox_id = cri.RunPodSandbox(ctx, sandbox).value();
    cri::v1::ContainerConfig config;
    config.mutable_metadata()->set_name("main");
    config.mutable_image()->set_image("image");
    container_id = cri.CreateContainer(ctx, sandbox_id, config, sandbox).value();
    BOOST_REQUIRE(cri.StartContainer(ctx, container_id).ok());
    SetCpu(500'000'000);

    core::Pod pod;
    pod.mutable_metadata()->set_name("web");
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_metadata()->set_uid("uid-1");
    core::Volume* const volume = pod.mutable_spec()->add_volumes();
    volume->set_name("disk");
    volume->mutable_volumesource()->mutable_emptydir();
    log_dir = root + "/logs";
    const std::string disk = root + "/pods/uid-1/volumes/kubernetes.io~empty-dir/disk";
    BOOST_REQUIRE(MakeDirs(log_dir).ok());
    BOOST_REQUIRE(MakeDirs(disk).ok());
    BOOST_REQUIRE(WriteFileAtomically(log_dir + "/0.log", std::string(8192, 'x'), 0644).ok());
    BOOST_REQUIRE(WriteFileAtomically(disk + "/file", std::string(16384, 'x'), 0644).ok());
    PodInput input;
    input.pod = std::make_shared<core::Pod>(pod);
    SandboxStatus status;
    status.id = sandbox_id;
    status.ready = true;
    input.runtime.sandboxes.push_back(status);
    ContainerStatus container;
    container.id = container_id;
    container.name = "main";
    container.state = ContainerState::kRunning;
    container.started_at = clock.Now();
    container.log_path = log_dir + "/0.log";
    input.runtime.containers.push_back(container);
    container.name = "dead";
    container.state = ContainerState::kExited;
    input.runtime.containers.push_back(container);
    pods.push_back(input);
  }
  void SetCpu(uint64_t usage) {
    cri::v1::ContainerStats stats;
    stats.mutable_attributes()->set_id(container_id);
    stats.mutable_cpu()->mutable_usage_core_nano_seconds()->set_value(usage);
    stats.mutable_memory()->mutable_working_set_bytes()->set_value(77);
    stats.mutable_writable_layer()->mutable_used_bytes()->set_value(4096);
    cri.SetStats(container_id, stats);
  }
  Summary Collect(bool only_cpu_and_memory = false) {
    Result<Summary> summary = collector->Collect(Context::Background(), only_cpu_and_memory);
    BOOST_REQUIRE_MESSAGE(summary.ok(), summary.status().message());
    return *summary;
  }
};

BOOST_FIXTURE_TEST_SUITE(stats_collector, Fixture)

BOOST_AUTO_TEST_CASE(the_node_s_memory_available_is_capacity_less_working_set) {
  const Summary summary = Collect();
  BOOST_TEST(summary.node.node_name == "node");
  BOOST_TEST(summary.node.memory->available_bytes.value() == 3000U);
  BOOST_TEST(summary.node.memory->rss_bytes.value() == 1000U);
  BOOST_TEST(summary.node.fs->capacity_bytes.value() > 0U);
  BOOST_TEST(summary.node.rlimit->max_pid.value() > 0);
  BOOST_TEST(summary.pods.empty());
}

BOOST_AUTO_TEST_CASE(rates_come_from_two_readings) {
  RunPod();
  Summary summary = Collect();
  BOOST_TEST(!summary.node.cpu->usage_nano_cores.has_value());
  BOOST_TEST(summary.pods[0].containers[0].cpu->usage_core_nano_seconds.value() == 500'000'000U);
  clock.Advance(std::chrono::seconds(2));
  SetCpu(1'500'000'000);
  cgroups.cpu_nanos += 100'000'000;
  summary = Collect();
  BOOST_TEST(summary.pods[0].containers[0].cpu->usage_nano_cores.value() == 500'000'000U);
  BOOST_TEST(summary.pods[0].cpu->usage_nano_cores.value() == 50'000'000U);
  BOOST_TEST(summary.node.cpu->usage_nano_cores.value() == 500'000'000U);
  // Two readings within a second would be noise: the last rate stays.
  clock.Advance(std::chrono::milliseconds(10));
  SetCpu(1'900'000'000);
  BOOST_TEST(Collect().pods[0].containers[0].cpu->usage_nano_cores.value() == 500'000'000U);
}

BOOST_AUTO_TEST_CASE(a_counter_that_starts_again_gives_no_rate) {
  RateCache rates;
  const WallTime start = clock.Now();
  BOOST_TEST(!rates.Rate("a", start, 100).has_value());
  BOOST_TEST(!rates.Rate("a", start + std::chrono::seconds(5), 50).has_value());
  BOOST_TEST(rates.Rate("a", start + std::chrono::seconds(10), 5'000'000'050).value() == 1'000'000'000U);
  rates.Sweep();
  rates.Sweep();
  BOOST_TEST(!rates.Rate("a", start + std::chrono::seconds(20), 9'000'000'000).has_value());
}

BOOST_AUTO_TEST_CASE(only_running_containers_count_and_the_pod_sums_its_disk) {
  RunPod();
  const Summary summary = Collect();
  BOOST_REQUIRE(summary.pods.size() == 1U);
  const Pod& pod = summary.pods[0];
  BOOST_REQUIRE(pod.containers.size() == 1U);
  BOOST_TEST(pod.containers[0].memory->working_set_bytes.value() == 77U);
  BOOST_TEST(pod.containers[0].rootfs->used_bytes.value() == 4096U);
  BOOST_TEST(pod.containers[0].logs->used_bytes.value() >= 8192U);
  BOOST_REQUIRE(pod.volumes.size() == 1U);
  BOOST_TEST(pod.volumes[0].filesystem.used_bytes.value() >= 16384U);
  BOOST_TEST(pod.volumes[0].filesystem.inodes_used.value() == 2U);
  const uint64_t sum = 4096 + *pod.containers[0].logs->used_bytes + *pod.volumes[0].filesystem.used_bytes;
  BOOST_TEST(pod.ephemeral_storage->used_bytes.value() == sum);
  BOOST_TEST(pod.process_count.value() == 3U);
}

BOOST_AUTO_TEST_CASE(disk_usage_is_counted_once_a_minute) {
  RunPod();
  const uint64_t before = Collect().pods[0].containers[0].logs->used_bytes.value();
  BOOST_REQUIRE(WriteFileAtomically(log_dir + "/1.log", std::string(100'000, 'x'), 0644).ok());
  BOOST_TEST(Collect().pods[0].containers[0].logs->used_bytes.value() == before);
  clock.Advance(std::chrono::seconds(61));
  BOOST_TEST(Collect().pods[0].containers[0].logs->used_bytes.value() > before);
}

BOOST_AUTO_TEST_CASE(cpu_and_memory_alone_touch_no_disk) {
  RunPod();
  const Summary summary = Collect(true);
  BOOST_TEST(summary.pods[0].volumes.empty());
  BOOST_TEST(!summary.pods[0].containers[0].logs.has_value());
  BOOST_TEST(!summary.node.fs.has_value());
  BOOST_TEST(summary.pods[0].memory->working_set_bytes.value() == 200U);
}

BOOST_AUTO_TEST_CASE(a_pod_without_cgroup_is_shown_without_its_sums) {
  RunPod();
  cgroups.pod_gone = true;
  const Summary summary = Collect();
  BOOST_TEST(!summary.pods[0].cpu.has_value());
  BOOST_TEST(summary.pods[0].containers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_runtime_that_does_not_answer_is_an_error) {
  cri.SetAvailable(false);
  const Result<Summary> summary = collector->Collect(Context::Background(), false);
  BOOST_TEST(summary.status().message().find("list the containers' statistics") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet::stats
