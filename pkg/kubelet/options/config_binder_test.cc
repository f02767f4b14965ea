#include "pkg/kubelet/options/config_binder.h"

#include <boost/test/unit_test.hpp>

namespace knarr::config {
namespace {

struct Item {
  std::string key;
  int64_t seconds = 0;
};

struct Fixture {
  bool on = true;
  std::optional<bool> maybe;
  int port = 10250, healthz = 10248;
  std::optional<double> factor;
  std::string path = "/default";
  std::chrono::nanoseconds period = std::chrono::seconds(20);
  std::vector<std::string> list = {"a"};
  std::map<std::string, std::string> map;
  std::map<std::string, bool> gates;
  std::vector<Item> items;
  Binder binder{"Thing"};

  Fixture() {
    binder.Field("on", &on);
    binder.Field("maybe", &maybe);
    binder.Field("port", &port, Go::kValue);
    binder.Field("healthz", &healthz, Go::kPointer);
    binder.Field("factor", &factor);
    binder.Field("nested.deep.path", &path);
    binder.Field("nested.period", &period);
    binder.Field("list", &list);
    binder.Field("map", &map);
    binder.Field("gates", &gates);
    binder.List(
        "items",
        [this](Binder& item, size_t i) {
          item.Field("key", &items[i].key, Go::kPointer);
          item.Field("seconds", &items[i].seconds, Go::kPointer);
        },
        [this] { return items.size(); }, [this](size_t size) { items.resize(size); });
    binder.Opaque("opaque");
  }
  std::string Errors(std::string_view json) {
    std::string text;
    for (const Finding& finding : binder.Decode(json)) text += finding.path + "|" + finding.text + "\n";
    return text;
  }
};

BOOST_AUTO_TEST_SUITE(config_binder)

BOOST_FIXTURE_TEST_CASE(values_are_read, Fixture) {
  BOOST_TEST(Errors(R"({"apiVersion":"v1","kind":"Thing","on":false,"maybe":true,"port":1,"healthz":0,"factor":0.5,
      "nested":{"deep":{"path":"/x"},"period":"1m"},"list":["b","c"],"map":{"a":"b"},"gates":{"A":true},
      "items":[{"key":"k","seconds":7}],"opaque":{"any":[1]}})") == "");
  BOOST_TEST(!on);
  BOOST_TEST(maybe.value());
  BOOST_TEST(port == 1);
  BOOST_TEST(healthz == 0);
  BOOST_TEST(factor.value() == 0.5);
  BOOST_TEST(path == "/x");
  BOOST_TEST((period == std::chrono::minutes(1)));
  BOOST_TEST(list.size() == 2U);
  BOOST_TEST(map.at("a") == "b");
  BOOST_TEST(gates.at("A"));
  BOOST_TEST(items.at(0).seconds == 7);
  BOOST_TEST(
      binder.Encode("g/v1", "Thing") ==
      R"({"kind":"Thing","apiVersion":"g/v1","on":false,"maybe":true,"port":1,"healthz":0,"factor":5E-1,"nested":{"deep":{"path":"/x"},"period":"1m0s"},"list":["b","c"],"map":{"a":"b"},"gates":{"A":true},"items":[{"key":"k","seconds":7}],"opaque":{"any":[1]}})");
}

BOOST_FIXTURE_TEST_CASE(null_absent_and_zero_values_leave_the_default, Fixture) {
  BOOST_TEST(Errors(R"({"on":null,"port":0,"nested":{"deep":{"path":""},"period":"0s"},"list":null})") == "");
  BOOST_TEST(on);
  BOOST_TEST(port == 10250);
  BOOST_TEST(path == "/default");
  BOOST_TEST((period == std::chrono::seconds(20)));
  BOOST_TEST(list.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(everything_wrong_is_told_in_gos_words, Fixture) {
  BOOST_TEST(
      Errors(R"({"foo":1,"nested":{"bar":2,"deep":7},"port":"x","on":1,"list":"a","map":{"a":1},"gates":{"A":"x"},
      "healthz":3000000000,"items":[{"key":1,"more":2},3]})") ==
      "foo|unknown field \"foo\"\n"
      "nested.bar|unknown field \"nested.bar\"\n"
      "nested.deep|json: cannot unmarshal number into Go struct field Thing.nested.deep of type struct\n"
      "port|json: cannot unmarshal string into Go struct field Thing.port of type int32\n"
      "on|json: cannot unmarshal number into Go struct field Thing.on of type bool\n"
      "list|json: cannot unmarshal string into Go struct field Thing.list of type []string\n"
      "map|json: cannot unmarshal object into Go struct field Thing.map of type map[string]string\n"
      "gates|json: cannot unmarshal object into Go struct field Thing.gates of type map[string]bool\n"
      "healthz|json: cannot unmarshal number into Go struct field Thing.healthz of type int32\n"
      "items[0].key|json: cannot unmarshal number into Go struct field Thing.items[0].key of type string\n"
      "items[0].more|unknown field \"items[0].more\"\n"
      "items[1]|json: cannot unmarshal number into Go struct field Thing.items[1] of type struct\n");
  BOOST_TEST(Errors(R"({"nested":{"period":"10"}})")
                 .starts_with("nested.period|nested.period: time: missing unit in duration"));
  BOOST_TEST(Errors("[]") == "|json: cannot unmarshal array into Go value of type Thing\n");
  BOOST_TEST(Errors("{") != "");
}

BOOST_AUTO_TEST_CASE(merging_follows_rfc_7386) {
  BOOST_TEST(*MergeJson(R"({"a":1,"b":{"c":1,"d":2},"l":[1,2]})", R"({"b":{"d":null,"e":3},"l":[3],"n":{"x":1}})") ==
             R"({"a":1,"b":{"c":1,"e":3},"l":[3],"n":{"x":1}})");
  BOOST_TEST(HasPath(R"({"a":{"b":0}})", "a.b"));
  BOOST_TEST(!HasPath(R"({"a":{"b":null}})", "a.b"));
  BOOST_TEST(!HasPath(R"({"a":7})", "a.b"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::config
