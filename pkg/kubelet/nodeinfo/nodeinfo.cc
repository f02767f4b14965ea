#include "pkg/kubelet/nodeinfo/nodeinfo.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "pkg/api/resource/quantity.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/nodeinfo/addresses.h"
#include "pkg/kubelet/nodeinfo/os_release.h"
#include "pkg/platform/procfs.h"

namespace knarr::kubelet {

namespace {

// The first of the files that can be read and is not empty; "" if none.
std::string FirstLineOf(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    std::string text = ReadFile(path, 4096).value_or("");
    text = text.substr(0, text.find('\n'));
    if (!text.empty()) return text;
  }
  return {};
}

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Go's names of the architectures.
std::string GoArchitecture(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("arm")) return "arm";
  if (machine == "i686" || machine == "i586" || machine == "i386") return "386";
  return std::string(machine);
}

std::string Bytes(uint64_t value) {
  return Quantity(static_cast<int64_t>(value), Quantity::Format::kBinarySI).ToString();
}

}  // namespace

std::map<std::string, std::string> NodeInfo::Capacity() const {
  return {{"cpu", std::to_string(cpus)},
          {"memory", Bytes(memory)},
          {"ephemeral-storage", Bytes(ephemeral_storage)},
          {"pods", std::to_string(max_pods)}};
}

std::map<std::string, std::string> NodeInfo::Allocatable(const std::map<std::string, std::string>& reserved) const {
  std::map<std::string, std::string> allocatable = Capacity();
  for (const auto& [resource, amount] : reserved) {
    const auto found = allocatable.find(resource);
    const Result<Quantity> taken = Quantity::Parse(amount);
    if (found == allocatable.end() || !taken.ok()) continue;  // checked when the options were read
    const Quantity left = Quantity::Parse(found->second).value_or(Quantity()) - *taken;
    found->second = left.Sign() < 0 ? "0" : left.ToString();
  }
  return allocatable;
}

Status CheckSwap(const std::string& proc_swaps) {
  const Result<std::string> text = ReadFile(proc_swaps, 64 << 10);
  if (!text.ok()) return text.status().Is(Code::kNotFound) ? Status() : text.status();  // a kernel without swap
  // The first line is the table's head.
  const size_t head = text->find('\n');
  if (head == std::string::npos || text->find_first_not_of(" \t\n", head) == std::string::npos) return {};
  return Error(Code::kFailedPrecondition, "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false");
}

Result<NodeInfo> ReadNodeInfo(const std::vector<std::string>& node_ips, const std::string& root_dir) {
  NodeInfo info;
  utsname names{};
  if (::uname(&names) != 0) return ErrnoError(errno, "uname");
  info.hostname = LowerCase(names.nodename);
  info.kernel_version = names.release;
  info.architecture = GoArchitecture(names.machine);
  info.operating_system = "linux";
  info.os_image = OsImage(FirstReadable({"/etc/os-release", "/usr/lib/os-release"}));
  info.machine_id = FirstLineOf({"/etc/machine-id", "/var/lib/dbus/machine-id"});
  info.system_uuid = FirstLineOf({"/sys/class/dmi/id/product_uuid", "/proc/device-tree/vm,uuid", "/etc/machine-id"});
  info.boot_id = KNARR_TRY(platform::BootId());
  info.cpus = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  const platform::MemInfo memory = KNARR_TRY(platform::ReadMemInfo());
  info.memory = memory.total;
  info.swap = memory.swap_total;
  const Result<platform::FsUsage> fs = platform::ReadFsUsage(root_dir);
  info.ephemeral_storage = (fs.ok() ? *fs : KNARR_TRY(platform::ReadFsUsage("/"))).capacity;
  const HostNetwork network = KNARR_TRY(ReadHostNetwork());
  info.ips = KNARR_TRY(ChooseNodeIps(node_ips, network));
  return info;
}

}  // namespace knarr::kubelet
