// Calls to one of etcd's endpoints. Private to this folder (includes gRPC).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "etcd/api/etcdserverpb/rpc.grpc.pb.h"
#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::storage::etcd3 {

namespace pb = ::etcdserverpb;

struct Endpoint {
  std::string url;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<pb::KV::Stub> kv;
  std::unique_ptr<pb::Watch::Stub> watch;
  std::unique_ptr<pb::Lease::Stub> lease;
  std::unique_ptr<pb::Maintenance::Stub> maintenance;
};

// A ClientContext that ends with the Context, or after the limit where that has no deadline.
class CallContext {
 public:
  CallContext(const Context& context, std::optional<Duration> limit);
  grpc::ClientContext& grpc() { return grpc_; }

 private:
  grpc::ClientContext grpc_;
  std::stop_callback<std::function<void()>> cancel_;
};

// What a failed call means. etcd's errors come as gRPC codes with a text.
Status ToStatus(const Context& context, const grpc::Status& status, const std::string& url);

class Client {
 public:
  static Result<std::unique_ptr<Client>> New(const Etcd3Options& options);

  const std::vector<Endpoint>& endpoints() const { return endpoints_; }

  // An endpoint that is connected; the one that was used last, if it still is. kServiceUnavailable if there is none.
  Result<const Endpoint*> Connected(const Context& context);
  // Another one next time.
  void Avoid(const Endpoint& endpoint);

  // `repeatable`: may be sent again to another endpoint when it is unknown whether the first has done it.
  template <typename Stub, typename Request, typename Response>
  Result<Response> Call(const Context& context, std::unique_ptr<Stub> Endpoint::*stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request, bool repeatable) {
    for (size_t attempt = 0;; ++attempt) {
      const Endpoint* endpoint = KNARR_TRY(Connected(context));
      Response response;
      const Status status = CallOne(context, *endpoint, stub, method, request, &response);
      if (status.ok()) return response;
      if (!status.Is(Code::kServiceUnavailable)) return status;
      Avoid(*endpoint);
      if (!repeatable || attempt >= endpoints_.size() || context.Done()) return status;
    }
  }
  template <typename Stub, typename Request, typename Response>
  Status CallOne(const Context& context, const Endpoint& endpoint, std::unique_ptr<Stub> Endpoint::*stub,
                 grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                 Response* response) {
    if (context.Done()) return context.Err();
    CallContext call(context, std::chrono::seconds(30));
    const grpc::Status status = ((endpoint.*stub).get()->*method)(&call.grpc(), request, response);
    return status.ok() ? OkStatus() : ToStatus(context, status, endpoint.url);
  }

  Result<pb::RangeResponse> Range(const Context& context, const pb::RangeRequest& request) {
    return Call<pb::KV::Stub, pb::RangeRequest, pb::RangeResponse>(context, &Endpoint::kv, &pb::KV::Stub::Range,
                                                                   request, true);
  }
  // Not repeatable: a compare that fails the second time would hide that the first succeeded.
  Result<pb::TxnResponse> Txn(const Context& context, const pb::TxnRequest& request) {
    return Call<pb::KV::Stub, pb::TxnRequest, pb::TxnResponse>(context, &Endpoint::kv, &pb::KV::Stub::Txn, request,
                                                               false);
  }

 private:
  std::vector<Endpoint> endpoints_;
  std::atomic<size_t> preferred_{0};
};

}  // namespace knarr::storage::etcd3
