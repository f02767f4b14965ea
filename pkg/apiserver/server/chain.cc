#include "pkg/apiserver/server/chain.h"

#include <fmt/format.h>

#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/filter.h"
#include "pkg/apiserver/registry/metadata.h"
#include "pkg/base/duration.h"
#include "pkg/net/http/gzip.h"

namespace knarr::apiserver {
namespace {

using endpoints::RequestInfo;

bool ReadOnly(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

auth::Attributes AttributesOf(const http::Request& request, const auth::UserInfo& user, const RequestInfo& info) {
  auth::Attributes attributes;
  attributes.user = &user;
  attributes.verb = info.verb;
  attributes.resource_request = info.is_resource;
  attributes.path = info.path;
  if (!info.is_resource) return attributes;
  attributes.api_group = info.group;
  attributes.api_version = info.version;
  attributes.resource = info.resource;
  attributes.subresource = info.subresource;
  attributes.name = info.name;
  attributes.namespace_ = info.namespace_;
  // What narrows a request may be what makes it allowed: a kubelet lists the pods of its node only.
  if (info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection") {
    attributes.field_selector = request.QueryValue("fieldSelector");
    attributes.label_selector = request.QueryValue("labelSelector");
  }
  return attributes;
}

// Counts a request while it runs.
class InFlight {
 public:
  InFlight(std::atomic<int>& count, metrics::Gauge& gauge, int limit)
      : count_(count), gauge_(gauge), admitted_(count.fetch_add(1) < limit || limit == 0) {
    gauge_.Add(1);
  }
  ~InFlight() {
    count_.fetch_sub(1);
    gauge_.Add(-1);
  }
  InFlight(const InFlight&) = delete;
  bool admitted() const { return admitted_; }

 private:
  std::atomic<int>& count_;
  metrics::Gauge& gauge_;
  const bool admitted_;
};

Status TooMany() {
  return errors::TooManyRequests("too many requests, please try again later", 1);
}

}  // namespace

bool LongRunning(const RequestInfo& info) {
  if (info.verb == "watch" || info.verb == "proxy") return true;
  if (!info.is_resource) return false;
  const std::string& sub = info.subresource;
  return sub == "log" || sub == "exec" || sub == "attach" || sub == "portforward" || sub == "proxy";
}

RequestMetrics::RequestMetrics(metrics::Registry& registry)
    : inflight_read(registry
                        .AddGauges("apiserver_current_inflight_requests",
                                   "Maximal number of currently used inflight request limit of this apiserver per "
                                   "request kind in last second.",
                                   {"request_kind"})
                        .With({"readOnly"})),
      inflight_write(
          registry.AddGauges("apiserver_current_inflight_requests", "", {"request_kind"}).With({"mutating"})),
      total_(registry.AddCounters(
          "apiserver_request_total", "Counter of apiserver requests by verb and resource.",
          {"code", "component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"})),
      duration_(registry.AddHistograms(
          "apiserver_request_duration_seconds", "Response latency of requests, in seconds.",
          {"component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"},
          {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60})) {}

void RequestMetrics::Observe(const RequestInfo& info, bool long_running, bool dry_run, int code, double seconds) {
  std::string verb = info.verb;
  for (char& c : verb) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c);
  if (verb == "CREATE") verb = "POST";
  if (verb == "UPDATE") verb = "PUT";
  const std::string dry = dry_run ? "All" : "";
  const std::string scope = !info.is_resource          ? ""
                            : !info.name.empty()       ? "resource"
                            : !info.namespace_.empty() ? "namespace"
                                                       : "cluster";
  total_
      .With({std::to_string(code), "apiserver", dry, info.group, info.resource, scope, info.subresource, verb,
             info.version})
      .Inc();
  if (!long_running)
    duration_.With({"apiserver", dry, info.group, info.resource, scope, info.subresource, verb, info.version})
        .Observe(seconds);
}

Chain::Chain(Parts parts, Limits limits, Clock& clock, metrics::Registry& metrics)
    : parts_(std::move(parts)), limits_(limits), clock_(clock), metrics_(metrics) {}

void Chain::Serve(const http::Request& request, http::ResponseWriter& response) {
  const MonoTime start = clock_.Monotonic();
  const RequestInfo info = endpoints::ParseRequestInfo(request);
  const bool long_running = LongRunning(info);
  response.headers().Set("Audit-Id", registry::NewUid());
  response.headers().Set("Cache-Control", "no-cache, private");
  ServeCounted(request, response, info, long_running);
  // Hostile paths must not make labels: only what is served counts by name.
  const bool known = !info.is_resource || parts_.registry->Find(info.group, info.version, info.resource) != nullptr;
  const std::chrono::duration<double> took = clock_.Monotonic() - start;
  if (known && info.is_resource)
    metrics_.Observe(info, long_running, request.HasQuery("dryRun"), response.status(), took.count());
}

void Chain::ServeCounted(const http::Request& request, http::ResponseWriter& response, const RequestInfo& info,
                         bool long_running) {
  std::optional<InFlight> in_flight;
  if (!long_running) {
    const bool read = ReadOnly(request.method);
    in_flight.emplace(read ? reads_ : writes_, read ? metrics_.inflight_read : metrics_.inflight_write,
                      read ? limits_.read : limits_.write);
  }
  const auto identity = auth::Identify(*parts_.authenticator, *parts_.authorizer, request);
  if (!identity.ok()) return endpoints::ReplyError(request, response, identity.error());
  const auth::UserInfo& user = identity->user;
  // Those who keep the cluster alive are never shed.
  if (in_flight && !in_flight->admitted() && !user.InGroup(auth::kMastersGroup))
    return endpoints::ReplyError(request, response, TooMany());
  if (const Status status = Authorize(request, user, info); !status.ok())
    return endpoints::ReplyError(request, response, status);
  Dispatch(request, response, info, user);
}

Status Chain::Authorize(const http::Request& request, const auth::UserInfo& user, const RequestInfo& info) {
  const auth::Attributes attributes = AttributesOf(request, user, info);
  const auth::Verdict verdict = parts_.authorizer->Authorize(request.ctx, attributes);
  if (verdict.decision == auth::Decision::kAllow) return {};
  return auth::Forbidden(attributes, verdict.reason);
}

void Chain::Dispatch(const http::Request& request, http::ResponseWriter& response, const RequestInfo& info,
                     const auth::UserInfo& user) {
  if (info.is_resource) {
    const registry::ResourcePtr resource = parts_.registry->Find(info.group, info.version, info.resource);
    if (resource) {
      std::chrono::nanoseconds timeout = limits_.request_timeout;
      if (const std::string_view asked = request.QueryValue("timeout"); !asked.empty()) {
        if (const auto parsed = ParseDuration(asked); parsed.ok() && parsed->count() > 0)
          timeout = std::min<std::chrono::nanoseconds>(timeout, *parsed);
      }
      const Context ctx = LongRunning(info)
                              ? request.ctx
                              : request.ctx.WithTimeout(std::chrono::duration_cast<Context::Duration>(timeout));
      const registry::ServedVersion& version = *resource->kind().FindVersion(info.version);
      const bool read = info.verb == "get" || info.verb == "list";
      if (read && !LongRunning(info) && http::AcceptsGzip(request.headers)) {
        http::GzipWriter compressed(response);
        parts_.verbs->Serve(ctx, request, compressed, info, user, resource, version);
      } else {
        parts_.verbs->Serve(ctx, request, response, info, user, resource, version);
      }
      return;
    }
  }
  if (parts_.health->Serve(request, response)) return;
  if (parts_.other && parts_.other(request, response)) return;
  if (!info.is_resource && parts_.discovery->Serve(request, response)) return;
  if (request.path == "/") return ServePaths(request, response);
  if (info.is_resource) return endpoints::ReplyError(request, response, errors::GenericNotFound());
  response.headers().Set("X-Content-Type-Options", "nosniff");
  response.Reply(404, "text/plain; charset=utf-8", "404 page not found\n");
}

void Chain::ServePaths(const http::Request&, http::ResponseWriter& response) {
  std::vector<std::string> paths = parts_.paths;
  paths.insert(paths.end(), {"/api", "/apis", "/healthz", "/livez", "/readyz"});
  for (const registry::ResourcePtr& resource : parts_.registry->All()) {
    const registry::Kind& kind = resource->kind();
    for (const auto& version : kind.versions) {
      if (kind.group.empty()) {
        paths.push_back("/api/" + version.version);
      } else {
        paths.push_back("/apis/" + kind.group);
        paths.push_back(fmt::format("/apis/{}/{}", kind.group, version.version));
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::string json = "{\n  \"paths\": [";
  for (const std::string& path : paths) json += fmt::format("{}\n    \"{}\"", json.ends_with('[') ? "" : ",", path);
  response.Reply(200, "application/json", json + "\n  ]\n}");
}

}  // namespace knarr::apiserver
