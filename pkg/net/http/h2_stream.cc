#include "pkg/net/http/h2_stream.h"

#include <charconv>

#include "pkg/net/http/writer.h"

namespace knarr::http {
namespace {

constexpr size_t kBuffer = 16 << 10;

Status Gone() {
  return Error(Code::kCancelled, "http2: stream closed");
}

}  // namespace

void Http2Writer::WriteHeader(int status) {
  if (status_ == 0) status_ = status;
}

Status Http2Writer::Write(std::string_view bytes) {
  if (!error_.ok()) return error_;
  if (pumped_) return knarr::Error(Code::kFailedPrecondition, "http: the body was handed to the server");
  if (status_ == 0) status_ = 200;
  if (!BodyAllowed())
    return knarr::Error(Code::kFailedPrecondition, "http: a response with status {} has no body", status_);
  buffer_ += bytes;
  if (buffer_.size() <= kBuffer) return {};
  return Send(false);
}

Status Http2Writer::Flush() {
  if (!error_.ok()) return error_;
  if (pumped_) return knarr::Error(Code::kFailedPrecondition, "http: the body was handed to the server");
  if (status_ == 0) status_ = 200;
  return Send(false);
}

void Http2Writer::Pump(std::unique_ptr<BodySource> source) {
  if (status_ == 0) status_ = 200;
  if (!error_.ok() || pumped_) return source->OnEnd(false);
  if (!BodyAllowed() || head_request_) return source->OnEnd(true);
  if (!header_sent_ || !buffer_.empty()) (void)Send(false);
  pumped_ = true;
  {
    const std::lock_guard lock(stream_->mutex);
    if (!stream_->closed) stream_->handed = std::move(source);
  }
  if (source) source->OnEnd(false);
}

Result<net::StreamPtr> Http2Writer::Hijack() {
  return knarr::Error(Code::kUnimplemented, "http: an HTTP/2 stream cannot be upgraded");
}

// Hands header and buffer to the io thread; waits while too much lies there.
Status Http2Writer::Send(bool last) {
  H2Stream& s = *stream_;
  const bool no_body = !BodyAllowed() || head_request_;
  if (!header_sent_) {
    if (const std::string_view declared = headers_.Get("Content-Length"); !declared.empty()) {
      uint64_t length = 0;
      std::from_chars(declared.data(), declared.data() + declared.size(), length);
      left_ = length;
    } else if (last && BodyAllowed()) {
      headers_.Set("Content-Length", std::to_string(buffer_.size()));
    }
    if (!headers_.Has("Content-Type") && BodyAllowed() && !buffer_.empty())
      headers_.Set("Content-Type", "text/plain; charset=utf-8");
    if (!headers_.Has("Date")) headers_.Set("Date", HttpDate(std::chrono::system_clock::now()));
  }
  if (left_ && !no_body) {
    if (buffer_.size() > *left_) {
      error_ = knarr::Error(Code::kInternal, "http: wrote more than the declared Content-Length");
      buffer_.clear();
    } else {
      *left_ -= buffer_.size();
    }
  }
  std::unique_lock lock(s.mutex);
  if (s.closed) return error_ = Gone();
  if (!header_sent_) {
    s.header = headers_;
    s.status = status_;
    s.no_body = no_body;
    s.has_header = true;
    header_sent_ = true;
  }
  if (!no_body) {
    if (s.pending.empty()) {
      s.pending.swap(buffer_);
    } else {
      s.pending += buffer_;
    }
  }
  buffer_.clear();
  if (last) {
    s.finished = true;
    s.broken = !error_.ok() || (left_.value_or(0) != 0 && !no_body && !pumped_);
  }
  lock.unlock();
  s.bell->Ring();
  if (last) return error_;
  lock.lock();
  // Ends when the io thread takes it or closes the stream: it also watches for stalls.
  s.space.wait(lock, [&] { return s.closed || s.pending.size() <= kStreamBuffer; });
  if (s.closed && error_.ok()) error_ = Gone();
  return error_;
}

void Http2Writer::Finish(bool failed) {
  if (failed && !header_sent_) {
    headers_ = {};
    buffer_.clear();
    left_.reset();
    status_ = 0;
    error_ = {};
    Error(500, "Internal Server Error");
  } else if (failed) {
    error_ = knarr::Error(Code::kInternal, "the handler failed");
  }
  if (status_ == 0) status_ = 200;
  (void)Send(true);
}

}  // namespace knarr::http
