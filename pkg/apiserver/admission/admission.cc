#include "pkg/apiserver/admission/admission.h"

#include <fmt/format.h>

namespace knarr::admission {

std::string_view ToString(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "CREATE";
    case Operation::kUpdate: return "UPDATE";
    case Operation::kDelete: return "DELETE";
    case Operation::kConnect: return "CONNECT";
  }
  return "";
}

Chain::Chain(std::vector<std::unique_ptr<Plugin>> plugins) : plugins_(std::move(plugins)) {}
Chain::~Chain() = default;

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
