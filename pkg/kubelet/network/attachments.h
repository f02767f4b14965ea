// What the relay server does with a call: the network of the configuration directory, the record of every attachment,
// DEL that always comes to an end, and the clean-up after crashes and reboots. No sockets here; see cni_relay.cc.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/cni/cache.h"
#include "pkg/cni/cni.h"
#include "pkg/cni/relay_wire.h"
#include "pkg/kubelet/network/cni_relay.h"

namespace knarr::kubelet {

// Thread-safe; calls for one container id exclude one another.
class Attachments {
 public:
  // options.boot_id must be set.
  Attachments(CniRelayOptions options, Logger log);
  // Reads the records of earlier processes.
  Status Load();

  // ctx ends when the caller hangs up.
  cni::RelayReply Handle(const Context& ctx, const cni::RelayRequest& request);
  NetworkCondition Condition(const Context& ctx);
  std::vector<NetworkAttachment> List() const;
  Result<GarbageReport> CollectGarbage(const Context& ctx, const std::set<std::string>& live);

 private:
  using Key = std::pair<std::string, std::string>;  // container id, interface
  struct Entry {
    NetworkAttachment attachment;
    bool own = false;  // made by this process
  };
  struct Call;
  // Excludes other calls for one container id while it lives.
  class IdLock {
   public:
    IdLock(Attachments& owner, std::string id);
    ~IdLock();
    IdLock(const IdLock&) = delete;

   private:
    Attachments& owner_;
    const std::string id_;
  };

  Result<Call> Parse(const cni::RelayRequest& request) const;
  Result<std::string> Add(const Context& ctx, const Call& call, cni::PluginError& error);
  Status Del(const Context& ctx, const Call& call, cni::PluginError& error);
  Status Check(const Context& ctx, const Call& call, cni::PluginError& error);

  // The configured network, reloaded when its files changed; null with the cause in `why`.
  std::shared_ptr<const cni::NetworkConfig> Network(std::string* why = nullptr);
  std::optional<Key> FindKey(const std::string& id, const std::string& ifname) const;
  Result<cni::Record> ReadRecord(const Key& key) const;
  void Remember(const cni::Record& record, bool own);
  void Forget(const Key& key);
  // The DEL chain of a record; netns as it is now.
  Status DelRecord(const cni::Record& record, const std::string& netns, cni::PluginError* error);
  void NoteFailure(cni::Record& record, const Status& status);
  // By hand, what DEL could not do.
  void ForceRemove(const cni::Record& record, std::vector<std::string>* problems);

  struct Sweep;  // the state of one CollectGarbage
  void CollectRecord(const Key& key, Sweep& sweep);
  void CollectDeferred(Sweep& sweep);
  void CollectLeases(Sweep& sweep);
  void CollectIptables(Sweep& sweep);
  void RunGcVerb(Sweep& sweep);

  const CniRelayOptions options_;
  const Logger log_;
  const cni::Runner runner_;
  const cni::RecordStore store_;

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::set<std::string> busy_ids_;
  std::condition_variable id_free_;

  std::mutex network_mutex_;
  std::string network_fingerprint_;
  std::shared_ptr<const cni::NetworkConfig> network_;
  std::string network_problem_;

  std::mutex collect_mutex_;
};

}  // namespace knarr::kubelet
