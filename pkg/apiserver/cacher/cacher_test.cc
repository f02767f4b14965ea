// What only the cache does: waiting, falling back, listing again, waking few.
#include <malloc.h>

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/cacher/reader_fixture.h"

namespace knarr::cacher {
namespace {

const Context kCtx = Context::Background();

struct Fixture {
  explicit Fixture(CacherOptions options = {}) : store(clock) {
    options.resource = "things";
    options.prefix = kPrefix;
    auto made = NewCacher(options, store, codec, clock, Logger());
    BOOST_REQUIRE(made.ok());
    reader = std::move(*made);
  }
  ListAnswer List(Freshness freshness = Freshness::kConsistent) {
    Result<ListAnswer> answer = reader->List(kCtx, {.prefix = kPrefix, .freshness = freshness});
    KNARR_CHECK(answer.ok());  // also called by threads, where Boost.Test must not be
    return std::move(*answer);
  }
  void Fill() {
    while (!reader->Ready().ok() || store.watches() == 0) std::this_thread::yield();
  }
  std::unique_ptr<Watcher> Watch(WatchQuery query) {
    if (query.prefix.empty()) query.prefix = kPrefix;
    Result<std::unique_ptr<Watcher>> watcher = reader->Watch(kCtx, std::move(query));
    KNARR_CHECK(watcher.ok());
    return std::move(*watcher);
  }
  // Blocks until the cache has seen it.
  void Settle(Revision revision) { BOOST_REQUIRE(Sees(revision)); }
  bool Sees(Revision revision) {
    return reader->List(kCtx, {.prefix = kPrefix, .freshness = Freshness::kNotOlderThan, .revision = revision}).ok();
  }
  void SettleWhileTimePasses(Revision revision) {
    WhileTimePasses([&] {
      while (!Sees(revision)) {
      }
    });
  }
  // fn runs on a thread while time passes.
  void WhileTimePasses(const std::function<void()>& fn) {
    std::atomic<bool> done{false};
    std::thread thread([&] {
      fn();
      done = true;
    });
    while (!done) {
      clock.Advance(std::chrono::milliseconds(500));
      std::this_thread::yield();
    }
    thread.join();
  }
  FakeClock clock;
  TextCodec codec;
  DoorStore store;
  std::unique_ptr<Reader> reader;
};

std::vector<WatchEvent> Take(Watcher& watcher, Watcher::State expected = Watcher::State::kWait) {
  std::vector<WatchEvent> events;
  Watcher::State state;
  while ((state = watcher.Next(&events, 10)) == Watcher::State::kMore) {
  }
  BOOST_TEST((state == expected));
  return events;
}

Filter Fields(const char* text) {
  return {labels::Selector(), *fields::ParseSelector(text)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cacher)

BOOST_AUTO_TEST_CASE(the_first_use_fills_the_cache_and_then_lists_cost_the_store_nothing) {
  Fixture f;
  for (int i = 0; i < 1200; ++i) f.store.Put(fmt::format("ns/{:04}", i), Value("", "", "x"));
  BOOST_TEST(f.store.lists() == 0);
  BOOST_TEST((f.reader->Ready().code() == Code::kServiceUnavailable));
  f.Fill();
  const int lists = f.store.lists();
  BOOST_TEST(lists == 3);  // pages
  BOOST_TEST(f.List().entries.size() == 1200u);
  BOOST_TEST(f.List(Freshness::kAny).entries.size() == 1200u);
  BOOST_TEST(f.store.lists() == lists);
  BOOST_TEST(f.codec.decoded == 1200);
}

BOOST_AUTO_TEST_CASE(a_consistent_list_waits_until_the_cache_has_seen_the_store) {
  Fixture f;
  f.Fill();
  f.store.Hold();
  f.store.Put("ns/a", Value("", "", "x"));
  BOOST_TEST(f.List(Freshness::kAny).entries.empty());
  std::thread opener([&] { f.store.Open(); });
  BOOST_TEST(f.List().entries.size() == 1u);
  opener.join();
  // Only progress tells that nothing happened here.
  f.store.Put("/registry/others/a", "||");
  BOOST_TEST(f.List().entries.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_consistent_list_goes_to_the_store_when_the_cache_stays_behind) {
  Fixture f;
  f.Fill();
  f.store.Hold();
  f.store.Put("ns/a", Value("", "", "x"));
  f.WhileTimePasses([&] { BOOST_TEST(f.List().entries.size() == 1u); });
  BOOST_TEST(f.List(Freshness::kAny).entries.empty());
  f.store.Open();
}

BOOST_AUTO_TEST_CASE(a_read_that_waits_ends_with_its_context) {
  Fixture f;
  f.Fill();
  f.store.Hold();
  const Revision revision = f.store.Put("ns/a", Value("", "", "x"));
  const ListQuery query{.prefix = kPrefix, .freshness = Freshness::kNotOlderThan, .revision = revision};
  std::stop_source stop;
  std::thread stopper([&] { stop.request_stop(); });
  BOOST_TEST((f.reader->List(kCtx.WithStop(stop.get_token()), query).status().code() == Code::kCancelled));
  stopper.join();
  BOOST_TEST((f.reader->List(kCtx.WithTimeout(std::chrono::milliseconds(5)), query).status().code() == Code::kTimeout));
  f.store.Open();
}

BOOST_AUTO_TEST_CASE(reads_work_while_the_cache_cannot_be_filled) {
  Fixture f;
  f.store.Put("ns/a", Value("", "", "x"));
  f.store.FailLists(Error(Code::kServiceUnavailable, "no leader"));
  BOOST_TEST(!f.reader->Ready().ok());
  const Result<EntryPtr> got = f.reader->Get(kCtx, kPrefix + "ns/a", Freshness::kConsistent, 0);
  BOOST_REQUIRE(got.ok());
  BOOST_TEST((*got)->bytes == "x@2");
  BOOST_TEST(*f.reader->Count(kCtx) == 1);
  f.WhileTimePasses(
      [&] { BOOST_TEST((f.reader->Watch(kCtx, {.prefix = kPrefix}).status().code() == Code::kTooManyRequests)); });
  while (f.reader->Ready().message().find("no leader") == std::string::npos) std::this_thread::yield();
  // Known trouble: nobody waits for it.
  BOOST_TEST((f.reader->List(kCtx, {.prefix = kPrefix}).status().message() == "no leader"));
  f.store.FailLists({});
  f.WhileTimePasses([&] { f.Fill(); });
  BOOST_TEST(f.List(Freshness::kAny).entries.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_watch_from_before_the_window_is_expired) {
  Fixture f({.window_events = 4});
  f.Fill();
  Revision last = 0;
  for (int i = 0; i < 10; ++i) last = f.store.Put("ns/a", Value("", "", "x"));
  f.Settle(last);
  // Young events stay although the window is full.
  f.Watch({.after = 1});
  f.clock.Advance(std::chrono::seconds(80));
  f.Settle(last = f.store.Put("ns/a", Value("", "", "x")));
  const Status expired = f.reader->Watch(kCtx, {.prefix = kPrefix, .after = 1}).status();
  BOOST_TEST((expired.code() == Code::kExpired));
  BOOST_TEST(expired.message() == "too old resource version: 1 (8)");
  BOOST_TEST(Take(*f.Watch({.after = 8})).size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_slow_watcher_is_ended_and_the_window_stays_bounded) {
  Fixture f({.window_events = 4, .window_bytes = 1});
  f.Fill();
  auto slow = f.Watch({.after = 1});
  auto idle = f.Watch({.after = 1, .filter = Fields("metadata.name=other")});
  BOOST_TEST(Take(*idle).empty());
  int woken = 0;
  idle->SetWake([&] { ++woken; });
  Revision last = 0;
  for (int i = 0; i < 10; ++i) last = f.store.Put("ns/a", Value("", "", "x"));
  f.Settle(last);
  BOOST_TEST(Take(*slow, Watcher::State::kEnd).empty());
  BOOST_TEST((slow->status().code() == Code::kExpired));
  BOOST_TEST(slow->status().message() == "too old resource version: 1 (7)");
  // One that waits for something else is not slow, however much happens meanwhile.
  BOOST_TEST(woken == 0);
  BOOST_TEST(Take(*idle).empty());
  f.Settle(f.store.Put("ns/other", Value("", "", "x")));
  f.Settle(f.store.Put("ns/a", Value("", "", "x")));
  BOOST_TEST(woken == 1);
  BOOST_TEST(Take(*idle).size() == 1u);
}

BOOST_AUTO_TEST_CASE(only_those_are_woken_whom_an_event_concerns) {
  Fixture f;
  f.Fill();
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::vector<int> woken(6);
  const auto add = [&](WatchQuery query) {
    query.after = 1;
    watchers.push_back(f.Watch(std::move(query)));
    BOOST_TEST(Take(*watchers.back()).empty());
    watchers.back()->SetWake([&woken, i = watchers.size() - 1] { ++woken[i]; });
  };
  add({});
  add({.prefix = kPrefix + "ns1/"});
  add({.prefix = kPrefix + "ns2/"});
  add({.prefix = kPrefix + "ns1/", .filter = Fields("metadata.name=a")});
  add({.filter = Fields("node=n1")});
  add({.filter = {*labels::Parse("app=web"), fields::Selector()}});
  const auto check = [&](const char* name, const std::string& value, const std::vector<int>& expected) {
    for (size_t i = 0; i < watchers.size(); ++i) Take(*watchers[i]);
    std::fill(woken.begin(), woken.end(), 0);
    f.Settle(f.store.Put(name, value));
    // Once, until it has been asked again. (The second event comes after the wake-ups of the first.)
    f.Settle(f.store.Put(name, value));
    BOOST_TEST(woken == expected, boost::test_tools::per_element());
  };
  check("ns1/b", Value("", "node=n2", ""), {1, 1, 0, 0, 0, 0});
  check("ns1/a", Value("", "node=n2", ""), {1, 1, 0, 1, 0, 0});
  check("ns2/a", Value("", "node=n1", ""), {1, 0, 1, 0, 1, 0});
  check("ns2/a", Value("app=web", "node=n2", ""), {1, 0, 1, 0, 1, 1});
  check("ns2/a", Value("app=db", "node=n2", ""), {1, 0, 1, 0, 0, 1});
  watchers.erase(watchers.begin());
  f.Settle(f.store.Put("ns3/a", Value("", "", "")));
}

BOOST_AUTO_TEST_CASE(lost_history_is_made_up_from_a_new_list) {
  Fixture f;
  f.store.Put("ns/changed", Value("", "", "1"));
  f.store.Put("ns/deleted", Value("", "", "1"));
  f.store.Put("ns/replaced", Value("", "", "1"));
  f.store.Put("ns/same", Value("", "", "1"));
  f.Fill();
  Drain drain(f.Watch({.initial_state = true}));
  drain.WaitForEvents(4);
  f.store.FailLists(Error(Code::kServiceUnavailable, "no leader"));
  f.store.EndWatches(Error(Code::kExpired, "compacted"), false);
  f.store.Remove("ns/replaced");
  f.store.Put("ns/changed", Value("", "", "2"));
  f.store.Remove("ns/deleted");
  f.store.Put("ns/replaced", Value("", "", "2"));
  const Revision last = f.store.Put("ns/new", Value("", "", "1"));
  BOOST_REQUIRE(f.store.Compact(kCtx, last).ok());
  f.store.AllowWatches();
  f.store.FailLists({});
  f.SettleWhileTimePasses(last);
  drain.WaitForEvents(9);
  std::string text;
  const std::vector<WatchEvent> events = drain.events();
  for (size_t i = 4; i < events.size(); ++i) {
    text += fmt::format("{} {}\n", static_cast<int>(events[i].type), events[i].entry->bytes);
  }
  // MODIFIED, DELETED + ADDED of the replaced one, ADDED, and what is gone at the revision of the list.
  BOOST_TEST(text == "1 2@7\n2 1@8\n0 2@9\n0 1@10\n2 1@10\n");
  BOOST_TEST(drain.problems().empty());
  BOOST_TEST(*CompareWithStore(kCtx, *f.reader, f.store, kPrefix) == 0);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_goes_on_where_it_was) {
  Fixture f;
  f.Fill();
  Drain drain(f.Watch({.after = 1}));
  const int lists = f.store.lists();
  f.store.EndWatches(Error(Code::kServiceUnavailable, "connection lost"), false);
  f.store.Put("ns/a", Value("", "", "1"));
  const Revision last = f.store.Put("ns/a", Value("", "", "2"));
  BOOST_TEST(f.List(Freshness::kAny).entries.empty());
  f.store.AllowWatches();
  f.SettleWhileTimePasses(last);
  drain.WaitFor(last);
  BOOST_TEST(drain.events().size() == 2u);
  BOOST_TEST(f.store.lists() == lists);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_decoded_is_reported_by_get_and_left_out_of_lists) {
  Fixture f;
  f.store.Put("ns/bad", "BAD");
  f.store.Put("ns/good", Value("", "", "1"));
  f.Fill();
  BOOST_TEST(f.List().entries.size() == 1u);
  const auto get = [&](const char* name) { return f.reader->Get(kCtx, kPrefix + name, Freshness::kAny, 0); };
  BOOST_TEST((get("ns/bad").status().code() == Code::kDataLoss));
  // One that goes bad later keeps its last good state in lists: nobody is told that it was deleted.
  f.Settle(f.store.Put("ns/good", "BAD"));
  BOOST_TEST(f.List().entries.size() == 1u);
  BOOST_TEST((get("ns/good").status().code() == Code::kDataLoss));
  f.Settle(f.store.Put("ns/good", Value("", "", "2")));
  BOOST_TEST((*get("ns/good"))->bytes == "2@5");
  f.Settle(f.store.Remove("ns/bad"));
  BOOST_TEST(*get("ns/bad") == nullptr);
}

BOOST_AUTO_TEST_CASE(an_event_and_its_encodings_are_shared_by_its_watchers) {
  Fixture f;
  f.store.Put("ns/a", Value("app=web", "", "1"));
  f.Fill();
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 5; ++i)
    watchers.push_back(f.Watch({.after = 2, .filter = {*labels::Parse("app=web"), fields::Selector()}}));
  f.Settle(f.store.Put("ns/a", Value("app=db", "", "2")));
  const Entry* entry = nullptr;
  for (const auto& watcher : watchers) {
    const std::vector<WatchEvent> events = Take(*watcher);
    BOOST_REQUIRE(events.size() == 1u);
    BOOST_TEST((events[0].type == WatchType::kDeleted));
    if (!entry) entry = events[0].entry.get();
    BOOST_TEST(events[0].entry.get() == entry);
  }
  BOOST_TEST(f.codec.revised == 1);
}

BOOST_AUTO_TEST_CASE(old_bytes_go_unless_a_selector_could_ask_for_them) {
  Fixture f;
  const Revision first = f.store.Put("ns/a", Value("app=web", "", "1"));
  f.Fill();
  std::weak_ptr<const Entry> old = *f.reader->Get(kCtx, kPrefix + "ns/a", Freshness::kAny, 0);
  f.Settle(f.store.Put("ns/a", Value("app=web", "", "2")));
  BOOST_TEST(old.expired());
  f.Settle(f.store.Put("ns/a", Value("app=db", "", "3")));
  BOOST_TEST(Take(*f.Watch({.after = first, .filter = {*labels::Parse("app=web"), fields::Selector()}})).size() == 2u);
}

BOOST_AUTO_TEST_CASE(watches_end_with_the_cache_and_may_outlive_it) {
  Fixture f;
  f.Fill();
  auto watcher = f.Watch({.after = 1, .bookmarks = true});
  BOOST_TEST(Take(*watcher).empty());
  int woken = 0;
  watcher->SetWake([&] { ++woken; });
  f.reader.reset();
  BOOST_TEST(woken == 1);
  BOOST_TEST(f.store.watches() == 0);
  BOOST_TEST(Take(*watcher, Watcher::State::kEnd).empty());
  BOOST_TEST(watcher->status().ok());
  f.clock.Advance(std::chrono::minutes(2));
}

BOOST_AUTO_TEST_CASE(the_comparison_counts_what_differs) {
  Fixture f;
  f.store.Put("ns/a", Value("", "", "1"));
  f.Fill();
  BOOST_TEST(*CompareWithStore(kCtx, *f.reader, f.store, kPrefix) == 0);
  DoorStore other(f.clock);
  other.Put("ns/b", Value("", "", "1"));
  BOOST_TEST(*CompareWithStore(kCtx, *f.reader, other, kPrefix) == 2);
}

BOOST_AUTO_TEST_CASE(small_objects_cost_less_than_a_kilobyte_each) {
  Fixture f;
  const std::string value = Value("", "", std::string(300, 'x'));
  constexpr int64_t kObjects = 5000;
  for (int i = 0; i < kObjects; ++i) f.store.Put(fmt::format("default/config-{:05}", i), value);
  const auto used = [] { return static_cast<int64_t>(mallinfo2().uordblks + mallinfo2().hblkhd); };
  const int64_t before = used();
  f.Fill();
  const int64_t each = (used() - before) / kObjects;
  BOOST_TEST_MESSAGE("one cached object of 300 bytes: " << each << " bytes");
#ifndef KNARR_SANITIZE
  BOOST_TEST(each > 300);
  BOOST_TEST(each < 1000);
#endif
  BOOST_TEST(f.List().entries.size() == static_cast<size_t>(kObjects));
}

// A watcher is wherever its thread is while others are made, woken and destroyed.
BOOST_AUTO_TEST_CASE(watches_come_and_go_while_things_change) {
  Fixture f({.window_events = 64, .window_bytes = 1 << 14});
  f.Fill();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      f.store.Put(fmt::format("ns{}/{}", i % 3, i % 7), Value("", fmt::format("node=n{}", i % 2), "x"));
      if (i % 5 == 0) f.store.Remove(fmt::format("ns{}/{}", i % 3, i % 7));
    }
  });
  std::atomic<int> seen{0}, problems{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i) {
        WatchQuery query{.prefix = kPrefix, .initial_state = true, .bookmarks = i % 2 == 0};
        if (t == 1) query.filter = Fields("node=n1");
        if (t == 2) query.prefix += "ns1/";
        Drain drain(f.Watch(std::move(query)), 3);
        drain.WaitForEvents(10);
        seen += static_cast<int>(drain.events().size());
        problems += static_cast<int>(drain.problems().size());
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      f.clock.Advance(std::chrono::seconds(30));
      std::this_thread::yield();
    }
  });
  for (size_t t = 1; t < 4; ++t) threads[t].join();
  stop = true;
  threads.front().join();
  threads.back().join();
  BOOST_TEST(problems == 0);
  BOOST_TEST(seen > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace knarr::cacher
