#include "pkg/kubelet/config/manifest.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "pkg/api/codec/codec.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxProblems = 20;
// Of all documents and list items; also bounds what is done once for each.
constexpr size_t kMaxObjects = 1000;
constexpr std::string_view kSupported = "supported are v1 Pod, PodList, ConfigMap, Secret and List";

// The number behind "line " in an error text, 0 if there is none.
int LineIn(std::string_view text) {
  const size_t at = text.find("line ");
  if (at == std::string_view::npos) return 0;
  int line = 0;
  const char* begin = text.data() + at + 5;
  std::from_chars(begin, text.data() + text.size(), line);
  return line;
}

// Validation writes data[key] where LineOf wants data.key.
std::string KeysWithDots(const std::string& field) {
  std::string path;
  for (size_t i = 0; i < field.size(); ++i) {
    const size_t end = field[i] == '[' ? field.find(']', i) : std::string::npos;
    if (end == std::string::npos || field.find_first_not_of("0123456789", i + 1) == end) {
      path += field[i];
      continue;
    }
    path += "." + field.substr(i + 1, end - i - 1);
    i = end;
  }
  return path;
}

// A document and where its lines are to be found: an item of a list has no text of its own, its lines are those of
// items[i].… of the list.
struct Place {
  const codec::Document& document;
  const codec::Document& text;
  std::string prefix;

  int line() const { return text.line; }
  // Of the field, or of the nearest thing around it: a required field that is missing has no line.
  int LineOf(const std::string& field) const {
    const std::string path = KeysWithDots(field);
    const int line = text.LineOf(prefix.empty() ? path : path.empty() ? prefix : prefix + "." + path);
    return line > 0 ? line : text.line;
  }
};

// The text between the first two double quotes: the path of an unknown field.
std::string Quoted(const std::string& text) {
  const size_t begin = text.find('"');
  const size_t end = begin == std::string::npos ? begin : text.find('"', begin + 1);
  return end == std::string::npos ? "" : text.substr(begin + 1, end - begin - 1);
}

// Without "line 7: " in front; the line is told beside the message.
std::string_view WithoutLine(std::string_view text) {
  if (!text.starts_with("line ")) return text;
  const size_t colon = text.find(": ");
  return colon == std::string_view::npos ? text : text.substr(colon + 2);
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Loosely a DNS-1123 subdomain: enough to tell a name from a mistake.
bool LooksLikeName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

class Parser {
 public:
  Parser(const ParseOptions& options, ParsedManifest& out) : options_(options), out_(out) {
    decode_.max_bytes = options.max_bytes;
  }

  void Parse(std::string_view text) {
    Result<std::vector<codec::Document>> documents = codec::SplitDocuments(text, decode_);
    if (!documents.ok()) {
      const Status& error = documents.error();
      return Add(LineIn(error.message()), "", std::string(WithoutLine(error.message())));
    }
    for (const codec::Document& document : *documents) ParseDocument({document, document, ""});
    if (out_.problems.empty() && out_.manifest.empty() && !options_.allow_empty) {
      Add(0, "", fmt::format("no object in it; {}", kSupported));
    }
  }

 private:
  void Add(int line, std::string field, std::string message) {
    if (out_.problems.size() >= kMaxProblems) return;
    ManifestProblem problem;
    problem.file = options_.origin.path;
    problem.line = line;
    problem.field = std::move(field);
    problem.message = std::move(message);
    problem.since = options_.now;
    out_.problems.push_back(std::move(problem));
  }

  // Finding a line means walking the document: not for what will not be told.
  bool Full() const { return out_.problems.size() >= kMaxProblems; }

  void AddErrors(const Place& place, const field::ErrorList& errors) {
    for (const field::FieldError& error : errors) {
      if (Full()) return;
      Add(place.LineOf(error.field), error.field, error.Body());
    }
  }

  // Strict, with every finding as a problem of its own.
  bool Decode(const Place& place, google::protobuf::Message* message) {
    codec::DecodeOptions options = decode_;
    options.validation = codec::FieldValidation::kWarn;
    std::vector<codec::Finding> findings;
    const bool own_text = place.prefix.empty();
    if (Status status = codec::DecodeDocument(place.document, message, options, &findings); !status.ok()) {
      const int line = own_text ? LineIn(status.message()) : 0;
      Add(line > 0 ? line : place.LineOf(""), "", std::string(WithoutLine(status.message())));
      return false;
    }
    for (const codec::Finding& finding : findings) {
      if (Full()) break;
      Add(own_text ? finding.line : place.LineOf(Quoted(finding.text)), "", finding.text);
    }
    return findings.empty();
  }

  void ParseDocument(const Place& place) {
    const codec::Document& document = place.document;
    if (Full() || ++objects_ > kMaxObjects) {
      if (objects_ == kMaxObjects + 1) Add(0, "", fmt::format("more than {} objects in it", kMaxObjects));
      return;
    }
    if (document.kind.empty())
      return Add(place.LineOf("kind"), "kind", fmt::format("Object 'Kind' is missing; {}", kSupported));
    if (document.api_version.empty())
      return Add(place.LineOf("apiVersion"), "apiVersion", "Object 'apiVersion' is missing; it is v1");
    if (document.api_version == "v1") {
      if (document.kind == "Pod") return ParsePod(place);
      if (document.kind == "ConfigMap") return ParseObject(place, out_.manifest.config_maps, previous_config_maps_);
      if (document.kind == "Secret") return ParseObject(place, out_.manifest.secrets, previous_secrets_);
      if (document.kind == "List" || document.kind == "PodList") {
        if (!place.prefix.empty()) return Add(place.LineOf("kind"), "kind", "a list inside a list is not supported");
        return ParseList(place);
      }
    }
    Add(place.LineOf("kind"), "kind",
        fmt::format("{} {} is not something a kubelet runs from a manifest; {}", document.api_version, document.kind,
                    kSupported));
  }

  void ParseList(const Place& place) {
    core::List list;
    if (!Decode(place, &list)) return;
    for (int i = 0; i < list.items_size() && !Full() && objects_ <= kMaxObjects; ++i) {
      Result<std::vector<codec::Document>> items = codec::SplitDocuments(list.items(i).raw(), decode_);
      const std::string prefix = fmt::format("items[{}]", i);
      if (!items.ok() || items->size() != 1) {
        Add(place.LineOf(prefix), prefix, items.ok() ? "is not an object" : std::string(items.error().message()));
        continue;
      }
      codec::Document& item = items->front();
      if (place.document.kind == "PodList" && item.kind.empty()) item.kind = "Pod";
      if (place.document.kind == "PodList" && item.api_version.empty()) item.api_version = "v1";
      ParseDocument({item, place.document, prefix});
    }
  }

  void ParsePod(const Place& place) {
    auto pod = std::make_shared<core::Pod>();
    if (!Decode(place, pod.get())) return;
    if (pod->metadata().name().empty()) {  // before the node's name is appended to nothing
      return Add(place.LineOf("metadata.name"), "metadata.name", "Required value: name or generateName is required");
    }
    // What the apiserver and the kubelet write is not content: a manifest made with `kubectl get -o yaml` still works.
    pod->clear_status();
    const std::string hash = PodContentHash(*pod, options_.origin);
    api::SetDefaults(*pod);
    ApplyPodDefaults(*pod, hash, options_.origin);
    ManifestPod entry;
    entry.line = place.line();
    field::ErrorList errors = api::ValidatePod(*pod);
    const field::ErrorList more = api::ValidateStaticPod(*pod);
    errors.insert(errors.end(), more.begin(), more.end());
    if (!errors.empty()) return AddErrors(place, errors);
    if (!ParseAfter(place, *pod, entry)) return;
    entry.pod = PreviousOr(std::move(pod), hash);
    out_.manifest.pods.push_back(std::move(entry));
  }

  PodPtr PreviousOr(std::shared_ptr<core::Pod> pod, const std::string& hash) const {
    if (options_.previous != nullptr) {
      for (const ManifestPod& old : options_.previous->pods) {
        const auto& meta = old.pod->metadata();
        if (meta.uid() != pod->metadata().uid() || meta.name() != pod->metadata().name()) continue;
        if (const auto it = meta.annotations().find(kConfigHashAnnotation);
            it != meta.annotations().end() && it->second == hash) {
          return old.pod;
        }
      }
    }
    StampFirstSeen(*pod, options_.now);
    return pod;
  }

  bool ParseAfter(const Place& place, const core::Pod& pod, ManifestPod& entry) {
    const auto& annotations = pod.metadata().annotations();
    const auto it = annotations.find(kAfterAnnotation);
    if (it == annotations.end()) return true;
    const std::string field = fmt::format("metadata.annotations[{}]", kAfterAnnotation);
    entry.after_line = place.LineOf(field);
    std::string_view rest = it->second;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view token = Trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (token.empty()) continue;
      const size_t slash = token.find('/');
      const std::string_view ns =
          slash == std::string_view::npos ? std::string_view(pod.metadata().namespace_()) : token.substr(0, slash);
      const std::string_view name = slash == std::string_view::npos ? token : token.substr(slash + 1);
      if (!LooksLikeName(ns) || !LooksLikeName(name)) {
        Add(entry.after_line, field,
            fmt::format("Invalid value: \"{}\": must be a comma-separated list of pod names, [<namespace>/]<name>",
                        token));
        return false;
      }
      entry.after.emplace_back(ns, name);
    }
    return true;
  }

  static field::ErrorList Validate(const core::ConfigMap& object) { return api::ValidateConfigMap(object); }
  static field::ErrorList Validate(const core::Secret& object) { return api::ValidateSecret(object); }

  // What the apiserver does on write.
  static void Finish(core::ConfigMap&) {}
  static void Finish(core::Secret& secret) {
    for (const auto& [key, value] : secret.stringdata()) (*secret.mutable_data())[key] = value;
    secret.clear_stringdata();
  }

  template <typename T>
  void ParseObject(const Place& place, std::vector<ManifestObject<T>>& into,
                   const std::vector<ManifestObject<T>>& previous) {
    auto object = std::make_shared<T>();
    if (!Decode(place, object.get())) return;
    Finish(*object);
    api::SetDefaults(*object);
    if (object->metadata().namespace_().empty()) object->mutable_metadata()->set_namespace_("default");
    if (const field::ErrorList errors = Validate(*object); !errors.empty()) return AddErrors(place, errors);
    ManifestObject<T> entry{std::move(object), place.line()};
    for (const ManifestObject<T>& old : previous) {
      if (old.object->metadata().name() == entry.object->metadata().name() &&
          google::protobuf::util::MessageDifferencer::Equals(*old.object, *entry.object)) {
        entry.object = old.object;
        break;
      }
    }
    into.push_back(std::move(entry));
  }

  const ParseOptions& options_;
  ParsedManifest& out_;
  codec::DecodeOptions decode_;
  size_t objects_ = 0;
  static inline const Manifest kNothing{};
  const std::vector<ManifestObject<core::ConfigMap>>& previous_config_maps_ =
      options_.previous != nullptr ? options_.previous->config_maps : kNothing.config_maps;
  const std::vector<ManifestObject<core::Secret>>& previous_secrets_ =
      options_.previous != nullptr ? options_.previous->secrets : kNothing.secrets;
};

// Two documents of one file that claim the same name.
void FindDuplicates(ParsedManifest& parsed) {
  Manifest& manifest = parsed.manifest;
  std::vector<std::pair<std::string, int>> seen;
  const auto note = [&](std::string_view kind, const meta::ObjectMeta& meta, int line) {
    seen.emplace_back(fmt::format("{} {}/{}", kind, meta.namespace_(), meta.name()), line);
  };
  for (const auto& entry : manifest.pods) note("pod", entry.pod->metadata(), entry.line);
  for (const auto& entry : manifest.config_maps) note("configmap", entry.object->metadata(), entry.line);
  for (const auto& entry : manifest.secrets) note("secret", entry.object->metadata(), entry.line);
  std::stable_sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 1; i < seen.size() && parsed.problems.size() < kMaxProblems; ++i) {
    if (seen[i].first != seen[i - 1].first) continue;
    ManifestProblem problem;
    problem.file = manifest.file;
    problem.line = seen[i].second;
    problem.field = "metadata.name";
    problem.message = fmt::format("{} is in this file twice, first at line {}", seen[i].first, seen[i - 1].second);
    parsed.problems.push_back(std::move(problem));
  }
}

}  // namespace

ParsedManifest ParseManifest(std::string_view text, const ParseOptions& options) {
  ParsedManifest parsed;
  parsed.manifest.file = options.origin.path;
  if (text.size() > options.max_bytes) {
    ManifestProblem problem;
    problem.file = options.origin.path;
    problem.message = fmt::format("larger than {} bytes", options.max_bytes);
    problem.since = options.now;
    parsed.problems.push_back(std::move(problem));
    return parsed;
  }
  Parser(options, parsed).Parse(text);
  FindDuplicates(parsed);
  for (ManifestProblem& problem : parsed.problems) problem.since = options.now;
  return parsed;
}

}  // namespace knarr::kubelet
