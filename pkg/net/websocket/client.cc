#include "pkg/net/websocket/client.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <fmt/ranges.h>

namespace knarr::websocket {
namespace {

std::string RandomKey() {
  unsigned char bytes[16];
  KNARR_CHECK(RAND_bytes(bytes, sizeof bytes) == 1);
  unsigned char encoded[25];
  return std::string(reinterpret_cast<char*>(encoded), static_cast<size_t>(EVP_EncodeBlock(encoded, bytes, sizeof bytes)));
}

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(const Context& ctx, http::ClientRequest request, const std::vector<std::string>& protocols) {
  const std::string key = RandomKey();
  request.method = "GET";
  request.headers.Set("Connection", "Upgrade");
  request.headers.Set("Upgrade", "websocket");
  request.headers.Set("Sec-WebSocket-Version", "13");
  request.headers.Set("Sec-WebSocket-Key", key);
  if (!protocols.empty()) request.headers.Set("Sec-WebSocket-Protocol", fmt::format("{}", fmt::join(protocols, ", ")));
  http::Upgraded upgraded = KNARR_TRY(http::Upgrade(ctx, request));
  if (!upgraded.stream) {
    std::string text = upgraded.response.body;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return Error(Code::kUnknown, "unable to upgrade connection: {}", text.empty() ? upgraded.response.reason : text);
  }
  if (upgraded.response.headers.Get("Sec-WebSocket-Accept") != AcceptKey(key)) {
    return Error(Code::kInvalid, "unable to upgrade connection: the answer does not belong to this handshake");
  }
  std::unique_ptr<Client> client(new Client(std::move(upgraded.stream)));
  client->protocol_ = std::string(upgraded.response.headers.Get("Sec-WebSocket-Protocol"));
  return client;
}

Result<std::optional<Frame>> Client::Read(const Context& ctx) {
  char buffer[16384];
  for (;;) {
    std::optional<Frame> frame = KNARR_TRY(reader_.Next());
    if (!frame) {
      const size_t n = KNARR_TRY(stream_->Read(ctx, buffer, sizeof buffer));
      if (n == 0) return std::optional<Frame>();
      reader_.Feed({buffer, n});
      continue;
    }
    switch (frame->opcode) {
      case Opcode::kPing: KNARR_TRY(Write(ctx, Opcode::kPong, frame->payload)); break;
      case Opcode::kPong: break;
      case Opcode::kClose: return std::optional<Frame>();
      default: return frame;
    }
  }
}

Status Client::Write(const Context& ctx, Opcode opcode, std::string_view payload) {
  std::array<uint8_t, 4> mask{};
  KNARR_CHECK(RAND_bytes(mask.data(), mask.size()) == 1);
  std::lock_guard lock(write_mutex_);
  return stream_->Write(ctx, EncodeFrame({.fin = true, .opcode = opcode, .payload = std::string(payload)}, mask));
}

void Client::Close(const Context& ctx) {
  // A peer that is gone needs no goodbye.
  (void)Write(ctx, Opcode::kClose, std::string_view("\x03\xe8", 2));
}

}  // namespace knarr::websocket
