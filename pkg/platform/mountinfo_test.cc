#include "pkg/platform/mountinfo.h"

#include <boost/test/unit_test.hpp>

namespace knarr::platform {
namespace {

constexpr std::string_view kText =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
    "40 27 0:37 /sub /mnt/with\\040space\\134 rw,nosuid shared:7 master:1 - tmpfs tmpfs rw,size=4k\n"
    "41 40 0:38 / /mnt/with\\040space\\134/deep ro - cgroup2 cgroup2 rw\n"
    "42 40 0:39 / /mnt/with\\040space\\134/deep ro - tmpfs top rw\n";

std::vector<MountEntry> Mounts() {
  return ParseMountInfo(kText).value();
}

BOOST_AUTO_TEST_SUITE(mountinfo)

BOOST_AUTO_TEST_CASE(every_field_is_read_and_escapes_are_decoded) {
  const std::vector<MountEntry> mounts = Mounts();
  BOOST_REQUIRE(mounts.size() == 5U);
  const MountEntry& entry = mounts[2];
  BOOST_TEST(entry.id == 40);
  BOOST_TEST(entry.parent_id == 27);
  BOOST_TEST(entry.minor == 37U);
  BOOST_TEST(entry.root == "/sub");
  BOOST_TEST(entry.mount_point == "/mnt/with space\\");
  BOOST_TEST(entry.options.back() == "nosuid");
  BOOST_TEST(entry.optional_fields.size() == 2U);
  BOOST_TEST(entry.fs_type == "tmpfs");
  BOOST_TEST(entry.super_options.back() == "size=4k");
  BOOST_TEST(entry.Shared());
  BOOST_TEST(!mounts[0].Shared());
}

BOOST_AUTO_TEST_CASE(broken_lines_are_refused_with_their_number) {
  for (const std::string_view bad : {"22 27 0:21 / /proc rw", "x 27 0:21 / /proc rw - proc proc rw",
                                     "22 27 21 / /proc rw - proc proc rw", "- - -"}) {
    const auto mounts = ParseMountInfo("27 1 254:0 / / rw - ext4 /dev/vda rw\n" + std::string(bad));
    BOOST_TEST(mounts.status().message().find("mountinfo line 2") != std::string::npos, bad);
  }
  BOOST_TEST(ParseMountInfo("")->empty());
}

BOOST_AUTO_TEST_CASE(a_path_belongs_to_the_longest_and_topmost_mount) {
  const std::vector<MountEntry> mounts = Mounts();
  BOOST_TEST(MountOf(mounts, "/procedure")->mount_point == "/");
  BOOST_TEST(MountOf(mounts, "/proc/1")->fs_type == "proc");
  BOOST_TEST(MountOf(mounts, "/mnt/with space\\/deep/x")->source == "top");
  BOOST_TEST(MountOf({}, "/") == nullptr);
}

BOOST_AUTO_TEST_CASE(mount_points_within_come_deepest_first_and_stacks_whole) {
  const std::vector<std::string> expected{"/mnt/with space\\/deep", "/mnt/with space\\/deep", "/mnt/with space\\"};
  BOOST_TEST(MountPointsWithin(Mounts(), "/mnt") == expected, boost::test_tools::per_element());
  BOOST_TEST(MountPointsWithin(Mounts(), "/mnt/with").empty());
}

BOOST_AUTO_TEST_CASE(this_process_s_own_table_parses) {
  const auto mounts = ReadMountInfo();
  BOOST_REQUIRE_MESSAGE(mounts.ok(), mounts.status().message());
  BOOST_TEST(MountOf(*mounts, "/proc/self")->fs_type == "proc");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::platform
