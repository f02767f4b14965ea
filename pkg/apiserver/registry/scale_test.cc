#include "pkg/apiserver/registry/scale.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "k8s.io/api/core/v1/generated.pb.h"

namespace knarr::registry {
namespace {

using Scale = ::k8s::io::api::autoscaling::v1::Scale;

Subresource MakeScale() {
  return ScaleSubresource(
      "", "replicationcontrollers",
      [](const Object& object) -> Result<ScaleState> {
        return ScaleState{
            .desired = object.As<core::ReplicationController>().spec().replicas(), .observed = 2, .selector = "a=b"};
      },
      [](Object& object, int32_t replicas) {
        object.As<core::ReplicationController>().mutable_spec()->set_replicas(replicas);
      });
}

Object MakeController() {
  auto controller = std::make_unique<core::ReplicationController>();
  controller->mutable_metadata()->set_name("web");
  controller->mutable_metadata()->set_uid("u1");
  controller->mutable_metadata()->set_resourceversion("7");
  controller->mutable_spec()->set_replicas(3);
  return Object(std::move(controller));
}

BOOST_AUTO_TEST_SUITE(scale)

BOOST_AUTO_TEST_CASE(a_scale_shows_the_object) {
  const auto view = MakeScale().view(RequestContext(), MakeController());
  BOOST_REQUIRE(view.ok());
  const auto& shown = static_cast<const Scale&>(**view);
  BOOST_TEST(shown.metadata().name() == "web");
  BOOST_TEST(shown.metadata().resourceversion() == "7");
  BOOST_TEST(shown.spec().replicas() == 3);
  BOOST_TEST(shown.status().replicas() == 2);
  BOOST_TEST(shown.status().selector() == "a=b");
}

BOOST_AUTO_TEST_CASE(a_scale_is_applied_with_its_preconditions) {
  Object controller = MakeController();
  Scale wanted;
  wanted.mutable_metadata()->set_name("web");
  wanted.mutable_metadata()->set_resourceversion("6");
  wanted.mutable_spec()->set_replicas(5);
  BOOST_TEST(MakeScale().apply(RequestContext(), wanted, controller).ok());
  BOOST_TEST(controller.As<core::ReplicationController>().spec().replicas() == 5);
  BOOST_TEST(controller.metadata().resourceversion() == "6");

  wanted.mutable_metadata()->set_uid("u2");
  const Status conflict = MakeScale().apply(RequestContext(), wanted, controller);
  BOOST_TEST(conflict.message() ==
             "Operation cannot be fulfilled on replicationcontrollers \"web\": Precondition failed: UID in "
             "precondition: u2, UID in object meta: u1");

  wanted.mutable_spec()->set_replicas(-1);
  const Status invalid = MakeScale().apply(RequestContext(), wanted, controller);
  BOOST_TEST(invalid.message() ==
             "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to "
             "0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
