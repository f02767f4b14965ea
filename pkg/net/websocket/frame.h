// WebSocket frames (RFC 6455): encoding, and a reader that is fed bytes as they come. Bounded memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::websocket {

enum class Opcode : uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

struct Frame {
  bool fin = true;
  Opcode opcode = Opcode::kBinary;
  std::string payload;  // unmasked
};

// mask: clients must, servers must not.
std::string EncodeFrame(const Frame& frame, std::optional<std::array<uint8_t, 4>> mask);

// Turns bytes into messages: fragments are joined, control frames come out between them.
class FrameReader {
 public:
  // masked: what the peer must send (true on the server's side). max_message: payload bytes of one message.
  FrameReader(bool masked, size_t max_message) : masked_(masked), max_message_(max_message) {}

  void Feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message (fin is true), nullopt when more bytes are needed, an error for a broken peer (close then).
  Result<std::optional<Frame>> Next();

 private:
  Result<std::optional<Frame>> NextFrame();

  const bool masked_;
  const size_t max_message_;
  std::string buffer_;
  std::optional<Frame> partial_;
};

// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string AcceptKey(std::string_view key);

}  // namespace knarr::websocket
