#include "pkg/kubelet/podworker/dependencies.h"

#include <algorithm>

namespace knarr::kubelet {

void Dependencies::Set(const std::string& pod, std::vector<std::string> after) { after_[pod] = std::move(after); }

void Dependencies::Erase(const std::string& pod) { after_.erase(pod); }

std::string Dependencies::WaitsFor(const std::string& pod, const std::set<std::string>& ready) const {
  const auto it = after_.find(pod);
  if (it == after_.end()) return "";
  for (const std::string& name : it->second) {
    if (!ready.contains(name)) return name;
  }
  return "";
}

std::string Dependencies::HeldBy(const std::string& pod, const std::set<std::string>& alive) const {
  for (const std::string& dependent : DependentsOf(pod)) {
    if (alive.contains(dependent) && !Reaches(pod, dependent)) return dependent;
  }
  return "";
}

std::vector<std::string> Dependencies::DependentsOf(const std::string& pod) const {
  std::vector<std::string> dependents;
  for (const auto& [name, after] : after_) {
    if (std::find(after.begin(), after.end(), pod) != after.end()) dependents.push_back(name);
  }
  return dependents;
}

bool Dependencies::Reaches(const std::string& from, const std::string& to) const {
  std::set<std::string> seen;
  std::vector<std::string> next{from};
  while (!next.empty()) {
    const std::string name = std::move(next.back());
    next.pop_back();
    if (!seen.insert(name).second) continue;
    const auto it = after_.find(name);
    if (it == after_.end()) continue;
    for (const std::string& target : it->second) {
      if (target == to) return true;
      next.push_back(target);
    }
  }
  return false;
}

}  // namespace knarr::kubelet
