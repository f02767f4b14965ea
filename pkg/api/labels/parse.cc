// The parser of selector texts: tokens, then a recursive descent, as upstream's, so that errors come at the same
// places.
#include <algorithm>
#include <set>
#include <utility>

#include "pkg/api/field/quote.h"
#include "pkg/api/labels/selector.h"
#include "pkg/api/names/names.h"

namespace knarr::labels {
namespace {

enum class Token {
  kEnd,
  kClosedPar,
  kComma,
  kDoesNotExist,
  kDoubleEquals,
  kEquals,
  kGreaterThan,
  kIdentifier,
  kIn,
  kLessThan,
  kNotEquals,
  kNotIn,
  kOpenPar
};

struct Item {
  Token token = Token::kEnd;
  std::string_view literal;
};

constexpr std::pair<std::string_view, Token> kSymbols[] = {
    {"==", Token::kDoubleEquals}, {"!=", Token::kNotEquals},  {"=", Token::kEquals},
    {"!", Token::kDoesNotExist},  {"(", Token::kOpenPar},     {")", Token::kClosedPar},
    {",", Token::kComma},         {">", Token::kGreaterThan}, {"<", Token::kLessThan},
};

bool IsWhitespace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool IsSymbol(char c) {
  return std::string_view("=!(),><").find(c) != std::string_view::npos;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  Item Next() {
    while (!rest_.empty() && IsWhitespace(rest_.front())) rest_.remove_prefix(1);
    // A NUL ends the text, as it does upstream.
    if (rest_.empty() || rest_.front() == '\0') return {};
    for (const auto& [symbol, token] : kSymbols) {
      if (rest_.starts_with(symbol)) return Take(token, symbol.size());
    }
    const auto end =
        std::find_if(rest_.begin(), rest_.end(), [](char c) { return c == '\0' || IsSymbol(c) || IsWhitespace(c); });
    const auto size = static_cast<size_t>(end - rest_.begin());
    Item item = Take(Token::kIdentifier, size);
    if (!rest_.empty() && rest_.front() == '\0') rest_.remove_prefix(1);
    if (item.literal == "in") item.token = Token::kIn;
    if (item.literal == "notin") item.token = Token::kNotIn;
    return item;
  }

 private:
  Item Take(Token token, size_t size) {
    const Item item{token, rest_.substr(0, size)};
    rest_.remove_prefix(size);
    return item;
  }

  std::string_view rest_;
};

class Parser {
 public:
  explicit Parser(std::string_view text) {
    Lexer lexer(text);
    do items_.push_back(lexer.Next());
    while (items_.back().token != Token::kEnd);
  }

  Result<std::vector<Requirement>> Parse() {
    std::vector<Requirement> requirements;
    for (;;) {
      const Item first = PeekValue();
      if (first.token == Token::kEnd) return requirements;
      if (first.token != Token::kIdentifier && first.token != Token::kDoesNotExist) {
        return Found(first, "', expected: !, identifier, or 'end of string'");
      }
      requirements.push_back(KNARR_TRY_CTX(ParseRequirement(), "unable to parse requirement"));
      const Item separator = TakeValue();
      if (separator.token == Token::kEnd) return requirements;
      if (separator.token != Token::kComma) return Found(separator, "', expected: ',' or 'end of string'");
      const Item next = PeekValue();
      if (next.token != Token::kIdentifier && next.token != Token::kDoesNotExist) {
        return Found(next, "', expected: identifier after ','");
      }
    }
  }

 private:
  using Values = std::set<std::string>;

  static Status Found(const Item& item, std::string_view expected) {
    return Status(Code::kInvalid, std::string("found '").append(item.literal).append(expected));
  }

  const Item& Peek() const { return items_[position_]; }
  Item Take() {
    const Item item = items_[position_];
    if (position_ + 1 < items_.size()) ++position_;
    return item;
  }
  // Where an operator cannot stand, `in` and `notin` are plain words.
  static Item AsValue(Item item) {
    if (item.token == Token::kIn || item.token == Token::kNotIn) item.token = Token::kIdentifier;
    return item;
  }
  Item PeekValue() const { return AsValue(Peek()); }
  Item TakeValue() { return AsValue(Take()); }

  Result<Requirement> ParseRequirement() {
    Item key = TakeValue();
    const bool negated = key.token == Token::kDoesNotExist;
    if (negated) key = TakeValue();
    if (key.token != Token::kIdentifier) return Found(key, "', expected: identifier");
    KNARR_TRY(CheckKey(key.literal));
    const Token next = PeekValue().token;
    if (negated) return Requirement::Make(std::string(key.literal), Operator::kDoesNotExist, {});
    if (next == Token::kEnd || next == Token::kComma) {
      return Requirement::Make(std::string(key.literal), Operator::kExists, {});
    }
    const Operator op = KNARR_TRY(ParseOperator());
    const bool is_set = op == Operator::kIn || op == Operator::kNotIn;
    const Values values = KNARR_TRY(is_set ? ParseValues() : ParseExactValue());
    return Requirement::Make(std::string(key.literal), op, {values.begin(), values.end()});
  }

  // Upstream has no path here, and prints it as <nil>.
  static Status CheckKey(std::string_view key) {
    const names::Messages messages = names::IsQualifiedName(key);
    if (messages.empty()) return OkStatus();
    std::string text;
    for (const std::string& message : messages) text.append(text.empty() ? "" : "; ").append(message);
    return Error(Code::kInvalid, "<nil>: Invalid value: {}: {}", field::Quote(key), text);
  }

  Result<Operator> ParseOperator() {
    const Item item = Take();
    switch (item.token) {
      case Token::kIn: return Operator::kIn;
      case Token::kNotIn: return Operator::kNotIn;
      case Token::kEquals: return Operator::kEquals;
      case Token::kDoubleEquals: return Operator::kDoubleEquals;
      case Token::kNotEquals: return Operator::kNotEquals;
      case Token::kGreaterThan: return Operator::kGreaterThan;
      case Token::kLessThan: return Operator::kLessThan;
      default: return Found(item, "', expected: in, notin, =, ==, !=, gt, lt");
    }
  }

  Result<Values> ParseExactValue() {
    const Item next = PeekValue();
    if (next.token == Token::kEnd || next.token == Token::kComma) return Values{""};
    const Item value = TakeValue();
    if (value.token != Token::kIdentifier) return Found(value, "', expected: identifier");
    return Values{std::string(value.literal)};
  }

  Result<Values> ParseValues() {
    const Item open = TakeValue();
    if (open.token != Token::kOpenPar) return Found(open, "' expected: '('");
    const Item first = PeekValue();
    if (first.token == Token::kClosedPar) {
      Take();
      return Values{""};
    }
    if (first.token != Token::kIdentifier && first.token != Token::kComma) {
      return Found(first, "', expected: ',', ')' or identifier");
    }
    Values values = KNARR_TRY(ParseIdentifiers());
    if (TakeValue().token != Token::kClosedPar) return Found(first, "', expected: ')'");
    return values;
  }

  // Empty values between commas count: (a,,b) has three.
  Result<Values> ParseIdentifiers() {
    Values values;
    for (;;) {
      const Item item = TakeValue();
      if (item.token == Token::kIdentifier) {
        values.emplace(item.literal);
        const Item next = PeekValue();
        if (next.token == Token::kClosedPar) return values;
        if (next.token != Token::kComma) return Found(next, "', expected: ',' or ')'");
      } else if (item.token == Token::kComma) {
        if (values.empty()) values.emplace();
        const Token next = PeekValue().token;
        if (next == Token::kClosedPar) {
          values.emplace();
          return values;
        }
        if (next == Token::kComma) {
          Take();
          values.emplace();
        }
      } else {
        return Found(item, "', expected: ',', or identifier");
      }
    }
  }

  std::vector<Item> items_;
  size_t position_ = 0;
};

}  // namespace

Result<std::vector<Requirement>> ParseToRequirements(std::string_view text) {
  std::vector<Requirement> requirements = KNARR_TRY(Parser(text).Parse());
  std::stable_sort(requirements.begin(), requirements.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key() < b.key(); });
  return requirements;
}

}  // namespace knarr::labels
