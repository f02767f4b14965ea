// The API server's command line and signals.
#include <sys/resource.h>

#include <cstdio>

#include "cmd/knarr/programs.h"
#include "cmd/knarr/signal_stop.h"
#include "pkg/apiserver/options/options.h"
#include "pkg/apiserver/server/server.h"

namespace knarr {
namespace {

// One descriptor for each connection: as many as the system lets us have.
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // fewer files are no reason not to start
}

int Fail(const Status& status) {
  std::fprintf(stderr, "Error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int ApiServerMain(const std::vector<std::string>& args) {
  auto parsed = apiserver::ParseCommandLine(args);
  if (!parsed.ok()) return Fail(parsed.error());
  if (parsed->action != apiserver::ParsedCommandLine::Action::kRun) {
    std::fputs(parsed->text.c_str(), stdout);
    return 0;
  }
  SetLogOptions(parsed->options.log);
  const Logger log;
  for (const std::string& warning : parsed->warnings) log.Info("Command line", {{"warning", warning}});
  RaiseFileLimit();
  const SignalStop signals;
  auto server = apiserver::ApiServer::New(std::move(parsed->options), log);
  if (!server.ok()) return Fail(server.error());
  const Status status = (*server)->Run(Context::Background().WithStop(signals.token()).WithLogger(log));
  return status.ok() ? 0 : Fail(status);
}

}  // namespace knarr
