#include "ci/integration/cni/relay_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "ci/integration/cni/net_fixture.h"
#include "pkg/base/file.h"

namespace knarr::integration {

boost::test_tools::assertion_result CanIsolate::operator()(boost::unit_test::test_unit_id) const {
  const std::string why = CannotIsolate();
  boost::test_tools::assertion_result result(why.empty());
  result.message() << why;
  if (why.empty()) {
    static const bool done = (Isolate(), true);
    (void)done;
  }
  return result;
}

std::string RealPath(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) throw std::runtime_error("no file " + path);
  std::string text = real;
  ::free(real);
  return text;
}

Relay::Relay(const std::vector<std::string>& args) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const std::string path = RealPath("ci/integration/cni/relay_main");
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::execv(path.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = UniqueFd(in[1]);
  from_ = ::fdopen(out[0], "r");
  if (Line() != "ready") throw std::runtime_error("the relay did not start");
}

std::string Relay::Collect(const std::string& live) {
  if (!WriteAll(to_.get(), live + "\n", "relay").ok()) return "error: the relay is gone";
  return Line();
}

void Relay::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  std::fclose(from_);
  pid_ = -1;
}

std::string Relay::Line() {
  char buffer[512];
  if (std::fgets(buffer, sizeof buffer, from_) == nullptr) return "end";
  std::string line = buffer;
  if (line.ends_with('\n')) line.pop_back();
  return line;
}

}  // namespace knarr::integration
