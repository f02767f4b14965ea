// Field selectors: "metadata.name=x,spec.nodeName!=y", with \, \= and \\ in values.
// Mirrors: k8s.io/apimachinery/pkg/fields/selector.go
//
// Values, immutable once built. Which fields a kind has is its registry's business: Matches asks for each by its name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::fields {

struct Requirement {
  std::string field;
  bool equals = true;  // false: the value must differ
  std::string value;
  friend bool operator==(const Requirement&, const Requirement&) = default;
};

class Selector {
 public:
  // Selects everything if there are no requirements.
  explicit Selector(std::vector<Requirement> requirements = {}) : requirements_(std::move(requirements)) {}

  // `get` gives the value of a field by its name, "" for those it does not know.
  template <typename Get>
  bool Matches(Get get) const {
    for (const Requirement& requirement : requirements_) {
      if ((get(requirement.field) == requirement.value) != requirement.equals) return false;
    }
    return true;
  }

  bool Empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  // The only value the field may have, if the selector demands one.
  std::optional<std::string> RequiresExactMatch(std::string_view field) const;
  std::string ToString() const;

 private:
  std::vector<Requirement> requirements_;
};

// Upstream's errors: invalid selector: 'x'; can't understand 'x'. Terms are sorted, so the result is canonical.
Result<Selector> ParseSelector(std::string_view text);
std::string EscapeValue(std::string_view value);
Result<std::string> UnescapeValue(std::string_view text);

}  // namespace knarr::fields
