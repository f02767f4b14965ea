// knarr get pods|events|manifests
#include <algorithm>
#include <cstdio>
#include <functional>

#include <boost/json.hpp>

#include "pkg/api/codec/codec.h"
#include "pkg/cli/arguments.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/client.h"
#include "pkg/cli/terminal.h"

namespace knarr::cli {
namespace {

// What the STATUS column of kubectl would say.
std::string StatusOf(const PodRow& pod) {
  if (pod.phase == "Terminating") return pod.phase;
  if (!pod.reason.empty() && pod.reason != "StaleManifest") return pod.reason;
  return pod.phase;
}

std::string PaintedStatus(const PodRow& pod) {
  const std::string status = StatusOf(pod);
  if (pod.ready) return Paint(status, pod.reason.empty() ? Colour::kGreen : Colour::kYellow);
  if (status == "Succeeded") return Paint(status, Colour::kGreen);
  const bool fault = status.find("Error") != std::string::npos || status.find("BackOff") != std::string::npos || status == "Failed";
  return Paint(status, fault ? Colour::kRed : Colour::kYellow);
}

bool Chosen(const PodRow& pod, const std::string& ns, const std::vector<std::string>& names, bool all) {
  if (!all && pod.ns != (ns.empty() ? "default" : ns)) return false;
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& n) { return pod.name == n || pod.name.starts_with(n + "-"); });
}

void PrintPods(const std::vector<PodRow>& pods, bool with_namespace, bool wide) {
  std::vector<std::string> header{"NAME", "READY", "STATUS", "RESTARTS", "AGE"};
  if (with_namespace) header.insert(header.begin(), "NAMESPACE");
  if (wide) header.insert(header.end(), {"IP", "SOURCE"});
  Table table(header);
  for (const PodRow& pod : pods) {
    int ready = 0, total = 0, restarts = 0;
    for (const PodRow::Container& container : pod.containers) {
      if (container.kind == "init") continue;
      ++total;
      ready += container.ready;
      restarts += container.restarts;
    }
    std::vector<std::string> row{pod.name, fmt::format("{}/{}", ready, total), PaintedStatus(pod), fmt::format("{}", restarts), AgeOf(pod.start_time)};
    if (with_namespace) row.insert(row.begin(), pod.ns);
    if (wide) row.insert(row.end(), {pod.ip.empty() ? "<none>" : pod.ip, pod.source});
    table.Add(std::move(row));
  }
  std::fputs(table.ToString().c_str(), stdout);
}

void PrintEvents(const std::vector<PodRow>& pods) {
  Table table({"LAST SEEN", "TYPE", "REASON", "POD", "MESSAGE"});
  for (const PodRow& pod : pods) {
    for (const PodRow::Event& event : pod.events) {
      const std::string times = event.count > 1 ? fmt::format(" (x{})", event.count) : "";
      table.Add({AgeOf(event.time) + times, Paint(event.type, event.type == "Warning" ? Colour::kYellow : Colour::kNone), event.reason, pod.ns + "/" + pod.name, event.message});
    }
  }
  std::fputs(table.ToString().c_str(), stdout);
}

int PrintManifests(const NodeState& state) {
  for (const ManifestRow& manifest : state.bad_manifests) std::printf("%s\n", manifest.error.c_str());
  if (state.bad_manifests.empty()) std::fputs("All manifests are accepted.\n", stderr);
  return 0;
}

std::string MetadataOf(const boost::json::value& pod, std::string_view key) {
  const boost::json::value* metadata = pod.is_object() ? pod.as_object().if_contains("metadata") : nullptr;
  const boost::json::value* value = metadata && metadata->is_object() ? metadata->as_object().if_contains(key) : nullptr;
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

int PrintRaw(const Context& ctx, const KubeletClient& client, const std::string& format,
             const std::function<bool(const PodRow&)>& chosen) {
  Result<boost::json::value> pods = client.GetJson(ctx, "/pods");
  if (!pods.ok()) return Fail(pods.status());
  if (boost::json::value* items = pods->is_object() ? pods->as_object().if_contains("items") : nullptr; items && items->is_array()) {
    boost::json::array kept;
    for (boost::json::value& item : items->as_array()) {
      PodRow row;
      row.ns = MetadataOf(item, "namespace");
      row.name = MetadataOf(item, "name");
      if (chosen(row)) kept.push_back(std::move(item));
    }
    *items = std::move(kept);
  }
  const std::string json = boost::json::serialize(*pods);
  if (format == "json") {
    std::printf("%s\n", json.c_str());
    return 0;
  }
  const Result<std::string> yaml = codec::JsonToYaml(json);
  if (!yaml.ok()) return Fail(yaml.status());
  std::fputs(yaml->c_str(), stdout);
  return 0;
}

}  // namespace

int GetMain(const std::vector<std::string>& args) {
  Arguments arguments("knarr get pods|events|manifests [NAME...] [flags]", "Lists what the kubelet of this machine runs.");
  std::string output;
  bool all = false;
  arguments.flags().String(&output, "output", "wide, json or yaml").Shorthand('o');
  arguments.flags().Bool(&all, "all-namespaces", "Pods of every namespace.").Shorthand('A');
  if (const auto code = arguments.Parse(args)) return *code;
  if (arguments.words.empty()) return Fail(Error(Code::kInvalid, "you must specify what to get: pods, events or manifests"));
  const std::string what = arguments.words.front();
  const std::vector<std::string> names(arguments.words.begin() + 1, arguments.words.end());
  if (!output.empty() && output != "wide" && output != "json" && output != "yaml") {
    return Fail(Error(Code::kInvalid, "unable to match a printer suitable for the output format \"{}\", allowed formats are: json,wide,yaml", output));
  }
  const KubeletClient client(arguments.socket);
  const Context ctx = Context::Background().WithTimeout(std::chrono::seconds(30));
  const bool pods_wanted = what == "pods" || what == "pod" || what == "po";
  if (pods_wanted && (output == "json" || output == "yaml")) {
    return PrintRaw(ctx, client, output, [&](const PodRow& pod) { return Chosen(pod, arguments.ns, names, all); });
  }
  Result<NodeState> state = ReadNodeState(ctx, client);
  if (!state.ok()) return Fail(state.status());
  if (what == "manifests" || what == "manifest") return PrintManifests(*state);
  if (!pods_wanted && what != "events" && what != "event" && what != "ev") {
    return Fail(Error(Code::kInvalid, "the kubelet doesn't have a resource type \"{}\"; there are: pods, events, manifests", what));
  }
  std::vector<PodRow> chosen;
  for (PodRow& pod : state->pods) {
    if (Chosen(pod, arguments.ns, names, all)) chosen.push_back(std::move(pod));
  }
  if (chosen.empty()) {
    if (!names.empty()) return Fail(Error(Code::kNotFound, "pods \"{}\" not found", names.front()));
    std::fputs(all ? "No resources found\n" : "No resources found in this namespace (-A shows all).\n", stderr);
  } else if (pods_wanted) {
    PrintPods(chosen, all, output == "wide");
  } else {
    PrintEvents(chosen);
  }
  if (!state->bad_manifests.empty()) {
    std::fprintf(stderr, "%zu manifest%s not accepted; see: knarr get manifests\n", state->bad_manifests.size(), state->bad_manifests.size() == 1 ? " is" : "s are");
  }
  return 0;
}

}  // namespace knarr::cli
