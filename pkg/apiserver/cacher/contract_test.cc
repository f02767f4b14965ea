// What every Reader does, cached or direct.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/cacher/reader_fixture.h"

namespace knarr::cacher {
namespace {

namespace bdata = boost::unit_test::data;

const Context kCtx = Context::Background();

struct ReaderFixture {
  explicit ReaderFixture(bool cached, CacherOptions options = {}) : store(clock) {
    options.resource = "things";
    options.prefix = kPrefix;
    if (cached) {
      auto made = NewCacher(options, store, codec, clock, Logger());
      BOOST_REQUIRE(made.ok());
      reader = std::move(*made);
    } else {
      reader = NewDirectReader(options, store, codec, clock, Logger());
    }
  }
  ListAnswer List(ListQuery query) {
    if (query.prefix.empty()) query.prefix = kPrefix;
    Result<ListAnswer> answer = reader->List(kCtx, query);
    KNARR_CHECK(answer.ok());  // also called by threads, where Boost.Test must not be
    return std::move(*answer);
  }
  std::unique_ptr<Drain> Watch(WatchQuery query) {
    if (query.prefix.empty()) query.prefix = kPrefix;
    Result<std::unique_ptr<Watcher>> watcher = reader->Watch(kCtx, std::move(query));
    BOOST_REQUIRE_MESSAGE(watcher.ok(), watcher.status().message());
    return std::make_unique<Drain>(std::move(*watcher));
  }
  FakeClock clock;
  TextCodec codec;
  DoorStore store;
  std::unique_ptr<Reader> reader;
};

std::string Names(const std::vector<EntryPtr>& entries) {
  std::string names;
  for (const EntryPtr& entry : entries) names += (names.empty() ? "" : " ") + entry->key.substr(kPrefix.size());
  return names;
}

std::string Text(const std::vector<WatchEvent>& events) {
  static const char* const kTypes[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "END"};
  std::string text;
  for (const WatchEvent& event : events) {
    text += kTypes[static_cast<int>(event.type)];
    if (event.entry) text += ' ' + event.entry->key.substr(kPrefix.size()) + ' ' + event.entry->bytes;
    text += fmt::format(" {}\n", event.revision);
  }
  return text;
}

Filter Labels(const char* text) {
  return {*labels::Parse(text), fields::Selector()};
}
Filter Fields(const char* text) {
  return {labels::Selector(), *fields::ParseSelector(text)};
}

BOOST_AUTO_TEST_SUITE(reader)

BOOST_DATA_TEST_CASE(get_reads_what_was_written_at_any_freshness, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision first = f.store.Put("ns/a", Value("", "", "one"));
  const auto get = [&](const char* name, Freshness freshness, Revision revision = 0) {
    const Result<EntryPtr> got = f.reader->Get(kCtx, kPrefix + name, freshness, revision);
    BOOST_REQUIRE_MESSAGE(got.ok(), got.status().message());
    return *got ? (*got)->bytes : "none";
  };
  BOOST_TEST(get("ns/a", Freshness::kConsistent) == "one@2");
  BOOST_TEST(get("ns/a", Freshness::kNotOlderThan, first) == "one@2");
  BOOST_TEST(get("ns/b", Freshness::kConsistent) == "none");
  const Revision second = f.store.Put("ns/a", Value("", "", "two"));
  BOOST_TEST(get("ns/a", Freshness::kConsistent) == "two@3");
  BOOST_TEST(get("ns/a", Freshness::kNotOlderThan, second) == "two@3");
  BOOST_TEST(get("ns/a", Freshness::kAny) == "two@3");
  BOOST_TEST(get("ns/a", Freshness::kExact, first) == "one@2");
  BOOST_TEST(get("ns/a", Freshness::kExact, second) == "two@3");
  f.store.Remove("ns/a");
  BOOST_TEST(get("ns/a", Freshness::kConsistent) == "none");
  BOOST_TEST(get("ns/a", Freshness::kExact, second) == "two@3");
  // A later write elsewhere must not make an absent key stale.
  f.store.Put("/registry/others/x", "||");
  BOOST_TEST(get("ns/a", Freshness::kConsistent) == "none");
}

BOOST_DATA_TEST_CASE(lists_are_consistent_filtered_and_in_key_order, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  BOOST_TEST(Names(f.List({}).entries) == "");
  f.store.Put("b/1", Value("app=web", "phase=Running", "x"));
  f.store.Put("a/2", Value("app=db", "phase=Pending", "x"));
  const Revision last = f.store.Put("a/1", Value("app=web", "phase=Pending", "x"));
  f.store.Put("/registry/thingsmore/x", "BAD");
  ListAnswer all = f.List({});
  BOOST_TEST(Names(all.entries) == "a/1 a/2 b/1");
  BOOST_TEST(all.revision >= last);
  BOOST_TEST(!all.more);
  BOOST_TEST(Names(f.List({.prefix = kPrefix + "a/"}).entries) == "a/1 a/2");
  BOOST_TEST(Names(f.List({.filter = Labels("app=web")}).entries) == "a/1 b/1");
  BOOST_TEST(Names(f.List({.filter = Fields("phase=Pending")}).entries) == "a/1 a/2");
  BOOST_TEST(Names(f.List({.filter = Fields("metadata.name=1")}).entries) == "a/1 b/1");
  BOOST_TEST(Names(f.List({.prefix = kPrefix + "b/", .filter = Fields("metadata.name=1")}).entries) == "b/1");
  BOOST_TEST(Names(f.List({.prefix = kPrefix + "b/", .filter = Fields("metadata.name=2")}).entries) == "");
  BOOST_TEST(Names(f.List({.filter = Fields("metadata.namespace=b")}).entries) == "b/1");
  BOOST_TEST(*f.reader->Count(kCtx) == 3);
}

BOOST_DATA_TEST_CASE(pages_go_on_at_their_revision_whatever_happens_meanwhile, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  for (int i = 0; i < 10; ++i) f.store.Put(fmt::format("ns/{}", i), Value(i % 2 ? "odd=1" : "", "", "x"));
  ListAnswer page = f.List({.limit = 4});
  BOOST_TEST(Names(page.entries) == "ns/0 ns/1 ns/2 ns/3");
  BOOST_TEST(page.more);
  BOOST_TEST(page.remaining == 6);
  const Revision revision = page.revision;
  const auto next = [&](int64_t limit) {
    return f.List({.freshness = Freshness::kExact, .revision = revision, .start_key = page.next_key, .limit = limit});
  };
  ListAnswer second = next(4);
  BOOST_TEST(Names(second.entries) == "ns/4 ns/5 ns/6 ns/7");
  BOOST_TEST(second.revision == revision);
  f.store.Remove("ns/5");
  f.store.Put("ns/45", Value("", "", "new"));
  f.store.Put("ns/6", Value("", "", "changed"));
  f.List({});  // the cache has seen it
  second = next(4);
  BOOST_TEST(Names(second.entries) == "ns/4 ns/5 ns/6 ns/7");
  BOOST_TEST(second.entries[2]->bytes.starts_with("x@"));
  BOOST_TEST(second.revision == revision);
  BOOST_TEST(second.more);
  page = second;
  second = next(4);
  BOOST_TEST(Names(second.entries) == "ns/8 ns/9");
  BOOST_TEST(!second.more);
  BOOST_TEST(second.next_key == "");

  page = f.List({.limit = 2, .filter = Labels("odd")});
  BOOST_TEST(Names(page.entries) == "ns/1 ns/3");
  BOOST_TEST(page.more);
  BOOST_TEST(page.remaining == -1);

  BOOST_REQUIRE(f.store.Compact(kCtx, *f.store.CurrentRevision(kCtx)).ok());
  ListQuery gone{.prefix = kPrefix, .freshness = Freshness::kExact, .revision = revision};
  BOOST_TEST((f.reader->List(kCtx, gone).status().code() == Code::kExpired));
  gone.revision = 1000;
  BOOST_TEST(!f.reader->List(kCtx, gone).ok());
}

BOOST_DATA_TEST_CASE(a_watch_tells_what_happens_after_its_revision, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision start = f.List({}).revision;
  f.store.Put("ns/a", Value("", "", "1"));
  f.store.Put("other/a", Value("", "", "1"));
  f.store.Put("ns/a", Value("", "", "2"));
  f.store.Remove("ns/a");
  const Revision end = f.store.Put("ns/b", Value("", "", "1"));
  auto all = f.Watch({.after = start});
  auto one = f.Watch({.prefix = kPrefix + "ns/", .after = start});
  auto late = f.Watch({.after = start + 3});
  for (auto* drain : {&all, &one, &late}) (*drain)->WaitFor(end);
  BOOST_TEST(Text(all->events()) ==
             "ADDED ns/a 1@2 2\nADDED other/a 1@3 3\nMODIFIED ns/a 2@4 4\nDELETED ns/a 2@5 5\nADDED ns/b 1@6 6\n");
  BOOST_TEST(Text(one->events()) == "ADDED ns/a 1@2 2\nMODIFIED ns/a 2@4 4\nDELETED ns/a 2@5 5\nADDED ns/b 1@6 6\n");
  BOOST_TEST(Text(late->events()) == "DELETED ns/a 2@5 5\nADDED ns/b 1@6 6\n");
}

BOOST_DATA_TEST_CASE(a_watch_begins_with_the_present_state_if_asked, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  f.store.Put("ns/a", Value("app=web", "", "1"));
  f.store.Put("ns/b", Value("", "", "1"));
  const Revision seen = f.store.Put("ns/c", Value("app=web", "", "1"));
  auto drain = f.Watch({.initial_state = true,
                        .freshness = Freshness::kConsistent,
                        .initial_events_end = true,
                        .filter = Labels("app=web")});
  drain->WaitForEvents(3);
  const Revision last = f.store.Put("ns/d", Value("app=web", "", "1"));
  drain->WaitFor(last);
  BOOST_TEST(Text(drain->events()) ==
             fmt::format("ADDED ns/a 1@2 2\nADDED ns/c 1@4 4\nEND {}\nADDED ns/d 1@5 5\n", seen));
}

BOOST_DATA_TEST_CASE(objects_enter_and_leave_a_selector, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision start = f.List({}).revision;
  auto labels = f.Watch({.after = start, .filter = Labels("app=web")});
  auto fields = f.Watch({.after = start, .filter = Fields("phase=Running")});
  f.store.Put("ns/a", Value("app=db", "phase=Running", "1"));
  f.store.Put("ns/a", Value("app=web", "phase=Running", "2"));
  f.store.Put("ns/a", Value("app=web", "phase=Running", "3"));
  f.store.Put("ns/a", Value("app=db", "phase=Pending", "4"));
  f.store.Put("ns/a", Value("app=web", "phase=Pending", "5"));
  const Revision deleted = f.store.Remove("ns/a");
  f.store.Put("ns/b", Value("app=db", "phase=Pending", "1"));
  labels->WaitFor(deleted);
  // The state before, at the revision of the change.
  BOOST_TEST(Text(labels->events()) ==
             "ADDED ns/a 2@3 3\nMODIFIED ns/a 3@4 4\nDELETED ns/a 3@5 5\nADDED ns/a 5@6 6\nDELETED ns/a 5@7 7\n");
  fields->WaitFor(start + 4);
  BOOST_TEST(Text(fields->events()) ==
             "ADDED ns/a 1@2 2\nMODIFIED ns/a 2@3 3\nMODIFIED ns/a 3@4 4\nDELETED ns/a 3@5 5\n");
}

BOOST_DATA_TEST_CASE(bookmarks_say_every_minute_how_far_the_watch_is, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision start = f.List({}).revision;
  auto with = f.Watch({.after = start, .bookmarks = true});
  auto without = f.Watch({.after = start});
  // Writes elsewhere: nothing for this resource, but its readers need not see that history again.
  const Revision elsewhere = f.store.Put("/registry/others/x", "||");
  f.clock.Advance(std::chrono::seconds(61));
  with->WaitFor(elsewhere);
  BOOST_TEST(Text(with->events()) == fmt::format("BOOKMARK {}\n", elsewhere));
  // Nothing new: nothing to say.
  f.clock.Advance(std::chrono::seconds(61));
  const Revision event = f.store.Put("ns/a", Value("", "", "1"));
  with->WaitFor(event);
  without->WaitFor(event);
  BOOST_TEST(Text(with->events()) == fmt::format("BOOKMARK {}\nADDED ns/a 1@3 {}\n", elsewhere, event));
  BOOST_TEST(Text(without->events()) == fmt::format("ADDED ns/a 1@3 {}\n", event));
}

BOOST_DATA_TEST_CASE(a_bookmark_comes_before_the_end_of_a_watch, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision start = f.List({}).revision;
  WatchQuery query{.prefix = kPrefix, .after = start, .bookmarks = true};
  auto watcher = f.reader->Watch(kCtx.WithTimeout(std::chrono::seconds(30)), query);
  BOOST_REQUIRE(watcher.ok());
  Drain drain(std::move(*watcher));
  const Revision elsewhere = f.store.Put("/registry/others/x", "||");
  f.clock.Advance(std::chrono::seconds(29));
  drain.WaitFor(elsewhere);
  BOOST_TEST(Text(drain.events()) == fmt::format("BOOKMARK {}\n", elsewhere));
}

BOOST_DATA_TEST_CASE(a_future_revision_is_refused_or_waited_for, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  f.List({});
  const Revision now = *f.store.CurrentRevision(kCtx);
  ListQuery query{.prefix = kPrefix, .freshness = Freshness::kNotOlderThan, .revision = now + 1};
  std::atomic<bool> done{false};
  Status status;
  std::thread reader([&] {
    status = f.reader->List(kCtx, query).status();
    done = true;
  });
  while (!done) {
    f.clock.Advance(std::chrono::seconds(4));
    std::this_thread::yield();
  }
  reader.join();
  BOOST_TEST((status.code() == Code::kTimeout));
  BOOST_TEST(status.message() == fmt::format("Timeout: Too large resource version: {}, current: {}", now + 1, now));
}

BOOST_DATA_TEST_CASE(a_watch_of_one_object_sees_only_that, bdata::make({false, true}), cached) {
  ReaderFixture f(cached);
  const Revision start = f.List({}).revision;
  auto one = f.Watch({.prefix = kPrefix + "ns/", .after = start, .filter = Fields("metadata.name=a")});
  auto everywhere = f.Watch({.after = start, .filter = Fields("metadata.name=a")});
  for (int i = 0; i < 20; ++i) f.store.Put(fmt::format("ns/x{}", i), Value("", "", "1"));
  f.store.Put("other/a", Value("", "", "1"));
  const Revision last = f.store.Put("ns/a", Value("", "", "1"));
  one->WaitFor(last);
  everywhere->WaitFor(last);
  BOOST_TEST(one->events().size() == 1u);
  BOOST_TEST(everywhere->events().size() == 2u);
  BOOST_TEST(one->wakes() <= 1);
}

// Writers, watchers and lists at the same time: what each watcher adds up is what is there in the end, and each list is
// the state of its revision.
BOOST_DATA_TEST_CASE(everybody_sees_the_same_history, bdata::make({false, true}), cached) {
  ReaderFixture f(cached, {.window_events = 100'000, .window_bytes = 64 << 20});
  constexpr int kWriters = 3, kWrites = 300;
  const Revision start = f.List({}).revision;
  std::vector<std::unique_ptr<Drain>> drains;
  drains.push_back(f.Watch({.after = start}));
  drains.push_back(f.Watch({.prefix = kPrefix + "ns1/", .after = start}));
  drains.push_back(f.Watch({.after = start, .filter = Labels("color=red")}));
  drains.push_back(f.Watch({.after = start, .filter = Fields("phase=2")}));
  std::atomic<bool> writing{true};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      unsigned seed = static_cast<unsigned>(w) + 1;
      const auto random = [&seed](unsigned n) { return (seed = seed * 1103515245 + 12345) / 65536 % n; };
      for (int i = 0; i < kWrites; ++i) {
        const std::string name = fmt::format("ns{}/{}", random(3), random(12));
        if (random(4) == 0) {
          f.store.Remove(name);
        } else {
          f.store.Put(name, Value(random(2) ? "color=red" : "color=blue", fmt::format("phase={}", random(4)),
                                  fmt::format("{}", i)));
        }
      }
    });
  }
  std::vector<std::string> wrong;
  std::thread lister([&] {
    Revision last = 0;
    while (writing) {
      const ListAnswer answer = f.List({});
      if (answer.revision < last) wrong.push_back("a consistent list went back");
      last = answer.revision;
      const auto exact = f.store.List(kCtx, kPrefix, {.revision = answer.revision});
      if (exact->items.size() != answer.entries.size()) {
        wrong.push_back("another number of objects");
        continue;
      }
      for (size_t i = 0; i < answer.entries.size(); ++i) {
        if (exact->items[i].mod_revision != answer.entries[i]->revision) wrong.push_back(answer.entries[i]->key);
      }
    }
  });
  // These begin in the middle.
  std::vector<std::unique_ptr<Drain>> late;
  for (int i = 0; i < 5; ++i) {
    late.push_back(f.Watch({.initial_state = true, .freshness = Freshness::kAny, .initial_events_end = true}));
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  writing = false;
  lister.join();
  BOOST_TEST(wrong.empty());
  // One more event for everybody, so that all know when they have seen the rest.
  const Revision last = f.store.Put("ns1/last", Value("color=red", "phase=2", "x"));
  const auto expected = [&](const std::string& prefix, const Filter& filter) {
    std::map<std::string, std::string> state;
    for (const EntryPtr& entry : f.List({.prefix = prefix, .filter = filter}).entries) {
      state[entry->key.substr(kPrefix.size())] = entry->bytes;
    }
    return state;
  };
  for (auto& drain : late) drains.push_back(std::move(drain));
  const std::vector<std::pair<std::string, Filter>> what = {
      {kPrefix, {}}, {kPrefix + "ns1/", {}}, {kPrefix, Labels("color=red")}, {kPrefix, Fields("phase=2")}};
  for (size_t i = 0; i < drains.size(); ++i) {
    drains[i]->WaitFor(last);
    const auto& [prefix, filter] = what[i < what.size() ? i : 0];
    BOOST_TEST((drains[i]->state() == expected(prefix, filter)), "watcher " << i);
    BOOST_TEST(drains[i]->problems() == std::vector<std::string>(), boost::test_tools::per_element());
  }
  BOOST_TEST(*CompareWithStore(kCtx, *f.reader, f.store, kPrefix) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cacher
