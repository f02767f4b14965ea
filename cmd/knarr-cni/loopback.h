// The loopback plugin: brings lo up in a sandbox's network namespace. Containerd 1.6 and 1.7 run a plugin of this name
// for every sandbox, beside the configured network, and look for it in the one directory they are given.
// Mirrors: github.com/containernetworking/plugins/plugins/main/loopback
#pragma once

#include <string>

namespace knarr {

struct LoopbackOutcome {
  std::string out;
  unsigned code = 0;
  std::string error;  // empty: success
};
// Moves the calling thread into the namespace for good: for short-lived processes only.
LoopbackOutcome Loopback(const std::string& command, const std::string& netns, const std::string& version,
                         const std::string& stdin_data);

}  // namespace knarr
