// knarr: every program of the node in one executable. The name it is called by chooses the program (`kubelet` is a link
// to it); called as `knarr`, the first word does (`knarr kubelet ...`).
#include <malloc.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/knarr/programs.h"
#include "pkg/base/file.h"

namespace {

void PrintHelp() {
  std::fputs(
      "knarr: a Kubernetes node appliance\n\nUsage:\n  knarr <program or command> [flags]\n\nPrograms (also callable by their own name):\n", stdout);
  for (const knarr::Program& program : knarr::Programs()) {
    if (program.daemon) std::printf("  %-12s %s\n", program.name, program.summary);
  }
  std::fputs("\nCommands for the kubelet of this machine:\n", stdout);
  for (const knarr::Program& program : knarr::Programs()) {
    if (!program.daemon) std::printf("  %-12s %s\n", program.name, program.summary);
  }
  std::fputs("\nUse \"knarr <program or command> --help\" for more.\n", stdout);
}

int RunProgram(std::string_view name, const std::vector<std::string>& args) {
  for (const knarr::Program& program : knarr::Programs()) {
    if (name == program.name) return program.main(args);
  }
  std::fprintf(stderr, "knarr: unknown command \"%.*s\"\nRun 'knarr --help' for usage.\n", static_cast<int>(name.size()), name.data());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  // One arena more than needed costs more memory than it saves time here.
  ::mallopt(M_ARENA_MAX, 2);
  const std::string_view called = argc > 0 ? knarr::BaseName(argv[0]) : "knarr";
  std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (called != "knarr") return RunProgram(called, args);
  if (args.empty() || args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    PrintHelp();
    return args.empty() ? 1 : 0;
  }
  const std::string name = args[0];
  args.erase(args.begin());
  return RunProgram(name, args);
}
