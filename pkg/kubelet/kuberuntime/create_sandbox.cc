// Creating a sandbox, and coping with a name that an earlier, lost attempt still holds.
#include <algorithm>
#include <string>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/runtime_lists.h"

namespace knarr::kubelet {
namespace {

constexpr int kMaxAttempts = 5;

}  // namespace

bool IsNameConflict(const Status& error) {
  const std::string_view text = error.message();
  return text.find("failed to reserve container name") != std::string_view::npos ||
         text.find("failed to reserve sandbox name") != std::string_view::npos;
}

Result<std::string> RuntimeManagerImpl::CreateSandbox(const Context& ctx, const core::Pod& pod, cri_v1::PodSandboxConfig* config) {
  KNARR_TRY_CTX(MakeDirs(config->log_directory()), "create pod log directory for pod \"{}\"", FormatPod(pod));
  // Standing alone there are no RuntimeClass objects: the class is the runtime's handler of that name.
  const std::string& handler = pod.spec().runtimeclassname();
  Status error;
  for (int i = 0; i < kMaxAttempts; ++i) {
    const auto pass = KNARR_TRY(EnterStartGate(ctx));
    auto id = deps_.cri.RunPodSandbox(ctx, *config, handler);
    if (id.ok()) return *std::move(id);
    error = Status(id.status().code(), cri::RpcErrorText(id.status()));
    if (!IsNameConflict(error)) return error;
    const uint32_t attempt = config->metadata().attempt();
    std::string existing = KNARR_TRY(ResolveSandboxConflict(ctx, pod, attempt));
    if (!existing.empty()) return existing;
    config->mutable_metadata()->set_attempt(attempt + 1);
  }
  return error;
}

Result<std::string> RuntimeManagerImpl::ResolveSandboxConflict(const Context& ctx, const core::Pod& pod, uint32_t attempt) {
  const auto sandboxes = KNARR_TRY(deps_.cri.ListPodSandbox(ctx, SandboxesOf(pod.metadata().uid())));
  const auto it = std::find_if(sandboxes.begin(), sandboxes.end(), [&](const auto& s) { return s.metadata().attempt() == attempt; });
  if (it == sandboxes.end()) return std::string();  // still being made: leave it to the garbage collector
  if (it->state() == cri_v1::SANDBOX_READY) return it->id();
  KNARR_TRY(deps_.cri.StopPodSandbox(ctx, it->id()));
  KNARR_TRY(deps_.cri.RemovePodSandbox(ctx, it->id()));
  return std::string();
}

Result<std::vector<std::string>> RuntimeManagerImpl::SandboxAddresses(const Context& ctx, const std::string& id) {
  const auto response = KNARR_TRY(deps_.cri.PodSandboxStatus(ctx, id));
  SandboxStatus status = ToSandboxStatus(response.status());
  if (status.ready) {
    std::lock_guard lock(mutex_);
    sandboxes_[id] = status;
  }
  return std::move(status.ips);
}

}  // namespace knarr::kubelet
