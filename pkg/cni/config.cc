#include "pkg/cni/config.h"

#include <sys/stat.h>

#include <algorithm>

#include "pkg/base/file.h"
#include "pkg/cni/json.h"

namespace knarr::cni {

using internal::ArrayAt;
using internal::GoTypeOf;
using internal::ObjectAt;
using internal::ParseJsonObject;
using internal::StringAt;
namespace json = boost::json;

namespace {

constexpr std::string_view kListError = "error parsing configuration list";
constexpr std::string_view kPluginError = "error parsing configuration";
constexpr size_t kMaxPlugins = 64;
constexpr size_t kMaxConfigBytes = 256 << 10;

int VersionIndex(std::string_view version) {
  if (version.empty()) version = kVersions[0];
  const auto* found = std::find(std::begin(kVersions), std::end(kVersions), version);
  return found == std::end(kVersions) ? -1 : static_cast<int>(found - std::begin(kVersions));
}

Result<PluginConfig> PluginFromObject(const json::object& object) {
  PluginConfig plugin;
  if (const json::value* type = object.if_contains("type"); type != nullptr && !type->is_string() && !type->is_null()) {
    return Error(Code::kInvalid, "{}: invalid 'type' type {}", kPluginError, GoTypeOf(*type));
  }
  plugin.type = StringAt(object, "type");
  if (plugin.type.empty()) return Error(Code::kInvalid, "{}: missing 'type'", kPluginError);
  if (const json::object* capabilities = ObjectAt(object, "capabilities")) {
    for (const auto& [name, on] : *capabilities) {
      if (!on.is_bool()) {
        return Error(Code::kInvalid, "{}: capability \"{}\" must be true or false, not {}", kPluginError,
                     std::string_view(name.data(), name.size()), GoTypeOf(on));
      }
      plugin.capabilities[std::string(name)] = on.get_bool();
    }
  }
  if (const json::object* ipam = ObjectAt(object, "ipam")) {
    plugin.ipam_type = StringAt(*ipam, "type");
    plugin.ipam_data_dir = StringAt(*ipam, "dataDir");
  }
  plugin.json = json::serialize(object);
  return plugin;
}

Result<std::string> RequiredString(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return Error(Code::kInvalid, "{}: no {}", kListError, key);
  if (!value->is_string()) return Error(Code::kInvalid, "{}: invalid {} type {}", kListError, key, GoTypeOf(*value));
  return std::string(value->get_string());
}

// cniVersion, or the highest of cniVersions that we speak.
Result<std::string> ChooseVersion(const json::object& object) {
  std::string version;
  if (object.contains("cniVersion")) version = KNARR_TRY(RequiredString(object, "cniVersion"));
  int best = VersionIndex(version);
  const json::value* all = object.if_contains("cniVersions");
  if (all == nullptr) {
    if (best >= 0) return version;
    return Error(Code::kInvalid, "{}: cniVersion \"{}\" is not supported, the newest is {}", kListError, version,
                 kNewestVersion);
  }
  if (!all->is_array()) return Error(Code::kInvalid, "{}: invalid type for cniVersions: {}", kListError, GoTypeOf(*all));
  size_t index = 0;
  for (const json::value& entry : all->get_array()) {
    if (!entry.is_string()) {
      return Error(Code::kInvalid, "{}: invalid type for cniVersions index {}: {}", kListError, index, GoTypeOf(entry));
    }
    best = std::max(best, VersionIndex(std::string_view(entry.get_string().data(), entry.get_string().size())));
    ++index;
  }
  if (best < 0) return Error(Code::kInvalid, "{}: none of cniVersions is supported, the newest is {}", kListError, kNewestVersion);
  return std::string(kVersions[best]);
}

Result<bool> BoolAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->get_bool();
  if (!value->is_string()) return Error(Code::kInvalid, "{}: invalid type {} for {}", kListError, GoTypeOf(*value), key);
  std::string text(value->get_string());
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text == "true" || text == "false") return text == "true";
  return Error(Code::kInvalid, "{}: invalid value \"{}\" for {}", kListError, text, key);
}

Status AppendInlinePlugins(NetworkConfig& network, const json::value& plugins) {
  if (!plugins.is_array()) return Error(Code::kInvalid, "{}: invalid 'plugins' type {}", kListError, GoTypeOf(plugins));
  if (plugins.get_array().empty()) return Error(Code::kInvalid, "{}: no plugins in list", kListError);
  if (plugins.get_array().size() > kMaxPlugins) {
    return Error(Code::kInvalid, "{}: {} plugins in list, the limit is {}", kListError, plugins.get_array().size(), kMaxPlugins);
  }
  for (size_t i = 0; i < plugins.get_array().size(); ++i) {
    const json::value& plugin = plugins.get_array()[i];
    if (!plugin.is_object()) {
      return Error(Code::kInvalid, "failed to parse plugin config {}: {}: a JSON object is needed, not {}", i, kPluginError,
                   GoTypeOf(plugin));
    }
    network.plugins.push_back(KNARR_TRY_CTX(PluginFromObject(plugin.get_object()), "failed to parse plugin config {}", i));
  }
  return {};
}

// The list as text, with every plugin inside it.
std::string Render(const NetworkConfig& network, json::object object) {
  object["name"] = network.name;
  object["cniVersion"] = network.cni_version;
  object.erase("cniVersions");
  json::array plugins;
  for (const PluginConfig& plugin : network.plugins) plugins.push_back(json::parse(plugin.json));
  object["plugins"] = std::move(plugins);
  object["loadOnlyInlinedPlugins"] = true;
  return json::serialize(object);
}

// Plugins of CNI 1.1's <directory>/<network name>/*.conf.
Status AppendPluginFiles(NetworkConfig& network, const std::string& directory) {
  const std::string folder = JoinPath(directory, network.name);
  const Result<std::vector<std::string>> names = ListDir(folder);
  if (!names.ok()) {
    const bool absent = names.error().error_number() == ENOENT || names.error().error_number() == ENOTDIR;
    return absent ? Status() : names.error().WithContext(fmt::format("failed to read plugin config files in {}", folder));
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(".conf")) continue;
    const std::string path = JoinPath(folder, name);
    const std::string text = KNARR_TRY_CTX(ReadFile(path, kMaxConfigBytes), "error reading {}", path);
    const json::object object = KNARR_TRY_CTX(ParseJsonObject(text, kPluginError), "{}", path);
    network.plugins.push_back(KNARR_TRY_CTX(PluginFromObject(object), "{}", path));
    if (network.plugins.size() > kMaxPlugins) return Error(Code::kInvalid, "more than {} plugins", kMaxPlugins);
  }
  return {};
}

Result<NetworkConfig> ParseList(std::string_view text, const std::string* directory) {
  json::object object = KNARR_TRY(ParseJsonObject(text, kListError));
  NetworkConfig network;
  network.name = KNARR_TRY(RequiredString(object, "name"));
  KNARR_TRY_CTX(ValidateNetworkName(network.name), "{}", kListError);
  network.cni_version = KNARR_TRY(ChooseVersion(object));
  network.disable_check = KNARR_TRY(BoolAt(object, "disableCheck"));
  network.disable_gc = KNARR_TRY(BoolAt(object, "disableGC"));
  const bool inlined_only = KNARR_TRY(BoolAt(object, "loadOnlyInlinedPlugins"));
  const json::value* plugins = object.if_contains("plugins");
  if (plugins != nullptr) KNARR_TRY(AppendInlinePlugins(network, *plugins));
  if (plugins == nullptr && (inlined_only || directory == nullptr)) {
    return Error(Code::kInvalid, "{}: no 'plugins' key", kListError);
  }
  if (directory != nullptr && !inlined_only) KNARR_TRY(AppendPluginFiles(network, *directory));
  if (network.plugins.empty()) return Error(Code::kInvalid, "no plugin configs found");
  network.json = Render(network, std::move(object));
  return network;
}

bool IsBlank(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// [a-zA-Z0-9][a-zA-Z0-9_.\-]*
bool IsCniName(std::string_view name) {
  const auto alnum = [](unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && alnum(static_cast<unsigned char>(name[0])) && name.size() <= 255 &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return alnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
         });
}

}  // namespace

bool IsKnownVersion(std::string_view version) { return VersionIndex(version) >= 0; }
bool AtLeast(std::string_view version, std::string_view other) { return VersionIndex(version) >= VersionIndex(other); }

Result<NetworkConfig> ParseNetworkList(std::string_view text) { return ParseList(text, nullptr); }

Result<NetworkConfig> ParseSingleNetwork(std::string_view text) {
  json::object object = KNARR_TRY(ParseJsonObject(text, kPluginError));
  KNARR_TRY(PluginFromObject(object));
  json::object list;
  for (const std::string_view key : {"name", "cniVersion"}) {
    if (const json::value* value = object.if_contains(key)) list[key] = *value;
  }
  list["plugins"] = json::array{json::value(std::move(object))};
  return ParseNetworkList(json::serialize(list));
}

Result<NetworkConfig> LoadNetworkFile(const std::string& path) {
  const bool is_list = path.ends_with(".conflist");
  const auto load = [&]() -> Result<NetworkConfig> {
    const std::string text = KNARR_TRY(ReadFile(path, kMaxConfigBytes));
    if (!is_list) return ParseSingleNetwork(text);
    const std::string directory(DirName(path));
    return ParseList(text, &directory);
  };
  NetworkConfig network = KNARR_TRY_CTX(load(), "failed to load CNI config {}file {}", is_list ? "list " : "", path);
  network.file = path;
  return network;
}

Result<std::vector<std::string>> NetworkFiles(const std::string& directory) {
  const Result<std::vector<std::string>> names = ListDir(directory);
  if (!names.ok()) {
    if (names.error().error_number() == ENOENT) return std::vector<std::string>();
    return names.error();
  }
  std::vector<std::string> files;
  for (const std::string& name : *names) {
    if (!name.ends_with(".conf") && !name.ends_with(".conflist") && !name.ends_with(".json")) continue;
    std::string path = JoinPath(directory, name);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    files.push_back(std::move(path));
  }
  return files;
}

LoadedNetwork LoadNetworkDirectory(const std::string& directory) {
  LoadedNetwork loaded;
  const Result<std::vector<std::string>> files = NetworkFiles(directory);
  if (!files.ok()) {
    loaded.problems.push_back(files.error());
    return loaded;
  }
  if (files->empty()) {
    loaded.problems.push_back(Error(Code::kNotFound, "no network config found in {}", directory));
    return loaded;
  }
  for (const std::string& file : *files) {
    Result<NetworkConfig> network = LoadNetworkFile(file);
    if (network.ok()) {
      loaded.network = std::move(*network);
      return loaded;
    }
    loaded.problems.push_back(network.error());
  }
  loaded.problems.push_back(Error(Code::kNotFound, "no valid networks found in {}", directory));
  return loaded;
}

Status ValidateContainerId(std::string_view id) {
  if (id.empty()) return Error(Code::kInvalid, "missing containerID");
  if (!IsCniName(id)) return Error(Code::kInvalid, "invalid characters in containerID; {}", id);
  return {};
}

Status ValidateNetworkName(std::string_view name) {
  if (name.empty()) return Error(Code::kInvalid, "missing network name:");
  if (!IsCniName(name)) return Error(Code::kInvalid, "invalid characters found in network name; {}", name);
  return {};
}

Status ValidateInterfaceName(std::string_view name) {
  if (name.empty()) return Error(Code::kInvalid, "interface name is empty");
  if (name.size() > 15) return Error(Code::kInvalid, "interface name is too long; interface name should be less than 16 characters");
  if (name == "." || name == "..") return Error(Code::kInvalid, "interface name is . or ..");
  for (const char c : name) {
    if (c == '/' || c == ':' || c == '\0' || IsBlank(static_cast<unsigned char>(c))) {
      return Error(Code::kInvalid, "interface name contains / or : or whitespace characters");
    }
  }
  return {};
}

}  // namespace knarr::cni
