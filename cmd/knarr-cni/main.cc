// The CNI plugin that containerd runs: hands the call to the kubelet over a unix socket and prints what comes back.
// Installed under the name "loopback" too, it does that plugin's work itself (containerd runs it for every sandbox).
// Static, and nothing but the standard library and system calls: it starts once or twice for every pod.
//
// When the kubelet does not answer, an ADD fails with code 11 (try again later), and a DEL succeeds after leaving a
// note for the kubelet; docs/decisions/cni-relay.md says why.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "cmd/knarr-cni/loopback.h"
#include "pkg/cni/relay_wire.h"

namespace {

using knarr::cni::RelayReply;
using knarr::cni::RelayRequest;

constexpr const char* kDefaultSocket = "/run/knarr/cni.sock";
constexpr const char* kDefaultStateDir = "/var/lib/knarr/cni";
constexpr size_t kMaxStdin = 768 << 10;
// Longer than the kubelet lets a chain of plugins run.
constexpr time_t kReplySeconds = 180;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string JsonString(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + '"';
}

void Print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = TEMP_FAILURE_RETRY(::write(1, text.data(), text.size()));
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

int Fail(unsigned code, const std::string& version, const std::string& message) {
  Print("{\"cniVersion\":" + JsonString(version) + ",\"code\":" + std::to_string(code) + ",\"msg\":" + JsonString(message) + "}\n");
  return 1;
}

bool ReadStdin(std::string& text) {
  char buffer[16384];
  for (;;) {
    const ssize_t n = TEMP_FAILURE_RETRY(::read(0, buffer, sizeof buffer));
    if (n < 0) return false;
    if (n == 0) return true;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxStdin) return false;
  }
}

bool ReadExactly(int fd, char* to, size_t size) {
  while (size > 0) {
    const ssize_t n = TEMP_FAILURE_RETRY(::read(fd, to, size));
    if (n <= 0) {
      if (n == 0) errno = ECONNRESET;
      return false;
    }
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = TEMP_FAILURE_RETRY(::send(fd, data.data(), data.size(), MSG_NOSIGNAL));
    if (n < 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// The reply, or nullopt with errno when there is nobody to answer.
std::optional<RelayReply> Call(const std::string& socket_path, const RelayRequest& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return std::nullopt;
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  const timeval limit{kReplySeconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
  char header[knarr::cni::kRelayHeader];
  if (!SendAll(fd, knarr::cni::EncodeRequest(request)) || !ReadExactly(fd, header, sizeof header)) return std::nullopt;
  const std::optional<size_t> length = knarr::cni::PayloadLength({header, sizeof header});
  if (!length) {
    errno = EPROTO;
    return std::nullopt;
  }
  std::string payload(*length, '\0');
  if (!ReadExactly(fd, payload.data(), payload.size())) return std::nullopt;
  return knarr::cni::DecodeReply(payload);
}

bool MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0755);
  }
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

// Leaves the DEL to the kubelet. True when the note is on disk.
bool Defer(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  return fd >= 0 && ::fsync(fd) == 0;
}

bool IsFileName(std::string_view text) {
  return !text.empty() && text.size() < 200 && text.find_first_of("/,") == std::string_view::npos && text[0] != '.';
}

int Deliver(const RelayRequest& request, const std::string& version) {
  std::string socket_path = knarr::cni::TopLevelString(request.stdin_data, "socket");
  if (socket_path.empty()) socket_path = kDefaultSocket;
  std::string state_dir = knarr::cni::TopLevelString(request.stdin_data, "stateDir");
  if (state_dir.empty()) state_dir = kDefaultStateDir;

  std::optional<RelayReply> reply = Call(socket_path, request);
  const int error = reply ? 0 : errno;
  // A kubelet that took the call and is merely slow will do it; one that is not there needs the note.
  const bool is_absent = !reply && error != EAGAIN;
  if (is_absent && request.command == "DEL" && IsFileName(request.container_id) && IsFileName(request.ifname)) {
    const std::string directory = state_dir + "/deferred";
    const std::string note = directory + "/" + knarr::cni::DeferredName(request.container_id, request.ifname);
    if (MakeDirectories(directory) && Defer(note)) {
      // A kubelet that started meanwhile may have read the directory before the note was there.
      reply = Call(socket_path, request);
      if (!reply) return 0;
      ::unlink(note.c_str());
    }
  }
  if (!reply) {
    return Fail(11, version, "the kubelet does not answer on " + socket_path + " (" +
                                 std::strerror(error) + "): is it running? pods get a network only while it is");
  }
  Print(reply->out);
  return static_cast<int>(reply->exit_code);
}

}  // namespace

int main(int, char** argv) {
  RelayRequest request;
  request.command = Env("CNI_COMMAND");
  if (request.command.empty()) {
    Print("knarr-cni: the CNI plugin that hands its calls to Knarr's kubelet; containerd runs it, not you\n");
    return 1;
  }
  if (!ReadStdin(request.stdin_data)) return Fail(5, "1.1.0", "error reading from stdin");
  std::string version = knarr::cni::TopLevelString(request.stdin_data, "cniVersion");
  if (version.empty()) version = "0.1.0";
  if (request.command == "VERSION") {
    Print("{\"cniVersion\":" + JsonString(version) +
          ",\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
    return 0;
  }
  request.container_id = Env("CNI_CONTAINERID");
  request.netns = Env("CNI_NETNS");
  request.ifname = Env("CNI_IFNAME");
  request.args = Env("CNI_ARGS");
  const std::string_view program = argv[0] != nullptr ? argv[0] : "";
  if (program.substr(program.rfind('/') + 1) == "loopback") {
    const knarr::LoopbackOutcome outcome = knarr::Loopback(request.command, request.netns, version, request.stdin_data);
    if (!outcome.error.empty()) return Fail(outcome.code, version, outcome.error);
    Print(outcome.out);
    return 0;
  }
  return Deliver(request, version);
}
