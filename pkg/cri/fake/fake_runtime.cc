#include "pkg/cri/fake/fake_runtime.h"

#include <algorithm>

#include "pkg/cri/fake/fake_state.h"

namespace knarr::cri {
namespace {

constexpr size_t kEventBuffer = 1000;  // containerd's

}  // namespace

std::string HexId(uint64_t seed) {
  std::string out;
  for (uint64_t word = 0; word < 4; ++word) {  // splitmix64
    uint64_t z = seed * 4 + word + 0x9e3779b97f4a7c15ULL * (seed + word + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    out += fmt::format("{:016x}", z ^ (z >> 31));
  }
  return out;
}

bool LabelsMatch(const google::protobuf::Map<std::string, std::string>& labels,
                 const google::protobuf::Map<std::string, std::string>& selector) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& want) {
    const auto found = labels.find(want.first);
    return found != labels.end() && found->second == want.second;
  });
}

int64_t FakeRuntime::State::NowNanos() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock.Now().time_since_epoch()).count();
}

std::string FakeRuntime::State::NewId() {
  return HexId(++sequence);
}

namespace {
template <typename Map>
auto* FindByPrefix(Map& map, std::string_view id) {
  using Value = typename Map::mapped_type;
  const auto first = map.lower_bound(id);
  if (id.empty() || first == map.end() || !first->first.starts_with(id)) return static_cast<Value*>(nullptr);
  const auto second = std::next(first);
  const bool ambiguous = first->first != id && second != map.end() && second->first.starts_with(id);
  return ambiguous ? nullptr : &first->second;
}
}  // namespace

FakeRuntime::State::Sandbox* FakeRuntime::State::FindSandbox(std::string_view id) {
  return FindByPrefix(sandboxes, id);
}
FakeRuntime::State::Container* FakeRuntime::State::FindContainer(std::string_view id) {
  return FindByPrefix(containers, id);
}

std::string FakeRuntime::State::NameOf(const Container& container) const {
  const auto sandbox = sandboxes.find(container.sandbox_id);
  const std::string pod = sandbox == sandboxes.end() ? std::string() : sandbox->second.config.metadata().name();
  return pod + "/" + container.config.metadata().name();
}

void FakeRuntime::State::Emit(v1::ContainerEventType type, const std::string& id, const std::string& sandbox_id) {
  if (!available || !events_supported || events.size() >= kEventBuffer) return;
  v1::ContainerEventResponse event;
  event.set_container_id(id);
  event.set_container_event_type(type);
  event.set_created_at(NowNanos());
  if (const auto sandbox = sandboxes.find(sandbox_id); sandbox != sandboxes.end()) {
    *event.mutable_pod_sandbox_status() = sandbox->second.status;
    for (const auto& [cid, container] : containers)
      if (container.sandbox_id == sandbox_id) *event.add_containers_statuses() = container.status;
  }
  events.push_back(std::move(event));
  changed.notify_all();
}

void FakeRuntime::State::MarkExited(Container& container, int exit_code, const std::string& reason) {
  garbage.push_back(std::move(container.exit_timer));
  if (container.status.state() == v1::CONTAINER_EXITED) return;
  container.status.set_state(v1::CONTAINER_EXITED);
  container.status.set_exit_code(exit_code);
  container.status.set_finished_at(NowNanos());
  container.status.set_reason(!reason.empty() ? reason : exit_code == 0 ? "Completed" : "Error");
  changed.notify_all();
  Emit(v1::CONTAINER_STOPPED_EVENT, container.status.id(), container.sandbox_id);
}

void FakeRuntime::State::MarkNotReady(Sandbox& sandbox) {
  if (sandbox.status.state() == v1::SANDBOX_NOTREADY) return;
  for (auto& [id, container] : containers)
    if (container.sandbox_id == sandbox.status.id() && container.status.state() == v1::CONTAINER_RUNNING)
      MarkExited(container, 137, {});
  sandbox.status.set_state(v1::SANDBOX_NOTREADY);
  Emit(v1::CONTAINER_STOPPED_EVENT, sandbox.status.id(), sandbox.status.id());
}

FakeRuntime::FakeRuntime(Clock& clock) : state_(std::make_unique<State>(clock)) {
  for (const char* type : {"RuntimeReady", "NetworkReady"}) {
    v1::RuntimeCondition condition;
    condition.set_type(type);
    condition.set_status(true);
    state_->conditions.push_back(std::move(condition));
  }
}

FakeRuntime::~FakeRuntime() {
  const FakeLock lock(*state_);
  for (auto& [id, container] : state_->containers) state_->garbage.push_back(std::move(container.exit_timer));
}

// Logs the call, then fails it where the test or the state of the world wants that.
Status FakeRuntime::Enter(const Context& context, Call call) {
  std::function<Status(const Context&, const Call&)> hook;
  {
    FakeLock lock(*state_);
    if (!call.id.empty() && call.name.empty()) {
      if (const auto* container = state_->FindContainer(call.id)) call.name = state_->NameOf(*container);
      if (const auto* sandbox = state_->FindSandbox(call.id)) call.name = sandbox->config.metadata().name();
    }
    state_->calls.push_back(call);
    if (context.Done()) return context.Err();
    if (!state_->available)
      return Error(Code::kServiceUnavailable,
                   "failed to connect to all addresses; last error: UNKNOWN: unix:/run/containerd/containerd.sock: "
                   "Connection refused");
    if (const auto failing = state_->failures.find(call.rpc);
        failing != state_->failures.end() && !failing->second.empty()) {
      const Status error = failing->second.front();
      failing->second.pop_front();
      return error;
    }
    if (const auto found = state_->hooks.find(call.rpc); found != state_->hooks.end()) hook = found->second;
  }
  return hook ? hook(context, call) : OkStatus();
}

void FakeRuntime::SetProgram(std::function<Program(const v1::ContainerConfig&)> program) {
  const FakeLock lock(*state_);
  state_->program = std::move(program);
}

void FakeRuntime::SetExec(std::function<Result<v1::ExecSyncResponse>(const Call&)> exec) {
  const FakeLock lock(*state_);
  state_->exec = std::move(exec);
}

void FakeRuntime::SetPodIPs(const std::string& pod, std::vector<std::string> ips) {
  const FakeLock lock(*state_);
  state_->pod_ips[pod] = std::move(ips);
}

void FakeRuntime::SetStats(const std::string& container_id, v1::ContainerStats stats) {
  const FakeLock lock(*state_);
  state_->stats[container_id] = std::move(stats);
}

void FakeRuntime::SetListOrder(ListOrder order) {
  const FakeLock lock(*state_);
  state_->order = order;
}

void FakeRuntime::SetEventsSupported(bool supported) {
  const FakeLock lock(*state_);
  state_->events_supported = supported;
}

void FakeRuntime::SetStreamingUrl(std::string base) {
  const FakeLock lock(*state_);
  state_->streaming_url = std::move(base);
}

void FakeRuntime::SetCondition(const std::string& type, bool status, const std::string& reason,
                               const std::string& message) {
  const FakeLock lock(*state_);
  auto& all = state_->conditions;
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.type() == type; });
  if (found == all.end()) found = all.insert(all.end(), v1::RuntimeCondition());
  found->set_type(type);
  found->set_status(status);
  found->set_reason(reason);
  found->set_message(message);
}

void FakeRuntime::FailNext(const std::string& rpc, Status error, int times) {
  const FakeLock lock(*state_);
  for (int i = 0; i < times; ++i) state_->failures[rpc].push_back(error);
}

void FakeRuntime::SetHook(const std::string& rpc, std::function<Status(const Context&, const Call&)> hook) {
  const FakeLock lock(*state_);
  if (hook) {
    state_->hooks[rpc] = std::move(hook);
  } else {
    state_->hooks.erase(rpc);
  }
}

void FakeRuntime::SetAvailable(bool available) {
  const FakeLock lock(*state_);
  if (state_->available && !available) ++state_->connection;
  state_->available = available;
  state_->changed.notify_all();
}

void FakeRuntime::ExitContainer(const std::string& container_id, int exit_code, const std::string& reason) {
  const FakeLock lock(*state_);
  if (auto* container = state_->FindContainer(container_id)) state_->MarkExited(*container, exit_code, reason);
}

void FakeRuntime::KillSandbox(const std::string& sandbox_id) {
  const FakeLock lock(*state_);
  if (auto* sandbox = state_->FindSandbox(sandbox_id)) state_->MarkNotReady(*sandbox);
}

void FakeRuntime::Reboot() {
  const FakeLock lock(*state_);
  for (auto& [id, container] : state_->containers)
    if (container.status.state() == v1::CONTAINER_RUNNING) state_->MarkExited(container, 255, "Unknown");
  for (auto& [id, sandbox] : state_->sandboxes) sandbox.status.set_state(v1::SANDBOX_NOTREADY);
  state_->events.clear();
}

std::vector<Call> FakeRuntime::Calls() const {
  const FakeLock lock(*state_);
  return state_->calls;
}

std::vector<Call> FakeRuntime::CallsOf(std::string_view rpc) const {
  std::vector<Call> out = Calls();
  std::erase_if(out, [&](const Call& call) { return call.rpc != rpc; });
  return out;
}

void FakeRuntime::ClearCalls() {
  const FakeLock lock(*state_);
  state_->calls.clear();
}

std::optional<v1::ContainerStatus> FakeRuntime::FindContainer(std::string_view name) const {
  const FakeLock lock(*state_);
  const State::Container* newest = nullptr;
  for (const auto& [id, container] : state_->containers) {
    if (container.config.metadata().name() != name && state_->NameOf(container) != name) continue;
    if (newest == nullptr || container.sequence > newest->sequence) newest = &container;
  }
  return newest != nullptr ? std::optional(newest->status) : std::nullopt;
}

std::optional<v1::PodSandboxStatus> FakeRuntime::FindSandbox(std::string_view pod) const {
  const FakeLock lock(*state_);
  const State::Sandbox* newest = nullptr;
  for (const auto& [id, sandbox] : state_->sandboxes) {
    if (sandbox.config.metadata().name() != pod) continue;
    if (newest == nullptr || sandbox.sequence > newest->sequence) newest = &sandbox;
  }
  return newest != nullptr ? std::optional(newest->status) : std::nullopt;
}

std::optional<v1::ContainerConfig> FakeRuntime::ContainerConfigOf(const std::string& container_id) const {
  const FakeLock lock(*state_);
  const auto* container = state_->FindContainer(container_id);
  return container != nullptr ? std::optional(container->config) : std::nullopt;
}

std::optional<v1::PodSandboxConfig> FakeRuntime::SandboxConfigOf(const std::string& sandbox_id) const {
  const FakeLock lock(*state_);
  const auto* sandbox = state_->FindSandbox(sandbox_id);
  return sandbox != nullptr ? std::optional(sandbox->config) : std::nullopt;
}

Result<v1::VersionResponse> FakeRuntime::Version(const Context& context) {
  KNARR_TRY(Enter(context, {.rpc = "Version"}));
  v1::VersionResponse response;
  response.set_version("0.1.0");
  response.set_runtime_name("containerd");
  response.set_runtime_version("1.7.24");
  response.set_runtime_api_version("v1");
  return response;
}

Result<v1::StatusResponse> FakeRuntime::GetStatus(const Context& context, bool verbose) {
  KNARR_TRY(Enter(context, {.rpc = "GetStatus"}));
  const FakeLock lock(*state_);
  v1::StatusResponse response;
  for (const auto& condition : state_->conditions) *response.mutable_status()->add_conditions() = condition;
  if (verbose) (*response.mutable_info())["config"] = "{}";
  return response;
}

knarr::Status FakeRuntime::UpdateRuntimeConfig(const Context& context, const v1::RuntimeConfig&) {
  return Enter(context, {.rpc = "UpdateRuntimeConfig"});
}

knarr::Status FakeRuntime::GetContainerEvents(const Context& context, const std::function<void()>& on_connected,
                                              const std::function<void(v1::ContainerEventResponse&&)>& on_event) {
  KNARR_TRY(Enter(context, {.rpc = "GetContainerEvents"}));
  uint64_t connection = 0;
  {
    const FakeLock lock(*state_);
    if (!state_->events_supported) return Error(Code::kUnimplemented, "method GetContainerEvents not implemented");
    connection = state_->connection;
  }
  if (on_connected) on_connected();
  while (true) {
    v1::ContainerEventResponse event;
    {
      FakeLock lock(*state_);
      const auto ready = [&] { return !state_->events.empty() || state_->connection != connection; };
      if (context.deadline()) {
        state_->changed.wait_until(*lock, context.stop_token(), *context.deadline(), ready);
      } else {
        state_->changed.wait(*lock, context.stop_token(), ready);
      }
      if (context.Done()) return context.Err();
      if (state_->connection != connection) return Error(Code::kServiceUnavailable, "error reading from server: EOF");
      if (state_->events.empty()) continue;
      event = std::move(state_->events.front());
      state_->events.pop_front();
    }
    on_event(std::move(event));
  }
}

}  // namespace knarr::cri
