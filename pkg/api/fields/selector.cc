#include "pkg/api/fields/selector.h"

#include <algorithm>
#include <utility>

namespace knarr::fields {
namespace {

// Terms between commas; an escaped comma is data.
std::vector<std::string_view> SplitTerms(std::string_view text) {
  std::vector<std::string_view> terms;
  size_t start = 0;
  bool escaped = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (escaped) {
      escaped = false;
    } else if (text[i] == '\\') {
      escaped = true;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  terms.push_back(text.substr(start));
  return terms;
}

struct Term {
  std::string_view field;
  std::string_view op;
  std::string_view value;
};

// At the first operator; == before =, so that no = is left in the value.
std::optional<Term> SplitTerm(std::string_view term) {
  const size_t start = term.find_first_of("!=");
  for (size_t i = start; i < term.size(); ++i) {
    for (const std::string_view op : {"!=", "==", "="}) {
      if (term.substr(i).starts_with(op)) return Term{term.substr(0, i), op, term.substr(i + op.size())};
    }
  }
  return std::nullopt;
}

// The UTF-8 character a text starts with.
std::string_view FirstCharacter(std::string_view text) {
  size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
  return text.substr(0, size);
}

}  // namespace

std::string EscapeValue(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == ',' || c == '=') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

Result<std::string> UnescapeValue(std::string_view text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ',' || c == '=') {
      return Error(Code::kInvalid, "invalid field selector: unescaped character in value: {}", static_cast<int>(c));
    }
    if (c != '\\') {
      value += c;
      continue;
    }
    const std::string_view escaped = FirstCharacter(text.substr(++i));
    if (escaped != "\\" && escaped != "," && escaped != "=") {
      return Error(Code::kInvalid, "invalid field selector: invalid escape sequence: \\{}", escaped);
    }
    value += escaped;
  }
  return value;
}

std::optional<std::string> Selector::RequiresExactMatch(std::string_view field) const {
  for (const Requirement& requirement : requirements_) {
    if (requirement.equals && requirement.field == field) return requirement.value;
  }
  return std::nullopt;
}

std::string Selector::ToString() const {
  std::string text;
  for (const Requirement& requirement : requirements_) {
    text.append(&requirement == requirements_.data() ? "" : ",").append(requirement.field);
    text.append(requirement.equals ? "=" : "!=").append(EscapeValue(requirement.value));
  }
  return text;
}

Result<Selector> ParseSelector(std::string_view text) {
  std::vector<std::string_view> terms = SplitTerms(text);
  std::sort(terms.begin(), terms.end());
  std::vector<Requirement> requirements;
  for (const std::string_view part : terms) {
    if (part.empty()) continue;
    const std::optional<Term> term = SplitTerm(part);
    if (!term) return Error(Code::kInvalid, "invalid selector: '{}'; can't understand '{}'", text, part);
    std::string value = KNARR_TRY(UnescapeValue(term->value));
    // Upstream drops what names neither a field nor a value.
    if (term->field.empty() && value.empty()) continue;
    requirements.push_back({std::string(term->field), term->op != "!=", std::move(value)});
  }
  return Selector(std::move(requirements));
}

}  // namespace knarr::fields
