// The runtime manager on real containerd: what a pod's containers see, restarts, stops, crashes of either side.
// Pods use the host's network, so no CNI is needed.
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "ci/integration/lib/containerd.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/container_config.h"
#include "pkg/kubelet/kuberuntime/sandbox_config.h"
#include "pkg/kubelet/kuberuntime/test_fakes.h"
#include "pkg/kubelet/kuberuntime/test_pods.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;
using testing::Containerd;

std::unique_ptr<Containerd> shared;

void StartShared(Containerd::Version version) {
  auto started = Containerd::Start({.version = version});
  BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
  shared = std::move(*started);
}
void Start16() { StartShared(Containerd::Version::k1_6); }
void Start17() { StartShared(Containerd::Version::k1_7); }
void StopShared() { shared.reset(); }

// A kubelet's worth of neighbours around the real runtime, and one pod of the given spec.
struct Node {
  explicit Node(const std::string& spec) {
    static int count = 0;  // pods of one process never share a UID
    pod = MakePod("hostNetwork: true\n" + spec);
    pod.mutable_metadata()->set_uid(fmt::format("uid-{}-{}", getpid(), ++count));
    options.root_dir = shared->dir() + "/kubelet";
    options.pod_logs_dir = shared->log_directory();
    options.legacy_logs_dir = shared->dir() + "/links";
    options.host_ips = {"192.0.2.1"};
    cgroups.root = shared->cgroup_parent();
    Restart();
  }
  ~Node() {
    const auto status = manager->GetPodStatus(ctx, pod.metadata().uid(), pod.metadata().name(), "default");
    BOOST_CHECK_MESSAGE(status.ok(), status.status().message());
    if (!status.ok()) return;
    const knarr::Status killed = manager->KillPod(ctx, &pod, *status, {.grace_period_seconds = 0, .reason = {}});
    BOOST_CHECK_MESSAGE(killed.ok(), killed.message());
    for (const auto& s : status->sandboxes) BOOST_CHECK(shared->runtime().RemovePodSandbox(ctx, s.id).ok());
  }
  void Restart() {
    manager = RuntimeManager::Create(options, {.cri = shared->runtime(),
                                               .clock = Clock::Real(),
                                               .events = events,
                                               .volumes = volumes,
                                               .cgroups = cgroups,
                                               .objects = objects,
                                               .probes = probes,
                                               .network_settings = {},
                                               .hosts_file = {},
                                               .log = {}});
  }
  RuntimePodStatus Status() {
    auto status = manager->GetPodStatus(ctx, pod.metadata().uid(), pod.metadata().name(), "default");
    BOOST_REQUIRE_MESSAGE(status.ok(), status.status().message());
    return *std::move(status);
  }
  SyncResult Sync() {
    SyncResult result = manager->SyncPod(ctx, pod, Status());
    BOOST_TEST(result.error.ok(), result.error.message());
    return result;
  }
  // The status once the newest container of that name has that state and at least that attempt.
  ContainerStatus Await(const std::string& name, ContainerState state, int attempt = 0) {
    for (int i = 0; i < 400; ++i) {
      const RuntimePodStatus status = Status();
      const ContainerStatus* c = status.Find(name);
      if (c && c->state == state && c->restart_count >= attempt) return *c;
      std::this_thread::sleep_for(25ms);
    }
    BOOST_FAIL("container " << name << " did not get there");
    return {};
  }

  core::Pod pod;
  Context ctx;
  RuntimeManagerOptions options;
  EventStore events{Clock::Real(), Logger()};
  FakeVolumes volumes;
  FakeCgroups cgroups;
  FakeObjects objects;
  FakeProbes probes;
  std::unique_ptr<RuntimeManager> manager;
};

std::string Spec(const std::string& script, const std::string& more = "", const std::string& pod = "") {
  return fmt::format("{}containers: [{{name: app, image: 'knarr.dev/test/busybox:1', command: [sh, -c, \"{}\"]{}{}}}]\n", pod, script,
                     more.empty() ? "" : ", ", more);
}

void ContainersSeeWhatTheirSpecSays() {
  Node node(Spec("(id -u; id -g; echo $X; pwd; grep NoNewPrivs /proc/self/status; touch /x 2>&1) > /dev/termination-log; exit 3",
                 "env: [{name: X, value: 'a-$(Y)-$$(Z)'}], workingDir: /tmp, securityContext: {runAsUser: 1000, runAsGroup: 2000,"
                 " readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}"));
  node.Sync();
  const ContainerStatus app = node.Await("app", ContainerState::kExited);
  BOOST_TEST(app.exit_code == 3);
  BOOST_TEST(app.reason == "Error");
  BOOST_TEST(app.message.starts_with("1000\n2000\na-$(Y)-$(Z)\n/tmp\nNoNewPrivs:\t1\n"), app.message);
  BOOST_TEST(app.message.find("Read-only file system") != std::string::npos, app.message);
  BOOST_TEST(app.image.find("busybox") != std::string::npos);
  BOOST_TEST(app.log_path == node.manager->ContainerLogPath(node.pod, "app", 0));
}

void TheLogStandsInForAMissingMessage() {
  Node node(Spec("echo last words; exit 1", "terminationMessagePolicy: FallbackToLogsOnError"));
  node.Sync();
  node.Await("app", ContainerState::kExited);
  std::this_thread::sleep_for(200ms);  // containerd writes the log after the exit
  BOOST_TEST(node.Await("app", ContainerState::kExited).message == "last words\n");
}

void InitContainersThenRestartThenAdoption() {
  Node node(
      "initContainers: [{name: first, image: 'knarr.dev/test/busybox:1', command: [sh, -c, 'exit 0']},"
      " {name: side, image: 'knarr.dev/test/busybox:1', command: [sleep, '1000'], restartPolicy: Always}]\n" +
      Spec("[ -e /dev/termination-log ] && sleep 1000"));
  node.Sync();
  node.Await("first", ContainerState::kExited);
  node.Sync();
  node.Await("side", ContainerState::kRunning);
  node.Sync();
  const std::string id = node.Await("app", ContainerState::kRunning).id;

  node.Restart();  // another kubelet takes over and touches nothing
  BOOST_TEST(!node.Sync().changed);
  BOOST_TEST(node.Status().Find("app")->id == id);

  BOOST_REQUIRE(shared->runtime().StopContainer(node.ctx, id, 0s).ok());
  BOOST_TEST(node.Await("app", ContainerState::kExited).exit_code == 137);
  node.Sync();
  const ContainerStatus again = node.Await("app", ContainerState::kRunning, 1);
  BOOST_TEST(again.id != id);
  BOOST_TEST(PathExists(node.manager->ContainerLogPath(node.pod, "app", 1)));
}

void AContainerdThatCrashedFindsItsPodsUntouched() {
  Node node(Spec("sleep 1000"));
  node.Sync();
  const std::string id = node.Await("app", ContainerState::kRunning).id;
  BOOST_REQUIRE(shared->Kill().ok());
  const auto away = node.manager->GetPodStatus(node.ctx.WithTimeout(300ms), node.pod.metadata().uid(), "web-node", "default");
  BOOST_TEST(!away.ok());
  const Status started = shared->StartAgain();
  BOOST_REQUIRE_MESSAGE(started.ok(), started.message());
  BOOST_TEST(!node.Sync().changed);
  BOOST_TEST(node.Await("app", ContainerState::kRunning).id == id);
}

void AKilledPodHasRunItsHookAndIsGone() {
  Node node(Spec("trap 'exit 0' TERM; while :; do sleep 0.1; done", "lifecycle: {preStop: {exec: {command: [sh, -c, 'echo bye > /proc/1/fd/1']}}}"));
  node.Sync();
  const ContainerStatus app = node.Await("app", ContainerState::kRunning);
  BOOST_TEST(node.manager->KillPod(node.ctx, &node.pod, node.Status(), {}).ok());
  const RuntimePodStatus status = node.Status();
  BOOST_TEST(status.Find("app")->exit_code == 0);
  BOOST_TEST(!status.sandboxes.at(0).ready);
  BOOST_TEST(ReadFile(app.log_path).value().find("bye") != std::string::npos);
  BOOST_REQUIRE(node.manager->CollectGarbage(node.ctx, {[&](const std::string& uid) { return uid != node.pod.metadata().uid(); }, {}}).ok());
  BOOST_TEST(node.Status().containers.empty());
  BOOST_TEST(node.Status().sandboxes.empty());
  BOOST_TEST(!PathExists(std::string(DirName(DirName(app.log_path)))));
}

void AReservedNameIsResolved() {
  Node node(Spec("sleep 1000"));
  node.Sync();
  const ContainerStatus first = node.Await("app", ContainerState::kRunning);
  BOOST_REQUIRE(shared->runtime().StopContainer(node.ctx, first.id, 0s).ok());
  // The kubelet forgets the container (and its log), so it tries the attempt that still exists.
  RuntimePodStatus stale = node.Status();
  stale.containers.clear();
  (void)RemoveAll(std::string(DirName(first.log_path)));
  const SyncResult result = node.manager->SyncPod(node.ctx, node.pod, stale);
  BOOST_TEST(result.error.ok(), result.error.message());
  BOOST_TEST(node.Await("app", ContainerState::kRunning).id != first.id);
}

void LogsRotateWhileTheContainerWrites() {
  Node node(Spec("i=0; while :; do echo line $i; i=$((i+1)); sleep 0.02; done"));
  node.options.container_log_max_size = 500;
  node.options.container_log_max_files = 3;
  node.Restart();
  node.Sync();
  const std::string log = node.Await("app", ContainerState::kRunning).log_path;
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(1100ms);  // names are by the second
    BOOST_TEST(node.manager->RotateLogs(node.ctx).ok());
  }
  const auto files = ListDir(std::string(DirName(log))).value();
  BOOST_TEST(files.size() == 3u);
  std::this_thread::sleep_for(200ms);
  BOOST_TEST(ReadFile(log).value().find("line") != std::string::npos);
}

void ExecTellsCodeAndOutput() {
  Node node(Spec("sleep 1000"));
  node.Sync();
  const std::string id = node.Await("app", ContainerState::kRunning).id;
  const auto result = node.manager->Exec(node.ctx, id, {"sh", "-c", "echo out; echo err >&2; exit 4"}, 5s);
  BOOST_REQUIRE(result.ok());
  BOOST_TEST(result->exit_code == 4);
  BOOST_TEST(result->output == "out\nerr\n");
}

// The bare calls for the same pod, with the same messages. Returns the time that they took.
double StartBare(Node& node) {
  const auto sandbox = MakeSandboxConfig(node.pod, 0, {}, node.options.pod_logs_dir, node.cgroups.CgroupParent(node.pod));
  const core::Container& app = node.pod.spec().containers(0);
  const std::string log = MakeTerminationLog(node.options.root_dir, node.pod.metadata().uid(), app.name()).value();
  const auto config = MakeContainerConfig({.pod = node.pod,
                                           .container = app,
                                           .image_id = app.image(),
                                           .image_user = {},
                                           .env = {},
                                           .volume_mounts = {},
                                           .hosts_file = {},
                                           .termination_log = log,
                                           .resources = node.cgroups.ResourcesFor(node.pod, app),
                                           .seccomp = {}});
  BOOST_REQUIRE(MakeDirs(sandbox.log_directory() + "/app").ok());
  const auto began = std::chrono::steady_clock::now();
  auto& cri = shared->runtime();
  const std::string id = cri.RunPodSandbox(node.ctx, sandbox).value();
  BOOST_TEST(cri.StartContainer(node.ctx, cri.CreateContainer(node.ctx, id, *config, sandbox).value()).ok());
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

double StartManaged(Node& node) {
  const auto began = std::chrono::steady_clock::now();
  node.Sync();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

// In one interleaved run, as the machine may be busy.
void AStartCostsLittleMoreThanItsCalls() {
  std::vector<double> managed, bare;
  for (int i = 0; i < 9; ++i) {
    Node a(Spec("sleep 1000")), b(Spec("sleep 1000"));
    managed.push_back(StartManaged(a));
    bare.push_back(StartBare(b));
  }
  fmt::print("one pod started: {:.1f} ms, its bare calls: {:.1f} ms\n", Median(managed), Median(bare));
  BOOST_TEST(Median(managed) < Median(bare) * 1.25 + 50);
}

#define KNARR_KUBERUNTIME_CASES()                                                                             \
  BOOST_AUTO_TEST_CASE(containers_see_what_their_spec_says) { ContainersSeeWhatTheirSpecSays(); }             \
  BOOST_AUTO_TEST_CASE(the_log_stands_in_for_a_missing_message) { TheLogStandsInForAMissingMessage(); }       \
  BOOST_AUTO_TEST_CASE(init_containers_then_restart_then_adoption) { InitContainersThenRestartThenAdoption(); } \
  BOOST_AUTO_TEST_CASE(a_containerd_that_crashed_finds_its_pods_untouched) { AContainerdThatCrashedFindsItsPodsUntouched(); } \
  BOOST_AUTO_TEST_CASE(a_killed_pod_has_run_its_hook_and_is_gone) { AKilledPodHasRunItsHookAndIsGone(); }     \
  BOOST_AUTO_TEST_CASE(a_reserved_name_is_resolved) { AReservedNameIsResolved(); }                            \
  BOOST_AUTO_TEST_CASE(logs_rotate_while_the_container_writes) { LogsRotateWhileTheContainerWrites(); }       \
  BOOST_AUTO_TEST_CASE(exec_tells_code_and_output) { ExecTellsCodeAndOutput(); }                              \
  BOOST_AUTO_TEST_CASE(a_start_costs_little_more_than_its_calls) { AStartCostsLittleMoreThanItsCalls(); }

BOOST_AUTO_TEST_SUITE(kuberuntime_1_6, *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_6)) *
                                           boost::unit_test::fixture(Start16, StopShared))
KNARR_KUBERUNTIME_CASES()
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(kuberuntime_1_7, *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_7)) *
                                           boost::unit_test::fixture(Start17, StopShared))
KNARR_KUBERUNTIME_CASES()
BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
