#include "pkg/base/flags/flags.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <ostream>

namespace knarr::flags {
namespace {

struct Fixture {
  bool swap = true, help = false;
  int port = 10250;
  int64_t big = 0;
  int verbosity = 0;
  double factor = 0;
  std::string config;
  std::chrono::nanoseconds period = std::chrono::seconds(20);
  std::vector<std::string> dns = {"10.0.0.10"};
  std::map<std::string, std::string> labels, eviction = {{"memory.available", "100Mi"}};
  std::map<std::string, bool> gates;
  FlagSet set;
  std::vector<std::string> positional;

  Fixture() {
    set.Bool(&swap, "fail-swap-on", "Fails with swap.");
    set.Bool(&help, "help", "help for it").Shorthand('h');
    set.Int(&port, "port", "The port.");
    set.Int64(&big, "big", "A big number.");
    set.Int(&verbosity, "v", "Verbosity.").Shorthand('v');
    set.Double(&factor, "factor", "A factor.");
    set.String(&config, "config", "The file.");
    set.Section("Misc");
    set.Duration(&period, "period", "The period.");
    set.Strings(&dns, "cluster-dns", "Addresses.").Deprecated("use the file");
    set.StringMap(&labels, "node-labels", "Labels.");
    set.StringMap(&eviction, "eviction-hard", "Thresholds.", '<');
    set.BoolMap(&gates, "feature-gates", "Gates.");
    set.Ignored("network-plugin", "string", "Gone.", "CNI is always used");
  }
  // "" or the error.
  std::string Run(const std::vector<std::string>& args) {
    Status status = set.Parse(args, &positional);
    if (status.ok()) status = set.Apply();
    return status.ok() ? "" : std::string(status.message());
  }
};

struct ErrorCase {
  std::vector<std::string> args;
  std::string error;
};
std::ostream& operator<<(std::ostream& out, const ErrorCase& c) {
  return out << c.error;
}

const std::vector<ErrorCase> kErrors = {
    {{"--foo"}, "unknown flag: --foo"},
    {{"--foo=1"}, "unknown flag: --foo"},
    {{"--foo_bar"}, "unknown flag: --foo_bar"},
    {{"--port"}, "flag needs an argument: --port"},
    {{"-v"}, "flag needs an argument: 'v' in -v"},
    {{"-x"}, "unknown shorthand flag: 'x' in -x"},
    {{"---port=1"}, "bad flag syntax: ---port=1"},
    {{"--=1"}, "bad flag syntax: --=1"},
    {{"--port=abc"}, "invalid argument \"abc\" for \"--port\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax"},
    {{"--port="}, "invalid argument \"\" for \"--port\" flag: strconv.ParseInt: parsing \"\": invalid syntax"},
    {{"--port=3000000000"},
     "invalid argument \"3000000000\" for \"--port\" flag: strconv.ParseInt: parsing \"3000000000\": value out of "
     "range"},
    {{"-v=x"}, "invalid argument \"x\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"},
    {{"--fail-swap-on=maybe"},
     "invalid argument \"maybe\" for \"--fail-swap-on\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"},
    {{"--feature-gates=A"}, "invalid argument \"A\" for \"--feature-gates\" flag: missing bool value for A"},
    {{"--feature-gates=A=x"},
     "invalid argument \"A=x\" for \"--feature-gates\" flag: invalid value of A: x, err: strconv.ParseBool: parsing "
     "\"x\": invalid syntax"},
    {{"--node-labels=a"}, "invalid argument \"a\" for \"--node-labels\" flag: malformed pair, expect string=string"},
    {{"--eviction-hard=a=1"},
     "invalid argument \"a=1\" for \"--eviction-hard\" flag: malformed pair, expect string<string"},
};

BOOST_AUTO_TEST_SUITE(flags)

BOOST_DATA_TEST_CASE(errors_are_in_the_words_of_pflag, boost::unit_test::data::make(kErrors), c) {
  Fixture f;
  BOOST_TEST(f.Run(c.args) == c.error);
}

BOOST_FIXTURE_TEST_CASE(values_come_after_an_equals_sign_or_as_the_next_word, Fixture) {
  BOOST_TEST(Run({"--port=1", "--config", "/x", "--period", "1m30s", "--big=-5", "--factor=0.5"}) == "");
  BOOST_TEST(port == 1);
  BOOST_TEST(config == "/x");
  BOOST_TEST((period == std::chrono::seconds(90)));
  BOOST_TEST(big == -5);
  BOOST_TEST(factor == 0.5);
  BOOST_TEST(set.Changed("port"));
  BOOST_TEST(!set.Changed("fail-swap-on"));
}

BOOST_FIXTURE_TEST_CASE(underscores_are_dashes, Fixture) {
  BOOST_TEST(Run({"--fail_swap_on=false"}) == "");
  BOOST_TEST(!swap);
}

BOOST_FIXTURE_TEST_CASE(a_bool_never_eats_the_next_word, Fixture) {
  BOOST_TEST(Run({"--fail-swap-on", "false", "--port=2"}) == "");
  BOOST_TEST(swap);
  BOOST_TEST(positional == std::vector<std::string>{"false"}, boost::test_tools::per_element());
  BOOST_TEST(port == 2);
}

BOOST_FIXTURE_TEST_CASE(a_shorthand_takes_its_value_in_three_ways, Fixture) {
  BOOST_TEST(Run({"-v=2"}) == "");
  BOOST_TEST(verbosity == 2);
  BOOST_TEST(Run({"-v3"}) == "");
  BOOST_TEST(verbosity == 3);
  BOOST_TEST(Run({"-v", "4"}) == "");
  BOOST_TEST(verbosity == 4);
  BOOST_TEST(Run({"-hv5"}) == "");
  BOOST_TEST(help);
  BOOST_TEST(verbosity == 5);
}

BOOST_FIXTURE_TEST_CASE(lists_replace_the_default_and_grow_when_repeated, Fixture) {
  BOOST_TEST(Run({"--cluster-dns=1.1.1.1,2.2.2.2", "--cluster-dns", "3.3.3.3"}) == "");
  const std::vector<std::string> expected = {"1.1.1.1", "2.2.2.2", "3.3.3.3"};
  BOOST_TEST(dns == expected, boost::test_tools::per_element());
  BOOST_TEST(Run({"--cluster-dns="}) == "");
  BOOST_TEST(dns.empty());
}

BOOST_FIXTURE_TEST_CASE(maps_are_pairs_with_commas, Fixture) {
  BOOST_TEST(Run({"--node-labels=a=1,b=x=y", "--eviction-hard=nodefs.available<10%", "--eviction-hard=a<1",
                  "--feature-gates=A=true,B=false", "--feature_gates=C=true"}) == "");
  BOOST_TEST((labels == std::map<std::string, std::string>{{"a", "1"}, {"b", "x=y"}}));
  BOOST_TEST((eviction == std::map<std::string, std::string>{{"nodefs.available", "10%"}, {"a", "1"}}));
  BOOST_TEST((gates == std::map<std::string, bool>{{"A", true}, {"B", false}, {"C", true}}));
}

BOOST_FIXTURE_TEST_CASE(flags_win_over_what_was_loaded_between_two_applications, Fixture) {
  BOOST_TEST(Run({"--port=1", "--cluster-dns=1.1.1.1"}) == "");
  port = 5;
  big = 7;
  dns = {"from", "file"};
  BOOST_TEST(set.Apply().ok());
  BOOST_TEST(port == 1);
  BOOST_TEST(big == 7);
  BOOST_TEST(dns == std::vector<std::string>{"1.1.1.1"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(deprecated_and_ignored_flags_work_and_warn_once, Fixture) {
  BOOST_TEST(Run({"--cluster-dns=1.1.1.1", "--cluster-dns=2.2.2.2", "--network-plugin=cni"}) == "");
  BOOST_TEST(set.Apply().ok());
  const std::vector<std::string> expected = {"Flag --cluster-dns has been deprecated, use the file",
                                             "Flag --network-plugin has no effect: CNI is always used"};
  BOOST_TEST(set.warnings() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(nothing_after_two_dashes_is_a_flag, Fixture) {
  BOOST_TEST(Run({"a", "--port=1", "--", "--port=2", "-"}) == "");
  const std::vector<std::string> expected = {"a", "--port=2", "-"};
  BOOST_TEST(positional == expected, boost::test_tools::per_element());
  BOOST_TEST(port == 1);
}

BOOST_FIXTURE_TEST_CASE(sub_commands_get_their_own_flags_unparsed, Fixture) {
  set.StopAtPositional();
  BOOST_TEST(Run({"--port=1", "logs", "--follow", "-v=2"}) == "");
  const std::vector<std::string> expected = {"logs", "--follow", "-v=2"};
  BOOST_TEST(positional == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(the_usage_is_laid_out_as_upstreams, Fixture) {
  BOOST_TEST(set.Usages() == R"(Flags:

      --big int                         A big number.
      --config string                   The file.
      --factor float                    A factor.
      --fail-swap-on                    Fails with swap. (default true)
  -h, --help                            help for it
      --port int32                      The port. (default 10250)
  -v, --v int32                         Verbosity.

Misc flags:

      --cluster-dns strings             Addresses. (default [10.0.0.10]) (DEPRECATED: use the file)
      --eviction-hard mapStringString   Thresholds. (default memory.available<100Mi)
      --feature-gates mapStringBool     Gates.
      --node-labels mapStringString     Labels.
      --period duration                 The period. (default 20s)
)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::flags
