#include "pkg/kubelet/probing.h"

#include "pkg/kubelet/status/generate.h"

namespace knarr::kubelet {

Probing::Probing(ElasticPool& pool, Clock& clock, EventRecorder& events, Logger log) : events_(events) {
  ProbeManager::Options options;
  options.state = [this](const std::string& uid) { return StateOf(uid); };
  options.exec = [this](const Context& ctx, const std::string& id, const std::vector<std::string>& command) -> Result<ExecOutput> {
    RuntimeManager* runtime = runtime_;
    if (!runtime) return Error(Code::kServiceUnavailable, "the kubelet is starting");
    const RuntimeManager::ExecResult result = KNARR_TRY(runtime->Exec(ctx, id, command, ctx.Remaining().value_or(Duration::zero())));
    return ExecOutput{.exit_code = result.exit_code, .output = result.output};
  };
  options.on_update = [this](const ProbeManager::Update& update) {
    if (PodWorkers* workers = workers_) workers->Wake(update.pod_uid, /*relist=*/false);
  };
  options.on_event = [this](const ProbeManager::Event& event) {
    events_.Record(RefOf(event.pod_uid, event.container), EventType::kWarning, event.reason, event.message);
  };
  manager_ = std::make_unique<ProbeManager>(std::move(options), pool, clock, std::move(log));
}

Probing::~Probing() = default;

void Probing::Connect(PodWorkers& workers, RuntimeManager& runtime) {
  runtime_ = &runtime;
  workers_ = &workers;
}

void Probing::AddPod(const core::Pod& pod) { manager_->AddPod(pod); }
void Probing::StopLivenessAndStartup(const std::string& pod_uid) { manager_->StopLivenessAndStartup(pod_uid); }
void Probing::RemovePod(const std::string& pod_uid) { manager_->RemovePod(pod_uid); }
void Probing::Notify(const std::string& pod_uid) { manager_->Notify(pod_uid); }

namespace {

std::optional<bool> Truth(std::optional<ProbeResult> result) {
  if (!result || *result == ProbeResult::kUnknown) return std::nullopt;
  return *result == ProbeResult::kSuccess;
}

}  // namespace

std::optional<bool> Probing::Live(const std::string& container_id) const { return Truth(manager_->Get(ProbeType::kLiveness, container_id)); }
std::optional<bool> Probing::Started(const std::string& container_id) const { return Truth(manager_->Get(ProbeType::kStartup, container_id)); }

std::optional<ProbePodState> Probing::StateOf(const std::string& uid) const {
  PodWorkers* workers = workers_;
  if (!workers) return std::nullopt;
  const std::optional<PodWorkers::Snapshot> pod = workers->Get(uid);
  if (!pod) return std::nullopt;
  ProbePodState state;
  state.pod_ip = pod->status.podip();
  state.finished = pod->phase == PodWorkers::Phase::kFinished;
  state.terminating = pod->phase == PodWorkers::Phase::kTerminating;
  // Newest first: the first of a name is the one that counts.
  for (const ContainerStatus& container : pod->runtime.containers) {
    state.containers.try_emplace(container.name, ProbeContainerState{.id = container.id,
                                                                     .running = container.state == ContainerState::kRunning,
                                                                     .terminated = container.state == ContainerState::kExited,
                                                                     .started_at = container.started_at});
  }
  return state;
}

ObjectRef Probing::RefOf(const std::string& uid, const std::string& container) const {
  ObjectRef ref{.kind = "Pod", .ns = "", .name = uid, .uid = uid, .field_path = fmt::format("spec.containers{{{}}}", container)};
  PodWorkers* workers = workers_;
  if (!workers) return ref;
  if (const std::optional<PodWorkers::Snapshot> pod = workers->Get(uid)) {
    ref.ns = pod->ns;
    ref.name = pod->name;
  }
  return ref;
}

core::PodStatus Probing::GenerateStatus(const StatusInput& input, const std::vector<std::string>& host_ips, WallTime now) const {
  return GeneratePodStatus(
      input.pod, input.runtime, input.waiting, [&](core::PodStatus* status) { manager_->UpdatePodStatus(input.pod, status); },
      {.now = now, .host_ips = host_ips, .terminal = input.terminal}, input.old_status);
}

std::string Probing::Metrics() const { return manager_->metrics().Expose(); }

}  // namespace knarr::kubelet
