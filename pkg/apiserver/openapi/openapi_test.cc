#include "pkg/apiserver/openapi/openapi.h"

#include <zlib.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/openapi/builder.h"
#include "pkg/apiserver/openapi/test_kinds.h"
#include "pkg/net/http/server.h"

namespace knarr::openapi {
namespace {
namespace json = boost::json;

http::Request Get(std::string path, http::Headers headers = {}, http::Query query = {}) {
  http::Request request;
  request.method = "GET";
  request.path = std::move(path);
  request.headers = std::move(headers);
  request.query = std::move(query);
  return request;
}

Options ServerOptions() {
  Options options;
  options.kinds = [] { return TestKinds(); };
  options.generation = [] { return 1; };
  return options;
}

json::value Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = 128;
  return json::parse({text.data(), text.size()}, {}, options);
}

// Every reference in a document.
void References(const json::value& value, std::set<std::string>& out) {
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) References(item, out);
  } else if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      if (member.key() == "$ref" && member.value().is_string()) out.emplace(member.value().as_string());
      References(member.value(), out);
    }
  }
}

std::string Inflate(std::string_view packed) {
  z_stream stream{};
  BOOST_REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(64u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  BOOST_REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// The fields of a protobuf message: number, bytes.
std::vector<std::pair<int, std::string_view>> Fields(std::string_view wire) {
  std::vector<std::pair<int, std::string_view>> out;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      BOOST_REQUIRE(!wire.empty());
      const auto byte = static_cast<unsigned char>(wire[0]);
      wire.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (!wire.empty()) {
    const uint64_t tag = varint();
    const int field = static_cast<int>(tag >> 3);
    size_t size = 0;
    switch (tag & 7) {
      case 0: varint(); break;
      case 1: size = 8; break;
      case 2: size = varint(); break;
      default: BOOST_FAIL("wire type");
    }
    BOOST_REQUIRE(size <= wire.size());
    out.emplace_back(field, wire.substr(0, size));
    wire.remove_prefix(size);
  }
  return out;
}
std::string_view First(std::string_view wire, int field) {
  for (const auto& [number, bytes] : Fields(wire)) {
    if (number == field) return bytes;
  }
  return {};
}
// Of a list of named things.
std::string_view Named(std::string_view wire, int field, std::string_view name) {
  for (const auto& [number, bytes] : Fields(wire)) {
    if (number == field && First(bytes, 1) == name) return First(bytes, 2);
  }
  return {};
}

BOOST_AUTO_TEST_SUITE(openapi)

BOOST_AUTO_TEST_CASE(v2_is_whole) {
  OpenApi api(ServerOptions());
  const Response response = api.Serve(Get("/openapi/v2"));
  BOOST_TEST(response.status == 200);
  BOOST_TEST(response.headers.Get("Content-Type") == "application/json");
  const json::value document = Parse(*response.body);
  BOOST_TEST(document.at("swagger").as_string() == "2.0");
  const json::object& definitions = document.at("definitions").as_object();
  std::set<std::string> references;
  References(document, references);
  BOOST_TEST(references.size() > 300u);
  for (const std::string& reference : references) {
    BOOST_REQUIRE(reference.starts_with("#/definitions/"));
    BOOST_TEST(definitions.contains(reference.substr(14)), reference);
  }
  // What validates manifests: fields, their types, what is required, how lists merge.
  const json::value& container = definitions.at("io.k8s.api.core.v1.Container");
  BOOST_TEST(json::serialize(container.at("required")) == R"(["name"])");
  BOOST_TEST(json::serialize(container.at("properties").at("imagePullPolicy").at("enum")) ==
             R"(["Always","IfNotPresent","Never"])");
  BOOST_TEST(json::serialize(container.at("properties").at("ports").at("x-kubernetes-list-map-keys")) ==
             R"(["containerPort","protocol"])");
  BOOST_TEST(container.at("properties").at("ports").at("x-kubernetes-patch-merge-key").as_string() == "containerPort");
  BOOST_TEST(container.at("properties").at("resources").at("$ref").as_string() ==
             "#/definitions/io.k8s.api.core.v1.ResourceRequirements");
  BOOST_TEST(definitions.at("io.k8s.apimachinery.pkg.api.resource.Quantity").at("type").as_string() == "string");
  BOOST_TEST(definitions.at("io.k8s.apimachinery.pkg.util.intstr.IntOrString").at("format").as_string() ==
             "int-or-string");
  const json::value& pod = definitions.at("io.k8s.api.core.v1.Pod");
  BOOST_TEST(json::serialize(pod.at("x-kubernetes-group-version-kind")) ==
             R"([{"group":"","kind":"Pod","version":"v1"}])");
  BOOST_TEST(std::string_view(pod.at("description").as_string()).starts_with("Pod is a collection of containers"));
  BOOST_TEST(
      definitions.at("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector").at("x-kubernetes-map-type").as_string() ==
      "atomic");
  // Options belong to every group.
  BOOST_TEST(definitions.at("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
                 .at("x-kubernetes-group-version-kind")
                 .as_array()
                 .size() > 3u);
}

BOOST_AUTO_TEST_CASE(paths_have_the_verbs_that_are_served) {
  OpenApi api(ServerOptions());
  const json::value document = Parse(*api.Serve(Get("/openapi/v2")).body);
  const json::object& paths = document.at("paths").as_object();
  const json::value& item = paths.at("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  BOOST_TEST(item.at("patch").at("operationId").as_string() == "patchAppsV1NamespacedDeployment");
  BOOST_TEST(item.at("patch").at("x-kubernetes-action").as_string() == "patch");
  BOOST_TEST(json::serialize(item.at("patch").at("x-kubernetes-group-version-kind")) ==
             R"({"group":"apps","kind":"Deployment","version":"v1"})");
  BOOST_TEST(
      json::serialize(item.at("patch").at("consumes")) ==
      R"(["application/json-patch+json","application/merge-patch+json","application/strategic-merge-patch+json",)"
      R"("application/apply-patch+yaml"])");
  std::set<std::string> parameters;
  for (const json::value& parameter : item.at("patch").at("parameters").as_array()) {
    parameters.emplace(parameter.at("name").as_string());
  }
  // kubectl asks here whether the server knows dry runs and field validation.
  BOOST_TEST((parameters == std::set<std::string>{"body", "dryRun", "fieldManager", "fieldValidation", "force"}));
  BOOST_TEST(item.at("get").at("description").as_string() == "read the specified Deployment");
  BOOST_TEST(paths.at("/apis/apps/v1/deployments").at("get").at("operationId").as_string() ==
             "listAppsV1DeploymentForAllNamespaces");
  BOOST_TEST(paths.at("/apis/apps/v1/watch/namespaces/{namespace}/deployments")
                 .at("get")
                 .at("x-kubernetes-action")
                 .as_string() == "watchlist");
  BOOST_TEST(paths.at("/api/v1/nodes/{name}").at("delete").at("operationId").as_string() == "deleteCoreV1Node");
  BOOST_TEST(paths.at("/apis/rbac.authorization.k8s.io/v1/clusterroles").at("post").at("operationId").as_string() ==
             "createRbacAuthorizationV1ClusterRole");
  const json::value& scale = paths.at("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale").at("get");
  BOOST_TEST(scale.at("responses").at("200").at("schema").at("$ref").as_string() ==
             "#/definitions/io.k8s.api.autoscaling.v1.Scale");
  BOOST_TEST(json::serialize(scale.at("x-kubernetes-group-version-kind")) ==
             R"({"group":"autoscaling","kind":"Scale","version":"v1"})");
  const json::value& proxy = paths.at("/api/v1/namespaces/{namespace}/pods/{name}/proxy/{path}").at("get");
  BOOST_TEST(proxy.at("operationId").as_string() == "connectCoreV1GetNamespacedPodProxyWithPath");
  BOOST_TEST(paths.contains("/version/"));
}

BOOST_AUTO_TEST_CASE(v2_protobuf_says_the_same) {
  OpenApi api(ServerOptions());
  const Response response =
      api.Serve(Get("/openapi/v2", {{"Accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}}));
  BOOST_TEST(response.status == 200);
  BOOST_TEST(response.headers.Get("Content-Type") == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  const std::string_view wire = *response.body;
  BOOST_TEST(First(wire, 1) == "2.0");
  const std::string_view definitions = First(wire, 9);
  const json::value document = Parse(*api.Serve(Get("/openapi/v2")).body);
  BOOST_TEST(Fields(definitions).size() == document.at("definitions").as_object().size());
  BOOST_TEST(Fields(First(wire, 8)).size() == document.at("paths").as_object().size());
  const std::string_view deployment = Named(definitions, 1, "io.k8s.api.apps.v1.Deployment");
  const std::string_view kinds = First(Named(deployment, 31, "x-kubernetes-group-version-kind"), 2);
  BOOST_TEST(kinds == "[{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}]\n");
  const std::string_view spec = Named(First(deployment, 25), 1, "spec");
  BOOST_TEST(First(spec, 1) == "#/definitions/io.k8s.api.apps.v1.DeploymentSpec");
  const std::string_view item = Named(First(wire, 8), 2, "/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  BOOST_TEST(First(First(item, 8), 5) == "patchAppsV1NamespacedDeployment");
}

BOOST_AUTO_TEST_CASE(v3_has_a_document_for_each_group_version) {
  OpenApi api(ServerOptions());
  const json::value index = Parse(*api.Serve(Get("/openapi/v3")).body);
  const json::object& paths = index.at("paths").as_object();
  BOOST_TEST(paths.size() > 10u);
  BOOST_TEST(paths.contains("api/v1"));
  BOOST_TEST(paths.contains("apis/apps"));
  for (const auto& entry : paths) {
    const std::string name(entry.key());
    const Response response = api.Serve(Get("/openapi/v3/" + name));
    BOOST_TEST_REQUIRE(response.status == 200, name);
    const json::value document = Parse(*response.body);
    BOOST_TEST(document.at("openapi").as_string() == "3.0.0");
    const json::object& schemas = document.at("components").at("schemas").as_object();
    std::set<std::string> references;
    References(document, references);
    for (const std::string& reference : references) {
      BOOST_REQUIRE(reference.starts_with("#/components/schemas/"));
      BOOST_TEST(schemas.contains(reference.substr(21)), name << " " << reference);
    }
    // The address that the index gives is that of this very document.
    const std::string url(entry.value().at("serverRelativeURL").as_string());
    const std::string hash = url.substr(url.find("hash=") + 5);
    BOOST_TEST(response.headers.Get("Etag") == "\"" + hash + "\"");
  }
  const json::value apps = Parse(*api.Serve(Get("/openapi/v3/apis/apps/v1")).body);
  const json::value& schemas = apps.at("components").at("schemas");
  const json::value& spec = schemas.at("io.k8s.api.apps.v1.Deployment").at("properties").at("spec");
  BOOST_TEST(json::serialize(spec.at("allOf")) ==
             R"([{"$ref":"#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}])");
  BOOST_TEST(json::serialize(spec.at("default")) == "{}");
  const json::value& port = schemas.at("io.k8s.api.core.v1.ContainerPort").at("properties");
  BOOST_TEST(port.at("protocol").at("default").as_string() == "TCP");
  BOOST_TEST(port.at("containerPort").at("default").as_int64() == 0);
  BOOST_TEST(!port.at("hostPort").as_object().contains("default"));
  BOOST_TEST(json::serialize(schemas.at("io.k8s.apimachinery.pkg.api.resource.Quantity").at("oneOf")) ==
             R"([{"type":"string"},{"type":"number"}])");
  BOOST_TEST(!schemas.as_object().contains("io.k8s.api.core.v1.Pod"));
}

BOOST_AUTO_TEST_CASE(clients_that_have_it_are_told_so) {
  OpenApi api(ServerOptions());
  const Response first = api.Serve(Get("/openapi/v3/apis/apps/v1"));
  const std::string etag(first.headers.Get("Etag"));
  BOOST_TEST(etag.size() == 130u);
  const Response again = api.Serve(Get("/openapi/v3/apis/apps/v1", {{"If-None-Match", "\"x\", " + etag}}));
  BOOST_TEST(again.status == 304);
  BOOST_TEST((again.body == nullptr));
  const std::string hash = etag.substr(1, 128);
  const Response named = api.Serve(Get("/openapi/v3/apis/apps/v1", {}, {{"hash", hash}}));
  BOOST_TEST(named.headers.Get("Cache-Control") == "public, immutable");
  const Response old = api.Serve(Get("/openapi/v3/apis/apps/v1", {}, {{"hash", "00"}}));
  BOOST_TEST(old.status == 301);
  BOOST_TEST(old.headers.Get("Location") == "/openapi/v3/apis/apps/v1?hash=" + hash);
}

BOOST_AUTO_TEST_CASE(documents_are_compressed_for_those_who_take_it) {
  OpenApi api(ServerOptions());
  const Response plain = api.Serve(Get("/openapi/v2"));
  const Response packed = api.Serve(Get("/openapi/v2", {{"Accept-Encoding", "gzip"}}));
  BOOST_TEST(packed.headers.Get("Content-Encoding") == "gzip");
  BOOST_TEST(packed.body->size() * 5 < plain.body->size());
  BOOST_TEST((Inflate(*packed.body) == *plain.body));
}

BOOST_AUTO_TEST_CASE(requests_that_get_nothing) {
  OpenApi api(ServerOptions());
  BOOST_TEST(api.Serve(Get("/openapi/v3/apis/nosuch/v1")).status == 404);
  BOOST_TEST(api.Serve(Get("/openapi/v4")).status == 404);
  BOOST_TEST(api.Serve(Get("/openapi/v2", {{"Accept", "text/html"}})).status == 406);
  BOOST_TEST(api.Serve(Get("/openapi/v2", {{"Accept", "text/html, application/json;q=0.5"}})).status == 200);
  http::Request post = Get("/openapi/v2");
  post.method = "POST";
  BOOST_TEST(api.Serve(post).status == 405);
}

BOOST_AUTO_TEST_CASE(documents_are_forgotten_after_a_while) {
  FakeClock clock;
  int asked = 0;
  Options options = ServerOptions();
  options.kinds = [&] {
    ++asked;
    return TestKinds();
  };
  OpenApi api(options, clock);
  BOOST_TEST(asked == 0);
  const Response first = api.Serve(Get("/openapi/v3/version"));
  (void)api.Serve(Get("/openapi/v3/version"));
  BOOST_TEST(asked == 1);
  clock.Advance(std::chrono::seconds(61));
  const Response later = api.Serve(Get("/openapi/v3/version"));
  BOOST_TEST(asked == 2);
  BOOST_TEST(first.headers.Get("Etag") == later.headers.Get("Etag"));
}

BOOST_AUTO_TEST_CASE(custom_kinds_come_and_go) {
  uint64_t generation = 1;
  bool served = false;
  auto schema =
      std::make_shared<const json::object>(json::parse(R"({"type":"object","description":"A web.","properties":{
        "spec":{"type":"object","properties":{"size":{"type":"integer","nullable":true},
          "port":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]},
          "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"string"}}}}}}})")
                                               .as_object());
  Options options = ServerOptions();
  options.generation = [&] { return generation; };
  options.kinds = [&] {
    auto kinds = TestKinds();
    if (served) kinds.push_back(CustomKind());
    return kinds;
  };
  options.custom_schema = [&](const registry::Kind&, std::string_view version) {
    return version == "v1" ? schema : nullptr;
  };
  OpenApi api(options);
  const std::string before(api.Serve(Get("/openapi/v2")).headers.Get("Etag"));
  BOOST_TEST(api.Serve(Get("/openapi/v3/apis/stable.example.com/v1")).status == 404);
  served = true, ++generation;
  const Response v2 = api.Serve(Get("/openapi/v2"));
  BOOST_TEST(v2.headers.Get("Etag") != before);
  const json::value document = Parse(*v2.body);
  const json::value& web = document.at("definitions").at("com.example.stable.v1.Web");
  BOOST_TEST(web.at("description").as_string() == "A web.");
  BOOST_TEST(
      json::serialize(web.at("properties").at("spec").at("properties")) ==
      R"({"size":{},"port":{"x-kubernetes-int-or-string":true},"free":{"x-kubernetes-preserve-unknown-fields":true}})");
  BOOST_TEST(web.at("properties").at("metadata").at("$ref").as_string() ==
             "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
  BOOST_TEST(json::serialize(web.at("x-kubernetes-group-version-kind")) ==
             R"([{"group":"stable.example.com","kind":"Web","version":"v1"}])");
  const json::value& item = document.at("paths").at("/apis/stable.example.com/v1/namespaces/{namespace}/webs/{name}");
  BOOST_TEST(item.at("get").at("operationId").as_string() == "readStableExampleComV1NamespacedWeb");
  BOOST_TEST(json::serialize(item.at("patch").at("consumes")) ==
             R"(["application/json-patch+json","application/merge-patch+json","application/apply-patch+yaml"])");
  const json::value v3 = Parse(*api.Serve(Get("/openapi/v3/apis/stable.example.com/v1")).body);
  const json::value& v3_web = v3.at("components").at("schemas").at("com.example.stable.v1.Web");
  BOOST_TEST(v3_web.at("properties").at("spec").at("properties").at("size").at("nullable").as_bool());
  BOOST_TEST(v3.at("components")
                 .at("schemas")
                 .at("com.example.stable.v1.WebList")
                 .at("properties")
                 .at("items")
                 .at("items")
                 .at("$ref")
                 .as_string() == "#/components/schemas/com.example.stable.v1.Web");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::openapi
