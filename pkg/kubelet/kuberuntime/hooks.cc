// postStart and preStop hooks. Mirrors: pkg/kubelet/lifecycle/handlers.go
#include <algorithm>

#include "pkg/kubelet/kuberuntime/long_wait.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/wait.h"

namespace knarr::kubelet {
namespace {

std::string Words(const core::ExecAction& action) {
  std::string out = "[";
  for (const std::string& word : action.command()) {
    if (out.size() > 1) out += ' ';
    out += word;
  }
  return out + "]";
}

}  // namespace

Status RuntimeManagerImpl::RunHook(const Context& ctx, const core::Pod& pod, const core::Container& container, const std::string& id,
                                   const core::LifecycleHandler& hook, const std::vector<std::string>& pod_ips,
                                   std::optional<Duration> limit) {
  const auto failed = [&](std::string_view kind, std::string_view what, std::string_view error, std::string_view output) {
    return Error(Code::kUnknown, "{} lifecycle hook ({}) for Container \"{}\" in Pod \"{}\" failed - error: {}, message: \"{}\"", kind,
                 what, container.name(), FormatPod(pod), error, output);
  };
  const LongWait wait(deps_.long_wait, pod.metadata().uid());
  if (hook.has_exec()) {
    const std::vector<std::string> command(hook.exec().command().begin(), hook.exec().command().end());
    const auto result = Exec(ctx, id, command, limit.value_or(Duration::zero()));
    if (!result.ok()) return failed("Exec", Words(hook.exec()), result.status().message(), "");
    if (result->exit_code == 0) return OkStatus();
    std::string line;
    for (const std::string& word : command) line += (line.empty() ? "" : " ") + word;
    return failed("Exec", Words(hook.exec()), fmt::format("command '{}' exited with {}", line, result->exit_code), result->output);
  }
  if (hook.has_httpget()) {
    if (!deps_.http_get_hook) return failed("HTTP", hook.httpget().path(), "no HTTP client", "");
    HookTarget target{pod_ips.empty() ? std::string() : pod_ips.front(), {}};
    for (const core::ContainerPort& port : container.ports()) {
      if (!port.name().empty()) target.named_ports[port.name()] = port.containerport();
    }
    const Context bounded = limit ? ctx.WithTimeout(*limit) : ctx;
    const Status error = deps_.http_get_hook(bounded, hook.httpget(), target);
    return error.ok() ? error : failed("HTTP", hook.httpget().path(), error.message(), "");
  }
  if (hook.has_sleep()) {
    const Duration wanted = std::chrono::seconds(hook.sleep().seconds());
    return SleepOn(deps_.clock, ctx, limit ? std::min(wanted, *limit) : wanted);
  }
  return Error(Code::kInvalid, "Cannot run handler: invalid handler");
}

}  // namespace knarr::kubelet
