#include "pkg/apiserver/registry/core/service/allocators.h"

#include <boost/test/unit_test.hpp>

#include <google/protobuf/text_format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/registry/core/service/validation.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::registry::service {
namespace {

const Context kCtx = Context::Background();

core::Service Make(const std::string& spec, const std::string& name = "s") {
  core::Service service;
  const std::string text = "metadata { name: \"" + name + "\" namespace: \"ns\" } spec { " + spec + " }";
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, &service), text);
  SetDefaults(service);
  if (!service.spec().clusterip().empty() && service.spec().clusterips_size() == 0)
    service.mutable_spec()->add_clusterips(service.spec().clusterip());
  return service;
}

template <typename List>
std::string Joined(const List& list) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ",") + item;
  return out;
}

struct Fixture {
  FakeClock clock;
  std::unique_ptr<storage::Store> store = storage::NewMemoryStore(clock);
  FakeAccess access{clock};

  std::shared_ptr<Allocators> New(std::vector<std::string> ranges = {"10.0.0.0/24"}, int ports = 2768) {
    auto made = Allocators::New({.store = store.get(),
                                 .access = &access,
                                 .clock = &clock,
                                 .ranges = std::move(ranges),
                                 .node_port_first = 30000,
                                 .node_port_count = ports,
                                 .log = {}});
    BOOST_REQUIRE_MESSAGE(made.ok(), made.status().message());
    return *made;
  }
  // "" if it went well; the write is told to have `written`.
  std::string Create(Allocators& allocators, core::Service& service, bool written = true, bool dry_run = false) {
    const auto finish = allocators.Create(kCtx, service, dry_run);
    if (!finish.ok()) return std::string(finish.status().message());
    if (*finish) (*finish)(written);
    return {};
  }
  std::string Update(Allocators& allocators, core::Service& service, const core::Service& old, bool written = true) {
    const auto finish = allocators.Update(kCtx, service, old, false);
    if (!finish.ok()) return std::string(finish.status().message());
    if (*finish) (*finish)(written);
    return {};
  }
  core::RangeAllocation Stored(const std::string& name) {
    core::RangeAllocation out;
    const auto kv = *store->Get(kCtx, "/registry/ranges/" + name);
    BOOST_REQUIRE(kv.has_value());
    const auto envelope = *codec::DecodeEnvelope(kv->value);
    BOOST_TEST(envelope.kind == "RangeAllocation");
    BOOST_REQUIRE(codec::DecodeProtobuf(envelope.raw, &out).ok());
    return out;
  }
  int Used(const std::string& name) {
    int used = 0;
    const std::string data = Stored(name).data();
    for (const char byte : data) used += __builtin_popcount(static_cast<uint8_t>(byte));
    return used;
  }
  void Put(const core::Service& service) {
    access.Put({"", "services"}, api::Object(std::make_unique<core::Service>(service)));
  }
};

BOOST_FIXTURE_TEST_SUITE(service_allocators, Fixture)

BOOST_AUTO_TEST_CASE(bitmaps_are_upstreams_big_integers) {
  Bitmap bits(20);
  BOOST_TEST(bits.ToBytes() == "");
  bits.Take(0);
  bits.Take(9);
  BOOST_TEST(bits.ToBytes() == std::string("\x02\x01", 2));
  BOOST_TEST(!bits.Take(9));
  const Bitmap again = Bitmap::FromBytes(bits.ToBytes(), 20);
  BOOST_TEST(again.Has(9));
  BOOST_TEST(again.Used() == 2);
  BOOST_TEST(Bitmap::FromBytes(std::string("\xff\xff\xff\xff", 4), 20).Used() == 20);
}

BOOST_AUTO_TEST_CASE(ranges_of_addresses) {
  const auto v4 = *IpRange::Parse("10.96.0.1/12");
  BOOST_TEST(v4.spec() == "10.96.0.0/12");
  BOOST_TEST(v4.size() == (1 << 20) - 2);
  BOOST_TEST(v4.dynamic_from() == 256);
  BOOST_TEST(v4.Address(0) == "10.96.0.1");
  BOOST_TEST(v4.Offset("10.96.1.0").value() == 255);
  BOOST_TEST(!v4.Offset("10.96.0.0").has_value());
  BOOST_TEST(!v4.Offset("10.111.255.255").has_value());
  BOOST_TEST(!v4.Offset("fd00::1").has_value());
  const auto v6 = *IpRange::Parse("fd00::/108");
  BOOST_TEST(v6.size() == 65535);
  BOOST_TEST(v6.Address(0) == "fd00::1");
  BOOST_TEST(v6.Offset("fd00::10").value() == 15);
  BOOST_TEST(IpRange::Parse("10.0.0.0/28")->dynamic_from() == 0);
  BOOST_TEST(IpRange::Parse("10.0.0.0/24")->dynamic_from() == 16);
  BOOST_TEST(!IpRange::Parse("10.0.0.0/8").ok());
  BOOST_TEST(IpRange::Parse("10.0.0.0").status().message() == "invalid CIDR address: 10.0.0.0");
  BOOST_TEST(!IpRange::Parse("10.0.0.0/33").ok());
  BOOST_TEST(PortDynamicFrom(2768) == 86);
}

BOOST_AUTO_TEST_CASE(addresses_are_given_once) {
  const auto allocators = New();
  BOOST_TEST(allocators->FirstAddress() == "10.0.0.1");
  auto any = Make("ports { port: 80 }");
  BOOST_TEST(Create(*allocators, any) == "");
  BOOST_TEST(IpRange::Parse("10.0.0.0/24")->Offset(any.spec().clusterip()).value() >= 16);
  BOOST_TEST(Joined(any.spec().clusterips()) == any.spec().clusterip());
  BOOST_TEST(Joined(any.spec().ipfamilies()) == "IPv4");
  BOOST_TEST(any.spec().ipfamilypolicy() == "SingleStack");
  auto certain = Make("clusterIP: \"10.0.0.5\"");
  BOOST_TEST(Create(*allocators, certain) == "");
  auto twice = Make("clusterIP: \"10.0.0.5\"");
  BOOST_TEST(Create(*allocators, twice) ==
             "Service \"s\" is invalid: spec.clusterIPs: Invalid value: []string{\"10.0.0.5\"}: failed to allocate IP "
             "10.0.0.5: provided IP is already allocated");
  auto outside = Make("clusterIP: \"10.0.1.5\"");
  BOOST_TEST(Create(*allocators, outside) ==
             "Service \"s\" is invalid: spec.clusterIPs: Invalid value: []string{\"10.0.1.5\"}: failed to allocate IP "
             "10.0.1.5: the provided IP (10.0.1.5) is not in the valid range. The range of valid IPs is 10.0.0.0/24");
  BOOST_TEST(Stored("serviceips").range() == "10.0.0.0/24");
  BOOST_TEST(Used("serviceips") == 2);
  // Another server on the same store sees it.
  BOOST_TEST(Create(*New(), twice) != "");
  allocators->Release(kCtx, certain);
  auto later = Make("clusterIP: \"10.0.0.5\"");
  BOOST_TEST(Create(*New(), later) == "");
}

BOOST_AUTO_TEST_CASE(failed_and_dry_writes_take_nothing) {
  const auto allocators = New();
  auto failed = Make("type: \"NodePort\" ports { port: 80 }");
  BOOST_TEST(Create(*allocators, failed, false) == "");
  BOOST_TEST(failed.spec().ports(0).nodeport() >= 30086);
  BOOST_TEST(Used("serviceips") == 0);
  BOOST_TEST(Used("servicenodeports") == 0);
  auto dry = Make("type: \"NodePort\" ports { port: 80 }");
  BOOST_TEST(Create(*allocators, dry, true, true) == "");
  BOOST_TEST(!dry.spec().clusterip().empty());
  BOOST_TEST(Used("serviceips") == 0);
  // A wrong port gives the address back.
  auto wrong = Make("type: \"NodePort\" ports { port: 80 nodePort: 80 }");
  BOOST_TEST(
      Create(*allocators, wrong) ==
      "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
      "The range of valid ports is 30000-32767");
  BOOST_TEST(Used("serviceips") == 0);
}

BOOST_AUTO_TEST_CASE(full_ranges_say_so) {
  const auto allocators = New({"10.0.0.0/30"}, 1);
  auto one = Make("type: \"NodePort\" ports { port: 80 }");
  BOOST_TEST(Create(*allocators, one) == "");
  auto two = Make("type: \"NodePort\" ports { port: 80 }");
  BOOST_TEST(Create(*allocators, two) == "Internal error occurred: failed to allocate a nodePort: range is full");
  auto three = Make("ports { port: 80 }");
  BOOST_TEST(Create(*allocators, three) == "");
  auto four = Make("ports { port: 80 }");
  BOOST_TEST(Create(*allocators, four) == "Internal error occurred: failed to allocate a serviceIP: range is full");
}

BOOST_AUTO_TEST_CASE(two_families) {
  const auto allocators = New({"10.0.0.0/24", "fd00::/112"});
  auto both = Make("ipFamilyPolicy: \"PreferDualStack\"");
  BOOST_TEST(Create(*allocators, both) == "");
  BOOST_TEST(Joined(both.spec().ipfamilies()) == "IPv4,IPv6");
  BOOST_TEST(both.spec().clusterips_size() == 2);
  BOOST_TEST(FamilyOf(both.spec().clusterips(1)) == "IPv6");
  BOOST_TEST(Used("secondaryserviceips") == 1);

  auto v6_first = Make("ipFamilies: \"IPv6\" ipFamilyPolicy: \"RequireDualStack\"");
  BOOST_TEST(Create(*allocators, v6_first) == "");
  BOOST_TEST(FamilyOf(v6_first.spec().clusterip()) == "IPv6");

  auto mixed = Make("clusterIP: \"10.0.0.9\" clusterIPs: \"10.0.0.9\" clusterIPs: \"fd00::9\"");
  BOOST_TEST(
      Create(*allocators, mixed) ==
      "Service \"s\" is invalid: spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or "
      "'PreferDualStack' when multiple cluster IPs are specified");

  // Down to one and up again.
  auto one = both;
  one.mutable_spec()->set_ipfamilypolicy("SingleStack");
  BOOST_TEST(Update(*allocators, one, both) == "");
  BOOST_TEST(one.spec().clusterips_size() == 1);
  BOOST_TEST(Used("secondaryserviceips") == 1);  // v6_first's
  auto again = one;
  again.mutable_spec()->set_ipfamilypolicy("RequireDualStack");
  BOOST_TEST(Update(*allocators, again, one) == "");
  BOOST_TEST(again.spec().clusterips_size() == 2);
  BOOST_TEST(Used("secondaryserviceips") == 2);
}

BOOST_AUTO_TEST_CASE(one_family_and_no_more) {
  const auto allocators = New();
  auto both = Make("ipFamilyPolicy: \"RequireDualStack\"");
  BOOST_TEST(Create(*allocators, both) ==
             "Service \"s\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not "
             "configured for dual-stack services");
  auto v6 = Make("ipFamilies: \"IPv6\"");
  BOOST_TEST(Create(*allocators, v6) ==
             "Service \"s\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster");
  auto preferred = Make("ipFamilyPolicy: \"PreferDualStack\"");
  BOOST_TEST(Create(*allocators, preferred) == "");
  BOOST_TEST(Joined(preferred.spec().ipfamilies()) == "IPv4");
  auto headless = Make("clusterIP: \"None\"");
  BOOST_TEST(Create(*allocators, headless) == "");
  BOOST_TEST(Joined(headless.spec().ipfamilies()) == "IPv4,IPv6");
  BOOST_TEST(headless.spec().ipfamilypolicy() == "RequireDualStack");
  auto selecting = Make("clusterIP: \"None\" selector { key: \"a\" value: \"b\" }");
  BOOST_TEST(Create(*allocators, selecting) == "");
  BOOST_TEST(selecting.spec().ipfamilypolicy() == "SingleStack");
  BOOST_TEST(Used("serviceips") == 1);
}

BOOST_AUTO_TEST_CASE(node_ports_follow_the_type) {
  const auto allocators = New();
  auto dns = Make(R"(type: "NodePort" ports { name: "u" port: 53 protocol: "UDP" nodePort: 30053 }
                     ports { name: "t" port: 53 protocol: "TCP" } ports { name: "m" port: 80 })");
  BOOST_TEST(Create(*allocators, dns) == "");
  BOOST_TEST(dns.spec().ports(1).nodeport() == 30053);
  BOOST_TEST(Used("servicenodeports") == 2);
  auto taken = Make("type: \"NodePort\" ports { port: 1 nodePort: 30053 }");
  BOOST_TEST(
      Create(*allocators, taken) ==
      "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 30053: provided port is already allocated");

  auto moved = dns;
  moved.mutable_spec()->mutable_ports(2)->set_nodeport(30054);
  BOOST_TEST(Update(*allocators, moved, dns) == "");
  BOOST_TEST(Used("servicenodeports") == 2);
  auto plain = moved;
  plain.mutable_spec()->set_type("ClusterIP");
  for (auto& port : *plain.mutable_spec()->mutable_ports()) port.clear_nodeport();
  BOOST_TEST(Update(*allocators, plain, moved, false) == "");  // the write failed: nothing is given back
  BOOST_TEST(Used("servicenodeports") == 2);
  BOOST_TEST(Update(*allocators, plain, moved) == "");
  BOOST_TEST(Used("servicenodeports") == 0);

  auto balanced = Make("type: \"LoadBalancer\" externalTrafficPolicy: \"Local\" ports { port: 80 }");
  BOOST_TEST(Create(*allocators, balanced) == "");
  BOOST_TEST(balanced.spec().healthchecknodeport() >= 30000);
  BOOST_TEST(Used("servicenodeports") == 2);
  allocators->Release(kCtx, balanced);
  BOOST_TEST(Used("servicenodeports") == 0);
}

BOOST_AUTO_TEST_CASE(external_names_have_no_address) {
  const auto allocators = New();
  auto service = Make("ports { port: 80 }");
  BOOST_TEST(Create(*allocators, service) == "");
  auto external = Make("type: \"ExternalName\" externalName: \"a.b\"");
  BOOST_TEST(Update(*allocators, external, service) == "");
  BOOST_TEST(Used("serviceips") == 0);
  auto back = Make("ports { port: 80 }");
  BOOST_TEST(Update(*allocators, back, external) == "");
  BOOST_TEST(!back.spec().clusterip().empty());
  BOOST_TEST(Used("serviceips") == 1);
}

BOOST_AUTO_TEST_CASE(repair_believes_the_services) {
  auto first = Make("clusterIP: \"10.0.0.7\" type: \"NodePort\" ports { port: 1 nodePort: 30001 }", "a");
  auto double_use = Make("clusterIP: \"10.0.0.7\"", "b");
  auto outside = Make("clusterIP: \"10.9.0.7\"", "c");
  Put(first);
  Put(double_use);
  Put(outside);
  const auto allocators = New();
  // a's address and port are not in the books, b has a's address, c is outside.
  BOOST_TEST(*allocators->Repair(kCtx) == 4);
  BOOST_TEST(*allocators->Repair(kCtx) == 2);
  BOOST_TEST(Used("serviceips") == 1);
  BOOST_TEST(Used("servicenodeports") == 1);
  auto again = Make("clusterIP: \"10.0.0.7\"");
  BOOST_TEST(Create(*allocators, again) != "");
}

BOOST_AUTO_TEST_CASE(leaks_are_freed_the_third_time) {
  const auto allocators = New();
  auto lost = Make("clusterIP: \"10.0.0.7\" type: \"NodePort\" ports { port: 1 nodePort: 30001 }");
  BOOST_TEST(Create(*allocators, lost) == "");  // and never written
  BOOST_TEST(*allocators->Repair(kCtx) == 2);
  BOOST_TEST(*allocators->Repair(kCtx) == 2);
  BOOST_TEST(Used("serviceips") == 1);
  BOOST_TEST(*allocators->Repair(kCtx) == 2);
  BOOST_TEST(Used("serviceips") == 0);
  BOOST_TEST(Used("servicenodeports") == 0);
  BOOST_TEST(*allocators->Repair(kCtx) == 0);
}

BOOST_AUTO_TEST_CASE(repairs_come_with_allocations_once_an_hour) {
  const auto allocators = New();
  auto lost = Make("clusterIP: \"10.0.0.7\"");
  BOOST_TEST(Create(*allocators, lost) == "");  // and never written
  const auto allocate = [&] {
    auto service = Make("ports { port: 80 }");
    BOOST_TEST(Create(*allocators, service, false) == "");
  };
  for (int i = 0; i < 3; ++i) {
    allocate();
    BOOST_TEST(Used("serviceips") == 1);
    clock.Advance(std::chrono::hours(1));
  }
  allocate();
  BOOST_TEST(Used("serviceips") == 0);
}

BOOST_AUTO_TEST_CASE(another_range_is_taken_over_by_repair) {
  auto old = Make("ports { port: 80 }");
  BOOST_TEST(Create(*New({"10.1.0.0/24"}), old) == "");
  const auto allocators = New({"10.2.0.0/24"});
  auto service = Make("ports { port: 80 }");
  BOOST_TEST(Create(*allocators, service) == "");
  BOOST_TEST(Stored("serviceips").range() == "10.2.0.0/24");
  BOOST_TEST(service.spec().clusterip().starts_with("10.2.0."));
}

BOOST_AUTO_TEST_CASE(two_servers_never_give_the_same) {
  const auto a = New({"10.0.0.0/27"}), b = New({"10.0.0.0/27"});
  std::set<std::string> seen;
  for (int i = 0; i < 30; ++i) {
    auto service = Make("ports { port: 80 }");
    BOOST_TEST(Create(i % 2 == 0 ? *a : *b, service) == "");
    BOOST_TEST(seen.insert(service.spec().clusterip()).second);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry::service
