#include "pkg/apiserver/storage/contract_test.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>
#include <utility>

namespace knarr::storage {

using namespace std::chrono_literals;

void RecordingSink::Enter() {
  // Held for the call's duration by `calling_`, not by the lock: a second call at the same time gets in and is noticed.
  const std::lock_guard lock(mutex_);
  if (calling_) problems_.push_back("two calls at the same time");
  if (ended_) problems_.push_back("a call after the end");
  calling_ = true;
}

void RecordingSink::OnEvents(std::vector<Event> events, Revision revision) {
  Enter();
  const std::lock_guard lock(mutex_);
  if (events.empty()) problems_.push_back("a call without events");
  for (auto& event : events) {
    const Revision last = events_.empty() ? 0 : events_.back().kv.mod_revision;
    if (event.kv.mod_revision < last)
      problems_.push_back(fmt::format("revision {} after {}", event.kv.mod_revision, last));
    if (event.kv.mod_revision <= revision_)
      problems_.push_back(
          fmt::format("revision {} though {} was said to be complete", event.kv.mod_revision, revision_));
    if (event.kv.mod_revision > revision)
      problems_.push_back(fmt::format("revision {} in a call up to {}", event.kv.mod_revision, revision));
    if (!event.kv.key.starts_with(prefix_)) problems_.push_back("key " + event.kv.key);
    events_.push_back(std::move(event));
  }
  revision_ = std::max(revision_, revision);
  calling_ = false;
  changed_.notify_all();
}

void RecordingSink::OnProgress(Revision revision) {
  Enter();
  const std::lock_guard lock(mutex_);
  revision_ = std::max(revision_, revision);
  progress_ = std::max(progress_, revision);
  calling_ = false;
  changed_.notify_all();
}

void RecordingSink::OnEnd(const Status& status) {
  Enter();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  end_ = status;
  calling_ = false;
  changed_.notify_all();
}

bool RecordingSink::Wait(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, done);
}
bool RecordingSink::WaitForEvents(size_t count) {
  return Wait([&] { return events_.size() >= count; });
}
bool RecordingSink::WaitForRevision(Revision revision) {
  return Wait([&] { return revision_ >= revision; });
}
bool RecordingSink::WaitForProgress(Revision at_least, std::chrono::milliseconds timeout) {
  return Wait([&] { return progress_ >= at_least; }, timeout);
}
bool RecordingSink::WaitForEnd() {
  return Wait([&] { return ended_; });
}
std::vector<Event> RecordingSink::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}
Status RecordingSink::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}
std::vector<std::string> RecordingSink::problems() const {
  const std::lock_guard lock(mutex_);
  return problems_;
}

namespace {

const Context kCtx = Context::Background();

template <typename T>
T Must(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
  return std::move(*result);
}

void CheckCode(const Status& status, Code code) {
  BOOST_CHECK_MESSAGE(status.Is(code), "code " << InfoOf(status.code()).name << " (" << status.message() << "), wanted "
                                               << InfoOf(code).name);
}

// A folder of keys of its own for each case: etcd is shared by all.
class Keys {
 public:
  explicit Keys(const ContractSubject& subject) : subject(subject), store(*subject.store) {
    static std::atomic<int> count{0};
    prefix = fmt::format("/contract/{}-{}/", ::getpid(), ++count);
  }

  Revision Create(const std::string& name, const std::string& value, int64_t ttl = 0) const {
    const WriteResult result = Must(store.Create(kCtx, prefix + name, value, ttl));
    BOOST_REQUIRE_MESSAGE(result.succeeded, name << " exists");
    return result.revision;
  }
  Revision Update(const std::string& name, const std::string& value, Revision expected, int64_t ttl = 0) const {
    const WriteResult result = Must(store.Update(kCtx, prefix + name, value, expected, ttl));
    BOOST_REQUIRE_MESSAGE(result.succeeded, name << " is at another revision than " << expected);
    return result.revision;
  }
  Revision Delete(const std::string& name, Revision expected) const {
    const WriteResult result = Must(store.Delete(kCtx, prefix + name, expected));
    BOOST_REQUIRE_MESSAGE(result.succeeded, name << " is at another revision than " << expected);
    return result.revision;
  }
  std::optional<KeyValue> Get(const std::string& name, Revision revision = 0) const {
    return Must(store.Get(kCtx, prefix + name, revision));
  }
  // "a=1 b=2": names and values.
  std::string List(const ListOptions& options = {}) const {
    std::string text;
    for (const KeyValue& kv : Must(store.List(kCtx, prefix, options)).items)
      text += (text.empty() ? "" : " ") + kv.key.substr(prefix.size()) + "=" + kv.value;
    return text;
  }
  Revision Now() const { return Must(store.CurrentRevision(kCtx)); }

  const ContractSubject subject;
  Store& store;
  std::string prefix;
};

// A watch with its record; the destructor checks that the Store kept the rules.
class Watching {
 public:
  Watching(const Keys& keys, Revision after) : Watching(keys.store, keys.prefix, after) {}
  Watching(Store& store, const std::string& prefix, Revision after)
      : sink(prefix), handle(Must(store.Watch(kCtx, prefix, after, sink))) {}
  ~Watching() {
    handle.reset();
    for (const std::string& problem : sink.problems()) BOOST_ERROR("the sink saw: " << problem);
  }
  RecordingSink sink;
  std::unique_ptr<WatchHandle> handle;
};

std::string Describe(const Event& event, const std::string& prefix) {
  return fmt::format("{}{}={}{}",
                     event.type == EventType::kDelete   ? "-"
                     : event.previous.mod_revision == 0 ? "+"
                                                        : "",
                     event.kv.key.substr(prefix.size()), event.kv.value,
                     event.previous.mod_revision == 0 ? "" : "(" + event.previous.value + ")");
}
std::string Describe(const std::vector<Event>& events, const std::string& prefix) {
  std::string text;
  for (const Event& event : events) text += (text.empty() ? "" : " ") + Describe(event, prefix);
  return text;
}

void CreatesOnce(const ContractSubject& s) {
  const Keys keys(s);
  const Revision before = keys.Now();
  const Revision created = keys.Create("a", "1");
  BOOST_TEST(created > before);
  BOOST_TEST(keys.Now() >= created);
  const auto a = keys.Get("a");
  BOOST_REQUIRE(a.has_value());
  BOOST_TEST(a->key == keys.prefix + "a");
  BOOST_TEST(a->value == "1");
  BOOST_TEST(a->mod_revision == created);
  BOOST_TEST(a->create_revision == created);

  const WriteResult again = Must(keys.store.Create(kCtx, keys.prefix + "a", "2", 0));
  BOOST_TEST(!again.succeeded);
  BOOST_REQUIRE(again.current.has_value());
  BOOST_TEST(again.current->value == "1");
  BOOST_TEST(again.current->mod_revision == created);
  BOOST_TEST(again.current->create_revision == created);
  BOOST_TEST(keys.Now() == created);
  BOOST_TEST(!keys.Get("b").has_value());
}

void UpdatesTheExpectedRevision(const ContractSubject& s) {
  const Keys keys(s);
  const Revision created = keys.Create("a", "1");
  const Revision updated = keys.Update("a", "2", created);
  BOOST_TEST(updated > created);
  const auto a = keys.Get("a");
  BOOST_REQUIRE(a.has_value());
  BOOST_TEST(a->value == "2");
  BOOST_TEST(a->mod_revision == updated);
  BOOST_TEST(a->create_revision == created);

  const WriteResult stale = Must(keys.store.Update(kCtx, keys.prefix + "a", "3", created, 0));
  BOOST_TEST(!stale.succeeded);
  BOOST_REQUIRE(stale.current.has_value());
  BOOST_TEST(stale.current->value == "2");
  BOOST_TEST(stale.current->mod_revision == updated);
  const WriteResult missing = Must(keys.store.Update(kCtx, keys.prefix + "b", "3", created, 0));
  BOOST_TEST(!missing.succeeded);
  BOOST_TEST(!missing.current.has_value());
  BOOST_TEST(keys.Now() == updated);

  // Revision 0 is that of a key that is not there, as in etcd's compare.
  BOOST_TEST(Must(keys.store.Update(kCtx, keys.prefix + "c", "new", 0, 0)).succeeded);
  BOOST_TEST(!Must(keys.store.Update(kCtx, keys.prefix + "c", "newer", 0, 0)).succeeded);
  BOOST_TEST(keys.List() == "a=2 c=new");
}

void DeletesTheExpectedRevision(const ContractSubject& s) {
  const Keys keys(s);
  const Revision created = keys.Create("a", "1");
  const Revision updated = keys.Update("a", "2", created);
  const WriteResult stale = Must(keys.store.Delete(kCtx, keys.prefix + "a", created));
  BOOST_TEST(!stale.succeeded);
  BOOST_REQUIRE(stale.current.has_value());
  BOOST_TEST(stale.current->mod_revision == updated);
  BOOST_TEST(stale.current->value == "2");
  const Revision deleted = keys.Delete("a", updated);
  BOOST_TEST(deleted > updated);
  BOOST_TEST(!keys.Get("a").has_value());
  for (const Revision expected : {updated, Revision{0}}) {
    const WriteResult gone = Must(keys.store.Delete(kCtx, keys.prefix + "a", expected));
    BOOST_TEST(!gone.succeeded);
    BOOST_TEST(!gone.current.has_value());
  }
  const Revision again = keys.Create("a", "3");
  BOOST_TEST(again > deleted);
  BOOST_TEST(keys.Get("a")->create_revision == again);
}

void KeepsBytes(const ContractSubject& s) {
  const Keys keys(s);
  const std::string binary("k8s\0\x01\xff\n\0", 8);
  keys.Create("binary", binary);
  keys.Create("empty", "");
  keys.Create("large", std::string(1 << 20, 'x'));
  BOOST_TEST(keys.Get("binary")->value == binary);
  BOOST_TEST(keys.Get("empty")->value.empty());
  BOOST_TEST((keys.Get("large")->value == std::string(1 << 20, 'x')));
  const auto list = Must(keys.store.List(kCtx, keys.prefix, {}));
  BOOST_REQUIRE(list.items.size() == 3U);
  BOOST_TEST(list.items[0].value == binary);
  BOOST_TEST(list.items[2].value.size() == size_t{1 << 20});
}

void ListsAPrefix(const ContractSubject& s) {
  const Keys keys(s);
  for (const char* name : {"b/2", "b/10", "b", "b0", "a/1", "b/1/x", "bc/1", "b.1"}) keys.Create(name, "v");
  std::string found;
  const auto list = Must(keys.store.List(kCtx, keys.prefix + "b/", {}));
  for (const KeyValue& kv : list.items) found += kv.key.substr(keys.prefix.size()) + " ";
  BOOST_TEST(found == "b/1/x b/10 b/2 ");
  BOOST_TEST(list.revision == keys.Now());
  BOOST_TEST(!list.more);
  BOOST_TEST(list.remaining == 0);
  BOOST_TEST(Must(keys.store.Count(kCtx, keys.prefix + "b/")) == 3);
  BOOST_TEST(Must(keys.store.Count(kCtx, keys.prefix)) == 8);
  BOOST_TEST(Must(keys.store.Count(kCtx, keys.prefix + "none/")) == 0);
  const auto none = Must(keys.store.List(kCtx, keys.prefix + "none/", {}));
  BOOST_TEST(none.items.empty());
  BOOST_TEST(none.revision == keys.Now());
}

void ListsInPages(const ContractSubject& s) {
  const Keys keys(s);
  for (char c = 'a'; c <= 'g'; ++c) keys.Create(std::string(1, c), "1");
  const auto first = Must(keys.store.List(kCtx, keys.prefix, {.limit = 3}));
  BOOST_REQUIRE(first.items.size() == 3U);
  BOOST_TEST(first.more);
  BOOST_TEST(first.remaining == 4);
  // What changes between the pages does not show.
  keys.Update("e", "2", keys.Get("e")->mod_revision);
  keys.Delete("f", keys.Get("f")->mod_revision);
  keys.Create("dd", "2");
  const std::string next = first.items.back().key + '\0';
  const auto second =
      Must(keys.store.List(kCtx, keys.prefix, {.revision = first.revision, .start_key = next, .limit = 3}));
  BOOST_REQUIRE(second.items.size() == 3U);
  BOOST_TEST(second.items[0].key == keys.prefix + "d");
  BOOST_TEST(second.items[1].value == "1");
  BOOST_TEST(second.items[2].key == keys.prefix + "f");
  BOOST_TEST(second.revision == first.revision);
  BOOST_TEST(second.more);
  BOOST_TEST(second.remaining == 1);
  const auto third = Must(keys.store.List(
      kCtx, keys.prefix, {.revision = first.revision, .start_key = second.items.back().key + '\0', .limit = 3}));
  BOOST_TEST(third.items.size() == 1U);
  BOOST_TEST(!third.more);
  BOOST_TEST(keys.List({.start_key = keys.prefix + "d"}) == "d=1 dd=2 e=2 g=1");
  // A page that ends with the last key has no more.
  const auto exact = Must(keys.store.List(kCtx, keys.prefix, {.limit = 7}));
  BOOST_TEST(exact.items.size() == 7U);
  BOOST_TEST(!exact.more);
  BOOST_TEST(exact.remaining == 0);
}

void RemembersThePast(const ContractSubject& s) {
  const Keys keys(s);
  const Revision a1 = keys.Create("a", "1");
  const Revision b1 = keys.Create("b", "1");
  const Revision a2 = keys.Update("a", "2", a1);
  const Revision b_gone = keys.Delete("b", b1);
  const Revision b2 = keys.Create("b", "2");
  const Revision a3 = keys.Update("a", "3", a2);
  BOOST_TEST(keys.List({.revision = a1}) == "a=1");
  BOOST_TEST(keys.List({.revision = b1}) == "a=1 b=1");
  BOOST_TEST(keys.List({.revision = a2}) == "a=2 b=1");
  BOOST_TEST(keys.List({.revision = b_gone}) == "a=2");
  BOOST_TEST(keys.List({.revision = b2}) == "a=2 b=2");
  BOOST_TEST(keys.List({.revision = a3}) == "a=3 b=2");
  BOOST_TEST(keys.Get("a", a1)->value == "1");
  BOOST_TEST(keys.Get("a", b_gone)->value == "2");
  BOOST_TEST(keys.Get("a", b_gone)->mod_revision == a2);
  BOOST_TEST(keys.Get("a", b_gone)->create_revision == a1);
  BOOST_TEST(!keys.Get("b", a1).has_value());
  BOOST_TEST(!keys.Get("b", b_gone).has_value());
  BOOST_TEST(keys.Get("b", b2)->create_revision == b2);
  CheckCode(keys.store.List(kCtx, keys.prefix, {.revision = a3 + 1000}).status(), Code::kInvalid);
  CheckCode(keys.store.Get(kCtx, keys.prefix + "a", a3 + 1000).status(), Code::kInvalid);
  BOOST_TEST(keys.store.List(kCtx, keys.prefix, {.revision = a3 + 1000}).status().message().find("future revision") !=
             std::string::npos);
}

void ForgetsTheCompacted(const ContractSubject& s) {
  const Keys keys(s);
  const Revision a1 = keys.Create("a", "1");
  const Revision a2 = keys.Update("a", "2", a1);
  const Revision a3 = keys.Update("a", "3", a2);
  const Revision b1 = keys.Create("b", "1");
  BOOST_TEST(keys.store.Compact(kCtx, a3).ok());
  CheckCode(keys.store.List(kCtx, keys.prefix, {.revision = a2}).status(), Code::kExpired);
  CheckCode(keys.store.Get(kCtx, keys.prefix + "a", a2).status(), Code::kExpired);
  BOOST_TEST(keys.List({.revision = a3}) == "a=3");
  BOOST_TEST(keys.Get("a", a3)->value == "3");
  BOOST_TEST(keys.List() == "a=3 b=1");
  BOOST_TEST(keys.store.Compact(kCtx, a2).ok());  // already is
  CheckCode(keys.store.Compact(kCtx, b1 + 1000), Code::kInvalid);
  {
    Watching expired(keys, a1);
    BOOST_TEST(expired.sink.WaitForEnd());
    CheckCode(expired.sink.end(), Code::kExpired);
    BOOST_TEST(expired.sink.events().empty());
  }
  Watching fresh(keys, a3);
  BOOST_REQUIRE(fresh.sink.WaitForEvents(1));
  BOOST_TEST(Describe(fresh.sink.events(), keys.prefix) == "+b=1");
}

void WatchesHistoryThenLive(const ContractSubject& s) {
  const Keys keys(s);
  const Revision start = keys.Now();
  const Revision a1 = keys.Create("a", "1");
  const Revision a2 = keys.Update("a", "2", a1);
  Watching all(keys, start), later(keys, a1), live(keys, a2);
  BOOST_TEST(all.sink.WaitForEvents(2));
  const Revision gone = keys.Delete("a", a2);
  keys.Create("a", "3");
  for (auto* sink : {&all.sink, &later.sink, &live.sink}) BOOST_REQUIRE(sink->WaitForRevision(gone + 1));
  BOOST_TEST(Describe(all.sink.events(), keys.prefix) == "+a=1 a=2(1) -a=(2) +a=3");
  BOOST_TEST(Describe(later.sink.events(), keys.prefix) == "a=2(1) -a=(2) +a=3");
  BOOST_TEST(Describe(live.sink.events(), keys.prefix) == "-a=(2) +a=3");
  const auto events = all.sink.events();
  BOOST_REQUIRE(events.size() == 4U);
  BOOST_TEST(events[1].kv.mod_revision == a2);
  BOOST_TEST(events[1].kv.create_revision == a1);
  BOOST_TEST(events[1].previous.mod_revision == a1);
  BOOST_TEST(events[1].previous.create_revision == a1);
  BOOST_TEST(events[2].kv.mod_revision == gone);
  BOOST_TEST(events[2].previous.mod_revision == a2);
  BOOST_TEST(events[2].previous.key == keys.prefix + "a");
}

void WatchesAPrefixOnly(const ContractSubject& s) {
  const Keys keys(s);
  const Revision start = keys.Now();
  keys.Create("b/1", "old");
  keys.Create("c/1", "old");
  Watching watch(keys.store, keys.prefix + "b/", start);
  BOOST_REQUIRE(watch.sink.WaitForEvents(1));
  keys.Create("b", "x");
  keys.Create("b0", "x");
  keys.Create("a/1", "x");
  keys.Create("b/2", "new");
  BOOST_REQUIRE(watch.sink.WaitForEvents(2));
  BOOST_TEST(Describe(watch.sink.events(), keys.prefix) == "+b/1=old +b/2=new");
}

void WatchesFromTheFuture(const ContractSubject& s) {
  const Keys keys(s);
  Watching watch(keys, keys.Now() + 2);
  const Revision first = keys.Create("a", "1");
  keys.Create("b", "1");
  keys.Create("c", "1");
  keys.Create("d", "1");
  BOOST_REQUIRE(watch.sink.WaitForRevision(first + 3));
  BOOST_TEST(Describe(watch.sink.events(), keys.prefix) == "+c=1 +d=1");
}

// Long history, writers that go on, watches that begin in the middle: each has everything once.
void WatchesHaveNoGapAndNoRepeat(const ContractSubject& s) {
  const Keys keys(s);
  const Revision start = keys.Now();
  constexpr int kWriters = 4, kHistory = 300, kLive = 200;
  const auto write = [&](int writer, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      const auto created = keys.store.Create(kCtx, fmt::format("{}{}/{:04}", keys.prefix, writer, i), "v", 0);
      if (!created.ok() || !created->succeeded) return;
    }
  };
  const auto write_all = [&](int from, int count) {
    std::vector<std::jthread> threads;
    for (int w = 0; w < kWriters; ++w) threads.emplace_back([&write, w, from, count] { write(w, from, count); });
    return threads;
  };
  write_all(0, kHistory).clear();
  const Revision middle = keys.Now();
  auto writers = write_all(kHistory, kLive);
  Watching all(keys, start), half(keys, middle), one(keys.store, keys.prefix + "2/", start);
  const Revision during = keys.Now();
  Watching tail(keys, during);
  writers.clear();
  const Revision end = keys.Now();
  const auto list = Must(keys.store.List(kCtx, keys.prefix, {}));
  BOOST_REQUIRE(list.items.size() == size_t{kWriters} * (kHistory + kLive));
  BOOST_TEST(all.sink.WaitForEvents(list.items.size()));
  BOOST_TEST(half.sink.WaitForEvents(size_t{kWriters} * kLive));
  BOOST_TEST(one.sink.WaitForEvents(kHistory + kLive));
  std::set<Revision> after_during;
  for (const KeyValue& kv : list.items)
    if (kv.mod_revision > during) after_during.insert(kv.mod_revision);
  BOOST_TEST(tail.sink.WaitForEvents(after_during.size()));
  std::set<Revision> seen;
  for (const Event& event : all.sink.events()) seen.insert(event.kv.mod_revision);
  BOOST_TEST(seen.size() == list.items.size());
  BOOST_TEST(*seen.rbegin() <= end);
  BOOST_TEST(all.sink.events().size() == list.items.size());
  BOOST_TEST(half.sink.events().size() == size_t{kWriters} * kLive);
  BOOST_TEST(one.sink.events().size() == size_t{kHistory + kLive});
  BOOST_TEST(tail.sink.events().size() == after_during.size());
}

void ReportsProgress(const ContractSubject& s) {
  const Keys keys(s);
  Watching watch(keys.store, keys.prefix + "quiet/", keys.Now());
  const Revision now = keys.Create("other", "1");
  if (!s.has_progress) {
    CheckCode(keys.store.RequestProgress(kCtx), Code::kUnimplemented);
    return;
  }
  // Until a watch has begun, a request may pass it by: ask as those who wait do, repeatedly.
  bool told = false;
  for (int i = 0; i < 100 && !told; ++i) {
    BOOST_REQUIRE(keys.store.RequestProgress(kCtx).ok());
    told = watch.sink.WaitForProgress(now, 300ms);
  }
  BOOST_TEST(told);
  BOOST_TEST(watch.sink.events().empty());
  const Revision mine = keys.Create("quiet/1", "1");
  BOOST_TEST(watch.sink.WaitForRevision(mine));
  BOOST_TEST(watch.sink.events().size() == 1U);
}

// Blocks in its first call until it is let go.
class BlockingSink : public WatchSink {
 public:
  void OnEvents(std::vector<Event>, Revision) override {
    std::unique_lock lock(mutex);
    in_call = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    in_call = false;
    ++calls;
  }
  void OnProgress(Revision) override {}
  void OnEnd(const Status&) override { ++calls; }
  std::mutex mutex;
  std::condition_variable changed;
  bool in_call = false, released = false;
  std::atomic<int> calls{0};
};

void HandlesEndTheirWatch(const ContractSubject& s) {
  const Keys keys(s);
  BlockingSink sink;
  auto handle = Must(keys.store.Watch(kCtx, keys.prefix, keys.Now(), sink));
  keys.Create("a", "1");
  {
    std::unique_lock lock(sink.mutex);
    BOOST_REQUIRE(sink.changed.wait_for(lock, 30s, [&] { return sink.in_call; }));
  }
  std::atomic<bool> destroyed{false};
  std::jthread destroyer([&] {
    handle.reset();
    destroyed = true;
  });
  // The destructor waits for the call under way.
  keys.Create("b", "1");
  BOOST_TEST(!destroyed.load());
  {
    const std::lock_guard lock(sink.mutex);
    sink.released = true;
  }
  sink.changed.notify_all();
  destroyer.join();
  const int calls = sink.calls;
  Watching other(keys, keys.Now());
  const Revision last = keys.Create("c", "1");
  BOOST_TEST(other.sink.WaitForRevision(last));
  BOOST_TEST(sink.calls == calls);
}

void KeysExpire(const ContractSubject& s) {
  const Keys keys(s);
  const Revision start = keys.Now();
  constexpr int64_t kTtl = 2;
  const Revision kept = keys.Create("kept", "1", kTtl);
  const Revision renewed = keys.Create("renewed", "1", kTtl);
  keys.Create("short", "1", kTtl);
  keys.Update("kept", "2", kept);
  keys.Update("renewed", "2", renewed, 3600);
  Watching watch(keys, start);
  BOOST_REQUIRE(watch.sink.WaitForEvents(5));
  if (s.advance) s.advance(std::chrono::seconds(kTtl + 1));
  BOOST_REQUIRE(watch.sink.WaitForEvents(6));
  const auto events = watch.sink.events();
  BOOST_TEST(Describe(events.back(), keys.prefix) == "-short=(1)");
  BOOST_TEST(events.back().kv.mod_revision > events[4].kv.mod_revision);
  BOOST_TEST(keys.List() == "kept=2 renewed=2");
}

void ManyWritersTakeTurns(const ContractSubject& s) {
  const Keys keys(s);
  const Revision start = keys.Create("counter", "0");
  Watching watch(keys, start);
  constexpr int kThreads = 8, kEach = 15;
  std::mutex mutex;
  std::set<Revision> revisions;
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        auto current = keys.store.Get(kCtx, keys.prefix + "counter");
        if (!current.ok() || !*current) {
          ++failures;
          return;
        }
        KeyValue kv = **current;
        for (int done = 0; done < kEach;) {
          auto result = keys.store.Update(kCtx, keys.prefix + "counter", std::to_string(std::stoi(kv.value) + 1),
                                          kv.mod_revision, 0);
          if (!result.ok()) {
            ++failures;
            return;
          }
          if (result->succeeded) {
            ++done;
            kv.value = std::to_string(std::stoi(kv.value) + 1);
            kv.mod_revision = result->revision;
            const std::lock_guard lock(mutex);
            revisions.insert(result->revision);
          } else if (result->current) {
            kv = *result->current;  // the answer tells where to go on
          }
        }
      });
    }
  }
  BOOST_TEST(failures == 0);
  BOOST_TEST(revisions.size() == size_t{kThreads} * kEach);
  BOOST_TEST(keys.Get("counter")->value == std::to_string(kThreads * kEach));
  BOOST_REQUIRE(watch.sink.WaitForEvents(size_t{kThreads} * kEach));
  int expected = 0;
  bool in_step = true;
  for (const Event& event : watch.sink.events()) {
    in_step = in_step && event.previous.value == std::to_string(expected);
    in_step = in_step && event.kv.value == std::to_string(++expected);
  }
  BOOST_TEST(in_step);
}

void EndsWithTheContext(const ContractSubject& s) {
  const Keys keys(s);
  std::stop_source stop;
  stop.request_stop();
  const Context cancelled = kCtx.WithStop(stop.get_token());
  const Context late = kCtx.WithTimeout(-1s);
  CheckCode(keys.store.Get(cancelled, keys.prefix + "a").status(), Code::kCancelled);
  CheckCode(keys.store.Get(late, keys.prefix + "a").status(), Code::kTimeout);
  CheckCode(keys.store.List(cancelled, keys.prefix, {}).status(), Code::kCancelled);
  CheckCode(keys.store.Create(cancelled, keys.prefix + "a", "1", 0).status(), Code::kCancelled);
  CheckCode(keys.store.Create(late, keys.prefix + "a", "1", 0).status(), Code::kTimeout);
  BOOST_TEST(keys.List().empty());
}

void SaysHowItIs(const ContractSubject& s) {
  const Keys keys(s);
  const Revision a = keys.Create("a", "1");
  BOOST_TEST(keys.store.Healthy(kCtx).ok());
  const StoreStatus status = Must(keys.store.GetStatus(kCtx));
  BOOST_TEST(!status.backend.empty());
  BOOST_TEST(status.bytes > 0);
  BOOST_TEST(status.revision >= a);
}

struct Case {
  const char* name;
  void (*run)(const ContractSubject&);
};
constexpr Case kCases[] = {
    {"a_key_is_created_once", CreatesOnce},
    {"an_update_needs_the_expected_revision", UpdatesTheExpectedRevision},
    {"a_delete_needs_the_expected_revision", DeletesTheExpectedRevision},
    {"values_are_bytes", KeepsBytes},
    {"a_list_is_of_a_prefix_in_order", ListsAPrefix},
    {"a_list_comes_in_pages_of_one_revision", ListsInPages},
    {"the_past_is_readable", RemembersThePast},
    {"the_compacted_past_is_expired", ForgetsTheCompacted},
    {"a_watch_gets_history_then_what_happens", WatchesHistoryThenLive},
    {"a_watch_is_of_a_prefix", WatchesAPrefixOnly},
    {"a_watch_may_begin_in_the_future", WatchesFromTheFuture},
    {"a_watch_has_no_gap_and_no_repeat", WatchesHaveNoGapAndNoRepeat},
    {"a_quiet_watch_reports_progress", ReportsProgress},
    {"a_handle_ends_its_watch", HandlesEndTheirWatch},
    {"keys_expire", KeysExpire},
    {"many_writers_take_turns", ManyWritersTakeTurns},
    {"calls_end_with_their_context", EndsWithTheContext},
    {"it_says_how_it_is", SaysHowItIs},
};

}  // namespace

bool RegisterContract(const std::function<ContractSubject()>& make, const char* file, size_t line) {
  for (const Case& c : kCases) {
    boost::unit_test::framework::current_auto_test_suite().add(
        boost::unit_test::make_test_case([make, run = c.run] { run(make()); }, c.name, file, line));
  }
  return true;
}

}  // namespace knarr::storage
