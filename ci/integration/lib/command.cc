#include "ci/integration/lib/command.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <memory>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/base/unique_fd.h"

extern char** environ;

namespace knarr::testing {
namespace {

using Clock = std::chrono::steady_clock;

// In a process group of its own, so that a timeout takes its children along.
Result<pid_t> Spawn(const std::vector<std::string>& command, int output, const std::vector<std::string>& extra) {
  std::vector<char*> arguments, environment;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  for (const auto& entry : extra) environment.push_back(const_cast<char*>(entry.c_str()));
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoError(error, "cannot start {}", command[0]);
  return pid;
}

}  // namespace

Result<std::string> RunCommand(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                               std::chrono::seconds timeout) {
  // A file, not a pipe: what the program leaves running in the background may keep its output open.
  std::string path = "/tmp/knarr-command.XXXXXX";
  const UniqueFd output(::mkostemp(path.data(), O_CLOEXEC));
  if (!output) return ErrnoError(errno, "cannot make a temporary file");
  ::unlink(path.c_str());
  const pid_t pid = KNARR_TRY(Spawn(command, output.get(), environment));
  const auto end = Clock::now() + timeout;
  int status = 0;
  bool late = false;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (!late && Clock::now() >= end) {
      late = true;
      ::kill(-pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::lseek(output.get(), 0, SEEK_SET);
  std::string text = ReadFd(output.get(), 16 << 20, command[0]).value_or("");
  if (late) return Error(Code::kTimeout, "{} ran longer than {} s: {}", command[0], timeout.count(), text);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Error(Code::kUnknown, "{} failed ({} {}): {}", command[0], WIFEXITED(status) ? "exit code" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), text);
  return text;
}

Result<BackgroundCommand> BackgroundCommand::Start(const std::vector<std::string>& command,
                                                   const std::string& output_file,
                                                   const std::vector<std::string>& environment) {
  const UniqueFd output = KNARR_TRY(OpenFile(output_file, O_WRONLY | O_CREAT | O_APPEND, 0644));
  return BackgroundCommand(KNARR_TRY(Spawn(command, output.get(), environment)));
}

BackgroundCommand& BackgroundCommand::operator=(BackgroundCommand&& other) noexcept {
  if (this != &other) {
    Stop();
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

void BackgroundCommand::Stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const auto end = Clock::now() + std::chrono::seconds(5);
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (Clock::now() >= end) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = -1;
}

int FreePort() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  KNARR_CHECK(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  KNARR_CHECK(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

std::string SourceRoot() {
  // Runfiles are links into the source tree.
  constexpr std::string_view kAnchor = "/ci/lib/containerd.sh";
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(kAnchor.substr(1).data(), nullptr), &::free);
  KNARR_CHECK(real != nullptr);
  const std::string path = real.get();
  return path.substr(0, path.size() - kAnchor.size());
}

}  // namespace knarr::testing
