// Which sysctls a pod may set. Mirrors: pkg/kubelet/sysctl/{safe_sysctls,allowlist}.go, k8s.io/component-helpers sysctl
#pragma once

#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

// Safe ones, and those that match `allowed` (--allowed-unsafe-sysctls: "kernel.msg*", "net.core.somaxconn").
// forbidden sysctl: "kernel.sem" not allowlisted
Status CheckSysctls(const core::Pod& pod, const std::vector<std::string>& allowed);

}  // namespace knarr::kubelet
