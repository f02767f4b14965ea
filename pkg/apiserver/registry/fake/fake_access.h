// An Access in memory, for tests: the contract's semantics without strategies, validation or a store.
//
// What a real one adds, it adds too: uid, creationTimestamp, resourceVersion, names of generateName. Reads "from the
// watch cache" can be held at an earlier state (HoldCache), so that tests see what stale reads do. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/text_format.h>

#include "pkg/apiserver/registry/access.h"
#include "pkg/base/clock.h"

namespace knarr::registry {

class FakeAccess : public Access {
 public:
  explicit FakeAccess(Clock& clock = Clock::Real()) : clock_(clock) {}

  // Puts an object in, as it is (uid and resourceVersion where it has none); replaces one of that name.
  ObjectRef Put(GroupResource what, api::Object object);
  // From protobuf text: Put<core::Pod>("pods", R"(metadata { name: "p" })").
  template <typename T>
  ObjectRef Put(GroupResource what, const std::string& text) {
    auto message = std::make_unique<T>();
    KNARR_CHECK(google::protobuf::TextFormat::ParseFromString(text, message.get()));
    return Put(what, api::Object(std::move(message)));
  }
  // The object, or null; never counted as a read.
  ObjectRef Find(GroupResource what, std::string_view ns, std::string_view name) const;
  size_t Count(GroupResource what) const;

  // Get and List answer with the present state until called with false; GetConsistent and writes go on.
  void HoldCache(bool hold);
  // The next writes (Create, Update, Delete) fail with these, in this order.
  void FailWrites(std::vector<Status> errors);
  // Called before each write of Update is compared with what is stored, unlocked: a place to write in between.
  void BeforeUpdate(std::function<void()> hook);
  int consistent_reads() const;
  int writes() const;

  Result<ObjectRef> Get(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name) override;
  Result<ObjectRef> GetConsistent(const Context& ctx, GroupResource what, std::string_view ns,
                                  std::string_view name) override;
  Result<std::vector<ObjectRef>> List(const Context& ctx, GroupResource what, std::string_view ns,
                                      const labels::Selector& selector = labels::Selector::Everything()) override;
  uint64_t Generation(GroupResource what) override;
  Result<ObjectRef> Create(const Context& ctx, GroupResource what, api::Object object) override;
  Result<ObjectRef> Update(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                           std::string_view subresource, const std::function<Status(api::Object&)>& change) override;
  Status Delete(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                std::string_view uid) override;

 private:
  using Kind = std::pair<std::string, std::string>;
  using Objects = std::map<std::pair<std::string, std::string>, ObjectRef>;
  using State = std::map<Kind, Objects>;
  static Kind KindOf(GroupResource what) { return {std::string(what.group), std::string(what.resource)}; }
  ObjectRef FindIn(const State& state, GroupResource what, std::string_view ns, std::string_view name) const;
  ObjectRef Store(GroupResource what, api::Object object);
  Status TakeFailure();

  Clock& clock_;
  mutable std::mutex mutex_;
  State state_, cache_;
  bool held_ = false;
  std::map<Kind, uint64_t> generations_;
  std::vector<Status> failures_;
  std::function<void()> before_update_;
  int64_t revision_ = 100;
  int consistent_reads_ = 0, writes_ = 0;
};

}  // namespace knarr::registry
