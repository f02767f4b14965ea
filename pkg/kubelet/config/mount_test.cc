// A manifest directory on a file system that comes late and goes away; needs root for a mount namespace of its own.
#include <sched.h>
#include <sys/mount.h>

#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(kubelet_config_mounts)

BOOST_AUTO_TEST_CASE(a_late_mount_is_seen_at_once_and_its_end_keeps_the_pods) {
  BOOST_REQUIRE_MESSAGE(::unshare(CLONE_NEWNS) == 0, "needs root: unshare");
  BOOST_REQUIRE(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  BOOST_REQUIRE(MakeDirs(root.File("disk")).ok());
  BOOST_REQUIRE(::mount("none", root.File("disk").c_str(), "tmpfs", 0, nullptr) == 0);
  root.Write("disk/web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(root.File("m")));
  BOOST_TEST(Names(*sources.Start()) == "");
  BOOST_REQUIRE(::mount(root.File("disk").c_str(), root.File("m").c_str(), nullptr, MS_BIND, nullptr) == 0);
  const PodPtr pod = sources.WaitForNames("default/web-node1")->pods.at(0).pod;
  root.Write("disk/db.yaml", PodYaml("db"));
  sources.WaitForNames("default/db-node1 default/web-node1");
  BOOST_REQUIRE(::umount2(root.File("m").c_str(), MNT_DETACH) == 0);
  State state = sources.WaitForProblem("an empty directory took its place");
  BOOST_TEST(Names(*state) == "default/db-node1 default/web-node1");
  BOOST_REQUIRE(::mount(root.File("disk").c_str(), root.File("m").c_str(), nullptr, MS_BIND, nullptr) == 0);
  state = sources.WaitForNoProblem();
  BOOST_TEST(FindPod(*state, "default/web-node1")->pod == pod);
  sources->Stop();
  (void)::umount2(root.File("m").c_str(), MNT_DETACH);
  (void)::umount2(root.File("disk").c_str(), MNT_DETACH);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
