// The one translation unit that carries Boost.Test's module definition. It maps Bazel's test environment to
// Boost.Test's: XML_OUTPUT_FILE to a JUnit log, TESTBRIDGE_TEST_ONLY (bazel test --test_filter) to a run filter.
#define BOOST_TEST_MODULE knarr
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

namespace {

// Boost.Test reads its options from the environment before any fixture runs, so this must happen before main.
struct BazelEnvironment {
  BazelEnvironment() {
    if (const char* file = std::getenv("XML_OUTPUT_FILE")) {
      const std::string logger = "HRF,error,stdout:JUNIT,all," + std::string(file);
      ::setenv("BOOST_TEST_LOGGER", logger.c_str(), 0);
    }
    if (const char* only = std::getenv("TESTBRIDGE_TEST_ONLY")) ::setenv("BOOST_TEST_RUN_FILTERS", only, 0);
  }
};
const BazelEnvironment kBazelEnvironment;

}  // namespace
