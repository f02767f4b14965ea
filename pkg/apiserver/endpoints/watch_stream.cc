#include "pkg/apiserver/endpoints/watch_stream.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/net/websocket/server.h"

namespace knarr::endpoints {
namespace {

constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

std::string_view TypeName(cacher::WatchType type) {
  switch (type) {
    case cacher::WatchType::kAdded: return "ADDED";
    case cacher::WatchType::kModified: return "MODIFIED";
    case cacher::WatchType::kDeleted: return "DELETED";
    case cacher::WatchType::kBookmark:
    case cacher::WatchType::kInitialEventsEnd: return "BOOKMARK";
  }
  return "";
}

class WatchBody : public http::BodySource {
 public:
  // The call's request and response end with the handler; what the stream needs is copied.
  WatchBody(Call& call, std::unique_ptr<cacher::Watcher> watcher, std::chrono::milliseconds timeout, Clock& clock)
      : request_(call.request),
        info_(call.info),
        user_(call.user),
        call_{.request = request_,
              .response = call.response,
              .info = info_,
              .user = user_,
              .resource = call.resource,
              .kind = call.kind,
              .version = call.version,
              .api_version = call.api_version,
              .rc = call.rc,
              .warnings = {},
              .output = call.output},
        watcher_(std::move(watcher)) {
    call_.rc.warnings = &call_.warnings;
    call_.rc.user = &user_;
    // Not to be kept: it is the request's body.
    request_.body.clear();
    timer_ = clock.RunAfter(timeout, [this] { EndSoon(); });
  }
  ~WatchBody() override { timer_.Cancel(); }

  void SetWake(std::function<void()> wake) override {
    {
      const std::lock_guard lock(mutex_);
      wake_ = wake;
    }
    if (watcher_) watcher_->SetWake(std::move(wake));
  }

  State Pull(std::string* out, size_t max) override {
    if (over_) return State::kEnd;
    while (out->size() < max) {
      if (ending_.load(std::memory_order_acquire)) return Over();
      events_.clear();
      constexpr size_t kBatch = 64;
      const auto state = watcher_->Next(&events_, kBatch);
      for (const cacher::WatchEvent& event : events_) {
        if (const Status status = Append(event, out); !status.ok()) {
          AppendError(status, out);
          return Over();
        }
      }
      if (state == cacher::Watcher::State::kWait) return State::kWait;
      if (state == cacher::Watcher::State::kEnd) {
        if (const Status status = watcher_->status(); !status.ok()) AppendError(status, out);
        return Over();
      }
    }
    return State::kMore;
  }

  void Shutdown() override { EndSoon(); }

  // Before anything was pulled: the stream says why and ends.
  void FailWith(const Status& status, std::string* out) { AppendError(status, out); }

 private:
  State Over() {
    over_ = true;
    return State::kEnd;
  }

  void EndSoon() {
    ending_.store(true, std::memory_order_release);
    std::function<void()> wake;
    {
      const std::lock_guard lock(mutex_);
      wake = wake_;
    }
    if (wake) wake();
  }

  Status Append(const cacher::WatchEvent& event, std::string* out) {
    const bool bookmark =
        event.type == cacher::WatchType::kBookmark || event.type == cacher::WatchType::kInitialEventsEnd;
    const std::string object = bookmark ? KNARR_TRY(Bookmark(event))
                                        : KNARR_TRY(EventObject(call_, *event.entry, !std::exchange(sent_, true)));
    AppendFrame(TypeName(event.type), object, out);
    return {};
  }

  // An empty object of the kind with nothing but the resourceVersion.
  Result<std::string> Bookmark(const cacher::WatchEvent& event) {
    ::knarr::meta::PartialObjectMetadata empty;
    empty.mutable_metadata()->set_resourceversion(std::to_string(event.revision));
    if (event.type == cacher::WatchType::kInitialEventsEnd)
      (*empty.mutable_metadata()->mutable_annotations())[std::string(kInitialEventsEnd)] = "true";
    registry::Object object = KNARR_TRY(EmptyObject());
    object.metadata() = empty.metadata();
    const std::string version = "meta.k8s.io/" + call_.output.as_version;
    const bool protobuf = call_.output.media == Media::kProtobuf;
    switch (call_.output.as) {
      case As::kTable:
        return fmt::format(
            R"({{"kind":"Table","apiVersion":"{}","metadata":{{"resourceVersion":"{}"}},"columnDefinitions":null,"rows":[]}})",
            version, event.revision);
      case As::kPartialObjectMetadata:
      case As::kPartialObjectMetadataList:
        if (protobuf) return codec::EncodeEnvelope(empty, version, "PartialObjectMetadata");
        return codec::EncodeJson(empty, {.api_version = version, .kind = "PartialObjectMetadata"});
      case As::kObject: break;
    }
    if (!call_.custom()) {
      if (protobuf) return codec::EncodeEnvelope(object.message(), call_.api_version, call_.kind.kind);
      return codec::EncodeJson(object.message(), {.api_version = call_.api_version, .kind = call_.kind.kind});
    }
    return object.ToJson(call_.api_version, call_.kind.kind);
  }

  Result<registry::Object> EmptyObject() const {
    if (call_.custom()) return registry::Object::FromJson({});
    return registry::Object(std::unique_ptr<google::protobuf::Message>(call_.version.prototype().New()));
  }

  void AppendError(const Status& status, std::string* out) {
    ::knarr::meta::Status proto;
    errors::ToProto(status, &proto);
    AppendFrame("ERROR",
                call_.output.media == Media::kProtobuf
                    ? codec::EncodeEnvelope(proto, "v1", "Status")
                    : codec::EncodeJson(proto, {.api_version = "v1", .kind = "Status"}),
                out);
  }

  void AppendFrame(std::string_view type, const std::string& object, std::string* out) const {
    if (call_.output.media != Media::kProtobuf) {
      out->append(R"({"type":")").append(type).append(R"(","object":)").append(object).append("}\n");
      return;
    }
    // A big-endian length, then metav1.WatchEvent{type = 1, object = 2: RawExtension{raw = 1}}.
    ::knarr::meta::WatchEvent event;
    event.set_type(std::string(type));
    event.mutable_object()->set_raw(object);
    const std::string bytes = codec::EncodeProtobuf(event);
    const auto size = static_cast<uint32_t>(bytes.size());
    for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(size >> shift));
    out->append(bytes);
  }

  http::Request request_;
  const RequestInfo info_;
  const auth::UserInfo user_;
  Call call_;
  std::unique_ptr<cacher::Watcher> watcher_;
  std::vector<cacher::WatchEvent> events_;
  bool sent_ = false;
  bool over_ = false;
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::function<void()> wake_;
  Timer timer_;
};

// The same events as text messages. Takes this thread for as long as the watch lasts: browsers and old clients only.
Status ServeWebSocket(Call& call, Result<std::unique_ptr<cacher::Watcher>> watcher, std::chrono::milliseconds timeout,
                      Clock& clock) {
  if (!watcher.ok()) return watcher.error();
  call.output.media = Media::kJson;
  auto body = std::make_unique<WatchBody>(call, std::move(*watcher), timeout, clock);
  const auto connection = websocket::Connection::Accept(call.request, call.response, {});
  if (!connection.ok()) return {};                                               // it was answered
  (void)websocket::ServeWatch(call.request.ctx, **connection, std::move(body));  // the client left, or the watch ended
  return {};
}

}  // namespace

Status StreamWatch(Call& call, cacher::WatchQuery query, std::chrono::milliseconds timeout, Clock& clock) {
  auto watcher = call.resource->reader().Watch(call.rc.ctx, std::move(query));
  if (websocket::IsWebSocketRequest(call.request)) return ServeWebSocket(call, std::move(watcher), timeout, clock);
  call.response.headers().Set("Content-Type", call.output.media == Media::kProtobuf
                                                  ? call.output.ContentType() + ";stream=watch"
                                                  : call.output.ContentType());
  if (!watcher.ok()) {
    if (!watcher.error().Is(Code::kExpired)) return watcher.error();
    std::string text;
    WatchBody(call, nullptr, timeout, clock).FailWith(watcher.error(), &text);
    call.response.Reply(200, call.response.headers().Get("Content-Type"), text);
    return {};
  }
  auto body = std::make_unique<WatchBody>(call, std::move(*watcher), timeout, clock);
  call.response.WriteHeader(200);
  KNARR_TRY(call.response.Flush());
  call.response.Pump(std::move(body));
  return {};
}

}  // namespace knarr::endpoints
