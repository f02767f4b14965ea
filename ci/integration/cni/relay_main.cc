// A kubelet's CNI relay without the kubelet, for tests that kill it: serves until it is killed or stdin ends.
//   relay_main <socket> <conf dir> <state dir> <host-local dir> <boot id> <bin dir>...
// Prints "ready"; a line on stdin holds the ids of the live sandboxes and is answered by one line of CollectGarbage.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "pkg/kubelet/network/cni_relay.h"

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: relay_main <socket> <conf dir> <state dir> <host-local dir> <boot id> <bin dir>...\n");
    return 2;
  }
  knarr::kubelet::CniRelayOptions options;
  options.socket_path = argv[1];
  options.conf_dir = argv[2];
  options.state_dir = argv[3];
  options.host_local_dir = argv[4];
  options.boot_id = argv[5];
  options.bin_dirs.assign(argv + 6, argv + argc);
  knarr::ElasticPool pool("cni", 16);
  const auto server = knarr::kubelet::CniRelayServer::Start(knarr::Context(), options, pool);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", std::string(server.error().message()).c_str());
    return 1;
  }
  std::cout << "ready" << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::set<std::string> live;
    for (std::string id; words >> id;) live.insert(id);
    const auto report = (*server)->CollectGarbage(knarr::Context(), live);
    if (!report.ok()) {
      std::cout << "error " << report.error().message() << std::endl;
      continue;
    }
    std::cout << "removed=" << report->attachments_removed << " forced=" << report->attachments_forced
              << " leases=" << report->leases_released << " namespaces=" << report->namespaces_removed
              << " problems=" << report->problems.size() << std::endl;
  }
  return 0;
}
