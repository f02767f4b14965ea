#include "pkg/apiserver/proxy/pod_streams.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/proxy/kubelet_transport.h"
#include "pkg/apiserver/proxy/location.h"
#include "pkg/apiserver/proxy/translate.h"
#include "pkg/apiserver/proxy/upgrade_aware.h"

namespace knarr::proxy {
namespace {

using registry::RequestContext;
using registry::Subresource;
using TransportsPtr = std::shared_ptr<const Transports>;

constexpr size_t kMaxErrorBody = 50'000;

// How queries become options. Mirrors: k8s.io/apimachinery/pkg/runtime/conversion.go
bool Flag(const http::Request& request, std::string_view key) {
  if (!request.HasQuery(key)) return false;
  const std::string_view value = request.QueryValue(key);
  return value != "0" && !http::EqualFold(value, "false");
}

Result<std::optional<int64_t>> Integer(const http::Request& request, std::string_view key) {
  if (!request.HasQuery(key)) return std::optional<int64_t>();
  const std::string_view text = request.QueryValue(key);
  int64_t value = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    return errors::BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": value out of range", text));
  if (error != std::errc() || end != digits.data() + digits.size() || digits.starts_with('+'))
    return errors::BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax", text));
  return std::optional<int64_t>(value);
}

// Checked, and in UTC.
Result<std::string> Rfc3339(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'z') || c == ':' || c == '+' || c == '-' || c == '.';
  });
  core::PodLogOptions options;
  const Status status = plain && text.find('\\') == std::string_view::npos
                            ? codec::DecodeJson(fmt::format("{{\"sinceTime\":\"{}\"}}", text), &options)
                            : Error(Code::kBadRequest, "parsing time \"{}\"", text);
  if (!status.ok()) return errors::BadRequest(status.message());
  const std::time_t seconds = options.sincetime().seconds();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char out[40];
  return std::string(out, std::strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &utc));
}

Result<HostPort> KubeletOfPod(const RequestContext& rc, const Transports& transports, const core::Pod& pod) {
  const std::string& name = pod.spec().nodename();
  const Result<registry::ObjectRef> node = rc.access->Get(rc.ctx, {"", "nodes"}, "", name);
  if (!node.ok()) return MissingFor("pods", node.status(), name);
  return KubeletOf((*node)->As<core::Node>(), transports.preferred_types);
}

// --- log -------------------------------------------------------------------------------------------------------------

struct LogOptions {
  std::string container;
  bool insecure = false, follow = false;
  http::Query query;  // for the kubelet
};

Result<LogOptions> ParseLogOptions(const RequestContext& rc, const http::Request& request) {
  LogOptions options;
  options.container = std::string(request.QueryValue("container"));
  options.insecure = Flag(request, "insecureSkipTLSVerifyBackend");
  options.follow = Flag(request, "follow");
  const std::optional<int64_t> limit = KNARR_TRY(Integer(request, "limitBytes"));
  const std::optional<int64_t> since = KNARR_TRY(Integer(request, "sinceSeconds"));
  const std::optional<int64_t> tail = KNARR_TRY(Integer(request, "tailLines"));
  std::string since_time;
  if (!request.QueryValue("sinceTime").empty()) {
    since_time = KNARR_TRY(Rfc3339(request.QueryValue("sinceTime")));
  }
  field::ErrorList problems;
  if (tail && *tail < 0)
    problems.push_back(field::Invalid(field::Path("tailLines"), *tail, "must be greater than or equal to 0"));
  if (limit && *limit < 1)
    problems.push_back(field::Invalid(field::Path("limitBytes"), *limit, "must be greater than 0"));
  if (since && !since_time.empty()) {
    problems.push_back(
        field::Forbidden(field::Path("[]"), "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  } else if (since && *since < 1) {
    problems.push_back(field::Invalid(field::Path("sinceSeconds"), *since, "must be greater than 0"));
  }
  if (!problems.empty()) return errors::Invalid("", "PodLogOptions", rc.name, problems);
  // In the order of url.Values.Encode.
  if (options.follow) options.query.emplace_back("follow", "true");
  if (limit) options.query.emplace_back("limitBytes", std::to_string(*limit));
  if (Flag(request, "previous")) options.query.emplace_back("previous", "true");
  if (since) options.query.emplace_back("sinceSeconds", std::to_string(*since));
  if (!since_time.empty()) options.query.emplace_back("sinceTime", since_time);
  if (tail) options.query.emplace_back("tailLines", std::to_string(*tail));
  if (Flag(request, "timestamps")) options.query.emplace_back("timestamps", "true");
  return options;
}

// What a kubelet's refusal means to a client. Mirrors: errors.NewGenericServerResponse by way of
// generic/rest/response_checker.go
Status RefusalOf(int code, const std::string& body, const std::string& name) {
  if (code == 500) return errors::InternalError(body);
  if (code == 400) return errors::BadRequest(body);
  const auto generic = [&](Code reason, std::string_view message) {
    return Error(reason, "{} ( pods/log {})", message, name).WithDetails({.name = name, .kind = "pods/log"});
  };
  switch (code) {
    case 401: return generic(Code::kUnauthorized, "the server has asked for the client to provide credentials");
    case 403: return generic(Code::kForbidden, body);
    case 404: return generic(Code::kNotFound, "the server could not find the requested resource");
    case 405:
      return generic(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource");
    case 409: return generic(Code::kConflict, "the server reported a conflict");
    case 429:
      return generic(Code::kTooManyRequests,
                     "the server has received too many requests and has asked us to try again later");
    case 503: return generic(Code::kServiceUnavailable, "the server is currently unable to handle the request");
    case 504:
      return generic(
          Code::kTimeout,
          "the server was unable to return a response in the time allotted, but may still be processing the request");
    default: break;
  }
  if (code >= 500) {
    return generic(Code::kInternal,
                   fmt::format("an error on the server (\"{}\") has prevented the request from succeeding", body));
  }
  return generic(Code::kUnknown,
                 fmt::format("the server responded with the status code {} but did not return more information", code));
}

Status ServeLog(const RequestContext& rc, const Transports& transports, const http::Request& request,
                http::ResponseWriter& response) {
  if (request.method != "GET" && request.method != "HEAD") return MethodNotAllowed();
  const LogOptions options = KNARR_TRY(ParseLogOptions(rc, request));
  const registry::ObjectRef object = KNARR_TRY(rc.access->Get(rc.ctx, {"", "pods"}, rc.namespace_, rc.name));
  const auto& pod = object->As<core::Pod>();
  const std::string container = KNARR_TRY(ChooseContainer(pod, options.container));
  if (pod.spec().nodename().empty()) {
    response.WriteHeader(204);
    return {};
  }
  const HostPort kubelet = KNARR_TRY(KubeletOfPod(rc, transports, pod));
  http::ClientRequest forward;
  forward.url.scheme = kubelet.scheme;
  forward.url.host = kubelet.host;
  forward.url.port = kubelet.port;
  forward.url.target = EncodePath(fmt::format("/containerLogs/{}/{}/{}", rc.namespace_, rc.name, container));
  if (!options.query.empty()) forward.url.target += "?" + http::EncodeQuery(options.query);
  forward.tls = KNARR_TRY(Transports::Copy(options.insecure ? transports.insecure_kubelet : transports.kubelet));
  forward.dial_timeout = std::chrono::seconds(30);
  int code = 0;
  std::string refusal;
  const Status status = http::Stream(
      rc.ctx, forward,
      [&](const http::Response& head) -> Status {
        code = head.status;
        // Redirects are not followed: a kubelet has no business to send us elsewhere.
        if (code < 200 || code > 206) return {};
        response.headers().Set("Content-Type", "text/plain");
        response.WriteHeader(200);
        // Headers of an empty log that is followed must not wait for its first line.
        return options.follow ? response.Flush() : Status();
      },
      [&](std::string_view piece) -> Status {
        if (code >= 200 && code <= 206) {
          KNARR_TRY(response.Write(piece));
          return options.follow ? response.Flush() : Status();
        }
        refusal += piece.substr(0, kMaxErrorBody - std::min(kMaxErrorBody, refusal.size()));
        return refusal.size() < kMaxErrorBody ? Status() : Error(Code::kOutOfRange, "enough");
      });
  if (code >= 200 && code <= 206) {
    // The answer has begun: all that can be told is that it is not complete.
    if (!status.ok()) response.Abort();
    return {};
  }
  if (code == 0) return Error(Code::kUnknown, "{}", status);
  return RefusalOf(code, refusal, rc.name);
}

// --- exec, attach, portforward ---------------------------------------------------------------------------------------

http::Query StreamQuery(const http::Request& request, bool exec) {
  http::Query query;
  if (exec) {
    for (const auto& [key, value] : request.query) {
      if (key == "command") query.emplace_back("command", value);
    }
  }
  // The kubelet's names for them, in alphabetical order.
  for (const auto& [theirs, ours] :
       {std::pair{"error", "stderr"}, {"input", "stdin"}, {"output", "stdout"}, {"tty", "tty"}}) {
    if (Flag(request, ours)) query.emplace_back(theirs, "1");
  }
  return query;
}

Result<http::Query> PortQuery(const http::Request& request) {
  std::string ports;
  for (const auto& [key, value] : request.query) {
    if (key != "ports") continue;
    for (std::string_view rest = value;;) {
      const size_t comma = rest.find(',');
      const std::string_view text = rest.substr(0, comma);
      int32_t port = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
      if (error != std::errc() || end != text.data() + text.size())
        return errors::BadRequest(
            fmt::format("cannot convert to []int32: strconv.ParseUint: parsing \"{}\": invalid syntax", text));
      ports += (ports.empty() ? "" : ",") + std::to_string(port);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return ports.empty() ? http::Query() : http::Query{{"port", ports}};
}

Status ServeStream(const RequestContext& rc, const Transports& transports, const std::string& what,
                   const http::Request& request, http::ResponseWriter& response) {
  if (request.method != "GET" && request.method != "POST") return MethodNotAllowed();
  const bool ports = what == "portforward";
  const http::Query query = ports ? KNARR_TRY(PortQuery(request)) : StreamQuery(request, what == "exec");
  const registry::ObjectRef object = KNARR_TRY(rc.access->Get(rc.ctx, {"", "pods"}, rc.namespace_, rc.name));
  const auto& pod = object->As<core::Pod>();
  std::string path = fmt::format("/{}/{}/{}", ports ? "portForward" : what, rc.namespace_, rc.name);
  if (!ports) path += "/" + KNARR_TRY(ChooseContainer(pod, request.QueryValue("container")));
  if (pod.spec().nodename().empty())
    return errors::BadRequest(fmt::format("pod {} does not have a host assigned", rc.name));
  const HostPort kubelet = KNARR_TRY(KubeletOfPod(rc, transports, pod));
  const Backend backend{.scheme = kubelet.scheme,
                        .host = kubelet.host,
                        .port = kubelet.port,
                        .path = path,
                        .raw_query = http::EncodeQuery(query),
                        .dial_host = "",
                        .tls = KNARR_TRY(Transports::Copy(transports.kubelet))};
  if (ports && WantsPortForwardTunnel(request)) {
    TunnelPortForward(request, response, backend);
  } else if (!ports && WantsStreamTranslation(request)) {
    TranslateStreams(request, response, backend,
                     {.in = Flag(request, "stdin"),
                      .out = Flag(request, "stdout"),
                      .err = Flag(request, "stderr"),
                      .tty = Flag(request, "tty")});
  } else {
    Serve(request, response, backend, {.upgrade_required = true});
  }
  return {};
}

Subresource Make(std::string name, std::string kind, std::vector<std::string> verbs, const TransportsPtr& transports,
                 const std::function<Status(const RequestContext&, const Transports&, const http::Request&,
                                            http::ResponseWriter&)>& serve) {
  Subresource out;
  out.name = std::move(name);
  out.kind = std::move(kind);
  out.verbs = std::move(verbs);
  out.connect = [transports, serve](const RequestContext& rc, const http::Request& request,
                                    http::ResponseWriter& response, std::string_view) {
    const Status status = serve(rc, *transports, request, response);
    if (!status.ok() && !rc.ctx.Cancelled()) ReplyStatus(response, status);
  };
  return out;
}

}  // namespace

std::vector<Subresource> PodStreamSubresources(const registry::BuiltinDeps& deps) {
  const auto transports = std::make_shared<const Transports>(deps);
  std::vector<Subresource> all;
  all.push_back(Make("log", "Pod", {"get"}, transports, ServeLog));
  for (const auto& [name, kind] : {std::pair{"attach", "PodAttachOptions"},
                                   {"exec", "PodExecOptions"},
                                   {"portforward", "PodPortForwardOptions"}}) {
    all.push_back(Make(name, kind, {"create", "get"}, transports,
                       [what = std::string(name)](const RequestContext& rc, const Transports& t,
                                                  const http::Request& request, http::ResponseWriter& response) {
                         return ServeStream(rc, t, what, request, response);
                       }));
  }
  return all;
}

}  // namespace knarr::proxy
