// Mirrors: sigs.k8s.io/yaml (YAMLToJSON) over goyaml.v2
#include "pkg/api/codec/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cmath>
#include <istream>
#include <limits>
#include <streambuf>

#include "pkg/api/codec/json_text.h"
#include "pkg/api/codec/utf8.h"
#include "pkg/api/codec/yaml_scalar.h"
#include "pkg/api/field/quote.h"

namespace knarr::codec {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

struct Node {
  enum class Kind : uint8_t { kScalar, kString, kMap, kSequence, kAlias } kind;
  bool merge_key = false;  // a plain <<
  bool reported = false;   // its duplicate keys are
  int line = 0;            // 1-based, of the file
  uint32_t next = kNone;   // sibling; in maps keys and values alternate
  uint32_t first = kNone;  // child; the target of an alias
  size_t text = 0;         // of scalars: JSON text, or the string; with its size
  size_t size = 0;
  bool too_large = false;  // an integer beyond int64, which upstream takes as a value but not as a key
  YamlScalar::Kind scalar = YamlScalar::Kind::kString;
  double number = 0;  // of floats
};

// Thrown through yaml-cpp's parser by the handler below and caught by ParseYaml; never leaves this file.
struct Refused {
  Status status;
};

[[noreturn]] void Refuse(int line, std::string_view text) {
  throw Refused{Error(Code::kBadRequest, "yaml: line {}: {}", line, text)};
}

constexpr size_t kMaxStall = 256 << 10;
constexpr std::string_view kAliasing = "document contains excessive aliasing";

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, int first_line, const DecodeOptions& options)
      : source_(text), first_line_(first_line), options_(options) {}

  // yaml-cpp takes what follows a finished node for another document; the marker that must stand between them is
  // looked for here.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!done_any_ || HasEndMarker(mark)) return;
    const std::string_view problem = last_root_ == Node::Kind::kMap        ? "did not find expected key"
                                     : last_root_ == Node::Kind::kSequence ? "did not find expected '-' indicator"
                                                                           : "did not find expected <document start>";
    Refuse(LineOf(mark), problem);
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckColon();
    Node& node = Add(Node::Kind::kScalar, mark, anchor);
    node.scalar = YamlScalar::Kind::kNull;
    SetText(&node, "null");
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const uint32_t target = anchor < anchors_.size() ? anchors_[anchor] : kNone;
    if (target == kNone) Refuse(LineOf(mark), "unknown anchor referenced");
    if (std::find(open_.begin(), open_.end(), target) != open_.end())
      Refuse(LineOf(mark), "anchor value contains itself");
    Add(Node::Kind::kAlias, mark, YAML::NullAnchor).first = target;
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node& node = Add(Node::Kind::kScalar, mark, anchor);
    last_size_ = std::min(value.size(), source_.size() - std::min(source_.size(), last_mark_));
    if (tag == "?") {
      node.merge_key = value == "<<";
      last_plain_ = true;
      SetScalar(&node, value, ResolveYamlScalar(value));
    } else if (tag == "!" || tag.empty()) {
      if (last_mark_ < source_.size() && source_[last_mark_] != '|' && source_[last_mark_] != '>')
        last_quote_ = last_mark_;
      SetScalar(&node, value, {});
    } else {
      node.merge_key = value == "<<" && (tag == "tag:yaml.org,2002:merge" || tag == "!!merge");
      const Result<YamlScalar> scalar = ResolveYamlScalar(value, tag);
      if (!scalar.ok()) Refuse(node.line, scalar.error().message());
      std::string decoded = value;
      if (tag == "tag:yaml.org,2002:binary" || tag == "!!binary") {
        Result<std::string> bytes = DecodeBase64(value);
        if (!bytes.ok()) Refuse(node.line, "!!binary value contains invalid base64 data");
        decoded = std::move(*bytes);
      }
      SetScalar(&node, decoded, *scalar);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Open(Node::Kind::kSequence, mark, anchor, style);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Open(Node::Kind::kMap, mark, anchor, style);
  }
  void OnMapEnd() override { Close(); }

  // yaml-cpp has read up to `position`. A list or map in brackets may turn out to be a key ("[a]: b"), so yaml-cpp
  // keeps all of its tokens, at more than a hundred times their size, until it is closed, and reports nothing
  // meanwhile. One that is larger than any key or inline value of a manifest is refused; a long scalar is not.
  void CheckStall(size_t position) const {
    if (position < last_mark_ + kMaxStall) return;
    size_t at = last_mark_ + last_size_;
    while (at < position) {
      const char c = source_[at];
      if (c == '#') {
        at = source_.find('\n', at);
      } else if (std::string_view(" \t\r\n-?:,'\"").find(c) != std::string_view::npos) {
        ++at;
      } else {
        break;
      }
    }
    if (at >= position || (source_[at] != '[' && source_[at] != '{')) return;
    const auto lines = std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    Refuse(first_line_ + static_cast<int>(lines),
           fmt::format("a list or map in brackets is larger than {} bytes", kMaxStall));
  }

  // Writes the document's JSON and forgets the tree. Nothing was parsed: an empty document.
  void Finish(YamlDocument* out) {
    CheckLastQuote();
    done_any_ = true;
    last_root_ = nodes_.empty() ? Node::Kind::kScalar : nodes_[0].kind;
    checked_to_ = last_mark_;
    out->empty =
        nodes_.empty() || (nodes_[0].kind == Node::Kind::kScalar && nodes_[0].scalar == YamlScalar::Kind::kNull);
    if (!out->empty) {
      out_ = out;
      Write(0, nodes_[0].line, 0);
      std::stable_sort(out->duplicates.begin(), out->duplicates.end(),
                       [](const Finding& a, const Finding& b) { return a.line < b.line; });
    }
    nodes_.clear();
    text_.clear();
    anchors_.clear();
  }

 private:
  // A line "..." between the last thing of the document before and `mark`.
  bool HasEndMarker(const YAML::Mark& mark) const {
    const size_t end = std::min(source_.size(), static_cast<size_t>(std::max(mark.pos, 0)));
    const size_t start = std::min(end, checked_to_);
    const std::string_view between = source_.substr(start, end - start);
    return between.find("\n...") != std::string_view::npos;
  }

  // yaml-cpp takes a line with nothing but a word for a key without value, as the last line of a file that was cut off
  // may be. Called where a value is missing.
  void CheckColon() const {
    if (open_.empty() || !block_.back() || !last_plain_) return;
    const Node& parent = nodes_[open_.back()];
    if (parent.kind != Node::Kind::kMap || children_.back() % 2 == 0) return;
    const size_t start = last_mark_;
    const size_t line_start = source_.substr(0, start).rfind('\n') + 1;
    if (source_.substr(line_start, start - line_start).find('?') != std::string_view::npos) return;
    const size_t end = std::min(source_.find('\n', start), source_.size());
    if (source_.substr(start, end - start).find(':') == std::string_view::npos) {
      Refuse(nodes_.back().line + 1, "could not find expected ':'");
    }
  }

  // yaml-cpp lets the end of the text close a quoted scalar, so that a file that was cut off would pass.
  void CheckLastQuote() const {
    if (last_quote_ == std::string_view::npos) return;
    size_t at = last_quote_;
    while (at < source_.size() && source_[at] != '\'' && source_[at] != '"') ++at;
    if (at >= source_.size()) return;
    const char quote = source_[at];
    for (++at; at < source_.size(); ++at) {
      if (source_[at] == '\\' && quote == '"') {
        ++at;
      } else if (source_[at] == quote) {
        if (quote == '"' || at + 1 >= source_.size() || source_[at + 1] != '\'') return;
        ++at;
      }
    }
    const auto lines = std::count(source_.begin(), source_.end(), '\n');
    Refuse(first_line_ + static_cast<int>(lines), "found unexpected end of stream");
  }

  int LineOf(const YAML::Mark& mark) const { return first_line_ + std::max(mark.line, 0); }

  Node& Add(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (++count_ > options_.max_nodes) Refuse(LineOf(mark), fmt::format("more than {} values", options_.max_nodes));
    last_mark_ = static_cast<size_t>(std::max(mark.pos, 0));
    last_size_ = kind == Node::Kind::kMap || kind == Node::Kind::kSequence ? 1 : 0;
    const auto index = static_cast<uint32_t>(nodes_.size());
    nodes_.push_back({.kind = kind, .line = LineOf(mark)});
    if (!open_.empty()) {
      if (last_.back() == kNone) {
        nodes_[open_.back()].first = index;
      } else {
        nodes_[last_.back()].next = index;
      }
      last_.back() = index;
      ++children_.back();
    }
    last_plain_ = false;
    if (anchor != YAML::NullAnchor) {
      if (anchors_.size() <= anchor) anchors_.resize(anchor + 1, kNone);
      anchors_[anchor] = index;
    }
    return nodes_.back();
  }

  void Open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
    if (static_cast<int>(open_.size()) >= options_.max_depth) Refuse(LineOf(mark), "exceeded max depth");
    Add(kind, mark, anchor);
    open_.push_back(static_cast<uint32_t>(nodes_.size() - 1));
    last_.push_back(kNone);
    children_.push_back(0);
    block_.push_back(style != YAML::EmitterStyle::Flow);
  }

  void Close() {
    open_.pop_back();
    last_.pop_back();
    children_.pop_back();
    block_.pop_back();
  }

  void SetText(Node* node, std::string_view text) {
    node->text = text_.size();
    node->size = text.size();
    text_.append(text);
  }

  void SetScalar(Node* node, const std::string& value, const YamlScalar& scalar) {
    node->scalar = scalar.kind;
    switch (scalar.kind) {
      case YamlScalar::Kind::kString:
      case YamlScalar::Kind::kTimestamp: node->kind = Node::Kind::kString; return SetText(node, value);
      case YamlScalar::Kind::kNull: return SetText(node, "null");
      case YamlScalar::Kind::kBool: return SetText(node, scalar.boolean ? "true" : "false");
      case YamlScalar::Kind::kInt:
        node->too_large = !scalar.negative && scalar.magnitude > std::numeric_limits<int64_t>::max();
        return SetText(node, fmt::format("{}{}", scalar.negative ? "-" : "", scalar.magnitude));
      case YamlScalar::Kind::kFloat: {
        node->number = scalar.number;
        std::string text;
        if (std::isfinite(scalar.number)) AppendJsonDouble(scalar.number, false, &text);
        return SetText(node, text);
      }
    }
  }

  std::string_view TextOf(const Node& node) const { return std::string_view(text_).substr(node.text, node.size); }

  uint32_t Follow(uint32_t index) const {
    while (nodes_[index].kind == Node::Kind::kAlias) index = nodes_[index].first;
    return index;
  }

  struct Entry {
    std::string key;
    uint32_t value;
    int line;
  };

  std::string KeyOf(const Node& node) const {
    if (node.kind == Node::Kind::kString) return std::string(TextOf(node));
    if (node.kind != Node::Kind::kScalar) Refuse(node.line, "invalid map key: it must be a scalar");
    if (node.scalar == YamlScalar::Kind::kNull) Refuse(node.line, "unsupported map key of type: null");
    if (node.too_large) Refuse(node.line, "unsupported map key of type: uint64");
    return node.scalar == YamlScalar::Kind::kFloat ? FormatGoFloat(node.number, true) : std::string(TextOf(node));
  }

  // As Go's %#v prints it.
  static std::string ShowKey(const Node& node, const std::string& key) {
    return node.kind == Node::Kind::kString ? field::Quote(key) : key;
  }

  // The entries of a map in the order they are set, merges (<<) expanded.
  void Collect(uint32_t index, int depth, std::vector<Entry>* entries) {
    if (depth > options_.max_depth) Refuse(nodes_[index].line, "exceeded max depth");
    std::vector<std::string> own;  // keys, to find duplicates
    for (uint32_t key = nodes_[index].first; key != kNone;) {
      const uint32_t value = nodes_[key].next;
      if (++expanded_ > options_.max_nodes) Refuse(nodes_[key].line, kAliasing);
      if (nodes_[key].merge_key) {
        Merge(value, depth, entries);
      } else {
        const Node& key_node = nodes_[Follow(key)];
        Entry entry{KeyOf(key_node), value, nodes_[key].line};
        if (!nodes_[index].reported) own.push_back(entry.key);
        entries->push_back(std::move(entry));
      }
      key = nodes_[value].next;
    }
    if (std::exchange(nodes_[index].reported, true)) return;
    std::sort(own.begin(), own.end());
    if (std::adjacent_find(own.begin(), own.end()) == own.end()) return;
    ReportDuplicates(index);
  }

  void ReportDuplicates(uint32_t index) {
    std::vector<std::pair<std::string, uint32_t>> keys;
    for (uint32_t key = nodes_[index].first; key != kNone; key = nodes_[nodes_[key].next].next) {
      if (!nodes_[key].merge_key) keys.emplace_back(KeyOf(nodes_[Follow(key)]), key);
    }
    std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Finding> found;
    for (size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first != keys[i - 1].first) continue;
      const Node& node = nodes_[keys[i].second];
      found.push_back({fmt::format("key {} already set in map", ShowKey(nodes_[Follow(keys[i].second)], keys[i].first)),
                       nodes_[node.next].line});
    }
    out_->duplicates.insert(out_->duplicates.end(), std::make_move_iterator(found.begin()),
                            std::make_move_iterator(found.end()));
  }

  void Merge(uint32_t value, int depth, std::vector<Entry>* entries) {
    const uint32_t target = Follow(value);
    const auto want_map = [&] {
      Refuse(nodes_[value].line, "map merge requires map or sequence of maps as the value");
    };
    if (nodes_[target].kind == Node::Kind::kMap) return Collect(target, depth + 1, entries);
    if (nodes_[target].kind != Node::Kind::kSequence || target != value) want_map();
    std::vector<uint32_t> maps;
    for (uint32_t item = nodes_[target].first; item != kNone; item = nodes_[item].next) {
      maps.push_back(Follow(item));
      if (nodes_[maps.back()].kind != Node::Kind::kMap) want_map();
    }
    // Earlier maps win over later ones.
    for (auto at = maps.rbegin(); at != maps.rend(); ++at) Collect(*at, depth + 1, entries);
  }

  void Write(uint32_t index, int line, int depth) {
    index = Follow(index);
    const Node& node = nodes_[index];
    if (++expanded_ > options_.max_nodes || out_->json.size() > 4 * options_.max_bytes) Refuse(line, kAliasing);
    if (depth > options_.max_depth) Refuse(line, "exceeded max depth");
    out_->value_lines.push_back(line);
    std::string& json = out_->json;
    switch (node.kind) {
      case Node::Kind::kString: return AppendJsonString(TextOf(node), &json);
      case Node::Kind::kScalar:
        if (node.size == 0) Refuse(node.line, fmt::format("json: unsupported value: {}", GoFloat(node.number)));
        json.append(TextOf(node));
        return;
      case Node::Kind::kMap: return WriteMap(index, depth);
      case Node::Kind::kSequence: {
        json.push_back('[');
        for (uint32_t item = node.first; item != kNone; item = nodes_[item].next) {
          if (item != node.first) json.push_back(',');
          Write(item, nodes_[item].line, depth + 1);
        }
        json.push_back(']');
        return;
      }
      case Node::Kind::kAlias: break;
    }
  }

  static std::string_view GoFloat(double value) { return std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"; }

  void WriteMap(uint32_t index, int depth) {
    std::vector<Entry> entries;
    Collect(index, depth, &entries);
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    std::string& json = out_->json;
    json.push_back('{');
    bool first = true;
    for (size_t i = 0; i < entries.size(); ++i) {
      // Of equal keys the last one counts.
      if (i + 1 < entries.size() && entries[i].key == entries[i + 1].key) continue;
      if (!std::exchange(first, false)) json.push_back(',');
      AppendJsonString(entries[i].key, &json);
      json.push_back(':');
      Write(entries[i].value, entries[i].line, depth + 1);
    }
    json.push_back('}');
  }

  const std::string_view source_;
  const int first_line_;
  const DecodeOptions& options_;
  bool done_any_ = false;  // a document came before
  Node::Kind last_root_ = Node::Kind::kScalar;
  size_t checked_to_ = 0;    // where that document's last node starts
  size_t last_mark_ = 0;     // of the last node
  size_t last_size_ = 0;     // about how long that is
  bool last_plain_ = false;  // which is a plain scalar
  size_t last_quote_ = std::string_view::npos;
  std::vector<Node> nodes_;
  std::string text_;
  std::vector<uint32_t> anchors_;   // by yaml-cpp's number
  std::vector<uint32_t> open_;      // containers that are being read
  std::vector<uint32_t> last_;      // their last children,
  std::vector<uint32_t> children_;  // how many they have so far,
  std::vector<char> block_;         // and whether they are in block style
  size_t count_ = 0;
  size_t expanded_ = 0;
  YamlDocument* out_ = nullptr;
};

// Reads from memory without copying it, and tells the builder how far yaml-cpp has read.
class ViewBuffer : public std::streambuf {
 public:
  ViewBuffer(std::string_view text, const TreeBuilder& builder) : builder_(builder) {
    char* begin = const_cast<char*>(text.data());  // only read
    setg(begin, begin, begin + text.size());
  }

 protected:
  std::streamsize xsgetn(char* out, std::streamsize wanted) override {
    const std::streamsize count = std::min<std::streamsize>(wanted, egptr() - gptr());
    std::copy_n(gptr(), count, out);
    setg(eback(), gptr() + count, egptr());
    builder_.CheckStall(static_cast<size_t>(gptr() - eback()));
    return count;
  }

 private:
  const TreeBuilder& builder_;
};

// yaml-cpp's words as those of upstream's parser, where there is a counterpart.
std::string_view UpstreamWords(std::string_view message) {
  struct Pair {
    std::string_view ours, upstream;
  };
  static constexpr Pair kWords[] = {
      {"illegal map value", "mapping values are not allowed in this context"},
      {"illegal map key", "mapping keys are not allowed in this context"},
      {"illegal block entry", "block sequence entries are not allowed in this context"},
      {"end of map not found", "did not find expected key"},
      {"end of sequence not found", "did not find expected '-' indicator"},
      {"end of map flow not found", "did not find expected ',' or '}'"},
      {"end of sequence flow not found", "did not find expected ',' or ']'"},
      {"illegal flow end", "did not find expected node content"},
      {"illegal EOF in scalar", "found unexpected end of stream"},
      {"illegal document indicator in scalar", "found unexpected document indicator"},
      {"illegal tab when looking for indentation", "found character that cannot start any token"},
      {"unknown token", "found character that cannot start any token"},
      {"the referenced anchor is not defined", "unknown anchor referenced"},
  };
  for (const Pair& pair : kWords) {
    if (message == pair.ours) return pair.upstream;
  }
  return message;
}

// yaml-cpp holds all tokens of an open bracket in memory, at hundreds of bytes each: brackets that are opened and never
// closed are refused before it sees them. Far more than any text in a manifest leaves open by chance.
constexpr int kMaxOpenBrackets = 10'000;

// The reader of upstream's parser refuses bad characters before anything else does.
Status CheckCharacters(std::string_view text, int first_line) {
  int line = first_line;
  int open = 0;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') ++line;
    if (c == '[' || c == '{') {
      if (++open > kMaxOpenBrackets) return Error(Code::kBadRequest, "yaml: line {}: exceeded max depth", line);
    } else if ((c == ']' || c == '}') && open > 0) {
      --open;
    }
    if (c >= 0x80) {
      const Rune rune = DecodeRune(text.substr(i));
      if (!rune.valid) return Error(Code::kBadRequest, "yaml: line {}: invalid leading UTF-8 octet", line);
      i += rune.size;
      continue;
    }
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
      return Error(Code::kBadRequest, "yaml: line {}: control characters are not allowed", line);
    }
    ++i;
  }
  return OkStatus();
}

}  // namespace

Status ParseYaml(std::string_view text, int first_line, const DecodeOptions& options, std::vector<YamlDocument>* out) {
  KNARR_TRY(CheckCharacters(text, first_line));
  TreeBuilder builder(text, first_line, options);
  ViewBuffer buffer(text, builder);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
      YamlDocument document;
      builder.Finish(&document);
      out->push_back(std::move(document));
    }
  } catch (const Refused& refused) {
    return refused.status;
  } catch (const YAML::Exception& error) {
    return Error(Code::kBadRequest, "yaml: line {}: {}", first_line + std::max(error.mark.line, 0),
                 UpstreamWords(error.msg));
  } catch (const std::exception& error) {
    return Error(Code::kBadRequest, "yaml: line {}: {}", first_line, error.what());
  }
  return OkStatus();
}

}  // namespace knarr::codec
