#include "pkg/kubelet/local_view.h"

#include <algorithm>
#include <ctime>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "pkg/api/codec/codec.h"
#include "pkg/cri/runtime.h"
#include "pkg/kubelet/health.h"
#include "pkg/kubelet/why.h"

namespace knarr::kubelet {
namespace {

WallTime FromMessage(const meta::Time& time) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos())));
}

// The pod with its present status, as the API would show it.
core::Pod WithStatus(const PodWorkers::Snapshot& snapshot) {
  core::Pod pod = *snapshot.pod;
  *pod.mutable_status() = snapshot.status;
  return pod;
}

std::string ListJson(const std::vector<core::Pod>& pods) {
  core::PodList list;
  for (const core::Pod& pod : pods) *list.add_items() = pod;
  return codec::EncodeJson(list, {.api_version = "v1", .kind = "PodList"});
}

bool IsSidecar(const core::Container& container) { return container.restartpolicy() == "Always"; }

// What kind of container of the pod has this name, or "".
std::string_view KindOf(const core::PodSpec& spec, std::string_view name) {
  for (const core::Container& container : spec.containers()) {
    if (container.name() == name) return "container";
  }
  for (const core::Container& container : spec.initcontainers()) {
    if (container.name() == name) return IsSidecar(container) ? "sidecar" : "init";
  }
  return "";
}

LocalPod::Container ContainerOf(const core::ContainerStatus& status, std::string_view kind) {
  LocalPod::Container container{.name = status.name(),
                                .kind = std::string(kind),
                                .state = "waiting",
                                .reason = "",
                                .message = "",
                                .id = status.containerid(),
                                .image = status.image(),
                                .ready = status.ready(),
                                .restarts = status.restartcount()};
  if (status.state().has_running()) {
    container.state = "running";
  } else if (status.state().has_terminated()) {
    container.state = "terminated";
    container.reason = status.state().terminated().reason();
    container.message = status.state().terminated().message();
  } else {
    container.reason = status.state().waiting().reason();
    container.message = status.state().waiting().message();
  }
  return container;
}

bool IsReady(const core::PodStatus& status) {
  return std::any_of(status.conditions().begin(), status.conditions().end(),
                     [](const core::PodCondition& c) { return c.type() == "Ready" && c.status() == "True"; });
}

bool IsWaiting(const core::PodStatus& status, std::string_view container) {
  for (const auto* statuses : {&status.containerstatuses(), &status.initcontainerstatuses()}) {
    for (const core::ContainerStatus& c : *statuses) {
      if (c.name() == container) return c.state().has_waiting();
    }
  }
  return false;
}

// When the kernel started, by the wall clock of now.
WallTime BootTime(const Clock& clock) {
  timespec since_boot{};
  KNARR_CHECK(::clock_gettime(CLOCK_BOOTTIME, &since_boot) == 0);
  return clock.Now() - std::chrono::seconds(since_boot.tv_sec);
}

// The container that is meant when none is named.
std::string DefaultContainer(const core::Pod& pod) {
  const auto& annotations = pod.metadata().annotations();
  if (const auto it = annotations.find("kubectl.kubernetes.io/default-container"); it != annotations.end()) return it->second;
  return pod.spec().containers_size() > 0 ? pod.spec().containers(0).name() : "";
}

}  // namespace

std::string SandboxImageOf(const ::runtime::v1::StatusResponse& status) {
  const auto it = status.info().find("config");
  if (it == status.info().end()) return "";
  boost::json::error_code error;
  const boost::json::value config = boost::json::parse(it->second, error);
  if (error || !config.is_object()) return "";
  const boost::json::value* image = config.as_object().if_contains("sandboxImage");
  return image && image->is_string() ? std::string(image->as_string()) : "";
}

LocalView::LocalView(LocalViewParts parts)
    : parts_(std::move(parts)),
      collector_({.node_name = parts_.options.node.node_name,
                  .root_dir = parts_.options.root_dir,
                  .memory_capacity = parts_.node.memory,
                  .boot_time = BootTime(parts_.clock),
                  .clock = parts_.clock,
                  .cri = parts_.cri,
                  .cgroups = parts_.cgroups,
                  .pods = [this] {
                    std::vector<stats::PodInput> pods;
                    for (PodWorkers::Snapshot& snapshot : parts_.workers.List()) {
                      if (snapshot.pod) pods.push_back({std::move(snapshot.pod), std::move(snapshot.runtime)});
                    }
                    return pods;
                  }}) {}

std::string LocalView::PodsJson() {
  std::vector<core::Pod> pods;
  for (const PodWorkers::Snapshot& snapshot : parts_.workers.List()) {
    if (snapshot.pod) pods.push_back(WithStatus(snapshot));
  }
  return ListJson(pods);
}

std::string LocalView::RunningPodsJson() {
  std::vector<core::Pod> pods;
  for (const PodWorkers::Snapshot& snapshot : parts_.workers.List()) {
    core::Pod pod;
    pod.mutable_metadata()->set_name(snapshot.name);
    pod.mutable_metadata()->set_namespace_(snapshot.ns);
    pod.mutable_metadata()->set_uid(snapshot.uid);
    for (const ContainerStatus& container : snapshot.runtime.containers) {
      if (container.state != ContainerState::kRunning) continue;
      core::Container* out = pod.mutable_spec()->add_containers();
      out->set_name(container.name);
      out->set_image(container.image_id);
    }
    if (pod.spec().containers_size() > 0) pods.push_back(std::move(pod));
  }
  return ListJson(pods);
}

std::vector<LocalPod> LocalView::LocalPods() {
  std::vector<LocalPod> pods;
  const std::shared_ptr<const DesiredState> desired = parts_.sources.Current();
  for (const PodWorkers::Snapshot& snapshot : parts_.workers.List()) {
    const std::vector<Event> events = parts_.events.List(snapshot.ns, snapshot.name);
    const Explanation explanation = ExplainPod(snapshot, events, desired ? desired->problems : std::vector<ManifestProblem>{});
    LocalPod pod{.pod_namespace = snapshot.ns,
                 .name = snapshot.name,
                 .uid = snapshot.uid,
                 .source = snapshot.file,
                 .phase = snapshot.phase == PodWorkers::Phase::kTerminating ? "Terminating" : snapshot.status.phase(),
                 .ip = snapshot.status.podip(),
                 .ready = IsReady(snapshot.status),
                 .reason = explanation.reason,
                 .why = explanation.why,
                 .next = explanation.next,
                 .start_time = snapshot.status.has_starttime() ? FromMessage(snapshot.status.starttime()) : WallTime{},
                 .containers = {},
                 .events = {}};
    for (const core::ContainerStatus& status : snapshot.status.initcontainerstatuses()) {
      pod.containers.push_back(ContainerOf(status, snapshot.pod ? KindOf(snapshot.pod->spec(), status.name()) : "init"));
    }
    for (const core::ContainerStatus& status : snapshot.status.containerstatuses()) pod.containers.push_back(ContainerOf(status, "container"));
    for (const Event& event : events) {
      pod.events.push_back({.time = event.last_seen,
                            .type = event.type == EventType::kWarning ? "Warning" : "Normal",
                            .reason = event.reason,
                            .message = event.message,
                            .count = event.count});
    }
    pods.push_back(std::move(pod));
  }
  std::sort(pods.begin(), pods.end(), [](const LocalPod& a, const LocalPod& b) {
    return std::tie(a.pod_namespace, a.name) < std::tie(b.pod_namespace, b.name);
  });
  return pods;
}

std::vector<BadManifest> LocalView::BadManifests() {
  std::vector<BadManifest> bad;
  const std::shared_ptr<const DesiredState> desired = parts_.sources.Current();
  if (!desired) return bad;
  for (const ManifestProblem& problem : desired->problems) bad.push_back({.file = problem.file, .error = problem.ToString(), .since = problem.since});
  return bad;
}

Result<PodWorkers::Snapshot> LocalView::Find(const std::string& pod_namespace, const std::string& pod) const {
  std::optional<PodWorkers::Snapshot> found = parts_.workers.FindByName(pod_namespace, pod);
  if (!found || !found->pod) return Error(Code::kNotFound, "pod \"{}_{}\" not found", pod, pod_namespace);
  return std::move(*found);
}

Result<KubeletView::ContainerRef> LocalView::FindPod(const std::string& pod_namespace, const std::string& pod) {
  const PodWorkers::Snapshot snapshot = KNARR_TRY(Find(pod_namespace, pod));
  for (const SandboxStatus& sandbox : snapshot.runtime.sandboxes) {
    if (!sandbox.ready) continue;
    return ContainerRef{.pod_uid = snapshot.uid, .sandbox_id = sandbox.id, .container_id = "", .log_path = "", .running = true};
  }
  return Error(Code::kNotFound, "sandbox not found for pod \"{}_{}({})\"", pod, pod_namespace, snapshot.uid);
}

Result<KubeletView::ContainerRef> LocalView::FindContainer(const std::string& pod_namespace, const std::string& pod,
                                                           const std::string& container, bool previous) {
  const PodWorkers::Snapshot snapshot = KNARR_TRY(Find(pod_namespace, pod));
  const std::string name = container.empty() ? DefaultContainer(*snapshot.pod) : container;
  if (KindOf(snapshot.pod->spec(), name).empty()) {
    return Error(Code::kBadRequest, "container \"{}\" in pod \"{}\" is not available", name, pod);
  }
  // Newest first: the present instance, then the one before it.
  std::vector<const ContainerStatus*> instances;
  for (const ContainerStatus& status : snapshot.runtime.containers) {
    if (status.name == name) instances.push_back(&status);
  }
  // While a container waits for its next start, the one that ended last is the previous one.
  size_t index = previous && !IsWaiting(snapshot.status, name) ? 1 : 0;
  // Between its end and the next start, a container that was restarted before may have lost its older instance to
  // garbage collection: what ended last is then all there is.
  if (index == 1 && instances.size() == 1 && instances[0]->state == ContainerState::kExited &&
      instances[0]->restart_count > 0)
    index = 0;
  if (previous && instances.size() <= index) {
    return Error(Code::kBadRequest, "previous terminated container \"{}\" in pod \"{}\" not found", name, pod);
  }
  if (instances.empty()) {
    return Error(Code::kBadRequest, "container \"{}\" in pod \"{}\" is waiting to start: no logs yet", name, pod);
  }
  const ContainerStatus& status = *instances[index];
  return ContainerRef{.pod_uid = snapshot.uid,
                      .sandbox_id = status.sandbox_id,
                      .container_id = status.id,
                      .log_path = status.log_path.empty() ? parts_.runtime.ContainerLogPath(*snapshot.pod, name, status.restart_count) : status.log_path,
                      .running = status.state == ContainerState::kRunning};
}

bool LocalView::ContainerRunning(const std::string& container_id) {
  for (const PodWorkers::Snapshot& snapshot : parts_.workers.List()) {
    for (const ContainerStatus& container : snapshot.runtime.containers) {
      if (container.id == container_id) return container.state == ContainerState::kRunning;
    }
  }
  return false;
}

Result<std::string> LocalView::ExecUrl(const Context& ctx, const std::string& container_id, const std::vector<std::string>& command,
                                       const StreamOptions& streams) {
  cri::v1::ExecRequest request;
  request.set_container_id(container_id);
  for (const std::string& word : command) request.add_cmd(word);
  request.set_stdin(streams.in);
  request.set_stdout(streams.out);
  request.set_stderr(streams.err);
  request.set_tty(streams.tty);
  return parts_.cri.Exec(ctx, request);
}

Result<std::string> LocalView::AttachUrl(const Context& ctx, const std::string& container_id, const StreamOptions& streams) {
  cri::v1::AttachRequest request;
  request.set_container_id(container_id);
  request.set_stdin(streams.in);
  request.set_stdout(streams.out);
  request.set_stderr(streams.err);
  request.set_tty(streams.tty);
  return parts_.cri.Attach(ctx, request);
}

Result<std::string> LocalView::PortForwardUrl(const Context& ctx, const std::string& sandbox_id, const std::vector<int32_t>& ports) {
  cri::v1::PortForwardRequest request;
  request.set_pod_sandbox_id(sandbox_id);
  for (const int32_t port : ports) request.add_port(port);
  return parts_.cri.PortForward(ctx, request);
}

Result<std::string> LocalView::RunInContainer(const Context& ctx, const std::string& container_id, const std::vector<std::string>& command) {
  const RuntimeManager::ExecResult result = KNARR_TRY(parts_.runtime.Exec(ctx, container_id, command, Duration::zero()));
  if (result.exit_code != 0) return Error(Code::kInternal, "command '{}' exited with {}: {}", fmt::join(command, " "), result.exit_code, result.output);
  return result.output;
}

Status LocalView::ShutDownPods(const Context& ctx) { return parts_.workers.ShutDownPods(ctx); }

Result<stats::Summary> LocalView::StatsSummary(const Context& ctx, bool only_cpu_and_memory) {
  return collector_.Collect(ctx, only_cpu_and_memory);
}

std::string LocalView::ConfigJson() { return parts_.options.kubelet_config_json; }

Status LocalView::SyncLoopHealthy() {
  return SyncLoopHealth(parts_.workers.LongestPass(), parts_.sources.Busy(), parts_.options.sources.sync_frequency);
}

std::vector<NodeProblem> LocalView::NodeProblems(const Context& ctx) {
  if (!parts_.network) return {};
  // Some networks are asked by running a plugin: not for everybody who looks at the pods.
  constexpr Duration kFresh = std::chrono::seconds(2);
  const std::lock_guard lock(network_mutex_);
  const MonoTime now = parts_.clock.Monotonic();
  if (!network_asked_ || now - *network_asked_ >= kFresh) {
    network_problems_ = ExplainNetwork(parts_.network->Condition(ctx));
    network_asked_ = now;
  }
  return network_problems_;
}

std::string LocalView::ProbeMetrics() { return parts_.probing.Metrics(); }

}  // namespace knarr::kubelet
