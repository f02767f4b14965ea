#include "pkg/net/http/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>

#include "pkg/net/http/h2.h"
#include "pkg/net/http/listen.h"
#include "pkg/net/http/loop.h"
#include "pkg/net/http/parser.h"
#include "pkg/net/http/wake.h"
#include "pkg/net/http/writer.h"

namespace knarr::http {
namespace {

constexpr auto kDrain = std::chrono::seconds(1);
constexpr size_t kDrainBytes = 256 << 10;
constexpr size_t kReadSize = 16 << 10;

constexpr size_t kPumpSize = 64 << 10;  // what one source may have in flight
constexpr int kPumpTurns = 4;           // then the other responses get theirs

// The states of a connection. In kHandling its stream is the handler's; in all others the io thread's.
enum class State { kHandshake, kReadHead, kReadBody, kHandling, kPumping, kHttp2, kDraining };

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A response whose handler has returned. Idle ones hold no buffer.
struct Pumping {
  Http1Writer::Rest rest;
  std::shared_ptr<Bell> bell;
  std::string out;  // framed and not yet taken by the socket, from `sent` on
  size_t sent = 0;
  bool ended = false;     // the source has; what is left is in `out`
  bool blocked = false;   // until the socket is writable
  bool waiting = false;   // until the source rings
  bool no_input = false;  // the client has closed its side: perhaps to leave, perhaps only to say that it has asked all
};

struct Connection {
  uint64_t id = 0;
  const Listen* listen = nullptr;
  net::StreamPtr stream;
  tls::TlsStream* tls = nullptr;  // the same object, if it is one
  Peer peer;
  State state = State::kReadHead;
  std::string buffer;  // read and not yet consumed
  std::unique_ptr<Parser> parser;
  std::string body;
  MonoTime deadline = MonoTime::max();
  std::stop_source gone;   // for the handler: the client left or the server stops
  std::stop_source abort;  // for its writes: the server stops (a client may close its side and still read)
  size_t drained = 0;
  bool fresh = true;  // no request was served yet
  bool hijacked = false;
  std::unique_ptr<Pumping> pump;
  std::unique_ptr<Http2Session> h2;
  uint32_t watched = 0;  // kHttp2: the events asked for
  bool flush = false;    // kHttp2: in `dirty`
};

int StatusOf(const Status& error) {
  if (error.Is(Code::kOutOfRange)) return 431;
  return InfoOf(error.code()).http;
}

}  // namespace

struct Server::Impl {
  Impl(Options o, ElasticPool& p, Handler h, Clock& c, Logger l)
      : options(std::move(o)),
        pool(p),
        handler(std::move(h)),
        clock(c),
        logger(std::move(l)),
        loop([this](uint64_t key, uint32_t events) { OnEvent(key, events); }),
        wakes(loop, [this](const std::vector<WakeKey>& keys) { ServeWakes(keys); }) {}
  ~Impl();

  Status Start();
  void OnEvent(uint64_t key, uint32_t events);
  void AcceptAll(size_t listener);
  void Add(size_t listener, UniqueFd fd);
  bool MakeRoom(size_t listener);
  void Advance(Connection& c);
  bool Handshake(Connection& c);
  bool ReadMore(Connection& c);
  bool Parse(Connection& c);
  void Refuse(Connection& c, int status, std::string_view text);
  void Dispatch(Connection& c);
  void Handle(Connection& c, Request& request, Http1Writer::Setup setup);
  void Finished(uint64_t id, bool keep);
  void BeginHttp2(Connection& c);
  void After(Connection& c, bool alive);
  void BeginDrain();
  void CountHandling(int change);
  void BeginPump(Connection& c);
  void ServeWakes(const std::vector<WakeKey>& keys);
  void AdvancePump(Connection& c);
  bool PumpWrite(Connection& c);
  void PumpPull(Pumping& p);
  void EndPump(Connection& c, bool delivered);
  void Arm(Connection& c, short wanted);
  void SetDeadline(Connection& c, Duration after);
  void SetDeadline(Connection& c, MonoTime at);
  void Sweep();
  void DropPump(Connection& c, bool delivered);
  void Close(Connection& c, bool delivered = false);
  void StopAll();
  void CloseListeners();
  Status Shutdown(const Context& ctx);

  const Options options;
  ElasticPool& pool;
  const Handler handler;
  Clock& clock;
  const Logger logger;
  struct Listener {
    UniqueFd fd;
    uint16_t port = 0;
    size_t connections = 0;
  };
  std::vector<Listener> listeners;  // keys 0..n-1 of the loop; connections come after
  UniqueFd reserve;                 // given up when descriptors run out, to accept and close
  std::map<uint64_t, std::unique_ptr<Connection>> connections;
  std::atomic<size_t> connection_count{0};
  uint64_t next_id = 0;
  bool started = false;
  bool stopping = false;  // written by the io thread under the mutex
  std::atomic<bool> draining{false};
  MonoTime sweep_at = MonoTime::max();
  Timer sweep;
  std::mutex mutex;
  std::condition_variable idle;
  size_t handling = 0;          // guarded by mutex
  std::string scratch;          // for Pull
  std::vector<uint64_t> dirty;  // of one batch of wakes
  Loop loop;
  WakeQueue wakes;
};

Status Server::Impl::Start() {
  reserve.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const Listen& listen : options.listen) {
    Listener listener;
    listener.fd = KNARR_TRY(Bind(listen, &listener.port));
    listeners.push_back(std::move(listener));
  }
  next_id = listeners.size();
  KNARR_TRY(loop.Start(options.thread_name));
  started = true;
  for (size_t i = 0; i < listeners.size(); ++i) loop.Watch(listeners[i].fd.get(), i, EPOLLIN, false);
  return {};
}

Server::Impl::~Impl() {
  if (started) {
    std::unique_lock lock(mutex);
    loop.Post([this] { StopAll(); });
    idle.wait(lock, [this] { return handling == 0 && stopping; });
    lock.unlock();
    loop.Stop();
    sweep.Cancel();
  }
  for (size_t i = 0; i < listeners.size(); ++i) {
    if (!options.listen[i].unix_path.empty()) ::unlink(options.listen[i].unix_path.c_str());
  }
}

void Server::Impl::CloseListeners() {
  for (Listener& listener : listeners) {
    if (!listener.fd) continue;
    loop.Unwatch(listener.fd.get());
    listener.fd.reset();
  }
}

void Server::Impl::BeginDrain() {
  CloseListeners();
  draining = true;
  std::vector<Connection*> all;
  for (const auto& [id, c] : connections) all.push_back(c.get());
  for (Connection* c : all) {
    if (c->state == State::kPumping) {
      c->pump->rest.source->Shutdown();
      if (!c->pump->blocked) AdvancePump(*c);
    } else if (c->state == State::kHttp2) {
      c->h2->Shutdown();
      After(*c, c->h2->Flush());
    } else if (c->state == State::kReadHead && c->buffer.empty()) {
      Close(*c);
    }
  }
  const std::lock_guard lock(mutex);
  idle.notify_all();
}

Status Server::Impl::Shutdown(const Context& ctx) {
  {
    const auto wake = [this] {
      const std::lock_guard lock(mutex);
      idle.notify_all();
    };
    const std::stop_callback on_stop(ctx.stop_token(), wake);
    std::unique_lock lock(mutex);
    loop.Post([this] { BeginDrain(); });
    const auto done = [&] { return ctx.Cancelled() || (draining && connection_count == 0 && handling == 0); };
    if (const auto deadline = ctx.deadline()) {
      idle.wait_until(lock, *deadline, done);
    } else {
      idle.wait(lock, done);
    }
  }
  std::unique_lock lock(mutex);
  const bool clean = connection_count == 0 && handling == 0;
  loop.Post([this] { StopAll(); });
  idle.wait(lock, [this] { return handling == 0 && stopping; });
  return clean ? Status() : ctx.Err();
}

void Server::Impl::StopAll() {
  CloseListeners();
  std::vector<Connection*> close;
  for (const auto& [id, c] : connections) {
    if (c->state == State::kHandling) {
      c->gone.request_stop();
      c->abort.request_stop();
    } else {
      close.push_back(c.get());
    }
  }
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  for (Connection* c : close) Close(*c);
  std::lock_guard lock(mutex);
  idle.notify_all();
}

void Server::Impl::OnEvent(uint64_t key, uint32_t events) {
  if (key < listeners.size()) return AcceptAll(key);
  const auto found = connections.find(key);
  if (found == connections.end()) return;
  Connection& c = *found->second;
  if (c.state == State::kPumping) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) return EndPump(c, false);
    if ((events & EPOLLRDHUP) != 0) c.pump->no_input = true;
    if (c.pump->blocked || (c.pump->no_input && c.pump->waiting)) AdvancePump(c);
    return;
  }
  if (c.state == State::kHttp2) {
    bool alive = true;
    if ((events & EPOLLOUT) != 0) alive = c.h2->OnWritable();
    if (alive && (events & ~EPOLLOUT) != 0) alive = c.h2->OnReadable();
    return After(c, alive);
  }
  if (c.state != State::kHandling) return Advance(c);
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) c.gone.request_stop();
}

void Server::Impl::AcceptAll(size_t listener) {
  for (int i = 0; i < 64; ++i) {
    UniqueFd fd(::accept4(listeners[listener].fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      Add(listener, std::move(fd));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return;
    // Out of descriptors: the peer would wait and the loop would spin. Accept with the spare one and hang up.
    reserve.reset();
    fd.reset(::accept4(listeners[listener].fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    fd.reset();
    reserve.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return;
  }
}

// True when the listener has room for one more. The connection that was idle longest gives way, else the one that has
// been sending its first request (or shaking hands) longest; never one that is being served.
bool Server::Impl::MakeRoom(size_t listener) {
  if (listeners[listener].connections < options.limits.connections) return true;
  Connection *idle_longest = nullptr, *slowest = nullptr;
  for (const auto& [id, c] : connections) {
    if (c->listen != &options.listen[listener]) continue;
    if (c->state == State::kHandling || c->state == State::kPumping) continue;
    const bool idle = c->h2 ? c->h2->Idle() : c->state == State::kReadHead && c->buffer.empty() && !c->fresh;
    if (c->h2 && !idle) continue;
    Connection*& oldest = idle ? idle_longest : slowest;
    if (oldest == nullptr || c->deadline < oldest->deadline) oldest = c.get();
  }
  Connection* const victim = idle_longest != nullptr ? idle_longest : slowest;
  if (victim == nullptr) return false;
  Close(*victim);
  return true;
}

void Server::Impl::Add(size_t listener, UniqueFd fd) {
  const Listen& listen = options.listen[listener];
  if (!MakeRoom(listener)) return;
  auto c = std::make_unique<Connection>();
  c->id = next_id++;
  c->listen = &listen;
  c->peer = PeerOf(fd.get(), !listen.unix_path.empty());
  if (listen.tls) {
    Result<std::unique_ptr<tls::TlsStream>> stream = tls::Accept(*listen.tls, std::move(fd));
    if (!stream.ok()) return logger.Error(stream.status(), "TLS connection failed", {{"peer", c->peer.address}});
    c->tls = stream->get();
    c->stream = std::move(*stream);
    c->peer.tls = true;
    c->state = State::kHandshake;
  } else {
    c->stream = net::MakeFdStream(std::move(fd));
  }
  ++listeners[listener].connections;
  Connection& added = *connections.emplace(c->id, std::move(c)).first->second;
  connection_count = connections.size();
  SetDeadline(added, added.tls != nullptr ? options.limits.handshake : options.limits.read_header);
  // A plain client usually sends at once, a TLS one always: look when something came.
  loop.Watch(added.stream->fd(), added.id, EPOLLIN | EPOLLONESHOT, false);
}

void Server::Impl::Arm(Connection& c, short wanted) {
  loop.Watch(c.stream->fd(), c.id, ((wanted & POLLOUT) != 0 ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT, true);
}

// Goes on with a connection until it must wait, is handed to a handler, or closed.
void Server::Impl::Advance(Connection& c) {
  if (c.state == State::kHandshake && !Handshake(c)) return;
  for (;;) {
    const bool maybe_http2 = c.fresh && c.listen->plain_http2 && c.tls == nullptr && c.state == State::kReadHead &&
                             !c.buffer.empty() &&
                             kPreface.starts_with(std::string_view(c.buffer).substr(0, kPreface.size()));
    if (maybe_http2 && c.buffer.size() >= kPreface.size()) return BeginHttp2(c);
    if (!maybe_http2 && c.state != State::kDraining && !c.buffer.empty() && !Parse(c)) return;
    if (!ReadMore(c)) return;
  }
}

bool Server::Impl::Handshake(Connection& c) {
  const Result<net::Io> io = c.tls->TryHandshake();
  if (!io.ok()) {
    if (logger.V(4)) logger.Info("TLS handshake error", {{"peer", c.peer.address}, {"err", io.status().message()}});
    Close(c);
    return false;
  }
  if (io->wait != 0) {
    Arm(c, io->wait);
    return false;
  }
  c.peer.certificate = c.tls->Peer();
  c.peer.front_proxy = c.tls->FrontProxy();
  c.peer.showed_certificate = c.tls->ShowedCertificate();
  if (c.tls->Alpn() == "h2") {
    BeginHttp2(c);
    return false;
  }
  c.state = State::kReadHead;
  SetDeadline(c, options.limits.read_header);
  return true;
}

// Reads once. False: the connection waits or is gone.
bool Server::Impl::ReadMore(Connection& c) {
  char chunk[kReadSize];
  const Result<net::Io> io = c.stream->TryRead(chunk, sizeof(chunk));
  if (!io.ok() || io->eof) {
    Close(c);
    return false;
  }
  if (io->wait != 0) {
    Arm(c, io->wait);
    return false;
  }
  if (c.state == State::kDraining) {
    c.drained += io->bytes;
    if (c.drained <= kDrainBytes) return true;
    Close(c);
    return false;
  }
  // The first byte of a later request starts the clock for its header.
  if (c.state == State::kReadHead && c.buffer.empty() && !c.fresh) SetDeadline(c, options.limits.read_header);
  c.buffer.append(chunk, io->bytes);
  return true;
}

// Feeds the parser. False: the connection has gone on to a handler or is being closed.
bool Server::Impl::Parse(Connection& c) {
  if (!c.parser) {
    const Limits& l = options.limits;
    c.parser = std::make_unique<Parser>(Parser::Kind::kRequest, ParserLimits{l.header, l.header_fields, l.body});
  }
  const bool had_head = c.parser->HeadDone();
  const Result<size_t> used = c.parser->Feed(c.buffer);
  if (!used.ok()) {
    Refuse(c, StatusOf(used.status()), used.status().message());
    return false;
  }
  c.buffer.erase(0, *used);
  c.body += c.parser->TakeBody();
  const bool done = c.parser->Done();
  if (!had_head && c.parser->HeadDone()) {
    c.state = State::kReadBody;
    SetDeadline(c, options.limits.read_body);
    const std::string_view expect = c.parser->headers.Get("Expect");
    if (!expect.empty() && !EqualFold(expect, "100-continue")) {
      Refuse(c, 417, "Expectation Failed");
      return false;
    }
    // 25 bytes into an empty socket buffer; if they do not fit, the peer waits a moment and sends anyway.
    if (!expect.empty() && !done) (void)c.stream->TryWrite("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (!done) return true;
  Dispatch(c);
  return false;
}

// Answers what cannot be a request and ends the connection; reads on a little so that the answer is not lost to a
// reset.
void Server::Impl::Refuse(Connection& c, int status, std::string_view text) {
  if (logger.V(4)) logger.Info("Refused a request", {{"peer", c.peer.address}, {"status", status}, {"reason", text}});
  const std::string body = fmt::format("{} {}: {}", status, StatusText(status), text);
  (void)c.stream->TryWrite(fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
      status, StatusText(status), body.size(), body));
  c.stream->CloseWrite();
  c.state = State::kDraining;
  c.buffer.clear();
  SetDeadline(c, kDrain);
  Arm(c, POLLIN);
}

void Server::Impl::Dispatch(Connection& c) {
  const Parser& parser = *c.parser;
  Result<Target> target = ParseTarget(parser.target);
  if (!target.ok()) return Refuse(c, StatusOf(target.status()), target.status().message());
  auto request = std::make_shared<Request>();
  request->method = parser.method;
  request->target = parser.target;
  request->raw_path = std::move(target->raw_path);
  request->path = std::move(target->path);
  request->query = std::move(target->query);
  request->host = std::string(parser.headers.Get("Host"));
  request->peer = c.peer;
  request->listener = c.listen->name;
  request->body = std::move(c.body);
  c.gone = std::stop_source();
  c.abort = std::stop_source();
  request->ctx = Context::Background().WithStop(c.gone.get_token()).WithLogger(logger);
  Http1Writer::Setup setup{.ctx = Context::Background().WithStop(c.abort.get_token()),
                           .write_stall = options.limits.write_stall,
                           .version = parser.version,
                           .head_request = parser.method == "HEAD",
                           .keep_alive = parser.KeepAlive(),
                           .draining = &draining,
                           .hijack = nullptr};
  request->headers = std::move(c.parser->headers);
  c.parser.reset();
  c.body = {};
  c.state = State::kHandling;
  c.deadline = MonoTime::max();
  c.fresh = false;
  CountHandling(1);
  loop.Watch(c.stream->fd(), c.id, EPOLLRDHUP | EPOLLONESHOT, true);
  pool.Post([this, &c, request, setup = std::move(setup)]() mutable { Handle(c, *request, std::move(setup)); });
}

// On a pool thread. The connection stays until Finished.
void Server::Impl::Handle(Connection& c, Request& request, Http1Writer::Setup setup) {
  setup.hijack = [this, &c]() -> Result<net::StreamPtr> {
    loop.Unwatch(c.stream->fd());
    c.hijacked = true;
    c.stream->Unread(std::exchange(c.buffer, {}));
    return std::move(c.stream);
  };
  bool keep = false;
  {
    Http1Writer writer(*c.stream, std::move(setup));
    bool failed = false;
    try {
      handler(request, writer);
    } catch (const std::exception& e) {
      KNARR_BUG((std::string("a handler let an exception escape: ") + e.what()).c_str());
      failed = true;
    }
    if (failed && !writer.HeaderSent() && !writer.hijacked()) writer.Error(500, "Internal Server Error");
    if (std::optional<Http1Writer::Rest> rest = writer.TakeRest()) {
      c.pump = std::make_unique<Pumping>(Pumping{.rest = std::move(*rest), .bell = {}, .out = {}});
      c.pump->rest.keep = c.pump->rest.keep && !failed;
      keep = true;
    } else {
      keep = writer.Finish() && !failed;
    }
  }
  const uint64_t id = c.id;
  loop.Post([this, id, keep] { Finished(id, keep); });
}

void Server::Impl::Finished(uint64_t id, bool keep) {
  Connection& c = *connections.at(id);
  const bool gone = c.gone.stop_requested();
  if (c.hijacked || !keep || stopping || (gone && !c.pump)) {
    Close(c);
  } else if (c.pump) {
    c.pump->no_input = gone;
    if (draining) c.pump->rest.source->Shutdown();
    BeginPump(c);
  } else if (draining) {
    Close(c);
  } else {
    c.state = State::kReadHead;
    SetDeadline(c, c.buffer.empty() ? options.limits.idle : options.limits.read_header);
    if (c.buffer.empty()) c.buffer.shrink_to_fit();
    Advance(c);
  }
  CountHandling(-1);
}

void Server::Impl::CountHandling(int change) {
  std::lock_guard lock(mutex);
  handling = static_cast<size_t>(static_cast<int64_t>(handling) + change);
  if (handling == 0) idle.notify_all();
}

void Server::Impl::BeginHttp2(Connection& c) {
  c.state = State::kHttp2;
  c.fresh = false;
  const Http2Session::Env env{.limits = &options.limits,
                              .handler = &handler,
                              .clock = &clock,
                              .logger = logger,
                              .wakes = &wakes,
                              .run = [this](std::function<void()> task) { pool.Post(std::move(task)); },
                              .handling = [this](int change) { CountHandling(change); }};
  c.h2 = std::make_unique<Http2Session>(env, c.id, *c.stream, c.peer, c.listen->name);
  if (draining) c.h2->Shutdown();
  After(c, c.h2->Start(std::exchange(c.buffer, {})));
}

// What follows a turn of an HTTP/2 connection.
void Server::Impl::After(Connection& c, bool alive) {
  if (!alive) {
    c.h2.reset();
    // A moment for the GOAWAY to arrive: closing on unread bytes would reset the connection before it.
    c.stream->CloseWrite();
    c.state = State::kDraining;
    SetDeadline(c, kDrain);
    return Advance(c);
  }
  if (const uint32_t events = c.h2->Events(); events != c.watched) {
    c.watched = events;
    loop.Watch(c.stream->fd(), c.id, events, true);
  }
  SetDeadline(c, c.h2->Deadline());
}

void Server::Impl::BeginPump(Connection& c) {
  c.state = State::kPumping;
  c.pump->bell = std::make_shared<Bell>(wakes, WakeKey{c.id, 0});
  c.pump->rest.source->SetWake([bell = c.pump->bell] { bell->Ring(); });
  // Edge-triggered: neither a full socket nor a waiting source costs another call.
  loop.Watch(c.stream->fd(), c.id, EPOLLOUT | EPOLLRDHUP | EPOLLET, true);
  AdvancePump(c);
}

void Server::Impl::ServeWakes(const std::vector<WakeKey>& keys) {
  for (const WakeKey& key : keys) {
    const auto found = connections.find(key.connection);
    if (found == connections.end()) continue;
    Connection& c = *found->second;
    if (c.state == State::kPumping) {
      if (!c.pump->blocked) AdvancePump(c);
      continue;
    }
    if (c.state != State::kHttp2) continue;
    if (key.stream == 0) {
      After(c, c.h2->OnReadable());
      continue;
    }
    c.h2->OnWake(key.stream);
    if (!std::exchange(c.flush, true)) dirty.push_back(key.connection);
  }
  // What a batch brought to one connection leaves it in one write.
  for (const uint64_t id : dirty) {
    const auto found = connections.find(id);
    if (found == connections.end()) continue;
    Connection& c = *found->second;
    c.flush = false;
    if (c.state == State::kHttp2) After(c, c.h2->Flush());
  }
  dirty.clear();
}

// Writes and pulls until the socket is full, the source has nothing, or others are due.
void Server::Impl::AdvancePump(Connection& c) {
  Pumping& p = *c.pump;
  for (int turn = 0;; ++turn) {
    if (!PumpWrite(c)) return;
    if (p.ended) return EndPump(c, !p.rest.left || *p.rest.left == 0);
    if (turn == kPumpTurns) return p.bell->Ring();
    p.bell->Heard();
    p.waiting = false;
    scratch.clear();
    const BodySource::State state = p.rest.source->Pull(&scratch, kPumpSize);
    p.ended = state == BodySource::State::kEnd;
    PumpPull(p);
    if (state != BodySource::State::kWait || !p.out.empty()) continue;
    // A list still goes to a client that has closed its side; a watch has lost its watcher.
    if (p.no_input) return EndPump(c, false);
    p.waiting = true;
    return;
  }
}

// True when all that was pulled is with the kernel; false: it waits, or the connection is gone.
bool Server::Impl::PumpWrite(Connection& c) {
  Pumping& p = *c.pump;
  bool progress = false;
  while (p.sent < p.out.size()) {
    const Result<net::Io> io = c.stream->TryWrite(std::string_view(p.out).substr(p.sent));
    if (!io.ok()) {
      EndPump(c, false);
      return false;
    }
    p.sent += io->bytes;
    progress = progress || io->bytes > 0;
    if (io->wait == 0) continue;
    if (progress || !p.blocked) SetDeadline(c, options.limits.write_stall);
    p.blocked = true;
    return false;
  }
  p.blocked = false;
  p.sent = 0;
  p.out.clear();
  if (p.out.capacity() > 4096) p.out.shrink_to_fit();
  c.deadline = MonoTime::max();
  return true;
}

// Frames what is in `scratch`.
void Server::Impl::PumpPull(Pumping& p) {
  if (p.rest.left) {
    // More than was declared would be read as the next response.
    if (scratch.size() > *p.rest.left) {
      scratch.resize(*p.rest.left);
      p.rest.keep = false;
      p.ended = true;
    }
    *p.rest.left -= scratch.size();
  }
  if (!p.rest.chunked) {
    p.out.append(scratch);
    return;
  }
  if (!scratch.empty()) {
    fmt::format_to(std::back_inserter(p.out), "{:x}\r\n", scratch.size());
    p.out.append(scratch).append("\r\n");
  }
  if (p.ended) p.out.append("0\r\n\r\n");
}

void Server::Impl::EndPump(Connection& c, bool delivered) {
  if (!delivered || !c.pump->rest.keep || stopping || draining) return Close(c, delivered);
  DropPump(c, true);
  c.state = State::kReadHead;
  SetDeadline(c, c.buffer.empty() ? options.limits.idle : options.limits.read_header);
  Advance(c);
}

void Server::Impl::SetDeadline(Connection& c, Duration after) {
  SetDeadline(c, clock.Monotonic() + after);
}

void Server::Impl::SetDeadline(Connection& c, MonoTime at) {
  c.deadline = at;
  if (c.deadline >= sweep_at) return;
  sweep_at = c.deadline;
  sweep = clock.RunAt(sweep_at, [this] { loop.Post([this] { Sweep(); }); });
}

// Closes what is past its deadline. One timer for all, and none without connections.
void Server::Impl::Sweep() {
  const MonoTime now = clock.Monotonic();
  std::vector<Connection*> late;
  MonoTime next = MonoTime::max();
  for (const auto& [id, c] : connections) {
    if (c->deadline <= now) {
      late.push_back(c.get());
    } else {
      next = std::min(next, c->deadline);
    }
  }
  sweep_at = next;
  sweep = next == MonoTime::max() || stopping ? Timer() : clock.RunAt(next, [this] { loop.Post([this] { Sweep(); }); });
  for (Connection* c : late) c->state == State::kHttp2 ? After(*c, c->h2->OnDeadline()) : Close(*c);
}

void Server::Impl::DropPump(Connection& c, bool delivered) {
  const std::unique_ptr<Pumping> pump = std::move(c.pump);
  if (pump) pump->rest.source->OnEnd(delivered);
}

void Server::Impl::Close(Connection& c, bool delivered) {
  DropPump(c, delivered);
  if (c.stream) {
    loop.Unwatch(c.stream->fd());
    if (c.tls != nullptr && c.state != State::kHandshake) c.stream->CloseWrite();
  }
  c.h2.reset();
  --listeners[static_cast<size_t>(c.listen - options.listen.data())].connections;
  connections.erase(c.id);
  connection_count = connections.size();
  if (!draining || !connections.empty()) return;
  const std::lock_guard lock(mutex);
  idle.notify_all();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(Options options, ElasticPool& pool, Handler handler, Clock& clock,
                                              Logger logger) {
  auto impl = std::make_unique<Impl>(std::move(options), pool, std::move(handler), clock, std::move(logger));
  KNARR_TRY(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::Port(std::string_view name) const {
  for (size_t i = 0; i < impl_->listeners.size(); ++i) {
    if (impl_->options.listen[i].name == name) return impl_->listeners[i].port;
  }
  return 0;
}

Status Server::Shutdown(const Context& ctx) {
  return impl_->Shutdown(ctx);
}

size_t Server::Connections() const {
  return impl_->connection_count;
}

}  // namespace knarr::http
