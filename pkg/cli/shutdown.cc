// knarr shutdown: every pod ends, dependents before what they come after, within their grace periods.
#include <cstdio>

#include "pkg/cli/arguments.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/client.h"

namespace knarr::cli {

int ShutdownMain(const std::vector<std::string>& args) {
  Arguments arguments("knarr shutdown [flags]", "Stops all pods of this machine, dependents first (knarr.dev/after in reverse). The kubelet starts none until it is restarted.");
  std::chrono::nanoseconds timeout = std::chrono::minutes(2);
  arguments.flags().Duration(&timeout, "timeout", "How long to wait.");
  if (const auto code = arguments.Parse(args)) return *code;
  const Context ctx = Context::Background().WithTimeout(timeout + std::chrono::seconds(5));
  const std::string target = fmt::format("/knarr/v1/shutdown?timeoutSeconds={}", std::chrono::ceil<std::chrono::seconds>(timeout).count());
  const Status status = KubeletClient(arguments.socket).Post(ctx, target);
  if (!status.ok()) return Fail(status);
  std::puts("All pods have ended.");
  return 0;
}

}  // namespace knarr::cli
