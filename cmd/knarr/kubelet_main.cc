// The kubelet's command line and signals.
#include <sys/resource.h>

#include <cstdio>

#include "cmd/knarr/programs.h"
#include "cmd/knarr/signal_stop.h"
#include "pkg/kubelet/kubelet.h"
#include "pkg/kubelet/options/options.h"

namespace knarr {
namespace {

void RaiseFileLimit(int64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t target = std::min<rlim_t>(static_cast<rlim_t>(wanted), limit.rlim_max);
  if (limit.rlim_cur >= target) return;
  limit.rlim_cur = target;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // fewer files are no reason not to start
}

}  // namespace

int KubeletMain(const std::vector<std::string>& args) {
  Result<kubelet::ParsedCommandLine> parsed = kubelet::ParseCommandLine(args);
  if (!parsed.ok()) {
    std::fprintf(stderr, "Error: %s\n", std::string(parsed.error().message()).c_str());
    return 1;
  }
  using Action = kubelet::ParsedCommandLine::Action;
  if (parsed->action == Action::kHelp || parsed->action == Action::kVersion) {
    std::fputs(parsed->text.c_str(), stdout);
    return 0;
  }
  if (parsed->action == Action::kValidateConfig) {
    std::puts("The configuration is valid.");
    return 0;
  }
  SetLogOptions(parsed->options.log);
  RaiseFileLimit(parsed->options.cgroups.max_open_files);
  const SignalStop signals;
  const Logger log;
  kubelet::Kubelet kubelet(std::move(parsed->options));
  const Status status = kubelet.Run(Context::Background().WithStop(signals.token()).WithLogger(log));
  if (status.ok()) return 0;
  log.Error(status, "Kubelet failed to start");
  std::fprintf(stderr, "Error: failed to run Kubelet: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace knarr
