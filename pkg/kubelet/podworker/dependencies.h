// knarr.dev/after as a graph: who may start, who may stop. Pure functions over names, so that cycles and unknown names
// are decided in one place. Names are "ns/name" of the static pod, node suffix included.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::kubelet {

class Dependencies {
 public:
  void Set(const std::string& pod, std::vector<std::string> after);
  void Erase(const std::string& pod);

  // The first of the pod's dependencies that is not in `ready`, or "" when it may start.
  std::string WaitsFor(const std::string& pod, const std::set<std::string>& ready) const;
  // The first pod among `alive` that must stop before this one may (it depends on it), or "". Pods on a cycle with
  // this one do not count: they would wait for each other for ever.
  std::string HeldBy(const std::string& pod, const std::set<std::string>& alive) const;
  // Pods that wait for this one directly.
  std::vector<std::string> DependentsOf(const std::string& pod) const;

 private:
  bool Reaches(const std::string& from, const std::string& to) const;
  std::map<std::string, std::vector<std::string>> after_;
};

}  // namespace knarr::kubelet
