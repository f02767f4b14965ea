// SPDY/3.1 frames, as far as Kubernetes' streaming speaks it (moby/spdystream): streams, data, resets, pings. Both ends
// ignore flow control, so this does. No I/O; bounded memory.
// Mirrors: github.com/moby/spdystream/spdy
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::spdy {

enum class Type : uint16_t {
  kData = 0,  // not a number of the protocol: data frames have none
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};

using Fields = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct Frame {
  Type type = Type::kData;
  uint32_t stream = 0;
  bool fin = false;
  Fields fields;        // SYN_STREAM, SYN_REPLY, HEADERS
  std::string payload;  // data
  uint32_t number = 0;  // PING: its id; RST_STREAM, GOAWAY: the status
};

// Header blocks of one direction share a compression context: frames must be encoded in the order in which they are
// sent.
class Encoder {
 public:
  Encoder();
  ~Encoder();
  Encoder(const Encoder&) = delete;
  std::string Encode(const Frame& frame);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

class Decoder {
 public:
  static constexpr size_t kMaxFrame = 1 << 20;
  static constexpr size_t kMaxHeaders = 64 << 10;  // unpacked
  Decoder();
  ~Decoder();
  Decoder(const Decoder&) = delete;
  void Feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next frame, nullopt when more bytes are needed, an error for a broken peer. Types that are not known are
  // skipped.
  Result<std::optional<Frame>> Next();

 private:
  struct Impl;
  Result<Fields> Unpack(std::string_view block);

  const std::unique_ptr<Impl> impl_;
  std::string buffer_;
};

}  // namespace knarr::spdy
