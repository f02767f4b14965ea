// The clean-up at the kubelet's start. Mirrors in purpose: libcni's GCNetworkList, which knows only its own cache.
#include <unistd.h>

#include <algorithm>

#include "pkg/base/file.h"
#include "pkg/kubelet/network/attachments.h"
#include "pkg/kubelet/network/cleanup.h"

namespace knarr::kubelet {
namespace {

// A record whose DEL failed at this many starts is dropped.
constexpr int kGiveUpStarts = 3;

// What containerd names sandboxes; others who use CNI (cnitool, nerdctl) use other forms.
bool LooksLikeSandboxId(std::string_view id) {
  return id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

struct Attachments::Sweep {
  const Context& ctx;
  std::set<std::string> live;  // without those whose DEL has come, whatever the runtime still says
  std::set<std::string> deferred_ids;
  std::set<std::string> network_names;
  std::set<std::string> lease_directories;
  GarbageReport report;

  void Problem(const Logger& log, const Status& status, std::string_view sandbox) {
    if (status.ok()) return;
    log.Error(status, "Problem while cleaning up the network", {{"sandbox", sandbox}});
    report.problems.push_back(sandbox.empty() ? std::string(status.message()) : fmt::format("sandbox {}: {}", sandbox, status));
  }
};

Result<GarbageReport> Attachments::CollectGarbage(const Context& ctx, const std::set<std::string>& live) {
  std::lock_guard once(collect_mutex_);
  Sweep sweep{ctx, live, {}, {}, {}, {}};
  if (const Result<std::vector<std::string>> notes = ListDir(options_.state_dir + "/deferred"); notes.ok()) {
    std::string id, ifname;
    for (const std::string& note : *notes) {
      if (!cni::ParseDeferredName(note, id, ifname)) continue;
      sweep.deferred_ids.insert(id);
      sweep.live.erase(id);
    }
  }
  std::vector<Key> dead;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      const bool ended = sweep.deferred_ids.contains(key.first);
      const bool lost = !entry.own && (entry.attachment.boot_id != options_.boot_id || !live.contains(key.first));
      if (ended || lost) dead.push_back(key);
    }
  }
  const auto add_network = [&](const cni::NetworkConfig& network) {
    sweep.network_names.insert(network.name);
    for (const cni::PluginConfig& plugin : network.plugins) {
      if (plugin.ipam_type != "host-local") continue;
      const std::string& base = plugin.ipam_data_dir.empty() ? options_.host_local_dir : plugin.ipam_data_dir;
      sweep.lease_directories.insert(JoinPath(base, network.name));
    }
  };
  if (const auto network = Network()) add_network(*network);
  for (const Key& key : dead) {
    if (const Status ended = ctx.Err(); !ended.ok()) return ended;
    if (const Result<cni::Record> record = ReadRecord(key); record.ok()) {
      if (const Result<cni::NetworkConfig> network = cni::ParseNetworkList(record->config); network.ok()) add_network(*network);
    }
    CollectRecord(key, sweep);
  }
  CollectDeferred(sweep);
  CollectLeases(sweep);
  CollectIptables(sweep);
  RunGcVerb(sweep);
  return std::move(sweep.report);
}

void Attachments::CollectRecord(const Key& key, Sweep& sweep) {
  const IdLock lock(*this, key.first);
  if (!FindKey(key.first, key.second)) return;  // a DEL came in the meantime
  Result<cni::Record> record = ReadRecord(key);
  if (!record.ok()) {
    sweep.Problem(log_, record.error(), key.first);
    Forget(key);
    return;
  }
  log_.Info("Removing a network attachment that was left behind",
            {{"sandbox", key.first}, {"pod", fmt::format("{}/{}", record->Arg("K8S_POD_NAMESPACE"), record->Arg("K8S_POD_NAME"))},
             {"reason", record->boot_id != options_.boot_id ? "of an earlier boot" : "its sandbox is gone"}});
  const Status status = DelRecord(*record, record->rt.netns, nullptr);
  if (status.ok()) {
    ++sweep.report.attachments_removed;
  } else {
    sweep.Problem(log_, status, key.first);
    NoteFailure(*record, status);
    ++sweep.report.attachments_forced;
    ForceRemove(*record, &sweep.report.problems);
  }
  // Containerd 1.6 forgets the namespace of a sandbox it was killed while making.
  if (!sweep.live.contains(key.first)) {
    const Result<bool> removed = RemoveForgottenNamespace(record->rt.netns);
    if (removed.ok() && *removed) ++sweep.report.namespaces_removed;
    sweep.Problem(log_, removed.status(), key.first);
  }
  if (status.ok() || record->failures >= kGiveUpStarts) Forget(key);
}

// DELs that knarr-cni left as notes and that have no record: by the configuration of now.
void Attachments::CollectDeferred(Sweep& sweep) {
  const std::string directory = options_.state_dir + "/deferred";
  const Result<std::vector<std::string>> notes = ListDir(directory);
  if (!notes.ok()) return;
  const auto network = Network();
  for (const std::string& note : *notes) {
    Key key;
    if (cni::ParseDeferredName(note, key.first, key.second) && !FindKey(key.first, key.second) && network &&
        cni::ValidateContainerId(key.first).ok()) {
      const IdLock lock(*this, key.first);
      cni::RuntimeConf rt;
      rt.container_id = key.first;
      rt.ifname = key.second;
      sweep.Problem(log_, runner_.Del(sweep.ctx.WithTimeout(options_.del_timeout), *network, rt, {}), key.first);
    }
    if (::unlink(JoinPath(directory, note).c_str()) != 0 && errno != ENOENT) {
      sweep.Problem(log_, ErrnoError(errno, "remove {}/{}", directory, note), key.first);
    }
  }
}

// Leases without a record: the record was lost (a wiped state directory, a power cut), or another configuration made them.
void Attachments::CollectLeases(Sweep& sweep) {
  const WallTime boot = BootTime(), now = std::chrono::system_clock::now();
  const auto is_dead = [&](const HostLocalLease& lease) {
    if (lease.container_id.empty()) return true;  // written by nobody who is alive: we hold the lock
    if (sweep.live.contains(lease.container_id)) return false;
    {
      std::lock_guard lock(mutex_);
      const auto entry = entries_.lower_bound(Key(lease.container_id, ""));
      if (entry != entries_.end() && entry->first.first == lease.container_id &&
          entry->second.attachment.boot_id == options_.boot_id) {
        return false;
      }
    }
    return lease.written < boot || (LooksLikeSandboxId(lease.container_id) && lease.written < now);
  };
  for (const std::string& directory : sweep.lease_directories) {
    const Result<int> released = ReleaseHostLocalLeases(directory, is_dead);
    if (!released.ok()) {
      sweep.Problem(log_, released.error(), "");
    } else if (*released > 0) {
      log_.Info("Released host-local addresses that belonged to nobody", {{"directory", directory}, {"count", *released}});
      sweep.report.leases_released += *released;
    }
  }
}

void Attachments::CollectIptables(Sweep& sweep) {
  const Result<int> rules = SweepIptables(sweep.ctx, [&](std::string_view network, std::string_view id) {
    if (!sweep.network_names.contains(std::string(network)) || sweep.live.contains(std::string(id))) return false;
    std::lock_guard lock(mutex_);
    const auto entry = entries_.lower_bound(Key(std::string(id), ""));
    return entry == entries_.end() || entry->first.first != id || entry->second.attachment.boot_id != options_.boot_id;
  });
  if (!rules.ok()) {
    sweep.Problem(log_, rules.error(), "");
  } else if (*rules > 0) {
    log_.Info("Removed iptables rules of sandboxes that are gone", {{"count", *rules}});
  }
}

void Attachments::RunGcVerb(Sweep& sweep) {
  const auto network = Network();
  if (!network || !cni::AtLeast(network->cni_version, "1.1.0")) return;
  std::vector<cni::Attachment> valid;
  for (const NetworkAttachment& a : List()) {
    if (a.network == network->name) valid.push_back({a.sandbox_id, a.ifname});
  }
  sweep.Problem(log_, runner_.Gc(sweep.ctx.WithTimeout(options_.del_timeout), *network, valid), "");
}

}  // namespace knarr::kubelet
