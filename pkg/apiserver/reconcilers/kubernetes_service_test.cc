#include "pkg/apiserver/reconcilers/kubernetes_service.h"

#include <boost/test/unit_test.hpp>

#include <condition_variable>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/discovery/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::reconcilers {
namespace {

using ::k8s::io::api::discovery::v1::EndpointSlice;
const Context kCtx = Context::Background();

// Tells when a lease has run out: the store notices on a thread of its own.
class Expiry : public storage::WatchSink {
 public:
  void OnEvents(std::vector<storage::Event> events, storage::Revision) override {
    const std::lock_guard lock(mutex_);
    for (const auto& event : events) gone_ = gone_ || event.type == storage::EventType::kDelete;
    changed_.notify_all();
  }
  void OnProgress(storage::Revision) override {}
  void OnEnd(const Status&) override {}
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return gone_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gone_ = false;
};

struct Fixture {
  FakeClock clock;
  std::unique_ptr<storage::Store> store = storage::NewMemoryStore(clock);
  registry::FakeAccess access{clock};

  Options For(const std::string& address) {
    return {.access = &access,
            .store = store.get(),
            .clock = &clock,
            .log = {},
            .advertise_address = address,
            .service_address = "10.96.0.1"};
  }
  std::string Endpoints() {
    const auto ref = access.Find({"", "endpoints"}, "default", "kubernetes");
    if (!ref) return "none";
    std::string out;
    for (const auto& subset : ref->As<core::Endpoints>().subsets()) {
      for (const auto& address : subset.addresses()) out += address.ip() + " ";
      for (const auto& port : subset.ports()) out += port.name() + "=" + std::to_string(port.port());
    }
    return out;
  }
  std::string Slice() {
    const auto ref = access.Find({"discovery.k8s.io", "endpointslices"}, "default", "kubernetes");
    if (!ref) return "none";
    const auto& slice = ref->As<EndpointSlice>();
    std::string out = slice.addresstype();
    for (const auto& endpoint : slice.endpoints()) out += " " + endpoint.addresses(0);
    return out;
  }
};

BOOST_FIXTURE_TEST_SUITE(kubernetes_service, Fixture)

BOOST_AUTO_TEST_CASE(types_of_reconcilers) {
  BOOST_TEST((*ParseEndpointReconciler("lease") == EndpointReconciler::kLease));
  BOOST_TEST((*ParseEndpointReconciler("none") == EndpointReconciler::kNone));
  BOOST_TEST(ParseEndpointReconciler("x").status().message() ==
             "unknown endpoint reconciler type: \"x\" (lease, none)");
}

BOOST_AUTO_TEST_CASE(the_first_round_makes_everything) {
  KubernetesService one(For("192.0.2.1"));
  BOOST_TEST(one.Reconcile(kCtx).ok());
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"})
    BOOST_TEST((access.Find({"", "namespaces"}, "", name) != nullptr));
  const auto ref = access.Find({"", "services"}, "default", "kubernetes");
  BOOST_REQUIRE(ref);
  const auto& spec = ref->As<core::Service>().spec();
  BOOST_TEST(spec.clusterip() == "10.96.0.1");
  BOOST_TEST(spec.ports(0).targetport().intval() == 6443);
  BOOST_TEST(ref->metadata().labels().at("component") == "apiserver");
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
  BOOST_TEST(Slice() == "IPv4 192.0.2.1");
  // A second round writes nothing but the lease.
  const int writes = access.writes();
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(access.writes() == writes);
}

BOOST_AUTO_TEST_CASE(servers_come_and_go) {
  KubernetesService one(For("192.0.2.1")), two(For("192.0.2.2"));
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(two.Reconcile(kCtx).ok());
  BOOST_TEST(Endpoints() == "192.0.2.1 192.0.2.2 https=6443");
  BOOST_TEST(two.Stop(kCtx).ok());
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
  BOOST_TEST(Slice() == "IPv4 192.0.2.1");
  // The last one leaves its address.
  BOOST_TEST(one.Stop(kCtx).ok());
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
  BOOST_TEST(*store->Count(kCtx, "/registry/masterleases/") == 0);
}

BOOST_AUTO_TEST_CASE(a_server_that_died_is_forgotten) {
  KubernetesService one(For("192.0.2.1"));
  {
    KubernetesService two(For("192.0.2.2"));
    BOOST_TEST(two.Reconcile(kCtx).ok());
  }
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(Endpoints() == "192.0.2.1 192.0.2.2 https=6443");
  Expiry expiry;
  const auto watch = store->Watch(kCtx, "/registry/masterleases/", *store->CurrentRevision(kCtx), expiry);
  BOOST_REQUIRE(watch.ok());
  clock.Advance(std::chrono::seconds(10));
  BOOST_TEST(one.Reconcile(kCtx).ok());
  clock.Advance(std::chrono::seconds(8));
  expiry.Wait();
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
}

BOOST_AUTO_TEST_CASE(rounds_repeat_and_heal) {
  KubernetesService one(For("192.0.2.1"));
  access.FailWrites({Error(Code::kInternal, "not yet")});
  one.Start();
  one.Drain();
  BOOST_TEST(!one.Ready());
  clock.Advance(std::chrono::seconds(1));
  one.Drain();
  BOOST_TEST(one.Ready());
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
  BOOST_TEST(access.Delete(kCtx, {"", "endpoints"}, "default", "kubernetes", "").ok());
  BOOST_TEST(access.Delete(kCtx, {"", "services"}, "default", "kubernetes", "").ok());
  clock.Advance(std::chrono::seconds(10));
  one.Drain();
  BOOST_TEST(Endpoints() == "192.0.2.1 https=6443");
  BOOST_TEST((access.Find({"", "services"}, "default", "kubernetes") != nullptr));
  BOOST_TEST(one.Stop(kCtx).ok());
  const int writes = access.writes();
  clock.Advance(std::chrono::seconds(60));
  one.Drain();
  BOOST_TEST(access.writes() == writes);
}

BOOST_AUTO_TEST_CASE(a_sole_server_writes_nothing_while_nothing_changes) {
  Options options = For("fd00::1");
  options.sole_server = true;
  KubernetesService one(options);
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(Slice() == "IPv6 fd00::1");
  const auto revision = *store->CurrentRevision(kCtx);
  const int writes = access.writes();
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(*store->CurrentRevision(kCtx) == revision);
  BOOST_TEST(access.writes() == writes);
  BOOST_TEST(*store->Count(kCtx, "/registry/masterleases/") == 0);
}

BOOST_AUTO_TEST_CASE(none_leaves_the_endpoints_alone) {
  Options options = For("192.0.2.1");
  options.type = EndpointReconciler::kNone;
  options.node_port = 30443;
  KubernetesService one(options);
  BOOST_TEST(one.Reconcile(kCtx).ok());
  BOOST_TEST(Endpoints() == "none");
  BOOST_TEST(access.Find({"", "services"}, "default", "kubernetes")->As<core::Service>().spec().type() == "NodePort");
  BOOST_TEST(one.Stop(kCtx).ok());
}

BOOST_AUTO_TEST_CASE(a_new_port_is_put_into_the_service_at_start) {
  BOOST_TEST(KubernetesService(For("192.0.2.1")).Reconcile(kCtx).ok());
  Options options = For("192.0.2.1");
  options.secure_port = 8443;
  KubernetesService moved(options);
  BOOST_TEST(moved.Reconcile(kCtx).ok());
  const auto ref = access.Find({"", "services"}, "default", "kubernetes");
  BOOST_TEST(ref->As<core::Service>().spec().ports(0).targetport().intval() == 8443);
  BOOST_TEST(ref->As<core::Service>().spec().clusterip() == "10.96.0.1");
  BOOST_TEST(Endpoints() == "192.0.2.1 https=8443");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::reconcilers
