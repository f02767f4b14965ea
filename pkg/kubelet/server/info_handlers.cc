#include <charconv>

#include "pkg/kubelet/server/handlers.h"
#include "pkg/kubelet/server/json_writer.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

void WriteContainer(JsonWriter& w, const LocalPod::Container& c) {
  w.BeginObject();
  w.Field("name", c.name);
  w.Field("kind", c.kind);
  w.Field("state", c.state);
  w.OptionalField("reason", c.reason);
  w.OptionalField("message", c.message);
  w.OptionalField("id", c.id);
  w.Field("image", c.image);
  w.Key("ready");
  w.Bool(c.ready);
  w.Key("restarts");
  w.Number(c.restarts);
  w.EndObject();
}

void WriteEvent(JsonWriter& w, const LocalPod::Event& e) {
  w.BeginObject();
  w.Field("time", FormatSeconds(e.time));
  w.Field("type", e.type);
  w.Field("reason", e.reason);
  w.Field("message", e.message);
  w.Key("count");
  w.Number(e.count);
  w.EndObject();
}

void WritePod(JsonWriter& w, const LocalPod& p) {
  w.BeginObject();
  w.Field("namespace", p.pod_namespace);
  w.Field("name", p.name);
  w.Field("uid", p.uid);
  w.OptionalField("source", p.source);
  w.Field("phase", p.phase);
  w.OptionalField("podIP", p.ip);
  w.Key("ready");
  w.Bool(p.ready);
  w.OptionalField("reason", p.reason);
  w.OptionalField("why", p.why);
  w.OptionalField("next", p.next);
  if (p.start_time != WallTime{}) w.Field("startTime", FormatSeconds(p.start_time));
  w.Key("containers");
  w.BeginArray();
  for (const LocalPod::Container& c : p.containers) WriteContainer(w, c);
  w.EndArray();
  w.Key("events");
  w.BeginArray();
  for (const LocalPod::Event& e : p.events) WriteEvent(w, e);
  w.EndArray();
  w.EndObject();
}

bool OnlyCpuAndMemory(const http::Request& request) {
  return request.QueryValue("only_cpu_and_memory") == "true";
}

// The checks of /healthz: name and outcome.
std::vector<std::pair<std::string_view, Status>> HealthChecks(ServerState& state) {
  return {{"ping", Status()}, {"log", Status()}, {"syncloop", state.view.SyncLoopHealthy()}};
}

}  // namespace

void ReplyError(http::ResponseWriter& response, const Status& error) {
  int status = InfoOf(error.code()).http;
  if (error.Is(Code::kCancelled) || status < 400) status = 500;
  response.Error(status, error.message());
}

Result<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return Error(Code::kBadRequest, "\"{}\" is not a number", text.substr(0, 64));
  return value;
}

void HandlePods(ServerState& state, const http::Request&, http::ResponseWriter& response) {
  response.Reply(200, kJson, state.view.PodsJson());
}

void HandleRunningPods(ServerState& state, const http::Request&, http::ResponseWriter& response) {
  response.Reply(200, kJson, state.view.RunningPodsJson());
}

void HandleLocalPods(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  JsonWriter w;
  w.BeginObject();
  w.Field("node", state.options.node_name);
  w.Key("pods");
  w.BeginArray();
  for (const LocalPod& pod : state.view.LocalPods()) WritePod(w, pod);
  w.EndArray();
  w.Key("badManifests");
  w.BeginArray();
  for (const BadManifest& bad : state.view.BadManifests()) {
    w.BeginObject();
    w.Field("file", bad.file);
    w.Field("error", bad.error);
    w.Field("since", FormatSeconds(bad.since));
    w.EndObject();
  }
  w.EndArray();
  w.Key("nodeProblems");
  w.BeginArray();
  for (const NodeProblem& problem : state.view.NodeProblems(request.ctx)) {
    w.BeginObject();
    w.Field("reason", problem.reason);
    w.Field("why", problem.why);
    w.Field("next", problem.next);
    w.EndObject();
  }
  w.EndArray();
  w.EndObject();
  response.Reply(200, kJson, w.Take());
}

void HandleShutdown(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  // Stopping every pod is for those who are on the machine.
  if (!request.peer.unix_socket) return response.Error(403, "only the kubelet's unix socket may ask for a shutdown");
  int seconds = 120;
  const std::string_view wanted = request.QueryValue("timeoutSeconds");
  if (!wanted.empty()) {
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), seconds);
    if (error != std::errc() || end != wanted.data() + wanted.size() || seconds < 1 || seconds > 3600) {
      return response.Error(400, "timeoutSeconds must be a number from 1 to 3600");
    }
  }
  const Status status = state.view.ShutDownPods(request.ctx.WithTimeout(std::chrono::seconds(seconds)));
  if (!status.ok()) return ReplyError(response, status);
  response.Reply(200, kText, "ok\n");
}

void HandleStatsSummary(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  const Result<stats::Summary> summary = state.view.StatsSummary(request.ctx, OnlyCpuAndMemory(request));
  if (!summary.ok()) return ReplyError(response, summary.status().WithContext("failed to get stats"));
  response.Reply(200, kJson, stats::ToJson(*summary));
}

void HandleMetrics(ServerState& state, const http::Request&, http::ResponseWriter& response) {
  response.Reply(200, metrics::kContentType, state.registry.Expose());
}

void HandleResourceMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  const Result<stats::Summary> summary = state.view.StatsSummary(request.ctx, true);
  if (!summary.ok())
    state.logger.Error(summary.status(), "Error getting summary for resourceMetric prometheus endpoint");
  std::string text = summary.ok() ? stats::ResourceMetrics(*summary) : "";
  metrics::TextWriter writer;
  for (const auto& [name, level] :
       {std::pair{"resource_scrape_error", "[STABLE]"}, std::pair{"scrape_error", "[ALPHA]"}}) {
    writer.Family(name, std::string(level) + " 1 if there was an error while getting container metrics, 0 otherwise",
                  "gauge");
    writer.Sample(name, {}, summary.ok() ? 0 : 1);
  }
  response.Reply(200, metrics::kContentType, text + writer.Take());
}

void HandleProbeMetrics(ServerState& state, const http::Request&, http::ResponseWriter& response) {
  response.Reply(200, metrics::kContentType, state.view.ProbeMetrics());
}

void HandleCadvisorMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  const Result<stats::Summary> summary = state.view.StatsSummary(request.ctx, false);
  if (!summary.ok()) return ReplyError(response, summary.status().WithContext("failed to get stats"));
  response.Reply(200, metrics::kContentType, stats::CadvisorMetrics(*summary));
}

void HandleConfigz(ServerState& state, const http::Request&, http::ResponseWriter& response) {
  response.Reply(200, kJson, "{\"kubeletconfig\":" + state.view.ConfigJson() + "}");
}

// Mirrors: k8s.io/apiserver/pkg/server/healthz handleRootHealth
void HandleHealthz(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  std::string report;
  bool well = true;
  for (const auto& [name, status] : HealthChecks(state)) {
    if (status.ok()) {
      report += fmt::format("[+]{} ok\n", name);
      continue;
    }
    well = false;
    report += fmt::format("[-]{} failed: reason withheld\n", name);
    state.logger.Error(status, "healthz check failed", {{"check", name}});
  }
  if (!well) return response.Error(500, report + "healthz check failed");
  response.Reply(200, kText, request.HasQuery("verbose") ? report + "healthz check passed\n" : "ok");
}

void HandleHealthzCheck(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  for (const auto& [name, status] : HealthChecks(state)) {
    if (name != request.Param("check")) continue;
    if (!status.ok()) return response.Error(500, fmt::format("internal server error: {}", status.message()));
    return response.Reply(200, kText, "ok");
  }
  // Not one of the checks that make up /healthz: without a network the kubelet itself is well.
  if (request.Param("check") == "network") {
    std::string text;
    for (const NodeProblem& problem : state.view.NodeProblems(request.ctx)) text += (text.empty() ? "" : "; ") + problem.why;
    if (!text.empty()) return response.Error(500, fmt::format("internal server error: {}", text));
    return response.Reply(200, kText, "ok");
  }
  response.Error(404, "404 page not found");
}

}  // namespace knarr::kubelet
