#include "pkg/net/http/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>

namespace knarr::http {
namespace {

namespace beast = boost::beast;

constexpr size_t kMaxLine = 4 << 10;  // a chunk's size with its extensions, or a trailer
constexpr size_t kMaxTrailer = 8 << 10;

Status BadMessage(std::string_view why) {
  return Error(Code::kBadRequest, "malformed HTTP message: {}", why);
}

Status TooLarge() {
  return Error(Code::kRequestEntityTooLarge, "http: request body too large");
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Host: name or address with an optional port; nothing that could be read as something else.
bool ValidHost(std::string_view host) {
  return host.size() <= 300 && std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._~%:[]@").find(c) != std::string_view::npos;
         });
}

bool HasDotSegment(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

// The bytes of a head from `from` on: every line ends in CRLF and none begins with white space. The last byte's
// follower is not known yet; the next call begins with that byte.
Status CheckLines(std::string_view head, size_t from) {
  for (size_t i = from; i < head.size(); ++i) {
    const bool last = i + 1 == head.size();
    if (head[i] == '\r' && !last && head[i + 1] != '\n') return BadMessage("bare CR");
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return BadMessage("bare LF");
    if (head[i] == '\n' && !last && (head[i + 1] == ' ' || head[i + 1] == '\t')) return BadMessage("folded field");
    if (head[i] == '\0') return BadMessage("NUL in header");
  }
  return {};
}

}  // namespace

// Beast's parser of one head; it is told that no body follows.
template <bool kIsRequest>
struct Parser::Machine : beast::http::basic_parser<kIsRequest> {
  explicit Machine(Parser& owner) : owner_(owner) {
    this->skip(true);
    this->header_limit(static_cast<uint32_t>(owner.limits_.header + 1));
  }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       beast::error_code&) override {
    owner_.method = std::string(method);
    owner_.target = std::string(target);
    owner_.version = version;
  }
  void on_response_impl(int code, beast::string_view reason, int version, beast::error_code&) override {
    owner_.status = code;
    owner_.reason = std::string(reason);
    owner_.version = version;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     beast::error_code& ec) override {
    if (owner_.headers.size() >= owner_.limits_.header_fields) {
      ec = beast::http::error::header_limit;
      return;
    }
    owner_.headers.Add(std::string(name), std::string(value));
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  size_t on_body_impl(beast::string_view, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, beast::string_view, beast::error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, beast::string_view, beast::error_code&) override { return 0; }
  void on_finish_impl(beast::error_code&) override {}

  Parser& owner_;
};

template <bool kIsRequest>
Status Parser::PutHead(std::string_view head) {
  Machine<kIsRequest> machine(*this);
  // One call reads the first line and the fields, as long as all of them are there.
  beast::error_code ec;
  const size_t n = machine.put({head.data(), head.size()}, ec);
  if (ec == beast::http::error::header_limit) return Error(Code::kOutOfRange, "header too large");
  if (ec && ec != beast::http::error::need_more) return BadMessage(ec.message());
  if (n != head.size() || !machine.is_header_done()) return BadMessage("incomplete header");
  keep_alive_ = machine.keep_alive();
  return {};
}

Result<size_t> Parser::Feed(std::string_view bytes) {
  size_t used = 0;
  if (!head_done_) {
    used = KNARR_TRY(FeedHead(bytes));
    if (!head_done_) return used;
  }
  while (!Done() && used < bytes.size()) {
    const size_t n = KNARR_TRY(FeedBody(bytes.substr(used)));
    if (n == 0) break;
    used += n;
  }
  return used;
}

Result<size_t> Parser::FeedHead(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n", scanned_ > 3 ? scanned_ - 3 : 0);
  const size_t size = end == std::string_view::npos ? bytes.size() : end + 4;
  if (size > limits_.header) return Error(Code::kOutOfRange, "header too large");
  // What is wrong is refused when it comes, not when the head is complete: a peer may never complete it.
  KNARR_TRY(CheckLines(bytes.substr(0, size), scanned_ > 0 ? scanned_ - 1 : 0));
  scanned_ = size;
  if (end == std::string_view::npos) return 0;
  const std::string_view head = bytes.substr(0, size);
  KNARR_TRY(kind_ == Kind::kRequest ? PutHead<true>(head) : PutHead<false>(head));
  KNARR_TRY(CheckHead());
  KNARR_TRY(BeginBody());
  head_done_ = true;
  return size;
}

Status Parser::CheckHead() {
  const size_t lengths = headers.Count("Content-Length");
  const size_t encodings = headers.Count("Transfer-Encoding");
  if (lengths > 1 || (lengths == 1 && !AllDigits(headers.Get("Content-Length"))))
    return BadMessage("bad Content-Length");
  if (encodings > 0 && lengths > 0) return BadMessage("Content-Length beside Transfer-Encoding");
  if (encodings > 1) return BadMessage("too many transfer encodings");
  if (encodings == 1 && !EqualFold(headers.Get("Transfer-Encoding"), "chunked")) {
    return Error(Code::kUnimplemented, "unsupported transfer encoding");
  }
  if (encodings == 1 && version == 10) return BadMessage("Transfer-Encoding in HTTP/1.0");
  if (kind_ == Kind::kResponse) return {};
  const size_t hosts = headers.Count("Host");
  if (hosts > 1) return BadMessage("too many Host headers");
  if (hosts == 0 && version == 11) return BadMessage("missing required Host header");
  if (!ValidHost(headers.Get("Host"))) return BadMessage("malformed Host header");
  return {};
}

Status Parser::BeginBody() {
  const bool response = kind_ == Kind::kResponse;
  const std::string_view length = headers.Get("Content-Length");
  if (no_body_ || (response && (status < 200 || status == 204 || status == 304))) {
    state_ = Body::kDone;
  } else if (headers.Has("Transfer-Encoding")) {
    state_ = Body::kChunkSize;
  } else if (!length.empty()) {
    std::from_chars(length.data(), length.data() + length.size(), left_);
    if (left_ > limits_.body) return TooLarge();
    state_ = left_ == 0 ? Body::kDone : Body::kLength;
  } else {
    state_ = response ? Body::kToEof : Body::kDone;
  }
  return {};
}

Result<size_t> Parser::TakeData(std::string_view bytes, uint64_t limit) {
  const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size(), limit));
  total_ += n;
  if (total_ > limits_.body) return TooLarge();
  body_.append(bytes.data(), n);
  return n;
}

Result<size_t> Parser::FeedBody(std::string_view bytes) {
  switch (state_) {
    case Body::kToEof: return TakeData(bytes, bytes.size());
    case Body::kLength:
    case Body::kChunkData: {
      const size_t n = KNARR_TRY(TakeData(bytes, left_));
      left_ -= n;
      if (left_ == 0) state_ = state_ == Body::kLength ? Body::kDone : Body::kChunkEnd;
      return n;
    }
    case Body::kChunkEnd:
      if (bytes[0] != '\r' || (bytes.size() > 1 && bytes[1] != '\n')) return BadMessage("chunk without its end");
      if (bytes.size() < 2) return 0;
      state_ = Body::kChunkSize;
      return 2;
    case Body::kChunkSize:
    case Body::kTrailer: return FeedLine(bytes);
    case Body::kNone:
    case Body::kDone: break;
  }
  return 0;
}

// A chunk's size with extensions (ignored), or a trailer field (checked and dropped).
Result<size_t> Parser::FeedLine(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  std::string_view line = bytes.substr(0, end);
  if (line.size() > kMaxLine) return BadMessage("chunk header or trailer too large");
  if (end == std::string_view::npos) return 0;
  if (!line.ends_with('\r')) return BadMessage("bare LF");
  line.remove_suffix(1);
  const bool clean = std::all_of(line.begin(), line.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
  if (!clean) return BadMessage("control character in chunk header or trailer");
  if (state_ == Body::kTrailer) {
    trailer_ += end + 1;
    if (trailer_ > kMaxTrailer) return BadMessage("trailer too large");
    if (line.empty()) state_ = Body::kDone;
    const std::string_view name = line.substr(0, line.find(':'));
    if (!line.empty() &&
        (name.empty() || name.size() == line.size() || name.find_first_of(" \t") != std::string_view::npos))
      return BadMessage("bad trailer");
    for (const char* framing : {"Content-Length", "Transfer-Encoding", "Host"}) {
      if (EqualFold(name, framing)) return BadMessage("framing field in a trailer");
    }
    return end + 1;
  }
  const char* const digits_end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), digits_end, left_, 16);
  const bool signs = line.starts_with('-') || line.starts_with('+');
  if (error != std::errc() || signs || (rest != digits_end && *rest != ';' && *rest != ' ' && *rest != '\t'))
    return BadMessage("bad chunk size");
  // White space may only stand before an extension.
  const std::string_view extension = std::string_view(rest, static_cast<size_t>(digits_end - rest));
  const size_t text = extension.find_first_not_of(" \t");
  if (text != std::string_view::npos && extension[text] != ';') return BadMessage("bad chunk size");
  if (left_ > limits_.body - total_) return TooLarge();
  state_ = left_ == 0 ? Body::kTrailer : Body::kChunkData;
  return end + 1;
}

Status Parser::FeedEof() {
  if (state_ == Body::kToEof) state_ = Body::kDone;
  return Done() ? Status() : BadMessage("unexpected EOF");
}

Result<Target> ParseTarget(std::string_view target) {
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos)
    return BadMessage("the request target is not a path");
  Target out;
  const size_t question = target.find('?');
  out.raw_path = target.substr(0, question);
  out.path = KNARR_TRY(PercentDecode(out.raw_path, false));
  if (out.path.find('\0') != std::string::npos) return BadMessage("NUL in path");
  if (HasDotSegment(out.path)) return BadMessage("\".\" or \"..\" in path");
  if (question != std::string_view::npos) out.query = KNARR_TRY(ParseQuery(target.substr(question + 1)));
  return out;
}

}  // namespace knarr::http
