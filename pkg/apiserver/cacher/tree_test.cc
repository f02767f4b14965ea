#include "pkg/apiserver/cacher/tree.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include "pkg/apiserver/cacher/core.h"

namespace knarr::cacher {
namespace {

EntryPtr Make(const std::string& key, Revision revision) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->revision = revision;
  return entry;
}

std::map<std::string, Revision> Contents(const Tree::Snapshot& snapshot) {
  std::map<std::string, Revision> contents;
  std::string last;
  for (auto at = snapshot.LowerBound(""); const EntryPtr* entry = snapshot.At(at); at = snapshot.Next(at)) {
    BOOST_REQUIRE(last < (*entry)->key);
    last = (*entry)->key;
    contents[last] = (*entry)->revision;
  }
  return contents;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tree)

BOOST_AUTO_TEST_CASE(behaves_like_a_map_and_snapshots_stand_still) {
  Tree tree;
  std::map<std::string, Revision> model;
  std::vector<std::pair<Tree::Snapshot, std::map<std::string, Revision>>> snapshots;
  unsigned seed = 7;
  const auto random = [&seed](unsigned n) { return (seed = seed * 1103515245 + 12345) / 65536 % n; };
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("/{}/{:03}", random(3), random(700));
    const auto found = model.find(key);
    const EntryPtr* present = tree.Find(key);
    BOOST_REQUIRE_EQUAL(present != nullptr, found != model.end());
    if (present) BOOST_REQUIRE_EQUAL((*present)->revision, found->second);
    // Grows, then shrinks.
    if (random(10) < (i < 12'000 ? 3u : 7u)) {
      const EntryPtr erased = tree.Erase(key);
      BOOST_REQUIRE_EQUAL(erased != nullptr, model.erase(key) == 1);
    } else {
      const EntryPtr old = tree.Put(Make(key, i + 1));
      BOOST_REQUIRE_EQUAL(old ? old->revision : 0, found == model.end() ? 0 : found->second);
      model[key] = i + 1;
    }
    if (i % 2500 == 0) snapshots.emplace_back(tree.Take(), model);
    if (i % 500 == 0) {
      const Tree::Snapshot now = tree.Take();
      BOOST_REQUIRE_EQUAL(now.size(), static_cast<int64_t>(model.size()));
      for (const std::string prefix : {"/0/", "/1/", "/2/", "/3/"}) {
        const std::string from = prefix + "350";
        const auto expected = std::distance(model.lower_bound(from), model.lower_bound(EndOfPrefix(prefix)));
        BOOST_REQUIRE_EQUAL(now.CountFrom(now.LowerBound(from), prefix), expected);
      }
    }
  }
  snapshots.emplace_back(tree.Take(), model);
  for (const auto& [snapshot, expected] : snapshots) BOOST_TEST((Contents(snapshot) == expected));
}

BOOST_AUTO_TEST_CASE(keys_that_come_in_order_fill_their_chunks) {
  Tree tree;
  for (int i = 0; i < 1000; ++i) tree.Put(Make(fmt::format("/{:04}", i), 1));
  BOOST_TEST(tree.size() == 1000);
  BOOST_TEST(Contents(tree.Take()).size() == 1000u);
  for (int i = 0; i < 1000; ++i) BOOST_REQUIRE(tree.Erase(fmt::format("/{:04}", i)));
  BOOST_TEST(tree.size() == 0);
  BOOST_TEST(!tree.Take().At({}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(entry)

BOOST_AUTO_TEST_CASE(an_encoding_is_made_once_while_somebody_has_it) {
  Entry entry;
  int made = 0;
  const auto make = [&made] { return fmt::format("text {}", ++made); };
  {
    const auto one = entry.Encoding(1, false, make);
    const auto two = entry.Encoding(1, false, make);
    BOOST_TEST(one.get() == two.get());
    BOOST_TEST(*entry.Encoding(2, false, make) == "text 2");
  }
  BOOST_TEST(*entry.Encoding(1, false, make) == "text 3");
  BOOST_TEST(*entry.Encoding(1, true, make) == "text 4");
  BOOST_TEST(*entry.Encoding(1, false, make) == "text 4");
  // One made from another.
  const auto frame = entry.Encoding(7, true, [&] { return "[" + *entry.Encoding(8, true, make) + "]"; });
  BOOST_TEST(*frame == "[text 5]");
  BOOST_TEST(*entry.Encoding(8, false, make) == "text 5");
}

BOOST_AUTO_TEST_CASE(selectors_read_names_fields_and_labels) {
  Entry entry;
  entry.name = "web";
  entry.namespace_ = "prod";
  entry.labels = StringMap({{"tier", "front"}, {"app", "shop"}});
  entry.fields = StringMap(std::vector<StringMap::value_type>{{"spec.nodeName", "n1"}});
  const auto matches = [&entry](const char* label, const char* field) {
    return Filter{*labels::Parse(label), *fields::ParseSelector(field)}.Matches(entry);
  };
  BOOST_TEST(matches("", ""));
  BOOST_TEST(matches("app=shop,tier in (front)", "metadata.name=web,metadata.namespace=prod,spec.nodeName!=n2"));
  BOOST_TEST(!matches("app=shop,zone", ""));
  BOOST_TEST(!matches("", "metadata.namespace=test"));
  BOOST_TEST(matches("", "spec.hostname="));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace knarr::cacher
