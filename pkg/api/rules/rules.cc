#include "pkg/api/rules/rules.h"

#include <fmt/format.h>

#include <charconv>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/util/intstr/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/intstr/intstr.h"

namespace knarr::rules {
namespace {

// The number of "12%"; false for everything else.
bool Percent(const intstr_pb::IntOrString& value, int64_t* percent) {
  if (!intstr::IsString(value) || !names::IsValidPercent(value.strval()).empty()) return false;
  const std::string& text = value.strval();
  *percent = 0;
  // What does not fit is more than a hundred in any case.
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, *percent);
  if (error == std::errc::result_out_of_range) *percent = INT32_MAX;
  return true;
}

}  // namespace

void AddInvalid(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

void AddInvalid(ErrorList& errors, const Path& path, int64_t value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

void Nonnegative(ErrorList& errors, const Path& path, int64_t value) {
  if (value < 0) errors.push_back(field::Invalid(path, value, "must be greater than or equal to 0"));
}

void Immutable(ErrorList& errors, const Path& path, bool same, std::string_view go_value) {
  if (!same) errors.push_back(field::InvalidLiteral(path, go_value, "field is immutable"));
}

void ImmutableText(ErrorList& errors, const Path& path, std::string_view updated, std::string_view old) {
  if (updated != old) errors.push_back(field::Invalid(path, updated, "field is immutable"));
}

void PositiveIntOrPercent(ErrorList& errors, const Path& path, const intstr_pb::IntOrString& value) {
  if (!intstr::IsString(value)) return Nonnegative(errors, path, value.intval());
  for (const std::string& message : names::IsValidPercent(value.strval())) {
    errors.push_back(field::InvalidLiteral(path, GoValue(value), message));
  }
}

void NotMoreThan100Percent(ErrorList& errors, const Path& path, const intstr_pb::IntOrString& value) {
  int64_t percent = 0;
  if (!Percent(value, &percent) || percent <= 100) return;
  errors.push_back(field::InvalidLiteral(path, GoValue(value), "must not be greater than 100%"));
}

int64_t IntOrPercentValue(const intstr_pb::IntOrString& value) {
  int64_t percent = 0;
  return Percent(value, &percent) ? percent : intstr::IntValue(value);
}

void SelectorMatches(ErrorList& errors, const Path& path, const meta::LabelSelector* selector,
                     const meta::ObjectMeta& metadata) {
  const auto parsed = labels::LabelSelectorAsSelector(selector);
  if (!parsed.ok() || parsed->Empty() || parsed->Matches(metadata.labels())) return;
  errors.push_back(field::InvalidLiteral(path.Child("metadata").Child("labels"), GoValue(metadata.labels()),
                                         "`selector` does not match template `labels`"));
}

std::string GoValue(const Labels& labels) {
  if (labels.empty()) return "map[string]string(nil)";
  std::string text = "map[string]string{";
  for (const std::string& key : SortedKeys(labels)) {
    if (text.back() != '{') text += ", ";
    text += fmt::format("{}:{}", field::Quote(key), field::Quote(labels.at(key)));
  }
  return text + "}";
}

std::string GoValue(const std::vector<std::string>& strings) {
  if (strings.empty()) return "[]string(nil)";
  std::string text = "[]string{";
  for (const std::string& value : strings) {
    if (text.back() != '{') text += ", ";
    text += field::Quote(value);
  }
  return text + "}";
}

std::string GoValue(const meta::LabelSelector& selector) {
  std::string expressions = "[]v1.LabelSelectorRequirement(nil)";
  if (selector.matchexpressions_size() > 0) {
    expressions = "[]v1.LabelSelectorRequirement{";
    for (const auto& expression : selector.matchexpressions()) {
      if (expressions.back() != '{') expressions += ", ";
      expressions +=
          fmt::format("v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:{}}}", field::Quote(expression.key()),
                      field::Quote(expression.operator_()),
                      GoValue(std::vector<std::string>(expression.values().begin(), expression.values().end())));
    }
    expressions += "}";
  }
  return fmt::format("v1.LabelSelector{{MatchLabels:{}, MatchExpressions:{}}}", GoValue(selector.matchlabels()),
                     expressions);
}

std::string GoValue(const intstr_pb::IntOrString& value) {
  return fmt::format("intstr.IntOrString{{Type:{}, IntVal:{}, StrVal:{}}}", value.type(), value.intval(),
                     field::Quote(value.strval()));
}

std::string GoBytes(std::string_view bytes) {
  std::string text = "[]byte{";
  text.reserve(bytes.size() * 6 + 8);
  for (const char byte : bytes) {
    if (text.back() != '{') text += ", ";
    fmt::format_to(std::back_inserter(text), "{:#x}", static_cast<unsigned char>(byte));
  }
  return text + "}";
}

}  // namespace knarr::rules
