// Start order by knarr.dev/after: cycles have to be found, because their pods would wait for one another forever.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace knarr::kubelet {

// Name -> names it waits for; names without an entry are ignored.
using AfterGraph = std::map<std::string, std::vector<std::string>>;

// Removes the edges of every cycle from the graph and returns the cycles, each as a, b, ..., a, starting at its
// smallest name. Linear in the graph for each cycle; at most max_cycles are named, what is left then loses all edges.
std::vector<std::vector<std::string>> BreakCycles(AfterGraph& graph, size_t max_cycles = 100);

}  // namespace knarr::kubelet
