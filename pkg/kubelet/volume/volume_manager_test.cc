#include "pkg/kubelet/volume/volume_test_util.h"

#include <fcntl.h>

#include "pkg/platform/mount.h"
#include "pkg/platform/procfs.h"

namespace knarr::kubelet {
namespace {

using namespace testing;

struct Fixture {
  TempDir dir;
  Objects objects;
  core::Pod pod = NewPod();
  DownwardFacts facts{{"10.1.0.7"}, {"192.0.2.1"}};
  const Context ctx = Context::Background();
  std::unique_ptr<VolumeManager> manager;
  const std::string base = dir / "root/pods/uid-1";

  Fixture() {
    VolumeOptions options;
    options.root_dir = dir / "root";
    options.node_allocatable = {{"cpu", "2"}, {"memory", "64Mi"}};
    manager = VolumeManager::Create(options, objects);
    core::ConfigMap& config = objects.config_maps["conf"];
    (*config.mutable_data())["key"] = "value";
    (*config.mutable_data())["other"] = "thing";
    (*config.mutable_binarydata())["bin"] = std::string("\0\xff", 2);
    (*objects.secrets["sec"].mutable_data())["token"] = "s3cret";
  }
  void SetUp() {
    const Status status = manager->SetUp(ctx, pod, facts);
    BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
  }
  std::string SetUpError() { return std::string(manager->SetUp(ctx, pod, facts).message()); }
  std::vector<ContainerMount> Mounts(const std::map<std::string, std::string>& env = {}) {
    Result<std::vector<ContainerMount>> mounts = manager->MountsFor(ctx, pod, pod.spec().containers(0), env);
    BOOST_REQUIRE_MESSAGE(mounts.ok(), mounts.status().message());
    return *mounts;
  }
  std::string MountsError() {
    return std::string(manager->MountsFor(ctx, pod, pod.spec().containers(0), {}).status().message());
  }
  core::VolumeMount* Mount(int i) { return pod.mutable_spec()->mutable_containers(0)->mutable_volumemounts(i); }
  bool TearDown() {
    const Status status = manager->TearDown(ctx, "uid-1");
    BOOST_TEST(status.ok(), status.message());
    return status.ok() && !PathExists(base);
  }
  size_t MountsBelow() { return platform::MountPointsWithin(platform::ReadMountInfo().value(), dir.path()).size(); }
};

BOOST_FIXTURE_TEST_SUITE(volume_manager, Fixture, *boost::unit_test::precondition(PrivateMounts()))

BOOST_AUTO_TEST_CASE(a_config_map_lies_on_disk_and_follows_items_and_modes) {
  auto* source = AddVolume(pod, "all")->mutable_configmap();
  source->mutable_localobjectreference()->set_name("conf");
  source->set_defaultmode(0640);
  auto* items = AddVolume(pod, "some")->mutable_configmap();
  items->mutable_localobjectreference()->set_name("conf");
  auto* item = items->add_items();
  item->set_key("key");
  item->set_path("etc/app.conf");
  item->set_mode(0400);
  SetUp();
  BOOST_TEST(Get(base + "/volumes/kubernetes.io~configmap/all/key") == "value");
  BOOST_TEST(Get(base + "/volumes/kubernetes.io~configmap/all/bin") == std::string("\0\xff", 2));
  BOOST_TEST(ModeOf(base + "/volumes/kubernetes.io~configmap/all/..data/key") == 0640U);
  BOOST_TEST(Get(base + "/volumes/kubernetes.io~configmap/some/etc/app.conf") == "value");
  BOOST_TEST(ModeOf(base + "/volumes/kubernetes.io~configmap/some/..data/etc/app.conf") == 0400U);
  BOOST_TEST(PathExists(base + "/plugins/kubernetes.io~empty-dir/wrapped_all/ready"));
  BOOST_TEST(MountsBelow() == 0U);
  const std::vector<ContainerMount> mounts = Mounts();
  BOOST_TEST(mounts[0].read_only);
  BOOST_TEST(mounts[0].container_path == "/mnt/all");
  BOOST_TEST(TearDown());
}

BOOST_AUTO_TEST_CASE(secrets_lie_on_a_tmpfs_and_vanish_with_it) {
  AddVolume(pod, "s")->mutable_secret()->set_secretname("sec");
  SetUp();
  SetUp();
  const std::string path = base + "/volumes/kubernetes.io~secret/s";
  BOOST_TEST(Get(path + "/token") == "s3cret");
  BOOST_TEST(MountsBelow() == 1U);
  const auto mounts = platform::ReadMountInfo().value();
  BOOST_TEST(platform::MountOf(mounts, path)->fs_type == "tmpfs");
  BOOST_TEST(TearDown());
  BOOST_TEST(MountsBelow() == 0U);
}

BOOST_AUTO_TEST_CASE(missing_objects_and_keys_are_named_in_upstream_s_words) {
  AddVolume(pod, "x")->mutable_configmap()->mutable_localobjectreference()->set_name("y");
  BOOST_TEST(SetUpError() == "MountVolume.SetUp failed for volume \"x\" : configmap \"y\" not found");
  auto* source = pod.mutable_spec()->mutable_volumes(0)->mutable_volumesource()->mutable_configmap();
  source->set_optional(true);
  SetUp();
  source->set_optional(false);
  source->mutable_localobjectreference()->set_name("conf");
  source->add_items()->set_key("nope");
  source->mutable_items(0)->set_path("nope");
  BOOST_TEST(SetUpError() == "MountVolume.SetUp failed for volume \"x\" : references non-existent config key: nope");
  AddVolume(pod, "z")->mutable_secret()->set_secretname("w");
  BOOST_TEST(
      SetUpError().ends_with("config key: nope; MountVolume.SetUp failed for volume \"z\" : secret \"w\" not found"));
}

BOOST_AUTO_TEST_CASE(volumes_that_no_container_mounts_are_not_set_up) {
  AddVolume(pod, "x")->mutable_secret()->set_secretname("missing");
  pod.mutable_spec()->mutable_containers(0)->clear_volumemounts();
  SetUp();
  BOOST_TEST(MountsBelow() == 0U);
}

BOOST_AUTO_TEST_CASE(kinds_that_need_an_api_server_are_refused_clearly) {
  AddVolume(pod, "claim")->mutable_persistentvolumeclaim()->set_claimname("c");
  BOOST_TEST(SetUpError().starts_with("MountVolume.SetUp failed for volume \"claim\" : no volume plugin matched"));
  pod = NewPod();
  AddVolume(pod, "git")->mutable_gitrepo()->set_repository("https://example.com/x.git");
  BOOST_TEST(SetUpError().starts_with("MountVolume.SetUp failed for volume \"git\" : no volume plugin matched"));
  pod = NewPod();
  AddVolume(pod, "huge")->mutable_emptydir()->set_medium("HugePages-2Mi");
  BOOST_TEST(SetUpError().find("storage medium \"HugePages-2Mi\" is not supported") != std::string::npos);
  pod = NewPod();
  AddVolume(pod, "t")->mutable_projected()->add_sources()->mutable_serviceaccounttoken()->set_path("token");
  BOOST_TEST(SetUpError().find("failed to fetch token") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(projected_sources_merge_and_name_every_error) {
  auto* projected = AddVolume(pod, "p")->mutable_projected();
  projected->add_sources()->mutable_configmap()->mutable_localobjectreference()->set_name("conf");
  projected->add_sources()->mutable_secret()->mutable_localobjectreference()->set_name("sec");
  auto* item = projected->add_sources()->mutable_downwardapi()->add_items();
  item->set_path("labels");
  item->mutable_fieldref()->set_fieldpath("metadata.labels");
  (*pod.mutable_metadata()->mutable_labels())["tier"] = "a\"b";
  (*pod.mutable_metadata()->mutable_labels())["app"] = "web";
  SetUp();
  const std::string path = base + "/volumes/kubernetes.io~projected/p";
  BOOST_TEST(Get(path + "/key") == "value");
  BOOST_TEST(Get(path + "/token") == "s3cret");
  BOOST_TEST(Get(path + "/labels") == "app=\"web\"\ntier=\"a\\\"b\"");
  projected->add_sources()->mutable_configmap()->mutable_localobjectreference()->set_name("m1");
  projected->add_sources()->mutable_secret()->mutable_localobjectreference()->set_name("m2");
  BOOST_TEST(SetUpError() ==
             "MountVolume.SetUp failed for volume \"p\" : [configmap \"m1\" not found, secret \"m2\" not found]");
}

BOOST_AUTO_TEST_CASE(downward_api_gives_fields_and_divided_resources) {
  auto* volume = AddVolume(pod, "d")->mutable_downwardapi();
  const auto field = [&](const std::string& path, const std::string& from) {
    auto* item = volume->add_items();
    item->set_path(path);
    item->mutable_fieldref()->set_fieldpath(from);
  };
  const auto resource = [&](const std::string& path, const std::string& from, const std::string& divisor) {
    auto* item = volume->add_items();
    item->set_path(path);
    item->mutable_resourcefieldref()->set_containername("main");
    item->mutable_resourcefieldref()->set_resource(from);
    item->mutable_resourcefieldref()->mutable_divisor()->set_string(divisor);
  };
  (*pod.mutable_metadata()->mutable_annotations())["note"] = "line\nbreak";
  field("name", "metadata.name");
  field("note", "metadata.annotations['note']");
  field("notes", "metadata.annotations");
  field("host", "status.hostIP");
  auto& resources = *pod.mutable_spec()->mutable_containers(0)->mutable_resources();
  (*resources.mutable_limits())["memory"].set_string("10000001");
  (*resources.mutable_requests())["cpu"].set_string("250m");
  resource("mem", "limits.memory", "1Mi");
  resource("req", "requests.cpu", "0");
  resource("milli", "requests.cpu", "1m");
  resource("cpu", "limits.cpu", "1m");
  SetUp();
  const std::string path = base + "/volumes/kubernetes.io~downward-api/d/";
  BOOST_TEST(Get(path + "name") == "web-node");
  BOOST_TEST(Get(path + "note") == "line\nbreak");
  BOOST_TEST(Get(path + "notes") == "note=\"line\\nbreak\"");
  BOOST_TEST(Get(path + "host") == "192.0.2.1");
  BOOST_TEST(Get(path + "mem") == "10");
  BOOST_TEST(Get(path + "req") == "1");
  BOOST_TEST(Get(path + "milli") == "250");
  BOOST_TEST(Get(path + "cpu") == "2000");
}

BOOST_AUTO_TEST_CASE(refresh_publishes_changed_content_only) {
  AddVolume(pod, "c")->mutable_configmap()->mutable_localobjectreference()->set_name("conf");
  SetUp();
  const std::string path = base + "/volumes/kubernetes.io~configmap/c/";
  struct stat before {
  }, after{};
  BOOST_REQUIRE(::stat((path + "key").c_str(), &before) == 0);
  BOOST_REQUIRE(manager->Refresh(ctx, pod, facts).ok());
  BOOST_REQUIRE(::stat((path + "key").c_str(), &after) == 0);
  BOOST_TEST(before.st_ino == after.st_ino);
  (*objects.config_maps["conf"].mutable_data())["key"] = "new";
  objects.config_maps["conf"].mutable_data()->erase("other");
  BOOST_REQUIRE(manager->Refresh(ctx, pod, facts).ok());
  BOOST_TEST(Get(path + "key") == "new");
  BOOST_TEST(!PathExists(path + "other"));
}

BOOST_AUTO_TEST_CASE(empty_dirs_keep_their_content_over_a_second_set_up) {
  AddVolume(pod, "disk")->mutable_emptydir();
  auto* memory = AddVolume(pod, "mem")->mutable_emptydir();
  memory->set_medium("Memory");
  memory->mutable_sizelimit()->set_string("1Mi");
  SetUp();
  const std::string volumes = base + "/volumes/kubernetes.io~empty-dir/";
  BOOST_TEST(ModeOf(volumes + "disk") == 0777U);
  Put(volumes + "disk/file", "1");
  Put(volumes + "mem/file", "2");
  SetUp();
  BOOST_TEST(Get(volumes + "disk/file") == "1");
  BOOST_TEST(Get(volumes + "mem/file") == "2");
  BOOST_TEST(platform::ReadFsUsage(volumes + "mem")->capacity == 1U << 20);
  BOOST_TEST(manager->PodsOnDisk()->contains("uid-1"));
  BOOST_TEST(TearDown());
  BOOST_TEST(manager->PodsOnDisk()->empty());
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_by_the_pod_s_limit_and_by_the_node) {
  AddVolume(pod, "mem")->mutable_emptydir()->set_medium("Memory");
  SetUp();
  const std::string path = base + "/volumes/kubernetes.io~empty-dir/mem";
  BOOST_TEST(platform::ReadFsUsage(path)->capacity == 64U << 20);
  BOOST_TEST(TearDown());
  (*pod.mutable_spec()->mutable_containers(0)->mutable_resources()->mutable_limits())["memory"].set_string("8Mi");
  SetUp();
  BOOST_TEST(platform::ReadFsUsage(path)->capacity == 8U << 20);
}

BOOST_AUTO_TEST_CASE(fs_group_owns_empty_dirs_and_payloads) {
  pod.mutable_spec()->mutable_securitycontext()->set_fsgroup(4321);
  AddVolume(pod, "disk")->mutable_emptydir();
  auto* secret = AddVolume(pod, "s")->mutable_secret();
  secret->set_secretname("sec");
  secret->set_defaultmode(0400);
  SetUp();
  const std::string disk = base + "/volumes/kubernetes.io~empty-dir/disk";
  BOOST_TEST(GroupOf(disk) == 4321U);
  BOOST_TEST((ModeOf(disk) & 02770U) == 02770U);
  const std::string file = base + "/volumes/kubernetes.io~secret/s/..data/token";
  BOOST_TEST(GroupOf(file) == 4321U);
  BOOST_TEST(ModeOf(file) == 0440U);
}

BOOST_AUTO_TEST_CASE(the_size_limit_is_checked_without_du) {
  auto* source = AddVolume(pod, "disk")->mutable_emptydir();
  source->mutable_sizelimit()->set_string("64Ki");
  SetUp();
  BOOST_TEST(manager->OverLimit(ctx, pod).value() == "");
  Put(base + "/volumes/kubernetes.io~empty-dir/disk/big", std::string(100'000, 'x'));
  BOOST_TEST(manager->OverLimit(ctx, pod).value() == "Usage of EmptyDir volume \"disk\" exceeds the limit \"64Ki\". ");
}

BOOST_AUTO_TEST_CASE(host_paths_are_checked_created_and_never_removed) {
  auto* source = AddVolume(pod, "h")->mutable_hostpath();
  source->set_path(dir / "data/sub");
  source->set_type("Directory");
  const std::string prefix = "MountVolume.SetUp failed for volume \"h\" : hostPath type check failed: ";
  BOOST_TEST(SetUpError() == prefix + (dir / "data/sub") + " is not a directory");
  source->set_type("DirectoryOrCreate");
  SetUp();
  BOOST_TEST(ModeOf(dir / "data/sub") == 0755U);
  Put(dir / "data/sub/precious", "keep");
  for (const auto& [type, text] : std::map<std::string, std::string>{{"File", "file"},
                                                                     {"Socket", "socket file"},
                                                                     {"CharDevice", "character device"},
                                                                     {"BlockDevice", "block device"}}) {
    source->set_type(type);
    BOOST_TEST(SetUpError() == prefix + (dir / "data/sub") + " is not a " + text);
  }
  source->set_path("/dev/null");
  source->set_type("CharDevice");
  SetUp();
  source->set_path(dir / "data/made");
  source->set_type("FileOrCreate");
  SetUp();
  BOOST_TEST(ModeOf(dir / "data/made") == 0644U);
  source->set_path(dir.path() + "/data/../data");
  BOOST_TEST(SetUpError().find("path must not contain '..'") != std::string::npos);
  source->set_path(dir / "data");
  source->set_type("");
  BOOST_TEST(Mounts()[0].host_path == dir / "data");
  BOOST_TEST(TearDown());
  BOOST_TEST(Get(dir / "data/sub/precious") == "keep");
}

BOOST_AUTO_TEST_CASE(sub_paths_are_bind_mounts_and_missing_ones_are_made) {
  AddVolume(pod, "disk", "a/b")->mutable_emptydir();
  AddVolume(pod, "conf", "key")->mutable_configmap()->mutable_localobjectreference()->set_name("conf");
  SetUp();
  std::vector<ContainerMount> mounts = Mounts();
  BOOST_TEST(mounts[0].host_path == base + "/volume-subpaths/disk/main/0");
  BOOST_TEST(mounts[1].host_path == base + "/volume-subpaths/conf/main/1");
  Put(mounts[0].host_path + "/file", "through");
  BOOST_TEST(Get(base + "/volumes/kubernetes.io~empty-dir/disk/a/b/file") == "through");
  BOOST_TEST(ModeOf(base + "/volumes/kubernetes.io~empty-dir/disk/a/b") == 0777U);
  BOOST_TEST(Get(mounts[1].host_path) == "value");
  BOOST_TEST(MountsBelow() == 2U);
  mounts = Mounts();
  BOOST_TEST(MountsBelow() == 2U);
  // A restarted container sees the new content.
  (*objects.config_maps["conf"].mutable_data())["key"] = "new";
  BOOST_REQUIRE(manager->Refresh(ctx, pod, facts).ok());
  mounts = Mounts();
  BOOST_TEST(Get(mounts[1].host_path) == "new");
  BOOST_TEST(MountsBelow() == 2U);
  BOOST_TEST(TearDown());
  BOOST_TEST(MountsBelow() == 0U);
}

BOOST_AUTO_TEST_CASE(sub_path_expressions_use_the_container_s_environment) {
  AddVolume(pod, "disk")->mutable_emptydir();
  Mount(0)->set_subpathexpr("logs/$(POD)-$$(X)");
  SetUp();
  Mounts({{"POD", "web"}});
  BOOST_TEST(PathExists(base + "/volumes/kubernetes.io~empty-dir/disk/logs/web-$(X)"));
  BOOST_TEST(MountsError() == "missing value for \"POD\"");
  Mount(0)->clear_subpathexpr();
  Mount(0)->set_subpath("/etc");
  BOOST_TEST(MountsError() == "error SubPath `/etc` must not be an absolute path");
  Mount(0)->set_subpath("a/../../b");
  BOOST_TEST(MountsError() == "unable to provision SubPath `a/../../b`: path must not contain '..'");
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_out_of_the_volume_is_refused_one_within_is_followed) {
  AddVolume(pod, "disk", "link/x")->mutable_emptydir();
  SetUp();
  const std::string volume = base + "/volumes/kubernetes.io~empty-dir/disk";
  BOOST_REQUIRE(::mkdir((dir / "outside").c_str(), 0755) == 0);
  for (const std::string& target :
       {dir / "outside", std::string("../../../../../../.."), std::string("/proc/self/root")}) {
    BOOST_REQUIRE(::symlink(target.c_str(), (volume + "/link").c_str()) == 0);
    BOOST_TEST(MountsError().find("leads out of the volume") != std::string::npos, MountsError());
    ::unlink((volume + "/link").c_str());
  }
  BOOST_TEST(!PathExists(dir / "outside/x"));
  BOOST_REQUIRE(::mkdir((volume + "/real").c_str(), 0755) == 0);
  BOOST_REQUIRE(::symlink("real", (volume + "/link").c_str()) == 0);
  Mounts();
  BOOST_TEST(PathExists(volume + "/real/x"));
}

BOOST_AUTO_TEST_CASE(teardown_never_reaches_the_host_through_sub_paths_and_nested_mounts) {
  BOOST_REQUIRE(MakeDirs(dir / "host/sub").ok());
  BOOST_REQUIRE(::mount("tmpfs", (dir / "host").c_str(), "tmpfs", 0, "size=1m") == 0);
  BOOST_REQUIRE(::mount(nullptr, (dir / "host").c_str(), nullptr, MS_SHARED, nullptr) == 0);
  BOOST_REQUIRE(MakeDirs(dir / "host/sub/disk").ok());
  Put(dir / "host/sub/precious", "keep");
  AddVolume(pod, "h", "sub")->mutable_hostpath()->set_path(dir / "host");
  Mount(0)->set_mountpropagation("Bidirectional");
  SetUp();
  const std::string bound = Mounts()[0].host_path;
  BOOST_TEST(Get(bound + "/precious") == "keep");
  // Mounted on the node after the container started: it shows below the pod, and must survive the pod.
  BOOST_REQUIRE(::mount("tmpfs", (dir / "host/sub/disk").c_str(), "tmpfs", 0, "size=1m") == 0);
  Put(dir / "host/sub/disk/also", "keep");
  BOOST_TEST(Get(bound + "/disk/also") == "keep");
  BOOST_TEST(TearDown());
  BOOST_TEST(Get(dir / "host/sub/precious") == "keep");
  BOOST_TEST(Get(dir / "host/sub/disk/also") == "keep");
}

BOOST_AUTO_TEST_CASE(files_behind_a_bind_mount_of_the_same_disk_are_not_removed) {
  BOOST_REQUIRE(MakeDirs(dir / "host/deep").ok());
  Put(dir / "host/deep/precious", "keep");
  AddVolume(pod, "disk")->mutable_emptydir();
  SetUp();
  const std::string inside = base + "/volumes/kubernetes.io~empty-dir/disk/m";
  BOOST_REQUIRE(::mkdir(inside.c_str(), 0755) == 0);
  BOOST_REQUIRE(::mount((dir / "host").c_str(), inside.c_str(), nullptr, MS_BIND, nullptr) == 0);
  BOOST_TEST(!RemoveAll(base).ok());
  BOOST_TEST(!RemoveAll(inside).ok());
  BOOST_TEST(Get(dir / "host/deep/precious") == "keep");
  BOOST_TEST(TearDown());
  BOOST_TEST(Get(dir / "host/deep/precious") == "keep");
}

BOOST_AUTO_TEST_CASE(a_busy_tmpfs_is_detached_lazily) {
  AddVolume(pod, "mem")->mutable_emptydir()->set_medium("Memory");
  SetUp();
  const UniqueFd open = OpenFile(base + "/volumes/kubernetes.io~empty-dir/mem", O_RDONLY).value();
  BOOST_TEST(TearDown());
  BOOST_TEST(MountsBelow() == 0U);
}

BOOST_AUTO_TEST_CASE(propagation_needs_and_gets_a_shared_mount) {
  AddVolume(pod, "disk")->mutable_emptydir();
  Mount(0)->set_mountpropagation("Bidirectional");
  SetUp();
  const ContainerMount mount = Mounts()[0];
  BOOST_TEST((mount.propagation == ContainerMount::Propagation::kBidirectional));
  const auto mounts = platform::ReadMountInfo().value();
  BOOST_TEST(platform::MountOf(mounts, mount.host_path)->Shared());
  Mount(0)->set_mountpropagation("Sideways");
  BOOST_TEST(MountsError() == "invalid MountPropagation mode: \"Sideways\"");
  BOOST_TEST(TearDown());
}

BOOST_AUTO_TEST_CASE(recursive_read_only_depends_on_the_runtime) {
  AddVolume(pod, "disk")->mutable_emptydir();
  SetUp();
  Mount(0)->set_readonly(true);
  Mount(0)->set_recursivereadonly("IfPossible");
  BOOST_TEST(!Mounts()[0].recursive_read_only);
  Mount(0)->set_recursivereadonly("Enabled");
  BOOST_TEST(MountsError() ==
             "volume \"disk\" requested recursive read-only mode, but it is not supported by the runtime");
  VolumeOptions options;
  options.root_dir = dir / "root";
  options.recursive_read_only_mounts = [] { return true; };
  manager = VolumeManager::Create(options, objects);
  BOOST_TEST(Mounts()[0].recursive_read_only);
  Mount(0)->set_readonly(false);
  BOOST_TEST(MountsError() == "volume \"disk\" requested recursive read-only mode, but it is not read-only");
}

BOOST_AUTO_TEST_CASE(another_process_takes_over_from_the_disk_alone) {
  AddVolume(pod, "mem")->mutable_emptydir()->set_medium("Memory");
  AddVolume(pod, "disk", "a")->mutable_emptydir();
  SetUp();
  Mounts();
  const std::string file = base + "/volumes/kubernetes.io~empty-dir/mem/file";
  Put(file, "kept");
  VolumeOptions options;
  options.root_dir = dir / "root";
  manager = VolumeManager::Create(options, objects);
  SetUp();
  Mounts();
  BOOST_TEST(Get(file) == "kept");
  BOOST_TEST(MountsBelow() == 2U);
  BOOST_TEST(TearDown());
}

BOOST_AUTO_TEST_CASE(refresh_does_not_bring_a_torn_down_pod_back) {
  AddVolume(pod, "c")->mutable_configmap()->mutable_localobjectreference()->set_name("conf");
  SetUp();
  BOOST_TEST(TearDown());
  BOOST_TEST(manager->Refresh(ctx, pod, facts).ok());
  BOOST_TEST(!PathExists(base));
  Put(dir / "root/pods/file", "not a pod");
  BOOST_TEST(manager->PodsOnDisk()->empty());
}

BOOST_AUTO_TEST_CASE(block_devices_are_refused_like_other_claims) {
  core::Volume* const volume = pod.mutable_spec()->add_volumes();
  volume->set_name("raw");
  volume->mutable_volumesource()->mutable_persistentvolumeclaim()->set_claimname("c");
  pod.mutable_spec()->mutable_containers(0)->add_volumedevices()->set_name("raw");
  BOOST_TEST(SetUpError().find("\"raw\" : no volume plugin matched") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unknown_pods_are_torn_down_and_hostile_names_refused) {
  BOOST_TEST(manager->TearDown(ctx, "never-seen").ok());
  BOOST_TEST(!manager->TearDown(ctx, "..").ok());
  BOOST_TEST(!manager->TearDown(ctx, "a/b").ok());
  BOOST_TEST(!manager->TearDown(ctx, "").ok());
  AddVolume(pod, "../../x")->mutable_emptydir();
  BOOST_TEST(SetUpError().find("cannot be a file name") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
