#include "pkg/apiserver/storage/etcd3/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <mutex>

#include "pkg/base/file.h"

namespace knarr::storage::etcd3 {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// Lists come in pages, so this is a bound on nonsense rather than on data.
constexpr int kMaxReceiveBytes = 512 << 20;
// etcd's own default limit of a request is 1.5 MiB.
constexpr int kMaxSendBytes = 16 << 20;
// How long a call waits for a connection to an endpoint before it tries the next.
constexpr milliseconds kConnectWait(2500);

// gRPC reads these once, at its first use. Without a backup poller nothing wakes up while no call is under way.
void TuneGrpcOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0);
    ::setenv("GRPC_DNS_RESOLVER", "native", 0);
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
  });
}

struct Target {
  std::string address;  // as gRPC wants it
  bool tls = false;
};

Result<Target> ParseEndpoint(std::string_view url) {
  const auto bad = [&](std::string_view why) { return Error(Code::kInvalid, "etcd endpoint \"{}\": {}", url, why); };
  std::string_view rest = url;
  std::string_view scheme = "http";
  if (const size_t at = url.find("://"); at != std::string_view::npos) {
    scheme = url.substr(0, at);
    rest = url.substr(at + 3);
  }
  if (scheme == "unix" || scheme == "unixs") {
    if (rest.empty()) return bad("there is no path");
    return Target{fmt::format("unix:{}", rest), scheme == "unixs"};
  }
  if (scheme != "http" && scheme != "https") return bad("the scheme must be http, https, unix or unixs");
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@") != std::string_view::npos) return bad("it must be a scheme, a host and a port");
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || rest.back() == ']') return bad("there is no port");
  const std::string_view port = rest.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos ||
      std::stoi(std::string(port)) > 65535)
    return bad("the port is not a number from 1 to 65535");
  return Target{fmt::format("dns:///{}", rest), scheme == "https"};
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetMaxSendMessageSize(kMaxSendBytes);
  // Upstream's: a dead etcd is noticed within 40 s.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

Result<std::string> ReadPem(const std::string& file) {
  if (file.empty()) return std::string();
  std::string pem = KNARR_TRY(ReadFile(file, 1 << 20));
  if (pem.find("-----BEGIN") == std::string::npos) return Error(Code::kInvalid, "{}: there is no PEM block", file);
  return pem;
}

}  // namespace

CallContext::CallContext(const Context& context, std::optional<Duration> limit)
    : cancel_(context.stop_token(), [this] { grpc_.TryCancel(); }) {
  const std::optional<Duration> remaining = context.deadline() ? context.Remaining() : limit;
  if (remaining)
    grpc_.set_deadline(system_clock::now() + std::chrono::duration_cast<system_clock::duration>(*remaining));
}

Status ToStatus(const Context& context, const grpc::Status& status, const std::string& url) {
  const std::string& text = status.error_message();
  const auto says = [&](std::string_view words) { return text.find(words) != std::string::npos; };
  if (status.error_code() == grpc::StatusCode::CANCELLED && context.Cancelled()) return context.Err();
  if (says("required revision has been compacted")) return Status(Code::kExpired, text);
  if (says("required revision is a future revision")) return Status(Code::kInvalid, text);
  if (says("request is too large")) return Status(Code::kRequestEntityTooLarge, text);
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED: return Status(Code::kTimeout, "etcd: context deadline exceeded");
    case grpc::StatusCode::UNAVAILABLE: return Error(Code::kServiceUnavailable, "etcd at {}: {}", url, text);
    default: return Status(CodeFromGrpc(status.error_code()), text);
  }
}

Result<std::unique_ptr<Client>> Client::New(const Etcd3Options& options) {
  if (options.endpoints.empty()) return Error(Code::kInvalid, "there is no etcd endpoint");
  if (options.cert_file.empty() != options.key_file.empty())
    return Error(Code::kInvalid, "etcd: a client certificate needs both --etcd-certfile and --etcd-keyfile");
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = KNARR_TRY(ReadPem(options.ca_file));
  ssl.pem_cert_chain = KNARR_TRY(ReadPem(options.cert_file));
  ssl.pem_private_key = KNARR_TRY(ReadPem(options.key_file));
  if (ssl.pem_root_certs.empty() && PathExists("/etc/ssl/certs/ca-certificates.crt"))
    ssl.pem_root_certs = KNARR_TRY(ReadFile("/etc/ssl/certs/ca-certificates.crt"));
  TuneGrpcOnce();
  auto client = std::make_unique<Client>();
  for (const std::string& url : options.endpoints) {
    const Target target = KNARR_TRY(ParseEndpoint(url));
    Endpoint endpoint;
    endpoint.url = url;
    endpoint.channel = grpc::CreateCustomChannel(
        target.address, target.tls ? grpc::SslCredentials(ssl) : grpc::InsecureChannelCredentials(), Arguments());
    endpoint.kv = pb::KV::NewStub(endpoint.channel);
    endpoint.watch = pb::Watch::NewStub(endpoint.channel);
    endpoint.lease = pb::Lease::NewStub(endpoint.channel);
    endpoint.maintenance = pb::Maintenance::NewStub(endpoint.channel);
    client->endpoints_.push_back(std::move(endpoint));
  }
  return client;
}

Result<const Endpoint*> Client::Connected(const Context& context) {
  const size_t first = preferred_;
  const auto end = system_clock::now() + kConnectWait;
  // The preferred one gets the time for a connection; then all are tried, whichever is there first.
  for (size_t round = 0;; ++round) {
    if (context.Done()) return context.Err();
    for (size_t i = 0; i < endpoints_.size(); ++i) {
      const Endpoint& endpoint = endpoints_[(first + i) % endpoints_.size()];
      if (endpoint.channel->GetState(true) == GRPC_CHANNEL_READY) {
        preferred_ = (first + i) % endpoints_.size();
        return &endpoint;
      }
      // Somebody has to drive the handshake: in steps, to notice that the context has ended.
      const auto state = endpoint.channel->GetState(true);
      const milliseconds step(round == 0 && i == 0 ? 100 : 20);
      if (state != GRPC_CHANNEL_READY) endpoint.channel->WaitForStateChange(state, system_clock::now() + step);
      if (endpoint.channel->GetState(true) == GRPC_CHANNEL_READY) {
        preferred_ = (first + i) % endpoints_.size();
        return &endpoint;
      }
    }
    if (system_clock::now() < end) continue;
    std::string urls;
    for (const Endpoint& endpoint : endpoints_) urls += (urls.empty() ? "" : ", ") + endpoint.url;
    return Error(Code::kServiceUnavailable, "etcd: none of {} can be reached", urls);
  }
}

void Client::Avoid(const Endpoint& endpoint) {
  const auto index = static_cast<size_t>(&endpoint - endpoints_.data());
  size_t expected = index;
  preferred_.compare_exchange_strong(expected, (index + 1) % endpoints_.size());
}

}  // namespace knarr::storage::etcd3
