// Private to pkg/net/http: what the io thread and a handler share of one HTTP/2 stream.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "pkg/net/http/server.h"
#include "pkg/net/http/wake.h"

namespace knarr::http {

constexpr size_t kStreamBuffer = 64 << 10;

struct H2Stream {
  H2Stream(WakeQueue& wakes, WakeKey key) : id(key.stream), bell(std::make_shared<Bell>(wakes, key)) {}

  const int32_t id;
  const std::shared_ptr<Bell> bell;
  std::stop_source gone;  // for the handler

  // The io thread's.
  std::string method, scheme, target, authority;
  Headers fields;
  size_t header_bytes = 0;
  bool too_large = false;
  bool answered = false;  // a handler has it, or it was refused
  bool complete = false;  // END_STREAM came
  std::string body;
  MonoTime body_deadline = MonoTime::max();
  bool submitted = false;
  bool waiting = false;  // nghttp2 was told that there is nothing to send
  MonoTime progress;     // when bytes were last taken for sending
  std::string out;       // being sent, from `sent` on
  size_t sent = 0;
  std::unique_ptr<BodySource> source;
  bool source_ended = false;

  // Both sides'.
  std::mutex mutex;
  std::condition_variable space;
  bool closed = false;  // nothing that is written arrives
  bool has_header = false;
  bool no_body = false;  // HEAD, 204, 304: a header and nothing else
  int status = 0;
  Headers header;
  std::string pending;    // written by the handler, not yet taken
  bool finished = false;  // the handler has returned
  bool broken = false;    // its response cannot be completed
  std::unique_ptr<BodySource> handed;
};

// Runs on the handler's thread.
class Http2Writer : public ResponseWriter {
 public:
  Http2Writer(std::shared_ptr<H2Stream> stream, bool head_request)
      : stream_(std::move(stream)), head_request_(head_request) {}
  Headers& headers() override { return headers_; }
  void WriteHeader(int status) override;
  Status Write(std::string_view bytes) override;
  Status Flush() override;
  void Pump(std::unique_ptr<BodySource> source) override;
  void Abort() override { error_ = knarr::Error(Code::kCancelled, "http: the response was given up"); }
  Result<net::StreamPtr> Hijack() override;
  bool HeaderSent() const override { return header_sent_; }
  int status() const override { return status_; }
  // The handler has returned. failed: by an exception.
  void Finish(bool failed);

 private:
  bool BodyAllowed() const { return status_ >= 200 && status_ != 204 && status_ != 304; }
  Status Send(bool last);

  const std::shared_ptr<H2Stream> stream_;
  const bool head_request_;
  Headers headers_;
  std::string buffer_;
  Status error_;
  int status_ = 0;
  bool header_sent_ = false, pumped_ = false;
  std::optional<uint64_t> left_;  // of a declared Content-Length
};

}  // namespace knarr::http
