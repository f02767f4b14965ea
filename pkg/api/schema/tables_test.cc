#include "pkg/api/schema/tables.h"

#include <boost/test/unit_test.hpp>

namespace knarr::schema {
namespace {

const Field* FieldOf(std::string_view message, std::string_view name) {
  const uint16_t index = FindMessage(message);
  if (index == kNoMessage) return nullptr;
  for (const Field& field : kMessages[index].fields()) {
    if (field.json_name() == name) return &field;
  }
  return nullptr;
}

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(messages_are_ordered_by_name_and_all_are_found) {
  BOOST_TEST(Messages().size() > 1000u);
  for (size_t i = 0; i < Messages().size(); ++i) {
    BOOST_TEST(FindMessage(kMessages[i].full_name()) == i);
    if (i > 0) BOOST_TEST((kMessages[i - 1].full_name() < kMessages[i].full_name()));
  }
  BOOST_TEST(FindMessage("k8s.io.api.core.v1.Nothing") == kNoMessage);
}

BOOST_AUTO_TEST_CASE(fields_carry_what_go_declares) {
  const Field* containers = FieldOf("k8s.io.api.core.v1.PodSpec", "containers");
  BOOST_REQUIRE(containers);
  BOOST_TEST((containers->shape == Shape::kSlice));
  BOOST_TEST(containers->go_type() == "[]v1.Container");
  BOOST_TEST(containers->elem_type() == "v1.Container");
  BOOST_TEST(!containers->omit_empty());
  BOOST_TEST(kMessages[containers->message].full_name() == "k8s.io.api.core.v1.Container");

  const Field* grace = FieldOf("k8s.io.api.core.v1.PodSpec", "terminationGracePeriodSeconds");
  BOOST_REQUIRE(grace);
  BOOST_TEST((grace->shape == Shape::kPointer));
  BOOST_TEST((grace->type == Type::kInt64));
  BOOST_TEST(grace->go_type() == "int64");

  const Field* status = FieldOf("k8s.io.api.core.v1.Pod", "status");
  BOOST_REQUIRE(status);
  BOOST_TEST((status->shape == Shape::kValue));
  BOOST_TEST(kMessages[FindMessage("k8s.io.api.core.v1.Pod")].has_type_meta());

  BOOST_TEST(kMessages[FindMessage("k8s.io.api.core.v1.PodList")].holds_quantity());
  BOOST_TEST(!kMessages[FindMessage("k8s.io.api.core.v1.ConfigMap")].holds_quantity());

  const Field* limits = FieldOf("k8s.io.api.core.v1.ResourceRequirements", "limits");
  BOOST_REQUIRE(limits);
  BOOST_TEST((limits->shape == Shape::kMap));
  BOOST_TEST(limits->go_type() == "v1.ResourceList");
  BOOST_TEST(limits->elem_type() == "resource.Quantity");
}

BOOST_AUTO_TEST_CASE(merge_keys_and_defaults_are_kept) {
  const uint16_t container = FindMessage("k8s.io.api.core.v1.Container");
  const FieldExtras* ports = FindExtras(container, FieldOf("k8s.io.api.core.v1.Container", "ports")->number);
  BOOST_REQUIRE(ports);
  BOOST_TEST(ports->patch_strategy() == "merge");
  BOOST_TEST(ports->patch_merge_key() == "containerPort");
  BOOST_TEST(ports->list_type() == "map");
  BOOST_TEST(ports->list_map_keys() == "containerPort,protocol");
  const FieldExtras* protocol = FindExtras(FindMessage("k8s.io.api.core.v1.ContainerPort"), 4);
  BOOST_REQUIRE(protocol);
  BOOST_TEST(protocol->default_value() == "\"TCP\"");
  BOOST_TEST(FindExtras(container, 1) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::schema
