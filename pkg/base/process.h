// Child processes: run one, feed it, bound what it says, and be sure that it is gone. No shell is involved.
//
//   ProcessSpec spec;
//   spec.path = "/usr/sbin/iptables-save";
//   spec.env = {"PATH=/usr/sbin:/usr/bin"};
//   const ProcessResult done = KNARR_TRY(RunProcess(ctx.WithTimeout(5s), spec));
//   if (!done.Succeeded()) return done.ToStatus("iptables-save");
//
// Nothing leaks into the child: no descriptor but 0, 1, 2 and those named in `fds`, no environment but `env`, default
// signal handlers, an empty signal mask, a process group of its own. The caller's memory is not copied (vfork
// semantics), so this is cheap in a large process.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr {

struct ProcessSpec {
  std::string path;                // the executable; PATH is not searched (FindExecutable does that)
  std::vector<std::string> argv;   // with argv[0]; empty: just the path
  std::vector<std::string> env;    // "KEY=value", the whole environment
  std::string stdin_data;          // empty: /dev/null. Given as an in-memory file, so no size deadlocks.
  std::string working_dir;         // empty: "/"
  std::vector<std::pair<int, int>> fds;  // {our descriptor, number in the child (>= 3)}
  size_t stdout_limit = 1 << 20;   // bytes kept; what comes beyond is read and dropped
  size_t stderr_limit = 64 << 10;
  // On cancellation the process group gets SIGTERM, and after this long SIGKILL.
  std::chrono::milliseconds kill_grace = std::chrono::seconds(2);
  // The kernel kills the child when the calling thread (so also: the process) dies.
  bool die_with_parent = false;
};

struct ProcessResult {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;      // the signal that ended it, or 0
  std::string out, err;
  bool out_truncated = false, err_truncated = false;
  std::chrono::nanoseconds took{};

  bool Succeeded() const { return exit_code == 0; }
  // "exit status 1" or "signal: killed", in Go's words.
  std::string ExitText() const;
  // OK after success; else kInternal "<name>: exit status 1: <last line of stderr>".
  Status ToStatus(std::string_view name) const;
};

// Blocks until the child is gone and reaped. An error means that it could not be started (kNotFound, kForbidden ...)
// or that the Context ended first (kCancelled, kTimeout; the child is gone then too); a child that fails is a result.
Result<ProcessResult> RunProcess(const Context& ctx, const ProcessSpec& spec);

// The first executable regular file with this name in the directories; kNotFound names both.
Result<std::string> FindExecutable(std::string_view name, const std::vector<std::string>& directories);
// The same in $PATH, or in the usual system directories when PATH is not set.
Result<std::string> FindInPath(std::string_view name);

}  // namespace knarr
