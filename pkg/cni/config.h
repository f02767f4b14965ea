// CNI network configurations: lists (.conflist), single ones (.conf, .json), and the directory they lie in.
// Mirrors: github.com/containernetworking/cni/libcni/conf.go, github.com/containerd/go-cni/opts.go (loadFromConfDir)
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::cni {

// The versions of the specification that this library speaks, oldest first.
inline constexpr std::string_view kVersions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
inline constexpr std::string_view kNewestVersion = "1.1.0";
bool IsKnownVersion(std::string_view version);
// Both must be known versions; the empty one is 0.1.0.
bool AtLeast(std::string_view version, std::string_view other);

struct PluginConfig {
  std::string type;
  std::map<std::string, bool> capabilities;
  std::string ipam_type;      // "" without IPAM
  std::string ipam_data_dir;  // host-local's ipam.dataDir, "" for its default
  std::string json;           // the object as it was written
};

struct NetworkConfig {
  std::string name;
  std::string cni_version;
  bool disable_check = false;
  bool disable_gc = false;
  std::vector<PluginConfig> plugins;  // at least one
  std::string json;                   // the whole as a list; ParseNetworkList(json) gives this struct again
  std::string file;                   // where it comes from, "" for parsed text
};

Result<NetworkConfig> ParseNetworkList(std::string_view json);
// One plugin without a list around it; becomes a list of one.
Result<NetworkConfig> ParseSingleNetwork(std::string_view json);
// By extension: .conflist is a list, .conf and .json are single. Plugins in <directory>/<name>/*.conf are appended
// to a list, as CNI 1.1 has it. Errors name the file.
Result<NetworkConfig> LoadNetworkFile(const std::string& path);

struct LoadedNetwork {
  std::optional<NetworkConfig> network;  // the first usable one in lexical order of the files
  std::vector<Status> problems;          // files that were skipped, and why; or why the directory cannot be read
};
LoadedNetwork LoadNetworkDirectory(const std::string& directory);
// The files that LoadNetworkDirectory would look at, in order. A missing directory has none.
Result<std::vector<std::string>> NetworkFiles(const std::string& directory);

// What names must look like; the texts are libcni's.
Status ValidateContainerId(std::string_view id);
Status ValidateNetworkName(std::string_view name);
Status ValidateInterfaceName(std::string_view name);

}  // namespace knarr::cni
