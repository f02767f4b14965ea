// What has to happen once per boot, and at every start: sandboxes of an earlier boot are dead whatever the runtime
// remembers of them, and are removed in one sweep before the first pod is looked at.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "pkg/base/context.h"

namespace knarr::cri {
class CriRuntime;
}

namespace knarr::kubelet {

struct BootOptions {
  std::string state_file = "/var/lib/kubelet/boot-id";
  std::string boot_id;  // empty: the kernel's
};

struct BootReport {
  bool new_boot = false;  // the machine (or its containers) started since the kubelet last ran
  int sandboxes_removed = 0;
  std::vector<std::string> problems;       // what could not be removed, and why; the start goes on
  std::set<std::string> live_sandboxes;    // READY and of this boot: for the network's own clean-up
};

// Blocks; the runtime must answer. The boot id is written after the sweep: a crash in between sweeps again.
Result<BootReport> SweepAfterBoot(const Context& ctx, cri::CriRuntime& runtime, const BootOptions& options);

}  // namespace knarr::kubelet
