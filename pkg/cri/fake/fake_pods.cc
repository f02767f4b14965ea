// FakeRuntime's sandboxes and containers.
#include <algorithm>

#include "pkg/cri/fake/fake_state.h"

namespace knarr::cri {
namespace {

std::string SandboxName(const v1::PodSandboxMetadata& m) {
  return fmt::format("{}_{}_{}_{}", m.name(), m.namespace_(), m.uid(), m.attempt());
}

std::string ContainerName(const v1::ContainerMetadata& c, const v1::PodSandboxMetadata& p) {
  return fmt::format("{}_{}_{}_{}_{}", c.name(), p.name(), p.namespace_(), p.uid(), c.attempt());
}

std::string_view StateName(v1::ContainerState state) {
  return v1::ContainerState_Name(state);
}

Status NoSandbox() {
  return Error(Code::kNotFound, "an error occurred when try to find sandbox: not found");
}
Status NoContainer(std::string_view id) {
  return Error(Code::kNotFound, "an error occurred when try to find container \"{}\": not found", id);
}

v1::Container ToContainer(const v1::ContainerStatus& status, const std::string& sandbox_id) {
  v1::Container out;
  out.set_id(status.id());
  out.set_pod_sandbox_id(sandbox_id);
  *out.mutable_metadata() = status.metadata();
  *out.mutable_image() = status.image();
  out.set_image_ref(status.image_ref());
  out.set_state(status.state());
  out.set_created_at(status.created_at());
  *out.mutable_labels() = status.labels();
  *out.mutable_annotations() = status.annotations();
  return out;
}

v1::PodSandbox ToSandbox(const v1::PodSandboxStatus& status) {
  v1::PodSandbox out;
  out.set_id(status.id());
  *out.mutable_metadata() = status.metadata();
  out.set_state(status.state());
  out.set_created_at(status.created_at());
  *out.mutable_labels() = status.labels();
  *out.mutable_annotations() = status.annotations();
  out.set_runtime_handler(status.runtime_handler());
  return out;
}

v1::ContainerStats ToStats(const v1::ContainerStatus& status, const v1::ContainerStats* given, int64_t now) {
  v1::ContainerStats out = given != nullptr ? *given : v1::ContainerStats();
  auto* attributes = out.mutable_attributes();
  attributes->set_id(status.id());
  *attributes->mutable_metadata() = status.metadata();
  *attributes->mutable_labels() = status.labels();
  *attributes->mutable_annotations() = status.annotations();
  if (given == nullptr) {
    out.mutable_cpu()->set_timestamp(now);
    out.mutable_cpu()->mutable_usage_core_nano_seconds()->set_value(0);
    out.mutable_memory()->set_timestamp(now);
    out.mutable_memory()->mutable_working_set_bytes()->set_value(0);
  }
  return out;
}

}  // namespace

Result<std::string> FakeRuntime::RunPodSandbox(const Context& context, const v1::PodSandboxConfig& config,
                                               std::string_view runtime_handler) {
  KNARR_TRY(Enter(context, {.rpc = "RunPodSandbox", .name = config.metadata().name()}));
  const FakeLock lock(*state_);
  const std::string name = SandboxName(config.metadata());
  for (const auto& [id, other] : state_->sandboxes) {
    if (SandboxName(other.config.metadata()) == name)
      return Error(Code::kUnknown, "failed to reserve sandbox name \"{0}\": name \"{0}\" is reserved for \"{1}\"", name,
                   id);
  }
  if (config.linux().security_context().namespace_options().network() == v1::NODE && !config.hostname().empty()) {
    return Error(Code::kUnknown,
                 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
                 "failed: unable to set hostname without a private UTS namespace: unknown");
  }
  const std::string id = state_->NewId();
  State::Sandbox& sandbox = state_->sandboxes[id];
  sandbox.sequence = state_->sequence;
  sandbox.config = config;
  v1::PodSandboxStatus& status = sandbox.status;
  status.set_id(id);
  *status.mutable_metadata() = config.metadata();
  status.set_state(v1::SANDBOX_READY);
  status.set_created_at(state_->NowNanos());
  *status.mutable_labels() = config.labels();
  *status.mutable_annotations() = config.annotations();
  status.set_runtime_handler(std::string(runtime_handler));
  const auto& options = config.linux().security_context().namespace_options();
  *status.mutable_linux()->mutable_namespaces()->mutable_options() = options;
  status.mutable_network();
  if (options.network() != v1::NODE) {
    const auto given = state_->pod_ips.find(config.metadata().name());
    std::vector<std::string> ips = given != state_->pod_ips.end() ? given->second : std::vector<std::string>();
    if (ips.empty()) {
      ips.push_back(fmt::format("10.88.{}.{}", state_->next_address / 250, state_->next_address % 250));
      ++state_->next_address;
    }
    status.mutable_network()->set_ip(ips.front());
    for (size_t i = 1; i < ips.size(); ++i) status.mutable_network()->add_additional_ips()->set_ip(ips[i]);
  }
  state_->Emit(v1::CONTAINER_CREATED_EVENT, id, id);
  state_->Emit(v1::CONTAINER_STARTED_EVENT, id, id);
  return id;
}

knarr::Status FakeRuntime::StopPodSandbox(const Context& context, std::string_view sandbox_id) {
  KNARR_TRY(Enter(context, {.rpc = "StopPodSandbox", .id = std::string(sandbox_id)}));
  const FakeLock lock(*state_);
  if (auto* sandbox = state_->FindSandbox(sandbox_id)) state_->MarkNotReady(*sandbox);
  return OkStatus();
}

knarr::Status FakeRuntime::RemovePodSandbox(const Context& context, std::string_view sandbox_id) {
  KNARR_TRY(Enter(context, {.rpc = "RemovePodSandbox", .id = std::string(sandbox_id)}));
  const FakeLock lock(*state_);
  auto* sandbox = state_->FindSandbox(sandbox_id);
  if (sandbox == nullptr) return OkStatus();
  const std::string id = sandbox->status.id();
  state_->MarkNotReady(*sandbox);
  for (auto& [cid, container] : state_->containers)
    if (container.sandbox_id == id) state_->garbage.push_back(std::move(container.exit_timer));
  std::vector<std::string> gone;
  for (const auto& [cid, container] : state_->containers)
    if (container.sandbox_id == id) gone.push_back(cid);
  for (const auto& cid : gone) {
    state_->containers.erase(cid);
    state_->Emit(v1::CONTAINER_DELETED_EVENT, cid, id);
  }
  state_->sandboxes.erase(id);
  state_->Emit(v1::CONTAINER_DELETED_EVENT, id, id);
  state_->changed.notify_all();
  return OkStatus();
}

Result<v1::PodSandboxStatusResponse> FakeRuntime::PodSandboxStatus(const Context& context, std::string_view sandbox_id,
                                                                   bool verbose) {
  KNARR_TRY(Enter(context, {.rpc = "PodSandboxStatus", .id = std::string(sandbox_id)}));
  const FakeLock lock(*state_);
  const auto* sandbox = state_->FindSandbox(sandbox_id);
  if (sandbox == nullptr) return NoSandbox();
  v1::PodSandboxStatusResponse response;
  *response.mutable_status() = sandbox->status;
  if (verbose) (*response.mutable_info())["info"] = "{}";
  return response;
}

Result<std::vector<v1::PodSandbox>> FakeRuntime::ListPodSandbox(const Context& context,
                                                                const v1::PodSandboxFilter& filter) {
  KNARR_TRY(Enter(context, {.rpc = "ListPodSandbox", .id = filter.id()}));
  const FakeLock lock(*state_);
  std::vector<v1::PodSandbox> out;
  for (const State::Sandbox* sandbox : state_->InOrder(state_->sandboxes)) {
    const v1::PodSandboxStatus& status = sandbox->status;
    if (!filter.id().empty() && !status.id().starts_with(filter.id())) continue;
    if (filter.has_state() && status.state() != filter.state().state()) continue;
    if (!LabelsMatch(status.labels(), filter.label_selector())) continue;
    out.push_back(ToSandbox(status));
  }
  return out;
}

Result<std::string> FakeRuntime::CreateContainer(const Context& context, std::string_view sandbox_id,
                                                 const v1::ContainerConfig& config,
                                                 const v1::PodSandboxConfig& sandbox_config) {
  KNARR_TRY(Enter(context, {.rpc = "CreateContainer",
                            .id = std::string(sandbox_id),
                            .name = sandbox_config.metadata().name() + "/" + config.metadata().name()}));
  std::function<Program(const v1::ContainerConfig&)> make_program;
  {
    const FakeLock lock(*state_);
    make_program = state_->program;
  }
  Program program = make_program ? make_program(config) : Program();

  const FakeLock lock(*state_);
  const auto* sandbox = state_->FindSandbox(sandbox_id);
  if (sandbox == nullptr) {
    return Error(Code::kNotFound, "failed to find sandbox id \"{}\": not found", sandbox_id);
  }
  const std::string name = ContainerName(config.metadata(), sandbox->config.metadata());
  for (const auto& [id, other] : state_->containers) {
    const auto owner = state_->sandboxes.find(other.sandbox_id);
    if (owner != state_->sandboxes.end() &&
        ContainerName(other.config.metadata(), owner->second.config.metadata()) == name)
      return Error(Code::kUnknown, "failed to reserve container name \"{0}\": name \"{0}\" is reserved for \"{1}\"",
                   name, id);
  }
  const std::string wanted = NormalizeImageReference(config.image().image());
  const auto image = std::find_if(state_->images.begin(), state_->images.end(), [&](const auto& entry) {
    const auto& digests = entry.second.repo_digests();
    return entry.first == wanted || entry.second.id() == config.image().image() ||
           std::find(digests.begin(), digests.end(), config.image().image()) != digests.end();
  });
  if (image == state_->images.end())
    return Error(Code::kNotFound, "failed to resolve image \"{}\": not found", config.image().image());
  if (sandbox->status.state() != v1::SANDBOX_READY)
    return Error(Code::kUnknown,
                 "failed to get sandbox container task: no running task found: task {} not found: not found",
                 sandbox->status.id());

  const std::string id = state_->NewId();
  State::Container& container = state_->containers[id];
  container.sequence = state_->sequence;
  container.sandbox_id = sandbox->status.id();
  container.config = config;
  container.program = std::move(program);
  v1::ContainerStatus& status = container.status;
  status.set_id(id);
  *status.mutable_metadata() = config.metadata();
  status.set_state(v1::CONTAINER_CREATED);
  status.set_created_at(state_->NowNanos());
  const v1::Image& found = image->second;
  status.mutable_image()->set_image(found.repo_tags().empty() ? found.id() : found.repo_tags(0));
  status.set_image_ref(found.repo_digests().empty() ? found.id() : found.repo_digests(0));
  *status.mutable_labels() = config.labels();
  *status.mutable_annotations() = config.annotations();
  *status.mutable_mounts() = config.mounts();
  *status.mutable_resources()->mutable_linux() = config.linux().resources();
  if (!config.log_path().empty()) status.set_log_path(sandbox->config.log_directory() + "/" + config.log_path());
  state_->Emit(v1::CONTAINER_CREATED_EVENT, id, container.sandbox_id);
  return id;
}

knarr::Status FakeRuntime::StartContainer(const Context& context, std::string_view container_id) {
  KNARR_TRY(Enter(context, {.rpc = "StartContainer", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return NoContainer(container_id);
  v1::ContainerStatus& status = container->status;
  if (status.state() != v1::CONTAINER_CREATED) {
    return Error(Code::kUnknown, "failed to set starting state for container \"{}\": container is in {} state",
                 status.id(), StateName(status.state()));
  }
  const auto sandbox = state_->sandboxes.find(container->sandbox_id);
  if (sandbox == state_->sandboxes.end() || sandbox->second.status.state() != v1::SANDBOX_READY)
    return Error(Code::kUnknown, "sandbox container \"{}\" is not running", container->sandbox_id);
  status.set_started_at(state_->NowNanos());
  const Program& program = container->program;
  if (!program.start_error.ok()) {
    status.set_message(std::string(program.start_error.message()));
    state_->MarkExited(*container, 128, "StartError");
    return program.start_error;
  }
  status.set_state(v1::CONTAINER_RUNNING);
  state_->Emit(v1::CONTAINER_STARTED_EVENT, status.id(), container->sandbox_id);
  if (program.exit_code && program.runs_for <= Duration(0)) {
    state_->MarkExited(*container, *program.exit_code, {});
  } else if (program.exit_code) {
    container->exit_timer = state_->clock.RunAfter(
        program.runs_for, [this, id = status.id(), code = *program.exit_code] { ExitContainer(id, code); });
  }
  return OkStatus();
}

knarr::Status FakeRuntime::StopContainer(const Context& context, std::string_view container_id,
                                         std::chrono::seconds grace) {
  KNARR_TRY(Enter(context, {.rpc = "StopContainer", .id = std::string(container_id), .grace = grace}));
  bool due = false;
  Timer timer;  // outlives the lock
  FakeLock lock(*state_);
  auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return OkStatus();
  const std::string id = container->status.id();
  if (container->status.state() != v1::CONTAINER_RUNNING) return OkStatus();
  if (grace.count() > 0 && !container->program.ignores_stop) {
    state_->MarkExited(*container, container->program.stop_exit_code, {});
    return OkStatus();
  }
  if (grace.count() > 0) {
    timer = state_->clock.RunAfter(grace, [&] {
      const FakeLock timer_lock(*state_);
      due = true;
      state_->changed.notify_all();
    });
    const auto over = [&] {
      const auto* now = state_->FindContainer(id);
      return due || now == nullptr || now->status.state() == v1::CONTAINER_EXITED;
    };
    if (context.deadline()) {
      state_->changed.wait_until(*lock, context.stop_token(), *context.deadline(), over);
    } else {
      state_->changed.wait(*lock, context.stop_token(), over);
    }
    if (!over()) return context.Err();
    container = state_->FindContainer(id);
  }
  if (container != nullptr && container->status.state() == v1::CONTAINER_RUNNING)
    state_->MarkExited(*container, 137, {});
  return OkStatus();
}

knarr::Status FakeRuntime::RemoveContainer(const Context& context, std::string_view container_id) {
  KNARR_TRY(Enter(context, {.rpc = "RemoveContainer", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return OkStatus();
  if (container->status.state() == v1::CONTAINER_RUNNING) state_->MarkExited(*container, 137, {});
  const std::string id = container->status.id(), sandbox_id = container->sandbox_id;
  state_->garbage.push_back(std::move(container->exit_timer));
  state_->containers.erase(id);
  state_->changed.notify_all();
  state_->Emit(v1::CONTAINER_DELETED_EVENT, id, sandbox_id);
  return OkStatus();
}

Result<std::vector<v1::Container>> FakeRuntime::ListContainers(const Context& context,
                                                               const v1::ContainerFilter& filter) {
  KNARR_TRY(Enter(context, {.rpc = "ListContainers", .id = filter.id()}));
  const FakeLock lock(*state_);
  std::vector<v1::Container> out;
  for (const State::Container* container : state_->InOrder(state_->containers)) {
    const v1::ContainerStatus& status = container->status;
    if (!filter.id().empty() && !status.id().starts_with(filter.id())) continue;
    if (!filter.pod_sandbox_id().empty() && !container->sandbox_id.starts_with(filter.pod_sandbox_id())) continue;
    if (filter.has_state() && status.state() != filter.state().state()) continue;
    if (!LabelsMatch(status.labels(), filter.label_selector())) continue;
    out.push_back(ToContainer(status, container->sandbox_id));
  }
  return out;
}

Result<v1::ContainerStatusResponse> FakeRuntime::ContainerStatus(const Context& context, std::string_view container_id,
                                                                 bool verbose) {
  KNARR_TRY(Enter(context, {.rpc = "ContainerStatus", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return NoContainer(container_id);
  v1::ContainerStatusResponse response;
  *response.mutable_status() = container->status;
  if (verbose) (*response.mutable_info())["info"] = fmt::format("{{\"sandboxID\":\"{}\"}}", container->sandbox_id);
  return response;
}

knarr::Status FakeRuntime::UpdateContainerResources(const Context& context, std::string_view container_id,
                                                    const v1::LinuxContainerResources& resources) {
  KNARR_TRY(Enter(context, {.rpc = "UpdateContainerResources", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return NoContainer(container_id);
  if (container->status.state() != v1::CONTAINER_RUNNING && container->status.state() != v1::CONTAINER_CREATED)
    return Error(Code::kUnknown, "failed to update resources: container {} is in {} state", container->status.id(),
                 StateName(container->status.state()));
  *container->status.mutable_resources()->mutable_linux() = resources;
  return OkStatus();
}

knarr::Status FakeRuntime::ReopenContainerLog(const Context& context, std::string_view container_id) {
  KNARR_TRY(Enter(context, {.rpc = "ReopenContainerLog", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return NoContainer(container_id);
  if (container->status.state() != v1::CONTAINER_RUNNING) return Error(Code::kUnknown, "container is not running");
  return OkStatus();
}

Result<v1::ExecSyncResponse> FakeRuntime::ExecSync(const Context& context, std::string_view container_id,
                                                   std::span<const std::string> command, std::chrono::seconds timeout) {
  Call call{.rpc = "ExecSync",
            .id = std::string(container_id),
            .grace = timeout,
            .command = {command.begin(), command.end()}};
  KNARR_TRY(Enter(context, call));
  std::function<Result<v1::ExecSyncResponse>(const Call&)> exec;
  {
    const FakeLock lock(*state_);
    const auto* container = state_->FindContainer(container_id);
    if (container == nullptr)
      return Error(Code::kNotFound, "failed to exec in container: failed to find container \"{0}\" in store: {1}",
                   container_id, "not found");
    if (container->status.state() != v1::CONTAINER_RUNNING)
      return Error(Code::kUnknown, "failed to exec in container: container is in {} state",
                   StateName(container->status.state()));
    call.name = state_->NameOf(*container);
    exec = state_->exec;
  }
  return exec ? exec(call) : v1::ExecSyncResponse();
}

Result<std::string> FakeRuntime::Exec(const Context& context, const v1::ExecRequest& request) {
  KNARR_TRY(Enter(
      context, {.rpc = "Exec", .id = request.container_id(), .command = {request.cmd().begin(), request.cmd().end()}}));
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(request.container_id());
  if (container == nullptr)
    return Error(Code::kNotFound, "failed to find container \"{}\" in store: not found", request.container_id());
  if (container->status.state() != v1::CONTAINER_RUNNING)
    return Error(Code::kUnknown, "container is in {} state", StateName(container->status.state()));
  return fmt::format("{}/exec/{}", state_->streaming_url, HexId(++state_->next_token).substr(0, 8));
}

Result<std::string> FakeRuntime::Attach(const Context& context, const v1::AttachRequest& request) {
  KNARR_TRY(Enter(context, {.rpc = "Attach", .id = request.container_id()}));
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(request.container_id());
  if (container == nullptr) return Error(Code::kNotFound, "failed to find container in store: not found");
  if (container->status.state() != v1::CONTAINER_RUNNING)
    return Error(Code::kUnknown, "container is in {} state", StateName(container->status.state()));
  return fmt::format("{}/attach/{}", state_->streaming_url, HexId(++state_->next_token).substr(0, 8));
}

Result<std::string> FakeRuntime::PortForward(const Context& context, const v1::PortForwardRequest& request) {
  KNARR_TRY(Enter(context, {.rpc = "PortForward", .id = request.pod_sandbox_id()}));
  const FakeLock lock(*state_);
  const auto* sandbox = state_->FindSandbox(request.pod_sandbox_id());
  if (sandbox == nullptr)
    return Error(Code::kNotFound, "failed to find sandbox \"{}\": not found", request.pod_sandbox_id());
  if (sandbox->status.state() != v1::SANDBOX_READY) return Error(Code::kUnknown, "sandbox container is not running");
  return fmt::format("{}/portforward/{}", state_->streaming_url, HexId(++state_->next_token).substr(0, 8));
}

Result<v1::ContainerStats> FakeRuntime::ContainerStats(const Context& context, std::string_view container_id) {
  KNARR_TRY(Enter(context, {.rpc = "ContainerStats", .id = std::string(container_id)}));
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(container_id);
  if (container == nullptr) return Error(Code::kNotFound, "failed to find container: not found");
  const auto given = state_->stats.find(container->status.id());
  return ToStats(container->status, given != state_->stats.end() ? &given->second : nullptr, state_->NowNanos());
}

Result<std::vector<v1::ContainerStats>> FakeRuntime::ListContainerStats(const Context& context,
                                                                        const v1::ContainerStatsFilter& filter) {
  KNARR_TRY(Enter(context, {.rpc = "ListContainerStats", .id = filter.id()}));
  const FakeLock lock(*state_);
  std::vector<v1::ContainerStats> out;
  for (const State::Container* container : state_->InOrder(state_->containers)) {
    const v1::ContainerStatus& status = container->status;
    if (status.state() != v1::CONTAINER_RUNNING) continue;
    if (!filter.id().empty() && !status.id().starts_with(filter.id())) continue;
    if (!filter.pod_sandbox_id().empty() && !container->sandbox_id.starts_with(filter.pod_sandbox_id())) continue;
    if (!LabelsMatch(status.labels(), filter.label_selector())) continue;
    const auto given = state_->stats.find(status.id());
    out.push_back(ToStats(status, given != state_->stats.end() ? &given->second : nullptr, state_->NowNanos()));
  }
  return out;
}

Result<v1::PodSandboxStats> FakeRuntime::PodSandboxStats(const Context& context, std::string_view sandbox_id) {
  v1::PodSandboxStatsFilter filter;
  filter.set_id(std::string(sandbox_id));
  auto all = KNARR_TRY(ListPodSandboxStats(context, filter));
  if (all.empty()) return NoSandbox();
  return std::move(all.front());
}

Result<std::vector<v1::PodSandboxStats>> FakeRuntime::ListPodSandboxStats(const Context& context,
                                                                          const v1::PodSandboxStatsFilter& filter) {
  KNARR_TRY(Enter(context, {.rpc = "ListPodSandboxStats", .id = filter.id()}));
  const FakeLock lock(*state_);
  std::vector<v1::PodSandboxStats> out;
  for (const State::Sandbox* sandbox : state_->InOrder(state_->sandboxes)) {
    const v1::PodSandboxStatus& status = sandbox->status;
    if (status.state() != v1::SANDBOX_READY) continue;
    if (!filter.id().empty() && !status.id().starts_with(filter.id())) continue;
    if (!LabelsMatch(status.labels(), filter.label_selector())) continue;
    v1::PodSandboxStats& stats = out.emplace_back();
    stats.mutable_attributes()->set_id(status.id());
    *stats.mutable_attributes()->mutable_metadata() = status.metadata();
    *stats.mutable_attributes()->mutable_labels() = status.labels();
    *stats.mutable_attributes()->mutable_annotations() = status.annotations();
    for (const auto& [id, container] : state_->containers) {
      if (container.sandbox_id != status.id() || container.status.state() != v1::CONTAINER_RUNNING) continue;
      const auto given = state_->stats.find(id);
      *stats.mutable_linux()->add_containers() =
          ToStats(container.status, given != state_->stats.end() ? &given->second : nullptr, state_->NowNanos());
    }
  }
  return out;
}

}  // namespace knarr::cri
