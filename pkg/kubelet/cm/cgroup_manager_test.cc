#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "pkg/kubelet/cm/fake_cgroupfs_test.h"

namespace knarr::kubelet {
namespace {

using testing::FakeCgroupFiles;
using testing::TempDir;

struct Fixture {
  TempDir dir;
  std::shared_ptr<FakeCgroupFiles> files = std::make_shared<FakeCgroupFiles>();

  void MakeV1() {
    const std::map<std::string, std::map<std::string, std::string>> controllers{
        {"cpu,cpuacct",
         {{"cpu.shares", "1024\n"},
          {"cpu.cfs_quota_us", "-1\n"},
          {"cpu.cfs_period_us", "100000\n"},
          {"cpuacct.usage", "5000\n"}}},
        {"cpuset", {{"cpuset.cpus", "\n"}, {"cpuset.mems", "\n"}}},
        {"memory",
         {{"memory.limit_in_bytes", "9223372036854771712\n"},
          {"memory.usage_in_bytes", "3000\n"},
          {"memory.stat", "cache 5\ninactive_file 1\ntotal_rss 700\ntotal_inactive_file 1000\n"}}},
        {"pids", {{"pids.max", "max\n"}, {"pids.current", "4\n"}}},
        {"freezer", {{"freezer.state", "THAWED\n"}}},
        {"systemd", {}},
    };
    for (const auto& [name, content] : controllers) {
      const std::string root = JoinPath(dir.path(), name);
      files->templates[root] = content;
      files->templates[root]["cgroup.procs"] = "";
      BOOST_REQUIRE(files->MakeDir(root).ok());
    }
    FakeCgroupFiles::Put(dir.path() + "/cpuset/cpuset.cpus", "0-1\n");
    FakeCgroupFiles::Put(dir.path() + "/cpuset/cpuset.mems", "0\n");
    BOOST_REQUIRE(::symlink("cpu,cpuacct", (dir.path() + "/cpu").c_str()) == 0);
    BOOST_REQUIRE(::mkdir((dir.path() + "/unified").c_str(), 0755) == 0);
    FakeCgroupFiles::Put(dir.path() + "/unified/cgroup.procs", "");
    FakeCgroupFiles::Put(dir.path() + "/unified/cgroup.controllers", "");
  }
  void MakeV2() {
    files->templates[dir.path()] = {{"cgroup.controllers", "cpuset cpu io memory pids\n"},
                                    {"cgroup.subtree_control", "\n"},
                                    {"cgroup.procs", ""},
                                    {"cgroup.freeze", "0\n"},
                                    {"cpu.weight", "100\n"},
                                    {"cpu.max", "max 100000\n"},
                                    {"memory.max", "max\n"},
                                    {"pids.max", "max\n"},
                                    {"cpu.stat", "usage_usec 77\nuser_usec 1\n"},
                                    {"memory.current", "900\n"},
                                    {"memory.stat", "anon 300\nfile 500\ninactive_file 200\n"},
                                    {"pids.current", "2\n"}};
    files->Populate(dir.path());
  }
  std::unique_ptr<CgroupManager> Manager() {
    CgroupManagerOptions options;
    options.mount_point = dir.path();
    options.memory_capacity = 1 << 30;
    options.pod_pids_limit = 128;
    options.pods_milli_cpu = 1500;
    options.pods_memory = 1 << 29;
    Result<std::unique_ptr<CgroupManager>> manager = CreateCgroupManager(options, files);
    BOOST_REQUIRE_MESSAGE(manager.ok(), manager.status().message());
    return std::move(*manager);
  }
  std::string Read(const std::string& path) {
    std::string text = ReadFile(dir.path() + path).value_or("(missing)");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
};

core::Pod Burstable(const std::string& uid, const std::string& cpu) {
  core::Pod pod;
  pod.mutable_metadata()->set_uid(uid);
  auto& resources = *pod.mutable_spec()->add_containers()->mutable_resources();
  (*resources.mutable_requests())["cpu"].set_string(cpu);
  (*resources.mutable_limits())["cpu"].set_string("1");
  (*resources.mutable_limits())["memory"].set_string("64Mi");
  return pod;
}

core::Pod BestEffort(const std::string& uid) {
  core::Pod pod;
  pod.mutable_metadata()->set_uid(uid);
  pod.mutable_spec()->add_containers();
  return pod;
}

BOOST_FIXTURE_TEST_SUITE(cgroup_manager, Fixture)

BOOST_AUTO_TEST_CASE(v1_roots_exist_in_every_hierarchy_with_the_classes_shares) {
  MakeV1();
  const auto manager = Manager();
  BOOST_TEST(!manager->IsV2());
  BOOST_REQUIRE(manager->EnsureRoots().ok());
  BOOST_TEST(Read("/cpu/kubepods/cpu.shares") == "1536");
  BOOST_TEST(Read("/memory/kubepods/memory.limit_in_bytes") == "536870912");
  BOOST_TEST(Read("/cpu/kubepods/besteffort/cpu.shares") == "2");
  BOOST_TEST(Read("/cpu/kubepods/burstable/cpu.shares") == "2");
  BOOST_TEST(Read("/cpuset/kubepods/burstable/cpuset.cpus") == "0-1");
  BOOST_TEST(Read("/cpuset/kubepods/burstable/cpuset.mems") == "0");
  BOOST_TEST(PathExists(dir.path() + "/systemd/kubepods/besteffort"));
  BOOST_TEST(!PathExists(dir.path() + "/unified/kubepods"));
}

BOOST_AUTO_TEST_CASE(v1_pod_gets_its_limits_and_the_class_the_sum_of_requests) {
  MakeV1();
  const auto manager = Manager();
  BOOST_REQUIRE(manager->EnsureRoots().ok());
  const core::Pod a = Burstable("a", "100m"), b = Burstable("b", "500m");
  BOOST_REQUIRE(manager->EnsurePod(a).ok());
  BOOST_REQUIRE(manager->EnsurePod(b).ok());
  BOOST_REQUIRE(manager->EnsurePod(b).ok());
  BOOST_TEST(manager->CgroupParent(a) == "/kubepods/burstable/poda");
  BOOST_TEST(Read("/cpu/kubepods/burstable/poda/cpu.shares") == "102");
  BOOST_TEST(Read("/cpu/kubepods/burstable/poda/cpu.cfs_quota_us") == "100000");
  BOOST_TEST(Read("/memory/kubepods/burstable/poda/memory.limit_in_bytes") == "67108864");
  BOOST_TEST(Read("/pids/kubepods/burstable/poda/pids.max") == "128");
  BOOST_TEST(Read("/cpu/kubepods/burstable/cpu.shares") == "614");
  BOOST_REQUIRE(manager->DestroyPod("b").ok());
  BOOST_TEST(Read("/cpu/kubepods/burstable/cpu.shares") == "102");
  BOOST_TEST(!PathExists(dir.path() + "/memory/kubepods/burstable/podb"));
}

BOOST_AUTO_TEST_CASE(v1_usage_subtracts_the_inactive_page_cache) {
  MakeV1();
  const auto manager = Manager();
  const core::Pod pod = BestEffort("u");
  BOOST_REQUIRE(manager->EnsurePod(pod).ok());
  const Result<CgroupUsage> usage = manager->PodUsage(pod);
  BOOST_REQUIRE(usage.ok());
  BOOST_TEST(usage->cpu_nanos == 5000U);
  BOOST_TEST(usage->memory_usage == 3000U);
  BOOST_TEST(usage->memory_working_set == 2000U);
  BOOST_TEST(usage->memory_rss == 700U);
  BOOST_TEST(usage->pids == 4U);
}

BOOST_AUTO_TEST_CASE(destroy_kills_leftovers_frozen_and_removes_children_first) {
  MakeV1();
  const auto manager = Manager();
  BOOST_REQUIRE(manager->EnsurePod(BestEffort("x")).ok());
  const std::string child = dir.path() + "/memory/kubepods/besteffort/podx/container";
  BOOST_REQUIRE(files->MakeDir(child).ok());
  FakeCgroupFiles::Put(child + "/cgroup.procs", "0\n1\n4711\n4712\n");
  files->on_kill = [&](int) { FakeCgroupFiles::Put(child + "/cgroup.procs", ""); };
  files->log.clear();
  BOOST_REQUIRE(manager->DestroyPod("x").ok());
  const std::string freezer = "write " + dir.path() + "/freezer/kubepods/besteffort/podx/freezer.state ";
  const std::vector<std::string> expected{freezer + "FROZEN", "kill 4711", "kill 4712", freezer + "THAWED"};
  BOOST_TEST(files->log == expected, boost::test_tools::per_element());
  BOOST_TEST(manager->PodsOnDisk()->empty());
}

BOOST_AUTO_TEST_CASE(destroy_waits_out_a_busy_group_and_reports_other_errors_at_once) {
  MakeV1();
  const auto manager = Manager();
  BOOST_REQUIRE(manager->EnsurePod(BestEffort("x")).ok());
  int busy = 3;
  files->on_remove = [&](const std::string&) { return busy-- > 0 ? ErrnoError(EBUSY, "remove") : Status(); };
  BOOST_TEST(manager->DestroyPod("x").ok());
  BOOST_REQUIRE(manager->EnsurePod(BestEffort("x")).ok());
  files->on_remove = [&](const std::string& path) { return ErrnoError(EPERM, "remove cgroup {}", path); };
  const Status status = manager->DestroyPod("x");
  BOOST_TEST(status.message().find("failed to delete cgroup paths of pod x") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unknown_pods_are_destroyed_and_hostile_uids_refused) {
  MakeV1();
  const auto manager = Manager();
  BOOST_TEST(manager->DestroyPod("never-seen").ok());
  BOOST_TEST(!manager->DestroyPod("../../cpu").ok());
  BOOST_TEST(!manager->DestroyPod("").ok());
  BOOST_TEST(!manager->EnsurePod(BestEffort("a/b")).ok());
}

BOOST_AUTO_TEST_CASE(pods_on_disk_are_the_union_over_classes_and_hierarchies) {
  MakeV1();
  const auto manager = Manager();
  BOOST_REQUIRE(manager->EnsurePod(BestEffort("one")).ok());
  BOOST_REQUIRE(manager->EnsurePod(Burstable("two", "1m")).ok());
  BOOST_REQUIRE(files->MakeDir(dir.path() + "/pids/kubepods/podthree").ok());  // half removed
  const std::set<std::string> expected{"one", "two", "three"};
  BOOST_TEST(manager->PodsOnDisk().value() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(v2_hands_controllers_down_and_converts_the_values) {
  MakeV2();
  const auto manager = Manager();
  BOOST_TEST(manager->IsV2());
  BOOST_REQUIRE(manager->EnsureRoots().ok());
  BOOST_REQUIRE(manager->EnsurePod(Burstable("a", "1")).ok());
  BOOST_TEST(Read("/cgroup.subtree_control") == "+cpu +memory +pids +cpuset +io");
  BOOST_TEST(Read("/kubepods/burstable/poda/cgroup.subtree_control") == "+cpu +memory +pids +cpuset +io");
  BOOST_TEST(Read("/kubepods/burstable/poda/cpu.weight") == "39");
  BOOST_TEST(Read("/kubepods/burstable/poda/cpu.max") == "100000 100000");
  BOOST_TEST(Read("/kubepods/burstable/poda/memory.max") == "67108864");
  BOOST_TEST(Read("/kubepods/besteffort/cpu.weight") == "1");
  const Result<CgroupUsage> usage = manager->PodUsage(Burstable("a", "1"));
  BOOST_REQUIRE(usage.ok());
  BOOST_TEST(usage->cpu_nanos == 77000U);
  BOOST_TEST(usage->memory_working_set == 700U);
  BOOST_TEST(usage->memory_rss == 300U);
}

BOOST_AUTO_TEST_CASE(v2_without_a_controller_is_refused_by_name) {
  MakeV2();
  FakeCgroupFiles::Put(dir.path() + "/cgroup.controllers", "cpuset cpu io\n");
  CgroupManagerOptions options;
  options.mount_point = dir.path();
  const auto manager = CreateCgroupManager(options, files);
  BOOST_TEST(manager.status().message().find("lacks the controllers memory pids") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_empty_mount_point_is_refused_by_name) {
  CgroupManagerOptions options;
  options.mount_point = dir.path();
  const auto manager = CreateCgroupManager(options, files);
  BOOST_TEST(manager.status().message().find("lacks the hierarchies cpu cpuacct cpuset memory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(container_resources_follow_requests_limits_and_the_cgroup_version) {
  MakeV2();
  const auto manager = Manager();
  core::Pod pod = Burstable("r", "250m");
  ContainerResources resources = manager->ResourcesFor(pod, pod.spec().containers(0));
  BOOST_TEST(resources.cpu_shares == 256);
  BOOST_TEST(resources.cpu_quota == 100000);
  BOOST_TEST(resources.cpu_period == 100000);
  BOOST_TEST(resources.memory_limit_bytes == 64 << 20);
  BOOST_TEST(resources.oom_score_adj == 999);
  BOOST_TEST(resources.unified.at("memory.oom.group") == "1");
  pod.mutable_spec()->mutable_containers(0)->mutable_resources()->clear_requests();
  resources = manager->ResourcesFor(pod, pod.spec().containers(0));
  BOOST_TEST(resources.cpu_shares == 1024);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
