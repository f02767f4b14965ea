#include "pkg/apiserver/proxy/proxies.h"

#include <algorithm>
#include <charconv>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/proxy/kubelet_transport.h"
#include "pkg/apiserver/proxy/location.h"
#include "pkg/apiserver/proxy/upgrade_aware.h"

namespace knarr::proxy {
namespace {

using registry::RequestContext;
using registry::Subresource;
using Resolve = std::function<Result<Backend>(const RequestContext&, const Transports&)>;

constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};

std::string RawQuery(const http::Request& request) {
  const size_t mark = request.target.find('?');
  return mark == std::string::npos ? std::string() : request.target.substr(mark + 1);
}

// "/" and the rest; empty where the request ends with "/proxy" itself.
std::string BackendPath(const http::Request& request, std::string_view rest) {
  std::string path(rest);
  if (path.empty()) return request.path.ends_with('/') ? "/" : "";
  return path.starts_with('/') ? path : "/" + path;
}

Result<Backend> ToBackend(const Result<HostPort>& where, const Transports& transports) {
  if (!where.ok()) return where.status();
  return Backend{.scheme = where->scheme,
                 .host = where->host,
                 .port = where->port,
                 .path = "",
                 .raw_query = "",
                 .dial_host = "",
                 .tls = KNARR_TRY(Transports::Copy(transports.backend))};
}

Result<Backend> NodeBackend(const RequestContext& rc, const Transports& transports) {
  const std::optional<SchemeNamePort> id = SplitSchemeNamePort(rc.name);
  if (!id) return errors::BadRequest(fmt::format("invalid node request \"{}\"", rc.name));
  const registry::ObjectRef node = KNARR_TRY(rc.access->Get(rc.ctx, {"", "nodes"}, "", id->name));
  HostPort where = KNARR_TRY(KubeletOf(node->As<core::Node>(), transports.preferred_types));
  // Whoever may write node objects shall not reach what listens here only (CVE-2022-3294). What was looked at is what
  // is dialled.
  const std::string address = KNARR_TRY(ResolveProxyable(where.host));
  const bool kubelet = id->port.empty() || id->port == std::to_string(where.port);
  if (!kubelet) {
    const auto [end, error] = std::from_chars(id->port.data(), id->port.data() + id->port.size(), where.port);
    if (error != std::errc() || end != id->port.data() + id->port.size() || where.port == 0)
      return errors::BadRequest(fmt::format("invalid node request \"{}\"", rc.name));
    where.scheme = id->scheme;
  }
  return Backend{.scheme = where.scheme,
                 .host = where.host,
                 .port = where.port,
                 .path = "",
                 .raw_query = "",
                 .dial_host = address,
                 .tls = KNARR_TRY(Transports::Copy(kubelet ? transports.kubelet : transports.backend))};
}

std::vector<Subresource> Make(const registry::BuiltinDeps& deps, std::string kind, Resolve resolve) {
  Subresource out;
  out.name = "proxy";
  out.kind = std::move(kind);
  out.verbs = {"create", "delete", "get", "patch", "update"};
  out.connect = [transports = std::make_shared<const Transports>(deps), resolve](
                    const RequestContext& rc, const http::Request& request, http::ResponseWriter& response,
                    std::string_view rest) {
    if (std::find(std::begin(kMethods), std::end(kMethods), request.method) == std::end(kMethods))
      return ReplyStatus(response, MethodNotAllowed());
    Result<Backend> backend = resolve(rc, *transports);
    if (!backend.ok()) return ReplyStatus(response, backend.status());
    backend->path = BackendPath(request, rest);
    backend->raw_query = RawQuery(request);
    Serve(request, response, *backend, {.rewrite = true});
  };
  return {std::move(out)};
}

}  // namespace

std::vector<Subresource> PodProxySubresources(const registry::BuiltinDeps& deps) {
  return Make(deps, "PodProxyOptions", [](const RequestContext& rc, const Transports& t) {
    return ToBackend(PodLocation(*rc.access, rc.ctx, rc.namespace_, rc.name), t);
  });
}

std::vector<Subresource> NodeProxySubresources(const registry::BuiltinDeps& deps) {
  return Make(deps, "NodeProxyOptions", NodeBackend);
}

std::vector<Subresource> ServiceProxySubresources(const registry::BuiltinDeps& deps) {
  return Make(deps, "ServiceProxyOptions", [](const RequestContext& rc, const Transports& t) {
    return ToBackend(ServiceLocation(*rc.access, rc.ctx, rc.namespace_, rc.name), t);
  });
}

}  // namespace knarr::proxy
