// The one interface between the API server and what keeps its objects: etcd v3, SQLite, memory (tests).
//
// Keys and values are upstream's (/registry/pods/default/web -> "k8s\0" + runtime.Unknown, or JSON for custom
// resources); a Store does not look into values. Revisions are etcd's: one counter for the whole store, every write
// that changes something takes the next one, never reused and never going back, not even after a crash or a restore. A
// write that returned OK is durable. Every method is thread-safe and blocks at most until its Context is done.
//
// Mirrors: staging/src/k8s.io/apiserver/pkg/storage/interfaces.go, one layer lower (bytes, not objects).
// contract_test.h is the suite that every implementation passes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::storage {

using Revision = int64_t;

struct KeyValue {
  std::string key;
  std::string value;
  Revision mod_revision = 0;
  Revision create_revision = 0;
};

struct ListOptions {
  // 0: the newest state. Else the state right after that revision: kExpired when it is compacted, kInvalid when it is
  // in the future ("future revision").
  Revision revision = 0;
  // First key to return (inclusive), within the prefix; empty: the first.
  std::string start_key;
  // 0: no limit.
  int64_t limit = 0;
};

struct ListResult {
  std::vector<KeyValue> items;  // in key order
  Revision revision = 0;        // the state they are of
  bool more = false;
  int64_t remaining = 0;  // keys after the last item; 0 without `more`
};

enum class EventType : uint8_t { kPut, kDelete };

struct Event {
  EventType type = EventType::kPut;
  KeyValue kv;  // of a delete: the key, mod_revision = the revision of the delete, no value
  // The state before, where there was one: create (previous.mod_revision == 0), update or delete.
  KeyValue previous;
};

// Called on a thread of the Store, one call at a time, in order of revision, events of one revision together. Must not
// block for long and must not call the Store. Events have at least the revision asked for; nothing is left out and
// nothing comes twice, reconnects included.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // `revision`: everything up to it, within the prefix, was delivered when the call returns.
  virtual void OnEvents(std::vector<Event> events, Revision revision) = 0;
  // Nothing happened in the prefix up to `revision`.
  virtual void OnProgress(Revision revision) = 0;
  // The last call: kExpired when the start (or where a reconnect had to resume) is compacted, else what ended it.
  virtual void OnEnd(const Status& status) = 0;
};

// Ends the watch when destroyed: after the destructor no call is running and none will come. Not to be destroyed from
// within a call of its sink.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

// What a compare-and-swap found instead, so that the caller need not read again.
struct WriteResult {
  bool succeeded = false;
  Revision revision = 0;            // of the write, if it succeeded
  std::optional<KeyValue> current;  // if it did not: what is there; nullopt: no such key
};

struct StoreStatus {
  std::string backend;       // etcd3, sqlite, memory
  int64_t bytes = 0;         // on disk (etcd: dbSize of the endpoint with the largest one)
  int64_t bytes_in_use = 0;  // live data
  Revision revision = 0;
  Revision compacted = 0;
  std::string detail;  // for people: endpoints, file
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<std::optional<KeyValue>> Get(const Context& ctx, std::string_view key, Revision revision = 0) = 0;
  // Keys that start with `prefix` (which ends with '/').
  virtual Result<ListResult> List(const Context& ctx, std::string_view prefix, const ListOptions& options) = 0;
  virtual Result<int64_t> Count(const Context& ctx, std::string_view prefix) = 0;

  // The key must not exist. ttl_seconds 0: for ever; else the key is deleted that long after (a few seconds late at
  // most), with a delete event.
  virtual Result<WriteResult> Create(const Context& ctx, std::string_view key, std::string_view value,
                                     int64_t ttl_seconds) = 0;
  // The key must have this mod_revision. ttl_seconds as for Create; 0 also ends an earlier ttl.
  virtual Result<WriteResult> Update(const Context& ctx, std::string_view key, std::string_view value,
                                     Revision expected, int64_t ttl_seconds) = 0;
  virtual Result<WriteResult> Delete(const Context& ctx, std::string_view key, Revision expected) = 0;

  // Events with mod_revision > after. `sink` must outlive the handle.
  virtual Result<std::unique_ptr<WatchHandle>> Watch(const Context& ctx, std::string_view prefix, Revision after,
                                                     WatchSink& sink) = 0;
  // Asks for OnProgress on every watch, soon. For waiting until a watch has caught up with CurrentRevision.
  virtual Status RequestProgress(const Context& ctx) = 0;

  // The newest revision (a linearizable read).
  virtual Result<Revision> CurrentRevision(const Context& ctx) = 0;
  // History before `revision` may go; states at or after it stay readable.
  virtual Status Compact(const Context& ctx, Revision revision) = 0;
  virtual Result<StoreStatus> GetStatus(const Context& ctx) = 0;
  // Can it be read (and, for sqlite, written)? For /readyz and /livez. Cheap.
  virtual Status Healthy(const Context& ctx) = 0;
};

}  // namespace knarr::storage
