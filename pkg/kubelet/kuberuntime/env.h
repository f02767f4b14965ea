// The environment of a container: envFrom, then env, with $(VAR), fieldRef, resourceFieldRef, ConfigMaps and Secrets.
// Mirrors: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/api/v1/resource/helpers.go
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/config/config.h"

namespace knarr::kubelet {

struct EnvSources {
  const ObjectGetter& objects;
  const std::vector<std::string>& pod_ips;
  const std::vector<std::string>& host_ips;
  // Stands in for limits that a container does not have: "cpu" -> "2".
  const std::map<std::string, std::string>& node_allocatable;
  // Keys of an envFrom that cannot be names of variables and were left out: "configMap", its name, the keys.
  std::function<void(std::string_view kind, const std::string& name, const std::vector<std::string>& keys)> on_invalid_names;
};

struct Environment {
  std::vector<std::pair<std::string, std::string>> ordered;  // every name once
  std::map<std::string, std::string> by_name;
  void Set(const std::string& name, std::string value);
};

Result<Environment> MakeEnvironment(const core::Pod& pod, const core::Container& container, const EnvSources& sources);

}  // namespace knarr::kubelet
