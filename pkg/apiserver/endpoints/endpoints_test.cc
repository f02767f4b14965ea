// The parts of the endpoints that need no server.
#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/endpoints/body.h"
#include "pkg/apiserver/endpoints/continue_token.h"
#include "pkg/apiserver/endpoints/discovery.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/apiserver/endpoints/negotiate.h"
#include "pkg/apiserver/endpoints/request_info.h"

namespace knarr::endpoints {
namespace {

http::Request Get(std::string_view target, std::string method = "GET") {
  http::Request request;
  request.method = std::move(method);
  request.target = target;
  const size_t mark = target.find('?');
  request.raw_path = target.substr(0, mark);
  request.path = *http::PercentDecode(request.raw_path, false);
  if (mark != std::string_view::npos) request.query = *http::ParseQuery(target.substr(mark + 1));
  return request;
}

std::string Summary(const RequestInfo& info) {
  return fmt::format("{} {}/{} {}|{}|{}|{}", info.verb, info.group, info.version, info.namespace_, info.resource,
                     info.name, info.subresource);
}

BOOST_AUTO_TEST_SUITE(endpoints)

BOOST_AUTO_TEST_CASE(paths_say_what_a_request_is_about) {
  const struct {
    const char* method;
    const char* target;
    const char* summary;
  } kCases[] = {
      {"GET", "/api/v1/pods", "list /v1 |pods||"},
      {"GET", "/api/v1/namespaces/ns/pods", "list /v1 ns|pods||"},
      {"GET", "/api/v1/namespaces/ns/pods/web", "get /v1 ns|pods|web|"},
      {"GET", "/api/v1/namespaces/ns/pods/web/log", "get /v1 ns|pods|web|log"},
      {"GET", "/api/v1/namespaces/ns", "get /v1 ns|namespaces|ns|"},
      {"PUT", "/api/v1/namespaces/ns/finalize", "update /v1 ns|namespaces|ns|finalize"},
      {"GET", "/api/v1/namespaces", "list /v1 |namespaces||"},
      {"GET", "/api/v1/watch/pods", "watch /v1 |pods||"},
      {"GET", "/api/v1/pods?watch=true", "watch /v1 |pods||"},
      {"GET", "/api/v1/pods?watch=0", "list /v1 |pods||"},
      {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dweb", "list /v1 |pods|web|"},
      {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dweb%2Ca%3Db", "list /v1 |pods||"},
      {"DELETE", "/apis/apps/v1/namespaces/ns/deployments", "deletecollection apps/v1 ns|deployments||"},
      {"DELETE", "/apis/apps/v1/namespaces/ns/deployments/web", "delete apps/v1 ns|deployments|web|"},
      {"PATCH", "/apis/apps/v1/namespaces/ns/deployments/web/scale", "patch apps/v1 ns|deployments|web|scale"},
      {"POST", "/apis/apps/v1/namespaces/ns/deployments", "create apps/v1 ns|deployments||"},
  };
  for (const auto& row : kCases) {
    const RequestInfo info = ParseRequestInfo(Get(row.target, row.method));
    BOOST_TEST(info.is_resource);
    BOOST_TEST(Summary(info) == row.summary);
  }
}

BOOST_AUTO_TEST_CASE(other_paths_are_no_resources) {
  for (const char* path :
       {"/", "/healthz", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/openapi/v2"}) {
    const RequestInfo info = ParseRequestInfo(Get(path));
    BOOST_TEST(!info.is_resource);
    BOOST_TEST(info.verb == "get");
  }
}

BOOST_AUTO_TEST_CASE(the_rest_behind_a_proxy_keeps_its_escapes) {
  const RequestInfo info = ParseRequestInfo(Get("/api/v1/namespaces/ns/pods/web:80/proxy/a%2Fb//c"));
  BOOST_TEST(info.subresource == "proxy");
  BOOST_TEST(info.rest == "/a%2Fb//c");
}

BOOST_AUTO_TEST_CASE(accept_chooses_the_first_form_that_is_known) {
  const Accepts accepts{.table = true, .partial = true};
  const struct {
    const char* accept;
    Media media;
    As as;
  } kCases[] = {
      {"", Media::kJson, As::kObject},
      {"*/*", Media::kJson, As::kObject},
      {"application/yaml", Media::kYaml, As::kObject},
      {"application/vnd.kubernetes.protobuf,application/json", Media::kProtobuf, As::kObject},
      {"text/html;q=0.9,application/json;q=0.5", Media::kJson, As::kObject},
      {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Media::kJson, As::kTable},
      {"application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Media::kJson, As::kObject},
      {"application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Media::kProtobuf,
       As::kPartialObjectMetadata},
  };
  for (const auto& row : kCases) {
    http::Request request = Get("/api/v1/pods");
    if (*row.accept) request.headers.Set("Accept", row.accept);
    const auto output = Negotiate(request, accepts);
    BOOST_REQUIRE(output.ok());
    BOOST_TEST((output->media == row.media));
    BOOST_TEST((output->as == row.as));
  }
  http::Request request = Get("/");
  request.headers.Set("Accept", "image/png");
  BOOST_TEST((Negotiate(request, accepts).error().code() == Code::kNotAcceptable));
}

BOOST_AUTO_TEST_CASE(continue_tokens_come_back_as_they_went) {
  const std::string text = EncodeContinue({.revision = 42, .start_key = "default/web"});
  const auto token = DecodeContinue(text);
  BOOST_REQUIRE(token.ok());
  BOOST_TEST(token->revision == 42);
  BOOST_TEST(token->start_key == "default/web");
  // What kube-apiserver made.
  const auto theirs = DecodeContinue("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiJhXHUwMDAwIn0");
  BOOST_REQUIRE(theirs.ok());
  BOOST_TEST(theirs->revision == 5);
  BOOST_TEST(theirs->start_key == std::string("a\0", 2));
}

BOOST_AUTO_TEST_CASE(continue_tokens_of_strangers_are_refused) {
  for (const char* text : {"x", "!!!!", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIuLi9zZWNyZXRzIn0"})
    BOOST_TEST((DecodeContinue(text).error().code() == Code::kBadRequest));
}

BOOST_AUTO_TEST_CASE(type_is_found_without_parsing_the_rest) {
  const auto type =
      PeekTypeMeta(R"( { "spec": {"kind":"no","x":["}",{"a":"\"}"}]}, "kind":"Pod" ,"apiVersion":"v1"} )");
  BOOST_REQUIRE(type.ok());
  BOOST_TEST(type->kind == "Pod");
  BOOST_TEST(type->api_version == "v1");
  for (const char* text : {"", "[]", "{", "{\"a\"", "{\"a\":}", "{\"kind\":5}", "{\"a\":[}", "nul"})
    BOOST_TEST(!PeekTypeMeta(text).ok());
}

BOOST_AUTO_TEST_CASE(versions_are_ordered_as_clients_expect) {
  std::vector<std::string> versions = {"v1beta1", "foo", "v2", "v1", "v1alpha1", "v2beta1", "v10"};
  std::sort(versions.begin(), versions.end(), VersionBefore);
  const std::vector<std::string> expected = {"v10", "v2", "v1", "v2beta1", "v1beta1", "v1alpha1", "foo"};
  BOOST_TEST(versions == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(type_meta_is_put_in_front) {
  BOOST_TEST(WithTypeMeta(R"({"metadata":{}})", "v1", "Pod") == R"({"kind":"Pod","apiVersion":"v1","metadata":{}})");
  BOOST_TEST(WithTypeMeta("{}", "v1", "Pod") == R"({"kind":"Pod","apiVersion":"v1"})");
}

BOOST_AUTO_TEST_CASE(pretty_json_is_indented_and_strings_stay) {
  BOOST_TEST(Pretty(R"({"a":{},"b":[1,"x:{,"],"c":{"d":null}})") ==
             "{\n  \"a\": {},\n  \"b\": [\n    1,\n    \"x:{,\"\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::endpoints
