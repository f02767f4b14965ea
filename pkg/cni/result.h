// Results of CNI plugins: their versions and the conversion between them.
// Mirrors: github.com/containernetworking/cni/pkg/types/{020,040,100}, pkg/types/create
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::cni {

// A result in a given version of the specification, as JSON text. A result that names no version is taken to be of
// `config_version`, as libcni does.
Result<std::string> ConvertResult(std::string_view json, std::string_view config_version, std::string_view to_version);

struct ResultInterface {
  std::string name;
  std::string mac;
  std::string sandbox;  // the network namespace's path, empty for interfaces of the host
};
struct ResultSummary {
  std::vector<ResultInterface> interfaces;
  std::vector<std::string> ips;  // without prefix length, in the result's order
};
// Any version.
Result<ResultSummary> SummarizeResult(std::string_view json);

// What a plugin prints when it fails. Codes below 100 are the specification's.
struct PluginError {
  static constexpr unsigned kInvalidNetworkConfig = 7;
  static constexpr unsigned kTryAgainLater = 11;
  static constexpr unsigned kPluginNotAvailable = 50;
  static constexpr unsigned kInternal = 999;

  unsigned code = 0;
  std::string msg;
  std::string details;

  // libcni's text: "msg; details".
  std::string ToString() const;
  std::string ToJson(std::string_view cni_version) const;
};
// nullopt when the text is not such an object.
std::optional<PluginError> ParsePluginError(std::string_view json);

}  // namespace knarr::cni
