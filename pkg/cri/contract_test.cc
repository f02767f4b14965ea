#include "pkg/cri/contract_test.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "pkg/base/file.h"

namespace knarr::cri {
namespace {

using namespace std::chrono_literals;

// Of a pod in the host's network; each container has its own PIDs, as Kubernetes does it.
void SetNamespaces(v1::NamespaceOption& options) {
  options.set_network(v1::NODE);
  options.set_pid(v1::CONTAINER);
}

// One pod on the subject, removed at the end of the test.
class Pod {
 public:
  explicit Pod(const ContractSubject& subject, const std::string& name = {}) : s(subject) {
    static std::atomic<int> count{0};
    const std::string unique = name.empty() ? "contract-" + std::to_string(++count) : name;
    config.mutable_metadata()->set_name(unique);
    config.mutable_metadata()->set_namespace_("default");
    config.mutable_metadata()->set_uid("uid-" + unique);
    (*config.mutable_labels())["pod"] = unique;
    if (!s.log_directory.empty()) config.set_log_directory(s.log_directory + "/" + unique);
    config.mutable_linux()->set_cgroup_parent(s.cgroup_parent);
    SetNamespaces(*config.mutable_linux()->mutable_security_context()->mutable_namespace_options());
    const auto run = s.runtime->RunPodSandbox(context, config);
    BOOST_REQUIRE_MESSAGE(run.ok(), "RunPodSandbox: " << run.status().message());
    id = *run;
  }
  ~Pod() {
    const Status stopped = s.runtime->StopPodSandbox(context, id);
    const Status removed = s.runtime->RemovePodSandbox(context, id);
    BOOST_CHECK_MESSAGE(stopped.ok() && removed.ok(), stopped.message() << ", " << removed.message());
  }

  v1::ContainerConfig Container(const std::string& name, std::vector<std::string> command) const {
    v1::ContainerConfig c;
    c.mutable_metadata()->set_name(name);
    c.mutable_image()->set_image(s.image);
    for (auto& word : command) c.add_command(word);
    SetNamespaces(*c.mutable_linux()->mutable_security_context()->mutable_namespace_options());
    (*c.mutable_labels())["pod"] = config.metadata().name();
    (*c.mutable_labels())["container"] = name;
    if (!s.log_directory.empty()) c.set_log_path(name + ".log");
    return c;
  }
  v1::ContainerConfig Exits(const std::string& name, int code) const {
    v1::ContainerConfig c = Container(name, {"sh", "-c", "exit " + std::to_string(code)});
    (*c.mutable_annotations())[kContractExit] = std::to_string(code);
    return c;
  }
  // As PID 1 of its namespace, sleep has no handler for SIGTERM and so never gets it.
  v1::ContainerConfig Sleeps(const std::string& name) const {
    v1::ContainerConfig c = Container(name, {"sh", "-c", "echo ready; exec sleep 1000"});
    (*c.mutable_annotations())[kContractStopExit] = "ignore";
    return c;
  }

  std::string Create(const v1::ContainerConfig& c) const {
    const auto created = s.runtime->CreateContainer(context, id, c, config);
    BOOST_REQUIRE_MESSAGE(created.ok(), "CreateContainer: " << created.status().message());
    return *created;
  }
  std::string Start(const v1::ContainerConfig& c) const {
    std::string container = Create(c);
    const Status started = s.runtime->StartContainer(context, container);
    BOOST_REQUIRE_MESSAGE(started.ok(), "StartContainer: " << started.message());
    return container;
  }
  v1::ContainerStatus StatusOf(const std::string& container) const {
    auto status = s.runtime->ContainerStatus(context, container);
    BOOST_REQUIRE_MESSAGE(status.ok(), "ContainerStatus: " << status.status().message());
    return status->status();
  }
  // Until its command has printed "ready" (not where logs are not real): StartContainer returns before the command
  // itself runs, and what is still runc dies of any signal.
  void WaitForReady(const std::string& name) const {
    if (s.log_directory.empty()) return;
    const std::string log = config.log_directory() + "/" + name + ".log";
    for (int i = 0; i < 2000 && ReadFile(log).value_or("").find("ready") == std::string::npos; ++i)
      std::this_thread::sleep_for(5ms);
  }
  v1::ContainerStatus WaitForExit(const std::string& container) const {
    for (int i = 0; i < 2000; ++i) {
      v1::ContainerStatus status = StatusOf(container);
      if (status.state() == v1::CONTAINER_EXITED) return status;
      std::this_thread::sleep_for(5ms);
    }
    BOOST_FAIL("the container does not exit");
    return {};
  }

  const ContractSubject& s;
  const Context context;
  v1::PodSandboxConfig config;
  std::string id;
};

void CheckError(const Status& status, Code code, std::string_view text) {
  BOOST_CHECK_MESSAGE(status.Is(code), "code " << InfoOf(status.code()).name << ", wanted " << InfoOf(code).name);
  BOOST_CHECK_MESSAGE(status.message().find(text) != std::string_view::npos,
                      "\"" << status.message() << "\" does not contain \"" << text << "\"");
}

const std::string kUnknownId(64, 'f');

void SaysWhatItIs(const ContractSubject& s) {
  const auto version = s.runtime->Version({});
  BOOST_REQUIRE(version.ok());
  BOOST_TEST(version->version() == "0.1.0");
  BOOST_TEST(version->runtime_name() == "containerd");
  BOOST_TEST(version->runtime_api_version() == "v1");
  const auto status = s.runtime->GetStatus({});
  BOOST_REQUIRE(status.ok());
  std::vector<std::string> types;
  for (const auto& condition : status->status().conditions()) types.push_back(condition.type());
  for (const char* type : {"RuntimeReady", "NetworkReady"})
    BOOST_TEST(std::count(types.begin(), types.end(), type) == 1);
  BOOST_TEST(s.runtime->GetStatus({}, true)->info().contains("config"));
}

void SandboxLives(const ContractSubject& s) {
  Pod pod(s);
  const auto status = s.runtime->PodSandboxStatus({}, pod.id);
  BOOST_REQUIRE(status.ok());
  BOOST_TEST(status->status().state() == v1::SANDBOX_READY);
  BOOST_TEST(status->status().metadata().uid() == pod.config.metadata().uid());
  BOOST_TEST(status->status().created_at() > 0);
  BOOST_TEST(status->status().linux().namespaces().options().network() == v1::NODE);
  BOOST_TEST(status->status().network().ip().empty());  // the kubelet knows the host's address
  BOOST_TEST(s.runtime->StopPodSandbox({}, pod.id).ok());
  BOOST_TEST(s.runtime->PodSandboxStatus({}, pod.id)->status().state() == v1::SANDBOX_NOTREADY);
  BOOST_TEST(s.runtime->StopPodSandbox({}, pod.id).ok());
}

void HostNetworkHasNoHostname(const ContractSubject& s) {
  Pod pod(s);
  v1::PodSandboxConfig config = pod.config;
  config.mutable_metadata()->set_attempt(1);
  config.set_hostname("own");
  CheckError(s.runtime->RunPodSandbox({}, config).status(), Code::kUnknown,
             "unable to set hostname without a private UTS namespace");
}

void SandboxesAreListedByFilter(const ContractSubject& s) {
  Pod a(s), b(s);
  const auto ids = [&](const v1::PodSandboxFilter& filter) {
    const auto list = s.runtime->ListPodSandbox({}, filter);
    BOOST_REQUIRE(list.ok());
    std::vector<std::string> out;
    for (const auto& item : *list) out.push_back(item.id());
    return out;
  };
  v1::PodSandboxFilter by_label, by_id, by_state;
  (*by_label.mutable_label_selector())["pod"] = b.config.metadata().name();
  BOOST_TEST((ids(by_label) == std::vector{b.id}));
  by_id.set_id(a.id);
  BOOST_TEST((ids(by_id) == std::vector{a.id}));
  by_id.set_id(a.id.substr(0, 13));  // a prefix is enough
  BOOST_TEST((ids(by_id) == std::vector{a.id}));
  BOOST_TEST(s.runtime->StopPodSandbox({}, a.id).ok());
  by_state.mutable_state()->set_state(v1::SANDBOX_READY);
  const auto ready = ids(by_state);
  BOOST_TEST((std::find(ready.begin(), ready.end(), a.id) == ready.end()));
  BOOST_TEST((std::find(ready.begin(), ready.end(), b.id) != ready.end()));
}

void SandboxNamesAreUnique(const ContractSubject& s) {
  Pod pod(s);
  const auto again = s.runtime->RunPodSandbox({}, pod.config);
  const auto& m = pod.config.metadata();
  const std::string name = m.name() + "_" + m.namespace_() + "_" + m.uid() + "_0";
  CheckError(
      again.status(), Code::kUnknown,
      "failed to reserve sandbox name \"" + name + "\": name \"" + name + "\" is reserved for \"" + pod.id + "\"");
}

void RemovedSandboxIsGone(const ContractSubject& s) {
  Pod pod(s);
  const std::string running = pod.Start(pod.Sleeps("main"));
  BOOST_TEST(s.runtime->StopPodSandbox({}, pod.id).ok());
  BOOST_TEST(pod.WaitForExit(running).exit_code() == 137);  // killed with the sandbox
  BOOST_TEST(s.runtime->RemovePodSandbox({}, pod.id).ok());
  CheckError(s.runtime->PodSandboxStatus({}, pod.id).status(), Code::kNotFound,
             "an error occurred when try to find sandbox: not found");
  CheckError(s.runtime->ContainerStatus({}, running).status(), Code::kNotFound, "not found");
  BOOST_TEST(s.runtime->RemovePodSandbox({}, pod.id).ok());
  BOOST_TEST(s.runtime->StopPodSandbox({}, pod.id).ok());
}

void ContainerLivesAndExits(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Create(pod.Exits("main", 3));
  BOOST_TEST(pod.StatusOf(id).state() == v1::CONTAINER_CREATED);
  BOOST_TEST(s.runtime->StartContainer({}, id).ok());
  const v1::ContainerStatus status = pod.WaitForExit(id);
  BOOST_TEST(status.exit_code() == 3);
  BOOST_TEST(status.reason() == "Error");
  BOOST_TEST(status.created_at() <= status.started_at());
  // Not finished_at: containerd may note a quick exit before the start.
  BOOST_TEST(status.created_at() <= status.finished_at());
  BOOST_TEST(status.metadata().name() == "main");
  BOOST_TEST(status.image().image() == s.image);
  BOOST_TEST(status.labels().at("container") == "main");
  BOOST_TEST(pod.WaitForExit(pod.Start(pod.Exits("other", 0))).reason() == "Completed");
}

void RunningContainerIsRunning(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  const v1::ContainerStatus status = pod.StatusOf(id);
  BOOST_TEST(status.state() == v1::CONTAINER_RUNNING);
  BOOST_TEST(status.started_at() > 0);
  BOOST_TEST(status.finished_at() == 0);
  BOOST_TEST(s.runtime->ContainerStatus({}, id, true)->info().contains("info"));
  CheckError(s.runtime->StartContainer({}, id), Code::kUnknown,
             "failed to set starting state for container \"" + id + "\": container is in CONTAINER_RUNNING state");
}

void StopSignalsAndWaits(const ContractSubject& s) {
  Pod pod(s);
  auto polite =
      pod.Container("polite", {"sh", "-c", "trap 'exit 5' TERM; echo ready; while true; do sleep 0.01; done"});
  (*polite.mutable_annotations())[kContractStopExit] = "5";
  const std::string id = pod.Start(polite);
  pod.WaitForReady("polite");
  BOOST_TEST(s.runtime->StopContainer({}, id, 30s).ok());
  BOOST_TEST(pod.StatusOf(id).state() == v1::CONTAINER_EXITED);
  BOOST_TEST(pod.StatusOf(id).exit_code() == 5);
  BOOST_TEST(s.runtime->StopContainer({}, id, 30s).ok());
  BOOST_TEST(s.runtime->StopContainer({}, kUnknownId, 30s).ok());
}

void StopKillsAfterTheGrace(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  pod.WaitForReady("main");
  const auto before = std::chrono::steady_clock::now();
  BOOST_TEST(s.runtime->StopContainer({}, id, 1s).ok());
  BOOST_TEST((std::chrono::steady_clock::now() - before >= 900ms));
  BOOST_TEST(pod.StatusOf(id).exit_code() == 137);
}

void CommandThatDoesNotExist(const ContractSubject& s) {
  Pod pod(s);
  auto config = pod.Container("main", {"/no/such/program"});
  (*config.mutable_annotations())[kContractNoCommand] = "true";
  const std::string id = pod.Create(config);
  const Status started = s.runtime->StartContainer({}, id);
  CheckError(started, Code::kUnknown, "exec: \"/no/such/program\": stat /no/such/program: no such file or directory");
  const v1::ContainerStatus status = pod.StatusOf(id);
  BOOST_TEST(status.state() == v1::CONTAINER_EXITED);
  BOOST_TEST(status.reason() == "StartError");
  BOOST_TEST(status.exit_code() == 128);
  BOOST_TEST(status.message() == started.message());
}

void CreateNeedsSandboxAndImage(const ContractSubject& s) {
  Pod pod(s);
  auto config = pod.Sleeps("main");
  CheckError(s.runtime->CreateContainer({}, kUnknownId, config, pod.config).status(), Code::kNotFound,
             "failed to find sandbox id \"" + kUnknownId + "\": not found");
  config.mutable_image()->set_image("knarr.dev/test/none:1");
  CheckError(s.runtime->CreateContainer({}, pod.id, config, pod.config).status(), Code::kNotFound,
             "failed to resolve image \"knarr.dev/test/none:1\": not found");
  const std::string id = pod.Create(pod.Sleeps("main"));
  CheckError(s.runtime->CreateContainer({}, pod.id, pod.Sleeps("main"), pod.config).status(), Code::kUnknown,
             "is reserved for \"" + id + "\"");
}

void RemoveForcesAndForgives(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  BOOST_TEST(s.runtime->RemoveContainer({}, id).ok());
  CheckError(s.runtime->ContainerStatus({}, id).status(), Code::kNotFound,
             "an error occurred when try to find container \"" + id + "\": not found");
  BOOST_TEST(s.runtime->RemoveContainer({}, id).ok());
  CheckError(s.runtime->StartContainer({}, id), Code::kNotFound,
             "an error occurred when try to find container \"" + id + "\": not found");
}

void ContainersAreListedByFilter(const ContractSubject& s) {
  Pod a(s), b(s);
  const std::string created = a.Create(a.Sleeps("created"));
  const std::string running = a.Start(a.Sleeps("running"));
  const std::string other = b.Create(b.Sleeps("created"));
  const auto ids = [&](const v1::ContainerFilter& filter) {
    const auto list = s.runtime->ListContainers({}, filter);
    BOOST_REQUIRE(list.ok());
    std::vector<std::string> out;
    for (const auto& item : *list) out.push_back(item.id());
    std::sort(out.begin(), out.end());
    return out;
  };
  v1::ContainerFilter filter;
  filter.set_pod_sandbox_id(a.id);
  std::vector<std::string> both{created, running};
  std::sort(both.begin(), both.end());
  BOOST_TEST((ids(filter) == both));
  filter.mutable_state()->set_state(v1::CONTAINER_RUNNING);
  BOOST_TEST((ids(filter) == std::vector{running}));
  filter.Clear();
  filter.set_id(other.substr(0, 13));
  BOOST_TEST((ids(filter) == std::vector{other}));
  filter.Clear();
  (*filter.mutable_label_selector())["container"] = "created";
  (*filter.mutable_label_selector())["pod"] = b.config.metadata().name();
  BOOST_TEST((ids(filter) == std::vector{other}));
  const auto all = s.runtime->ListContainers({}, filter);
  BOOST_TEST(all->front().pod_sandbox_id() == b.id);
  BOOST_TEST(all->front().metadata().name() == "created");
  BOOST_TEST(all->front().image().image() == s.image);
}

void ExecRunsInTheContainer(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  const std::array<std::string, 3> command{"sh", "-c", "echo out; echo err >&2; exit 7"};
  const auto ran = s.runtime->ExecSync({}, id, command, 10s);
  BOOST_REQUIRE_MESSAGE(ran.ok(), ran.status().message());
  BOOST_TEST(ran->stdout() == "out\n");
  BOOST_TEST(ran->stderr() == "err\n");
  BOOST_TEST(ran->exit_code() == 7);
  const std::array<std::string, 2> slow{"sleep", "60"};
  CheckError(s.runtime->ExecSync({}, id, slow, 1s).status(), Code::kTimeout,
             "timeout 1s exceeded: context deadline exceeded");
  BOOST_TEST(s.runtime->StopContainer({}, id, 0s).ok());
  CheckError(s.runtime->ExecSync({}, id, command, 10s).status(), Code::kUnknown,
             "container is in CONTAINER_EXITED state");
  CheckError(s.runtime->ExecSync({}, kUnknownId, command, 10s).status(), Code::kNotFound, "not found");
}

void StreamsHaveUrls(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  v1::ExecRequest exec;
  exec.set_container_id(id);
  exec.add_cmd("sh");
  exec.set_stdout(true);
  const auto url = s.runtime->Exec({}, exec);
  BOOST_REQUIRE(url.ok());
  BOOST_TEST(url->find("http://127.0.0.1:") == 0u);
  BOOST_TEST(url->find("/exec/") != std::string::npos);
  v1::AttachRequest attach;
  attach.set_container_id(id);
  attach.set_stdout(true);
  BOOST_TEST(s.runtime->Attach({}, attach)->find("/attach/") != std::string::npos);
  v1::PortForwardRequest forward;
  forward.set_pod_sandbox_id(pod.id);
  forward.add_port(80);
  BOOST_TEST(s.runtime->PortForward({}, forward)->find("/portforward/") != std::string::npos);
}

void LogsCanBeReopened(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  if (!s.log_directory.empty()) BOOST_TEST(pod.StatusOf(id).log_path() == pod.config.log_directory() + "/main.log");
  BOOST_TEST(s.runtime->ReopenContainerLog({}, id).ok());
  BOOST_TEST(s.runtime->StopContainer({}, id, 0s).ok());
  CheckError(s.runtime->ReopenContainerLog({}, id), Code::kUnknown, "container is not running");
}

void ResourcesCanChange(const ContractSubject& s) {
  Pod pod(s);
  auto config = pod.Sleeps("main");
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(64 << 20);
  config.mutable_linux()->mutable_resources()->set_cpu_shares(100);
  const std::string id = pod.Start(config);
  v1::LinuxContainerResources more;
  more.set_memory_limit_in_bytes(96 << 20);
  more.set_cpu_shares(200);
  const Status updated = s.runtime->UpdateContainerResources({}, id, more);
  BOOST_TEST(updated.ok(), updated.message());
  const auto status = pod.StatusOf(id);
  BOOST_TEST(status.resources().linux().memory_limit_in_bytes() == 96 << 20);
  BOOST_TEST(status.resources().linux().cpu_shares() == 200);
}

void StatsAreThere(const ContractSubject& s) {
  Pod pod(s);
  const std::string id = pod.Start(pod.Sleeps("main"));
  const auto one = s.runtime->ContainerStats({}, id);
  BOOST_REQUIRE_MESSAGE(one.ok(), one.status().message());
  BOOST_TEST(one->attributes().id() == id);
  BOOST_TEST(one->attributes().metadata().name() == "main");
  BOOST_TEST(one->cpu().has_usage_core_nano_seconds());
  BOOST_TEST(one->memory().has_working_set_bytes());
  v1::ContainerStatsFilter filter;
  filter.set_pod_sandbox_id(pod.id);
  BOOST_TEST(s.runtime->ListContainerStats({}, filter)->size() == 1u);
  const auto sandbox = s.runtime->PodSandboxStats({}, pod.id);
  BOOST_REQUIRE_MESSAGE(sandbox.ok(), sandbox.status().message());
  BOOST_TEST(sandbox->attributes().id() == pod.id);
  BOOST_TEST(sandbox->linux().containers_size() == 1);
}

void ImagesAreKnown(const ContractSubject& s) {
  v1::ImageSpec spec;
  spec.set_image(s.image);
  const auto status = s.runtime->ImageStatus({}, spec);
  BOOST_REQUIRE(status.ok());
  BOOST_REQUIRE(status->has_image());
  BOOST_TEST(status->image().repo_tags(0) == s.image);
  BOOST_TEST(status->image().id().find("sha256:") == 0u);
  BOOST_TEST(status->image().size() > 0u);
  spec.set_image(status->image().id());
  BOOST_TEST(s.runtime->ImageStatus({}, spec)->image().id() == status->image().id());
  const auto all = s.runtime->ListImages({});
  BOOST_REQUIRE(all.ok());
  BOOST_TEST(std::count_if(all->begin(), all->end(), [&](const auto& i) { return i.id() == status->image().id(); }) ==
             1);
  spec.set_image("knarr.dev/test/none:1");
  BOOST_TEST(!s.runtime->ImageStatus({}, spec)->has_image());
  BOOST_TEST(s.runtime->RemoveImage({}, spec).ok());
  const auto usage = s.runtime->ImageFsInfo({});
  BOOST_REQUIRE(usage.ok());
  BOOST_TEST(usage->image_filesystems_size() == 1);
  BOOST_TEST(!usage->image_filesystems(0).fs_id().mountpoint().empty());
}

void PullThatFailsNamesTheImage(const ContractSubject& s) {
  v1::ImageSpec spec;
  spec.set_image(s.unreachable_image);
  const auto pulled = s.runtime->PullImage({}, spec);
  BOOST_REQUIRE(!pulled.ok());
  BOOST_TEST(pulled.error().message().find("failed to pull and unpack image \"" + s.unreachable_image +
                                           "\": failed to resolve reference \"" + s.unreachable_image + "\"") == 0u);
}

void EventsTellTheStory(const ContractSubject& s) {
  if (!s.has_events) {
    const Status refused = s.runtime->GetContainerEvents({}, nullptr, [](auto&&) {});
    CheckError(refused, Code::kUnimplemented, "method GetContainerEvents not implemented");
    return;
  }
  std::stop_source stop;
  std::mutex mutex;
  std::condition_variable wake;
  bool connected = false;
  std::vector<v1::ContainerEventResponse> events;
  std::jthread reader([&] {
    const Status end = s.runtime->GetContainerEvents(
        Context::Background().WithStop(stop.get_token()),
        [&] {
          const std::lock_guard lock(mutex);
          connected = true;
          wake.notify_all();
        },
        [&](v1::ContainerEventResponse&& event) {
          const std::lock_guard lock(mutex);
          events.push_back(std::move(event));
          wake.notify_all();
        });
    BOOST_TEST(end.Is(Code::kCancelled));
  });
  struct Stopper {  // before the join
    std::stop_source& stop;
    ~Stopper() { stop.request_stop(); }
  } stopper{stop};
  {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, 10s, [&] { return connected; });
  }
  std::string sandbox, container;
  {
    Pod pod(s);
    sandbox = pod.id;
    container = pod.Start(pod.Exits("main", 4));
    pod.WaitForExit(container);
  }
  const auto kinds = [&](const std::string& id) {
    std::vector<v1::ContainerEventType> out;
    for (const auto& event : events)
      if (event.container_id() == id) out.push_back(event.container_event_type());
    return out;
  };
  const std::vector whole{v1::CONTAINER_CREATED_EVENT, v1::CONTAINER_STARTED_EVENT, v1::CONTAINER_STOPPED_EVENT,
                          v1::CONTAINER_DELETED_EVENT};
  std::unique_lock lock(mutex);
  wake.wait_for(lock, 10s, [&] { return kinds(sandbox).size() >= 4 && kinds(container).size() >= 4; });
  BOOST_TEST((kinds(sandbox) == whole));
  BOOST_TEST((kinds(container) == whole));
  for (const auto& event : events) {
    if (event.container_id() != container || event.container_event_type() != v1::CONTAINER_STOPPED_EVENT) continue;
    BOOST_TEST(event.pod_sandbox_status().id() == sandbox);
    BOOST_REQUIRE(event.containers_statuses_size() == 1);
    BOOST_TEST(event.containers_statuses(0).exit_code() == 4);
  }
}

void CallsEndWithTheirContext(const ContractSubject& s) {
  std::stop_source stop;
  stop.request_stop();
  BOOST_TEST(s.runtime->ListContainers(Context::Background().WithStop(stop.get_token())).error().Is(Code::kCancelled));
  const Context past = Context::Background().WithDeadline(std::chrono::steady_clock::now() - 1s);
  BOOST_TEST(s.runtime->ListContainers(past).error().Is(Code::kTimeout));
}

struct Case {
  const char* name;
  void (*run)(const ContractSubject&);
};
constexpr Case kCases[] = {
    {"says_what_it_is", SaysWhatItIs},
    {"a_sandbox_is_ready_until_stopped", SandboxLives},
    {"a_pod_in_the_host_network_has_no_hostname_of_its_own", HostNetworkHasNoHostname},
    {"sandboxes_are_listed_by_filter", SandboxesAreListedByFilter},
    {"sandbox_names_are_unique", SandboxNamesAreUnique},
    {"a_removed_sandbox_takes_its_containers_along", RemovedSandboxIsGone},
    {"a_container_is_created_runs_and_exits", ContainerLivesAndExits},
    {"a_running_container_cannot_be_started_again", RunningContainerIsRunning},
    {"stop_signals_and_waits", StopSignalsAndWaits},
    {"stop_kills_after_the_grace_period", StopKillsAfterTheGrace},
    {"a_command_that_does_not_exist_is_a_start_error", CommandThatDoesNotExist},
    {"create_needs_a_sandbox_an_image_and_a_free_name", CreateNeedsSandboxAndImage},
    {"remove_forces_and_forgives", RemoveForcesAndForgives},
    {"containers_are_listed_by_filter", ContainersAreListedByFilter},
    {"exec_runs_in_the_container", ExecRunsInTheContainer},
    {"streams_have_urls", StreamsHaveUrls},
    {"logs_can_be_reopened", LogsCanBeReopened},
    {"resources_can_change", ResourcesCanChange},
    {"stats_are_there", StatsAreThere},
    {"images_are_known", ImagesAreKnown},
    {"a_pull_that_fails_names_the_image", PullThatFailsNamesTheImage},
    {"events_tell_the_story", EventsTellTheStory},
    {"calls_end_with_their_context", CallsEndWithTheirContext},
};

}  // namespace

bool RegisterContract(const std::function<ContractSubject()>& make, const char* file, size_t line) {
  for (const Case& c : kCases) {
    boost::unit_test::framework::current_auto_test_suite().add(
        boost::unit_test::make_test_case([make, run = c.run] { run(make()); }, c.name, file, line));
  }
  return true;
}

}  // namespace knarr::cri
