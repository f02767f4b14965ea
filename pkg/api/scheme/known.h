// What no declaration says about the built-in resources: short names, categories, and verbs that differ from those of
// the generated clients. Internal to this package.
#pragma once

#include <span>
#include <string_view>

namespace knarr::scheme {

struct KnownResource {
  std::string_view group;
  std::string_view resource;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
};

std::span<const KnownResource> KnownResources();

}  // namespace knarr::scheme
