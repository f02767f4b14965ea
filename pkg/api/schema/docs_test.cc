#include "pkg/api/schema/docs.h"

#include <boost/test/unit_test.hpp>

#include "pkg/api/schema/tables.h"

namespace knarr::schema {
namespace {

std::string_view FieldDoc(const Docs& docs, std::string_view message, std::string_view name) {
  const uint16_t index = FindMessage(message);
  const auto fields = Messages()[index].fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].json_name() == name) return docs.Field(index, i);
  }
  return "no such field";
}

BOOST_AUTO_TEST_SUITE(schema_docs)

BOOST_AUTO_TEST_CASE(types_and_fields_have_upstreams_words) {
  const Docs docs;
  BOOST_TEST(
      docs.Message(FindMessage("k8s.io.api.core.v1.Pod")) ==
      "Pod is a collection of containers that can run on a host. This resource is created by clients and scheduled "
      "onto hosts.");
  BOOST_TEST(FieldDoc(docs, "k8s.io.api.core.v1.Container", "name")
                 .starts_with("Name of the container specified as a DNS_LABEL. Each container in a pod must have a "
                              "unique name (DNS_LABEL)."));
  // Markers are no part of it, paragraphs are.
  BOOST_TEST(FieldDoc(docs, "k8s.io.api.core.v1.ServiceSpec", "ports").find("+listType") == std::string_view::npos);
  BOOST_TEST(
      FieldDoc(docs, "k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta", "uid").find("\n\nPopulated by the system.") !=
      std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(enums_have_their_values) {
  const Docs docs;
  const uint16_t container = FindMessage("k8s.io.api.core.v1.Container");
  const auto fields = Messages()[container].fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto values = docs.Enum(container, i);
    if (fields[i].json_name() == "imagePullPolicy") {
      BOOST_TEST((values == std::vector<std::string_view>{"Always", "IfNotPresent", "Never"}));
      BOOST_TEST(docs.Field(container, i)
                     .ends_with("\n\nPossible enum values:\n"
                                " - `\"Always\"` means that kubelet always attempts to pull the latest image. "
                                "Container will fail If the pull "
                                "fails.\n"
                                " - `\"IfNotPresent\"` means that kubelet pulls if the image isn't present on disk. "
                                "Container will fail if the "
                                "image isn't present and the pull fails.\n"
                                " - `\"Never\"` means that kubelet never pulls an image, but only uses a local image. "
                                "Container will fail if the "
                                "image isn't present"));
    } else if (fields[i].json_name() == "image") {
      BOOST_TEST(values.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(nearly_everything_is_described) {
  const Docs docs;
  size_t fields = 0, described = 0;
  for (uint16_t i = 0; i < kMessageCount; ++i) {
    for (size_t field = 0; field < Messages()[i].fields().size(); ++field) {
      ++fields;
      described += docs.Field(i, field).empty() ? 0 : 1;
    }
  }
  BOOST_TEST(described * 100 > fields * 90);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::schema
