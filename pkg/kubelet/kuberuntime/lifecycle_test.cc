// A pod's life against the fake runtime: start, order, restart, stop.
#include <boost/test/unit_test.hpp>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/test_fixture.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;
using cri::Program;

constexpr char kInitPod[] =
    "initContainers: [{name: one, image: 'tool:1'}, {name: two, image: 'tool:1'}]\n"
    "containers: [{name: web, image: 'web:1'}, {name: log, image: 'tool:1'}]\n";
constexpr char kSidecarPod[] =
    "initContainers: [{name: proxy, image: 'tool:1', restartPolicy: Always, startupProbe: {exec: {command: [ok]}}},"
    " {name: migrate, image: 'tool:1'}]\n"
    "containers: [{name: web, image: 'web:1'}]\n"
    "terminationGracePeriodSeconds: 30\n";

BOOST_FIXTURE_TEST_SUITE(kuberuntime_lifecycle, ManagerFixture)

BOOST_AUTO_TEST_CASE(a_pod_starts_with_as_few_calls_as_possible) {
  const SyncResult result = Sync(WebPod());
  BOOST_TEST(result.error.ok(), result.error.message());
  BOOST_TEST(result.changed);
  BOOST_TEST(runtime.FindContainer("web-node/web")->state() == ::runtime::v1::CONTAINER_RUNNING);
  BOOST_TEST(Calls("RunPodSandbox") == 1u);
  BOOST_TEST(Calls("PodSandboxStatus") == 1u);
  BOOST_TEST(Calls("ImageStatus") == 1u);
  BOOST_TEST(Calls("CreateContainer") == 1u);
  BOOST_TEST(Calls("StartContainer") == 1u);
  BOOST_TEST(Calls("ContainerStatus") == 0u);
  const std::vector<std::string> expected = {"Pulled: Container image \"web:1\" already present on machine",
                                             "Created: Created container: web", "Started: Started container web"};
  BOOST_TEST(Events() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pod_that_runs_costs_two_lists_and_nothing_else) {
  Sync(WebPod());
  Sync(WebPod());
  runtime.ClearCalls();
  BOOST_TEST(!Sync(WebPod()).changed);
  BOOST_TEST(runtime.Calls().size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_container_gets_what_the_pod_says) {
  volumes.mounts = {{.name = "data", .host_path = "/host/data", .container_path = "/data", .read_only = true}};
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', command: [run, $(MODE)], args: [$$(MODE), $(NONE)], workingDir: /w, tty: true,"
      " env: [{name: MODE, value: fast}, {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]\n");
  Sync(pod);
  const auto config = *runtime.ContainerConfigOf(IdOf("web"));
  BOOST_TEST(config.command(1) == "fast");
  BOOST_TEST(config.args(0) == "$(MODE)");
  BOOST_TEST(config.args(1) == "$(NONE)");
  BOOST_TEST(config.working_dir() == "/w");
  BOOST_TEST(config.tty());
  BOOST_TEST(config.envs(1).value() == "10.88.0.2");
  BOOST_TEST(config.log_path() == "web/0.log");
  BOOST_TEST(config.mounts(0).host_path() == "/host/data");
  BOOST_TEST(config.mounts(1).container_path() == "/etc/hosts");
  BOOST_TEST(config.mounts(2).container_path() == "/dev/termination-log");
  BOOST_TEST(PathExists(config.mounts(2).host_path()));
  BOOST_TEST(config.linux().resources().oom_score_adj() == 1000);
  const auto sandbox = *runtime.SandboxConfigOf(runtime.FindSandbox("web-node")->id());
  BOOST_TEST(sandbox.log_directory() == root + "/pods/default_web-node_uid-1");
  BOOST_TEST(sandbox.linux().cgroup_parent() == "/kubepods/besteffort/poduid-1");
  BOOST_TEST(sandbox.hostname() == "web-node");
}

BOOST_AUTO_TEST_CASE(init_containers_run_one_after_the_other_and_then_the_rest_at_once) {
  const core::Pod pod = MakePod(kInitPod);
  Sync(pod);
  BOOST_TEST(!runtime.FindContainer("two"));
  BOOST_TEST(!Sync(pod).changed);
  runtime.ExitContainer(IdOf("one"), 0);
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("two").has_value());
  BOOST_TEST(!runtime.FindContainer("web"));
  runtime.ExitContainer(IdOf("two"), 0);
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("web").has_value());
  BOOST_TEST(runtime.FindContainer("log").has_value());
}

BOOST_AUTO_TEST_CASE(a_failed_init_container_is_tried_again_after_the_back_off) {
  const core::Pod pod = MakePod(kInitPod);
  Sync(pod);
  runtime.ExitContainer(IdOf("one"), 1);
  BOOST_TEST(Sync(pod).changed);  // the first retry is immediate
  runtime.ExitContainer(IdOf("one"), 1);
  const SyncResult result = Sync(pod);
  BOOST_TEST(result.waiting.at("one").reason == "CrashLoopBackOff");
  BOOST_TEST((result.retry_after == Duration(10s)));
}

BOOST_AUTO_TEST_CASE(a_failed_init_container_ends_a_pod_that_never_restarts) {
  const core::Pod pod = MakePod(std::string(kInitPod) + "restartPolicy: Never\n");
  Sync(pod);
  runtime.ExitContainer(IdOf("one"), 1);
  Sync(pod);
  BOOST_TEST(runtime.FindSandbox("web-node")->state() == ::runtime::v1::SANDBOX_NOTREADY);
  BOOST_TEST(!Sync(pod).changed);  // and that was it
  BOOST_TEST(Calls("RunPodSandbox") == 1u);
  BOOST_TEST(Calls("StopPodSandbox") == 1u);
}

BOOST_AUTO_TEST_CASE(a_sidecar_gates_what_follows_until_it_has_started) {
  const core::Pod pod = MakePod(kSidecarPod);
  Sync(pod);
  BOOST_TEST(!Sync(pod).changed);
  BOOST_TEST(!runtime.FindContainer("migrate"));
  probes.started[IdOf("proxy")] = true;
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("migrate").has_value());
  runtime.ExitContainer(IdOf("migrate"), 0);
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("web").has_value());
  runtime.ExitContainer(IdOf("proxy"), 3);
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("proxy")->state() == ::runtime::v1::CONTAINER_RUNNING);
  BOOST_TEST(runtime.FindContainer("proxy")->metadata().attempt() == 1u);
}

BOOST_AUTO_TEST_CASE(sidecars_stop_after_the_containers_they_serve) {
  const core::Pod pod = MakePod(
      "initContainers: [{name: a, image: 'tool:1', restartPolicy: Always}, {name: b, image: 'tool:1', restartPolicy: Always}]\n"
      "containers: [{name: web, image: 'web:1'}]\n");
  while (!runtime.FindContainer("web")) Sync(pod);
  runtime.ClearCalls();
  BOOST_TEST(manager->KillPod(ctx, &pod, Status(pod), {}).ok());
  std::vector<std::string> order;
  for (const auto& call : runtime.CallsOf("StopContainer")) order.push_back(call.name);
  const std::vector<std::string> expected = {"web-node/web", "web-node/b", "web-node/a"};
  BOOST_TEST(order == expected, boost::test_tools::per_element());
  BOOST_TEST(HasEvent("Killing: Stopping container web"));
  BOOST_TEST(runtime.FindSandbox("web-node")->state() == ::runtime::v1::SANDBOX_NOTREADY);
}

BOOST_AUTO_TEST_CASE(the_crash_loop_doubles_to_five_minutes_and_is_forgiven_after_ten) {
  const core::Pod pod = WebPod();
  Sync(pod);
  for (const auto expected : {0s, 10s, 20s, 40s, 80s, 160s, 300s, 300s}) {
    clock.Advance(1s);
    runtime.ExitContainer(IdOf("web"), 1);
    if (expected > 0s) {
      const SyncResult waits = Sync(pod);
      BOOST_TEST((waits.retry_after == Duration(expected)));
      clock.Advance(expected - 1s);
      BOOST_TEST(!Sync(pod).waiting.empty());
      clock.Advance(1s);
    }
    BOOST_TEST(Sync(pod).waiting.empty());
  }
  clock.Advance(11min);
  runtime.ExitContainer(IdOf("web"), 1);
  BOOST_TEST(Sync(pod).waiting.empty());
  runtime.ExitContainer(IdOf("web"), 1);
  const SyncResult waits = Sync(pod);
  BOOST_TEST(waits.waiting.at("web").message == "back-off 10s restarting failed container=web pod=web-node_default(uid-1)");
  BOOST_TEST(std::string(waits.error.message()) ==
             "failed to \"StartContainer\" for \"web\" with CrashLoopBackOff: \"back-off 10s restarting failed container=web "
             "pod=web-node_default(uid-1)\"");
  BOOST_TEST(HasEvent("BackOff: Back-off restarting failed container web in pod web-node_default(uid-1)"));
}

BOOST_AUTO_TEST_CASE(one_containers_back_off_does_not_delay_another) {
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1'}, {name: bad, image: 'web:1', envFrom: [{configMapRef: {name: settings}}]}]\n");
  for (int i = 0; i < 3; ++i) {
    Sync(pod);
    runtime.ExitContainer(IdOf("web"), 1);
    clock.Advance(i < 2 ? 20s : 0s);
  }
  const SyncResult result = Sync(pod);
  BOOST_TEST(result.waiting.at("web").reason == "CrashLoopBackOff");
  BOOST_TEST(result.waiting.at("bad").reason == "CreateContainerConfigError");
  BOOST_TEST((result.retry_after == Duration(10s)));  // the crash loop alone would be 20 s
}

BOOST_AUTO_TEST_CASE(addresses_follow_the_nodes_primary_family) {
  runtime.SetPodIPs("web-node", {"fd00::5", "10.88.0.5", "10.99.0.1"});
  Sync(WebPod());
  const std::vector<std::string> expected = {"10.88.0.5", "fd00::5"};
  BOOST_TEST(Status(WebPod()).ips == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(restart_policies_are_kept) {
  for (const auto& [policy, code, restarted] : {std::tuple{"Always", 0, true}, {"OnFailure", 0, false}, {"OnFailure", 1, true},
                                                {"Never", 1, false}}) {
    ManagerFixture f;
    const core::Pod pod = MakePod(fmt::format("containers: [{{name: web, image: 'web:1'}}]\nrestartPolicy: {}\n", policy));
    f.Sync(pod);
    f.runtime.ExitContainer(f.IdOf("web"), code);
    f.Sync(pod);
    BOOST_TEST((f.runtime.FindContainer("web")->metadata().attempt() == 1u) == restarted, policy << " " << code);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_liveness_probe_restarts_with_the_probes_grace) {
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', livenessProbe: {exec: {command: [ok]}, terminationGracePeriodSeconds: 7}}]\n");
  Sync(pod);
  probes.live[IdOf("web")] = false;
  Sync(pod);
  BOOST_TEST(runtime.CallsOf("StopContainer").at(0).grace.count() == 7);
  BOOST_TEST(runtime.FindContainer("web")->metadata().attempt() == 1u);
  BOOST_TEST(HasEvent("Killing: Container web failed liveness probe, will be restarted"));
}

BOOST_AUTO_TEST_CASE(a_kubelet_that_was_restarted_leaves_everything_running) {
  const core::Pod pod = MakePod(kInitPod);
  while (!runtime.FindContainer("web")) {
    Sync(pod);
    for (const char* name : {"one", "two"}) {
      if (runtime.FindContainer(name)) runtime.ExitContainer(IdOf(name), 0);
    }
  }
  const std::string id = IdOf("web");
  Restart();
  runtime.ClearCalls();
  BOOST_TEST(!Sync(pod).changed);
  BOOST_TEST(IdOf("web") == id);
  BOOST_TEST(Calls("StopContainer") + Calls("CreateContainer") + Calls("RunPodSandbox") == 0u);
}

BOOST_AUTO_TEST_CASE(a_dead_sandbox_is_replaced_with_everything_in_it) {
  const core::Pod pod = WebPod();
  Sync(pod);
  runtime.KillSandbox(runtime.FindSandbox("web-node")->id());
  const SyncResult result = Sync(pod);
  BOOST_TEST(result.error.ok(), result.error.message());
  BOOST_TEST(runtime.FindSandbox("web-node")->metadata().attempt() == 1u);
  BOOST_TEST(runtime.FindContainer("web")->metadata().attempt() == 1u);
  BOOST_TEST(runtime.FindContainer("web")->state() == ::runtime::v1::CONTAINER_RUNNING);
  BOOST_TEST(HasEvent("SandboxChanged: Pod sandbox changed, it will be killed and re-created."));
}

BOOST_AUTO_TEST_CASE(a_dead_sandbox_whose_network_cannot_be_taken_down_holds_nothing_up) {
  const core::Pod pod = WebPod();
  Sync(pod);
  runtime.Reboot();
  runtime.SetHook("StopPodSandbox", [](const Context&, const cri::Call&) { return Error(Code::kUnknown, "cni del failed"); });
  BOOST_TEST(Sync(pod).error.ok());
  BOOST_TEST(runtime.FindContainer("web")->state() == ::runtime::v1::CONTAINER_RUNNING);
  BOOST_TEST(!manager->KillPod(ctx, &pod, Status(pod), {}).ok());  // but the end of a pod waits for it
}

BOOST_AUTO_TEST_CASE(a_crash_loop_does_not_fill_the_disk_with_message_files) {
  const core::Pod pod = WebPod();
  for (int i = 0; i < 20; ++i) {
    Sync(pod);
    runtime.ExitContainer(IdOf("web"), 1);
    clock.Advance(6min);
  }
  BOOST_TEST(ListDir(options.root_dir + "/pods/uid-1/containers/web")->size() <= 9u);
}

BOOST_AUTO_TEST_CASE(a_reboot_starts_the_pod_again_from_its_init_containers) {
  const core::Pod pod = MakePod(kInitPod);
  while (!runtime.FindContainer("web")) {
    Sync(pod);
    for (const char* name : {"one", "two"}) {
      if (runtime.FindContainer(name)) runtime.ExitContainer(IdOf(name), 0);
    }
  }
  runtime.Reboot();
  Restart();
  Sync(pod);
  BOOST_TEST(runtime.FindContainer("one")->state() == ::runtime::v1::CONTAINER_RUNNING);
  BOOST_TEST(runtime.FindContainer("web")->state() == ::runtime::v1::CONTAINER_EXITED);
}

BOOST_AUTO_TEST_CASE(out_of_memory_is_told_and_restarted) {
  const core::Pod pod = WebPod();
  Sync(pod);
  runtime.ExitContainer(IdOf("web"), 137, "OOMKilled");
  const RuntimePodStatus status = Status(pod);
  BOOST_TEST(status.Find("web")->reason == "OOMKilled");
  BOOST_TEST(status.Find("web")->exit_code == 137);
  BOOST_TEST(Sync(pod).changed);
}

BOOST_AUTO_TEST_CASE(the_termination_message_is_read_and_bounded) {
  const core::Pod pod = WebPod();
  Sync(pod);
  const std::string file = runtime.ContainerConfigOf(IdOf("web"))->mounts(1).host_path();
  BOOST_REQUIRE(WriteFileAtomically(file, std::string(9000, 'x') + "end", 0666).ok());
  runtime.ExitContainer(IdOf("web"), 1);
  const RuntimePodStatus status = Status(pod);
  BOOST_TEST(status.Find("web")->message.size() == 4096u);
  BOOST_TEST(status.Find("web")->message.ends_with("xend"));
}

BOOST_AUTO_TEST_CASE(a_sandbox_that_cannot_be_made_is_told_in_upstreams_words) {
  runtime.FailNext("RunPodSandbox", Error(Code::kUnknown, "failed to setup network for sandbox: no cni"));
  const SyncResult result = Sync(WebPod());
  BOOST_TEST(HasEvent("FailedCreatePodSandBox: Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network "
                      "for sandbox: no cni"));
  BOOST_TEST(std::string(result.error.message()).starts_with("failed to \"CreatePodSandbox\" for \"web-node_default(uid-1)\" with "
                                                             "CreatePodSandboxError: "));
  BOOST_TEST(Sync(WebPod()).error.ok());
}

BOOST_AUTO_TEST_CASE(a_reserved_container_name_is_skipped_not_waited_for) {
  // An earlier create whose answer was lost goes on inside the runtime and holds the name.
  runtime.FailNext("CreateContainer", Error(Code::kUnknown, "failed to reserve container name \"web_web-node_default_uid-1_0\": name "
                                                            "\"web_web-node_default_uid-1_0\" is reserved for \"abc\""));
  const SyncResult result = Sync(WebPod());
  BOOST_TEST(result.error.ok(), result.error.message());
  BOOST_TEST(runtime.FindContainer("web")->metadata().attempt() == 1u);
  BOOST_TEST(runtime.ContainerConfigOf(IdOf("web"))->log_path() == "web/1.log");
}

BOOST_AUTO_TEST_CASE(a_container_whose_creation_was_not_heard_of_is_adopted) {
  const core::Pod pod = WebPod();
  runtime.SetHook("StartContainer", [](const Context&, const cri::Call&) { return Error(Code::kUnknown, "no"); });
  BOOST_TEST(Sync(pod).waiting.at("web").reason == "RunContainerError");
  runtime.SetHook("StartContainer", nullptr);
  // It was created, but this kubelet has not seen it: the lists it works from are older.
  RuntimePodStatus old = Status(pod);
  const std::string id = IdOf("web");
  old.containers.clear();
  (void)RemoveAll(root + "/pods");
  const SyncResult result = manager->SyncPod(ctx, pod, old);
  BOOST_TEST(result.error.ok(), result.error.message());
  BOOST_TEST(IdOf("web") == id);
  BOOST_TEST(runtime.FindContainer("web")->state() == ::runtime::v1::CONTAINER_RUNNING);
}

BOOST_AUTO_TEST_CASE(hooks_run_around_the_containers_life) {
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', ports: [{name: http, containerPort: 80}], lifecycle: {postStart: {exec: {command: [warm, up]}},"
      " preStop: {httpGet: {path: /bye, port: http}}}}]\n"
      "terminationGracePeriodSeconds: 20\n");
  Sync(pod);
  BOOST_TEST(runtime.CallsOf("ExecSync").at(0).command.at(1) == "up");
  BOOST_TEST(manager->KillPod(ctx, &pod, Status(pod), {}).ok());
  BOOST_TEST(http_hooks.at(0) == "10.88.0.2/bye");
  BOOST_TEST(runtime.CallsOf("StopContainer").at(0).grace.count() == 20);
}

BOOST_AUTO_TEST_CASE(a_failed_post_start_hook_kills_the_container) {
  runtime.SetExec([](const cri::Call&) -> Result<::runtime::v1::ExecSyncResponse> {
    ::runtime::v1::ExecSyncResponse response;
    response.set_exit_code(5);
    return response;
  });
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1', lifecycle: {postStart: {exec: {command: [warm]}}}}]\n");
  const SyncResult result = Sync(pod);
  BOOST_TEST(result.waiting.at("web").reason == "PostStartHookError");
  BOOST_TEST(result.waiting.at("web").message ==
             "Exec lifecycle hook ([warm]) for Container \"web\" in Pod \"web-node_default(uid-1)\" failed - error: command 'warm' exited "
             "with 5, message: \"\"");
  BOOST_TEST(HasEvent("FailedPostStartHook: PostStartHook failed"));
  BOOST_TEST(runtime.FindContainer("web")->state() == ::runtime::v1::CONTAINER_EXITED);
}

BOOST_AUTO_TEST_CASE(a_pre_stop_sleep_is_part_of_the_grace_period) {
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', lifecycle: {preStop: {sleep: {seconds: 5}}}}]\nterminationGracePeriodSeconds: 30\n");
  Sync(pod);
  std::thread killer([&] { BOOST_TEST(manager->KillPod(ctx, &pod, Status(pod), {}).ok()); });
  while (clock.Pending() == 0) std::this_thread::yield();
  BOOST_TEST(Calls("StopContainer") == 0u);
  clock.Advance(5s);
  killer.join();
  BOOST_TEST(runtime.CallsOf("StopContainer").at(0).grace.count() == 25);
}

BOOST_AUTO_TEST_CASE(a_pod_without_spec_is_stopped_as_its_annotations_say) {
  const core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', lifecycle: {preStop: {exec: {command: [bye]}}}}]\nterminationGracePeriodSeconds: 12\n");
  Sync(pod);
  Restart();
  BOOST_TEST(manager->KillPod(ctx, nullptr, Status(pod), {}).ok());
  BOOST_TEST(runtime.CallsOf("ExecSync").at(0).command.at(0) == "bye");
  BOOST_TEST(runtime.CallsOf("StopContainer").at(0).grace.count() == 12);
}

BOOST_AUTO_TEST_CASE(a_grace_period_of_zero_kills_at_once) {
  const core::Pod pod = WebPod();
  Sync(pod);
  BOOST_TEST(manager->KillPod(ctx, &pod, Status(pod), {.grace_period_seconds = 0, .reason = "Preempting container"}).ok());
  BOOST_TEST(runtime.CallsOf("StopContainer").at(0).grace.count() == 0);
  BOOST_TEST(HasEvent("Killing: Preempting container web"));
}

BOOST_AUTO_TEST_CASE(a_start_that_is_called_off_is_no_failure) {
  std::stop_source stop;
  runtime.SetHook("CreateContainer", [&](const Context&, const cri::Call&) {
    stop.request_stop();
    return Error(Code::kCancelled, "context canceled");
  });
  const core::Pod pod = WebPod();
  BOOST_TEST(!manager->SyncPod(ctx.WithStop(stop.get_token()), pod, Status(pod)).error.ok());
  BOOST_TEST(!HasEvent("Failed"));
}

BOOST_AUTO_TEST_CASE(forbidden_sysctls_never_reach_the_runtime) {
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1'}]\nsecurityContext: {sysctls: [{name: kernel.sem, value: '1'}]}\n");
  BOOST_TEST(std::string(Sync(pod).error.message()).find("forbidden sysctl: \"kernel.sem\" not allowlisted") != std::string::npos);
  BOOST_TEST(Calls("RunPodSandbox") == 0u);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_be_built_is_the_containers_reason) {
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1', envFrom: [{configMapRef: {name: settings}}]}]\n");
  const SyncResult result = Sync(pod);
  BOOST_TEST(result.waiting.at("web").reason == "CreateContainerConfigError");
  BOOST_TEST(result.waiting.at("web").message == "configmap \"settings\" not found");
  BOOST_TEST(HasEvent("Failed: Error: configmap \"settings\" not found"));
  objects.config_maps["settings"];
  BOOST_TEST(Sync(pod).error.ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
