// What knarr-cni and the kubelet say to one another over the relay's unix socket: one request, one reply, then the
// connection is closed. The standard library only: knarr-cni must start within a millisecond.
//   request: "KCN1", u32 length, u32 count, count x (u32 length, bytes): command, container id, netns, ifname, args, stdin
//   reply:   "KCN1", u32 length, u32 exit code, stdout of the plugin
// Numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::cni {

inline constexpr size_t kRelayHeader = 8;
inline constexpr size_t kMaxRelayPayload = 1 << 20;

struct RelayRequest {
  std::string command, container_id, netns, ifname, args, stdin_data;
};
struct RelayReply {
  uint32_t exit_code = 0;
  std::string out;
};

std::string EncodeRequest(const RelayRequest& request);
std::string EncodeReply(const RelayReply& reply);
// The payload's length from a header of kRelayHeader bytes; nullopt for a foreign or too long one.
std::optional<size_t> PayloadLength(std::string_view header);
std::optional<RelayRequest> DecodeRequest(std::string_view payload);
std::optional<RelayReply> DecodeReply(std::string_view payload);

// The string member `key` at the top level of a JSON object, without a JSON library; "" where it is absent, no plain
// string, or the text is no object. Escapes other than \/ \\ \" make it "".
std::string TopLevelString(std::string_view json, std::string_view key);

// A DEL that knarr-cni could not deliver is left to the kubelet as the file <state_dir>/deferred/<id>,<ifname>.
std::string DeferredName(std::string_view container_id, std::string_view ifname);
// False for names that are none.
bool ParseDeferredName(std::string_view name, std::string& container_id, std::string& ifname);

}  // namespace knarr::cni
