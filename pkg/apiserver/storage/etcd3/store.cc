#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/etcd3/client.h"
#include "pkg/apiserver/storage/etcd3/watches.h"
#include "pkg/apiserver/storage/keys.h"
#include "pkg/base/pool.h"

namespace knarr::storage {
namespace {

using etcd3::Client;
using etcd3::Endpoint;
namespace pb = ::etcdserverpb;

constexpr char kCompactRevisionKey[] = "compact_rev_key";
constexpr char kHealthKey[] = "/registry/health";
// Larger lists are read in pieces of one revision, so that neither side holds a huge message.
constexpr int64_t kRangePage = 2000;

KeyValue ToKeyValue(mvccpb::KeyValue& kv) {
  return {.key = std::move(*kv.mutable_key()),
          .value = std::move(*kv.mutable_value()),
          .mod_revision = kv.mod_revision(),
          .create_revision = kv.create_revision()};
}

std::string RangeEnd(std::string_view prefix) {
  std::string end = PrefixEnd(prefix);
  return end.empty() ? std::string(1, '\0') : end;  // etcd's word for no end
}

pb::Compare* CompareModRevision(pb::TxnRequest& txn, std::string_view key, Revision revision) {
  pb::Compare* compare = txn.add_compare();
  compare->set_target(pb::Compare::MOD);
  compare->set_result(pb::Compare::EQUAL);
  compare->set_key(std::string(key));
  compare->set_mod_revision(revision);
  return compare;
}

// One lease for many keys that expire at about the same time: a lease costs etcd more than a key.
class Leases {
 public:
  Leases(Client& client, Clock& clock, int64_t max_objects)
      : client_(client), clock_(clock), max_objects_(std::max<int64_t>(1, max_objects)) {}

  Result<int64_t> Get(const Context& ctx, int64_t ttl_seconds) {
    const std::lock_guard lock(mutex_);
    const MonoTime now = clock_.Monotonic();
    const int64_t reuse = std::min<int64_t>(60, ttl_seconds / 20);
    const MonoTime needed = now + std::chrono::seconds(ttl_seconds);
    if (id_ != 0 && needed < expires_ && needed + std::chrono::seconds(reuse) > expires_ && objects_ < max_objects_) {
      ++objects_;
      return id_;
    }
    pb::LeaseGrantRequest request;
    request.set_ttl(ttl_seconds + reuse);
    const auto response = KNARR_TRY((client_.Call<pb::Lease::Stub, pb::LeaseGrantRequest, pb::LeaseGrantResponse>(
        ctx, &Endpoint::lease, &pb::Lease::Stub::LeaseGrant, request, true)));
    id_ = response.id();
    expires_ = now + std::chrono::seconds(ttl_seconds + reuse);
    objects_ = 1;
    return id_;
  }
  // etcd does not know it any more.
  void Forget(int64_t id) {
    const std::lock_guard lock(mutex_);
    if (id_ == id) id_ = 0;
  }

 private:
  Client& client_;
  Clock& clock_;
  const int64_t max_objects_;
  std::mutex mutex_;
  int64_t id_ = 0, objects_ = 0;
  MonoTime expires_;
};

// Every interval one of the servers on this etcd compacts it to where it was an interval ago. The version of
// compact_rev_key is the clock they share: who moves it on does the work.
class Compactor {
 public:
  Compactor(Client& client, Clock& clock, std::chrono::seconds interval, Logger log)
      : client_(client), clock_(clock), interval_(interval), log_(std::move(log)) {
    if (interval_.count() > 0) thread_.Go("etcd-compactor", [this](std::stop_token stop) { Loop(stop); });
  }
  ~Compactor() { thread_.StopAndJoin(); }

 private:
  void Loop(std::stop_token stop) {
    const Context context = Context::Background().WithStop(stop);
    while (!stop.stop_requested()) {
      const Timer timer = clock_.RunAfter(interval_, [this] {
        {
          const std::lock_guard lock(mutex_);
          due_ = true;
        }
        wake_.notify_all();
      });
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [&] { return due_; })) return;
        due_ = false;
      }
      const Status status = Run(context);
      if (!status.ok() && !stop.stop_requested()) log_.Error(status, "etcd cannot be compacted");
    }
  }

  Status Run(const Context& context) {
    pb::TxnRequest txn;
    pb::Compare* compare = txn.add_compare();
    compare->set_target(pb::Compare::VERSION);
    compare->set_result(pb::Compare::EQUAL);
    compare->set_key(kCompactRevisionKey);
    compare->set_version(version_);
    pb::PutRequest* put = txn.add_success()->mutable_request_put();
    put->set_key(kCompactRevisionKey);
    put->set_value(std::to_string(revision_));
    txn.add_failure()->mutable_request_range()->set_key(kCompactRevisionKey);
    const pb::TxnResponse response = KNARR_TRY(client_.Txn(context, txn));
    const Revision previous = std::exchange(revision_, response.header().revision());
    if (!response.succeeded()) {
      // Another server was first.
      version_ = 0;
      if (response.responses_size() > 0 && response.responses(0).response_range().kvs_size() > 0)
        version_ = response.responses(0).response_range().kvs(0).version();
      return OkStatus();
    }
    ++version_;
    if (previous == 0) return OkStatus();  // the first round: nothing is an interval old yet
    pb::CompactionRequest request;
    request.set_revision(previous);
    const auto done = client_.Call<pb::KV::Stub, pb::CompactionRequest, pb::CompactionResponse>(
        context, &Endpoint::kv, &pb::KV::Stub::Compact, request, true);
    if (!done.ok() && !done.status().Is(Code::kExpired)) return done.status();
    if (log_.V(4)) log_.Info("Compacted etcd", {{"revision", previous}});
    return OkStatus();
  }

  Client& client_;
  Clock& clock_;
  const std::chrono::seconds interval_;
  const Logger log_;
  int64_t version_ = 0;
  Revision revision_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool due_ = false;
  TaskGroup thread_;
};

// Before these, an answer to a progress request may overtake events, or be of a watch that still reads the past.
bool HasTrueProgress(std::string_view version) {
  int numbers[3] = {};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (int& number : numbers) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return false;
    at = next < end && *next == '.' ? next + 1 : next;
  }
  const int patch = numbers[2];
  if (numbers[0] != 3) return numbers[0] > 3;
  return numbers[1] > 5 || (numbers[1] == 5 && patch >= 13) || (numbers[1] == 4 && patch >= 31);
}

class Etcd3Store : public Store {
 public:
  Etcd3Store(std::unique_ptr<Client> client, const Etcd3Options& options, Clock& clock, const Logger& log)
      : client_(std::move(client)),
        leases_(*client_, clock, options.lease_max_object_count),
        watches_(*client_, log),
        compactor_(*client_, clock, options.compaction_interval, log) {}

  Result<std::optional<KeyValue>> Get(const Context& ctx, std::string_view key, Revision revision) override {
    pb::RangeRequest request;
    request.set_key(std::string(key));
    request.set_revision(revision);
    pb::RangeResponse response = KNARR_TRY(client_->Range(ctx, request));
    if (response.kvs_size() == 0) return std::nullopt;
    return ToKeyValue(*response.mutable_kvs(0));
  }

  Result<ListResult> List(const Context& ctx, std::string_view prefix, const ListOptions& options) override {
    pb::RangeRequest request;
    request.set_key(std::max({std::string(prefix), options.start_key, std::string(1, '\0')}));
    request.set_range_end(RangeEnd(prefix));
    request.set_revision(options.revision);
    ListResult result;
    result.revision = options.revision;
    for (;;) {
      const int64_t wanted =
          options.limit == 0 ? kRangePage : options.limit - static_cast<int64_t>(result.items.size());
      request.set_limit(std::min(wanted, kRangePage));
      pb::RangeResponse response = KNARR_TRY(client_->Range(ctx, request));
      if (result.revision == 0) result.revision = response.header().revision();
      for (mvccpb::KeyValue& kv : *response.mutable_kvs()) result.items.push_back(ToKeyValue(kv));
      if (!response.more() || response.kvs_size() == 0) return result;
      if (options.limit != 0 && static_cast<int64_t>(result.items.size()) >= options.limit) {
        result.more = true;
        result.remaining = response.count() - response.kvs_size();
        return result;
      }
      request.set_key(result.items.back().key + '\0');
      request.set_revision(result.revision);
    }
  }

  Result<int64_t> Count(const Context& ctx, std::string_view prefix) override {
    pb::RangeRequest request;
    request.set_key(prefix.empty() ? std::string(1, '\0') : std::string(prefix));
    request.set_range_end(RangeEnd(prefix));
    request.set_count_only(true);
    return KNARR_TRY(client_->Range(ctx, request)).count();
  }

  Result<WriteResult> Create(const Context& ctx, std::string_view key, std::string_view value,
                             int64_t ttl_seconds) override {
    return Put(ctx, key, value, 0, ttl_seconds);
  }
  Result<WriteResult> Update(const Context& ctx, std::string_view key, std::string_view value, Revision expected,
                             int64_t ttl_seconds) override {
    return Put(ctx, key, value, expected, ttl_seconds);
  }

  Result<WriteResult> Delete(const Context& ctx, std::string_view key, Revision expected) override {
    if (expected == 0) {
      // To etcd, the compare of a key that is not there would succeed and delete nothing.
      WriteResult result;
      result.current = KNARR_TRY(Get(ctx, key, 0));
      return result;
    }
    pb::TxnRequest txn;
    CompareModRevision(txn, key, expected);
    txn.add_success()->mutable_request_delete_range()->set_key(std::string(key));
    return Commit(ctx, key, txn);
  }

  Result<std::unique_ptr<WatchHandle>> Watch(const Context& ctx, std::string_view prefix, Revision after,
                                             WatchSink& sink) override {
    if (ctx.Done()) return ctx.Err();
    return watches_.Add(prefix, after, sink);
  }

  Status RequestProgress(const Context& ctx) override {
    if (!progress_known_) {
      for (const Endpoint& endpoint : client_->endpoints()) {
        const auto status = KNARR_TRY(EndpointStatus(ctx, endpoint));
        if (!HasTrueProgress(status.version())) {
          progress_works_ = false;
          break;
        }
        progress_works_ = true;
      }
      progress_known_ = true;
    }
    if (!progress_works_)
      return Error(Code::kUnimplemented,
                   "this etcd's answers to progress requests are not reliable (3.4.31 or 3.5.13 "
                   "and later are needed)");
    watches_.RequestProgress();
    return OkStatus();
  }

  Result<Revision> CurrentRevision(const Context& ctx) override {
    pb::RangeRequest request;
    request.set_key(kHealthKey);
    request.set_count_only(true);
    return KNARR_TRY(client_->Range(ctx, request)).header().revision();
  }

  Status Compact(const Context& ctx, Revision revision) override {
    pb::CompactionRequest request;
    request.set_revision(revision);
    const Status status = client_
                              ->Call<pb::KV::Stub, pb::CompactionRequest, pb::CompactionResponse>(
                                  ctx, &Endpoint::kv, &pb::KV::Stub::Compact, request, true)
                              .status();
    return status.Is(Code::kExpired) ? OkStatus() : status;
  }

  Result<StoreStatus> GetStatus(const Context& ctx) override {
    StoreStatus result{.backend = "etcd3"};
    Status failure;
    bool any = false;
    for (const Endpoint& endpoint : client_->endpoints()) {
      const auto status = EndpointStatus(ctx, endpoint);
      result.detail += (result.detail.empty() ? "" : ", ") + endpoint.url;
      if (!status.ok()) {
        failure = status.status();
        result.detail += " (does not answer)";
        continue;
      }
      any = true;
      result.detail += " (" + status->version() + ")";
      result.revision = std::max(result.revision, status->header().revision());
      if (status->dbsize() > result.bytes) {
        result.bytes = status->dbsize();
        result.bytes_in_use = status->dbsizeinuse();
      }
    }
    if (!any) return failure;
    return result;
  }

  Status Healthy(const Context& ctx) override {
    // Upstream's way, and its time.
    return Get(ctx.WithTimeout(std::chrono::seconds(2)), kHealthKey, 0)
        .status()
        .WithContext("error getting data from etcd");
  }

 private:
  Result<pb::StatusResponse> EndpointStatus(const Context& ctx, const Endpoint& endpoint) {
    pb::StatusResponse response;
    KNARR_TRY((client_->CallOne<pb::Maintenance::Stub, pb::StatusRequest, pb::StatusResponse>(
        ctx.WithTimeout(std::chrono::seconds(5)), endpoint, &Endpoint::maintenance, &pb::Maintenance::Stub::Status,
        pb::StatusRequest(), &response)));
    return response;
  }

  Result<WriteResult> Put(const Context& ctx, std::string_view key, std::string_view value, Revision expected,
                          int64_t ttl_seconds) {
    for (bool again = true;; again = false) {
      pb::TxnRequest txn;
      CompareModRevision(txn, key, expected);
      pb::PutRequest* put = txn.add_success()->mutable_request_put();
      put->set_key(std::string(key));
      put->set_value(std::string(value));
      const int64_t lease = ttl_seconds > 0 ? KNARR_TRY(leases_.Get(ctx, ttl_seconds)) : 0;
      put->set_lease(lease);
      auto result = Commit(ctx, key, txn);
      if (result.ok() || lease == 0 || !again || !result.status().Is(Code::kNotFound)) return result;
      leases_.Forget(lease);
    }
  }

  Result<WriteResult> Commit(const Context& ctx, std::string_view key, pb::TxnRequest& txn) {
    txn.add_failure()->mutable_request_range()->set_key(std::string(key));
    pb::TxnResponse response = KNARR_TRY(client_->Txn(ctx, txn));
    WriteResult result;
    result.succeeded = response.succeeded();
    if (response.succeeded()) {
      result.revision = response.header().revision();
    } else if (response.responses_size() > 0) {
      pb::RangeResponse& range = *response.mutable_responses(0)->mutable_response_range();
      if (range.kvs_size() > 0) result.current = ToKeyValue(*range.mutable_kvs(0));
    }
    return result;
  }

  const std::unique_ptr<Client> client_;
  Leases leases_;
  std::atomic<bool> progress_known_{false}, progress_works_{false};
  etcd3::Watches watches_;
  Compactor compactor_;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenEtcd3(Etcd3Options options, Logger log) {
  Clock& clock = options.clock != nullptr ? *options.clock : Clock::Real();
  auto client = KNARR_TRY(Client::New(options));
  return std::unique_ptr<Store>(std::make_unique<Etcd3Store>(std::move(client), options, clock, log));
}

}  // namespace knarr::storage
