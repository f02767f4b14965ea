// Label selectors, equality and set based: "app=web,tier in (front,back),!canary,rank>3".
// Mirrors: k8s.io/apimachinery/pkg/labels/selector.go, pkg/apis/meta/v1/helpers.go
//
// Values; immutable once built, so they may be shared between threads. Parsing is linear in the length of the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class LabelSelector;
}

namespace knarr::labels {

enum class Operator {
  kIn,
  kNotIn,
  kEquals,
  kDoubleEquals,
  kNotEquals,
  kExists,
  kDoesNotExist,
  kGreaterThan,
  kLessThan
};
// selection.Operator: in, notin, =, ==, !=, exists, !, gt, lt
std::string_view ToString(Operator op);

class Requirement {
 public:
  // Checks the key, the values and their number; errors in upstream's words, with paths key and values[0][<key>].
  static Result<Requirement> Make(std::string key, Operator op, std::vector<std::string> values);

  const std::string& key() const { return key_; }
  Operator op() const { return operator_; }
  const std::vector<std::string>& values() const { return values_; }
  // Whether a label of this value, or (null) no label of that key, is what is required.
  bool MatchesValue(const std::string* value) const;
  std::string ToString() const;
  friend bool operator==(const Requirement&, const Requirement&) = default;

 private:
  Requirement(std::string key, Operator op, std::vector<std::string> values);
  bool HasValue(std::string_view value) const;
  std::string key_;
  Operator operator_;
  std::vector<std::string> values_;
};

// All requirements must hold; sorted by key.
class Selector {
 public:
  static Selector Everything() { return Selector(); }
  static Selector Nothing();
  explicit Selector(std::vector<Requirement> requirements = {});

  // Labels in any map of strings: std::map, google::protobuf::Map.
  template <typename Map>
  bool Matches(const Map& labels) const {
    if (nothing_) return false;
    for (const Requirement& requirement : requirements_) {
      const auto found = labels.find(requirement.key());
      if (!requirement.MatchesValue(found == labels.end() ? nullptr : &found->second)) return false;
    }
    return true;
  }

  // Whether it selects everything.
  bool Empty() const { return !nothing_ && requirements_.empty(); }
  bool SelectsNothing() const { return nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  // The only value this label may have, if the selector demands one.
  std::optional<std::string> RequiresExactMatch(std::string_view label) const;
  // Canonical: parsing it gives the same selector.
  std::string ToString() const;
  friend bool operator==(const Selector&, const Selector&) = default;

 private:
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

// Upstream's syntax and errors: unable to parse requirement: found '||', expected: in, notin, =, ==, !=, gt, lt
Result<Selector> Parse(std::string_view text);
Result<std::vector<Requirement>> ParseToRequirements(std::string_view text);
// metav1.LabelSelectorAsSelector: null selects nothing, an empty one everything.
Result<Selector> LabelSelectorAsSelector(const ::k8s::io::apimachinery::pkg::apis::meta::v1::LabelSelector* selector);

}  // namespace knarr::labels
