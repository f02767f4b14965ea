// What /healthz/syncloop and `knarr why` say of the kubelet and its node. Pure.
#pragma once

#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/network/cni_relay.h"
#include "pkg/kubelet/server/view.h"

namespace knarr::kubelet {

// longest_pass: how long the slowest pass over a pod has been busy; source_busy: the same of the manifests' thread.
// Mirrors: pkg/kubelet/kubelet.go (syncLoopHealthCheck)
Status SyncLoopHealth(Duration longest_pass, Duration source_busy, Duration sync_frequency);

std::vector<NodeProblem> ExplainNetwork(const NetworkCondition& condition);

}  // namespace knarr::kubelet
