#include "pkg/apiserver/proxy/translate.h"

#include <condition_variable>
#include <mutex>

#include "pkg/api/errors/errors.h"
#include "pkg/base/pool.h"
#include "pkg/net/spdy/client.h"
#include "pkg/net/websocket/server.h"

namespace knarr::proxy {
namespace {

constexpr std::string_view kChannels = "v5.channel.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr char kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4, kClose = static_cast<char>(255);
constexpr uint16_t kNormal = 1000, kGoingAway = 1001;
constexpr auto kHandshake = std::chrono::seconds(30);
constexpr auto kGoodbye = std::chrono::seconds(2);
constexpr size_t kMaxStatus = 64 << 10;

bool Asks(const http::Request& request, std::string_view protocol) {
  return websocket::IsWebSocketRequest(request) && request.headers.HasToken("Sec-WebSocket-Protocol", protocol);
}

http::ClientRequest ToKubelet(const http::Request& request, const Backend& backend) {
  http::ClientRequest out;
  out.method = "POST";
  out.url.scheme = backend.scheme;
  out.url.host = backend.host;
  out.url.port = backend.port;
  out.url.target = EncodePath(backend.path) + (backend.raw_query.empty() ? "" : "?" + backend.raw_query);
  out.dial_host = backend.dial_host;
  out.tls = backend.tls;
  if (const std::string_view agent = request.headers.Get("User-Agent"); !agent.empty())
    out.headers.Add("User-Agent", std::string(agent));
  return out;
}

// The thread that reads the WebSocket. Its owner says goodbye and gives the peer a moment to do so too.
class Reader {
 public:
  Reader(const Context& ctx, websocket::Connection& socket, std::function<Status(std::string_view)> message,
         std::function<void()> end)
      : socket_(socket) {
    group_.Go("ws-proxy", [this, ctx, message = std::move(message), end = std::move(end)](std::stop_token) {
      for (;;) {
        const Result<std::optional<websocket::Frame>> frame = socket_.Read(ctx);
        if (!frame.ok() || !*frame || !message((*frame)->payload).ok()) break;
      }
      end();
      const std::lock_guard lock(mutex_);
      done_ = true;
      changed_.notify_all();
    });
  }
  ~Reader() {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kGoodbye, [this] { return done_; });
    }
    socket_.stream().Abort();
    group_.StopAndJoin();
  }

 private:
  websocket::Connection& socket_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  TaskGroup group_;
};

// Streams of the kubelet; 0 where there is none.
struct Ids {
  uint32_t error = 0, in = 0, out = 0, err = 0, resize = 0;
};

Result<Ids> OpenAll(const Context& ctx, spdy::Client& client, const RemoteStreams& wanted) {
  Ids ids;
  const auto open = [&](const char* type) { return client.Open(ctx, {{"streamtype", type}}); };
  ids.error = KNARR_TRY(open("error"));
  if (wanted.in) ids.in = KNARR_TRY(open("stdin"));
  if (wanted.out) ids.out = KNARR_TRY(open("stdout"));
  if (wanted.err && !wanted.tty) ids.err = KNARR_TRY(open("stderr"));
  if (wanted.tty) ids.resize = KNARR_TRY(open("resize"));
  return ids;
}

Status FromClient(const Context& ctx, spdy::Client& client, const Ids& ids, std::string_view message) {
  if (message.empty()) return {};
  const std::string_view bytes = message.substr(1);
  if (message[0] == kStdin && ids.in != 0) return client.Write(ctx, ids.in, bytes);
  if (message[0] == kResize && ids.resize != 0) return client.Write(ctx, ids.resize, bytes);
  const bool ends_input = message[0] == kClose && !bytes.empty() && bytes[0] == kStdin;
  return ends_input && ids.in != 0 ? client.Finish(ctx, ids.in) : Status();
}

Status ToClient(const Context& ctx, websocket::Connection& socket, char channel, std::string_view bytes) {
  std::string message(1, channel);
  message += bytes;
  return socket.Write(ctx, websocket::Opcode::kBinary, message);
}

// What the kubelet says to the client, to its end; the Status of the error stream comes last.
Status FromKubelet(const Context& ctx, spdy::Client& client, const Ids& ids, websocket::Connection& socket) {
  std::string status;
  for (;;) {
    const Result<std::optional<spdy::Client::Event>> event = client.Read(ctx);
    const bool ended = !event.ok() || !*event;
    if (!ended && !(*event)->bytes.empty()) {
      const uint32_t id = (*event)->stream;
      if (id == ids.out) KNARR_TRY(ToClient(ctx, socket, kStdout, (*event)->bytes));
      if (id == ids.err) KNARR_TRY(ToClient(ctx, socket, kStderr, (*event)->bytes));
      if (id == ids.error) status += (*event)->bytes.substr(0, kMaxStatus - status.size());
    }
    if (!ended && ((*event)->stream != ids.error || (!(*event)->fin && !(*event)->reset))) continue;
    if (status.empty())
      status = errors::ToJson(errors::InternalError("the connection to the kubelet ended before the command did"));
    return ToClient(ctx, socket, kError, status);
  }
}

}  // namespace

bool WantsStreamTranslation(const http::Request& request) {
  return Asks(request, kChannels);
}

bool WantsPortForwardTunnel(const http::Request& request) {
  return Asks(request, kTunnel);
}

void TranslateStreams(const http::Request& request, http::ResponseWriter& response, const Backend& backend,
                      const RemoteStreams& wanted) {
  const Context& ctx = request.ctx;
  const Context handshake = ctx.WithTimeout(kHandshake);
  Result<std::unique_ptr<spdy::Client>> client =
      spdy::Client::Connect(handshake, ToKubelet(request, backend), {"v4.channel.k8s.io"});
  if (!client.ok()) return ReplyStatus(response, Error(Code::kUnknown, "{}", client.status()));
  const Result<Ids> ids = OpenAll(handshake, **client, wanted);
  if (!ids.ok()) return ReplyStatus(response, Error(Code::kUnknown, "{}", ids.status()));
  const auto socket = websocket::Connection::Accept(request, response, {.protocols = {std::string(kChannels)}});
  if (!socket.ok()) return;  // answered
  // Tells the client that all is set up.
  const char first = wanted.out ? kStdout : wanted.err ? kStderr : kError;
  Status status = ToClient(ctx, **socket, first, {});
  const Reader reader(
      ctx, **socket, [&](std::string_view message) { return FromClient(ctx, **client, *ids, message); },
      [&] { (*client)->Abort(); });
  if (status.ok()) status = FromKubelet(ctx, **client, *ids, **socket);
  (*socket)->Close(Context::Background().WithTimeout(kGoodbye), status.ok() ? kNormal : kGoingAway);
  (*client)->Abort();
}

void TunnelPortForward(const http::Request& request, http::ResponseWriter& response, const Backend& backend) {
  const Context& ctx = request.ctx;
  http::ClientRequest forward = ToKubelet(request, backend);
  forward.headers.Set("Connection", "Upgrade");
  forward.headers.Set("Upgrade", "SPDY/3.1");
  forward.headers.Set("X-Stream-Protocol-Version", "portforward.k8s.io");
  forward.max_body = kMaxStatus;
  Result<http::Upgraded> upgraded = http::Upgrade(ctx.WithTimeout(kHandshake), forward);
  if (!upgraded.ok()) return ReplyStatus(response, Error(Code::kUnknown, "{}", upgraded.status()));
  if (!upgraded->stream)
    return ReplyStatus(response,
                       Error(Code::kUnknown, "unable to upgrade streaming request: {}", upgraded->response.body));
  const auto socket = websocket::Connection::Accept(request, response, {.protocols = {std::string(kTunnel)}});
  if (!socket.ok()) return;  // answered
  net::Stream& kubelet = *upgraded->stream;
  const Reader reader(
      ctx, **socket, [&](std::string_view message) { return kubelet.Write(ctx, message); }, [&] { kubelet.Abort(); });
  char buffer[32 << 10];
  for (;;) {
    const Result<size_t> n = kubelet.Read(ctx, buffer, sizeof(buffer));
    if (!n.ok() || *n == 0) break;
    if (!(*socket)->Write(ctx, websocket::Opcode::kBinary, {buffer, *n}).ok()) break;
  }
  (*socket)->Close(Context::Background().WithTimeout(kGoodbye), kNormal);
  kubelet.Abort();
}

}  // namespace knarr::proxy
