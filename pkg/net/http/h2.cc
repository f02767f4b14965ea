#include "pkg/net/http/h2.h"

#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "pkg/net/http/h2_stream.h"
#include "pkg/net/http/parser.h"

namespace knarr::http {
namespace {

constexpr uint32_t kMaxStreams = 100;  // upstream's http2-max-streams-per-connection
constexpr uint32_t kStreamWindow = 256 << 10;
constexpr int32_t kConnectionWindow = 1 << 20;
constexpr size_t kOutput = 64 << 10;  // collected for one write
constexpr size_t kPullSize = 64 << 10;
constexpr int kTurns = 16;                 // writes or reads before the other connections get theirs
constexpr size_t kQueuedFrames = 1000;     // then the peer is not read from until it reads
constexpr size_t kSparseBodies = 4 << 20;  // of requests that are not complete, beside one of full size
constexpr double kBudget = 1000, kBudgetPerSecond = 50;
constexpr auto kNoticeTime = std::chrono::seconds(1);

// nghttp2 takes field names in lower case and copies what it is given.
class FieldBlock {
 public:
  void Add(std::string_view name, std::string_view value) {
    std::string& n = Keep(name);
    for (char& c : n) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    std::string& v = Keep(value);
    // Values come from handlers and may hold what a client sent.
    for (char& c : v) c = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    nvs_.push_back({reinterpret_cast<uint8_t*>(n.data()), reinterpret_cast<uint8_t*>(v.data()), n.size(), v.size(),
                    NGHTTP2_NV_FLAG_NONE});
  }
  const nghttp2_nv* data() const { return nvs_.data(); }
  size_t size() const { return nvs_.size(); }

 private:
  std::string& Keep(std::string_view text) { return *kept_.emplace_back(std::make_unique<std::string>(text)); }
  std::vector<std::unique_ptr<std::string>> kept_;
  std::vector<nghttp2_nv> nvs_;
};

bool ConnectionSpecific(std::string_view name) {
  for (const std::string_view n : {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"}) {
    if (EqualFold(n, name)) return true;
  }
  return false;
}

std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

struct Http2Session::Callbacks {
  static Http2Session& Of(void* user) { return *static_cast<Http2Session*>(user); }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = Of(user);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.BeginRequest(frame->hd.stream_id);
    if (self.Find(frame->hd.stream_id) == nullptr) return 0;
    self.header_stream_ = frame->hd.stream_id;
    self.header_since_ = self.now_;
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
    Http2Session& self = Of(user);
    H2Stream* s = self.Find(frame->hd.stream_id);
    if (s == nullptr) return 0;
    s->header_bytes += name_size + value_size + 32;
    if (s->header_bytes > self.env_.limits->header || s->fields.size() >= self.env_.limits->header_fields) {
      // What is too large is not kept; a dictionary that blows up further ends the stream at once.
      s->too_large = true;
      if (s->header_bytes <= 4 * self.env_.limits->header) return 0;
      self.Charge(100);
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers: counted, not kept
    const std::string_view n = Text(name, name_size);
    const std::string_view v = Text(value, value_size);
    if (n == ":method") {
      s->method = v;
    } else if (n == ":path") {
      s->target = v;
    } else if (n == ":authority") {
      s->authority = v;
    } else if (!n.starts_with(':')) {
      s->fields.Add(std::string(n), std::string(v));
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = Of(user);
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA: {
        if (frame->hd.type == NGHTTP2_HEADERS) self.header_stream_ = 0;
        if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == frame->data.padlen && !end_stream) self.Charge(1);
        H2Stream* s = self.Find(frame->hd.stream_id);
        if (s == nullptr) break;
        if (s->too_large && !s->answered) {
          self.Refuse(*s, 431, "request header fields too large");
        } else if (end_stream) {
          self.EndRequest(*s);
        } else if (frame->hd.type == NGHTTP2_HEADERS) {
          s->body_deadline = self.now_ + self.env_.limits->read_body;
          const std::string_view expect = s->fields.Get("Expect");
          if (EqualFold(expect, "100-continue")) {
            FieldBlock block;
            block.Add(":status", "100");
            nghttp2_submit_headers(self.session_, NGHTTP2_FLAG_NONE, s->id, nullptr, block.data(), block.size(),
                                   nullptr);
          } else if (!expect.empty()) {
            self.Refuse(*s, 417, "Expectation Failed");
          }
        }
        break;
      }
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && self.drain_ == Drain::kNotice) self.FinalGoAway();
        self.Charge(1);
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) self.Charge(10);
        break;
      case NGHTTP2_RST_STREAM: self.Charge(1); break;
      default: break;
    }
    return 0;
  }

  static int OnInvalidFrame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    Of(user).Charge(10);
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    Http2Session& self = Of(user);
    H2Stream* s = self.Find(id);
    if (s == nullptr || s->answered) return 0;
    if (s->body.size() + size > self.env_.limits->body) {
      self.Refuse(*s, 413, "request body is too large");
      return 0;
    }
    if (self.bodies_ + size > self.env_.limits->body + kSparseBodies) {
      self.Reset(id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    s->body.append(Text(data, size));
    self.bodies_ += size;
    return 0;
  }

  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const int32_t id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      // Also what we were made to reset counts.
      Of(user).Charge(1);
    } else if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
               (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               nghttp2_session_get_stream_remote_close(session, id) == 0) {
      // Answered before the request was complete: the rest of it is not wanted.
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    Of(user).Closed(id, error);
    return 0;
  }

  static ssize_t Read(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size, uint32_t* flags, nghttp2_data_source*,
                      void* user) {
    // Null where a reset is queued behind this.
    H2Stream* s = Of(user).Find(id);
    if (s == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return static_cast<ssize_t>(Of(user).ReadBody(*s, buffer, size, flags));
  }
};

Http2Session::Http2Session(Env env, uint64_t id, net::Stream& stream, Peer peer, std::string listener)
    : env_(std::move(env)),
      id_(id),
      stream_(stream),
      peer_(std::move(peer)),
      listener_(std::move(listener)),
      now_(env_.clock->Monotonic()),
      budget_(kBudget),
      budget_at_(now_) {
  idle_since_ = now_;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  KNARR_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, Callbacks::OnInvalidFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::OnFrameSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, 100);
  nghttp2_option_set_peer_max_concurrent_streams(option, kMaxStreams);
  nghttp2_option_set_server_fallback_rfc7540_priorities(option, 0);
  KNARR_CHECK(nghttp2_session_server_new2(&session_, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
}

Http2Session::~Http2Session() {
  while (!streams_.empty()) Closed(streams_.begin()->first, NGHTTP2_CANCEL);
  nghttp2_session_del(session_);
}

bool Http2Session::Start(std::string_view already_read) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(env_.limits->header)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  return Feed(already_read) && OnReadable();
}

bool Http2Session::Feed(std::string_view bytes) {
  if (bytes.empty()) return true;
  const ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return true;
  // A flood, no memory, or no HTTP/2 at all. What nghttp2 itself treats as the peer's error ends with its GOAWAY.
  if (env_.logger.V(4))
    env_.logger.Info("HTTP/2 connection failed",
                     {{"peer", peer_.address}, {"err", nghttp2_strerror(static_cast<int>(used))}});
  nghttp2_session_terminate_session(session_,
                                    used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_INTERNAL_ERROR);
  (void)Flush();
  return false;
}

bool Http2Session::OnReadable() {
  now_ = env_.clock->Monotonic();
  char chunk[16 << 10];
  for (int turn = 0;; ++turn) {
    // A condemned peer has nothing more to say.
    if (condemned_ || nghttp2_session_get_outbound_queue_size(session_) > kQueuedFrames) break;
    if (turn == kTurns) {
      env_.wakes->Push({id_, 0});
      break;
    }
    const Result<net::Io> io = stream_.TryRead(chunk, sizeof(chunk));
    if (!io.ok() || io->eof) return false;
    if (io->wait != 0) break;
    if (!Feed({chunk, io->bytes})) return false;
  }
  return Flush();
}

bool Http2Session::OnWritable() {
  now_ = env_.clock->Monotonic();
  const bool held_back = nghttp2_session_get_outbound_queue_size(session_) > kQueuedFrames;
  if (!Flush()) return false;
  // Bytes may lie in the TLS layer, of which the descriptor tells nothing.
  return !held_back || OnReadable();
}

void Http2Session::OnWake(int32_t id) {
  now_ = env_.clock->Monotonic();
  H2Stream* s = Find(id);
  if (s == nullptr) return;
  s->bell->Heard();
  if (!s->submitted) return Submit(*s);
  {
    const std::lock_guard lock(s->mutex);
    if (s->broken && s->finished) return Reset(id, NGHTTP2_INTERNAL_ERROR);
  }
  if (!s->waiting) return;
  s->waiting = false;
  s->progress = now_;
  nghttp2_session_resume_data(session_, id);
}

bool Http2Session::Flush() {
  for (int turn = 0;; ++turn) {
    while (sent_ < out_.size()) {
      const Result<net::Io> io = stream_.TryWrite(std::string_view(out_).substr(sent_));
      if (!io.ok()) return false;
      sent_ += io->bytes;
      if (!blocked_ || io->bytes > 0) blocked_since_ = now_;
      blocked_ = io->wait != 0;
      if (blocked_) return true;
    }
    blocked_ = false;
    sent_ = 0;
    out_.clear();
    if (turn == kTurns) {
      env_.wakes->Push({id_, 0});
      return true;
    }
    while (out_.size() < kOutput) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) return false;
      if (size == 0) break;
      out_.append(Text(data, static_cast<size_t>(size)));
    }
    if (out_.empty()) break;
  }
  if (out_.capacity() > 4096) out_.shrink_to_fit();
  if (drain_ == Drain::kFinal && streams_.empty()) return false;
  return nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
}

uint32_t Http2Session::Events() const {
  uint32_t events = EPOLLRDHUP;
  if (!condemned_ && nghttp2_session_get_outbound_queue_size(session_) <= kQueuedFrames) events |= EPOLLIN;
  if (blocked_) events |= EPOLLOUT;
  return events;
}

MonoTime Http2Session::Deadline() const {
  MonoTime at = MonoTime::max();
  const Limits& l = *env_.limits;
  if (streams_.empty()) at = idle_since_ + l.idle;
  if (header_stream_ != 0) at = std::min(at, header_since_ + l.read_header);
  if (blocked_) at = std::min(at, blocked_since_ + l.write_stall);
  if (condemned_) at = std::min(at, now_ + kNoticeTime);
  if (drain_ == Drain::kNotice) at = std::min(at, drain_since_ + kNoticeTime);
  for (const auto& [id, s] : streams_) {
    at = std::min(at, s->body_deadline);
    if (s->submitted && !s->waiting) at = std::min(at, s->progress + l.write_stall);
  }
  return at;
}

bool Http2Session::OnDeadline() {
  const MonoTime now = now_ = env_.clock->Monotonic();
  const Limits& l = *env_.limits;
  if (condemned_ || (blocked_ && blocked_since_ + l.write_stall <= now)) return false;
  if (header_stream_ != 0 && header_since_ + l.read_header <= now) return false;
  if (drain_ == Drain::kNotice && drain_since_ + kNoticeTime <= now) FinalGoAway();
  if (streams_.empty() && idle_since_ + l.idle <= now) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    (void)Flush();
    return false;
  }
  std::vector<int32_t> late;
  for (const auto& [id, s] : streams_) {
    if (s->body_deadline <= now || (s->submitted && !s->waiting && s->progress + l.write_stall <= now))
      late.push_back(id);
  }
  for (const int32_t id : late) Reset(id, NGHTTP2_CANCEL);
  return Flush();
}

void Http2Session::Shutdown() {
  now_ = env_.clock->Monotonic();
  if (std::exchange(stopping_, true)) return;
  BeginGoAway();
  for (const auto& [id, s] : streams_) {
    if (!s->source) continue;
    s->source->Shutdown();
    s->bell->Ring();
  }
}

// First "no more requests, please", then, when that has certainly arrived, which was the last.
void Http2Session::BeginGoAway() {
  if (drain_ != Drain::kNo || condemned_) return;
  drain_ = Drain::kNotice;
  drain_since_ = now_;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2Session::FinalGoAway() {
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::Charge(int cost) {
  const double seconds = std::chrono::duration<double>(now_ - budget_at_).count();
  budget_at_ = now_;
  budget_ = std::min(kBudget, budget_ + seconds * kBudgetPerSecond) - cost;
  if (budget_ > 0 || condemned_) return;
  condemned_ = true;
  env_.logger.Info("HTTP/2 client misbehaves, closing its connection", {{"peer", peer_.address}});
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

H2Stream* Http2Session::Find(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::BeginRequest(int32_t id) {
  // A reset frees the stream but not the handler's thread: it counts until that has returned.
  if (condemned_ || *running_ >= static_cast<int>(kMaxStreams)) {
    Charge(1);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return;
  }
  const auto added = streams_.emplace(id, std::make_shared<H2Stream>(*env_.wakes, WakeKey{id_, id}));
  added.first->second->progress = now_;
  ++receiving_;
}

void Http2Session::EndRequest(H2Stream& s) {
  s.complete = true;
  if (s.answered) return;
  Result<Target> target = ParseTarget(s.target);
  if (!target.ok()) return Refuse(s, 400, target.status().message());
  const std::string_view host = s.fields.Get("Host");
  if (s.fields.Count("Host") > 1 || (!host.empty() && !s.authority.empty() && host != s.authority))
    return Refuse(s, 400, "more than one Host");
  if (s.authority.empty()) s.authority = std::string(host);
  if (s.authority.empty()) return Refuse(s, 400, "missing Host");
  auto request = std::make_shared<Request>();
  request->method = std::move(s.method);
  request->target = std::move(s.target);
  request->raw_path = std::move(target->raw_path);
  request->path = std::move(target->path);
  request->query = std::move(target->query);
  request->headers.Add("Host", s.authority);
  std::string cookies;
  for (const auto& [name, value] : s.fields) {
    if (name == "host") continue;
    if (name != "cookie") {
      request->headers.Add(name, value);
    } else {
      cookies.append(cookies.empty() ? "" : "; ").append(value);
    }
  }
  if (!cookies.empty()) request->headers.Add("Cookie", std::move(cookies));
  s.fields = {};
  request->host = std::move(s.authority);
  request->peer = peer_;
  request->listener = listener_;
  request->http2 = true;
  bodies_ -= s.body.size();
  request->body = std::move(s.body);
  s.body = {};
  s.body_deadline = MonoTime::max();
  s.answered = true;
  --receiving_;
  request->ctx = Context::Background().WithStop(s.gone.get_token()).WithLogger(env_.logger);
  ++*running_;
  env_.handling(1);
  env_.run([stream = streams_.at(s.id), request, running = running_, handler = env_.handler, done = env_.handling] {
    {
      Http2Writer writer(stream, request->method == "HEAD");
      bool failed = false;
      try {
        (*handler)(*request, writer);
      } catch (const std::exception& e) {
        KNARR_BUG((std::string("a handler let an exception escape: ") + e.what()).c_str());
        failed = true;
      }
      writer.Finish(failed);
    }
    --*running;
    done(-1);
  });
}

void Http2Session::Refuse(H2Stream& s, int status, std::string_view text) {
  if (!s.answered) {
    --receiving_;
    bodies_ -= s.body.size();
  }
  Charge(1);
  s.answered = true;
  s.body = {};
  s.fields = {};
  s.body_deadline = MonoTime::max();
  {
    const std::lock_guard lock(s.mutex);
    s.status = status;
    s.pending = fmt::format("{} {}: {}", status, StatusText(status), text);
    s.header = {{"content-type", "text/plain; charset=utf-8"}, {"content-length", std::to_string(s.pending.size())}};
    s.no_body = s.method == "HEAD";
    s.has_header = s.finished = true;
  }
  Submit(s);
}

void Http2Session::Reset(int32_t id, uint32_t error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error);
  // nghttp2 tells of the close when the frame leaves; the handler and the source need not wait for a slow peer.
  Closed(id, error);
}

void Http2Session::Submit(H2Stream& s) {
  FieldBlock block;
  bool no_body = false, last = false;
  {
    const std::lock_guard lock(s.mutex);
    if (!s.has_header) return;
    block.Add(":status", std::to_string(s.status));
    for (const auto& [name, value] : s.header) {
      if (!ConnectionSpecific(name)) block.Add(name, value);
    }
    last = s.header.HasToken("Connection", "close");
    s.header = {};
    no_body = s.no_body || (s.finished && s.pending.empty() && !s.handed && !s.broken);
  }
  s.submitted = true;
  s.progress = now_;
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::Read;
  nghttp2_submit_response(session_, s.id, block.data(), block.size(), no_body ? nullptr : &provider);
  if (last) BeginGoAway();
}

// The next bytes of a response, when nghttp2 has room for them.
int64_t Http2Session::ReadBody(H2Stream& s, uint8_t* buffer, size_t size, uint32_t* flags) {
  size_t filled = 0;
  bool end = false;
  for (int pulls = 0; filled < size;) {
    if (s.sent < s.out.size()) {
      const size_t n = std::min(size - filled, s.out.size() - s.sent);
      std::memcpy(buffer + filled, s.out.data() + s.sent, n);
      s.sent += n;
      filled += n;
      continue;
    }
    s.out.clear();
    s.sent = 0;
    if (s.out.capacity() > 4096) s.out.shrink_to_fit();
    s.bell->Heard();
    if (s.source_ended) {
      end = true;
      break;
    }
    if (s.source) {
      const BodySource::State state = s.source->Pull(&s.out, kPullSize);
      s.source_ended = state == BodySource::State::kEnd;
      if (!s.out.empty() || s.source_ended) continue;
      if (state == BodySource::State::kMore) {
        if (++pulls < 4) continue;
        s.bell->Ring();
      }
      break;
    }
    const std::lock_guard lock(s.mutex);
    if (!s.pending.empty()) {
      s.out.swap(s.pending);
      s.space.notify_one();
      continue;
    }
    if (s.handed) {
      s.source = std::move(s.handed);
      s.source->SetWake([bell = s.bell] { bell->Ring(); });
      if (stopping_) s.source->Shutdown();
      continue;
    }
    if (s.broken) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    end = s.finished;
    break;
  }
  s.progress = now_;
  // Known to be the end already: the last bytes carry the flag, and no empty frame follows.
  if (!end && s.sent == s.out.size()) {
    if (s.source) {
      end = s.source_ended;
    } else {
      const std::lock_guard lock(s.mutex);
      end = s.finished && s.pending.empty() && !s.handed && !s.broken;
    }
  }
  if (end) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    s.source_ended = true;
    return static_cast<int64_t>(filled);
  }
  if (filled > 0) return static_cast<int64_t>(filled);
  s.waiting = true;
  return NGHTTP2_ERR_DEFERRED;
}

void Http2Session::Closed(int32_t id, uint32_t error) {
  if (header_stream_ == id) header_stream_ = 0;
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<H2Stream> s = found->second;
  streams_.erase(found);
  if (streams_.empty()) idle_since_ = now_;
  if (!s->answered) {
    --receiving_;
    bodies_ -= s->body.size();
  }
  std::unique_ptr<BodySource> handed;
  {
    const std::lock_guard lock(s->mutex);
    s->closed = true;
    handed = std::move(s->handed);
    s->pending = {};
    s->space.notify_all();
  }
  s->gone.request_stop();
  const bool delivered = error == NGHTTP2_NO_ERROR && s->source_ended && s->sent == s->out.size();
  if (handed) handed->OnEnd(false);
  if (s->source) s->source->OnEnd(delivered);
  s->source.reset();
}

}  // namespace knarr::http
