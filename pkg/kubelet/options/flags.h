// The kubelet's command line: every flag that upstream had from 1.20 to 1.32, and a few of our own.
// Mirrors: cmd/kubelet/app/options/{options,globalflags,container_runtime}.go
#pragma once

#include "pkg/base/flags/flags.h"
#include "pkg/kubelet/options/kubelet_config.h"

namespace knarr::kubelet {

// Flags that are no option.
struct CommandFlags {
  bool help = false;
  bool validate_config = false;
  std::string version;  // "": run; "true": print it; "raw": print all of it
  int verbosity = 0;
  std::vector<std::string> register_with_taints;
  std::string node_ip;
  std::string cni_bin_dir;
};

// Flags that set options. Targets must outlive the set.
void AddKubeletFlags(flags::FlagSet& set, KubeletOptions& options, ConfigExtras& extras, CommandFlags& command);
// Flags of the past and of parts that are not here: accepted with a warning where they change nothing, refused with
// the reason where ignoring them would.
void AddLegacyFlags(flags::FlagSet& set);

}  // namespace knarr::kubelet
