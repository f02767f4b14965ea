#include "pkg/net/spdy/client.h"

#include <algorithm>

namespace knarr::spdy {
namespace {

constexpr size_t kPiece = 32 << 10;
constexpr size_t kMaxEarly = 64;

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(const Context& ctx, http::ClientRequest request,
                                                const std::vector<std::string>& protocols) {
  request.headers.Set("Connection", "Upgrade");
  request.headers.Set("Upgrade", "SPDY/3.1");
  for (const std::string& protocol : protocols) request.headers.Add("X-Stream-Protocol-Version", protocol);
  http::Upgraded upgraded = KNARR_TRY(http::Upgrade(ctx, request));
  if (!upgraded.stream) {
    std::string text = upgraded.response.body;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return Error(Code::kUnknown, "unable to upgrade connection: {}", text.empty() ? upgraded.response.reason : text);
  }
  if (!http::EqualFold(upgraded.response.headers.Get("Upgrade"), "SPDY/3.1"))
    return Error(Code::kInvalid, "unable to upgrade connection: the peer chose another protocol");
  std::unique_ptr<Client> client(new Client(std::move(upgraded.stream)));
  client->protocol_ = std::string(upgraded.response.headers.Get("X-Stream-Protocol-Version"));
  if (std::find(protocols.begin(), protocols.end(), client->protocol_) == protocols.end() && !protocols.empty())
    return Error(Code::kInvalid, "unable to upgrade connection: unable to negotiate protocol");
  return client;
}

Status Client::Send(const Context& ctx, const Frame& frame) {
  const std::lock_guard lock(write_mutex_);
  return stream_->Write(ctx, encoder_.Encode(frame));
}

Result<std::optional<Frame>> Client::ReadFrame(const Context& ctx) {
  char buffer[16 << 10];
  for (;;) {
    std::optional<Frame> frame = KNARR_TRY(decoder_.Next());
    if (!frame) {
      const size_t n = KNARR_TRY(stream_->Read(ctx, buffer, sizeof(buffer)));
      if (n == 0) return std::optional<Frame>();
      decoder_.Feed({buffer, n});
      continue;
    }
    if (frame->type != Type::kPing) return frame;
    // Even numbers are the server's questions, odd ones would be answers to ours.
    if (frame->number % 2 == 0) KNARR_TRY(Send(ctx, *frame));
  }
}

Result<uint32_t> Client::Open(const Context& ctx, const Fields& fields) {
  const uint32_t id = next_;
  next_ += 2;
  KNARR_TRY(Send(ctx, {.type = Type::kSynStream, .stream = id, .fields = fields}));
  for (;;) {
    std::optional<Frame> frame = KNARR_TRY(ReadFrame(ctx));
    if (!frame || frame->type == Type::kGoAway)
      return Error(Code::kServiceUnavailable, "the connection ended before the stream was there");
    if (frame->type == Type::kSynReply && frame->stream == id) return id;
    if (frame->type == Type::kRstStream && frame->stream == id)
      return Error(Code::kServiceUnavailable, "the peer refused the stream, status {}", frame->number);
    if (early_.size() == kMaxEarly) return Error(Code::kOutOfRange, "spdy: too much before the stream was there");
    early_.push_back(std::move(*frame));
  }
}

Result<std::optional<Client::Event>> Client::Read(const Context& ctx) {
  for (;;) {
    std::optional<Frame> frame;
    if (!early_.empty()) {
      frame = std::move(early_.front());
      early_.pop_front();
    } else {
      frame = KNARR_TRY(ReadFrame(ctx));
    }
    if (!frame || frame->type == Type::kGoAway) return std::optional<Event>();
    const bool reset = frame->type == Type::kRstStream;
    if (frame->type == Type::kData || reset || frame->fin)
      return Event{.stream = frame->stream, .bytes = std::move(frame->payload), .fin = frame->fin, .reset = reset};
  }
}

Status Client::Write(const Context& ctx, uint32_t stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    bytes.remove_prefix(piece.size());
    KNARR_TRY(Send(ctx, {.stream = stream, .payload = std::string(piece)}));
  }
  return {};
}

Status Client::Finish(const Context& ctx, uint32_t stream) {
  return Send(ctx, {.stream = stream, .fin = true});
}

void Client::Close(const Context& ctx) {
  // A peer that is gone needs no goodbye.
  (void)Send(ctx, {.type = Type::kGoAway});
}

}  // namespace knarr::spdy
