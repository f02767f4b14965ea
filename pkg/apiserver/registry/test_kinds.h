// Takes objects, given as YAML, through the steps of a write as the generic registry takes them. For tests of kinds.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

class TestKinds {
 public:
  explicit TestKinds(std::vector<Kind> kinds) : kinds_(std::move(kinds)) { context_.warnings = &warnings_; }

  const Kind& Get(std::string_view resource) const {
    for (const Kind& kind : kinds_) {
      if (kind.resource == resource) return kind;
    }
    throw std::runtime_error("no such kind: " + std::string(resource));
  }

  // As decoded: with its defaults.
  Object Decoded(std::string_view resource, std::string_view yaml) {
    std::unique_ptr<google::protobuf::Message> message(Get(resource).versions.front().prototype().New());
    const Status decoded = codec::DecodeYaml(yaml, message.get());
    BOOST_REQUIRE_MESSAGE(decoded.ok(), decoded.message());
    Object object(std::move(message));
    Get(resource).strategy->SetDefaults(object);
    return object;
  }

  Object Created(std::string_view resource, std::string_view yaml) {
    Object object = Decoded(resource, yaml);
    Get(resource).strategy->PrepareForCreate(context_, object);
    return object;
  }
  // What is stored, as YAML.
  std::string CreatedYaml(std::string_view resource, std::string_view yaml) {
    return codec::EncodeYaml(Created(resource, yaml).message());
  }
  std::string CreateErrors(std::string_view resource, std::string_view yaml) {
    const Object object = Created(resource, yaml);
    return Lines(Get(resource).strategy->Validate(context_, object));
  }

  // After a change through `subresource` ("": the object itself) of what was created of `old`.
  Object Updated(std::string_view resource, std::string_view subresource, std::string_view yaml, const Object& old) {
    Object object = Decoded(resource, yaml);
    StrategyOf(resource, subresource).PrepareForUpdate(context_, object, old);
    return object;
  }
  std::string UpdateErrors(std::string_view resource, std::string_view subresource, std::string_view yaml,
                           std::string_view old_yaml) {
    const Object old = Decoded(resource, old_yaml);
    const Object object = Updated(resource, subresource, yaml, old);
    return Lines(StrategyOf(resource, subresource).ValidateUpdate(context_, object, old));
  }

  // The cells of kubectl's table, wide ones included, at 2023-11-14T22:13:20Z.
  std::string Row(std::string_view resource, std::string_view yaml) {
    const Object object = Decoded(resource, yaml);
    const Strategy& strategy = *Get(resource).strategy;
    const auto cells = strategy.Cells(object, WallTime(std::chrono::seconds(1700000000)));
    BOOST_TEST(cells.size() == strategy.Columns().size());
    std::string row;
    for (const Cell& cell : cells) {
      if (!row.empty()) row += " | ";
      if (const auto* text = std::get_if<std::string>(&cell)) row += *text;
      if (const auto* number = std::get_if<int64_t>(&cell)) row += std::to_string(*number);
      if (const auto* flag = std::get_if<bool>(&cell)) row += *flag ? "true" : "false";
    }
    return row;
  }
  // Wide ones in parentheses.
  std::string Header(std::string_view resource) {
    std::string header;
    for (const Column& column : Get(resource).strategy->Columns()) {
      if (!header.empty()) header += " | ";
      header += column.priority > 0 ? "(" + std::string(column.name) + ")" : std::string(column.name);
    }
    return header;
  }

  RequestContext& context() { return context_; }

 private:
  static std::string Lines(const field::ErrorList& errors) {
    std::string lines;
    for (const field::FieldError& error : errors) lines.append(lines.empty() ? "" : "\n").append(error.ToString());
    return lines;
  }
  const Strategy& StrategyOf(std::string_view resource, std::string_view subresource) const {
    const Kind& kind = Get(resource);
    return subresource.empty() ? *kind.strategy : *kind.FindSubresource(subresource)->strategy;
  }

  std::vector<Kind> kinds_;
  std::vector<std::string> warnings_;
  RequestContext context_;
};

}  // namespace knarr::registry
