// The kubelet's command line and signals.
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <thread>

#include "cmd/knarr/programs.h"
#include "pkg/kubelet/kubelet.h"
#include "pkg/kubelet/options/options.h"

namespace knarr {
namespace {

// SIGTERM and SIGINT end the context. Blocked in every thread; one thread waits for them.
class SignalStop {
 public:
  SignalStop() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::sigaddset(&set_, SIGUSR2);  // ends the waiting thread itself
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this] {
      int signal = 0;
      ::sigwait(&set_, &signal);
      source_.request_stop();
    });
  }
  ~SignalStop() {
    ::pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  std::stop_token token() const { return source_.get_token(); }

 private:
  sigset_t set_{};
  std::stop_source source_;
  std::thread thread_;
};

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
