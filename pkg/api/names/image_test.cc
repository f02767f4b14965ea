#include "pkg/api/names/image.h"

#include <boost/test/unit_test.hpp>

#include <string>

namespace knarr::names {
namespace {

const std::string kHex(64, 'a');

BOOST_AUTO_TEST_SUITE(image)

BOOST_AUTO_TEST_CASE(references_are_normalized) {
  const struct {
    std::string image, text, tag, digest;
  } cases[] = {
      {"nginx", "docker.io/library/nginx:latest", "", ""},
      {"nginx:1.25", "docker.io/library/nginx:1.25", "1.25", ""},
      {"me/app:latest", "docker.io/me/app:latest", "latest", ""},
      {"docker.io/nginx", "docker.io/library/nginx:latest", "", ""},
      {"index.docker.io/library/nginx", "docker.io/library/nginx:latest", "", ""},
      {"registry:5000/x", "registry:5000/x:latest", "", ""},
      {"registry:5000/x:v1", "registry:5000/x:v1", "v1", ""},
      {"localhost/x", "localhost/x:latest", "", ""},
      {"[::1]:5000/x:v1", "[::1]:5000/x:v1", "v1", ""},
      {"quay.io/a/b/c_d--e.f:v_1.2-3", "quay.io/a/b/c_d--e.f:v_1.2-3", "v_1.2-3", ""},
      {"MyHost/x", "MyHost/x:latest", "", ""},
      {"x@sha256:" + kHex, "docker.io/library/x@sha256:" + kHex, "", "sha256:" + kHex},
      {"x:v1@sha256:" + kHex, "docker.io/library/x:v1@sha256:" + kHex, "v1", "sha256:" + kHex},
  };
  for (const auto& test : cases) {
    const auto reference = ParseImageName(test.image);
    BOOST_REQUIRE_MESSAGE(reference.ok(), test.image);
    BOOST_TEST(reference->ToString() == test.text);
    BOOST_TEST(reference->tag == test.tag);
    BOOST_TEST(reference->digest == test.digest);
  }
}

BOOST_AUTO_TEST_CASE(malformed_references_are_refused_in_upstreams_words) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "invalid reference format"},
      {" nginx", "invalid reference format"},
      {"nginx ", "invalid reference format"},
      {"nginx:", "invalid reference format"},
      {"-nginx", "invalid reference format"},
      {"nginx:-x", "invalid reference format"},
      {"a//b", "invalid reference format"},
      {"x@sha256:abc", "invalid reference format"},
      {"x:" + std::string(129, 't'), "invalid reference format"},
      {std::string(5000, 'x'), "invalid reference format"},
      {"Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"},
      {"x@sha256:" + std::string(64, 'A'), "invalid checksum digest format"},
      {"x@sha256:" + std::string(63, 'a'), "invalid checksum digest length"},
      {"x@md5:" + std::string(32, 'a'), "unsupported digest algorithm"},
      {kHex, "invalid repository name (" + kHex + "), cannot specify 64-byte hexadecimal strings"},
      {std::string(256, 'a'), "repository name must not be more than 255 characters"},
  };
  for (const auto& [image, message] : cases) {
    const auto reference = ParseImageName(image);
    BOOST_REQUIRE_MESSAGE(!reference.ok(), image);
    BOOST_TEST(reference.error().message() == "couldn't parse image name \"" + image + "\": " + message);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::names
