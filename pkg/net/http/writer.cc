#include "pkg/net/http/writer.h"

#include <algorithm>
#include <charconv>

#include <ctime>

namespace knarr::http {
namespace {

constexpr size_t kBuffer = 16 << 10;

// Field values come from handlers, and may hold what a client sent: nothing may end the line.
void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  out += "\r\n";
}

}  // namespace

std::string HttpDate(WallTime time) {
  // Asked for every response, mostly within the same second.
  thread_local std::time_t last = -1;
  thread_local char text[40];
  thread_local size_t size = 0;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  if (seconds != last) {
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    last = seconds;
  }
  return std::string(text, size);
}

void Http1Writer::WriteHeader(int status) {
  if (status_ == 0) status_ = status;
}

Status Http1Writer::Usable() const {
  if (hijacked_) return knarr::Error(Code::kFailedPrecondition, "http: connection has been hijacked");
  if (source_) return knarr::Error(Code::kFailedPrecondition, "http: the body was handed to the server");
  return {};
}

Status Http1Writer::Write(std::string_view bytes) {
  if (!error_.ok()) return error_;
  KNARR_TRY(Usable());
  if (status_ == 0) status_ = 200;
  if (!BodyAllowed())
    return knarr::Error(Code::kFailedPrecondition, "http: a response with status {} has no body", status_);
  if (buffer_.size() + bytes.size() <= kBuffer) {
    buffer_ += bytes;
    return {};
  }
  if (buffer_.empty()) {
    buffer_ = bytes;
  } else {
    buffer_ += bytes;
  }
  return Send(false);
}

Status Http1Writer::Flush() {
  if (!error_.ok()) return error_;
  KNARR_TRY(Usable());
  if (status_ == 0) status_ = 200;
  return Send(false);
}

std::string Http1Writer::HeaderText(bool whole) {
  close_ = !setup_.keep_alive || (setup_.draining != nullptr && *setup_.draining) ||
           headers_.HasToken("Connection", "close");
  const std::string_view declared = headers_.Get("Content-Length");
  if (!declared.empty()) {
    declared_ = true;
    std::from_chars(declared.data(), declared.data() + declared.size(), left_);
  } else if (BodyAllowed()) {
    if (whole) {
      headers_.Set("Content-Length", std::to_string(buffer_.size()));
    } else if (setup_.version >= 11) {
      chunked_ = true;
      headers_.Set("Transfer-Encoding", "chunked");
    } else {
      close_ = true;  // HTTP/1.0: the end of the connection ends the body
    }
  }
  if (!headers_.Has("Content-Type") && BodyAllowed() && !buffer_.empty())
    headers_.Set("Content-Type", "text/plain; charset=utf-8");
  if (!headers_.Has("Date")) headers_.Set("Date", HttpDate(std::chrono::system_clock::now()));
  if (close_) headers_.Set("Connection", "close");
  if (!close_ && setup_.version == 10) headers_.Set("Connection", "keep-alive");
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status_, StatusText(status_));
  for (const auto& [name, value] : headers_) AppendField(text, name, value);
  return text + "\r\n";
}

Status Http1Writer::Send(bool whole) {
  std::string out;
  if (!header_sent_) out = HeaderText(whole);
  header_sent_ = true;
  if (!setup_.head_request && !buffer_.empty()) {
    if (declared_) {
      if (buffer_.size() > left_) {
        error_ = knarr::Error(Code::kInternal, "http: wrote more than the declared Content-Length");
        return error_;
      }
      left_ -= buffer_.size();
    }
    if (chunked_) out += fmt::format("{:x}\r\n", buffer_.size());
    if (out.empty()) {
      out.swap(buffer_);
    } else {
      out += buffer_;
    }
    if (chunked_) out += "\r\n";
  }
  buffer_.clear();
  if (buffer_.capacity() > 2 * kBuffer) buffer_.shrink_to_fit();
  // The deadline is for a piece of bounded size, so that a slow but moving peer is not cut off.
  for (std::string_view rest = out; !rest.empty() && error_.ok();) {
    const std::string_view piece = rest.substr(0, 64 << 10);
    rest.remove_prefix(piece.size());
    error_ = stream_.Write(setup_.ctx.WithTimeout(setup_.write_stall), piece);
  }
  return error_;
}

void Http1Writer::Pump(std::unique_ptr<BodySource> source) {
  if (!error_.ok() || !Usable().ok()) return source->OnEnd(false);
  if (status_ == 0) status_ = 200;
  source_ = std::move(source);
}

std::optional<Http1Writer::Rest> Http1Writer::TakeRest() {
  if (!source_) return std::nullopt;
  std::unique_ptr<BodySource> source = std::move(source_);
  const bool wanted = BodyAllowed() && !setup_.head_request;
  if (wanted && (!header_sent_ || !buffer_.empty())) (void)Send(false);
  if (!wanted || !error_.ok()) {
    source->OnEnd(error_.ok());
    return std::nullopt;
  }
  Rest rest{.source = std::move(source), .chunked = chunked_, .keep = !close_, .left = {}};
  if (declared_) rest.left = left_;
  return rest;
}

bool Http1Writer::Finish() {
  if (hijacked_) return false;
  if (status_ == 0) status_ = 200;
  if (error_.ok() && (!header_sent_ || !buffer_.empty())) (void)Send(!header_sent_);
  if (error_.ok() && chunked_ && !setup_.head_request)
    error_ = stream_.Write(setup_.ctx.WithTimeout(setup_.write_stall), "0\r\n\r\n");
  return error_.ok() && !close_ && (!declared_ || left_ == 0 || setup_.head_request);
}

Result<net::StreamPtr> Http1Writer::Hijack() {
  if (header_sent_ || status_ != 0 || hijacked_ || source_)
    return knarr::Error(Code::kFailedPrecondition, "http: the response was begun, it cannot be hijacked");
  hijacked_ = true;
  return setup_.hijack();
}

}  // namespace knarr::http
