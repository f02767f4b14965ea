// One execution of a probe: exec, httpGet, tcpSocket.
// Mirrors: pkg/probe/{exec,http,tcp}, pkg/kubelet/prober/prober.go
#include <algorithm>
#include <charconv>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/types.h"
#include "pkg/base/duration.h"
#include "pkg/kubelet/prober/prober.h"
#include "pkg/net/stream.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxOutput = 10 << 10;
constexpr int kMaxRedirects = 10;

ProbeOutcome Outcome(ProbeOutcome::Kind kind, std::string output) {
  if (output.size() > kMaxOutput) output.resize(kMaxOutput);
  return {.kind = kind, .output = std::move(output), .error = {}};
}

ProbeOutcome Errored(Status error) {
  return {.kind = ProbeOutcome::kUnknown, .output = {}, .error = std::move(error)};
}

Result<uint16_t> ResolvePort(const intstr::IntOrString& port, const ProbeTarget& target) {
  int64_t number = port.intval();
  if (intstr::IsString(port)) {
    const std::string& text = port.strval();
    if (const auto named = target.named_ports.find(text); named != target.named_ports.end()) {
      number = named->second;
    } else {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) {
        return Error(Code::kInvalid, "strconv.Atoi: parsing \"{}\": invalid syntax", text);
      }
    }
  }
  if (number <= 0 || number > 65535) return Error(Code::kInvalid, "invalid port number: {}", number);
  return static_cast<uint16_t>(number);
}

// A path as a manifest has it, as a request line can carry it.
std::string CleanPath(std::string_view path) {
  std::string out;
  if (!path.starts_with('/')) out = "/";
  for (const char c : path.substr(0, path.find('#'))) {
    const bool plain = c > ' ' && c < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += http::PercentEncode({&c, 1});
    }
  }
  return out;
}

const std::shared_ptr<tls::ClientConfig>& InsecureTls() {
  static const std::shared_ptr<tls::ClientConfig> kConfig = *tls::ClientConfig::New({.insecure_skip_verify = true});
  return kConfig;
}

ProbeOutcome RunExecProbe(const Context& ctx, const core::ExecAction& action, const ProbeTarget& target,
                          const ExecFunction& exec) {
  const std::vector<std::string> command(action.command().begin(), action.command().end());
  const auto timeout = ctx.Remaining();
  const Result<ExecOutput> result = exec(ctx, target.container_id, command);
  if (result.ok())
    return Outcome(result->exit_code == 0 ? ProbeOutcome::kSuccess : ProbeOutcome::kFailure, result->output);
  if (!result.status().Is(Code::kTimeout)) return Errored(result.status());
  std::string joined;
  for (const std::string& word : command) joined.append(joined.empty() ? "" : " ").append(word);
  const auto after = std::chrono::round<std::chrono::milliseconds>(timeout.value_or(Context::Duration::zero()));
  return Outcome(ProbeOutcome::kFailure,
                 fmt::format("command timed out: \"{}\" timed out after {}", joined, FormatDuration(after)));
}

}  // namespace

Result<http::ClientRequest> NewHttpGetRequest(const core::HTTPGetAction& action, const ProbeTarget& target,
                                              std::string_view user_agent) {
  http::ClientRequest request;
  http::Url& url = request.url;
  url.scheme = http::EqualFold(action.scheme(), "https") ? "https" : "http";
  url.host = action.host().empty() ? target.pod_ip : action.host();
  if (url.host.empty()) return Error(Code::kFailedPrecondition, "the pod has no address yet");
  url.port = KNARR_TRY(ResolvePort(action.port(), target));
  url.target = CleanPath(action.path());
  for (const core::HTTPHeader& header : action.httpheaders()) request.headers.Add(header.name(), header.value());
  if (!request.headers.Has("User-Agent")) request.headers.Add("User-Agent", std::string(user_agent));
  if (!request.headers.Has("Accept")) {
    request.headers.Add("Accept", "*/*");
  } else if (request.headers.Get("Accept").empty()) {
    request.headers.Remove("Accept");  // an empty value asks for no such field
  }
  if (url.scheme == "https") request.tls = InsecureTls();
  request.max_body = kMaxOutput;
  request.truncate_body = true;
  request.lenient_newlines = true;
  request.max_redirects = kMaxRedirects;
  request.follow = [](const http::Url& from, const http::Url& to) { return from.host == to.host; };
  return request;
}

ProbeOutcome RunHttpProbe(const Context& ctx, const http::ClientRequest& request) {
  const Result<http::Response> response = http::Do(ctx, request);
  if (!response.ok()) {
    std::string text(response.status().message());
    if (response.status().Is(Code::kTimeout) && text.ends_with("context deadline exceeded")) {
      text += " (Client.Timeout exceeded while awaiting headers)";
    }
    return Outcome(ProbeOutcome::kFailure, std::move(text));
  }
  if (response->status < 200 || response->status >= 400) {
    return Outcome(ProbeOutcome::kFailure, fmt::format("HTTP probe failed with statuscode: {}", response->status));
  }
  if (response->status >= 300) {
    return Outcome(ProbeOutcome::kWarning, "Probe terminated redirects, Response body: " + response->body);
  }
  return Outcome(ProbeOutcome::kSuccess, response->body);
}

ProbeOutcome RunTcpProbe(const Context& ctx, const std::string& host, uint16_t port) {
  const Result<net::StreamPtr> stream = net::DialTcp(ctx, host, port);
  if (!stream.ok()) return Outcome(ProbeOutcome::kFailure, std::string(stream.status().message()));
  return Outcome(ProbeOutcome::kSuccess, "");
}

ProbeOutcome RunProbe(const Context& ctx, const core::Probe& probe, const ProbeTarget& target,
                      const ExecFunction& exec) {
  const core::ProbeHandler& handler = probe.handler();
  if (handler.has_exec()) return RunExecProbe(ctx, handler.exec(), target, exec);
  if (handler.has_httpget()) {
    const Result<http::ClientRequest> request = NewHttpGetRequest(handler.httpget(), target, "kube-probe/1.32");
    if (!request.ok()) return Errored(request.status());
    return RunHttpProbe(ctx, *request);
  }
  if (handler.has_tcpsocket()) {
    const Result<uint16_t> port = ResolvePort(handler.tcpsocket().port(), target);
    if (!port.ok()) return Errored(port.status());
    const std::string& host = handler.tcpsocket().host().empty() ? target.pod_ip : handler.tcpsocket().host();
    return RunTcpProbe(ctx, host, *port);
  }
  if (handler.has_grpc()) {
    const int32_t port = handler.grpc().port();
    if (port <= 0 || port > 65535) return Errored(Error(Code::kInvalid, "invalid port number: {}", port));
    return RunGrpcProbe(ctx, target.pod_ip, static_cast<uint16_t>(port), handler.grpc().service());
  }
  return Errored(Error(Code::kInvalid, "missing probe handler"));
}

Status RunHttpGetHook(const Context& ctx, const core::HTTPGetAction& action, const ProbeTarget& target) {
  http::ClientRequest request = KNARR_TRY(NewHttpGetRequest(action, target, "kube-lifecycle/1.32"));
  const http::Response response = KNARR_TRY(http::Do(ctx, request));
  if (response.status < 200 || response.status >= 400) {
    return Error(Code::kFailedPrecondition, "HTTP lifecycle hook ({}) failed with statuscode: {}",
                 request.url.ToString(), response.status);
  }
  return {};
}

}  // namespace knarr::kubelet
