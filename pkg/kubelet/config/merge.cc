#include "pkg/kubelet/config/merge.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/kubelet/config/after.h"

namespace knarr::kubelet {
namespace {

std::string KeyOf(const meta::ObjectMeta& meta) {
  return meta.namespace_() + "/" + meta.name();
}

ManifestProblem Problem(const std::string& file, int line, std::string field, std::string message, WallTime now) {
  ManifestProblem problem;
  problem.file = file;
  problem.line = line;
  problem.field = std::move(field);
  problem.message = std::move(message);
  problem.since = now;
  return problem;
}

}  // namespace

void Merger::Merge(const std::vector<const Manifest*>& manifests, WallTime now, DesiredState& out) {
  Claims claims;
  for (const Manifest* manifest : manifests) {
    for (const ManifestPod& pod : manifest->pods) {
      claims["pod " + KeyOf(pod.pod->metadata())].push_back({manifest, &pod, pod.line});
    }
    for (const auto& entry : manifest->config_maps) {
      claims["configmap " + KeyOf(entry.object->metadata())].push_back({manifest, nullptr, entry.line});
    }
    for (const auto& entry : manifest->secrets) {
      claims["secret " + KeyOf(entry.object->metadata())].push_back({manifest, nullptr, entry.line});
    }
  }
  Settle(claims, now, out);
  const auto owned = [&](const std::string& claim, const Manifest* manifest) {
    return owners_.at(claim) == manifest->file;
  };
  for (const Manifest* manifest : manifests) {
    for (const auto& entry : manifest->config_maps) {
      const auto& meta = entry.object->metadata();
      if (owned("configmap " + KeyOf(meta), manifest)) out.config_maps[{meta.namespace_(), meta.name()}] = entry.object;
    }
    for (const auto& entry : manifest->secrets) {
      const auto& meta = entry.object->metadata();
      if (owned("secret " + KeyOf(meta), manifest)) out.secrets[{meta.namespace_(), meta.name()}] = entry.object;
    }
  }
  TakePods(claims, now, out);
}

// Decides an owner for every claim: the one it had, else the one whose pod runs, else the first.
void Merger::Settle(Claims& claims, WallTime now, DesiredState& out) {
  std::erase_if(owners_, [&](const auto& owner) { return !claims.contains(owner.first); });
  for (auto& [key, rivals] : claims) {
    std::string& owner = owners_[key];
    auto winner = std::find_if(rivals.begin(), rivals.end(), [&](const Claim& c) { return c.manifest->file == owner; });
    if (winner == rivals.end() && rivals.size() > 1 && uid_is_running_) {
      winner = std::find_if(rivals.begin(), rivals.end(), [&](const Claim& c) {
        return c.pod != nullptr && uid_is_running_(c.pod->pod->metadata().uid());
      });
    }
    if (winner == rivals.end()) winner = rivals.begin();
    owner = winner->manifest->file;
    std::rotate(rivals.begin(), winner, winner + 1);
    for (size_t i = 1; i < rivals.size(); ++i) {
      ManifestProblem problem = Problem(
          rivals[i].manifest->file, rivals[i].line, "metadata.name",
          fmt::format("{} is already defined in {}, which is kept; rename one of them or remove a file", key, owner),
          now);
      if (rivals[i].pod != nullptr) problem.keeps = key.substr(4);
      out.problems.push_back(std::move(problem));
    }
  }
}

// Pods whose manifests set the UID may clash there too; the pod that has it keeps it.
void Merger::TakePods(const Claims& claims, WallTime now, DesiredState& out) {
  std::map<std::string, std::string> uid_of;
  std::map<std::string, const ManifestPod*> source;
  for (const auto& [key, rivals] : claims) {
    if (rivals.front().pod == nullptr) continue;
    const auto& meta = rivals.front().pod->pod->metadata();
    const auto had = uid_of_.find(meta.uid());
    if (had != uid_of_.end() && had->second == KeyOf(meta)) uid_of.insert(*had);
  }
  for (const auto& [key, rivals] : claims) {
    const Claim& claim = rivals.front();
    if (claim.pod == nullptr) continue;
    const auto& meta = claim.pod->pod->metadata();
    const auto other = uid_of.emplace(meta.uid(), KeyOf(meta)).first;
    if (other->second != KeyOf(meta)) {
      out.problems.push_back(
          Problem(claim.manifest->file, claim.line, "metadata.uid",
                  fmt::format("Duplicate value: \"{}\": pod {} has this uid too; remove the field from one of them",
                              meta.uid(), other->second),
                  now));
      continue;
    }
    source[KeyOf(meta)] = claim.pod;
    out.pods.push_back({claim.pod->pod, claim.manifest->file, {}});
  }
  uid_of_ = std::move(uid_of);
  ResolveAfter(now, out, source);
}

void Merger::ResolveAfter(WallTime now, DesiredState& out, const std::map<std::string, const ManifestPod*>& source) {
  const std::string field = fmt::format("metadata.annotations[{}]", kAfterAnnotation);
  AfterGraph graph;
  for (const SourcePod& pod : out.pods) {
    const std::string key = KeyOf(pod.pod->metadata());
    const ManifestPod& from = *source.at(key);
    std::vector<std::string>& after = graph[key];
    for (const auto& [ns, name] : from.after) {
      std::string on_node = ns + "/" + GeneratePodName(name, node_name_);
      const std::string as_written = ns + "/" + name;
      if (!source.contains(on_node) && source.contains(as_written)) on_node = as_written;
      if (!source.contains(on_node)) {
        out.problems.push_back(Problem(
            pod.file, from.after_line, field,
            fmt::format("Not found: \"{}\": no manifest has this pod; pod {} waits for it", as_written, key), now));
      }
      if (std::find(after.begin(), after.end(), on_node) == after.end()) after.push_back(std::move(on_node));
    }
  }
  for (const std::vector<std::string>& cycle : BreakCycles(graph)) {
    const auto pod = std::find_if(out.pods.begin(), out.pods.end(),
                                  [&](const SourcePod& p) { return KeyOf(p.pod->metadata()) == cycle[0]; });
    out.problems.push_back(
        Problem(pod->file, source.at(cycle[0])->after_line, field,
                fmt::format("Invalid value: cycle {}; these pods start without waiting for one another",
                            fmt::join(cycle, " -> ")),
                now));
  }
  for (SourcePod& pod : out.pods) pod.after = std::move(graph[KeyOf(pod.pod->metadata())]);
}

}  // namespace knarr::kubelet
