// What every Store does, as one list of test cases: run against memory and SQLite as unit tests and against real etcd
// as an integration test, so that none of them drifts from the others.
//
//   BOOST_AUTO_TEST_SUITE(memory, ...)
//   KNARR_STORE_CONTRACT(MakeSubject);   // adds the cases to this suite
//   BOOST_AUTO_TEST_SUITE_END()
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/apiserver/storage/store.h"

namespace knarr::storage {

struct ContractSubject {
  std::shared_ptr<Store> store;
  // Makes time pass for TTLs; null: real time does.
  std::function<void(std::chrono::seconds)> advance;
  // RequestProgress works (an old etcd cannot be trusted with it).
  bool has_progress = true;
};

bool RegisterContract(const std::function<ContractSubject()>& make, const char* file, size_t line);

// A sink that keeps everything and notices what a Store must not do: calls at the same time, revisions that do not
// ascend, keys outside of the prefix, calls after the end. For every test that watches.
class RecordingSink : public WatchSink {
 public:
  explicit RecordingSink(std::string prefix = "/") : prefix_(std::move(prefix)) {}

  void OnEvents(std::vector<Event> events, Revision revision) override;
  void OnProgress(Revision revision) override;
  void OnEnd(const Status& status) override;

  // False after half a minute without it.
  bool WaitForEvents(size_t count);
  bool WaitForRevision(Revision revision);  // delivered or progress
  bool WaitForProgress(Revision at_least, std::chrono::milliseconds timeout = std::chrono::seconds(30));
  bool WaitForEnd();

  std::vector<Event> events() const;
  Status end() const;
  std::vector<std::string> problems() const;

 private:
  bool Wait(const std::function<bool()>& done, std::chrono::milliseconds timeout = std::chrono::seconds(30));
  void Enter();

  const std::string prefix_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  std::vector<std::string> problems_;
  Revision revision_ = 0, progress_ = 0;
  bool ended_ = false, calling_ = false;
  Status end_;
};

}  // namespace knarr::storage

#define KNARR_STORE_CONTRACT(make)                               \
  [[maybe_unused]] static const bool knarr_contract_registered = \
      ::knarr::storage::RegisterContract(make, __FILE__, __LINE__)
