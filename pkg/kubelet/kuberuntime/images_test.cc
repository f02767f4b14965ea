// Pulling images and collecting them.
#include <boost/test/unit_test.hpp>

#include "pkg/kubelet/kuberuntime/image_gc.h"
#include "pkg/kubelet/kuberuntime/test_fixture.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

core::Pod Pod(const std::string& image, const std::string& policy, const std::string& more = "") {
  return MakePod(fmt::format("containers: [{{name: web, image: '{}', imagePullPolicy: {}}}]\n{}", image, policy, more));
}

BOOST_FIXTURE_TEST_SUITE(kuberuntime_images, ManagerFixture)

BOOST_AUTO_TEST_CASE(an_image_is_pulled_when_it_is_not_there) {
  runtime.AddRemoteImage("far:1");
  BOOST_TEST(Sync(Pod("far:1", "IfNotPresent")).error.ok());
  BOOST_TEST(runtime.Pulls().size() == 1u);
  BOOST_TEST(HasEvent("Pulling: Pulling image \"far:1\""));
  BOOST_TEST(HasEvent("Pulled: Successfully pulled image \"far:1\" in 0s (0s including waiting). Image size: "));
}

BOOST_AUTO_TEST_CASE(a_name_without_tag_means_latest) {
  runtime.AddRemoteImage("far:latest");
  BOOST_TEST(Sync(Pod("far", "Always")).error.ok());
  BOOST_TEST(runtime.Pulls().at(0).reference.find("far:latest") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_pull_that_fails_backs_off_and_keeps_its_reason) {
  const core::Pod pod = Pod("none:1", "IfNotPresent");
  SyncResult result = Sync(pod);
  BOOST_TEST(result.waiting.at("web").reason == "ErrImagePull");
  const std::string why = result.waiting.at("web").message;
  BOOST_TEST(why.starts_with("rpc error: code = NotFound desc = "), why);
  BOOST_TEST(HasEvent("Failed: Failed to pull image \"none:1\": rpc error: code = NotFound"));
  BOOST_TEST(HasEvent("Failed: Error: ErrImagePull"));
  BOOST_TEST((result.retry_after == Duration(10s)));
  clock.Advance(4s);
  result = Sync(pod);
  BOOST_TEST(result.waiting.at("web").reason == "ImagePullBackOff");
  BOOST_TEST(result.waiting.at("web").message == "Back-off pulling image \"none:1\": ErrImagePull: " + why);
  BOOST_TEST((result.retry_after == Duration(6s)));
  BOOST_TEST(Calls("PullImage") == 1u);
  clock.Advance(6s);
  BOOST_TEST((Sync(pod).retry_after == Duration(20s)));
  clock.Advance(20s);
  runtime.AddRemoteImage("none:1");
  BOOST_TEST(Sync(pod).error.ok());
}

BOOST_AUTO_TEST_CASE(never_means_never) {
  const SyncResult result = Sync(Pod("none:1", "Never"));
  BOOST_TEST(result.waiting.at("web").reason == "ErrImageNeverPull");
  BOOST_TEST(result.waiting.at("web").message == "Container image \"none:1\" is not present with pull policy of Never");
  BOOST_TEST(Calls("PullImage") == 0u);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_none_is_told) {
  const SyncResult result = Sync(Pod("Foo", "IfNotPresent"));
  BOOST_TEST(result.waiting.at("web").reason == "InvalidImageName");
  BOOST_TEST(result.waiting.at("web").message ==
             "Failed to apply default image tag \"Foo\": couldn't parse image name \"Foo\": invalid reference format: repository name "
             "(library/Foo) must be lowercase");
}

BOOST_AUTO_TEST_CASE(credentials_of_pull_secrets_are_used) {
  runtime.AddRemoteImage("reg.local/app:1");
  core::Secret& secret = objects.secrets["pull"];
  secret.set_type("kubernetes.io/dockerconfigjson");
  (*secret.mutable_data())[".dockerconfigjson"] = R"({"auths":{"reg.local":{"username":"u","password":"p"}}})";
  BOOST_TEST(Sync(Pod("reg.local/app:1", "Always", "imagePullSecrets: [{name: pull}, {name: lost}]\n")).error.ok());
  BOOST_TEST(runtime.Pulls().at(0).auth->username() == "u");
  BOOST_TEST(HasEvent("Unable to retrieve some image pull secrets (lost); attempting to pull the image may not succeed."));
}

BOOST_AUTO_TEST_CASE(images_are_pulled_ahead_of_an_update) {
  runtime.AddRemoteImage("next:1");
  BOOST_TEST(manager->PrePullImages(ctx, Pod("next:1", "IfNotPresent")).ok());
  BOOST_TEST(Calls("RunPodSandbox") == 0u);
  const knarr::Status error = manager->PrePullImages(ctx, Pod("none:1", "IfNotPresent"));
  BOOST_TEST(std::string(error.message()).starts_with("container web: ErrImagePull: "));
}

BOOST_AUTO_TEST_CASE(image_users_are_verified) {
  const core::Pod pod = MakePod("securityContext: {runAsNonRoot: true}\ncontainers: [{name: web, image: 'root:1'}]\n");
  ::runtime::v1::Image image;
  image.mutable_uid()->set_value(0);
  runtime.AddImage("root:1", image);
  BOOST_TEST(Sync(pod).waiting.at("web").message ==
             "container has runAsNonRoot and image will run as root (pod: \"web-node_default(uid-1)\", container: web)");
}

struct GcFixture : ManagerFixture {
  GcFixture() {
    options.pause_image = "pause:1";
    options.disk_space = [this](const std::string&) -> Result<DiskSpace> { return space; };
    Restart();
    for (const char* name : {"pause:1", "kept:1", "old:1", "older:1"}) Add(name, false);
    Add("pinned:1", true);
  }
  void Add(const char* name, bool pinned) {
    ::runtime::v1::Image image;
    image.set_size(100);
    image.set_pinned(pinned);
    runtime.AddImage(name, image);
  }
  bool Has(const char* name) {
    ::runtime::v1::ImageSpec spec;
    spec.set_image(name);
    return runtime.ImageStatus(ctx, spec)->has_image();
  }
  DiskSpace space{1000, 500};
};

BOOST_FIXTURE_TEST_CASE(a_disk_with_room_keeps_all_images, GcFixture) {
  clock.Advance(1h);
  BOOST_TEST(manager->CollectImages(ctx, {}, {}).ok());
  BOOST_TEST(Calls("RemoveImage") == 0u);
}

BOOST_FIXTURE_TEST_CASE(only_unused_images_go_and_never_the_protected, GcFixture) {
  Sync(WebPod());
  BOOST_TEST(manager->CollectImages(ctx, {}, {"kept:1"}).ok());
  space.available = 50;  // 95 % used: 150 bytes too many
  BOOST_TEST(!manager->CollectImages(ctx, {}, {"kept:1", "tool:1"}).ok());  // everything is too young
  BOOST_TEST(Calls("RemoveImage") == 0u);
  clock.Advance(3min);
  BOOST_TEST(manager->CollectImages(ctx, {}, {"kept:1", "tool:1"}).ok());
  BOOST_TEST(Calls("RemoveImage") == 2u);
  for (const char* name : {"pause:1", "kept:1", "pinned:1", "web:1"}) BOOST_TEST(Has(name), name);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_freed_is_said, GcFixture) {
  space.available = 0;
  (void)manager->CollectImages(ctx, {}, {"kept:1"}).ok();
  clock.Advance(3min);
  const knarr::Status error = manager->CollectImages(ctx, {}, {"kept:1", "old:1", "older:1", "web:1", "tool:1"});
  BOOST_TEST(std::string(error.message()) ==
             "Failed to garbage collect required amount of images. Attempted to free 200 bytes, but only found 0 bytes eligible to free.");
}

BOOST_AUTO_TEST_CASE(thresholds_are_percents_of_the_disk) {
  RuntimeManager::ImageGcPolicy policy;
  BOOST_TEST(BytesToFree({1000, 160}, policy) == 0u);
  BOOST_TEST(BytesToFree({1000, 150}, policy) == 50u);
  BOOST_TEST(BytesToFree({0, 0}, policy) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
