// Private to pkg/net/http: HTTP/1 messages from bytes, for server and client. No I/O.
//
// The grammar of the head is Boost.Beast's; bodies are taken apart here (Beast 1.81 asserts on some hostile chunks). On
// top of that everything that two implementations could read differently is refused:
// bare CR or LF, folded fields, more than one Content-Length or a list of them, Transfer-Encoding other than exactly
// "chunked", both together, missing or repeated Host, targets that are not a path, "." and ".." segments.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/status.h"
#include "pkg/net/http/message.h"

namespace knarr::http {

struct ParserLimits {
  size_t header = 64 << 10;
  size_t header_fields = 200;
  size_t body = 1 << 20;
};

class Parser {
 public:
  enum class Kind { kRequest, kResponse };
  // no_body: the response to a HEAD request.
  Parser(Kind kind, const ParserLimits& limits, bool no_body = false)
      : kind_(kind), limits_(limits), no_body_(no_body) {}

  // Consumes what it can of `bytes` and says how much; the rest is to be given again with more behind it. A message's
  // end is not passed. Errors: kBadRequest (400), kOutOfRange (header too large, 431), kRequestEntityTooLarge (413),
  // kUnimplemented (501).
  Result<size_t> Feed(std::string_view bytes);
  // The peer closed: OK if that ends the message.
  Status FeedEof();

  bool HeadDone() const { return head_done_; }
  bool Done() const { return state_ == Body::kDone; }
  // Decoded body bytes since the last call.
  std::string TakeBody() { return std::move(body_); }
  size_t BodySize() const { return body_.size(); }

  // Valid after HeadDone.
  std::string method, target, reason;
  int status = 0;
  int version = 11;  // 10 or 11
  Headers headers;
  bool KeepAlive() const { return keep_alive_; }

 private:
  template <bool kIsRequest>
  struct Machine;
  enum class Body { kNone, kLength, kToEof, kChunkSize, kChunkData, kChunkEnd, kTrailer, kDone };
  template <bool kIsRequest>
  Status PutHead(std::string_view head);
  Result<size_t> FeedHead(std::string_view bytes);
  Status CheckHead();
  Status BeginBody();
  // One step of the body: how much of `bytes` it took; 0: more is needed.
  Result<size_t> FeedBody(std::string_view bytes);
  Result<size_t> FeedLine(std::string_view bytes);
  Result<size_t> TakeData(std::string_view bytes, uint64_t limit);

  const Kind kind_;
  const ParserLimits limits_;
  const bool no_body_;
  std::string body_;
  size_t scanned_ = 0;
  bool head_done_ = false;
  bool keep_alive_ = false;
  Body state_ = Body::kNone;
  uint64_t left_ = 0;   // of the length or the chunk
  uint64_t total_ = 0;  // body bytes so far
  size_t trailer_ = 0;  // bytes of trailers so far
};

// Splits and checks a request's target: raw path, decoded path, query.
struct Target {
  std::string raw_path;
  std::string path;
  Query query;
};
Result<Target> ParseTarget(std::string_view target);

}  // namespace knarr::http
