// Watches of a store in this process: one thread hands committed events to the sinks.
//
// Recent events are held only until every watch has them and never beyond a bound; a watch that starts earlier or falls
// behind reads from the store's own history. A hub without work sleeps: no timers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/storage/store.h"
#include "pkg/base/pool.h"

namespace knarr::storage {

class WatchHub {
 public:
  // Events of the prefix with after < mod_revision <= upto, all of them. upto may be less than what was asked for (a
  // slice) but is more than `after`.
  struct History {
    std::vector<Event> events;
    Revision upto = 0;
  };
  // kExpired where the history does not reach back to `after`. Called on the hub's thread without a lock.
  using ReadHistory = std::function<Result<History>(const std::string& prefix, Revision after, Revision upto)>;

  WatchHub(ReadHistory read_history, Revision current, size_t max_recent_bytes);
  // Ends what is left of the watches; the handles may outlive the hub.
  ~WatchHub();

  std::unique_ptr<WatchHandle> Add(std::string_view prefix, Revision after, WatchSink& sink);
  // Revisions ascend from call to call.
  void Publish(std::vector<std::shared_ptr<const Event>> events, Revision revision);
  // OnProgress on every present watch once it is at or after `at_least`.
  void RequestProgress(Revision at_least);
  // Run once on the hub's thread, soon: for work that must not happen on a clock's thread.
  void Post(std::function<void()> task);

 private:
  struct Watch;
  struct State;
  class Handle;

  void Loop(std::stop_token stop);
  // One step of one watch; the lock is released for the calls. False: nothing to do for it.
  bool Serve(std::unique_lock<std::mutex>& lock, Watch& watch);
  void TrimRecent();

  const ReadHistory read_history_;
  const size_t max_recent_bytes_;
  const std::shared_ptr<State> state_;
  TaskGroup thread_;
};

}  // namespace knarr::storage
