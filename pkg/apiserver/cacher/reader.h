// Reads of one resource: from the watch cache, or (--watch-cache=false, and lists at old revisions) from the store.
//
// An Entry is one version of one stored object: its bytes, encoded once, and what selectors need. It is immutable and
// shared by everybody who reads it; a LIST holds references, not copies.
// Mirrors: staging/src/k8s.io/apiserver/pkg/storage/cacher (behaviour, not structure)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/api/fields/selector.h"
#include "pkg/api/labels/selector.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"

namespace knarr::cacher {

using storage::Revision;

// A few strings by name, sorted; find() makes it fit labels::Selector::Matches.
class StringMap {
 public:
  using value_type = std::pair<std::string, std::string>;
  StringMap() = default;
  explicit StringMap(std::vector<value_type> items);  // sorts
  std::vector<value_type>::const_iterator find(std::string_view key) const;
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  // "" where absent.
  std::string_view Get(std::string_view key) const;

 private:
  std::vector<value_type> items_;
};

// What an Entry's bytes can be turned into is numbered by the endpoints layer (version, media type, form).
using EncodingId = uint16_t;

struct Entry {
  std::string key;  // of the store
  std::string name;
  std::string namespace_;  // "" of cluster-scoped ones
  Revision revision = 0;   // metadata.resourceVersion
  StringMap labels;
  StringMap fields;  // metadata.name and metadata.namespace are not repeated here
  // The hub version's message in protobuf (no envelope), resourceVersion set, defaults applied. Custom resources: the
  // JSON text of the whole object.
  std::string bytes;
  int64_t stored_bytes = 0;  // what it takes in the store

  // The result of `make`, which is called once per id as long as anybody holds it or the entry keeps it. `keep`: until
  // the entry goes; else while a reader has it (so that one event is encoded once for all its watchers).
  std::shared_ptr<const std::string> Encoding(EncodingId id, bool keep, const std::function<std::string()>& make) const;
  bool MatchesFields(const fields::Selector& selector) const;

 private:
  struct Encoded {
    EncodingId id;
    std::shared_ptr<const std::string> kept;
    std::weak_ptr<const std::string> shared;
  };
  // Recursive: one encoding may be made from another of the same entry.
  mutable std::recursive_mutex mutex_;
  mutable std::vector<Encoded> encoded_;
};
using EntryPtr = std::shared_ptr<const Entry>;

// Given by the registry: how stored bytes become an Entry. Called on a thread of the cache or of a reader; thread-safe.
class EntryCodec {
 public:
  virtual ~EntryCodec() = default;
  // kDataLoss for bytes that cannot be decoded; the message names the key.
  virtual Result<EntryPtr> Decode(const storage::KeyValue& kv) const = 0;
  // The same object with another resourceVersion: what a DELETED event shows.
  virtual EntryPtr WithRevision(const Entry& entry, Revision revision) const = 0;
};

struct Filter {
  labels::Selector label = labels::Selector();
  fields::Selector field = fields::Selector();
  // Of objects that a namespace's prefix does not pick; null: all.
  bool Everything() const { return label.Empty() && field.Empty(); }
  bool Matches(const Entry& entry) const;
};

enum class Freshness {
  kConsistent,    // resourceVersion unset: at least the newest revision when the call began
  kAny,           // "0": what the cache has (once it has been filled)
  kNotOlderThan,  // waits until the cache has seen `revision`; kTimeout ("Too large resource version") after 3 s
  kExact,         // the state at `revision`, kExpired if it is gone
};

struct ListQuery {
  std::string prefix;  // of keys, within the resource's: "/registry/pods/" or "/registry/pods/default/"
  Freshness freshness = Freshness::kConsistent;
  Revision revision = 0;
  std::string start_key;  // inclusive; with kExact: where a continued list goes on
  int64_t limit = 0;      // of entries that match
  Filter filter = {};
};

struct ListAnswer {
  std::vector<EntryPtr> entries;  // in key order
  Revision revision = 0;
  bool more = false;
  std::string next_key;    // where to go on, if more
  int64_t remaining = -1;  // keys not looked at; -1: unknown (a selector, or a cache that did not count)
};

enum class WatchType : uint8_t { kAdded, kModified, kDeleted, kBookmark, kInitialEventsEnd };

struct WatchEvent {
  WatchType type = WatchType::kAdded;
  EntryPtr entry;         // null for bookmarks
  Revision revision = 0;  // bookmarks: everything up to it was sent
};

struct WatchQuery {
  std::string prefix;
  // Events after it. 0 with initial_state: first the present objects as ADDED (resourceVersion unset or "0").
  Revision after = 0;
  bool initial_state = false;
  Freshness freshness = Freshness::kAny;  // of the initial state
  bool bookmarks = false;                 // allowWatchBookmarks: about one a minute, and one before a timeout ends it
  bool initial_events_end = false;        // sendInitialEvents: kInitialEventsEnd after the initial state
  Filter filter;                          // an object that leaves it is DELETED, one that enters is ADDED
};

// One watch. Next never blocks: readers are pumped by io threads. A watcher that does not keep up with the event window
// is ended (kExpired), never buffered without bound: it holds a position in the shared window, not a queue of its own.
class Watcher {
 public:
  enum class State { kMore, kWait, kEnd };
  virtual ~Watcher() = default;  // from any thread but not from within the wake function
  // Appends at most `max` events, whatever it returns. kWait: nothing more for now, the wake function will be called
  // once (from any thread; it must not block). kEnd: over; see status().
  virtual State Next(std::vector<WatchEvent>* out, size_t max) = 0;
  virtual void SetWake(std::function<void()> wake) = 0;
  virtual Status status() const = 0;
};

class Reader {
 public:
  virtual ~Reader() = default;
  // nullptr: there is none.
  virtual Result<EntryPtr> Get(const Context& ctx, const std::string& key, Freshness freshness, Revision revision) = 0;
  virtual Result<ListAnswer> List(const Context& ctx, const ListQuery& query) = 0;
  virtual Result<std::unique_ptr<Watcher>> Watch(const Context& ctx, WatchQuery query) = 0;
  virtual Result<int64_t> Count(const Context& ctx) = 0;
  // Grows with every change seen; what is computed from the resource's objects can be kept while it stays the same.
  virtual uint64_t Generation() const = 0;
  // OK once the first fill is done; for /readyz.
  virtual Status Ready() const = 0;
  // After a write of our own: reads that begin now see at least this revision (a hint; may do nothing).
  virtual void Written(Revision) {}
};

struct CacherOptions {
  std::string resource;  // for logs and metrics: "pods", "deployments.apps"
  std::string prefix;    // "/registry/pods/"
  // At least so many; grows up to window_bytes while events are young (75 s). Large objects: not less than 100 events.
  size_t window_events = 1024;
  size_t window_bytes = 4 << 20;
  std::chrono::seconds bookmark_interval{60};
};

// A watch cache over the store. The cache fills itself on a thread of the store, on first use or by Start of its owner,
// and follows the store's watch; on kExpired it lists again, and its readers see the difference as events.
Result<std::unique_ptr<Reader>> NewCacher(CacherOptions options, storage::Store& store, const EntryCodec& codec,
                                          Clock& clock, Logger log);
// No cache: every read goes to the store.
std::unique_ptr<Reader> NewDirectReader(CacherOptions options, storage::Store& store, const EntryCodec& codec,
                                        Clock& clock, Logger log);

// Compares a cache with the store at one revision: how many keys differ. For the detector's metric
// (knarr_watch_cache_inconsistencies_total), which must stay zero.
Result<int64_t> CompareWithStore(const Context& ctx, Reader& cache, storage::Store& store, const std::string& prefix);

}  // namespace knarr::cacher
