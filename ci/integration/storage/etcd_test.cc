// The store on real etcd, both versions: the contract, TLS, restarts, several endpoints, compaction.
#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <thread>

#include "ci/integration/lib/etcd.h"
#include "pkg/apiserver/storage/contract_test.h"
#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/file.h"
#include "pkg/cli/datastore.h"
#include "pkg/net/tls/tls.h"

namespace knarr::storage {
namespace {

using namespace std::chrono_literals;
using testing::Etcd;

const Context kCtx = Context::Background();

template <typename T>
T Must(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
  return std::move(*result);
}
void Must(const Status& status) {
  BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
}

std::unique_ptr<Store> Open(std::vector<std::string> endpoints, Clock* clock = nullptr) {
  return Must(OpenEtcd3({.endpoints = std::move(endpoints), .clock = clock}));
}

// One etcd for the cases of a suite.
std::unique_ptr<Etcd> shared;
void Start34() {
  shared = Must(Etcd::Start({.version = Etcd::Version::k3_4}));
}
void Start35() {
  shared = Must(Etcd::Start({.version = Etcd::Version::k3_5}));
}
void Stop() {
  shared.reset();
}

ContractSubject Subject(bool has_progress) {
  return {.store = Open({shared->endpoint()}), .advance = nullptr, .has_progress = has_progress};
}

BOOST_AUTO_TEST_SUITE(etcd_3_4, *boost::unit_test::precondition(testing::CanRun(Etcd::Version::k3_4)) *
                                    boost::unit_test::fixture(Start34, Stop))
KNARR_STORE_CONTRACT([] { return Subject(false); });
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(etcd_3_5, *boost::unit_test::precondition(testing::CanRun(Etcd::Version::k3_5)) *
                                    boost::unit_test::fixture(Start35, Stop))
KNARR_STORE_CONTRACT([] { return Subject(true); });
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(etcd, *boost::unit_test::precondition(testing::CanRun(Etcd::Version::k3_4)))

BOOST_AUTO_TEST_CASE(watches_go_on_after_a_restart) {
  const auto etcd = Must(Etcd::Start({}));
  const auto store = Open({etcd->endpoint()});
  RecordingSink sink("/a/");
  auto watch = Must(store->Watch(kCtx, "/a/", 1, sink));
  std::vector<std::string> keys;
  const auto create = [&](int i) {
    // A write whose connection breaks may be done or not: look.
    const std::string key = fmt::format("/a/{:03}", i);
    keys.push_back(key);
    for (int attempt = 0; attempt < 300; ++attempt) {
      const auto result = store->Create(kCtx.WithTimeout(5s), key, "v", 0);
      if (result.ok()) return;
      std::this_thread::sleep_for(20ms);
    }
    BOOST_FAIL("etcd does not come back");
  };
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 25; ++i) create(round * 25 + i);
    if (round == 3) break;
    etcd->Kill();
    Must(etcd->Restart());
  }
  BOOST_REQUIRE(sink.WaitForEvents(keys.size()));
  watch.reset();
  const auto events = sink.events();
  BOOST_REQUIRE(events.size() == keys.size());
  for (size_t i = 0; i < keys.size(); ++i) BOOST_TEST(events[i].kv.key == keys[i]);
  BOOST_TEST(sink.problems().empty());
}

BOOST_AUTO_TEST_CASE(one_endpoint_of_several_is_enough) {
  const auto etcd = Must(Etcd::Start({}));
  const std::string nobody = fmt::format("http://127.0.0.1:{}", testing::FreePort());
  const auto store = Open({nobody, etcd->endpoint()});
  BOOST_TEST(Must(store->Create(kCtx, "/a", "1", 0)).succeeded);
  BOOST_TEST(store->Healthy(kCtx).ok());
  const StoreStatus status = Must(store->GetStatus(kCtx));
  BOOST_TEST(status.detail.find(nobody + " (does not answer)") != std::string::npos);
  BOOST_TEST(status.detail.find(etcd->endpoint() + " (3.4.") != std::string::npos);
  RecordingSink sink;
  const auto watch = Must(store->Watch(kCtx, "/", 1, sink));
  BOOST_TEST(sink.WaitForEvents(1));
}

BOOST_AUTO_TEST_CASE(servers_compact_by_turns) {
  const auto etcd = Must(Etcd::Start({}));
  FakeClock clock, other_clock;
  const auto store = Open({etcd->endpoint()}, &clock);
  const auto other = Open({etcd->endpoint()}, &other_clock);
  const Revision first = Must(store->Create(kCtx, "/a", "1", 0)).revision;
  const Revision second = Must(store->Update(kCtx, "/a", "2", first, 0)).revision;
  const auto round = [&](FakeClock& turn) {
    for (int i = 0; i < 5000 && turn.Pending() == 0; ++i) std::this_thread::sleep_for(1ms);
    turn.Advance(300s);
  };
  const auto await_version = [&](std::string_view value, Revision after) {
    Revision at = 0;
    for (int i = 0; i < 5000; ++i) {
      const auto kv = Must(store->Get(kCtx, "compact_rev_key"));
      if (kv && kv->mod_revision > after) {
        BOOST_TEST(kv->value == value);
        at = kv->mod_revision;
        break;
      }
      std::this_thread::sleep_for(1ms);
    }
    BOOST_REQUIRE(at > 0);
    return at;
  };
  round(clock);  // takes the turn, notes the revision
  const Revision noted = await_version("0", 0);
  BOOST_TEST(Must(store->Get(kCtx, "/a", first))->value == "1");
  round(other_clock);  // sees that another one has it
  round(clock);        // compacts to what it noted
  await_version(std::to_string(noted), noted);
  bool expired = false;
  for (int i = 0; i < 5000 && !expired; ++i) {
    expired = store->Get(kCtx, "/a", first).status().Is(Code::kExpired);
    if (!expired) std::this_thread::sleep_for(1ms);
  }
  BOOST_TEST(expired);
  BOOST_TEST(Must(store->Get(kCtx, "/a"))->mod_revision == second);
}

BOOST_AUTO_TEST_CASE(a_datastore_moves_to_etcd_and_back) {
  std::string dir = "/tmp/knarr-migrate-XXXXXX";
  BOOST_REQUIRE(::mkdtemp(dir.data()) != nullptr);
  const auto etcd = Must(Etcd::Start({}));
  std::map<std::string, std::string> wanted;
  {
    const auto sqlite = Must(OpenSqlite({.data_dir = dir + "/from"}));
    for (int i = 0; i < 700; ++i) {
      const std::string key = fmt::format("/registry/pods/default/{:03}", i);
      wanted[key] = std::string("k8s\0", 4) + std::to_string(i);
      BOOST_REQUIRE(Must(sqlite->Create(kCtx, key, wanted[key], 0)).succeeded);
    }
  }
  const std::string servers = "--etcd-servers=" + etcd->endpoint();
  BOOST_TEST(cli::DatastoreMain({"migrate", "--data-dir=" + dir + "/from", servers}) == 0);
  BOOST_TEST(cli::DatastoreMain({"migrate", "--data-dir=" + dir + "/from", servers}) == 1);  // not empty any more
  BOOST_TEST(cli::DatastoreMain({"status", servers}) == 0);
  BOOST_TEST(cli::DatastoreMain({"migrate", "--to=sqlite", "--data-dir=" + dir + "/back", servers}) == 0);
  const auto back = Must(OpenSqlite({.data_dir = dir + "/back"}));
  const auto there = Open({etcd->endpoint()});
  for (Store* store : {there.get(), back.get()}) {
    std::map<std::string, std::string> found;
    for (KeyValue& kv : Must(store->List(kCtx, "/registry/", {})).items) found[kv.key] = kv.value;
    BOOST_TEST((found == wanted));
  }
  Must(RemoveAll(dir));
}

BOOST_AUTO_TEST_CASE(without_etcd_it_says_so) {
  const auto store = Open({fmt::format("http://127.0.0.1:{}", testing::FreePort())});
  const Status status = store->Healthy(kCtx);
  BOOST_TEST(!status.ok());
  BOOST_TEST(status.message().find("error getting data from etcd") == 0U);
  BOOST_TEST(store->Create(kCtx, "/a", "1", 0).status().Is(Code::kServiceUnavailable));
  BOOST_TEST(!store->GetStatus(kCtx).ok());
}

BOOST_AUTO_TEST_CASE(clients_show_a_certificate) {
  std::string dir = "/tmp/knarr-etcd-tls-XXXXXX";
  BOOST_REQUIRE(::mkdtemp(dir.data()) != nullptr);
  const WallTime now = Clock::Real().Now();
  const auto issue = [&](const std::string& name, bool ca, bool client, const tls::KeyPair* issuer) {
    const tls::KeyPair pair = Must(tls::IssueCertificate({.common_name = name,
                                                          .names = {"127.0.0.1", "localhost"},
                                                          .ca = ca,
                                                          .client = client,
                                                          .not_before = now - 1h,
                                                          .not_after = now + 1h},
                                                         issuer));
    Must(WriteFileAtomically(dir + "/" + name + ".crt", pair.cert_pem, 0644));
    Must(WriteFileAtomically(dir + "/" + name + ".key", pair.key_pem, 0600));
    return pair;
  };
  const tls::KeyPair ca = issue("ca", true, false, nullptr);
  issue("other-ca", true, false, nullptr);
  // etcd's own gateway uses the server's certificate as a client's.
  issue("server", false, false, &ca);
  issue("client", false, true, &ca);
  const auto file = [&](const char* name) { return dir + "/" + name; };
  {
    const auto etcd =
        Must(Etcd::Start({.ca_file = file("ca.crt"), .cert_file = file("server.crt"), .key_file = file("server.key")}));
    Etcd3Options options{.endpoints = {etcd->endpoint()},
                         .ca_file = file("ca.crt"),
                         .cert_file = file("client.crt"),
                         .key_file = file("client.key")};
    {
      const auto store = Must(OpenEtcd3(options));
      BOOST_TEST(Must(store->Create(kCtx, "/a", "1", 0)).succeeded);
      RecordingSink sink;
      const auto watch = Must(store->Watch(kCtx, "/", 1, sink));
      BOOST_TEST(sink.WaitForEvents(1));
    }
    Etcd3Options other_ca = options;
    other_ca.ca_file = file("other-ca.crt");
    BOOST_TEST(!Must(OpenEtcd3(other_ca))->Healthy(kCtx).ok());
    Etcd3Options nameless = options;
    nameless.cert_file = nameless.key_file = "";
    BOOST_TEST(!Must(OpenEtcd3(nameless))->Healthy(kCtx).ok());
  }
  Must(RemoveAll(dir));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::storage
