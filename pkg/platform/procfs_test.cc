#include "pkg/platform/procfs.h"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include "pkg/base/file.h"

namespace knarr::platform {
namespace {

struct TempDir {
  std::string path = "/tmp/knarr-platform-XXXXXX";
  TempDir() { BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TempDir() { (void)RemoveAll(path); }
  void Put(const std::string& name, size_t bytes) {
    BOOST_REQUIRE(WriteFileAtomically(path + "/" + name, std::string(bytes, 'x'), 0644).ok());
  }
};

BOOST_AUTO_TEST_SUITE(procfs)

BOOST_AUTO_TEST_CASE(meminfo_is_in_bytes) {
  const auto info = ParseMemInfo(
      "MemTotal:       24684092 kB\nMemFree: 20 kB\nMemAvailable: 30 kB\nHugePages_Total: 0\nSwapTotal: 5 kB\n");
  BOOST_REQUIRE(info.ok());
  BOOST_TEST(info->total == 24684092ULL * 1024);
  BOOST_TEST(info->free == 20480U);
  BOOST_TEST(info->available == 30720U);
  BOOST_TEST(info->swap_total == 5120U);
  BOOST_TEST(!ParseMemInfo("").ok());
  BOOST_TEST(!ParseMemInfo("MemTotal: kB\n").ok());
}

BOOST_AUTO_TEST_CASE(net_dev_counts_per_interface) {
  const auto devices = ParseNetDev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
      "compressed\n"
      "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0 "
      "         0\n"
      "eth0:1:12345678901     2    3    0    0     0          0         0       55       1    4    0    0     0       "
      "0          0\n");
  BOOST_REQUIRE(devices.ok());
  BOOST_REQUIRE(devices->size() == 2U);
  BOOST_TEST((*devices)[1].name == "eth0:1");
  BOOST_TEST((*devices)[1].rx_bytes == 12345678901U);
  BOOST_TEST((*devices)[1].rx_errors == 3U);
  BOOST_TEST((*devices)[1].tx_bytes == 55U);
  BOOST_TEST((*devices)[1].tx_errors == 4U);
  BOOST_TEST(!ParseNetDev("eth0: 1 2 3\n").ok());
}

BOOST_AUTO_TEST_CASE(boot_id_is_trimmed_and_never_empty) {
  TempDir dir;
  dir.Put("empty", 0);
  BOOST_TEST(!BootId(dir.path + "/empty").ok());
  BOOST_TEST(BootId()->size() == 36U);
}

BOOST_AUTO_TEST_CASE(disk_usage_counts_hard_links_once_and_follows_no_link) {
  TempDir dir, outside;
  outside.Put("big", 1 << 20);
  dir.Put("file", 8192);
  BOOST_REQUIRE(MakeDirs(dir.path + "/sub").ok());
  dir.Put("sub/file", 8192);
  const auto before = DiskUsage(Context::Background(), dir.path);
  BOOST_REQUIRE(before.ok());
  BOOST_TEST(before->inodes == 4U);
  BOOST_TEST(before->bytes >= 16384U);
  BOOST_REQUIRE(::link((dir.path + "/file").c_str(), (dir.path + "/again").c_str()) == 0);
  BOOST_REQUIRE(::symlink(outside.path.c_str(), (dir.path + "/away").c_str()) == 0);
  const auto after = DiskUsage(Context::Background(), dir.path);
  BOOST_TEST(after->inodes == 5U);  // the link itself
  BOOST_TEST(after->bytes < before->bytes + 8192);
}

BOOST_AUTO_TEST_CASE(disk_usage_is_bounded_and_can_be_cancelled) {
  TempDir dir;
  for (int i = 0; i < 20; ++i) dir.Put(std::to_string(i), 1);
  const auto usage = DiskUsage(Context::Background(), dir.path, 5);
  BOOST_REQUIRE(usage.ok());
  BOOST_TEST(usage->truncated);
  BOOST_TEST(usage->inodes <= 6U);
  std::stop_source stop;
  stop.request_stop();
  BOOST_TEST(!DiskUsage(Context::Background().WithStop(stop.get_token()), dir.path).ok());
  BOOST_TEST(!DiskUsage(Context::Background(), dir.path + "/missing").ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::platform
