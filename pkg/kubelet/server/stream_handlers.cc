// exec, attach, portForward: the client's upgraded connection is joined to the runtime's streaming server. Bytes are
// tunnelled only after that server's real 101; any other answer is passed on and both connections are closed.
// Mirrors: pkg/kubelet/server/server.go, k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go
#include <algorithm>

#include "pkg/kubelet/server/handlers.h"
#include "pkg/net/http/client.h"

namespace knarr::kubelet {
namespace {

constexpr auto kDialTimeout = std::chrono::seconds(30);

// What the runtime needs of the client's request, and the client of the runtime's answer. All else stays here:
// credentials above all.
constexpr std::string_view kRequestFields[] = {"Upgrade",
                                               "X-Stream-Protocol-Version",
                                               "Sec-WebSocket-Key",
                                               "Sec-WebSocket-Version",
                                               "Sec-WebSocket-Protocol",
                                               "Sec-WebSocket-Extensions",
                                               "Origin",
                                               "User-Agent"};
constexpr std::string_view kAnswerFields[] = {"Upgrade", "X-Stream-Protocol-Version", "Sec-WebSocket-Accept",
                                              "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"};

http::Headers Select(const http::Headers& from, const auto& names) {
  http::Headers out{{"Connection", "Upgrade"}};
  for (const auto& [name, value] : from) {
    const bool wanted =
        std::any_of(std::begin(names), std::end(names), [&](std::string_view w) { return http::EqualFold(w, name); });
    if (wanted) out.Add(name, value);
  }
  return out;
}

bool Set(const http::Request& request, std::string_view key) {
  return request.QueryValue(key) == "1" || request.QueryValue(key) == "true";
}

Result<KubeletView::StreamOptions> ParseStreams(const http::Request& request) {
  KubeletView::StreamOptions streams;
  streams.tty = Set(request, "tty");
  streams.in = Set(request, "input");
  streams.out = Set(request, "output");
  streams.err = Set(request, "error") && !streams.tty;  // with a terminal there is one output
  if (!streams.in && !streams.out && !streams.err)
    return Error(Code::kBadRequest, "you must specify at least 1 of stdin, stdout, stderr");
  return streams;
}

Result<KubeletView::ContainerRef> Find(ServerState& state, const http::Request& request) {
  KubeletView::ContainerRef found =
      KNARR_TRY(state.view.FindContainer(std::string(request.Param("namespace")), std::string(request.Param("pod")),
                                         std::string(request.Param("container")), false));
  const std::string_view uid = request.Param("uid");
  if (!uid.empty() && uid != found.pod_uid) return Error(Code::kNotFound, "pod not found");
  return found;
}

// Ports of a WebSocket's query; SPDY clients name them within the stream.
Result<std::vector<int32_t>> ParsePorts(const http::Request& request) {
  std::vector<int32_t> ports;
  if (!http::EqualFold(request.UpgradeProtocol(), "websocket")) return ports;
  for (const auto& [key, value] : request.query) {
    if (key != "port") continue;
    for (std::string_view rest = value;;) {
      const size_t comma = rest.find(',');
      const Result<int64_t> port = ParseInt(rest.substr(0, comma));
      if (!port.ok()) return Error(Code::kBadRequest, "unable to parse \"{}\" as a port", rest.substr(0, comma));
      if (*port < 1 || *port > 65535) return Error(Code::kBadRequest, "port \"{}\" must be > 0 and < 65536", *port);
      ports.push_back(static_cast<int32_t>(*port));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  if (ports.empty()) return Error(Code::kBadRequest, "query parameter \"port\" is required");
  return ports;
}

void PassOn(const http::Response& answer, http::ResponseWriter& response) {
  const std::string_view type = answer.headers.Get("Content-Type");
  // A 1xx or a nonsensical status cannot be the end of this request.
  const bool sane = answer.status >= 200 && answer.status <= 599;
  response.Reply(sane ? answer.status : 502, type.empty() ? "text/plain; charset=utf-8" : type, answer.body);
}

void ProxyUpgrade(ServerState& state, const http::Request& request, const Result<std::string>& streaming_url,
                  http::ResponseWriter& response) {
  if (!streaming_url.ok()) return ReplyError(response, streaming_url.status());
  http::ClientRequest backend;
  Result<http::Url> url = http::ParseUrl(*streaming_url);
  if (!url.ok()) return response.Error(500, "the runtime's streaming URL is not usable");
  backend.url = std::move(*url);
  backend.method = request.method;
  backend.headers = Select(request.headers, kRequestFields);
  backend.max_body = 64 << 10;
  Result<http::Upgraded> upgraded = http::Upgrade(request.ctx.WithTimeout(kDialTimeout), backend);
  if (!upgraded.ok()) {
    state.logger.Error(upgraded.status(), "Error while proxying request", {{"path", request.path}});
    return response.Error(502, "unable to upgrade connection: the runtime's streaming server gave no valid answer");
  }
  if (!upgraded->stream) return PassOn(upgraded->response, response);
  if (!http::EqualFold(upgraded->response.headers.Get("Upgrade"), request.UpgradeProtocol())) {
    return response.Error(502, "unable to upgrade connection: the runtime's streaming server chose another protocol");
  }
  std::string head = "HTTP/1.1 101 Switching Protocols\r\n";
  for (const auto& [name, value] : Select(upgraded->response.headers, kAnswerFields))
    head.append(name).append(": ").append(value).append("\r\n");
  Result<net::StreamPtr> client = response.Hijack();
  if (!client.ok()) return;
  const Context ctx = request.ctx;
  if (!(*client)->Write(ctx.WithTimeout(kDialTimeout), head + "\r\n").ok()) return;
  const Status ended = net::Tunnel(ctx, **client, *upgraded->stream, state.options.streaming_idle_timeout);
  if (!ended.ok() && state.logger.V(4))
    state.logger.Info("Streaming connection ended", {{"path", request.path}, {"reason", ended.message()}});
}

// Also sees to it that a connection on which an upgrade was asked for carries nothing else, whatever comes of it.
bool RequireUpgrade(const http::Request& request, http::ResponseWriter& response) {
  response.headers().Set("Connection", "close");
  if (!request.UpgradeProtocol().empty() && request.body.empty()) return true;
  response.Error(400, "Upgrade request required");
  return false;
}

}  // namespace

void HandleExec(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  if (!RequireUpgrade(request, response)) return;
  const Result<KubeletView::StreamOptions> streams = ParseStreams(request);
  if (!streams.ok()) return ReplyError(response, streams.status());
  const Result<KubeletView::ContainerRef> found = Find(state, request);
  if (!found.ok()) return ReplyError(response, found.status());
  std::vector<std::string> command;
  for (const auto& [key, value] : request.query) {
    if (key == "command") command.push_back(value);
  }
  ProxyUpgrade(state, request, state.view.ExecUrl(request.ctx, found->container_id, command, *streams), response);
}

void HandleAttach(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  if (!RequireUpgrade(request, response)) return;
  const Result<KubeletView::StreamOptions> streams = ParseStreams(request);
  if (!streams.ok()) return ReplyError(response, streams.status());
  const Result<KubeletView::ContainerRef> found = Find(state, request);
  if (!found.ok()) return ReplyError(response, found.status());
  ProxyUpgrade(state, request, state.view.AttachUrl(request.ctx, found->container_id, *streams), response);
}

void HandlePortForward(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  if (!RequireUpgrade(request, response)) return;
  const Result<std::vector<int32_t>> ports = ParsePorts(request);
  if (!ports.ok()) return ReplyError(response, ports.status());
  const Result<KubeletView::ContainerRef> found =
      state.view.FindPod(std::string(request.Param("namespace")), std::string(request.Param("pod")));
  if (!found.ok()) return ReplyError(response, found.status());
  const std::string_view uid = request.Param("uid");
  if (!uid.empty() && uid != found->pod_uid) return response.Error(404, "pod not found");
  ProxyUpgrade(state, request, state.view.PortForwardUrl(request.ctx, found->sandbox_id, *ports), response);
}

void HandleRun(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  const Result<KubeletView::ContainerRef> found = Find(state, request);
  if (!found.ok()) return ReplyError(response, found.status());
  // For legacy reasons another parameter than exec's, split at spaces.
  std::vector<std::string> command;
  for (std::string_view rest = request.QueryValue("cmd");;) {
    const size_t space = rest.find(' ');
    command.emplace_back(rest.substr(0, space));
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
  const Result<std::string> output = state.view.RunInContainer(request.ctx, found->container_id, command);
  if (!output.ok()) return response.Error(500, output.status().message());
  response.Reply(200, "application/json", *output);
}

}  // namespace knarr::kubelet
