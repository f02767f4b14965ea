#include "pkg/net/spdy/frame.h"

#include <zlib.h>

#include <array>

namespace knarr::spdy {
namespace {

constexpr uint16_t kVersion = 3;
constexpr uint32_t kControl = 0x80000000;

void Put16(std::string& out, uint32_t v) {
  out += static_cast<char>(v >> 8);
  out += static_cast<char>(v);
}
void Put32(std::string& out, uint32_t v) {
  Put16(out, v >> 16);
  Put16(out, v & 0xffff);
}
uint32_t Get32(std::string_view in, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v = v << 8 | static_cast<uint8_t>(in[at + i]);
  return v;
}
void PutText(std::string& out, std::string_view text) {
  Put32(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

// The compression dictionary of the protocol: words with their lengths, then what values are made of.
const std::string& Dictionary() {
  static const std::string kDictionary = [] {
    std::string out;
    for (const char* word : {"options",
                             "head",
                             "post",
                             "put",
                             "delete",
                             "trace",
                             "accept",
                             "accept-charset",
                             "accept-encoding",
                             "accept-language",
                             "accept-ranges",
                             "age",
                             "allow",
                             "authorization",
                             "cache-control",
                             "connection",
                             "content-base",
                             "content-encoding",
                             "content-language",
                             "content-length",
                             "content-location",
                             "content-md5",
                             "content-range",
                             "content-type",
                             "date",
                             "etag",
                             "expect",
                             "expires",
                             "from",
                             "host",
                             "if-match",
                             "if-modified-since",
                             "if-none-match",
                             "if-range",
                             "if-unmodified-since",
                             "last-modified",
                             "location",
                             "max-forwards",
                             "pragma",
                             "proxy-authenticate",
                             "proxy-authorization",
                             "range",
                             "referer",
                             "retry-after",
                             "server",
                             "te",
                             "trailer",
                             "transfer-encoding",
                             "upgrade",
                             "user-agent",
                             "vary",
                             "via",
                             "warning",
                             "www-authenticate",
                             "method",
                             "get",
                             "status",
                             "200 OK",
                             "version",
                             "HTTP/1.1",
                             "url",
                             "public",
                             "set-cookie",
                             "keep-alive",
                             "origin"})
      PutText(out, word);
    return out +
           "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
           "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
           "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
           "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
           "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
           "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
  }();
  return kDictionary;
}

const Bytef* Bytes(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

std::string Control(Type type, uint8_t flags, std::string_view payload) {
  std::string out;
  Put16(out, 0x8000 | kVersion);
  Put16(out, static_cast<uint16_t>(type));
  Put32(out, static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(payload.size()));
  return out.append(payload);
}

}  // namespace

struct Encoder::Impl {
  z_stream z{};
};

Encoder::Encoder() : impl_(std::make_unique<Impl>()) {
  KNARR_CHECK(deflateInit(&impl_->z, Z_BEST_SPEED) == Z_OK);
  const std::string& dictionary = Dictionary();
  KNARR_CHECK(deflateSetDictionary(&impl_->z, Bytes(dictionary), static_cast<uInt>(dictionary.size())) == Z_OK);
}

Encoder::~Encoder() {
  deflateEnd(&impl_->z);
}

std::string Encoder::Encode(const Frame& frame) {
  std::string out;
  if (frame.type == Type::kData) {
    KNARR_CHECK(frame.payload.size() < 1U << 24);
    Put32(out, frame.stream);
    Put32(out, (frame.fin ? 1U << 24 : 0) | static_cast<uint32_t>(frame.payload.size()));
    return out + frame.payload;
  }
  if (frame.type == Type::kPing) {
    Put32(out, frame.number);
    return Control(frame.type, 0, out);
  }
  Put32(out, frame.stream);
  if (frame.type == Type::kRstStream || frame.type == Type::kGoAway) {
    Put32(out, frame.number);
    return Control(frame.type, 0, out);
  }
  if (frame.type == Type::kSynStream) {
    Put32(out, 0);  // associated to none
    Put16(out, 0);  // priority, slot
  }
  std::string plain;
  Put32(plain, static_cast<uint32_t>(frame.fields.size()));
  for (const auto& [name, value] : frame.fields) {
    PutText(plain, name);
    PutText(plain, value);
  }
  z_stream& z = impl_->z;
  z.next_in = const_cast<Bytef*>(Bytes(plain));
  z.avail_in = static_cast<uInt>(plain.size());
  do {
    std::array<char, 1024> piece{};
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = piece.size();
    deflate(&z, Z_SYNC_FLUSH);
    out.append(piece.data(), piece.size() - z.avail_out);
  } while (z.avail_out == 0);
  return Control(frame.type, frame.fin ? 1 : 0, out);
}

struct Decoder::Impl {
  z_stream z{};
};

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {
  KNARR_CHECK(inflateInit(&impl_->z) == Z_OK);
}

Decoder::~Decoder() {
  inflateEnd(&impl_->z);
}

Result<Fields> Decoder::Unpack(std::string_view block) {
  z_stream& z = impl_->z;
  z.next_in = const_cast<Bytef*>(Bytes(block));
  z.avail_in = static_cast<uInt>(block.size());
  std::string plain;
  for (;;) {
    std::array<char, 4096> piece{};
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = piece.size();
    const int rc = inflate(&z, Z_SYNC_FLUSH);
    if (rc == Z_NEED_DICT) {
      const std::string& dictionary = Dictionary();
      if (inflateSetDictionary(&z, Bytes(dictionary), static_cast<uInt>(dictionary.size())) != Z_OK)
        return Error(Code::kInvalid, "spdy: another dictionary");
      continue;
    }
    if (rc != Z_OK && rc != Z_BUF_ERROR) return Error(Code::kInvalid, "spdy: broken header block");
    plain.append(piece.data(), piece.size() - z.avail_out);
    if (plain.size() > kMaxHeaders) return Error(Code::kOutOfRange, "spdy: header block is too large");
    if (z.avail_in == 0 && z.avail_out > 0) break;
    if (rc == Z_BUF_ERROR) return Error(Code::kInvalid, "spdy: broken header block");
  }
  std::string_view rest = plain;
  const auto number = [&]() -> std::optional<uint32_t> {
    if (rest.size() < 4) return std::nullopt;
    const uint32_t v = Get32(rest, 0);
    rest.remove_prefix(4);
    return v;
  };
  const auto text = [&]() -> std::optional<std::string> {
    const std::optional<uint32_t> size = number();
    if (!size || *size > rest.size()) return std::nullopt;
    std::string out(rest.substr(0, *size));
    rest.remove_prefix(*size);
    return out;
  };
  Fields fields;
  const std::optional<uint32_t> count = number();
  for (uint32_t i = 0; count && i < *count; ++i) {
    std::optional<std::string> name = text();
    std::optional<std::string> value = text();
    if (!name || !value) return Error(Code::kInvalid, "spdy: broken header block");
    fields.emplace_back(std::move(*name), std::move(*value));
  }
  if (!count || !rest.empty()) return Error(Code::kInvalid, "spdy: broken header block");
  return fields;
}

Result<std::optional<Frame>> Decoder::Next() {
  for (;;) {
    if (buffer_.size() < 8) return std::optional<Frame>();
    const uint32_t first = Get32(buffer_, 0);
    const uint32_t second = Get32(buffer_, 4);
    const size_t size = second & 0xffffff;
    if (size > kMaxFrame) return Error(Code::kRequestEntityTooLarge, "spdy: frame of {} bytes is over the limit", size);
    if (buffer_.size() < 8 + size) return std::optional<Frame>();
    const std::string body = buffer_.substr(8, size);
    buffer_.erase(0, 8 + size);
    Frame frame;
    frame.fin = (second >> 24 & 1) != 0;
    if ((first & kControl) == 0) {
      frame.stream = first;
      frame.payload = body;
      return std::optional<Frame>(std::move(frame));
    }
    if ((first >> 16 & 0x7fff) != kVersion) return Error(Code::kInvalid, "spdy: version is not 3");
    const uint16_t type = first & 0xffff;
    frame.type = static_cast<Type>(type);
    const size_t fixed = type == 1 ? 10 : type == 2 || type == 8 || type == 6 ? 4 : type == 3 || type == 7 ? 8 : 0;
    if (fixed == 0) continue;
    if (size < fixed) return Error(Code::kInvalid, "spdy: short frame");
    frame.stream = Get32(body, 0) & ~kControl;
    if (type == 6) frame.number = Get32(body, 0);
    if (type == 3 || type == 7) frame.number = Get32(body, 4);
    if (type == 1 || type == 2 || type == 8) frame.fields = KNARR_TRY(Unpack(std::string_view(body).substr(fixed)));
    return std::optional<Frame>(std::move(frame));
  }
}

}  // namespace knarr::spdy
