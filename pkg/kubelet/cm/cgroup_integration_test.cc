// The manager on the machine's own cgroup tree, below a private --cgroup-root that goes away afterwards. Needs root.
#include <boost/test/unit_test.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/file.h"
#include "pkg/kubelet/cm/cgroup_fs.h"
#include "pkg/kubelet/cm/cm.h"

namespace knarr::kubelet {
namespace {

struct RealTree {
  std::string root = fmt::format("/knarr-test-{}", ::getpid());
  std::unique_ptr<CgroupFs> fs;
  std::unique_ptr<CgroupManager> manager;

  RealTree() {
    Result<std::unique_ptr<CgroupFs>> detected = CgroupFs::Detect("/sys/fs/cgroup", std::make_shared<CgroupFiles>());
    BOOST_REQUIRE_MESSAGE(detected.ok(), detected.status().message());
    fs = std::move(*detected);
    CgroupManagerOptions options;
    options.cgroup_root = root;
    options.pod_pids_limit = 64;
    manager = CgroupManager::Create(options).value();
    const Status status = manager->EnsureRoots();
    BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
  }
  ~RealTree() { BOOST_CHECK(fs->Destroy(root, std::chrono::steady_clock::now() + std::chrono::seconds(5)).ok()); }
};

core::Pod TestPod() {
  core::Pod pod;
  pod.mutable_metadata()->set_uid("0123456789abcdef");
  auto& resources = *pod.mutable_spec()->add_containers()->mutable_resources();
  (*resources.mutable_requests())["cpu"].set_string("100m");
  (*resources.mutable_limits())["cpu"].set_string("500m");
  (*resources.mutable_limits())["memory"].set_string("64Mi");
  return pod;
}

BOOST_FIXTURE_TEST_SUITE(cgroup_integration, RealTree)

BOOST_AUTO_TEST_CASE(the_kernel_takes_every_value_and_a_second_pass_changes_nothing) {
  const core::Pod pod = TestPod();
  for (int pass = 0; pass < 2; ++pass) {
    const Status status = manager->EnsurePod(pod);
    BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
  }
  const auto limit = [&](std::string_view v1, std::string_view v2) {
    for (const std::string& directory : fs->Directories(manager->CgroupParent(pod))) {
      const Result<std::string> text = ReadFile(JoinPath(directory, manager->IsV2() ? v2 : v1));
      if (text.ok()) return *text;
    }
    return std::string("(missing)");
  };
  BOOST_TEST(limit("memory.limit_in_bytes", "memory.max") == "67108864\n");
  BOOST_TEST(limit("pids.max", "pids.max") == "64\n");
  BOOST_TEST(manager->PodsOnDisk()->contains("0123456789abcdef"));
  BOOST_TEST(manager->PodUsage(pod).ok());
  BOOST_TEST(manager->NodeUsage()->memory_usage > 0U);
}

BOOST_AUTO_TEST_CASE(destroy_kills_a_process_tree_that_ignores_sigterm) {
  const core::Pod pod = TestPod();
  BOOST_REQUIRE(manager->EnsurePod(pod).ok());
  const std::string child = manager->CgroupParent(pod) + "/container";
  BOOST_REQUIRE(fs->Create(child).ok());
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGTERM, SIG_IGN);
    ::pause();
    ::_exit(0);
  }
  for (const std::string& directory : fs->Directories(child)) {
    const Status status = WriteKernelFile(JoinPath(directory, "cgroup.procs"), std::to_string(pid));
    BOOST_TEST(status.ok(), status.message());
  }
  const Status status = manager->DestroyPod("0123456789abcdef");
  BOOST_TEST(status.ok(), status.message());
  int how = 0;
  BOOST_TEST(::waitpid(pid, &how, 0) == pid);
  BOOST_TEST(WIFSIGNALED(how));
  BOOST_TEST(WTERMSIG(how) == SIGKILL);
  BOOST_TEST(!manager->PodsOnDisk()->contains("0123456789abcdef"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
