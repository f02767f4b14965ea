#include "pkg/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <stop_token>

#include <fmt/format.h>

#include "pkg/base/file.h"
#include "pkg/base/unique_fd.h"

// glibc's clone under the name that ThreadSanitizer does not intercept: it takes every clone for a fork, which forbids threads.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept;

namespace knarr {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kChildStack = 64 << 10;
constexpr int kFirstHighFd = 64;

// ---- the child's side. It shares our memory until exec (CLONE_VM) while our thread is stopped (CLONE_VFORK), so it
// calls nothing but system calls and touches nothing but its own stack and `ChildArgs`. Sanitizers must not instrument it:
// what they note about its stack would stay in our memory when exec takes the stack away.
#define KNARR_CHILD_SIDE __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"), noinline))

struct FdMove {
  int from, to;
};

struct ChildArgs {
  const char* path;
  char* const* argv;
  char* const* envp;
  const char* working_dir;
  const FdMove* moves;
  size_t move_count;
  bool die_with_parent;
  pid_t parent;
  int error = 0;          // errno of the first failed step
  const char* step = "";  // which one
};

KNARR_CHILD_SIDE int Fail(ChildArgs* args, const char* step) {
  args->error = errno;
  args->step = step;
  ::_exit(127);
}

KNARR_CHILD_SIDE void ResetSignals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction old {};
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler != SIG_DFL) ::sigaction(signal, &action, nullptr);
  }
}

KNARR_CHILD_SIDE int ChildMain(void* pointer) {
  auto* args = static_cast<ChildArgs*>(pointer);
  ResetSignals();
  if (::setpgid(0, 0) != 0) return Fail(args, "setpgid");
  if (args->die_with_parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Fail(args, "prctl");
    if (::getppid() != args->parent) ::_exit(127);
  }
  // All sources are above all targets, so no move overwrites the source of a later one.
  for (size_t i = 0; i < args->move_count; ++i) {
    if (::dup2(args->moves[i].from, args->moves[i].to) < 0) return Fail(args, "dup2");
  }
  int next = 0;
  for (size_t i = 0; i < args->move_count; ++i) {  // sorted by target
    if (args->moves[i].to > next) ::syscall(SYS_close_range, next, args->moves[i].to - 1, 0);
    next = args->moves[i].to + 1;
  }
  if (::syscall(SYS_close_range, next, UINT_MAX, 0) != 0) return Fail(args, "close_range");
  if (::chdir(args->working_dir) != 0) return Fail(args, "chdir");
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(args->path, args->argv, args->envp);
  return Fail(args, "exec");
}

// ---- our side

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<UniqueFd> MakeStdin(const std::string& data) {
  if (data.empty()) return OpenFile("/dev/null", O_RDONLY);
  UniqueFd fd(::memfd_create("stdin", MFD_CLOEXEC));
  if (!fd) return ErrnoError(errno, "memfd_create");
  KNARR_TRY(WriteAll(fd.get(), data, "stdin of the child"));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, "lseek");
  return fd;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
};

struct Stack {
  Stack() : memory(::mmap(nullptr, kChildStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  ~Stack() {
    if (memory != MAP_FAILED) ::munmap(memory, kChildStack);
  }
  Stack(const Stack&) = delete;
  void* memory;
};

Result<Child> CloneOnce(ChildArgs& args) {
  const Stack stack;
  if (stack.memory == MAP_FAILED) return ErrnoError(errno, "allocate a stack");
  sigset_t all, old;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &old);
  int pidfd = -1;
  const pid_t pid = ::__clone(ChildMain, static_cast<char*>(stack.memory) + kChildStack,
                            CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &args, &pidfd);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (pid < 0) return ErrnoError(error, "clone");
  Child child{pid, UniqueFd(pidfd)};
  if (args.error != 0) {
    siginfo_t info{};
    TEMP_FAILURE_RETRY(::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED));
    return ErrnoError(args.error, "{} {}", args.step, std::strcmp(args.step, "chdir") == 0 ? args.working_dir : args.path);
  }
  return child;
}

// Another thread that forks while somebody writes the executable makes exec fail with ETXTBSY for a moment.
Result<Child> Clone(ChildArgs& args) {
  for (int attempt = 0;; ++attempt) {
    args.error = 0;
    Result<Child> child = CloneOnce(args);
    if (child.ok() || child.error().error_number() != ETXTBSY || attempt == 5) return child;
    ::usleep(5000);
  }
}

Result<Child> StartChild(const ProcessSpec& spec, std::vector<FdMove> moves) {
  std::vector<UniqueFd> high;
  int lowest = kFirstHighFd;
  for (const FdMove& move : moves) lowest = std::max(lowest, move.to + 1);
  for (FdMove& move : moves) {
    UniqueFd copy(::fcntl(move.from, F_DUPFD_CLOEXEC, lowest));
    if (!copy) return ErrnoError(errno, "dup descriptor {} for {}", move.from, spec.path);
    move.from = copy.get();
    high.push_back(std::move(copy));
  }
  std::sort(moves.begin(), moves.end(), [](const FdMove& a, const FdMove& b) { return a.to < b.to; });
  const std::vector<std::string> own_argv = spec.argv.empty() ? std::vector<std::string>{spec.path} : spec.argv;
  const std::vector<char*> argv = Pointers(own_argv), envp = Pointers(spec.env);
  ChildArgs args{};
  args.path = spec.path.c_str();
  args.argv = argv.data();
  args.envp = envp.data();
  args.working_dir = spec.working_dir.empty() ? "/" : spec.working_dir.c_str();
  args.moves = moves.data();
  args.move_count = moves.size();
  args.die_with_parent = spec.die_with_parent;
  args.parent = ::getpid();
  return Clone(args);
}

// What one of the child's output pipes delivers.
struct Sink {
  UniqueFd fd;
  std::string* text;
  size_t limit;
  bool* truncated;

  void Read() {
    char buffer[16384];
    while (fd) {
      const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) {
        fd.reset();
        return;
      }
      const size_t room = limit - std::min(limit, text->size());
      text->append(buffer, std::min(room, static_cast<size_t>(n)));
      if (static_cast<size_t>(n) > room) *truncated = true;
    }
  }
};

class Supervisor {
 public:
  Supervisor(const Context& ctx, const ProcessSpec& spec, Child child, ProcessResult& result, Sink out, Sink err)
      : ctx_(ctx), spec_(spec), child_(std::move(child)), result_(result), sinks_{std::move(out), std::move(err)} {}

  Status Run(int stop_fd) {
    Status ended;
    while (!exited_) {
      if (ended.ok()) {
        ended = ctx_.Err();
        if (!ended.ok()) {
          ::kill(-child_.pid, SIGTERM);
          kill_at_ = Clock::now() + spec_.kill_grace;
        }
      } else if (Clock::now() >= kill_at_) {
        ::kill(-child_.pid, SIGKILL);
        kill_at_ = Clock::time_point::max();
      }
      Wait(ended.ok() ? stop_fd : -1, Timeout(ended.ok()));
    }
    // Before the leader is reaped its process group cannot belong to anybody else.
    if (!ended.ok()) ::kill(-child_.pid, SIGKILL);
    Reap();
    for (Sink& sink : sinks_) sink.Read();
    return ended;
  }

 private:
  int Timeout(bool running) const {
    if (!running) {
      if (kill_at_ == Clock::time_point::max()) return -1;
      return Milliseconds(kill_at_ - Clock::now());
    }
    const auto left = ctx_.Remaining();
    return left ? Milliseconds(*left) : -1;
  }

  static int Milliseconds(Clock::duration duration) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    return static_cast<int>(std::clamp<long long>(ms, 0, INT_MAX));
  }

  void Wait(int stop_fd, int timeout) {
    std::array<pollfd, 4> polls = {{{child_.pidfd.get(), POLLIN, 0},
                                    {sinks_[0].fd.get(), POLLIN, 0},
                                    {sinks_[1].fd.get(), POLLIN, 0},
                                    {stop_fd, POLLIN, 0}}};
    if (::poll(polls.data(), polls.size(), timeout) <= 0) return;
    for (size_t i = 0; i < sinks_.size(); ++i) {
      if (polls[i + 1].revents != 0) sinks_[i].Read();
    }
    if (polls[0].revents != 0) exited_ = true;
  }

  void Reap() {
    siginfo_t info{};
    if (TEMP_FAILURE_RETRY(::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.get()), &info, WEXITED)) != 0) return;
    if (info.si_code == CLD_EXITED) {
      result_.exit_code = info.si_status;
    } else {
      result_.signal = info.si_status;
    }
  }

  const Context& ctx_;
  const ProcessSpec& spec_;
  const Child child_;
  ProcessResult& result_;
  std::array<Sink, 2> sinks_;
  Clock::time_point kill_at_ = Clock::time_point::max();
  bool exited_ = false;
};

std::string LastLine(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  const size_t newline = text.rfind('\n');
  if (newline != std::string_view::npos) text.remove_prefix(newline + 1);
  return std::string(text.substr(0, 512));
}

}  // namespace

std::string ProcessResult::ExitText() const {
  if (signal != 0) {
    std::string name = ::sigdescr_np(signal) != nullptr ? ::sigdescr_np(signal) : std::to_string(signal);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return "signal: " + name;
  }
  return "exit status " + std::to_string(exit_code);
}

Status ProcessResult::ToStatus(std::string_view name) const {
  if (Succeeded()) return {};
  const std::string line = LastLine(err);
  if (line.empty()) return Error(Code::kInternal, "{}: {}", name, ExitText());
  return Error(Code::kInternal, "{}: {}: {}", name, ExitText(), line);
}

Result<ProcessResult> RunProcess(const Context& ctx, const ProcessSpec& spec) {
  if (Status ended = ctx.Err(); !ended.ok()) return ended.WithContext(spec.path);
  const UniqueFd in = KNARR_TRY(MakeStdin(spec.stdin_data));
  Pipe out = KNARR_TRY(MakePipe());
  Pipe err = KNARR_TRY(MakePipe());
  std::vector<FdMove> moves = {{in.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}};
  for (const auto& [from, to] : spec.fds) {
    if (to < 3) return Error(Code::kInvalid, "{}: descriptor {} is reserved", spec.path, to);
    moves.push_back({from, to});
  }
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return ErrnoError(errno, "eventfd");

  const auto start = Clock::now();
  Child child = KNARR_TRY(StartChild(spec, std::move(moves)));
  out.write.reset();
  err.write.reset();

  ProcessResult result;
  Status ended;
  {
    const std::stop_callback wake(ctx.stop_token(), [&stop] {
      const uint64_t one = 1;
      (void)!::write(stop.get(), &one, sizeof one);
    });
    Supervisor supervisor(ctx, spec, std::move(child), result,
                          Sink{std::move(out.read), &result.out, spec.stdout_limit, &result.out_truncated},
                          Sink{std::move(err.read), &result.err, spec.stderr_limit, &result.err_truncated});
    ended = supervisor.Run(stop.get());
  }
  result.took = Clock::now() - start;
  if (!ended.ok()) return ended.WithContext(spec.path);
  return result;
}

Result<std::string> FindExecutable(std::string_view name, const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    std::string path = JoinPath(directory, name);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return Error(Code::kNotFound, "executable file \"{}\" not found in {}", name, fmt::join(directories, ":"));
}

Result<std::string> FindInPath(std::string_view name) {
  const char* variable = ::secure_getenv("PATH");
  std::string_view rest = variable != nullptr && *variable != '\0'
                              ? variable
                              : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::vector<std::string> directories;
  while (true) {
    const size_t colon = rest.find(':');
    if (const std::string_view part = rest.substr(0, colon); !part.empty()) directories.emplace_back(part);
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return FindExecutable(name, directories);
}

}  // namespace knarr
