#include "pkg/cni/relay_wire.h"

namespace knarr::cni {
namespace {

constexpr std::string_view kMagic = "KCN1";

void PutNumber(std::string& out, size_t number) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xff);
}

// Takes a number from the front.
bool TakeNumber(std::string_view& in, uint32_t& number) {
  if (in.size() < 4) return false;
  number = 0;
  for (unsigned i = 0; i < 4; ++i) number |= static_cast<uint32_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  in.remove_prefix(4);
  return true;
}

std::string Frame(const std::string& payload) {
  std::string frame(kMagic);
  PutNumber(frame, payload.size());
  return frame + payload;
}

// Walks the members of a JSON object just far enough to find one; every step bounds-checks.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string Find(std::string_view key) {
    if (!Take('{')) return {};
    while (true) {
      std::string name, value;
      if (!String(name) || !Take(':')) return {};
      Blanks();
      if (at_ < text_.size() && text_[at_] == '"') {
        const bool plain = String(value);
        if (at_ > text_.size()) return {};
        if (name == key) return plain ? value : std::string();
      } else if (!SkipValue()) {
        return {};
      }
      if (!Take(',')) return {};
    }
  }

 private:
  void Blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  bool Take(char c) {
    Blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Leaves at_ behind the closing quote, or beyond the end when there is none; false also for unusual escapes.
  bool String(std::string& value) {
    if (!Take('"')) return false;
    bool plain = true;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        if (++at_ >= text_.size()) break;
        plain &= text_[at_] == '/' || text_[at_] == '\\' || text_[at_] == '"';
      }
      value += text_[at_++];
    }
    if (at_ >= text_.size()) {
      at_ = text_.size() + 1;
      return false;
    }
    ++at_;
    return plain;
  }

  // A number, a literal, or a bracketed value with whatever is in it.
  bool SkipValue() {
    size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        std::string ignored;
        String(ignored);
        if (at_ > text_.size()) return false;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}')) return true;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
      }
      ++at_;
    }
    return false;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string EncodeRequest(const RelayRequest& request) {
  std::string payload;
  PutNumber(payload, 6);
  for (const std::string* field :
       {&request.command, &request.container_id, &request.netns, &request.ifname, &request.args, &request.stdin_data}) {
    PutNumber(payload, field->size());
    payload += *field;
  }
  return Frame(payload);
}

std::string EncodeReply(const RelayReply& reply) {
  std::string payload;
  PutNumber(payload, reply.exit_code);
  return Frame(payload + reply.out);
}

std::optional<size_t> PayloadLength(std::string_view header) {
  if (header.size() < kRelayHeader || !header.starts_with(kMagic)) return std::nullopt;
  header.remove_prefix(kMagic.size());
  uint32_t length = 0;
  if (!TakeNumber(header, length) || length > kMaxRelayPayload) return std::nullopt;
  return length;
}

std::optional<RelayRequest> DecodeRequest(std::string_view payload) {
  RelayRequest request;
  uint32_t count = 0, length = 0;
  if (!TakeNumber(payload, count) || count != 6) return std::nullopt;
  for (std::string* field :
       {&request.command, &request.container_id, &request.netns, &request.ifname, &request.args, &request.stdin_data}) {
    if (!TakeNumber(payload, length) || length > payload.size()) return std::nullopt;
    *field = payload.substr(0, length);
    payload.remove_prefix(length);
  }
  if (!payload.empty()) return std::nullopt;
  return request;
}

std::optional<RelayReply> DecodeReply(std::string_view payload) {
  RelayReply reply;
  if (!TakeNumber(payload, reply.exit_code)) return std::nullopt;
  reply.out = payload;
  return reply;
}

std::string TopLevelString(std::string_view json, std::string_view key) { return Scanner(json).Find(key); }

std::string DeferredName(std::string_view container_id, std::string_view ifname) {
  return std::string(container_id) + "," + std::string(ifname);
}

bool ParseDeferredName(std::string_view name, std::string& container_id, std::string& ifname) {
  const size_t comma = name.find(',');
  if (name.starts_with('.') || comma == std::string_view::npos || comma == 0 || comma + 1 == name.size()) return false;
  container_id = name.substr(0, comma);
  ifname = name.substr(comma + 1);
  return true;
}

}  // namespace knarr::cni
