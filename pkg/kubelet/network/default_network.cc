// The configurations that Knarr writes: the default network of a fresh node, and containerd's relay.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

#include "pkg/base/file.h"
#include "pkg/cni/config.h"
#include "pkg/kubelet/network/cni_relay.h"

namespace knarr::kubelet {
namespace {

// 4, 6, or an error that names the CIDR.
Result<int> FamilyOf(const std::string& cidr) {
  const size_t slash = cidr.find('/');
  const std::string address = cidr.substr(0, slash);
  unsigned char buffer[sizeof(in6_addr)];
  const int family = ::inet_pton(AF_INET, address.c_str(), buffer) == 1 ? 4 : ::inet_pton(AF_INET6, address.c_str(), buffer) == 1 ? 6 : 0;
  int length = -1;
  if (slash != std::string::npos) std::from_chars(cidr.data() + slash + 1, cidr.data() + cidr.size(), length);
  // host-local needs room for the gateway and a pod.
  if (family == 0 || length < 1 || length > (family == 4 ? 30 : 126)) {
    return Error(Code::kInvalid, "invalid CIDR address: {}", cidr);
  }
  return family;
}

constexpr std::string_view kDefaultNetwork = R"({{
  "cniVersion": "1.0.0",
  "name": "knarr",
  "plugins": [
    {{
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": {{
        "type": "host-local",{}
        "ranges": [[{{ "subnet": "{}" }}]],
        "routes": [{{ "dst": "{}" }}]
      }}
    }},
    {{
      "type": "portmap",
      "capabilities": {{ "portMappings": true }}
    }}
  ]
}}
)";

// 1.0.0 is the newest version that containerd 1.6 speaks; the networks behind the relay may be of any.
constexpr std::string_view kRelay = R"({{
  "cniVersion": "1.0.0",
  "name": "knarr",
  "plugins": [
    {{
      "type": "knarr-cni",
      "socket": "{}",
      "stateDir": "{}",
      "capabilities": {{
        "aliases": true, "bandwidth": true, "cgroupPath": true, "deviceID": true, "dns": true,
        "ipRanges": true, "ips": true, "mac": true, "portMappings": true
      }}
    }}
  ]
}}
)";

Status CheckPath(const std::string& path) {
  if (path.starts_with('/') && path.find_first_of("\"\\\n") == std::string::npos) return {};
  return Error(Code::kInvalid, "\"{}\" is no absolute path without quotes and backslashes", path);
}

}  // namespace

Result<bool> WriteDefaultNetwork(const std::string& conf_dir, const std::string& cidr, const std::string& lease_dir) {
  const int family = KNARR_TRY(FamilyOf(cidr));
  std::string data_dir;
  if (!lease_dir.empty()) {
    KNARR_TRY(CheckPath(lease_dir));
    data_dir = fmt::format("\n        \"dataDir\": \"{}\",", lease_dir);
  }
  if (!KNARR_TRY(cni::NetworkFiles(conf_dir)).empty()) return false;
  KNARR_TRY(MakeDirs(conf_dir));
  KNARR_TRY(WriteFileAtomically(JoinPath(conf_dir, "10-knarr.conflist"),
                                fmt::format(kDefaultNetwork, data_dir, cidr, family == 4 ? "0.0.0.0/0" : "::/0"), 0644));
  return true;
}

Status WriteRelayConfig(const std::string& conf_dir, const std::string& socket_path, const std::string& state_dir) {
  KNARR_TRY(CheckPath(socket_path));
  KNARR_TRY(CheckPath(state_dir));
  const std::string path = JoinPath(conf_dir, "00-knarr-relay.conflist");
  const std::string content = fmt::format(kRelay, socket_path, state_dir);
  if (const Result<std::string> old = ReadFile(path); old.ok() && *old == content) return {};
  KNARR_TRY(MakeDirs(conf_dir));
  return WriteFileAtomically(path, content, 0644);
}

}  // namespace knarr::kubelet
