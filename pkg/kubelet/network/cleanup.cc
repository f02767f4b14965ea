#include "pkg/kubelet/network/cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pkg/base/file.h"
#include "pkg/base/process.h"
#include "pkg/base/unique_fd.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

bool IsAddress(const std::string& text) {
  unsigned char buffer[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\0";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Host-local waits for this lock, so nothing is handed out while we look; it is held only for as long as that takes.
Result<UniqueFd> LockLeases(const std::string& directory) {
  UniqueFd fd = KNARR_TRY(OpenFile(directory + "/lock", O_CREAT | O_RDWR, 0600));
  if (TEMP_FAILURE_RETRY(::flock(fd.get(), LOCK_EX)) != 0) return ErrnoError(errno, "lock {}/lock", directory);
  return fd;
}

Result<HostLocalLease> ReadLease(const std::string& path, const std::string& ip) {
  HostLocalLease lease;
  lease.ip = ip;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return ErrnoError(errno, "stat {}", path);
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalid, "{} is no regular file", path);
  lease.written = WallTime(std::chrono::seconds(info.st_mtim.tv_sec));
  const std::string content = KNARR_TRY(ReadFile(path, 4096));
  const std::string_view text = Trim(content);
  const size_t newline = text.find('\n');
  lease.container_id = Trim(text.substr(0, newline));
  if (newline != std::string_view::npos) lease.ifname = Trim(text.substr(newline));
  return lease;
}

}  // namespace

Result<int> ReleaseHostLocalLeases(const std::string& directory, const std::function<bool(const HostLocalLease&)>& is_dead) {
  if (!PathExists(directory)) return 0;
  const UniqueFd lock = KNARR_TRY(LockLeases(directory));
  int released = 0;
  for (const std::string& name : KNARR_TRY(ListDir(directory))) {
    if (!IsAddress(name)) continue;  // lock, last_reserved_ip.0
    const std::string path = JoinPath(directory, name);
    const Result<HostLocalLease> lease = ReadLease(path, name);
    if (!lease.ok() || !is_dead(*lease)) continue;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "release {}", path);
    ++released;
  }
  return released;
}

namespace {

// The text between `before` and `after` behind position `at`, which moves behind it; npos when there is none.
std::string_view Between(std::string_view text, std::string_view before, std::string_view after, size_t& at) {
  const size_t begin = text.find(before, at);
  const size_t end = begin == std::string_view::npos ? begin : text.find(after, begin + before.size());
  at = end;
  if (end == std::string_view::npos) return {};
  return text.substr(begin + before.size(), end - begin - before.size());
}

bool IsPerAttachmentChain(std::string_view chain) { return chain.starts_with("CNI-") && !chain.starts_with("CNI-HOSTPORT"); }

}  // namespace

std::string PlanIptablesSweep(std::string_view save, const IsDead& is_dead, int& rules) {
  std::string deletions;
  std::set<std::string_view> chains;
  rules = 0;
  while (!save.empty()) {
    const std::string_view line = save.substr(0, save.find('\n'));
    save.remove_prefix(std::min(line.size() + 1, save.size()));
    if (!line.starts_with("-A ")) continue;
    size_t at = 0;
    const std::string_view network = Between(line, "name: \\\"", "\\\"", at);
    if (at == std::string_view::npos) continue;
    const std::string_view id = Between(line, "id: \\\"", "\\\"", at);
    if (at == std::string_view::npos || !is_dead(network, id)) continue;
    const std::string_view chain = line.substr(3, line.find(' ', 3) - 3);
    const size_t jump = line.find(" -j ", at);
    const std::string_view target = jump == std::string_view::npos ? "" : line.substr(jump + 4, line.find(' ', jump + 4) - jump - 4);
    if (IsPerAttachmentChain(chain)) {
      chains.insert(chain);
    } else {
      deletions += fmt::format("-D {}\n", line.substr(3));
    }
    if (IsPerAttachmentChain(target)) chains.insert(target);
    ++rules;
  }
  if (rules == 0) return {};
  std::string plan = "*nat\n" + deletions;
  for (const std::string_view chain : chains) plan += fmt::format("-F {}\n", chain);
  for (const std::string_view chain : chains) plan += fmt::format("-X {}\n", chain);
  return plan + "COMMIT\n";
}

Result<int> SweepIptables(const Context& ctx, const IsDead& is_dead) {
  int all = 0;
  Status first;
  for (const std::string_view family : {"iptables", "ip6tables"}) {
    const Result<std::string> save = FindInPath(fmt::format("{}-save", family));
    const Result<std::string> restore = FindInPath(fmt::format("{}-restore", family));
    if (!save.ok() || !restore.ok()) continue;
    ProcessSpec spec;
    spec.path = *save;
    spec.argv = {*save, "-t", "nat"};
    spec.stdout_limit = 16 << 20;
    const Result<ProcessResult> saved = RunProcess(ctx.WithTimeout(30s), spec);
    if (!saved.ok() || !saved->Succeeded()) {
      // Without the table there is nothing in it (IPv6 switched off, an empty appliance kernel).
      if (!saved.ok()) first = saved.error();
      continue;
    }
    int rules = 0;
    spec.stdin_data = PlanIptablesSweep(saved->out, is_dead, rules);
    if (spec.stdin_data.empty()) continue;
    spec.path = *restore;
    spec.argv = {*restore, "--noflush", "-w", "10"};
    const Result<ProcessResult> done = RunProcess(ctx.WithTimeout(30s), spec);
    const Status status = done.ok() ? done->ToStatus(spec.path) : done.error();
    if (status.ok()) {
      all += rules;
    } else if (first.ok()) {
      first = status;
    }
  }
  if (!first.ok()) return first;
  return all;
}

namespace {

Result<std::string> DriverOf(const std::string& name) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "socket");
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (::ioctl(fd.get(), SIOCETHTOOL, &request) != 0) return ErrnoError(errno, "interface {}", name);
  return std::string(info.driver, ::strnlen(info.driver, sizeof info.driver));
}

Status DeleteLink(const std::string& name) {
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return ErrnoError(errno, "netlink socket");
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (request.link.ifi_index == 0) return {};
  if (::send(fd.get(), &request, sizeof request, 0) < 0) return ErrnoError(errno, "delete interface {}", name);
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } reply{};
  if (TEMP_FAILURE_RETRY(::recv(fd.get(), &reply, sizeof reply, 0)) < 0) return ErrnoError(errno, "delete interface {}", name);
  if (reply.header.nlmsg_type != NLMSG_ERROR || reply.error.error == 0 || reply.error.error == -ENODEV) return {};
  return ErrnoError(-reply.error.error, "delete interface {}", name);
}

}  // namespace

Status DeleteVeth(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return {};
  const Result<std::string> driver = DriverOf(name);
  if (!driver.ok() || *driver != "veth") return {};  // gone, or not ours to delete
  return DeleteLink(name);
}

bool IsNetworkNamespace(const std::string& path) {
  if (path.empty()) return false;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct statfs info {};
  return fd && ::fstatfs(fd.get(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

Result<bool> RemoveForgottenNamespace(const std::string& path) {
  // <somewhere>/netns/cni-<uuid>: /run/netns, or containerd's state directory with netns_mounts_under_state_dir.
  const bool made_by_containerd = path.starts_with('/') && BaseName(DirName(path)) == "netns" && BaseName(path).starts_with("cni-");
  if (!made_by_containerd || path.find("/../") != std::string::npos) return false;
  if (!PathExists(path)) return false;
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT) {
    return ErrnoError(errno, "unmount {}", path);
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", path);
  return true;
}

WallTime BootTime() {
  timespec up{};
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  return std::chrono::system_clock::now() - std::chrono::seconds(up.tv_sec);
}

Result<std::string> BootId() {
  const std::string text = KNARR_TRY(ReadFile("/proc/sys/kernel/random/boot_id", 128));
  return std::string(Trim(text));
}

}  // namespace knarr::kubelet
