// Private to pkg/net/http: one HTTP/2 connection. nghttp2 has the protocol; here is what a stream does to a handler,
// and what a peer may cost.
//
// Everything runs on the io thread but the handlers, which see their H2Stream through a ResponseWriter: at most
// kStreamBuffer bytes wait there for the io thread, then Write blocks. Pumped bodies are pulled when nghttp2 asks for
// the next DATA frame, so flow control reaches the source. All frames that are due leave in one write.
//
// Abuse (resets, pings, settings, empty frames, refused or malformed requests) is charged to a bucket; a peer that
// empties it gets GOAWAY ENHANCE_YOUR_CALM. Requests that were reset go on counting until their handlers have returned.
// Frames that nghttp2 skips (extensions, PRIORITY) cost no more than their bytes and do not keep a connection open.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/base/clock.h"
#include "pkg/net/http/server.h"
#include "pkg/net/http/wake.h"

struct nghttp2_session;

namespace knarr::http {

struct H2Stream;

class Http2Session {
 public:
  struct Env {
    const Limits* limits = nullptr;
    const Handler* handler = nullptr;
    Clock* clock = nullptr;
    Logger logger;
    WakeQueue* wakes = nullptr;
    std::function<void(std::function<void()>)> run;  // a task on the pool
    std::function<void(int)> handling;               // counts running handlers; any thread
  };
  // The stream outlives the session.
  Http2Session(Env env, uint64_t id, net::Stream& stream, Peer peer, std::string listener);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;

  // Each: false when the connection is to be closed.
  bool Start(std::string_view already_read);
  bool OnReadable();
  bool OnWritable();
  bool OnDeadline();
  // A stream has news; Flush is due after a batch of these. (A wake of stream 0 asks for OnReadable: the session made
  // room for others.)
  void OnWake(int32_t stream);
  bool Flush();
  // GOAWAY, in two steps so that no request is lost on the way; ends when the last stream has.
  void Shutdown();

  bool Idle() const { return streams_.empty(); }
  // epoll's, level-triggered.
  uint32_t Events() const;
  MonoTime Deadline() const;

 private:
  struct Callbacks;
  bool Feed(std::string_view bytes);
  void Charge(int cost);
  void BeginRequest(int32_t id);
  void EndRequest(H2Stream& s);
  // Answers without a handler.
  void Refuse(H2Stream& s, int status, std::string_view text);
  void Reset(int32_t stream, uint32_t error);
  void Submit(H2Stream& s);
  void Closed(int32_t stream, uint32_t error);
  int64_t ReadBody(H2Stream& s, uint8_t* buffer, size_t size, uint32_t* flags);
  void BeginGoAway();
  void FinalGoAway();
  H2Stream* Find(int32_t id);

  const Env env_;
  const uint64_t id_;
  net::Stream& stream_;
  const Peer peer_;
  const std::string listener_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, std::shared_ptr<H2Stream>> streams_;
  std::shared_ptr<std::atomic<int>> running_ = std::make_shared<std::atomic<int>>(0);
  std::string out_;  // taken from nghttp2 and not yet by the socket, from sent_ on
  size_t sent_ = 0;
  bool blocked_ = false;       // until the socket is writable
  size_t bodies_ = 0;          // bytes of request bodies that are not complete
  int receiving_ = 0;          // streams whose request is not complete
  int32_t header_stream_ = 0;  // whose header block is being read
  MonoTime header_since_;
  MonoTime blocked_since_;
  MonoTime idle_since_;
  MonoTime now_;  // of this turn
  double budget_;
  MonoTime budget_at_;
  bool condemned_ = false;
  enum class Drain { kNo, kNotice, kFinal } drain_ = Drain::kNo;
  MonoTime drain_since_;
  bool stopping_ = false;  // the server is; else only this connection is to end
};

}  // namespace knarr::http
