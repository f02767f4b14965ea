// Removing by hand what plugins left behind: host-local leases, iptables rules, host ends of veth pairs, network
// namespaces. Everything is idempotent and treats what is already gone as success.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

struct HostLocalLease {
  std::string ip;
  std::string container_id;  // empty: a lease whose content was lost in a crash
  std::string ifname;
  WallTime written{};
};
// Releases the leases of <data_dir>/<network> for which `is_dead` says so, under host-local's own lock; how many.
Result<int> ReleaseHostLocalLeases(const std::string& directory, const std::function<bool(const HostLocalLease&)>& is_dead);

// Deletes from the nat table (IPv4 and IPv6) the rules and chains that the plugins bridge and portmap made for attachments
// of which `is_dead` says so; they carry network and container id in a comment. Nothing without iptables. How many rules.
using IsDead = std::function<bool(std::string_view network, std::string_view container_id)>;
Result<int> SweepIptables(const Context& ctx, const IsDead& is_dead);
// The iptables-restore input that does it; empty when there is nothing to do. For tests and the above.
std::string PlanIptablesSweep(std::string_view iptables_save, const IsDead& is_dead, int& rules);

// The interface, if it is a veth.
Status DeleteVeth(const std::string& name);

bool IsNetworkNamespace(const std::string& path);
// Unmounts and removes a namespace that containerd made (.../netns/cni-*) and forgot; others are left alone. True when
// there was one.
Result<bool> RemoveForgottenNamespace(const std::string& path);

// When this boot began.
WallTime BootTime();
Result<std::string> BootId();

}  // namespace knarr::kubelet
