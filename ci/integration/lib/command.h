// Runs a program for a test and collects what it prints.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::testing {

// Standard output and error together; an exit code other than 0 is an error that carries them. environment entries
// ("NAME=value") are added to the test's own. Kills the program after the timeout.
Result<std::string> RunCommand(const std::vector<std::string>& command,
                               const std::vector<std::string>& environment = {},
                               std::chrono::seconds timeout = std::chrono::seconds(60));

// A program in the background: killed (SIGTERM, then SIGKILL) and reaped when the object goes. Its output goes to
// the file.
class BackgroundCommand {
 public:
  static Result<BackgroundCommand> Start(const std::vector<std::string>& command, const std::string& output_file,
                                         const std::vector<std::string>& environment = {});
  BackgroundCommand(BackgroundCommand&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  BackgroundCommand& operator=(BackgroundCommand&& other) noexcept;
  ~BackgroundCommand() { Stop(); }
  pid_t pid() const { return pid_; }
  void Stop();

 private:
  explicit BackgroundCommand(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

// A TCP port of 127.0.0.1 that is free at this moment, for programs that cannot be told to choose one.
int FreePort();

// The root of the source tree, found through the test's own runfiles.
std::string SourceRoot();

}  // namespace knarr::testing
