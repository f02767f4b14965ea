#include "pkg/kubelet/network/attachments.h"

#include <sys/stat.h>

#include <chrono>

#include "pkg/base/file.h"
#include "pkg/cni/json.h"
#include "pkg/kubelet/network/cleanup.h"

namespace knarr::kubelet {
namespace {

using cni::PluginError;
namespace json = boost::json;

// A sandbox must be removable even when a plugin never succeeds again (its binary is gone, its server is down): after
// this many failed DELs over at least this time, what is known is removed by hand and DEL succeeds.
constexpr int kGiveUpFailures = 3;
constexpr std::chrono::seconds kGiveUpAfter(60);

int64_t UnixNow() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// Changes whenever a configuration file is added, removed, replaced or written.
std::string Fingerprint(const std::string& directory) {
  const Result<std::vector<std::string>> files = cni::NetworkFiles(directory);
  if (!files.ok()) return std::string(files.error().message());
  std::string text;
  for (const std::string& file : *files) {
    struct stat info {};
    ::stat(file.c_str(), &info);
    text += fmt::format("{} {} {} {}.{} {}.{}\n", file, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                        info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
  }
  return text;
}

NetworkAttachment Describe(const cni::Record& record) {
  NetworkAttachment attachment;
  attachment.sandbox_id = record.rt.container_id;
  attachment.netns = record.rt.netns;
  attachment.ifname = record.rt.ifname;
  attachment.network = record.network_name;
  attachment.pod_namespace = record.Arg("K8S_POD_NAMESPACE");
  attachment.pod_name = record.Arg("K8S_POD_NAME");
  attachment.pod_uid = record.Arg("K8S_POD_UID");
  attachment.boot_id = record.boot_id;
  if (record.result.empty()) return attachment;
  if (Result<cni::ResultSummary> summary = cni::SummarizeResult(record.result); summary.ok()) {
    attachment.ips = std::move(summary->ips);
  }
  return attachment;
}

}  // namespace

struct Attachments::Call {
  std::string command;
  std::string cni_version;  // of the relay's configuration: the version the caller wants back
  cni::RuntimeConf rt;
};

Attachments::IdLock::IdLock(Attachments& owner, std::string id) : owner_(owner), id_(std::move(id)) {
  std::unique_lock lock(owner_.mutex_);
  owner_.id_free_.wait(lock, [this] { return owner_.busy_ids_.insert(id_).second; });
}

Attachments::IdLock::~IdLock() {
  {
    std::lock_guard lock(owner_.mutex_);
    owner_.busy_ids_.erase(id_);
  }
  owner_.id_free_.notify_all();
}

Attachments::Attachments(CniRelayOptions options, Logger log)
    : options_(std::move(options)), log_(std::move(log)), runner_(options_.bin_dirs), store_(options_.state_dir) {}

Status Attachments::Load() {
  const cni::RecordStore::Listing listing = KNARR_TRY(store_.List());
  for (const cni::Record& record : listing.records) Remember(record, false);
  for (const std::string& path : listing.broken) {
    // Its lease and its rules are found by CollectGarbage without it.
    log_.Warning("Removing an unreadable attachment record", {{"path", path}});
    KNARR_TRY(RemoveAll(path));
  }
  return {};
}

std::shared_ptr<const cni::NetworkConfig> Attachments::Network(std::string* why) {
  std::lock_guard lock(network_mutex_);
  if (std::string now = Fingerprint(options_.conf_dir); network_fingerprint_.empty() || now != network_fingerprint_) {
    cni::LoadedNetwork loaded = cni::LoadNetworkDirectory(options_.conf_dir);
    network_fingerprint_ = now.empty() ? "empty" : std::move(now);
    network_.reset();
    network_problem_.clear();
    for (const Status& problem : loaded.problems) {
      if (!network_problem_.empty()) network_problem_ += "; ";
      network_problem_ += problem.message();
    }
    if (loaded.network) {
      network_ = std::make_shared<const cni::NetworkConfig>(std::move(*loaded.network));
      log_.Info("Using CNI network", {{"network", network_->name}, {"file", network_->file}});
    }
    if (!network_problem_.empty()) log_.Warning("Problem with the CNI configuration", {{"problem", network_problem_}});
  }
  if (why != nullptr) *why = network_problem_;
  return network_;
}

NetworkCondition Attachments::Condition(const Context& ctx) {
  NetworkCondition condition;
  const auto fail = [&condition](std::string_view message, std::string detail) {
    condition.reason = "NetworkPluginNotReady";
    condition.message = fmt::format("Network plugin returns error: {}", message);
    condition.detail = std::move(detail);
    return condition;
  };
  std::string why;
  const std::shared_ptr<const cni::NetworkConfig> network = Network(&why);
  if (!network) return fail("cni plugin not initialized", why);
  for (const cni::PluginConfig& plugin : network->plugins) {
    if (const Result<std::string> found = runner_.FindPlugin(plugin.type); !found.ok()) {
      return fail(found.error().message(), fmt::format("network \"{}\" of {} needs it", network->name, network->file));
    }
  }
  PluginError error;
  const Status status = runner_.GetStatus(ctx.WithTimeout(std::chrono::seconds(10)), *network, &error);
  if (!status.ok()) return fail(status.message(), std::string(status.message()));
  condition.ready = true;
  return condition;
}

// ---- records

std::optional<Attachments::Key> Attachments::FindKey(const std::string& id, const std::string& ifname) const {
  std::lock_guard lock(mutex_);
  Key key(id, ifname);
  return entries_.contains(key) ? std::optional(std::move(key)) : std::nullopt;
}

Result<cni::Record> Attachments::ReadRecord(const Key& key) const {
  std::string network;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return Error(Code::kNotFound, "no attachment {} of sandbox {}", key.second, key.first);
    network = found->second.attachment.network;
  }
  return store_.Get(network, key.first, key.second);
}

void Attachments::Remember(const cni::Record& record, bool own) {
  NetworkAttachment attachment = Describe(record);
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[Key(record.rt.container_id, record.rt.ifname)];
  entry.attachment = std::move(attachment);
  entry.own |= own;
}

void Attachments::Forget(const Key& key) {
  std::string network;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    network = found->second.attachment.network;
    entries_.erase(found);
  }
  if (const Status status = store_.Remove(network, key.first, key.second); !status.ok()) {
    log_.Error(status, "Cannot remove an attachment record");
  }
}

std::vector<NetworkAttachment> Attachments::List() const {
  std::lock_guard lock(mutex_);
  std::vector<NetworkAttachment> list;
  for (const auto& [key, entry] : entries_) {
    if (entry.attachment.boot_id == options_.boot_id) list.push_back(entry.attachment);
  }
  return list;
}

// ---- calls

Result<Attachments::Call> Attachments::Parse(const cni::RelayRequest& request) const {
  Call call;
  call.command = request.command;
  const json::object config = KNARR_TRY(cni::internal::ParseJsonObject(request.stdin_data, "relay configuration"));
  call.cni_version = cni::internal::StringAt(config, "cniVersion");
  if (!cni::IsKnownVersion(call.cni_version)) {
    return Error(Code::kInvalid, "relay configuration: cniVersion \"{}\" is not supported", call.cni_version);
  }
  if (call.command == "STATUS" || call.command == "GC") return call;
  call.rt.container_id = request.container_id;
  call.rt.netns = request.netns;
  call.rt.ifname = request.ifname;
  KNARR_TRY(cni::ValidateContainerId(call.rt.container_id));
  KNARR_TRY(cni::ValidateInterfaceName(call.rt.ifname));
  call.rt.args = KNARR_TRY(cni::ParseArgs(request.args));
  if (const json::object* capabilities = cni::internal::ObjectAt(config, "runtimeConfig")) {
    call.rt.capability_args = json::serialize(*capabilities);
  }
  return call;
}

cni::RelayReply Attachments::Handle(const Context& ctx, const cni::RelayRequest& request) {
  PluginError error;
  const auto failed = [&](const Status& status, unsigned code, std::string_view version) {
    if (error.code == 0) error.code = code;
    // The caller's message must name the plugin, and the status does; the plugin's own text is part of it.
    error.msg = status.message();
    error.details.clear();
    return cni::RelayReply{1, error.ToJson(version) + "\n"};
  };
  const Result<Call> call = Parse(request);
  if (!call.ok()) return failed(call.error(), 4, "1.0.0");
  Status status;
  std::string out;
  if (call->command == "STATUS") {
    const NetworkCondition condition = Condition(ctx);
    if (!condition.ready) return failed(Status(Code::kServiceUnavailable, condition.message), PluginError::kPluginNotAvailable, call->cni_version);
    return {};
  }
  if (call->command == "GC") return {};  // CollectGarbage is asked by the kubelet, who knows the sandboxes
  const IdLock lock(*this, call->rt.container_id);
  if (call->command == "ADD") {
    Result<std::string> result = Add(ctx, *call, error);
    if (result.ok()) return {0, *result + "\n"};
    status = result.error();
  } else if (call->command == "DEL") {
    status = Del(ctx, *call, error);
  } else if (call->command == "CHECK") {
    status = Check(ctx, *call, error);
  } else {
    return failed(Error(Code::kInvalid, "unknown CNI_COMMAND: {}", call->command), 4, call->cni_version);
  }
  if (status.ok()) return {};
  log_.Error(status, "CNI call failed", {{"command", call->command}, {"sandbox", call->rt.container_id}});
  return failed(status, PluginError::kInternal, call->cni_version);
}

Result<std::string> Attachments::Add(const Context& ctx, const Call& call, PluginError& error) {
  std::string why;
  const std::shared_ptr<const cni::NetworkConfig> network = Network(&why);
  if (!network) {
    error.code = PluginError::kTryAgainLater;
    return Error(Code::kServiceUnavailable, "cni plugin not initialized: {}", why);
  }
  // An ADD without a DEL in between: the earlier one ended without us knowing how.
  if (FindKey(call.rt.container_id, call.rt.ifname)) KNARR_TRY_CTX(Del(Context::Background(), call, error), "remove the earlier attachment");

  cni::Record record;
  record.rt = call.rt;
  record.network_name = network->name;
  record.config = network->json;
  record.boot_id = options_.boot_id;
  KNARR_TRY(store_.Put(record));
  Remember(record, true);

  Result<std::string> result = runner_.Add(ctx.WithTimeout(options_.add_timeout), *network, record.rt, &error);
  Result<std::string> wanted = result.ok() ? cni::ConvertResult(*result, network->cni_version, call.cni_version) : result;
  if (result.ok()) {
    record.result = *result;
    if (const Status saved = store_.Put(record); !saved.ok()) wanted = saved;
    Remember(record, true);
  }
  if (wanted.ok()) return wanted;
  // Undo what the plugins before the failing one did, so that nothing depends on the runtime's own DEL.
  if (const Status undone = DelRecord(record, record.rt.netns, nullptr); undone.ok()) {
    Forget(Key(record.rt.container_id, record.rt.ifname));
  } else {
    NoteFailure(record, undone);
  }
  return wanted;
}

Status Attachments::DelRecord(const cni::Record& record, const std::string& netns, PluginError* error) {
  Result<cni::NetworkConfig> network = cni::ParseNetworkList(record.config);
  if (!network.ok()) return network.error().WithContext("the recorded configuration");
  cni::RuntimeConf rt = record.rt;
  // A namespace that is gone, or whose file is a leftover, is the empty string to plugins.
  rt.netns = record.boot_id == options_.boot_id && IsNetworkNamespace(netns) ? netns : "";
  return runner_.Del(Context::Background().WithTimeout(options_.del_timeout), *network, rt, record.result, error);
}

void Attachments::NoteFailure(cni::Record& record, const Status& status) {
  if (record.failures++ == 0) record.first_failure = UnixNow();
  record.last_error = status.message();
  if (const Status saved = store_.Put(record); !saved.ok()) log_.Error(saved, "Cannot update an attachment record");
}

// Not bound to the caller's life: half a DEL helps nobody, and the next one would start again.
Status Attachments::Del(const Context&, const Call& call, PluginError& error) {
  const std::optional<Key> key = FindKey(call.rt.container_id, call.rt.ifname);
  if (!key) {
    const std::shared_ptr<const cni::NetworkConfig> network = Network();
    if (!network) return {};
    cni::RuntimeConf rt = call.rt;
    if (!IsNetworkNamespace(rt.netns)) rt.netns.clear();
    return runner_.Del(Context::Background().WithTimeout(options_.del_timeout), *network, rt, {}, &error);
  }
  Result<cni::Record> record = ReadRecord(*key);
  if (!record.ok()) {
    Forget(*key);
    return record.error();  // the repeated DEL goes by the configuration
  }
  const Status status = DelRecord(*record, call.rt.netns.empty() ? record->rt.netns : call.rt.netns, &error);
  if (status.ok()) {
    Forget(*key);
    return {};
  }
  NoteFailure(*record, status);
  if (record->failures < kGiveUpFailures || UnixNow() - record->first_failure < kGiveUpAfter.count()) return status;
  log_.Error(status, "Giving up on a DEL that keeps failing; removing by hand what is known",
             {{"sandbox", key->first}, {"failures", record->failures}});
  ForceRemove(*record, nullptr);
  Forget(*key);
  return {};
}

Status Attachments::Check(const Context& ctx, const Call& call, PluginError& error) {
  const cni::Record record = KNARR_TRY(ReadRecord(Key(call.rt.container_id, call.rt.ifname)));
  const cni::NetworkConfig network = KNARR_TRY_CTX(cni::ParseNetworkList(record.config), "the recorded configuration");
  return runner_.Check(ctx.WithTimeout(options_.add_timeout), network, record.rt, record.result, &error);
}

// ---- what plugins could not or did not remove

void Attachments::ForceRemove(const cni::Record& record, std::vector<std::string>* problems) {
  const auto problem = [&](const Status& status) {
    if (status.ok()) return;
    log_.Error(status, "Cannot clean up by hand", {{"sandbox", record.rt.container_id}});
    if (problems != nullptr) problems->emplace_back(status.message());
  };
  if (const Result<cni::NetworkConfig> network = cni::ParseNetworkList(record.config); network.ok()) {
    for (const cni::PluginConfig& plugin : network->plugins) {
      if (plugin.ipam_type != "host-local") continue;
      const std::string& base = plugin.ipam_data_dir.empty() ? options_.host_local_dir : plugin.ipam_data_dir;
      problem(ReleaseHostLocalLeases(JoinPath(base, network->name), [&](const HostLocalLease& lease) {
                return lease.container_id == record.rt.container_id;
              }).status());
    }
  }
  if (!record.result.empty() && record.boot_id == options_.boot_id) {
    if (const Result<cni::ResultSummary> summary = cni::SummarizeResult(record.result); summary.ok()) {
      for (const cni::ResultInterface& interface : summary->interfaces) {
        if (interface.sandbox.empty()) problem(DeleteVeth(interface.name));
      }
    }
  }
  problem(SweepIptables(Context::Background(), [&](std::string_view network, std::string_view id) {
            return network == record.network_name && id == record.rt.container_id;
          }).status());
}

}  // namespace knarr::kubelet
