#include "pkg/base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <thread>

#include "pkg/base/file.h"

namespace knarr {
namespace {

using namespace std::chrono_literals;

ProcessSpec Shell(std::string script) {
  ProcessSpec spec;
  spec.path = "/bin/sh";
  spec.argv = {"sh", "-c", std::move(script)};
  spec.env = {"PATH=/usr/bin:/bin"};
  return spec;
}

// Gone, or a zombie that its new parent has not reaped yet.
bool HasEnded(const std::string& pid) {
  for (int i = 0; i < 200; ++i) {
    const Result<std::string> stat = ReadFile("/proc/" + std::to_string(std::atoi(pid.c_str())) + "/stat");
    if (!stat.ok() || stat->find(") Z ") != std::string::npos) return true;
    ::usleep(5000);
  }
  return false;
}

BOOST_AUTO_TEST_SUITE(process)

BOOST_AUTO_TEST_CASE(gives_back_output_exit_code_and_stderr) {
  const Result<ProcessResult> done = RunProcess(Context(), Shell("echo out; echo err >&2; exit 3"));
  BOOST_REQUIRE(done.ok());
  BOOST_TEST(done->out == "out\n");
  BOOST_TEST(done->err == "err\n");
  BOOST_TEST(done->exit_code == 3);
  BOOST_TEST(done->ToStatus("thing").message() == "thing: exit status 3: err");
}

BOOST_AUTO_TEST_CASE(feeds_stdin_of_any_size) {
  ProcessSpec spec = Shell("cat");
  spec.stdin_data = std::string(700'000, 'x');
  const Result<ProcessResult> done = RunProcess(Context(), spec);
  BOOST_REQUIRE(done.ok());
  BOOST_TEST((done->out == spec.stdin_data));
}

BOOST_AUTO_TEST_CASE(bounds_what_it_keeps_and_still_lets_the_child_finish) {
  ProcessSpec spec = Shell("head -c 1000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2; exit 4");
  spec.stdout_limit = 1000;
  spec.stderr_limit = 10;
  const Result<ProcessResult> done = RunProcess(Context(), spec);
  BOOST_REQUIRE(done.ok());
  BOOST_TEST(done->out.size() == 1000u);
  BOOST_TEST(done->err.size() == 10u);
  BOOST_TEST(done->out_truncated);
  BOOST_TEST(done->err_truncated);
  BOOST_TEST(done->exit_code == 4);
}

BOOST_AUTO_TEST_CASE(leaks_no_descriptor_but_the_named_ones) {
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));  // no O_CLOEXEC on purpose
  const UniqueFd named(::memfd_create("named", 0));
  BOOST_REQUIRE(WriteAll(named.get(), "hello", "named").ok());
  BOOST_REQUIRE(::lseek(named.get(), 0, SEEK_SET) == 0);
  ProcessSpec spec = Shell("cat <&7; for f in /proc/$$/fd/*; do printf ' %s' ${f##*/}; done");
  spec.fds = {{named.get(), 7}};
  const Result<ProcessResult> done = RunProcess(Context(), spec);
  BOOST_REQUIRE(done.ok());
  // 7 and the shell's own: no other (the glob itself opens a directory in the shell, as 3)
  BOOST_TEST((done->out == "hello 0 1 2 7" || done->out == "hello 0 1 2 3 7"), done->out);
}

BOOST_AUTO_TEST_CASE(gives_exactly_the_environment_and_directory_it_was_told) {
  ProcessSpec spec;
  spec.path = "/usr/bin/env";
  spec.env = {"A=1"};
  const Result<ProcessResult> done = RunProcess(Context(), spec);
  BOOST_REQUIRE(done.ok());
  BOOST_TEST(done->out == "A=1\n");
  ProcessSpec pwd = Shell("pwd");
  pwd.working_dir = "/usr";
  BOOST_TEST(RunProcess(Context(), pwd)->out == "/usr\n");
}

BOOST_AUTO_TEST_CASE(resets_ignored_signals_and_the_mask) {
  ::signal(SIGPIPE, SIG_IGN);
  const Result<ProcessResult> done = RunProcess(Context(), Shell("while read key mask; do case $key in\n"
                                                                "SigBlk:) echo blocked $mask;;\n"
                                                                "SigIgn:) echo ignored $(( 0x$mask >> 12 & 1 ));;\n"
                                                                "esac; done < /proc/self/status"));
  ::signal(SIGPIPE, SIG_DFL);
  BOOST_REQUIRE(done.ok());
  BOOST_TEST(done->out == "blocked 0000000000000000\nignored 0\n");
}

BOOST_AUTO_TEST_CASE(names_a_missing_program) {
  ProcessSpec spec;
  spec.path = "/nonexistent/program";
  const Result<ProcessResult> done = RunProcess(Context(), spec);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == Code::kNotFound));
  BOOST_TEST(done.error().message() == "exec /nonexistent/program: no such file or directory");
}

BOOST_AUTO_TEST_CASE(a_deadline_ends_the_whole_process_group) {
  const std::string file = "/tmp/knarr-process-" + std::to_string(::getpid());
  ProcessSpec spec = Shell("sleep 1000 & echo $! > " + file + "; wait");
  const Result<ProcessResult> done = RunProcess(Context().WithTimeout(200ms), spec);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == Code::kTimeout));
  BOOST_TEST(done.error().message() == "/bin/sh: context deadline exceeded");
  const Result<std::string> pid = ReadFile(file);
  ::unlink(file.c_str());
  BOOST_REQUIRE(pid.ok());
  BOOST_TEST(HasEnded(*pid));
}

BOOST_AUTO_TEST_CASE(cancellation_kills_a_child_that_ignores_sigterm) {
  std::stop_source stop;
  ProcessSpec spec = Shell("trap '' TERM; while :; do read x < /dev/zero; done");
  spec.kill_grace = 50ms;
  std::jthread canceller([&stop] { stop.request_stop(); });
  const Result<ProcessResult> done = RunProcess(Context().WithStop(stop.get_token()), spec);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == Code::kCancelled));
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_a_daemon_the_child_left_behind) {
  const Result<ProcessResult> done = RunProcess(Context().WithTimeout(5s), Shell("sleep 2 & echo $!"));
  BOOST_REQUIRE(done.ok());
  BOOST_TEST((done->took < 1500ms));
  ::kill(static_cast<pid_t>(std::atoi(done->out.c_str())), SIGKILL);
}

BOOST_AUTO_TEST_CASE(words_a_death_by_signal_as_go_does) {
  const Result<ProcessResult> done = RunProcess(Context(), Shell("kill -9 $$"));
  BOOST_REQUIRE(done.ok());
  BOOST_TEST(done->ExitText() == "signal: killed");
  BOOST_TEST(!done->Succeeded());
}

BOOST_AUTO_TEST_CASE(finds_programs_in_directories) {
  BOOST_TEST(FindExecutable("sh", {"/nonexistent", "/bin"}).value() == "/bin/sh");
  const auto missing = FindExecutable("no-such", {"/bin", "/usr/bin"});
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST(missing.error().message() == "executable file \"no-such\" not found in /bin:/usr/bin");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr
