// The attack of CVE-2017-1002101 and CVE-2021-25741: a container exchanges a directory of its volume for a symbolic
// link while the kubelet resolves a subPath through it.
#include <fcntl.h>
#include <sys/syscall.h>

#include <atomic>
#include <thread>

#include "pkg/kubelet/volume/subpath.h"
#include "pkg/kubelet/volume/volume_test_util.h"
#include "pkg/platform/mount.h"

namespace knarr::kubelet {
namespace {

using testing::Get;
using testing::PrivateMounts;
using testing::Put;
using testing::TempDir;

// Exchanges <volume>/dir (a directory) and <volume>/link (a symbolic link out of the volume) as fast as it can.
class Attacker {
 public:
  explicit Attacker(const std::string& volume) : thread_([this, volume] { Run(volume); }) {}
  ~Attacker() {
    stop_ = true;
    thread_.join();
  }
  uint64_t swaps() const { return swaps_; }

 private:
  void Run(const std::string& volume) {
    const std::string a = volume + "/dir", b = volume + "/link";
    while (!stop_) {
      if (::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 2 /* RENAME_EXCHANGE */) == 0) ++swaps_;
    }
  }
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> swaps_ = 0;
  std::thread thread_;
};

struct Fixture {
  TempDir dir;
  const std::string volume = dir / "volume";
  UniqueFd root;

  Fixture() {
    BOOST_REQUIRE(MakeDirs(volume + "/dir/sub").ok());
    BOOST_REQUIRE(MakeDirs(dir / "host/sub").ok());
    BOOST_REQUIRE(::symlink((dir / "host").c_str(), (volume + "/link").c_str()) == 0);
    Put(volume + "/dir/sub/whose", "pod");
    Put(dir / "host/sub/whose", "host");
    root = platform::OpenPath(volume, true).value();
  }
};

BOOST_FIXTURE_TEST_SUITE(subpath_race, Fixture, *boost::unit_test::precondition(PrivateMounts()))

BOOST_AUTO_TEST_CASE(a_swapped_link_never_gets_the_host_mounted) {
  const Attacker attacker(volume);
  int mounted = 0, refused = 0;
  for (int i = 0; i < 4000; ++i) {
    const Result<UniqueFd> source = OpenSubPath(root.get(), "dir/sub");
    if (!source.ok()) {
      ++refused;
      continue;
    }
    const std::string target = dir / "target";
    const Status status = BindSubPath(source->get(), target, platform::Propagation::kPrivate);
    BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
    BOOST_REQUIRE(Get(target + "/whose") == "pod");
    BOOST_REQUIRE(platform::Unmount(target, false).ok());
    ++mounted;
  }
  // Both happened, so there was a race to lose.
  BOOST_TEST(mounted > 0);
  BOOST_TEST(refused > 0);
  BOOST_TEST(attacker.swaps() > 0U);
}

BOOST_AUTO_TEST_CASE(a_swapped_link_never_gets_a_directory_made_on_the_host) {
  const Attacker attacker(volume);
  int made = 0;
  for (int i = 0; i < 4000; ++i) made += OpenSubPath(root.get(), fmt::format("dir/new-{}/deep", i)).ok() ? 1 : 0;
  BOOST_TEST(made > 0);
  const std::vector<std::string> expected{"sub"};
  BOOST_TEST(ListDir(dir / "host").value() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
