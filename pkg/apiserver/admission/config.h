// --admission-control-config-file and the configurations of plugins: small strict readers.
// Mirrors: staging/src/k8s.io/apiserver/pkg/admission/config.go
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "pkg/base/status.h"

namespace knarr::admission {

struct PluginConfig {
  std::string text;    // YAML or JSON
  std::string origin;  // for messages: the file
};
// By plugin. An empty path is an empty map. apiVersion apiserver.config.k8s.io/v1 or apiserver.k8s.io/v1alpha1, kind
// AdmissionConfiguration; each plugin has a path (relative to the file) or a configuration.
Result<std::map<std::string, PluginConfig>> ReadConfiguration(const std::string& path);
Result<std::map<std::string, PluginConfig>> ParseConfiguration(std::string_view text, const std::string& path);

// An unversioned configuration of one map of strings under `key` (PodNodeSelector's).
Result<std::map<std::string, std::string>> ParseSelectors(std::string_view text, std::string_view key);

// A strict reader of one JSON object: what is not asked for by name is an unknown field.
class ConfigObject {
 public:
  // Checks apiVersion (one of) and kind.
  static Result<ConfigObject> Parse(std::string_view text, std::string_view kind,
                                    std::initializer_list<std::string_view> api_versions);
  ConfigObject(ConfigObject&&) noexcept;
  ConfigObject& operator=(ConfigObject&&) noexcept;
  ~ConfigObject();

  // "" and empty where absent or null.
  Result<std::string> String(std::string_view name);
  Result<std::vector<std::string>> Strings(std::string_view name);
  Result<std::map<std::string, std::string>> StringMap(std::string_view name);
  Result<std::optional<ConfigObject>> Object(std::string_view name);
  Result<std::vector<ConfigObject>> Objects(std::string_view name);
  // The value as JSON; "" where absent.
  std::string Raw(std::string_view name);
  // kInvalid for the first field that nobody asked for: unknown field "plugins[0].foo"
  Status Finish() const;

 private:
  friend Result<std::map<std::string, std::string>> ParseSelectors(std::string_view text, std::string_view key);
  static Result<ConfigObject> ParseAny(std::string_view text, std::string_view kind);
  ConfigObject(boost::json::object&& object, std::string path);
  const boost::json::value* Take(std::string_view name);
  std::string PathOf(std::string_view name) const;
  Status TypeError(std::string_view name, std::string_view expected) const;
  std::unique_ptr<boost::json::object> object_;
  std::string path_;
  std::vector<std::string> asked_;
};

}  // namespace knarr::admission
