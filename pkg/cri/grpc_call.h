// One call of a gRPC stub under a Context; private to pkg/cri (includes gRPC).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.grpc.pb.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/cri/runtime.h"

namespace knarr::cri {

template <typename Stub, typename Request, typename Response>
using UnaryMethod = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

struct Endpoint {
  std::string socket_path;
  std::shared_ptr<grpc::Channel> channel;
};

// Gives a channel that lost its connection the time for one attempt (at most 1.5 s: gRPC tries every second). Calls
// on such a channel fail at once and nobody would drive the new connection's handshake.
void AwaitReconnection(const Context& context, grpc::Channel& channel);

// A ClientContext that ends with the Context, or after the limit where that has no deadline.
class CallContext {
 public:
  CallContext(const Context& context, std::optional<Duration> limit);
  grpc::ClientContext& grpc() { return grpc_; }
  // What a failed call means to the caller.
  Status ToStatus(const grpc::Status& status, const std::string& socket_path) const;

 private:
  const Context& context_;
  grpc::ClientContext grpc_;
  std::stop_callback<std::function<void()>> cancel_;
};

template <typename Stub, typename Request, typename Response>
Result<Response> CallUnary(const Context& context, Stub& stub, UnaryMethod<Stub, Request, Response> method,
                           const Request& request, std::optional<Duration> limit, const Endpoint& endpoint) {
  if (context.Done()) return context.Err();
  AwaitReconnection(context, *endpoint.channel);
  CallContext call(context, limit);
  Response response;
  const grpc::Status status = (stub.*method)(&call.grpc(), request, &response);
  if (!status.ok()) return call.ToStatus(status, endpoint.socket_path);
  return response;
}

// CriRuntime::GetContainerEvents.
Status ReadEvents(const Context& context, v1::RuntimeService::Stub& stub, const Endpoint& endpoint,
                  const std::function<void()>& on_connected,
                  const std::function<void(v1::ContainerEventResponse&&)>& on_event);

}  // namespace knarr::cri
