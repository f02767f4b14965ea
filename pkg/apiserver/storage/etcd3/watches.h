// All watches of a store on one stream to etcd, resumed on another one when it breaks. Private to this folder.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "pkg/apiserver/storage/etcd3/client.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/pool.h"

namespace knarr::storage::etcd3 {

class Watches {
 public:
  Watches(Client& client, Logger log);
  // Ends what is left of the watches; the handles may outlive this.
  ~Watches();

  std::unique_ptr<WatchHandle> Add(std::string_view prefix, Revision after, WatchSink& sink);
  // OnProgress where it is certain; where it is not, the next request may tell.
  void RequestProgress();

 private:
  struct Watch;
  struct State;
  class Handle;
  using WatchPtr = std::shared_ptr<Watch>;
  using Lock = std::unique_lock<std::mutex>;

  void Loop(std::stop_token stop);
  // One stream, from connecting to its end.
  Status RunStream(const Context& context);
  void OnResponse(pb::WatchResponse response);
  void Deliver(const WatchPtr& watch, Lock& lock);
  void ReportProgress(const WatchPtr& watch, Revision revision, Lock& lock);
  void End(const WatchPtr& watch, const Status& status, Lock& lock);

  Client& client_;
  const Logger log_;
  const std::shared_ptr<State> state_;
  TaskGroup thread_;
};

}  // namespace knarr::storage::etcd3
