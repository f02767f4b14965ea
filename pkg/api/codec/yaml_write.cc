// Mirrors: goyaml.v2's encode.go, sorter.go and emitterc.go, as sigs.k8s.io/yaml uses them: block style, two spaces,
// lists not indented, lines folded after 80 columns.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/json_reader.h"
#include "pkg/api/codec/utf8.h"
#include "pkg/api/codec/yaml_scalar.h"

namespace knarr::codec {
namespace {

using Kind = JsonReader::Kind;

constexpr size_t kBestWidth = 80;
constexpr size_t kMaxSimpleKey = 128;
// JSON that is printed nests no deeper than this: it is read recursively.
constexpr int kMaxDepth = 256;

// unicode.IsLetter, without its table: beyond ASCII everything is a letter but Latin-1's signs and the blocks of
// punctuation, symbols and pictographs.
bool IsLetter(uint32_t rune) {
  if (rune < 0x80) return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
  if (rune < 0xc0) return rune == 0xaa || rune == 0xb5 || rune == 0xba;
  const bool sign = rune == 0xd7 || rune == 0xf7 || (rune >= 0x2000 && rune < 0x2c00) ||
                    (rune >= 0x3000 && rune < 0x3005) || (rune >= 0xfe00 && rune < 0xfe70) ||
                    (rune >= 0x1f000 && rune < 0x1fb00);
  return !sign;
}
bool IsDigit(uint32_t rune) {
  return rune >= '0' && rune <= '9';
}

std::vector<uint32_t> Runes(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size();) {
    const Rune rune = DecodeRune(text.substr(i));
    out.push_back(rune.value);
    i += rune.size;
  }
  return out;
}

// keyList.Less: numbers inside keys compare as numbers, letters after everything else. Upstream's rule is no strict
// order where digits are followed by letters in one key only (a1b < a9 < a10 < a1b); the sort must bear with that.
bool KeyLess(std::string_view left, std::string_view right) {
  const std::vector<uint32_t> a = Runes(left), b = Runes(right);
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) continue;
    const bool a_letter = IsLetter(a[i]), b_letter = IsLetter(b[i]);
    if (a_letter && b_letter) return a[i] < b[i];
    if (a_letter || b_letter) return b_letter;
    uint64_t a_number = 0, b_number = 0;
    if (a[i] == '0' || b[i] == '0') {
      for (size_t j = i; j-- > 0 && IsDigit(a[j]);) {
        if (a[j] != '0') {
          a_number = b_number = 1;
          break;
        }
      }
    }
    size_t a_end = i, b_end = i;
    for (; a_end < a.size() && IsDigit(a[a_end]); ++a_end) a_number = a_number * 10 + (a[a_end] - '0');
    for (; b_end < b.size() && IsDigit(b[b_end]); ++b_end) b_number = b_number * 10 + (b[b_end] - '0');
    if (a_number != b_number) return static_cast<int64_t>(a_number) < static_cast<int64_t>(b_number);
    if (a_end != b_end) return a_end < b_end;
    return a[i] < b[i];
  }
  return a.size() < b.size();
}

bool IsBreak(uint32_t rune) {
  return rune == '\n' || rune == '\r' || rune == 0x85 || rune == 0x2028 || rune == 0x2029;
}
bool IsBlank(uint32_t rune) {
  return rune == ' ' || rune == '\t';
}
bool IsPrintable(uint32_t rune) {
  return rune == '\n' || (rune >= 0x20 && rune <= 0x7e) || (rune >= 0xa0 && rune < 0xd800) ||
         (rune >= 0xe000 && rune <= 0xfffd && rune != 0xfeff);
}

// What yaml_emitter_analyze_scalar finds out about a text.
struct Analysis {
  bool multiline = false;
  bool plain_allowed = true;
  bool single_quoted_allowed = true;
  bool block_allowed = true;
};

Analysis Analyze(const std::vector<uint32_t>& value) {
  if (value.empty()) return {.block_allowed = false};
  Analysis out;
  bool indicators =
      value.size() >= 3 && value[0] == value[1] && value[1] == value[2] && (value[0] == '-' || value[0] == '.');
  bool special = false, breaks = false;
  bool leading = false, trailing = false, trailing_space = false, break_space = false, space_break = false;
  bool before_blank = true, previous_space = false, previous_break = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const uint32_t c = value[i];
    const bool last = i + 1 == value.size();
    const bool after_blank = last || IsBlank(value[i + 1]);
    if (i == 0) {
      if (c < 0x80 && std::string_view("#,[]{}&*!|>'\"%@`").find(static_cast<char>(c)) != std::string_view::npos)
        indicators = true;
      if ((c == '?' || c == ':' || c == '-') && after_blank) indicators = true;
    } else if ((c == ':' && after_blank) || (c == '#' && before_blank)) {
      indicators = true;
    }
    if (!IsPrintable(c)) special = true;
    if (c == ' ') {
      leading |= i == 0;
      trailing |= last;
      trailing_space |= last;
      break_space |= previous_break;
      previous_space = true;
      previous_break = false;
    } else if (IsBreak(c)) {
      breaks = true;
      leading |= i == 0;
      trailing |= last;
      space_break |= previous_space;
      previous_space = false;
      previous_break = true;
    } else {
      previous_space = previous_break = false;
    }
    before_blank = IsBlank(c) || IsBreak(c) || c == 0;
  }
  out.multiline = breaks;
  if (leading || trailing || break_space || space_break || special || breaks || indicators) out.plain_allowed = false;
  if (break_space || space_break || special) out.single_quoted_allowed = false;
  if (trailing_space || space_break || special) out.block_allowed = false;
  return out;
}

enum class Style : uint8_t { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral };

Style StyleOf(std::string_view text, const Analysis& analysis, bool is_key) {
  const YamlScalar scalar = ResolveYamlScalar(text);
  Style style = text.find('\n') != std::string_view::npos                          ? Style::kLiteral
                : scalar.kind == YamlScalar::Kind::kString && !IsBase60Float(text) ? Style::kPlain
                                                                                   : Style::kDoubleQuoted;
  if (is_key && analysis.multiline) style = Style::kDoubleQuoted;
  if (style == Style::kPlain && !analysis.plain_allowed) style = Style::kSingleQuoted;
  if (style == Style::kSingleQuoted && !analysis.single_quoted_allowed) style = Style::kDoubleQuoted;
  if (style == Style::kLiteral && (!analysis.block_allowed || is_key)) style = Style::kDoubleQuoted;
  return style;
}

class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}

  // After "key:" or "-" (`after_indicator`) or at the start of a line.
  void Text(std::string_view text, size_t indent, bool is_key) {
    const std::vector<uint32_t> value = Runes(text);
    switch (StyleOf(text, Analyze(value), is_key)) {
      case Style::kPlain: return Folded(value, indent, is_key, 0);
      case Style::kSingleQuoted:
        Put('\'');
        Folded(value, indent, is_key, '\'');
        return Put('\'');
      case Style::kDoubleQuoted: return DoubleQuoted(value, indent, is_key);
      case Style::kLiteral: return Literal(value, indent);
    }
  }

  void Raw(std::string_view text) {
    for (const char c : text) Put(static_cast<unsigned char>(c));
  }

  void Put(uint32_t rune) {
    AppendUtf8(rune, out_);
    column_ = rune == '\n' ? 0 : column_ + 1;
  }

  void NewLine(size_t indent) {
    Put('\n');
    for (size_t i = 0; i < indent; ++i) Put(' ');
  }

  size_t column() const { return column_; }

 private:
  // Plain and single quoted text without line breaks, folded at single spaces beyond the best width.
  void Folded(const std::vector<uint32_t>& value, size_t indent, bool is_key, uint32_t quote) {
    bool spaces = false, breaks = false;
    for (size_t i = 0; i < value.size(); ++i) {
      const uint32_t c = value[i];
      if (c == ' ') {
        const bool inside = quote == 0 || (i > 0 && i + 1 < value.size());
        const bool next_space = i + 1 < value.size() && value[i + 1] == ' ';
        if (!is_key && !spaces && column_ > kBestWidth && inside && !next_space) {
          NewLine(indent);
        } else {
          Put(c);
        }
        spaces = true;
      } else if (IsBreak(c)) {
        if (!breaks && c == '\n') Put('\n');
        Put(c);
        if (c != '\n') column_ = 0;
        breaks = true;
      } else {
        if (breaks) Indent(indent);
        if (quote != 0 && c == quote) Put(quote);
        Put(c);
        spaces = breaks = false;
      }
    }
  }

  void Indent(size_t indent) {
    while (column_ < indent) Put(' ');
  }

  void DoubleQuoted(const std::vector<uint32_t>& value, size_t indent, bool is_key) {
    Put('"');
    bool spaces = false;
    for (size_t i = 0; i < value.size(); ++i) {
      const uint32_t c = value[i];
      if (!IsPrintable(c) || IsBreak(c) || c == '"' || c == '\\') {
        Escape(c);
        spaces = false;
      } else if (c == ' ') {
        if (!is_key && !spaces && column_ > kBestWidth && i > 0 && i + 1 < value.size()) {
          NewLine(indent);
          if (value[i + 1] == ' ') Put('\\');
        } else {
          Put(c);
        }
        spaces = true;
      } else {
        Put(c);
        spaces = false;
      }
    }
    Put('"');
  }

  void Escape(uint32_t c) {
    Put('\\');
    switch (c) {
      case 0x00: return Put('0');
      case 0x07: return Put('a');
      case 0x08: return Put('b');
      case 0x09: return Put('t');
      case 0x0a: return Put('n');
      case 0x0b: return Put('v');
      case 0x0c: return Put('f');
      case 0x0d: return Put('r');
      case 0x1b: return Put('e');
      case '"': return Put('"');
      case '\\': return Put('\\');
      case 0x85: return Put('N');
      case 0xa0: return Put('_');
      case 0x2028: return Put('L');
      case 0x2029: return Put('P');
      default: break;
    }
    if (c <= 0xff) return Raw(fmt::format("x{:02X}", c));
    if (c <= 0xffff) return Raw(fmt::format("u{:04X}", c));
    Raw(fmt::format("U{:08X}", c));
  }

  void Literal(const std::vector<uint32_t>& value, size_t indent) {
    Put('|');
    if (value[0] == ' ' || IsBreak(value[0])) Put('2');
    if (!IsBreak(value.back())) {
      Put('-');
    } else if (value.size() == 1 || IsBreak(value[value.size() - 2])) {
      Put('+');
    }
    Put('\n');
    bool breaks = true;
    for (const uint32_t c : value) {
      if (IsBreak(c)) {
        Put(c);
        column_ = 0;
        breaks = true;
      } else {
        if (breaks) Indent(indent);
        Put(c);
        breaks = false;
      }
    }
    at_line_start_ = breaks;
  }

 public:
  // Whether the last literal ended with a line break, so that the next line has begun already.
  bool TakeLineStart() { return std::exchange(at_line_start_, false); }

 private:
  std::string* out_;
  size_t column_ = 0;
  bool at_line_start_ = false;
};

class Converter {
 public:
  Converter(std::string_view json, std::string* out)
      : json_(json), reader_(json, {.depth = kMaxDepth, .nodes = SIZE_MAX}), writer_(out) {}

  Status Run() {
    reader_.SkipValue();
    reader_.ExpectEnd();
    if (!reader_.ok()) return reader_.status();
    Root(json_);
    return OkStatus();
  }

 private:
  static JsonReader Reader(std::string_view json) { return JsonReader(json, {.depth = kMaxDepth, .nodes = SIZE_MAX}); }

  void Root(std::string_view json) {
    JsonReader reader = Reader(json);
    const Kind kind = reader.Peek();
    fresh_ = true;
    if (kind == Kind::kObject) {
      Map(json, 0);
    } else if (kind == Kind::kArray) {
      List(json, 0);
    } else {
      Scalar(json, 0);
    }
    if (!writer_.TakeLineStart()) writer_.Put('\n');
  }

  // Starts a line with `indent` spaces, unless the writer stands there already (after "- ").
  void StartLine(size_t indent) {
    if (std::exchange(fresh_, false)) return;
    if (writer_.TakeLineStart()) {
      for (size_t i = 0; i < indent; ++i) writer_.Put(' ');
      return;
    }
    writer_.NewLine(indent);
  }

  void Map(std::string_view json, size_t indent) {
    std::vector<std::pair<std::string, std::string_view>> entries;
    JsonReader reader = Reader(json);
    std::string_view key;
    for (reader.EnterObject(); reader.NextKey(&key);) {
      std::string name(key);
      entries.emplace_back(std::move(name), reader.SkipValue());
    }
    if (entries.empty()) {
      fresh_ = false;
      return writer_.Raw("{}");
    }
    // Of equal keys the last one counts.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return KeyLess(a.first, b.first); });
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i + 1 < entries.size() && entries[i].first == entries[i + 1].first) continue;
      StartLine(indent);
      Entry(entries[i].first, entries[i].second, indent);
    }
  }

  void Entry(const std::string& key, std::string_view value, size_t indent) {
    const bool simple = key.size() <= kMaxSimpleKey && key.find('\n') == std::string::npos && !HasBreak(key);
    if (!simple) {
      writer_.Raw("? ");
      writer_.Text(key, indent + 2, false);
      if (!writer_.TakeLineStart()) writer_.Put('\n');
      for (size_t i = 0; i < indent; ++i) writer_.Put(' ');
    } else {
      writer_.Text(key, indent, true);
    }
    writer_.Put(':');
    JsonReader reader = Reader(value);
    const Kind kind = reader.Peek();
    if (kind == Kind::kObject && !IsEmpty(value)) {
      fresh_ = !simple;
      if (!simple) writer_.Put(' ');
      return Map(value, indent + 2);
    }
    if (kind == Kind::kArray && !IsEmpty(value)) {
      fresh_ = !simple;
      if (!simple) writer_.Put(' ');
      return List(value, simple ? indent : indent + 2);
    }
    writer_.Put(' ');
    Scalar(value, indent + 2);
  }

  static bool HasBreak(std::string_view text) {
    const std::vector<uint32_t> runes = Runes(text);
    return std::any_of(runes.begin(), runes.end(), IsBreak);
  }

  static bool IsEmpty(std::string_view json) { return json.substr(1).find_first_not_of(" \t\r\n") == json.size() - 2; }

  void List(std::string_view json, size_t indent) {
    JsonReader reader = Reader(json);
    bool any = false;
    for (reader.EnterArray(); reader.NextElement();) {
      any = true;
      StartLine(indent);
      writer_.Raw("- ");
      const Kind kind = reader.Peek();
      const std::string_view value = reader.SkipValue();
      fresh_ = true;
      if (kind == Kind::kObject) {
        Map(value, indent + 2);
      } else if (kind == Kind::kArray) {
        List(value, indent + 2);
      } else {
        Scalar(value, indent + 2);
      }
    }
    fresh_ = false;
    if (!any) writer_.Raw("[]");
  }

  void Scalar(std::string_view json, size_t indent) {
    fresh_ = false;
    JsonReader reader = Reader(json);
    switch (reader.Peek()) {
      case Kind::kString: return writer_.Text(reader.ReadString(), indent, false);
      case Kind::kNumber: return Number(reader.ReadNumber());
      case Kind::kObject: return writer_.Raw("{}");
      case Kind::kArray: return writer_.Raw("[]");
      default: return writer_.Raw(reader.SkipValue());
    }
  }

  // Numbers are read as YAML reads them and written as Go does: 1e3 becomes 1000.
  void Number(std::string_view text) {
    const YamlScalar scalar = ResolveYamlScalar(text);
    if (scalar.kind == YamlScalar::Kind::kInt) {
      return writer_.Raw(fmt::format("{}{}", scalar.negative ? "-" : "", scalar.magnitude));
    }
    if (scalar.kind == YamlScalar::Kind::kFloat) return writer_.Raw(FormatGoFloat(scalar.number, false));
    writer_.Text(text, 0, false);
  }

  std::string_view json_;
  JsonReader reader_;
  Writer writer_;
  bool fresh_ = true;  // the writer stands where the next item starts
};

}  // namespace

Result<std::string> JsonToYaml(std::string_view json) {
  std::string out;
  KNARR_TRY(Converter(json, &out).Run());
  return out;
}

std::string EncodeYaml(const google::protobuf::Message& message, const EncodeOptions& options) {
  Result<std::string> yaml = JsonToYaml(EncodeJson(message, options));
  // Our own JSON always converts, unless raw JSON in it nests too deep.
  return yaml.ok() ? std::move(*yaml) : std::string();
}

}  // namespace knarr::codec
