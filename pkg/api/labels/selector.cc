#include "pkg/api/labels/selector.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/field/field.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/names/names.h"

namespace knarr::labels {
namespace {

using field::ErrorList;
using field::Path;
using LabelSelector = ::k8s::io::apimachinery::pkg::apis::meta::v1::LabelSelector;

std::optional<int64_t> ParseInt(std::string_view text) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text.append(i > 0 ? separator : "").append(parts[i]);
  return text;
}

std::string GoStrings(const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  for (const std::string& value : values) quoted.push_back(field::Quote(value));
  return "[]string{" + Join(quoted, ", ") + "}";
}

void CheckCount(Operator op, const std::vector<std::string>& values, const Path& path, ErrorList& errors) {
  const char* problem = nullptr;
  switch (op) {
    case Operator::kIn:
    case Operator::kNotIn:
      if (values.empty()) problem = "for 'in', 'notin' operators, values set can't be empty";
      break;
    case Operator::kEquals:
    case Operator::kDoubleEquals:
    case Operator::kNotEquals:
      if (values.size() != 1) problem = "exact-match compatibility requires one single value";
      break;
    case Operator::kExists:
    case Operator::kDoesNotExist:
      if (!values.empty()) problem = "values set must be empty for exists and does not exist";
      break;
    case Operator::kGreaterThan:
    case Operator::kLessThan:
      if (values.size() != 1) problem = "for 'Gt', 'Lt' operators, exactly one value is required";
      break;
  }
  if (problem != nullptr) errors.push_back(field::InvalidLiteral(path, GoStrings(values), problem));
}

void CheckNumbers(const std::vector<std::string>& values, const Path& path, ErrorList& errors) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (ParseInt(values[i])) continue;
    errors.push_back(
        field::Invalid(path.Index(i), values[i], "for 'Gt', 'Lt' operators, the value must be an integer"));
  }
}

Result<Operator> OperatorOf(const std::string& name) {
  if (name == "In") return Operator::kIn;
  if (name == "NotIn") return Operator::kNotIn;
  if (name == "Exists") return Operator::kExists;
  if (name == "DoesNotExist") return Operator::kDoesNotExist;
  return Error(Code::kInvalid, "{} is not a valid label selector operator", field::Quote(name));
}

}  // namespace

std::string_view ToString(Operator op) {
  switch (op) {
    case Operator::kIn: return "in";
    case Operator::kNotIn: return "notin";
    case Operator::kEquals: return "=";
    case Operator::kDoubleEquals: return "==";
    case Operator::kNotEquals: return "!=";
    case Operator::kExists: return "exists";
    case Operator::kDoesNotExist: return "!";
    case Operator::kGreaterThan: return "gt";
    case Operator::kLessThan: return "lt";
  }
  return "";
}

Requirement::Requirement(std::string key, Operator op, std::vector<std::string> values)
    : key_(std::move(key)), operator_(op), values_(std::move(values)) {}

Result<Requirement> Requirement::Make(std::string key, Operator op, std::vector<std::string> values) {
  ErrorList errors;
  if (const names::Messages messages = names::IsQualifiedName(key); !messages.empty()) {
    errors.push_back(field::Invalid(Path("key"), key, Join(messages, "; ")));
  }
  const Path path("values");
  CheckCount(op, values, path, errors);
  if (op == Operator::kGreaterThan || op == Operator::kLessThan) CheckNumbers(values, path, errors);
  for (size_t i = 0; i < values.size(); ++i) {
    if (const names::Messages messages = names::IsValidLabelValue(values[i]); !messages.empty()) {
      errors.push_back(field::Invalid(path.Index(i).Key(key), values[i], Join(messages, "; ")));
    }
  }
  if (!errors.empty()) return field::ToStatus(errors);
  return Requirement(std::move(key), op, std::move(values));
}

bool Requirement::HasValue(std::string_view value) const {
  return std::find(values_.begin(), values_.end(), value) != values_.end();
}

bool Requirement::MatchesValue(const std::string* value) const {
  switch (operator_) {
    case Operator::kIn:
    case Operator::kEquals:
    case Operator::kDoubleEquals: return value != nullptr && HasValue(*value);
    case Operator::kNotIn:
    case Operator::kNotEquals: return value == nullptr || !HasValue(*value);
    case Operator::kExists: return value != nullptr;
    case Operator::kDoesNotExist: return value == nullptr;
    case Operator::kGreaterThan:
    case Operator::kLessThan: {
      const std::optional<int64_t> label = value == nullptr ? std::nullopt : ParseInt(*value);
      const std::optional<int64_t> wanted = ParseInt(values_.front());
      if (!label || !wanted) return false;
      return operator_ == Operator::kGreaterThan ? *label > *wanted : *label < *wanted;
    }
  }
  return false;
}

std::string Requirement::ToString() const {
  std::vector<std::string> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const std::string list = Join(sorted, ",");
  switch (operator_) {
    case Operator::kExists: return key_;
    case Operator::kDoesNotExist: return "!" + key_;
    case Operator::kIn: return key_ + " in (" + list + ")";
    case Operator::kNotIn: return key_ + " notin (" + list + ")";
    case Operator::kGreaterThan: return key_ + ">" + list;
    case Operator::kLessThan: return key_ + "<" + list;
    default: return key_ + std::string(labels::ToString(operator_)) + list;
  }
}

Selector::Selector(std::vector<Requirement> requirements) : requirements_(std::move(requirements)) {
  std::stable_sort(requirements_.begin(), requirements_.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key() < b.key(); });
}

Selector Selector::Nothing() {
  Selector selector;
  selector.nothing_ = true;
  return selector;
}

std::optional<std::string> Selector::RequiresExactMatch(std::string_view label) const {
  for (const Requirement& requirement : requirements_) {
    if (requirement.key() != label) continue;
    const bool exact = requirement.op() == Operator::kEquals || requirement.op() == Operator::kDoubleEquals ||
                       requirement.op() == Operator::kIn;
    if (!exact || requirement.values().size() != 1) return std::nullopt;
    return requirement.values().front();
  }
  return std::nullopt;
}

std::string Selector::ToString() const {
  std::string text;
  for (const Requirement& requirement : requirements_) {
    text.append(&requirement == requirements_.data() ? "" : ",").append(requirement.ToString());
  }
  return text;
}

Result<Selector> Parse(std::string_view text) {
  return Selector(KNARR_TRY(ParseToRequirements(text)));
}

Result<Selector> LabelSelectorAsSelector(const LabelSelector* selector) {
  if (selector == nullptr) return Selector::Nothing();
  std::vector<std::string> keys;
  for (const auto& [key, value] : selector->matchlabels()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  std::vector<Requirement> requirements;
  for (const std::string& key : keys) {
    requirements.push_back(KNARR_TRY(Requirement::Make(key, Operator::kEquals, {selector->matchlabels().at(key)})));
  }
  for (const auto& expression : selector->matchexpressions()) {
    const Operator op = KNARR_TRY(OperatorOf(expression.operator_()));
    std::vector<std::string> values(expression.values().begin(), expression.values().end());
    requirements.push_back(KNARR_TRY(Requirement::Make(expression.key(), op, std::move(values))));
  }
  return Selector(std::move(requirements));
}

}  // namespace knarr::labels
