// knarr exec [-it] POD -- COMMAND: the remote command protocol (v4.channel.k8s.io) over SPDY. Not over a WebSocket: what
// containerd 1.x speaks there cannot say that standard input has ended.
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
#include "pkg/net/spdy/client.h"

namespace knarr::cli {
namespace {

constexpr const char* kProtocol = "v4.channel.k8s.io";

// The streams of remotecommand; 0 where there is none. Mirrors: k8s.io/client-go/tools/remotecommand
struct Streams {
  uint32_t error = 0, in = 0, out = 0, err = 0, resize = 0;
};

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

Result<Streams> OpenStreams(const Context& ctx, spdy::Client& client, bool with_stdin, bool tty) {
  Streams streams;
  const auto open = [&](const char* type) { return client.Open(ctx, {{"streamtype", type}}); };
  streams.error = KNARR_TRY(open("error"));
  if (with_stdin) streams.in = KNARR_TRY(open("stdin"));
  streams.out = KNARR_TRY(open("stdout"));
  if (!tty) streams.err = KNARR_TRY(open("stderr"));
  if (tty) streams.resize = KNARR_TRY(open("resize"));
  return streams;
}

void SendSize(spdy::Client& client, const Streams& streams, const winsize& size) {
  // A size that does not arrive costs a wrong line break, nothing more.
  (void)client.Write(Context::Background(), streams.resize,
                     fmt::format("{{\"Width\":{},\"Height\":{}}}\n", size.ws_col, size.ws_row));
}

// Standard input and window sizes to the container, until the other side is done.
void PumpInput(spdy::Client& client, const Streams& streams, std::stop_token stop) {
  winsize last{};
  char buffer[16384];
  bool open = streams.in != 0;
  while (!stop.stop_requested() && (open || streams.resize != 0)) {
    pollfd input{.fd = open ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, 250);
    winsize now{};
    if (streams.resize != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 &&
        (now.ws_col != last.ws_col || now.ws_row != last.ws_row)) {
      last = now;
      SendSize(client, streams, now);
    }
    if (ready <= 0) continue;
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    open = n > 0;
    const Status sent = n > 0 ? client.Write(Context::Background(), streams.in, {buffer, static_cast<size_t>(n)})
                              : client.Finish(Context::Background(), streams.in);
    if (!sent.ok()) return;
  }
}

// The v1.Status on the error stream: exit code of the command, or what went wrong.
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

Result<int> Pump(spdy::Client& client, const Streams& streams) {
  constexpr size_t kMaxStatus = 64 << 10;
  std::string status;
  for (;;) {
    const std::optional<spdy::Client::Event> event = KNARR_TRY(client.Read(Context::Background()));
    if (event && event->stream == streams.out) KNARR_TRY(WriteAll(STDOUT_FILENO, event->bytes, "standard output"));
    if (event && event->stream == streams.err) KNARR_TRY(WriteAll(STDERR_FILENO, event->bytes, "standard error"));
    if (event && event->stream == streams.error) status += event->bytes.substr(0, kMaxStatus - status.size());
    const bool over = !event || (event->stream == streams.error && (event->fin || event->reset));
    if (!over) continue;
    if (!status.empty()) return ExitCodeOf(status);
    return Error(Code::kServiceUnavailable, "the connection ended before the command did");
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
  http::ClientRequest request = kubelet.Request(target);
  request.method = "POST";
  Result<std::unique_ptr<spdy::Client>> client = spdy::Client::Connect(ctx, std::move(request), {kProtocol});
  if (!client.ok()) return Fail(client.status());
  const Result<Streams> streams = OpenStreams(ctx, **client, with_stdin, tty);
  if (!streams.ok()) return Fail(streams.status());
  std::optional<RawTerminal> raw;
  if (tty) raw.emplace();
  std::jthread input;
  if (with_stdin || tty)
    input = std::jthread([&](std::stop_token stop) { PumpInput(**client, *streams, stop); });
  const Result<int> code = Pump(**client, *streams);
  (*client)->Close(ctx);
  raw.reset();
  if (!code.ok()) return Fail(code.status());
  if (*code != 0) std::fprintf(stderr, "command terminated with exit code %d\n", *code);
  return *code;
}

}  // namespace knarr::cli
