#include "pkg/cni/cni.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "pkg/base/file.h"
#include "pkg/base/process.h"
#include "pkg/cni/json.h"

namespace knarr::cni {

using internal::ObjectAt;
using internal::ParseJson;
using internal::ParseJsonObject;
using internal::StringAt;
namespace json = boost::json;

struct Runner::Call {
  std::string_view command;  // ADD
  std::string_view verb;     // add: for messages
  const std::string& type;
  const std::string& network;
  std::string stdin_data;
  RuntimeConf rt;
};

namespace {

constexpr size_t kMaxOutput = 256 << 10;  // a record holds configuration and result and must be readable again

// The environment of a plugin is ours, as libcni has it, without what belongs to this process only.
std::vector<std::string> InheritedEnvironment() {
  std::vector<std::string> env;
  bool has_path = false;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("CNI_") || text.starts_with("LISTEN_") || text.starts_with("NOTIFY_SOCKET=") ||
        text.starts_with("WATCHDOG_")) {
      continue;
    }
    has_path |= text.starts_with("PATH=");
    env.emplace_back(text);
  }
  if (!has_path) env.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return env;
}

Result<std::string> BuildConfig(const NetworkConfig& network, const PluginConfig& plugin, const RuntimeConf* rt,
                                std::string_view prev_result) {
  json::object config = KNARR_TRY(ParseJsonObject(plugin.json, "plugin config"));
  config["name"] = network.name;
  config["cniVersion"] = network.cni_version;
  if (!prev_result.empty()) config["prevResult"] = KNARR_TRY(ParseJson(prev_result, "previous result"));
  if (rt != nullptr && !rt->capability_args.empty()) {
    const json::object all = KNARR_TRY(ParseJsonObject(rt->capability_args, "capability arguments"));
    json::object chosen;
    for (const auto& [capability, enabled] : plugin.capabilities) {
      if (!enabled) continue;
      if (const json::value* value = all.if_contains(capability)) chosen[capability] = *value;
    }
    if (!chosen.empty()) config["runtimeConfig"] = std::move(chosen);
  }
  return json::serialize(config);
}

Status ValidateRuntimeConf(const NetworkConfig& network, const RuntimeConf& rt) {
  KNARR_TRY(ValidateContainerId(rt.container_id));
  KNARR_TRY(ValidateNetworkName(network.name));
  return ValidateInterfaceName(rt.ifname);
}

Code CodeOf(const PluginError& error) {
  switch (error.code) {
    case 1:
    case 2:
    case 4:
    case 6:
    case PluginError::kInvalidNetworkConfig: return Code::kInvalid;
    case 3: return Code::kNotFound;
    case PluginError::kTryAgainLater:
    case PluginError::kPluginNotAvailable:
    case 51: return Code::kServiceUnavailable;
    default: return Code::kInternal;
  }
}

std::string Quote(std::string_view text) {
  return json::serialize(json::value(json::string(text.substr(0, 1024))));
}

// What a plugin that ended badly means, in libcni's words.
PluginError ErrorOf(const ProcessResult& done) {
  if (done.out.empty()) {
    PluginError error{PluginError::kInternal, {}, {}};
    error.msg = done.err.empty() ? fmt::format("netplugin failed with no error message: {}", done.ExitText())
                                 : fmt::format("netplugin failed: {}: {}", Quote(done.err), done.ExitText());
    return error;
  }
  if (std::optional<PluginError> parsed = ParsePluginError(done.out)) return *parsed;
  const Result<json::object> object = ParseJsonObject(done.out, "output");
  return {PluginError::kInternal,
          fmt::format("netplugin failed but error parsing its diagnostic message {}: {}", Quote(done.out),
                      object.ok() ? "neither code nor msg in it" : object.error().message()),
          {}};
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> ParseArgs(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> args;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return Error(Code::kInvalid, "CNI_ARGS: invalid pair \"{}\"", pair);
    args.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return args;
}

std::string FormatArgs(const std::vector<std::pair<std::string, std::string>>& args) {
  std::string text;
  for (const auto& [key, value] : args) {
    if (!text.empty()) text += ';';
    text += fmt::format("{}={}", key, value);
  }
  return text;
}

Result<std::string> Runner::FindPlugin(const std::string& type) const {
  if (type.empty()) return Error(Code::kInvalid, "no plugin name provided");
  if (type.find('/') != std::string::npos) return Error(Code::kInvalid, "invalid plugin name: {}", type);
  if (bin_dirs_.empty()) return Error(Code::kInvalid, "no paths provided");
  for (const std::string& directory : bin_dirs_) {
    std::string path = JoinPath(directory, type);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) return path;
  }
  return Error(Code::kNotFound, "failed to find plugin \"{}\" in path [{}]", type, fmt::join(bin_dirs_, " "));
}

// One plugin, one command; its stdout. Errors name plugin, network and command.
Result<std::string> Runner::Exec(const Context& ctx, const Call& call, PluginError* error) const {
  PluginError ignored;
  if (error == nullptr) error = &ignored;
  *error = {PluginError::kInternal, {}, {}};
  const auto run = [&]() -> Result<std::string> {
    ProcessSpec spec;
    spec.path = KNARR_TRY(FindPlugin(call.type));
    spec.env = InheritedEnvironment();
    spec.env.push_back(fmt::format("CNI_COMMAND={}", call.command));
    spec.env.push_back("CNI_CONTAINERID=" + call.rt.container_id);
    spec.env.push_back("CNI_NETNS=" + call.rt.netns);
    spec.env.push_back("CNI_ARGS=" + FormatArgs(call.rt.args));
    spec.env.push_back("CNI_IFNAME=" + call.rt.ifname);
    spec.env.push_back(fmt::format("CNI_PATH={}", fmt::join(bin_dirs_, ":")));
    spec.stdin_data = call.stdin_data;
    spec.stdout_limit = kMaxOutput;
    spec.die_with_parent = true;  // a plugin that outlived us would act after our successor's clean-up
    ProcessResult done = KNARR_TRY(RunProcess(ctx, spec));
    if (!done.Succeeded()) {
      *error = ErrorOf(done);
      return Status(CodeOf(*error), error->ToString());
    }
    if (done.out_truncated) return Error(Code::kInvalid, "the plugin printed more than {} bytes", kMaxOutput);
    return std::move(done.out);
  };
  Result<std::string> out = run();
  if (out.ok()) return out;
  const std::string context =
      call.network.empty() ? fmt::format("plugin type=\"{}\" failed ({})", call.type, call.verb)
                           : fmt::format("plugin type=\"{}\" name=\"{}\" failed ({})", call.type, call.network, call.verb);
  if (error->msg.empty()) error->msg = out.error().message();
  return out.error().WithContext(context);
}

Result<std::string> Runner::Add(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt,
                                PluginError* error) const {
  KNARR_TRY(ValidateRuntimeConf(network, rt));
  std::string result;
  for (const PluginConfig& plugin : network.plugins) {
    const Call call{"ADD", "add", plugin.type, network.name, KNARR_TRY(BuildConfig(network, plugin, &rt, result)), rt};
    const std::string out = KNARR_TRY(Exec(ctx, call, error));
    Result<std::string> converted = ConvertResult(out, network.cni_version, network.cni_version);
    if (!converted.ok()) {
      const Status status = converted.error().WithContext(
          fmt::format("plugin type=\"{}\" name=\"{}\" failed (add)", plugin.type, network.name));
      if (error != nullptr) *error = {6, std::string(status.message()), {}};
      return status;
    }
    result = std::move(*converted);
  }
  return result;
}

Status Runner::Del(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt, std::string_view prev_result,
                   PluginError* error) const {
  KNARR_TRY(ValidateRuntimeConf(network, rt));
  // Below 0.4.0 plugins do not get the previous result.
  if (!AtLeast(network.cni_version, "0.4.0")) prev_result = {};
  for (auto plugin = network.plugins.rbegin(); plugin != network.plugins.rend(); ++plugin) {
    KNARR_TRY(Exec(ctx, {"DEL", "delete", plugin->type, network.name,
                         KNARR_TRY(BuildConfig(network, *plugin, &rt, prev_result)), rt}, error));
  }
  return {};
}

Status Runner::Check(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt, std::string_view prev_result,
                     PluginError* error) const {
  KNARR_TRY(ValidateRuntimeConf(network, rt));
  if (!AtLeast(network.cni_version, "0.4.0")) {
    return Error(Code::kUnimplemented, "configuration version \"{}\" does not support the CHECK command", network.cni_version);
  }
  if (network.disable_check) return {};
  for (const PluginConfig& plugin : network.plugins) {
    KNARR_TRY(Exec(ctx, {"CHECK", "check", plugin.type, network.name,
                         KNARR_TRY(BuildConfig(network, plugin, &rt, prev_result)), rt}, error));
  }
  return {};
}

Status Runner::GetStatus(const Context& ctx, const NetworkConfig& network, PluginError* error) const {
  if (!AtLeast(network.cni_version, "1.1.0")) return {};
  for (const PluginConfig& plugin : network.plugins) {
    KNARR_TRY(Exec(ctx, {"STATUS", "status", plugin.type, network.name, KNARR_TRY(BuildConfig(network, plugin, nullptr, {})), {}},
                   error));
  }
  return {};
}

Status Runner::Gc(const Context& ctx, const NetworkConfig& network, const std::vector<Attachment>& valid) const {
  if (!AtLeast(network.cni_version, "1.1.0") || network.disable_gc) return {};
  json::array attachments;
  for (const Attachment& a : valid) attachments.push_back({{"containerID", a.container_id}, {"ifname", a.ifname}});
  Status first;
  for (const PluginConfig& plugin : network.plugins) {
    json::object config = KNARR_TRY(ParseJsonObject(KNARR_TRY(BuildConfig(network, plugin, nullptr, {})), "plugin config"));
    config["cni.dev/valid-attachments"] = attachments;
    config["cni.dev/attachments"] = attachments;  // the name that the first print of the specification had
    // One plugin that cannot must not keep the others from cleaning up.
    const Result<std::string> out = Exec(ctx, {"GC", "gc", plugin.type, network.name, json::serialize(config), {}}, nullptr);
    if (!out.ok() && first.ok()) first = out.error();
  }
  return first;
}

Result<std::vector<std::string>> Runner::Versions(const Context& ctx, const std::string& type) const {
  RuntimeConf dummy;  // plugins made before VERSION insist on these
  dummy.netns = dummy.ifname = "dummy";
  PluginError error;
  const Result<std::string> out = Exec(
      ctx, {"VERSION", "version", type, "", fmt::format("{{\"cniVersion\":\"{}\"}}", kNewestVersion), dummy}, &error);
  if (!out.ok()) {
    if (error.msg == "unknown CNI_COMMAND: VERSION") return std::vector<std::string>{"0.1.0"};
    return out.error();
  }
  const json::object object = KNARR_TRY(ParseJsonObject(*out, fmt::format("plugin type=\"{}\": decoding version info", type)));
  if (StringAt(object, "cniVersion").empty()) {
    return Error(Code::kInvalid, "plugin type=\"{}\": decoding version info: missing field cniVersion", type);
  }
  std::vector<std::string> versions;
  const json::array* supported = internal::ArrayAt(object, "supportedVersions");
  if (supported == nullptr) return std::vector<std::string>{std::string(StringAt(object, "cniVersion"))};
  for (const json::value& version : *supported) {
    if (version.is_string()) versions.emplace_back(version.get_string());
  }
  return versions;
}

Status Runner::Validate(const Context& ctx, const NetworkConfig& network) const {
  for (const PluginConfig& plugin : network.plugins) {
    const std::vector<std::string> versions = KNARR_TRY(Versions(ctx, plugin.type));
    const std::string_view wanted = network.cni_version.empty() ? "0.1.0" : std::string_view(network.cni_version);
    if (std::find(versions.begin(), versions.end(), wanted) == versions.end()) {
      return Error(Code::kInvalid, "plugin {} does not support config version \"{}\"", plugin.type, wanted);
    }
  }
  return {};
}

}  // namespace knarr::cni
