#include "pkg/api/names/names.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include <fmt/format.h>

namespace knarr::names {
namespace {

constexpr size_t kLabelMax = 63;
constexpr size_t kSubdomainMax = 253;

constexpr std::string_view kQualifiedName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::string_view kQualifiedNameText =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
constexpr std::string_view kSubdomain = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLowerAlnum(char c) {
  return IsLower(c) || IsDigit(c);
}
bool IsAlnum(char c) {
  return IsLowerAlnum(c) || IsUpper(c);
}
bool IsAlpha(char c) {
  return IsLower(c) || IsUpper(c);
}

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

template <typename Ends, typename Middle>
bool HasShape(std::string_view text, Ends ends, Middle middle) {
  return !text.empty() && ends(text.front()) && ends(text.back()) && All(text, middle);
}

bool LooksLikeQualifiedName(std::string_view text) {
  return HasShape(text, IsAlnum, [](char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool LooksLikeLabel(std::string_view text) {
  return HasShape(text, IsLowerAlnum, [](char c) { return IsLowerAlnum(c) || c == '-'; });
}

// [_]label with underscores inside.
bool LooksLikeUnderscoreLabel(std::string_view text) {
  if (text.starts_with('_')) text.remove_prefix(1);
  return HasShape(text, IsLowerAlnum, [](char c) { return IsLowerAlnum(c) || c == '-' || c == '_'; });
}

template <typename Predicate>
bool AllParts(std::string_view text, char separator, Predicate predicate) {
  for (;;) {
    const size_t end = text.find(separator);
    if (!predicate(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool LooksLikeSubdomain(std::string_view text) {
  return AllParts(text, '.', LooksLikeLabel);
}

void AddMaxLen(Messages& messages, std::string_view value, size_t max) {
  if (value.size() > max) messages.push_back(MaxLenError(static_cast<int>(max)));
}

void AddChDirPrefix(Messages& messages, std::string_view value) {
  if (value == ".") {
    messages.emplace_back("must not be '.'");
  } else if (value == "..") {
    messages.emplace_back("must not be '..'");
  } else if (value.starts_with("..")) {
    messages.emplace_back("must not start with '..'");
  }
}

// The replacement of the last two characters is upstream's: "ab-" is checked as "aa".
std::string MaskTrailingDash(std::string_view name) {
  if (name.size() > 1 && name.ends_with('-')) return std::string(name.substr(0, name.size() - 2)) + "a";
  return std::string(name);
}

std::string QualifiedNameError() {
  return RegexError(kQualifiedNameText, kQualifiedName, {"MyName", "my.name", "123-abc"});
}

}  // namespace

std::string MaxLenError(int length) {
  return fmt::format("must be no more than {} characters", length);
}

std::string InclusiveRangeError(int64_t low, int64_t high) {
  return fmt::format("must be between {} and {}, inclusive", low, high);
}

std::string RegexError(std::string_view message, std::string_view format,
                       std::initializer_list<std::string_view> examples) {
  std::string text(message);
  if (examples.size() == 0) return text + fmt::format(" (regex used for validation is '{}')", format);
  text += " (e.g. ";
  bool first = true;
  for (const std::string_view example : examples) {
    text += fmt::format("{}'{}', ", first ? "" : " or ", example);
    first = false;
  }
  return text + fmt::format("regex used for validation is '{}')", format);
}

Messages IsQualifiedName(std::string_view value) {
  Messages messages;
  const size_t slash = value.find('/');
  std::string_view name = value;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = value.substr(0, slash);
    name = value.substr(slash + 1);
    if (name.find('/') != std::string_view::npos) {
      messages.push_back("a qualified name " + QualifiedNameError() +
                         " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
      return messages;
    }
    if (prefix.empty()) messages.emplace_back("prefix part must be non-empty");
    if (!prefix.empty()) {
      for (const std::string& message : IsDNS1123Subdomain(prefix)) messages.push_back("prefix part " + message);
    }
  }
  if (name.empty()) {
    messages.emplace_back("name part must be non-empty");
  } else if (name.size() > kLabelMax) {
    messages.push_back("name part " + MaxLenError(kLabelMax));
  }
  if (!LooksLikeQualifiedName(name)) messages.push_back("name part " + QualifiedNameError());
  return messages;
}

Messages IsValidLabelValue(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kLabelMax);
  if (!value.empty() && !LooksLikeQualifiedName(value)) {
    messages.push_back(
        RegexError("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                   "must start and end with an alphanumeric character",
                   "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", {"MyValue", "my_value", "12345"}));
  }
  return messages;
}

Messages IsDNS1123Label(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kLabelMax);
  if (LooksLikeLabel(value)) return messages;
  if (LooksLikeSubdomain(value)) {
    messages.emplace_back("must not contain dots");
  } else {
    messages.push_back(
        RegexError("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
                   "start and end with an alphanumeric character",
                   "[a-z0-9]([-a-z0-9]*[a-z0-9])?", {"my-name", "123-abc"}));
  }
  return messages;
}

Messages IsDNS1123Subdomain(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kSubdomainMax);
  if (!LooksLikeSubdomain(value)) {
    messages.push_back(
        RegexError("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                   "must start and end with an alphanumeric character",
                   kSubdomain, {"example.com"}));
  }
  return messages;
}

Messages IsDNS1123SubdomainWithUnderscore(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kSubdomainMax);
  if (!AllParts(value, '.', LooksLikeUnderscoreLabel)) {
    messages.push_back(
        RegexError("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or "
                   "'.', and must start and end with an alphanumeric character",
                   kSubdomain, {"example.com"}));
  }
  return messages;
}

Messages IsDNS1035Label(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kLabelMax);
  if (!LooksLikeLabel(value) || !IsLower(value.front())) {
    messages.push_back(
        RegexError("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                   "alphabetic character, and end with an alphanumeric character",
                   "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  }
  return messages;
}

Messages IsWildcardDNS1123Subdomain(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kSubdomainMax);
  if (!value.starts_with("*.") || !LooksLikeSubdomain(value.substr(2))) {
    messages.push_back(
        RegexError("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
                   "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
                   std::string("\\*\\.").append(kSubdomain), {"*.example.com"}));
  }
  return messages;
}

Messages IsCIdentifier(std::string_view value) {
  const auto part = [](char c) { return IsAlnum(c) || c == '_'; };
  if (!value.empty() && !IsDigit(value.front()) && All(value, part)) return {};
  return {
      RegexError("a valid C identifier must start with alphabetic character or '_', followed by a string of "
                 "alphanumeric characters or '_'",
                 "[A-Za-z_][A-Za-z0-9_]*", {"my_name", "MY_NAME", "MyName"})};
}

Messages IsInRange(int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return {};
  return {InclusiveRangeError(min, max)};
}

Messages IsValidPortNum(int64_t port) {
  return IsInRange(port, 1, 65535);
}
Messages IsValidUserID(int64_t uid) {
  return IsInRange(uid, 0, std::numeric_limits<int32_t>::max());
}
Messages IsValidGroupID(int64_t gid) {
  return IsInRange(gid, 0, std::numeric_limits<int32_t>::max());
}

Messages IsValidPortName(std::string_view port) {
  Messages messages;
  AddMaxLen(messages, port, 15);
  if (port.empty() || !All(port, [](char c) { return IsLowerAlnum(c) || c == '-'; })) {
    messages.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (std::none_of(port.begin(), port.end(), IsLower)) messages.emplace_back("must contain at least one letter (a-z)");
  if (port.find("--") != std::string_view::npos) messages.emplace_back("must not contain consecutive hyphens");
  if (!port.empty() && (port.front() == '-' || port.back() == '-')) {
    messages.emplace_back("must not begin or end with a hyphen");
  }
  return messages;
}

Messages IsValidPercent(std::string_view percent) {
  if (percent.size() >= 2 && percent.ends_with('%') && All(percent.substr(0, percent.size() - 1), IsDigit)) return {};
  return {RegexError("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%",
                     {"1%", "93%"})};
}

Messages IsHTTPHeaderName(std::string_view value) {
  if (!value.empty() && All(value, [](char c) { return IsAlnum(c) || c == '-'; })) return {};
  return {RegexError("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+",
                     {"X-Header-Name"})};
}

Messages IsEnvVarName(std::string_view value) {
  Messages messages;
  const auto part = [](char c) { return IsAlnum(c) || c == '-' || c == '.' || c == '_'; };
  if (value.empty() || IsDigit(value.front()) || !All(value, part)) {
    messages.push_back(
        RegexError("a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
                   "and must not start with a digit",
                   "[-._a-zA-Z][-._a-zA-Z0-9]*", {"my.env-name", "MY_ENV.NAME", "MyEnvName1"}));
  }
  AddChDirPrefix(messages, value);
  return messages;
}

Messages IsRelaxedEnvVarName(std::string_view value) {
  if (value.empty()) return {"environment variable name must be non-empty"};
  if (All(value, [](char c) { return c >= ' ' && c <= '~' && c != '='; })) return {};
  return {"a valid environment variable name must consist only of printable ASCII characters other than '='"};
}

Messages IsConfigMapKey(std::string_view value) {
  Messages messages;
  AddMaxLen(messages, value, kSubdomainMax);
  if (value.empty() || !All(value, [](char c) { return IsAlnum(c) || c == '-' || c == '.' || c == '_'; })) {
    messages.push_back(RegexError("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                                  "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  }
  AddChDirPrefix(messages, value);
  return messages;
}

Messages IsDomainPrefixedPath(std::string_view value) {
  const size_t slash = value.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == value.size()) {
    return {"must be a domain-prefixed path (such as \"acme.io/foo\")"};
  }
  Messages messages = IsDNS1123Subdomain(value.substr(0, slash));
  const auto allowed = [](char c) {
    return IsAlpha(c) || IsDigit(c) || std::string_view("/-._~%!$&'()*+,;=:").find(c) != std::string_view::npos;
  };
  if (!All(value.substr(slash + 1), allowed)) {
    messages.push_back(RegexError("Invalid path", "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+", {}));
  }
  return messages;
}

Messages NameIsDNSSubdomain(std::string_view name, bool prefix) {
  return IsDNS1123Subdomain(prefix ? MaskTrailingDash(name) : std::string(name));
}

Messages NameIsDNSLabel(std::string_view name, bool prefix) {
  return IsDNS1123Label(prefix ? MaskTrailingDash(name) : std::string(name));
}

Messages NameIsDNS1035Label(std::string_view name, bool prefix) {
  return IsDNS1035Label(prefix ? MaskTrailingDash(name) : std::string(name));
}

}  // namespace knarr::names
