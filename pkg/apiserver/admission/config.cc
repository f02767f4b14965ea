#include "pkg/apiserver/admission/config.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "pkg/api/codec/codec.h"
#include "pkg/base/file.h"

namespace knarr::admission {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

std::string Serialize(const boost::json::value& value) {
  return boost::json::serialize(value);
}

}  // namespace

ConfigObject::ConfigObject(boost::json::object&& object, std::string path)
    : object_(std::make_unique<boost::json::object>(std::move(object))), path_(std::move(path)) {}
ConfigObject::ConfigObject(ConfigObject&&) noexcept = default;
ConfigObject& ConfigObject::operator=(ConfigObject&&) noexcept = default;
ConfigObject::~ConfigObject() = default;

Result<ConfigObject> ConfigObject::ParseAny(std::string_view text, std::string_view kind) {
  const std::string json = KNARR_TRY(codec::YamlToJson(text, {.max_bytes = kMaxConfigBytes}));
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(json, error);
  if (error || !value.is_object()) return Error(Code::kInvalid, "expected an object of kind {}", kind);
  return ConfigObject(std::move(value.as_object()), "");
}

Result<ConfigObject> ConfigObject::Parse(std::string_view text, std::string_view kind,
                                         std::initializer_list<std::string_view> api_versions) {
  ConfigObject object = KNARR_TRY(ParseAny(text, kind));
  const std::string api_version = KNARR_TRY(object.String("apiVersion"));
  const std::string found = KNARR_TRY(object.String("kind"));
  if (found != kind || std::find(api_versions.begin(), api_versions.end(), api_version) == api_versions.end())
    return Error(Code::kInvalid, "no kind \"{}\" is registered for version \"{}\"; expected {} of {}", found,
                 api_version, kind, fmt::join(api_versions, ", "));
  return object;
}

std::string ConfigObject::PathOf(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

Status ConfigObject::TypeError(std::string_view name, std::string_view expected) const {
  return Error(Code::kInvalid, "{}: expected {}", PathOf(name), expected);
}

const boost::json::value* ConfigObject::Take(std::string_view name) {
  asked_.emplace_back(name);
  const auto* value = object_->if_contains(boost::json::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::string> ConfigObject::String(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return TypeError(name, "a string");
  return std::string(std::string_view(value->as_string()));
}

Result<std::vector<std::string>> ConfigObject::Strings(std::string_view name) {
  std::vector<std::string> out;
  const auto* value = Take(name);
  if (value == nullptr) return out;
  if (!value->is_array()) return TypeError(name, "a list of strings");
  for (const auto& item : value->as_array()) {
    if (!item.is_string()) return TypeError(name, "a list of strings");
    out.emplace_back(std::string_view(item.as_string()));
  }
  return out;
}

Result<std::map<std::string, std::string>> ConfigObject::StringMap(std::string_view name) {
  std::map<std::string, std::string> out;
  const auto* value = Take(name);
  if (value == nullptr) return out;
  if (!value->is_object()) return TypeError(name, "a map of strings");
  for (const auto& [key, item] : value->as_object()) {
    if (!item.is_string()) return TypeError(name, "a map of strings");
    out.emplace(std::string(std::string_view(key)), std::string(std::string_view(item.as_string())));
  }
  return out;
}

Result<std::optional<ConfigObject>> ConfigObject::Object(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::optional<ConfigObject>();
  if (!value->is_object()) return TypeError(name, "an object");
  return std::optional<ConfigObject>(ConfigObject(boost::json::object(value->as_object()), PathOf(name)));
}

Result<std::vector<ConfigObject>> ConfigObject::Objects(std::string_view name) {
  std::vector<ConfigObject> out;
  const auto* value = Take(name);
  if (value == nullptr) return out;
  if (!value->is_array()) return TypeError(name, "a list of objects");
  for (const auto& item : value->as_array()) {
    if (!item.is_object()) return TypeError(name, "a list of objects");
    out.push_back(ConfigObject(boost::json::object(item.as_object()), fmt::format("{}[{}]", PathOf(name), out.size())));
  }
  return out;
}

std::string ConfigObject::Raw(std::string_view name) {
  const auto* value = Take(name);
  return value == nullptr ? std::string() : Serialize(*value);
}

Status ConfigObject::Finish() const {
  for (const auto& member : *object_) {
    const std::string_view key(member.key());
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end())
      return Error(Code::kInvalid, "strict decoding error: unknown field \"{}\"", PathOf(key));
  }
  return {};
}

Result<std::map<std::string, std::string>> ParseSelectors(std::string_view text, std::string_view key) {
  ConfigObject object = KNARR_TRY(ConfigObject::ParseAny(text, key));
  auto out = KNARR_TRY(object.StringMap(key));
  KNARR_TRY(object.Finish());
  return out;
}

Result<std::map<std::string, PluginConfig>> ReadConfiguration(const std::string& path) {
  if (path.empty()) return std::map<std::string, PluginConfig>();
  const auto text = ReadFile(path, kMaxConfigBytes);
  if (!text.ok())
    return Error(Code::kInvalid, "unable to read admission control configuration from \"{}\" [{}]", path,
                 text.status());
  return ParseConfiguration(*text, path);
}

Result<std::map<std::string, PluginConfig>> ParseConfiguration(std::string_view text, const std::string& path) {
  std::map<std::string, PluginConfig> out;
  auto config = KNARR_TRY_CTX(
      ConfigObject::Parse(text, "AdmissionConfiguration", {"apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"}),
      "{}", path);
  auto plugins = KNARR_TRY_CTX(config.Objects("plugins"), "{}", path);
  KNARR_TRY_CTX(config.Finish(), "{}", path);
  for (ConfigObject& plugin : plugins) {
    const std::string name = KNARR_TRY_CTX(plugin.String("name"), "{}", path);
    std::string file = KNARR_TRY_CTX(plugin.String("path"), "{}", path);
    PluginConfig one{.text = plugin.Raw("configuration"), .origin = path};
    KNARR_TRY_CTX(plugin.Finish(), "{}", path);
    // An inline configuration wins over a path, as upstream.
    if (one.text.empty() && !file.empty()) {
      if (file.front() != '/') file = JoinPath(DirName(path), file);
      one.text =
          KNARR_TRY_CTX(ReadFile(file, kMaxConfigBytes), "couldn't open admission plugin configuration {}", file);
      one.origin = file;
    }
    if (!out.emplace(name, std::move(one)).second)
      return Error(Code::kInvalid, "{}: plugin \"{}\" is configured twice", path, name);
  }
  return out;
}

}  // namespace knarr::admission
