// Objects of core kinds from protobuf text, taken through the steps of a write as the generic registry takes them.
#pragma once

#include <google/protobuf/text_format.h>

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/registry/core/kinds.h"

namespace knarr::registry::testing {

inline const Kind& KindOf(std::string_view resource) {
  static const std::vector<Kind>& kinds = *new std::vector<Kind>(CoreKinds(BuiltinDeps()));
  for (const Kind& kind : kinds) {
    if (kind.resource == resource) return kind;
  }
  throw std::runtime_error("no such kind: " + std::string(resource));
}

inline Object FromText(std::string_view resource, const std::string& text) {
  std::unique_ptr<google::protobuf::Message> message(KindOf(resource).versions.front().prototype().New());
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, message.get()), text);
  return Object(std::move(message));
}

inline std::string Lines(const field::ErrorList& errors) {
  std::string lines;
  for (const field::FieldError& error : errors) lines.append(lines.empty() ? "" : "\n").append(error.ToString());
  return lines;
}

// A request that nothing is known of.
struct Request {
  std::vector<std::string> warnings;
  RequestContext context;
  Request() { context.warnings = &warnings; }
};

// What is stored of a new object.
inline Object Created(std::string_view resource, const std::string& text) {
  const Strategy& strategy = *KindOf(resource).strategy;
  Object object = FromText(resource, text);
  Request request;
  strategy.SetDefaults(object);
  strategy.PrepareForCreate(request.context, object);
  return object;
}

inline std::string CreateErrors(std::string_view resource, const std::string& text) {
  const Object object = Created(resource, text);
  Request request;
  return Lines(KindOf(resource).strategy->Validate(request.context, object));
}

// What is stored after a change through `subresource` ("": the object itself).
inline Object Updated(std::string_view resource, std::string_view subresource, const std::string& text,
                      const Object& old) {
  const Kind& kind = KindOf(resource);
  const Strategy& strategy = subresource.empty() ? *kind.strategy : *kind.FindSubresource(subresource)->strategy;
  Object object = FromText(resource, text);
  Request request;
  strategy.SetDefaults(object);
  strategy.PrepareForUpdate(request.context, object, old);
  return object;
}

inline std::string UpdateErrors(std::string_view resource, std::string_view subresource, const std::string& text,
                                const std::string& old_text) {
  const Kind& kind = KindOf(resource);
  const Strategy& strategy = subresource.empty() ? *kind.strategy : *kind.FindSubresource(subresource)->strategy;
  Object old = FromText(resource, old_text);
  strategy.SetDefaults(old);
  const Object object = Updated(resource, subresource, text, old);
  Request request;
  return Lines(strategy.ValidateUpdate(request.context, object, old));
}

// The cells, joined by " | "; wide ones too.
inline std::string Row(std::string_view resource, const std::string& text, int64_t now = 1700000000) {
  const Strategy& strategy = *KindOf(resource).strategy;
  Object object = FromText(resource, text);
  strategy.SetDefaults(object);
  const std::vector<Cell> cells = strategy.Cells(object, WallTime(std::chrono::seconds(now)));
  BOOST_TEST(cells.size() == strategy.Columns().size());
  std::string row;
  for (const Cell& cell : cells) {
    if (!row.empty()) row += " | ";
    if (const auto* text_cell = std::get_if<std::string>(&cell)) row += *text_cell;
    if (const auto* number = std::get_if<int64_t>(&cell)) row += std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&cell)) row += *flag ? "true" : "false";
  }
  return row;
}

}  // namespace knarr::registry::testing
