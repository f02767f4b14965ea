#include "pkg/cli/client.h"

#include <cstdlib>

#include <boost/json.hpp>

namespace knarr::cli {
namespace {

constexpr const char* kDefaultSocket = "/run/knarr/kubelet.sock";

std::string Text(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

bool Truth(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value && value->is_bool() && value->as_bool();
}

int Number(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value && value->is_int64() ? static_cast<int>(value->as_int64()) : 0;
}

// The objects of an array member; none if it is absent.
std::vector<const boost::json::object*> Objects(const boost::json::object& object, std::string_view key) {
  std::vector<const boost::json::object*> objects;
  const boost::json::value* value = object.if_contains(key);
  if (!value || !value->is_array()) return objects;
  for (const boost::json::value& item : value->as_array()) {
    if (item.is_object()) objects.push_back(&item.as_object());
  }
  return objects;
}

PodRow PodOf(const boost::json::object& object) {
  PodRow pod;
  pod.ns = Text(object, "namespace");
  pod.name = Text(object, "name");
  pod.uid = Text(object, "uid");
  pod.source = Text(object, "source");
  pod.phase = Text(object, "phase");
  pod.ip = Text(object, "podIP");
  pod.reason = Text(object, "reason");
  pod.why = Text(object, "why");
  pod.next = Text(object, "next");
  pod.start_time = Text(object, "startTime");
  pod.ready = Truth(object, "ready");
  for (const boost::json::object* c : Objects(object, "containers")) {
    pod.containers.push_back({.name = Text(*c, "name"),
                              .kind = Text(*c, "kind"),
                              .state = Text(*c, "state"),
                              .reason = Text(*c, "reason"),
                              .message = Text(*c, "message"),
                              .image = Text(*c, "image"),
                              .ready = Truth(*c, "ready"),
                              .restarts = Number(*c, "restarts")});
  }
  for (const boost::json::object* e : Objects(object, "events")) {
    pod.events.push_back({.time = Text(*e, "time"), .type = Text(*e, "type"), .reason = Text(*e, "reason"), .message = Text(*e, "message"), .count = Number(*e, "count")});
  }
  return pod;
}

}  // namespace

std::string DefaultSocket() {
  const char* socket = std::getenv("KNARR_SOCKET");
  return socket && *socket ? socket : kDefaultSocket;
}

http::ClientRequest KubeletClient::Request(const std::string& target) const {
  http::ClientRequest request;
  request.url = {.scheme = "http", .host = "kubelet", .port = 80, .target = target};
  request.unix_path = socket_;
  request.max_body = 64 << 20;
  return request;
}

Status KubeletClient::Explain(const Status& status) const {
  if (status.error_number() == ENOENT || status.error_number() == ECONNREFUSED) {
    return Error(Code::kServiceUnavailable, "no kubelet answers on {}: is it running? (--socket or KNARR_SOCKET names another)", socket_);
  }
  if (status.error_number() == EACCES) return Error(Code::kForbidden, "{} may only be used by root", socket_);
  return status;
}

Result<boost::json::value> KubeletClient::GetJson(const Context& ctx, const std::string& target) const {
  const Result<http::Response> response = http::Do(ctx, Request(target));
  if (!response.ok()) return Explain(response.status());
  if (response->status != 200) return Error(Code::kUnknown, "{}: {} {}", target, response->status, response->body);
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(response->body, error);
  if (error) return Error(Code::kInternal, "{}: the answer is not JSON: {}", target, error.message());
  return value;
}

Status KubeletClient::Post(const Context& ctx, const std::string& target) const {
  http::ClientRequest request = Request(target);
  request.method = "POST";
  const Result<http::Response> response = http::Do(ctx, request);
  if (!response.ok()) return Explain(response.status());
  if (response->status / 100 != 2) return Error(Code::kUnknown, "{}", response->body.empty() ? response->reason : response->body);
  return {};
}

Result<NodeState> ReadNodeState(const Context& ctx, const KubeletClient& client) {
  const boost::json::value value = KNARR_TRY(client.GetJson(ctx, "/knarr/v1/pods"));
  if (!value.is_object()) return Error(Code::kInternal, "/knarr/v1/pods: the answer is not an object");
  NodeState state;
  for (const boost::json::object* pod : Objects(value.as_object(), "pods")) state.pods.push_back(PodOf(*pod));
  for (const boost::json::object* bad : Objects(value.as_object(), "badManifests")) {
    state.bad_manifests.push_back({.file = Text(*bad, "file"), .error = Text(*bad, "error"), .since = Text(*bad, "since")});
  }
  for (const boost::json::object* problem : Objects(value.as_object(), "nodeProblems")) {
    state.problems.push_back({.reason = Text(*problem, "reason"), .why = Text(*problem, "why"), .next = Text(*problem, "next")});
  }
  return state;
}

Result<PodRow> FindPod(const NodeState& state, const std::string& ns, const std::string& name) {
  std::string wanted_ns = ns, wanted = name;
  if (const size_t slash = name.find('/'); slash != std::string::npos) {
    wanted_ns = name.substr(0, slash);
    wanted = name.substr(slash + 1);
  }
  if (wanted_ns.empty()) wanted_ns = "default";
  const PodRow* exact = nullptr;
  const PodRow* by_prefix = nullptr;
  // While a pod is replaced there are two of its name: the one that has containers is meant.
  const auto prefer = [](const PodRow* old, const PodRow& candidate) { return old && !old->containers.empty() ? old : &candidate; };
  for (const PodRow& pod : state.pods) {
    if (pod.ns == wanted_ns && pod.name == wanted) exact = prefer(exact, pod);
  }
  if (exact) return *exact;
  for (const PodRow& pod : state.pods) {
    if (pod.ns == wanted_ns && pod.name.starts_with(wanted + "-")) {  // static pods are called <name>-<node>
      if (by_prefix && by_prefix->name != pod.name) {
        return Error(Code::kInvalid, "\"{}\" could be {} or {}: give the whole name", wanted, by_prefix->name, pod.name);
      }
      by_prefix = prefer(by_prefix, pod);
    }
  }
  if (by_prefix) return *by_prefix;
  return Error(Code::kNotFound, "pods \"{}\" not found in namespace \"{}\"", wanted, wanted_ns);
}

}  // namespace knarr::cli
