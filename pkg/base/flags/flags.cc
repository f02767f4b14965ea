#include "pkg/base/flags/flags.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>

#include "pkg/base/duration.h"

namespace knarr::flags {
namespace {

Status NumberError(std::string_view function, std::string_view text, bool range) {
  return Error(Code::kInvalid, "strconv.{}: parsing \"{}\": {}", function, text,
               range ? "value out of range" : "invalid syntax");
}

// Go's base 0: 0x, 0o, 0b and a leading zero are understood.
Result<int64_t> ParseInteger(std::string_view text, int64_t min, int64_t max) {
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char kind = static_cast<char>(digits[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    digits.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
  }
  uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || end != digits.data() + digits.size()) return NumberError("ParseInt", text, false);
  const uint64_t limit = negative ? static_cast<uint64_t>(-(min + 1)) + 1 : static_cast<uint64_t>(max);
  if (error == std::errc::result_out_of_range || magnitude > limit) return NumberError("ParseInt", text, true);
  if (error != std::errc()) return NumberError("ParseInt", text, false);
  return negative ? static_cast<int64_t>(~magnitude + 1) : static_cast<int64_t>(magnitude);
}

Result<bool> ParseBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return NumberError("ParseBool", text, false);
}

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (true) {
    const size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

std::string Trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

}  // namespace

std::string NormalizeName(std::string_view name) {
  std::string normal(name);
  std::replace(normal.begin(), normal.end(), '_', '-');
  return normal;
}

Flag& Flag::Deprecated(std::string text) {
  deprecated_ = std::move(text);
  return *this;
}
Flag& Flag::Hidden() {
  hidden_ = true;
  return *this;
}
Flag& Flag::Shorthand(char letter) {
  shorthand_ = letter;
  return *this;
}
Flag& Flag::WithoutValue(std::string value) {
  without_value_ = std::move(value);
  return *this;
}
Flag& Flag::DefaultText(std::string text) {
  default_ = std::move(text);
  return *this;
}

FlagSet::FlagSet() : sections_{""} {}

void FlagSet::Section(std::string title) {
  sections_.push_back(std::move(title));
}

Flag& FlagSet::Add(std::string name, std::string type, std::string usage) {
  KNARR_CHECK(!by_name_.contains(name));
  Flag& flag = flags_.emplace_back();
  flag.name_ = std::move(name);
  flag.type_ = std::move(type);
  flag.usage_ = std::move(usage);
  flag.section_ = sections_.size() - 1;
  by_name_[flag.name_] = &flag;
  return flag;
}

Flag& FlagSet::Bool(bool* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "", std::move(usage));
  flag.without_value_ = "true";
  flag.default_ = *target ? "true" : "";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    *target = KNARR_TRY(ParseBool(value));
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Int(int* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "int32", std::move(usage));
  flag.default_ = *target != 0 ? std::to_string(*target) : "";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    using Limits = std::numeric_limits<int32_t>;
    *target = static_cast<int>(KNARR_TRY(ParseInteger(value, Limits::min(), Limits::max())));
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Int64(int64_t* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "int", std::move(usage));
  flag.default_ = *target != 0 ? std::to_string(*target) : "";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    using Limits = std::numeric_limits<int64_t>;
    *target = KNARR_TRY(ParseInteger(value, Limits::min(), Limits::max()));
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Double(double* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "float", std::move(usage));
  flag.default_ = *target != 0 ? fmt::format("{}", *target) : "";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    double parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size()) return NumberError("ParseFloat", value, false);
    *target = parsed;
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::String(std::string* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "string", std::move(usage));
  flag.default_ = target->empty() ? "" : "\"" + *target + "\"";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    *target = value;
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Duration(std::chrono::nanoseconds* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "duration", std::move(usage));
  flag.default_ = target->count() != 0 ? FormatDuration(*target) : "";
  flag.set_ = [target](const std::string& value, bool) -> Status {
    *target = KNARR_TRY(ParseDuration(value));
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Strings(std::vector<std::string>* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "strings", std::move(usage));
  flag.default_ = target->empty() ? "" : "[" + Join(*target) + "]";
  flag.set_ = [target](const std::string& value, bool first) -> Status {
    if (first) target->clear();
    if (value.empty()) return OkStatus();
    for (std::string& part : SplitCommas(value)) target->push_back(std::move(part));
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::StringMap(std::map<std::string, std::string>* target, std::string name, std::string usage,
                         char separator) {
  Flag& flag = Add(std::move(name), "mapStringString", std::move(usage));
  for (const auto& [key, value] : *target)
    flag.default_ += (flag.default_.empty() ? "" : ",") + key + separator + value;
  flag.set_ = [target, separator](const std::string& value, bool first) -> Status {
    std::map<std::string, std::string> parsed;
    for (const std::string& pair : SplitCommas(value)) {
      if (pair.empty()) continue;
      const size_t at = pair.find(separator);
      if (at == std::string::npos) return Error(Code::kInvalid, "malformed pair, expect string{}string", separator);
      parsed[Trim(pair.substr(0, at))] = Trim(pair.substr(at + 1));
    }
    if (first) target->clear();
    for (auto& [key, text] : parsed) (*target)[key] = std::move(text);
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::BoolMap(std::map<std::string, bool>* target, std::string name, std::string usage) {
  Flag& flag = Add(std::move(name), "mapStringBool", std::move(usage));
  flag.set_ = [target](const std::string& value, bool) -> Status {
    for (const std::string& pair : SplitCommas(value)) {
      if (Trim(pair).empty()) continue;
      const size_t at = pair.find('=');
      const std::string key = Trim(pair.substr(0, at));
      if (at == std::string::npos) return Error(Code::kInvalid, "missing bool value for {}", key);
      const std::string text = Trim(pair.substr(at + 1));
      const Result<bool> on = ParseBool(text);
      if (!on.ok()) return Error(Code::kInvalid, "invalid value of {}: {}, err: {}", key, text, on.error());
      (*target)[key] = *on;
    }
    return OkStatus();
  };
  return flag;
}

Flag& FlagSet::Custom(std::string name, std::string type, std::string usage,
                      std::function<Status(const std::string& value, bool first)> set) {
  Flag& flag = Add(std::move(name), std::move(type), std::move(usage));
  flag.set_ = std::move(set);
  return flag;
}

Flag& FlagSet::Ignored(std::string name, std::string type, std::string usage, std::string why) {
  Flag& flag = Add(std::move(name), type == "bool" ? "" : type, std::move(usage));
  if (type == "bool") flag.without_value_ = "true";
  flag.hidden_ = true;
  flag.set_ = [this, text = fmt::format("Flag --{} has no effect: {}", flag.name_, why)](const std::string&,
                                                                                         bool first) -> Status {
    if (first && std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end()) warnings_.push_back(text);
    return OkStatus();
  };
  return flag;
}

// ---- parsing

Flag* FlagSet::Find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Flag* FlagSet::FindShorthand(char letter) const {
  for (const auto& [name, flag] : by_name_) {
    if (flag->shorthand_ == letter) return flag;
  }
  return nullptr;
}

bool FlagSet::Changed(std::string_view name) const {
  return std::any_of(given_.begin(), given_.end(), [&](const auto& given) { return given.first->name_ == name; });
}

void FlagSet::Record(Flag* flag, std::string value) {
  if (!flag->deprecated_.empty() && !Changed(flag->name_)) {
    warnings_.push_back(fmt::format("Flag --{} has been deprecated, {}", flag->name_, flag->deprecated_));
  }
  given_.emplace_back(flag, std::move(value));
}

Status FlagSet::Parse(const std::vector<std::string>& args, std::vector<std::string>* positional) {
  given_.clear();
  warnings_.clear();
  for (size_t at = 0; at < args.size(); ++at) {
    const std::string& arg = args[at];
    if (arg.size() < 2 || arg[0] != '-') {
      positional->push_back(arg);
      if (!stop_at_positional_) continue;
      positional->insert(positional->end(), args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
      return OkStatus();
    }
    if (arg == "--") {
      positional->insert(positional->end(), args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
      return OkStatus();
    }
    KNARR_TRY(arg[1] == '-' ? ParseLong(args, at) : ParseShort(args, at));
  }
  return OkStatus();
}

Status FlagSet::ParseLong(const std::vector<std::string>& args, size_t& at) {
  const std::string& arg = args[at];
  const size_t equals = arg.find('=');
  const std::string written = arg.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
  if (written.empty() || written[0] == '-') return Error(Code::kInvalid, "bad flag syntax: {}", arg);
  Flag* flag = Find(NormalizeName(written));
  if (flag == nullptr) return Error(Code::kInvalid, "unknown flag: --{}", written);
  if (equals != std::string::npos) {
    Record(flag, arg.substr(equals + 1));
  } else if (!flag->without_value_.empty()) {
    Record(flag, flag->without_value_);
  } else if (at + 1 < args.size()) {
    Record(flag, args[++at]);
  } else {
    return Error(Code::kInvalid, "flag needs an argument: --{}", written);
  }
  return OkStatus();
}

Status FlagSet::ParseShort(const std::vector<std::string>& args, size_t& at) {
  const std::string& arg = args[at];
  for (size_t i = 1; i < arg.size(); ++i) {
    Flag* flag = FindShorthand(arg[i]);
    if (flag == nullptr) return Error(Code::kInvalid, "unknown shorthand flag: '{}' in {}", arg[i], arg);
    if (i + 2 < arg.size() && arg[i + 1] == '=') {  // -v=2
      Record(flag, arg.substr(i + 2));
      return OkStatus();
    }
    if (!flag->without_value_.empty()) {  // -h, and more letters may follow
      Record(flag, flag->without_value_);
      continue;
    }
    if (i + 1 < arg.size()) {  // -v2
      Record(flag, arg.substr(i + 1));
    } else if (at + 1 < args.size()) {  // -v 2
      Record(flag, args[++at]);
    } else {
      return Error(Code::kInvalid, "flag needs an argument: '{}' in {}", arg[i], arg);
    }
    return OkStatus();
  }
  return OkStatus();
}

Status FlagSet::Apply() {
  std::vector<const Flag*> applied;
  for (const auto& [flag, value] : given_) {
    const bool first = std::find(applied.begin(), applied.end(), flag) == applied.end();
    if (first) applied.push_back(flag);
    if (Status status = flag->set_(value, first); !status.ok()) {
      const std::string name =
          flag->shorthand_ != 0 ? fmt::format("-{}, --{}", flag->shorthand_, flag->name_) : "--" + flag->name_;
      return Error(Code::kInvalid, "invalid argument \"{}\" for \"{}\" flag: {}", value, name, status);
    }
  }
  return OkStatus();
}

// ---- usage

std::string FlagSet::Usages() const {
  struct Line {
    std::string left, right;
    size_t section;
  };
  std::vector<Line> lines;
  size_t width = 0;
  for (const auto& [name, flag] : by_name_) {  // sorted
    if (flag->hidden_) continue;
    Line line;
    line.section = flag->section_;
    line.left =
        flag->shorthand_ != 0 ? fmt::format("  -{}, --{}", flag->shorthand_, name) : fmt::format("      --{}", name);
    if (!flag->type_.empty()) line.left += " " + flag->type_;
    line.right = flag->usage_;
    if (!flag->default_.empty()) line.right += fmt::format(" (default {})", flag->default_);
    if (!flag->deprecated_.empty()) line.right += fmt::format(" (DEPRECATED: {})", flag->deprecated_);
    width = std::max(width, line.left.size());
    lines.push_back(std::move(line));
  }
  std::string text;
  for (size_t section = 0; section < sections_.size(); ++section) {
    std::string body;
    for (const Line& line : lines) {
      if (line.section == section) body += fmt::format("{:<{}}   {}\n", line.left, width, line.right);
    }
    if (body.empty()) continue;
    if (!text.empty()) text += "\n";
    text += sections_[section].empty() ? "Flags:\n\n" : sections_[section] + " flags:\n\n";
    text += body;
  }
  return text;
}

}  // namespace knarr::flags
