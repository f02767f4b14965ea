// knarr exec [-it] POD -- COMMAND: the remote command protocol (v4.channel.k8s.io) over a WebSocket.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <thread>

#include <boost/json.hpp>

#include "pkg/base/file.h"
#include "pkg/cli/arguments.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/client.h"
#include "pkg/net/websocket/client.h"

namespace knarr::cli {
namespace {

// Channels of remotecommand. Mirrors: k8s.io/apimachinery/pkg/util/remotecommand/constants.go
enum Channel : char { kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4 };
constexpr const char* kProtocol = "v4.channel.k8s.io";

// The terminal in raw mode for as long as the object lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &saved_) != 0) return;
    termios raw = saved_;
    ::cfmakeraw(&raw);
    active_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_);
  }
  RawTerminal(const RawTerminal&) = delete;

 private:
  termios saved_{};
  bool active_ = false;
};

Status Send(websocket::Client& client, Channel channel, std::string_view bytes) {
  std::string message(1, static_cast<char>(channel));
  message += bytes;
  return client.Write(Context::Background(), websocket::Opcode::kBinary, message);
}

void SendSize(websocket::Client& client) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  // A size that does not arrive costs a wrong line break, nothing more.
  (void)Send(client, kResize, fmt::format("{{\"Width\":{},\"Height\":{}}}", size.ws_col, size.ws_row));
}

// Standard input and window sizes to the container, until the other side is done.
void PumpInput(websocket::Client& client, bool tty, std::stop_token stop) {
  winsize last{};
  char buffer[16384];
  while (!stop.stop_requested()) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, 250);
    if (tty) {
      winsize now{};
      if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && (now.ws_col != last.ws_col || now.ws_row != last.ws_row)) {
        last = now;
        SendSize(client);
      }
    }
    if (ready <= 0) continue;
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n <= 0) return;  // version 4 of the protocol cannot say that input ended
    if (!Send(client, kStdin, {buffer, static_cast<size_t>(n)}).ok()) return;
  }
}

// The v1.Status on the error channel: exit code of the command, or what went wrong.
Result<int> ExitCodeOf(std::string_view text) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return Error(Code::kUnknown, "{}", text);
  const boost::json::object& status = value.as_object();
  const boost::json::value* outcome = status.if_contains("status");
  if (outcome && outcome->is_string() && outcome->as_string() == "Success") return 0;
  if (const boost::json::value* details = status.if_contains("details"); details && details->is_object()) {
    const boost::json::value* causes = details->as_object().if_contains("causes");
    for (const boost::json::value& cause : causes && causes->is_array() ? causes->as_array() : boost::json::array()) {
      const boost::json::object* object = cause.if_object();
      const boost::json::value* reason = object ? object->if_contains("reason") : nullptr;
      const boost::json::value* message = object ? object->if_contains("message") : nullptr;
      if (reason && reason->is_string() && reason->as_string() == "ExitCode" && message && message->is_string()) return std::atoi(message->as_string().c_str());
    }
  }
  const boost::json::value* message = status.if_contains("message");
  return Error(Code::kUnknown, "{}", message && message->is_string() ? std::string_view(message->as_string()) : text);
}

Result<int> Pump(websocket::Client& client) {
  for (;;) {
    const std::optional<websocket::Frame> frame = KNARR_TRY(client.Read(Context::Background()));
    if (!frame) return Error(Code::kServiceUnavailable, "the connection ended before the command did");
    if (frame->payload.empty()) continue;
    const std::string_view bytes = std::string_view(frame->payload).substr(1);
    switch (frame->payload[0]) {
      case kStdout: KNARR_TRY(WriteAll(STDOUT_FILENO, bytes, "standard output")); break;
      case kStderr: KNARR_TRY(WriteAll(STDERR_FILENO, bytes, "standard error")); break;
      case kError: return ExitCodeOf(bytes);
      default: break;
    }
  }
}

}  // namespace

int ExecMain(const std::vector<std::string>& args) {
  Arguments arguments("knarr exec [-it] POD [-c CONTAINER] -- COMMAND [ARG...]", "Runs a command in a container and ends with its exit code.");
  std::string container;
  bool with_stdin = false, tty = false;
  arguments.flags().String(&container, "container", "The container; without it the first.").Shorthand('c');
  arguments.flags().Bool(&with_stdin, "stdin", "Pass standard input to the command.").Shorthand('i');
  arguments.flags().Bool(&tty, "tty", "The command gets a terminal.").Shorthand('t');
  if (const auto code = arguments.Parse(args)) return *code;
  if (arguments.words.size() < 2) return Fail(Error(Code::kInvalid, "you must specify a pod and a command: knarr exec POD -- COMMAND"));
  if (tty && ::isatty(STDIN_FILENO) != 1) {
    std::fputs("Unable to use a TTY - input is not a terminal or the right kind of file\n", stderr);
    tty = false;
  }
  const KubeletClient kubelet(arguments.socket);
  const Context ctx = Context::Background().WithTimeout(std::chrono::seconds(30));
  const Result<NodeState> state = ReadNodeState(ctx, kubelet);
  if (!state.ok()) return Fail(state.status());
  const Result<PodRow> pod = FindPod(*state, arguments.ns, arguments.words[0]);
  if (!pod.ok()) return Fail(pod.status());
  for (const PodRow::Container& c : pod->containers) {
    if (container.empty() && c.kind != "init") container = c.name;
  }
  http::Query query{{"input", with_stdin ? "1" : "0"}, {"output", "1"}, {"error", tty ? "0" : "1"}, {"tty", tty ? "1" : "0"}};
  for (size_t i = 1; i < arguments.words.size(); ++i) query.emplace_back("command", arguments.words[i]);
  const std::string target = fmt::format("/exec/{}/{}/{}?{}", pod->ns, pod->name, http::PercentEncode(container), http::EncodeQuery(query));
  Result<std::unique_ptr<websocket::Client>> client = websocket::Client::Connect(ctx, kubelet.Request(target), {kProtocol});
  if (!client.ok()) return Fail(client.status());
  std::optional<RawTerminal> raw;
  if (tty) raw.emplace();
  std::jthread input;
  if (with_stdin || tty) input = std::jthread([&](std::stop_token stop) { PumpInput(**client, tty, stop); });
  const Result<int> code = Pump(**client);
  (*client)->Close(ctx);
  raw.reset();
  if (!code.ok()) return Fail(code.status());
  if (*code != 0) std::fprintf(stderr, "command terminated with exit code %d\n", *code);
  return *code;
}

}  // namespace knarr::cli
