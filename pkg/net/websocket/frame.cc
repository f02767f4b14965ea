#include "pkg/net/websocket/frame.h"

#include <openssl/evp.h>

namespace knarr::websocket {
namespace {

constexpr std::string_view kAcceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void AppendBigEndian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint8_t>(value >> shift));
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

void Mask(std::string& payload, std::string_view key) {
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
}

bool IsControl(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

bool IsKnown(uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

}  // namespace

std::string EncodeFrame(const Frame& frame, std::optional<std::array<uint8_t, 4>> mask) {
  std::string out;
  out.reserve(frame.payload.size() + 14);
  out += static_cast<char>((frame.fin ? 0x80 : 0) | static_cast<uint8_t>(frame.opcode));
  const uint8_t mask_bit = mask ? 0x80 : 0;
  const size_t size = frame.payload.size();
  if (size < 126) {
    out += static_cast<char>(mask_bit | size);
  } else if (size < 65536) {
    out += static_cast<char>(mask_bit | 126);
    AppendBigEndian(out, size, 2);
  } else {
    out += static_cast<char>(mask_bit | 127);
    AppendBigEndian(out, size, 8);
  }
  if (!mask) return out + frame.payload;
  const std::string key(mask->begin(), mask->end());
  std::string payload = frame.payload;
  Mask(payload, key);
  return out + key + payload;
}

Result<std::optional<Frame>> FrameReader::NextFrame() {
  const std::string_view in = buffer_;
  if (in.size() < 2) return std::optional<Frame>();
  const auto first = static_cast<uint8_t>(in[0]);
  const auto second = static_cast<uint8_t>(in[1]);
  const uint8_t opcode = first & 0x0f;
  if ((first & 0x70) != 0) return Error(Code::kInvalid, "websocket: reserved bits are set");
  if (!IsKnown(opcode)) return Error(Code::kInvalid, "websocket: unknown opcode {}", opcode);
  if (((second & 0x80) != 0) != masked_) return Error(Code::kInvalid, "websocket: frame is {}masked", masked_ ? "not " : "");
  Frame frame{.fin = (first & 0x80) != 0, .opcode = static_cast<Opcode>(opcode), .payload = {}};
  uint64_t size = second & 0x7f;
  size_t header = 2;
  if (size >= 126) {
    const size_t bytes = size == 126 ? 2 : 8;
    if (in.size() < header + bytes) return std::optional<Frame>();
    size = ReadBigEndian(in.substr(header, bytes));
    header += bytes;
  }
  if (IsControl(frame.opcode) && (size > 125 || !frame.fin)) return Error(Code::kInvalid, "websocket: bad control frame");
  if (size > max_message_) return Error(Code::kRequestEntityTooLarge, "websocket: frame of {} bytes is over the limit of {}", size, max_message_);
  const size_t key_size = masked_ ? 4 : 0;
  if (in.size() < header + key_size + size) return std::optional<Frame>();
  frame.payload = in.substr(header + key_size, size);
  if (masked_) Mask(frame.payload, in.substr(header, 4));
  buffer_.erase(0, header + key_size + size);
  return std::optional<Frame>(std::move(frame));
}

Result<std::optional<Frame>> FrameReader::Next() {
  for (;;) {
    std::optional<Frame> frame = KNARR_TRY(NextFrame());
    if (!frame || IsControl(frame->opcode)) return frame;
    if (frame->opcode == Opcode::kContinuation) {
      if (!partial_) return Error(Code::kInvalid, "websocket: continuation of nothing");
      if (partial_->payload.size() + frame->payload.size() > max_message_) {
        return Error(Code::kRequestEntityTooLarge, "websocket: message is over the limit of {} bytes", max_message_);
      }
      partial_->payload += frame->payload;
    } else {
      if (partial_) return Error(Code::kInvalid, "websocket: a new message inside another");
      partial_ = Frame{.fin = true, .opcode = frame->opcode, .payload = std::move(frame->payload)};
    }
    if (!frame->fin) continue;
    std::optional<Frame> message = std::move(partial_);
    partial_.reset();
    return message;
  }
}

std::string AcceptKey(std::string_view key) {
  const std::string input = std::string(key) + std::string(kAcceptGuid);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  KNARR_CHECK(EVP_Digest(input.data(), input.size(), digest, &size, EVP_sha1(), nullptr) == 1);
  std::string encoded(4 * ((size + 2) / 3) + 1, '\0');
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), digest, static_cast<int>(size));
  encoded.resize(static_cast<size_t>(written));
  return encoded;
}

}  // namespace knarr::websocket
