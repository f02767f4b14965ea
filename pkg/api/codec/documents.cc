// Mirrors: k8s.io/apimachinery/pkg/util/yaml (NewYAMLReader, ToJSON)
#include <algorithm>

#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/json_decode.h"
#include "pkg/api/codec/json_reader.h"
#include "pkg/api/codec/yaml_tree.h"

namespace knarr::codec {
namespace {

using Kind = JsonReader::Kind;

constexpr std::string_view kBom = "\xef\xbb\xbf";

int CountLines(std::string_view text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

bool IsJson(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text[start] == '{';
}

// Whether a line is a document marker: "---" alone or followed by white space.
bool IsSeparator(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

// Nothing but comments, directives and empty lines.
bool IsBlank(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    const size_t start = line.find_first_not_of(" \t\r");
    const bool directive = line.starts_with('%');
    if (start != std::string_view::npos && line[start] != '#' && !directive &&
        !(IsSeparator(line) && line.find_first_not_of("- \t\r") == std::string_view::npos)) {
      return false;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

// Reads apiVersion and kind, and checks the syntax of the rest.
Status ReadTypeMeta(Document* document, const DecodeOptions& options) {
  JsonReader reader(document->json, {.depth = options.max_depth, .nodes = options.max_nodes});
  if (reader.Peek() == Kind::kObject) {
    std::string_view key;
    for (reader.EnterObject(); reader.NextKey(&key);) {
      std::string* out = key == "apiVersion" ? &document->api_version : key == "kind" ? &document->kind : nullptr;
      if (out != nullptr && reader.Peek() == Kind::kString) {
        *out = reader.ReadString();
      } else {
        reader.SkipValue();
      }
    }
  } else {
    reader.SkipValue();
  }
  reader.ExpectEnd();
  if (reader.ok() || !document->value_lines.empty()) return reader.status();
  const int line = 1 + CountLines(std::string_view(document->json).substr(0, reader.error_offset()));
  return reader.status().WithContext(fmt::format("line {}", line));
}

Status AddJson(std::string_view text, std::vector<Document>* out, const DecodeOptions& options) {
  Document document;
  document.json = text;
  KNARR_TRY(ReadTypeMeta(&document, options));
  out->push_back(std::move(document));
  return OkStatus();
}

// The text of yaml.TypeError, which upstream's strict converter returns.
std::string DuplicateText(const std::vector<Finding>& duplicates) {
  std::string text = "yaml: unmarshal errors:";
  for (const Finding& finding : duplicates) text += fmt::format("\n  line {}: {}", finding.line, finding.text);
  return text;
}

Status AddYaml(std::string_view text, int first_line, std::vector<Document>* out, const DecodeOptions& options,
               size_t* nodes_left) {
  if (IsBlank(text)) return OkStatus();
  DecodeOptions bounded = options;
  bounded.max_nodes = *nodes_left;
  std::vector<YamlDocument> parsed;
  KNARR_TRY(ParseYaml(text, first_line, bounded, &parsed));
  for (YamlDocument& yaml : parsed) {
    *nodes_left -= std::min(*nodes_left, yaml.value_lines.size());
    if (yaml.empty) continue;
    Document document;
    document.json = std::move(yaml.json);
    document.line = yaml.value_lines.front();
    document.value_lines = std::move(yaml.value_lines);
    if (!yaml.duplicates.empty())
      document.findings.push_back({DuplicateText(yaml.duplicates), yaml.duplicates.front().line});
    KNARR_TRY(ReadTypeMeta(&document, options));
    out->push_back(std::move(document));
  }
  return OkStatus();
}

// Finds the value that a path like spec.containers[0].name leads to, or the last one on the way there.
class PathFinder {
 public:
  explicit PathFinder(const Document& document)
      : document_(document), reader_(document.json, {.depth = 10'000, .nodes = SIZE_MAX}) {}

  int Find(std::string_view path) {
    Value(path, 0);
    return best_;
  }

 private:
  // The line of the value that starts here; `key_at` is where its key starts.
  int Line(size_t key_at) const {
    if (!document_.value_lines.empty())
      return values_ < document_.value_lines.size() ? document_.value_lines[values_] : 0;
    return document_.line + CountLines(std::string_view(document_.json).substr(0, key_at));
  }

  void Skip() {
    // Counted as the converter counted them.
    switch (reader_.Peek()) {
      case Kind::kObject: {
        ++values_;
        std::string_view key;
        for (reader_.EnterObject(); reader_.NextKey(&key);) Skip();
        return;
      }
      case Kind::kArray:
        ++values_;
        for (reader_.EnterArray(); reader_.NextElement();) Skip();
        return;
      default: ++values_; reader_.SkipValue();
    }
  }

  // Stops where the path ends: the rest is not read.
  void Value(std::string_view path, size_t key_at) {
    const Kind kind = reader_.Peek();
    best_ = Line(key_at == 0 ? reader_.offset() : key_at);
    if (path.empty() || kind == Kind::kError) return;
    if (kind == Kind::kObject && path[0] != '[') return Object(path);
    if (kind == Kind::kArray && path[0] == '[') return Array(path);
  }

  void Object(std::string_view path) {
    ++values_;
    std::string_view key;
    const int own = best_;
    for (reader_.EnterObject(); reader_.NextKey(&key);) {
      // Keys may contain dots; the first that fits is taken.
      const bool fits =
          path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '.' || path[key.size()] == '[');
      if (!fits) {
        Skip();
        continue;
      }
      std::string_view rest = path.substr(key.size());
      if (rest.starts_with('.')) rest.remove_prefix(1);
      return Value(rest, reader_.offset());
    }
    best_ = own;
  }

  void Array(std::string_view path) {
    ++values_;
    size_t wanted = 0;
    size_t at = 1;
    for (; at < path.size() && path[at] >= '0' && path[at] <= '9' && wanted < 1'000'000; ++at)
      wanted = wanted * 10 + static_cast<size_t>(path[at] - '0');
    std::string_view rest = path.substr(std::min(at + 1, path.size()));
    if (rest.starts_with('.')) rest.remove_prefix(1);
    size_t index = 0;
    for (reader_.EnterArray(); reader_.NextElement(); ++index) {
      if (index == wanted) return Value(rest, 0);
      Skip();
    }
  }

  const Document& document_;
  JsonReader reader_;
  size_t values_ = 0;
  int best_ = 0;
};

}  // namespace

int Document::LineOf(std::string_view path) const {
  return PathFinder(*this).Find(path);
}

namespace {

Result<std::vector<Document>> Split(std::string_view text, const DecodeOptions& options, bool accept_json) {
  std::vector<Document> documents;
  if (text.size() > options.max_bytes) {
    return Error(Code::kRequestEntityTooLarge, "{} bytes are more than the limit of {}", text.size(),
                 options.max_bytes);
  }
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  if (accept_json && IsJson(text)) {
    KNARR_TRY(AddJson(text, &documents, options));
    return documents;
  }
  size_t nodes_left = options.max_nodes;
  size_t start = 0;
  int first_line = 1;
  int line_number = 1;
  for (size_t at = 0; at < text.size(); ++line_number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (at > start && IsSeparator(text.substr(at, end - at))) {
      KNARR_TRY(AddYaml(text.substr(start, at - start), first_line, &documents, options, &nodes_left));
      start = at;
      first_line = line_number;
    }
    at = end + 1;
  }
  KNARR_TRY(AddYaml(text.substr(start), first_line, &documents, options, &nodes_left));
  return documents;
}

}  // namespace

Result<std::vector<Document>> SplitDocuments(std::string_view text, const DecodeOptions& options) {
  return Split(text, options, /*accept_json=*/true);
}

Status DecodeDocument(const Document& document, google::protobuf::Message* out, const DecodeOptions& options,
                      std::vector<Finding>* findings) {
  DecodeOptions converted = options;
  // The limit is one of the input; JSON may be longer than the YAML it was made from.
  converted.max_bytes = std::max(options.max_bytes, document.json.size());
  DecodeOutcome outcome = DecodeJsonText(document.json, out, converted);
  if (!outcome.status.ok()) {
    const int line = outcome.error_path.empty() ? document.line : document.LineOf(outcome.error_path);
    return line > 0 ? outcome.status.WithContext(fmt::format("line {}", line)) : outcome.status;
  }
  if (options.validation == FieldValidation::kIgnore) return OkStatus();
  std::vector<Finding> found = document.findings;
  for (StrictError& error : outcome.strict_errors) {
    const int line = findings == nullptr ? 0 : document.LineOf(error.path);
    found.push_back({std::move(error.text), line});
  }
  if (found.empty()) return OkStatus();
  if (options.validation == FieldValidation::kStrict) {
    std::vector<std::string> texts;
    for (const Finding& finding : found) texts.push_back(finding.text);
    if (findings != nullptr) *findings = std::move(found);
    return StrictDecodingError(texts);
  }
  if (findings != nullptr)
    findings->insert(findings->end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return OkStatus();
}

Status DecodeYaml(std::string_view text, google::protobuf::Message* out, const DecodeOptions& options,
                  std::vector<Finding>* findings) {
  out->Clear();
  const std::vector<Document> documents = KNARR_TRY(SplitDocuments(text, options));
  return documents.empty() ? OkStatus() : DecodeDocument(documents.front(), out, options, findings);
}

Result<std::string> YamlToJson(std::string_view yaml, const DecodeOptions& options) {
  std::vector<Document> documents = KNARR_TRY(Split(yaml, options, /*accept_json=*/false));
  return documents.empty() ? "null" : std::move(documents.front().json);
}

}  // namespace knarr::codec
