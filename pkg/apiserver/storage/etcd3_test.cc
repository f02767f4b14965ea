// What needs no etcd; the rest is in ci/integration/storage.
#include "pkg/apiserver/storage/etcd3.h"

#include <boost/test/unit_test.hpp>

namespace knarr::storage {
namespace {

BOOST_AUTO_TEST_SUITE(etcd3_options)

BOOST_AUTO_TEST_CASE(endpoints_that_cannot_be_right_are_refused) {
  for (const char* url : {"", "http://", "127.0.0.1", "http://:2379", "http://[::1]", "http://a:0x1", "http://a:99999",
                          "ftp://a:2379", "http://a:2379/path", "http://user@a:2379", "unix://"}) {
    const auto store = OpenEtcd3({.endpoints = {url}, .compaction_interval = std::chrono::seconds(0)});
    BOOST_TEST_INFO(url);
    BOOST_TEST(!store.ok());
    if (!store.ok()) BOOST_TEST(store.status().Is(Code::kInvalid));
  }
  BOOST_TEST(OpenEtcd3({}).status().Is(Code::kInvalid));
  for (const char* url : {"http://127.0.0.1:2379", "https://etcd.example:2379/", "[::1]:2379", "localhost:2379"}) {
    BOOST_TEST_INFO(url);
    BOOST_TEST(OpenEtcd3({.endpoints = {url}, .compaction_interval = std::chrono::seconds(0)}).ok());
  }
}

BOOST_AUTO_TEST_CASE(certificates_must_be_there) {
  Etcd3Options options{.endpoints = {"https://127.0.0.1:2379"}, .ca_file = "/nonexistent/ca.crt"};
  BOOST_TEST(OpenEtcd3(options).status().message().find("/nonexistent/ca.crt") != std::string::npos);
  options.ca_file = "/dev/null";
  BOOST_TEST(OpenEtcd3(options).status().message().find("there is no PEM block") != std::string::npos);
  options.ca_file.clear();
  options.cert_file = "/some.crt";
  BOOST_TEST(OpenEtcd3(options).status().Is(Code::kInvalid));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::storage
