// JSON, YAML and Kubernetes protobuf <-> API messages, driven by descriptors and by tables generated from upstream's
// Go declarations (//pkg/api/schema:tables): JSON names, field order, omitempty, pointer or value.
//
// Byte-exact with Go: what encoding/json prints for the Go type of the same name, and what gogo-protobuf marshals.
// Input is hostile: decoding costs bounded time and memory (DecodeOptions limits), never throws.
// Thread-safe (stateless).
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::codec {

// metav1.FieldValidation: what happens to unknown and duplicate fields.
enum class FieldValidation { kStrict, kWarn, kIgnore };

struct DecodeOptions {
  FieldValidation validation = FieldValidation::kStrict;
  size_t max_bytes = 3 << 20;  // upstream's request limit
  int max_depth = 64;
  size_t max_nodes = 500'000;  // values of all kinds; also counts what YAML aliases expand to
};

// One finding about the input. In strict mode they become one error, in warn mode they are returned beside the object.
struct Finding {
  std::string text;  // upstream's words: unknown field "spec.containers[0].foo"
  int line = 0;      // 1-based, of a YAML or JSON document; 0 where unknown
};

// Decodes into `out` (cleared first). Type errors are always errors, in upstream's words with path and line:
//   json: cannot unmarshal string into Go struct field Container.spec.containers.name of type int32
// `findings` (may be null) gets unknown and duplicate fields in kWarn mode. apiVersion and kind are accepted and
// skipped at the top level: TypeMeta is not part of a message (see DecodeTypeMeta).
Status DecodeJson(std::string_view text, google::protobuf::Message* out, const DecodeOptions& options = {},
                  std::vector<Finding>* findings = nullptr);
// One YAML document (sigs.k8s.io/yaml semantics: YAML -> JSON -> type).
Status DecodeYaml(std::string_view text, google::protobuf::Message* out, const DecodeOptions& options = {},
                  std::vector<Finding>* findings = nullptr);

// A document of a multi-document YAML or JSON stream, converted to JSON, with its place in the file.
struct Document {
  std::string json;
  int line = 1;  // where it starts
  std::string api_version;
  std::string kind;
  // The line in the original text of what a path (spec.containers[0].name) leads to, or of the nearest thing around it;
  // 0 if unknown. Walks the document: for reporting.
  int LineOf(std::string_view path) const;
  // Of every JSON value in the order of `json`; empty where `json` is the original text. Map values have their keys'
  // line.
  std::vector<int> value_lines;
  std::vector<Finding> findings;  // duplicate keys of the YAML itself
};
// Splits at "---"; empty documents are skipped. JSON input (starts with '{') is one document. Error texts start with
// "yaml: line N: ..." as upstream's do.
Result<std::vector<Document>> SplitDocuments(std::string_view text, const DecodeOptions& options = {});
// As DecodeJson. Type errors begin with "line N: ". In strict mode, too, `findings` (may be null) gets what was found,
// with lines; a duplicate key of the YAML is one as upstream words it: yaml: unmarshal errors:\n  line 5: key "name"
// already set in map.
Status DecodeDocument(const Document& document, google::protobuf::Message* out, const DecodeOptions& options = {},
                      std::vector<Finding>* findings = nullptr);

struct EncodeOptions {
  // TypeMeta to print first; empty: none (embedded objects).
  std::string_view api_version;
  std::string_view kind;
  // Print the items of an empty list as [] rather than null: what the API server sends where Go's slice is empty
  // but not nil. Messages cannot tell the two apart.
  bool empty_items = false;
};
// As Go's json.Marshal of the same type (HTML escaping, map order, omitempty); no trailing newline.
std::string EncodeJson(const google::protobuf::Message& message, const EncodeOptions& options = {});
// As sigs.k8s.io/yaml Marshal: keys sorted.
std::string EncodeYaml(const google::protobuf::Message& message, const EncodeOptions& options = {});

// The bare message as gogo-protobuf marshals it: value fields always present, maps sorted by key.
std::string EncodeProtobuf(const google::protobuf::Message& message);
Status DecodeProtobuf(std::string_view bytes, google::protobuf::Message* out, const DecodeOptions& options = {});

// The storage and wire envelope: "k8s\0" + runtime.Unknown{typeMeta, raw}.
std::string EncodeEnvelope(const google::protobuf::Message& message, std::string_view api_version,
                           std::string_view kind);
struct Envelope {
  std::string api_version;
  std::string kind;
  std::string raw;
};
Result<Envelope> DecodeEnvelope(std::string_view bytes);

// The YAML of any JSON text, for printing.
Result<std::string> JsonToYaml(std::string_view json);
Result<std::string> YamlToJson(std::string_view yaml, const DecodeOptions& options = {});

}  // namespace knarr::codec
