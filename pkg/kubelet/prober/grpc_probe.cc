// The grpc probe. Mirrors: pkg/probe/grpc/grpc.go
#include <grpcpp/grpcpp.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "pkg/base/duration.h"
#include "pkg/kubelet/prober/prober.h"
#include "pkg/net/stream.h"

namespace knarr::kubelet {
namespace {

namespace health = ::grpc::health::v1;

constexpr std::string_view kCodeNames[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

ProbeOutcome Failure(std::string text) {
  return {.kind = ProbeOutcome::kFailure, .output = std::move(text), .error = {}};
}

}  // namespace

ProbeOutcome RunGrpcProbe(const Context& ctx, const std::string& host, uint16_t port, const std::string& service) {
  const std::string address = net::JoinHostPort(host, port);
  const auto timeout = ctx.Remaining().value_or(std::chrono::seconds(1));
  const auto deadline =
      std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout);
  const auto shown = FormatDuration(std::chrono::round<std::chrono::milliseconds>(timeout));

  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix("kube-probe/1.32");
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(64 << 10);
  const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(deadline)) {
    return Failure(
        fmt::format("timeout: failed to connect service \"{}\" within {}: context deadline exceeded", address, shown));
  }
  grpc::ClientContext call;
  call.set_deadline(deadline);
  health::HealthCheckRequest request;
  request.set_service(service);
  health::HealthCheckResponse response;
  const grpc::Status status = health::Health::NewStub(channel)->Check(&call, request, &response);
  switch (status.error_code()) {
    case grpc::StatusCode::OK: break;
    case grpc::StatusCode::UNIMPLEMENTED:
      return Failure("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " +
                     status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Failure(fmt::format("timeout: health rpc did not complete within {}", shown));
    default:
      return Failure(fmt::format("error: health rpc probe failed: rpc error: code = {} desc = {}",
                                 kCodeNames[status.error_code()], status.error_message()));
  }
  if (response.status() != health::HealthCheckResponse::SERVING) {
    std::string name = health::HealthCheckResponse::ServingStatus_Name(response.status());
    if (name.empty()) name = std::to_string(response.status());
    return Failure(fmt::format("service unhealthy (responded with \"{}\")", name));
  }
  return {.kind = ProbeOutcome::kSuccess, .output = "service healthy", .error = {}};
}

}  // namespace knarr::kubelet
