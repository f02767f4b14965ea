#include "pkg/kubelet/config/after.h"

#include <algorithm>
#include <deque>
#include <set>

namespace knarr::kubelet {
namespace {

// The names that are on a cycle or wait for one (what Kahn's algorithm cannot take away).
std::set<std::string> Stuck(const AfterGraph& graph) {
  std::map<std::string, size_t> open;
  std::map<std::string, std::vector<std::string>> waiters;
  std::deque<std::string> free;
  for (const auto& [name, after] : graph) {
    size_t count = 0;
    for (const std::string& other : after) {
      if (!graph.contains(other)) continue;
      ++count;
      waiters[other].push_back(name);
    }
    open[name] = count;
    if (count == 0) free.push_back(name);
  }
  while (!free.empty()) {
    const std::string name = std::move(free.front());
    free.pop_front();
    open.erase(name);
    for (const std::string& waiter : waiters[name]) {
      if (--open[waiter] == 0) free.push_back(waiter);
    }
  }
  std::set<std::string> stuck;
  for (const auto& [name, count] : open) stuck.insert(name);
  return stuck;
}

// Every stuck name waits for another stuck one, so walking that way must come back to where it was.
std::vector<std::string> FindCycle(const AfterGraph& graph, const std::set<std::string>& stuck) {
  std::vector<std::string> walk = {*stuck.begin()};
  std::map<std::string, size_t> position = {{walk[0], 0}};
  while (true) {
    const auto& after = graph.at(walk.back());
    const std::string next =
        *std::find_if(after.begin(), after.end(), [&](const auto& n) { return stuck.contains(n); });
    const auto [seen, fresh] = position.emplace(next, walk.size());
    if (fresh) {
      walk.push_back(next);
      continue;
    }
    walk.erase(walk.begin(), walk.begin() + static_cast<std::ptrdiff_t>(seen->second));
    std::rotate(walk.begin(), std::min_element(walk.begin(), walk.end()), walk.end());
    walk.push_back(walk.front());
    return walk;
  }
}

}  // namespace

std::vector<std::vector<std::string>> BreakCycles(AfterGraph& graph, size_t max_cycles) {
  std::vector<std::vector<std::string>> cycles;
  while (true) {
    const std::set<std::string> stuck = Stuck(graph);
    if (stuck.empty()) return cycles;
    if (cycles.size() >= max_cycles) {
      for (const std::string& name : stuck) graph[name].clear();
      return cycles;
    }
    std::vector<std::string> cycle = FindCycle(graph, stuck);
    for (size_t i = 0; i + 1 < cycle.size(); ++i) std::erase(graph[cycle[i]], cycle[i + 1]);
    cycles.push_back(std::move(cycle));
  }
}

}  // namespace knarr::kubelet
