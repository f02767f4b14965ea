#include "pkg/apiserver/admission/admission.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/admission/config.h"

namespace knarr::admission {
namespace {

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Mirrors: AdmissionOptions.Validate in apiserver/pkg/server/options/admission.go
Status CheckNames(const ChainOptions& options) {
  std::vector<std::string> problems;
  const auto known = [](const std::string& name) {
    const auto& all = KnownPlugins();
    return std::any_of(all.begin(), all.end(), [&](const KnownPlugin& plugin) { return plugin.name == name; });
  };
  for (const auto& name : options.enable) {
    if (!known(name)) problems.push_back(fmt::format("enable-admission-plugins plugin \"{}\" is unknown", name));
  }
  for (const auto& name : options.disable) {
    if (!known(name)) problems.push_back(fmt::format("disable-admission-plugins plugin \"{}\" is unknown", name));
  }
  std::set<std::string> both;
  for (const auto& name : options.enable) {
    if (Has(options.disable, name)) both.insert(name);
  }
  if (!both.empty())
    problems.push_back(
        fmt::format("[{}] in enable-admission-plugins and disable-admission-plugins overlapped", fmt::join(both, " ")));
  for (const auto& plugin : KnownPlugins()) {
    if (plugin.make == nullptr && Has(options.enable, plugin.name))
      problems.push_back(
          fmt::format("enable-admission-plugins plugin \"{}\" is not implemented by this server", plugin.name));
  }
  if (problems.empty()) return {};
  return Status(Code::kInvalid,
                problems.size() == 1 ? problems.front() : fmt::format("[{}]", fmt::join(problems, ", ")));
}

}  // namespace

std::string_view ToString(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "CREATE";
    case Operation::kUpdate: return "UPDATE";
    case Operation::kDelete: return "DELETE";
    case Operation::kConnect: return "CONNECT";
  }
  return "";
}

// Mirrors: extractResourceName in apiserver/pkg/admission/errors.go
std::string NameOf(const Attributes& attributes) {
  if (!attributes.name.empty()) return attributes.name;
  if (attributes.object != nullptr && attributes.object->has_metadata()) {
    const auto& metadata = attributes.object->metadata();
    if (!metadata.name().empty()) return metadata.name();
    if (!metadata.generatename().empty()) return metadata.generatename();
  }
  return "Unknown!";
}

Status Forbidden(const Attributes& attributes, std::string_view why) {
  return errors::Forbidden(attributes.group, attributes.resource, NameOf(attributes), why);
}

Status Forbidden(const Attributes& attributes, const Status& why) {
  return why.Is(Code::kForbidden) ? why : Forbidden(attributes, why.message());
}

Chain::Chain(std::vector<std::unique_ptr<Plugin>> plugins) : plugins_(std::move(plugins)) {}
Chain::~Chain() = default;

Result<std::unique_ptr<Chain>> Chain::New(const ChainOptions& options, const PluginDeps& deps) {
  KNARR_TRY(CheckNames(options));
  const auto configs = KNARR_TRY(ReadConfiguration(options.config_file));
  for (const auto& [name, config] : configs) {
    const auto& all = KnownPlugins();
    if (std::none_of(all.begin(), all.end(), [&, n = name](const KnownPlugin& plugin) { return plugin.name == n; }))
      return Error(Code::kInvalid, "{}: admission plugin \"{}\" is unknown", options.config_file, name);
  }
  std::vector<std::unique_ptr<Plugin>> plugins;
  for (const KnownPlugin& known : KnownPlugins()) {
    const bool on = known.on_by_default ? !Has(options.disable, known.name) : Has(options.enable, known.name);
    if (!on || known.make == nullptr) continue;
    PluginDeps own = deps;
    if (const auto config = configs.find(std::string(known.name)); config != configs.end()) {
      own.config = config->second.text;
      own.config_file = config->second.origin;
    }
    plugins.push_back(KNARR_TRY_CTX(known.make(own), "couldn't init admission plugin \"{}\"", known.name));
  }
  return std::unique_ptr<Chain>(new Chain(std::move(plugins)));
}

Status Chain::Admit(const Context& ctx, Attributes& attributes) const {
  for (const auto& plugin : plugins_) {
    if (plugin->Handles(attributes.operation)) KNARR_TRY(plugin->Admit(ctx, attributes));
  }
  return {};
}

Status Chain::Validate(const Context& ctx, const Attributes& attributes) const {
  for (const auto& plugin : plugins_) {
    if (plugin->Handles(attributes.operation)) KNARR_TRY(plugin->Validate(ctx, attributes));
  }
  return {};
}

void Chain::Done(const Context& ctx, const Attributes& attributes, bool written) const {
  for (const auto& plugin : plugins_) {
    if (plugin->Handles(attributes.operation)) plugin->Done(ctx, attributes, written);
  }
}

std::vector<std::string> Chain::Names() const {
  std::vector<std::string> names;
  for (const auto& plugin : plugins_) names.emplace_back(plugin->Name());
  return names;
}

}  // namespace knarr::admission
