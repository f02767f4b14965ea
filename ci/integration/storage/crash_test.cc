// kill -9 under 64 writers, again and again: no acknowledged write is lost, no revision is given twice, watches go on
// without a gap or a repeat. KNARR_CRASH_ROUNDS says how often, KNARR_CRASH_SEED repeats a run's moments.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "ci/integration/lib/etcd.h"
#include "pkg/apiserver/storage/contract_test.h"
#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/file.h"

extern char** environ;

namespace knarr::storage {
namespace {

using namespace std::chrono_literals;

constexpr char kPrefix[] = "/registry/crash/";
const Context kCtx = Context::Background();

template <typename T>
T Must(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
  return std::move(*result);
}

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* value = ::getenv(name);
  return value != nullptr ? std::atoll(value) : otherwise;
}

// A crash_writer and what it says.
class Child {
 public:
  explicit Child(const std::vector<std::string>& arguments) {
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    output_ = UniqueFd(ends[0]);
    const UniqueFd writing(ends[1]);
    std::string program = ::getenv("CRASH_WRITER");
    std::vector<char*> words = {program.data()};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
    BOOST_REQUIRE(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, words.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Child() { Kill(); }

  void ReadFor(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd wait{output_.get(), POLLIN, 0};
      if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) return;
      if (!ReadSome()) return;
    }
  }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (ReadSome()) {
    }
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // Whole lines.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (size_t at = 0, end; (end = text_.find('\n', at)) != std::string::npos; at = end + 1)
      lines.push_back(text_.substr(at, end - at));
    return lines;
  }
  bool HasAcknowledged() const { return text_.find("A ") != std::string::npos; }

 private:
  bool ReadSome() {
    char buffer[65536];
    const ssize_t got = ::read(output_.get(), buffer, sizeof(buffer));
    if (got <= 0) return false;
    text_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  pid_t pid_ = -1;
  UniqueFd output_;
  std::string text_;
};

// What must be so, from all that was ever said.
class Model {
 public:
  struct Change {
    std::string key, value;  // "-": deleted
    bool operator==(const Change&) const = default;
  };

  int64_t BeginRound() {
    first_ = ++round_ * 10'000'000;
    for (auto& [key, writer] : writers_) writer.said = first_ - 1;
    return first_;
  }
  Revision watched() const { return watched_.empty() ? 0 : watched_.rbegin()->first; }
  size_t acknowledged() const { return acknowledged_.size(); }
  size_t changes() const { return history_.size(); }

  void Hear(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      std::istringstream words(line);
      std::string what;
      words >> what;
      if (what == "W") {
        Revision revision = 0;
        Change change;
        words >> revision >> change.key >> change.value;
        BOOST_CHECK_MESSAGE(revision > watched(), "the watch went from " << watched() << " to " << revision);
        watched_[revision] = change;
        continue;
      }
      if (what != "A" && what != "U") {
        BOOST_ERROR("the writer says: " << line);
        continue;
      }
      int thread = 0;
      int64_t number = 0;
      words >> thread >> number;
      const std::string key = fmt::format("{}{:02}", kPrefix, thread);
      Writer& writer = Of(key);
      writer.said = number;
      if (what == "U") {
        writer.unknown.insert(number);
        continue;
      }
      Revision revision = 0;
      words >> revision;
      writer.unknown.clear();
      writer.revision = revision;
      writer.number = number;
      const auto [at, fresh] = acknowledged_.insert({revision, {key, number}});
      BOOST_CHECK_MESSAGE(fresh, "revision " << revision << " was given to " << at->second.first << " and to " << key);
    }
    // One operation of each may have been under way.
    for (auto& [key, writer] : writers_) writer.unknown.insert(writer.said + 1);
  }

  // The store after the crash, in `store`.
  void Check(Store& store) {
    const Revision now = Must(store.CurrentRevision(kCtx));
    if (!acknowledged_.empty()) BOOST_CHECK(now >= acknowledged_.rbegin()->first);
    // All changes since the last look, from the store's own history.
    RecordingSink sink(kPrefix);
    const Revision from = history_.empty() ? 1 : history_.rbegin()->first;
    const ListResult list = Must(store.List(kCtx, kPrefix, {}));
    {
      auto watch = Must(store.Watch(kCtx, kPrefix, from, sink));
      Revision last = 0;
      for (const KeyValue& kv : list.items) last = std::max(last, kv.mod_revision);
      if (!acknowledged_.empty()) last = std::max(last, acknowledged_.rbegin()->first);
      if (last > from) BOOST_REQUIRE(sink.WaitForRevision(last));
      // Deletes that nobody heard of may follow: up to a mark behind them.
      const WriteResult mark =
          Must(store.Update(kCtx, std::string(kPrefix) + "mark", std::to_string(round_), mark_, 0));
      BOOST_REQUIRE(mark.succeeded);
      mark_ = mark.revision;
      BOOST_CHECK(mark_ > now);
      BOOST_REQUIRE(sink.WaitForRevision(mark_));
    }
    for (const std::string& problem : sink.problems()) BOOST_ERROR("the sink saw: " << problem);
    for (const Event& event : sink.events()) {
      const Change change{event.kv.key, event.type == EventType::kDelete ? "-" : event.kv.value};
      const bool fresh = history_.insert({event.kv.mod_revision, change}).second;
      BOOST_CHECK_MESSAGE(fresh, "revision " << event.kv.mod_revision << " comes twice");
      // `previous` ties each change to the one before.
      auto& state = state_[event.kv.key];
      BOOST_CHECK_MESSAGE(event.previous.mod_revision == state.first && event.previous.value == state.second,
                          event.kv.key << " at " << event.kv.mod_revision << " follows " << event.previous.mod_revision
                                       << ", not " << state.first);
      state = change.value == "-" ? std::pair<Revision, std::string>() : std::pair(event.kv.mod_revision, change.value);
    }
    // Every acknowledged write is in it, as it was acknowledged.
    for (auto at = acknowledged_.upper_bound(checked_); at != acknowledged_.end(); ++at) {
      const auto found = history_.find(at->first);
      const auto& [key, number] = at->second;
      BOOST_CHECK_MESSAGE(found != history_.end(), "the write of " << key << " at " << at->first << " is lost");
      if (found == history_.end()) continue;
      const bool fits = found->second.key == key && (found->second.value == std::to_string(number) ||
                                                     (number % 5 == 4 && found->second.value == "-"));
      BOOST_CHECK_MESSAGE(fits, "revision " << at->first << " is of " << found->second.key << "=" << found->second.value
                                            << ", acknowledged as " << key << "=" << number);
    }
    if (!acknowledged_.empty()) checked_ = acknowledged_.rbegin()->first;
    // The state is what the changes make, and nothing newer than what was tried.
    std::set<std::string> present;
    for (const KeyValue& kv : list.items) {
      if (kv.key == std::string(kPrefix) + "mark") continue;
      present.insert(kv.key);
      const auto& [revision, value] = state_[kv.key];
      BOOST_CHECK_MESSAGE(revision == kv.mod_revision && value == kv.value, kv.key << " is not what its changes make");
      const Writer& writer = Of(kv.key);
      const int64_t number = std::atoll(kv.value.c_str());
      BOOST_CHECK_MESSAGE((kv.mod_revision == writer.revision && number == writer.number) ||
                              (kv.mod_revision > writer.revision && writer.unknown.contains(number)),
                          kv.key << " is " << kv.value << " at " << kv.mod_revision << ", acknowledged was "
                                 << writer.number << " at " << writer.revision);
    }
    for (const auto& [key, state] : state_)
      if (state.first != 0 && key != std::string(kPrefix) + "mark")
        BOOST_CHECK_MESSAGE(present.contains(key), key << " is gone");
    // The watches of all the processes, one after another, saw just that.
    for (auto at = watched_.upper_bound(compared_); at != watched_.end(); ++at) {
      const auto found = history_.find(at->first);
      BOOST_CHECK_MESSAGE(found != history_.end() && found->second == at->second,
                          "the watch saw " << at->second.key << " at " << at->first << ", which did not happen");
    }
    for (auto at = history_.upper_bound(compared_); at != history_.end() && at->first <= watched(); ++at)
      BOOST_CHECK_MESSAGE(watched_.contains(at->first), "the watch has a gap at " << at->first);
    compared_ = watched();
  }

 private:
  struct Writer {
    int64_t number = -1;  // acknowledged last
    Revision revision = 0;
    int64_t said = -1;
    std::set<int64_t> unknown;  // tried since
  };
  Writer& Of(const std::string& key) {
    const auto [at, fresh] = writers_.try_emplace(key);
    if (fresh) at->second.said = first_ - 1;
    return at->second;
  }

  int64_t round_ = 0, first_ = 0;
  std::map<std::string, Writer> writers_;
  std::map<Revision, std::pair<std::string, int64_t>> acknowledged_;
  std::map<Revision, Change> history_, watched_;
  std::map<std::string, std::pair<Revision, std::string>> state_;
  Revision checked_ = 0, compared_ = 0, mark_ = 0;
};

class Moments {
 public:
  Moments()
      : seed_(static_cast<uint64_t>(FromEnvironment("KNARR_CRASH_SEED", std::random_device()()))), random_(seed_) {
    BOOST_TEST_MESSAGE("KNARR_CRASH_SEED=" << seed_);
  }
  std::chrono::milliseconds UpTo(int milliseconds) {
    return std::chrono::milliseconds(std::uniform_int_distribution<>(0, milliseconds)(random_));
  }
  uint64_t seed() const { return seed_; }

 private:
  const uint64_t seed_;
  std::mt19937_64 random_;
};

void AwaitWriting(Child& child) {
  for (int i = 0; i < 1500 && !child.HasAcknowledged(); ++i) child.ReadFor(20ms);
  BOOST_REQUIRE_MESSAGE(child.HasAcknowledged(), "the writers do not write");
}

void Report(const Model& model, int64_t rounds, const Moments& moments) {
  BOOST_TEST_MESSAGE(rounds << " rounds, " << model.acknowledged() << " acknowledged writes, " << model.changes()
                            << " changes, seed " << moments.seed());
  // On standard output too: a run by hand is asked for its numbers.
  std::printf("%lld rounds, %zu acknowledged writes, %zu changes, seed %llu\n", static_cast<long long>(rounds),
              model.acknowledged(), model.changes(), static_cast<unsigned long long>(moments.seed()));
}

BOOST_AUTO_TEST_SUITE(crash)

BOOST_AUTO_TEST_CASE(sqlite) {
  std::string dir = "/tmp/knarr-crash-XXXXXX";
  BOOST_REQUIRE(::mkdtemp(dir.data()) != nullptr);
  const int64_t rounds = FromEnvironment("KNARR_CRASH_ROUNDS", 15);
  Moments moments;
  Model model;
  for (int64_t round = 0; round < rounds; ++round) {
    {
      Child child({"sqlite", dir, std::to_string(model.BeginRound()), std::to_string(model.watched())});
      // Some die while they open the store.
      if (round % 10 != 9) AwaitWriting(child);
      child.ReadFor(moments.UpTo(300));
      child.Kill();
      model.Hear(child.Lines());
    }
    const auto store =
        Must(OpenSqlite({.data_dir = dir, .compaction_interval = std::chrono::hours(24), .max_log_bytes = 1 << 30}));
    model.Check(*store);
  }
  BOOST_TEST(model.acknowledged() > static_cast<size_t>(rounds) * 10);
  Report(model, rounds, moments);
  BOOST_TEST(RemoveAll(dir).ok());
}

BOOST_AUTO_TEST_CASE(etcd, *boost::unit_test::precondition(testing::CanRun(testing::Etcd::Version::k3_4))) {
  const auto etcd = Must(testing::Etcd::Start({}));
  const int64_t rounds = FromEnvironment("KNARR_CRASH_ROUNDS", 5);
  Moments moments;
  Model model;
  const auto store = Must(OpenEtcd3({.endpoints = {etcd->endpoint()}, .compaction_interval = 0s}));
  for (int64_t round = 0; round < rounds; ++round) {
    {
      Child child({"etcd", etcd->endpoint(), std::to_string(model.BeginRound()), std::to_string(model.watched())});
      AwaitWriting(child);
      child.ReadFor(moments.UpTo(200));
      // By turns: etcd dies under the writers, the writers die, both.
      if (round % 3 != 1) {
        etcd->Kill();
        child.ReadFor(moments.UpTo(50));
        BOOST_REQUIRE(etcd->Restart().ok());
        if (round % 3 == 0) child.ReadFor(1500ms + moments.UpTo(500));
      }
      child.Kill();
      model.Hear(child.Lines());
    }
    for (int i = 0; i < 200 && !store->Healthy(kCtx).ok(); ++i) std::this_thread::sleep_for(50ms);
    model.Check(*store);
  }
  BOOST_TEST(model.acknowledged() > static_cast<size_t>(rounds) * 10);
  Report(model, rounds, moments);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::storage
