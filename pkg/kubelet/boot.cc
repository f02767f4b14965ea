#include "pkg/kubelet/boot.h"

#include "pkg/base/file.h"
#include "pkg/cri/runtime.h"

namespace knarr::kubelet {
namespace {

Result<std::string> KernelBootId() {
  std::string id = KNARR_TRY(ReadFile("/proc/sys/kernel/random/boot_id", 256));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

// A failure is noted, never repeated here: a sandbox that cannot be removed must not keep the node from starting.
void RemoveSandbox(const Context& ctx, cri::CriRuntime& runtime, const cri::v1::PodSandbox& sandbox, BootReport& report) {
  Status status = runtime.StopPodSandbox(ctx, sandbox.id());
  if (!status.ok()) report.problems.push_back(fmt::format("stop sandbox {} of pod {}/{}: {}", sandbox.id(), sandbox.metadata().namespace_(), sandbox.metadata().name(), status));
  status = runtime.RemovePodSandbox(ctx, sandbox.id());
  if (!status.ok()) {
    report.problems.push_back(fmt::format("remove sandbox {} of pod {}/{}: {}", sandbox.id(), sandbox.metadata().namespace_(), sandbox.metadata().name(), status));
    return;
  }
  ++report.sandboxes_removed;
}

}  // namespace

Result<BootReport> SweepAfterBoot(const Context& ctx, cri::CriRuntime& runtime, const BootOptions& options) {
  const std::string boot_id = options.boot_id.empty() ? KNARR_TRY(KernelBootId()) : options.boot_id;
  const Result<std::string> last = ReadFile(options.state_file, 256);
  BootReport report;
  report.new_boot = !last.ok() || *last != boot_id;
  const std::vector<cri::v1::PodSandbox> sandboxes = KNARR_TRY_CTX(runtime.ListPodSandbox(ctx), "list pod sandboxes");
  for (const cri::v1::PodSandbox& sandbox : sandboxes) {
    const bool ready = sandbox.state() == cri::v1::SANDBOX_READY;
    // On the first run ever (no record) what runs may be another kubelet's doing and is left alone.
    if (report.new_boot && last.ok()) {
      RemoveSandbox(ctx, runtime, sandbox, report);
    } else if (ready) {
      report.live_sandboxes.insert(sandbox.id());
    }
  }
  if (report.new_boot) KNARR_TRY(WriteFileAtomically(options.state_file, boot_id, 0644));
  return report;
}

}  // namespace knarr::kubelet
