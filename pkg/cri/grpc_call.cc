#include "pkg/cri/grpc_call.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <cctype>

namespace knarr::cri {
namespace {

// Go's spelling of the two errors that gRPC makes up on our side, because that is what people search for.
std::string ConnectionErrorText(const std::string& text, const std::string& socket_path) {
  const size_t at = text.rfind(socket_path + ": ");
  if (at == std::string::npos) return text;
  std::string cause = text.substr(at + socket_path.size() + 2);
  if (!cause.empty()) cause[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(cause[0])));
  return fmt::format("connection error: desc = \"transport: Error while dialing: dial unix {}: connect: {}\"",
                     socket_path, cause);
}

// How long the runtime gets to say that it knows no events. A round trip takes less than a millisecond; a later
// answer is handled as well, the stream then looks alive until it comes.
constexpr std::chrono::milliseconds kRefusalWait(50);

// gRPC's back-off is capped at a second, give or take a fifth.
constexpr std::chrono::milliseconds kReconnectWait(1500);

enum Tag : intptr_t { kStarted = 1, kRead, kFinished };
void* AsTag(Tag tag) {
  return reinterpret_cast<void*>(tag);
}

// The stream's completions in order, drained in the destructor as gRPC demands.
class EventCall {
 public:
  EventCall(const Context& context, v1::RuntimeService::Stub& stub)
      : call_(context, std::nullopt),
        reader_(stub.PrepareAsyncGetContainerEvents(&call_.grpc(), v1::GetEventsRequest(), &queue_)) {}
  ~EventCall() {
    call_.grpc().TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Start() {
    reader_->StartCall(AsTag(kStarted));
    return Wait();
  }
  void Read(v1::ContainerEventResponse& event) { reader_->Read(&event, AsTag(kRead)); }
  // Whether the operation under way is done before the time; then its outcome is in ok.
  bool WaitFor(std::chrono::milliseconds time, bool& ok) {
    void* tag = nullptr;
    return queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + time) == grpc::CompletionQueue::GOT_EVENT;
  }
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  Status Finish(const std::string& socket_path) {
    grpc::Status status;
    reader_->Finish(&status, AsTag(kFinished));
    Wait();
    if (status.ok()) return Error(Code::kServiceUnavailable, "the container runtime ended the stream of events");
    return call_.ToStatus(status, socket_path);
  }

 private:
  grpc::CompletionQueue queue_;
  CallContext call_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::ContainerEventResponse>> reader_;
};

}  // namespace

void AwaitReconnection(const Context& context, grpc::Channel& channel) {
  using std::chrono::system_clock;
  const auto end = system_clock::now() + kReconnectWait;
  while (channel.GetState(true) == GRPC_CHANNEL_TRANSIENT_FAILURE && !context.Done() && system_clock::now() < end) {
    // In steps, to notice that the context has ended.
    channel.WaitForStateChange(GRPC_CHANNEL_TRANSIENT_FAILURE,
                               std::min(end, system_clock::now() + std::chrono::milliseconds(100)));
  }
}

CallContext::CallContext(const Context& context, std::optional<Duration> limit)
    : context_(context), cancel_(context.stop_token(), [this] { grpc_.TryCancel(); }) {
  const std::optional<Duration> remaining = context.deadline() ? context.Remaining() : limit;
  if (remaining)
    grpc_.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(*remaining));
}

Status CallContext::ToStatus(const grpc::Status& status, const std::string& socket_path) const {
  if (status.error_code() == grpc::StatusCode::CANCELLED && context_.Cancelled()) return context_.Err();
  const Code code = CodeFromGrpc(status.error_code());
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && status.error_message() == "Deadline Exceeded")
    return Status(code, "context deadline exceeded");
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE)
    return Status(code, ConnectionErrorText(status.error_message(), socket_path));
  return Status(code, status.error_message());
}

Status ReadEvents(const Context& context, v1::RuntimeService::Stub& stub, const Endpoint& endpoint,
                  const std::function<void()>& on_connected,
                  const std::function<void(v1::ContainerEventResponse&&)>& on_event) {
  if (context.Done()) return context.Err();
  AwaitReconnection(context, *endpoint.channel);
  v1::ContainerEventResponse event;  // outlives the call, which may write to it until it is drained
  EventCall call(context, stub);
  if (!call.Start()) return call.Finish(endpoint.socket_path);
  call.Read(event);
  bool ok = true;
  bool got = call.WaitFor(kRefusalWait, ok);
  if (got && !ok) return call.Finish(endpoint.socket_path);
  if (on_connected) on_connected();
  if (!got) ok = call.Wait();
  while (ok) {
    on_event(std::move(event));
    event.Clear();
    call.Read(event);
    ok = call.Wait();
  }
  return call.Finish(endpoint.socket_path);
}

}  // namespace knarr::cri
