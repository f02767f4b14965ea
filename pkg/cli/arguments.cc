#include "pkg/cli/arguments.h"

#include <cstdio>

#include "pkg/cli/client.h"

namespace knarr::cli {

Arguments::Arguments(std::string usage, std::string summary) : socket(DefaultSocket()), usage_(std::move(usage)), summary_(std::move(summary)) {
  flags_.Bool(&help_, "help", "help for this command").Shorthand('h');
  flags_.String(&socket, "socket", "The kubelet's unix socket; also KNARR_SOCKET.");
  flags_.String(&ns, "namespace", "The namespace of the pod (without it: default).").Shorthand('n');
}

std::optional<int> Arguments::Parse(const std::vector<std::string>& args) {
  Status status = flags_.Parse(args, &words);
  if (status.ok()) status = flags_.Apply();
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\nSee '%s --help' for usage.\n", std::string(status.message()).c_str(), usage_.substr(0, usage_.find(' ', 6)).c_str());
    return 1;
  }
  if (!help_) return std::nullopt;
  std::printf("%s\n\nUsage:\n  %s\n\n%s", summary_.c_str(), usage_.c_str(), flags_.Usages().c_str());
  return 0;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace knarr::cli
