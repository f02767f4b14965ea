#include "pkg/apiserver/endpoints/body.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "pkg/api/conversion/conversion.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/apiextensions/apiextensions.h"

namespace knarr::endpoints {
namespace {

// Walks the members of the outermost object only.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Result<TypeMeta> Run() {
    TypeMeta found;
    Space();
    if (!Take('{')) return Fail();
    Space();
    if (Take('}')) return found;
    for (;;) {
      Space();
      const auto key = String();
      Space();
      if (!key || !Take(':')) return Fail();
      Space();
      const size_t start = at_;
      if (!SkipValue()) return Fail();
      const std::string_view value = text_.substr(start, at_ - start);
      if (*key == "apiVersion") KNARR_TRY(Set(value, "apiVersion", found.api_version));
      if (*key == "kind") KNARR_TRY(Set(value, "kind", found.kind));
      Space();
      if (Take(',')) continue;
      if (!Take('}')) return Fail();
      return found;
    }
  }

 private:
  Status Fail() const {
    if (at_ < text_.size() && at_ == text_.find_first_not_of(" \t\r\n") && (text_[at_] == '[' || text_[at_] == '"')) {
      return Error(
          Code::kBadRequest,
          "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct "
          "{{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
          "\"json:\\\"kind,omitempty\\\"\" }}",
          text_[at_] == '[' ? "array" : "string");
    }
    if (at_ >= text_.size())
      return Error(Code::kBadRequest, "couldn't get version/kind; json parse error: unexpected end of JSON input");
    return Error(Code::kBadRequest, "couldn't get version/kind; json parse error: invalid character '{}' at offset {}",
                 text_[at_] >= 0x20 && text_[at_] < 0x7f ? text_[at_] : '?', at_);
  }
  static Status Set(std::string_view value, std::string_view name, std::string& out) {
    if (value == "null") return {};
    if (value.size() < 2 || value.front() != '"') {
      return Error(Code::kBadRequest,
                   "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go struct field .{} of "
                   "type string",
                   value.starts_with('{')   ? "object"
                   : value.starts_with('[') ? "array"
                                            : "number",
                   name);
    }
    // Names have no escapes; one that has is no name we know.
    out = value.substr(1, value.size() - 2);
    return {};
  }
  void Space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::optional<std::string_view> String() {
    if (!Take('"')) return std::nullopt;
    const size_t start = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        return text_.substr(start, at_++ - start);
      }
    }
    return std::nullopt;
  }
  bool SkipValue() {
    if (at_ >= text_.size()) return false;
    if (text_[at_] == '"') return String().has_value();
    if (text_[at_] != '{' && text_[at_] != '[') {
      const size_t start = at_;
      while (at_ < text_.size() && std::string_view(",]} \n\r\t").find(text_[at_]) == std::string_view::npos) ++at_;
      return at_ > start;
    }
    for (size_t depth = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"') {
        if (!String()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

Status CannotHandle(std::string_view kind, std::string_view version, std::string_view as, std::string_view why) {
  if (kind.empty())
    return errors::BadRequest(fmt::format("the object provided is unrecognized (must be of type {}): {}", as, why));
  return errors::BadRequest(fmt::format("{} in version \"{}\" cannot be handled as a {}: {}", kind, version, as, why));
}

std::string_view VersionOf(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
}

// A text of any media type but protobuf, as JSON with its type.
struct Text {
  TypeMeta type;
  std::string owned;      // of YAML
  std::string_view json;  // into the body, or owned
  std::vector<codec::Finding> findings;
};

Result<Text> ReadText(std::string_view body, Media media) {
  Text text;
  if (media == Media::kJson) {
    text.type = KNARR_TRY(PeekTypeMeta(body));
    text.json = body;
    return text;
  }
  const auto documents = codec::SplitDocuments(body);
  if (!documents.ok()) {
    if (documents.error().Is(Code::kRequestEntityTooLarge)) return documents.error();
    return errors::BadRequest(documents.error().message());
  }
  if (documents->size() != 1) return errors::BadRequest("expected exactly one YAML document in the body");
  text.owned = documents->front().json;
  text.json = text.owned;
  text.type = {documents->front().api_version, documents->front().kind};
  text.findings = documents->front().findings;
  return text;
}

// Findings become one error or warnings, as asked.
Status Report(Call& call, const TypeMeta& type, std::string_view as, std::vector<codec::Finding> findings,
              codec::FieldValidation validation) {
  if (findings.empty() || validation == codec::FieldValidation::kIgnore) return {};
  if (validation == codec::FieldValidation::kWarn) {
    for (codec::Finding& finding : findings) call.warnings.push_back(std::move(finding.text));
    return {};
  }
  std::string all;
  for (const codec::Finding& finding : findings) all += (all.empty() ? "" : ", ") + finding.text;
  return CannotHandle(type.kind, VersionOf(type.api_version), as, "strict decoding error: " + all);
}

Status CheckVersion(std::string_view got, std::string_view wanted) {
  if (got == wanted) return {};
  return errors::BadRequest(
      fmt::format("the API version in the data ({}) does not match the expected API version ({})", got, wanted));
}

codec::DecodeOptions Lenient() {
  // Findings are collected and judged by Report.
  return {.validation = codec::FieldValidation::kWarn};
}

Result<registry::ObjectPtr> DecodeCustom(Call& call, Text text, codec::FieldValidation validation) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  boost::json::value value = boost::json::parse({text.json.data(), text.json.size()}, error, {}, options);
  if (error) return errors::BadRequest(fmt::format("json parse error: {}", error.message()));
  for (const std::string& path : apiextensions::UnknownFields(call.kind, call.version.version, value.as_object()))
    text.findings.push_back({.text = fmt::format("unknown field \"{}\"", path)});
  auto object = KNARR_TRY(registry::Object::FromJson(std::move(value.as_object()), Lenient(), &text.findings));
  KNARR_TRY(Report(call, text.type, call.kind.kind, std::move(text.findings), validation));
  return std::make_unique<registry::Object>(std::move(object));
}

Result<registry::ObjectPtr> ToHub(Call& call, std::unique_ptr<google::protobuf::Message> message) {
  if (call.hub()) return std::make_unique<registry::Object>(std::move(message));
  auto converted = conversion::Convert(*message, call.kind.kind, call.api_version, call.kind.HubApiVersion());
  if (!converted.ok()) return errors::BadRequest(converted.error().message());
  return std::make_unique<registry::Object>(std::move(*converted));
}

// How a body begins, for errors. Mirrors: summarizeData in handlers/rest.go
std::string Summary(std::string_view body) {
  constexpr size_t kMax = 30;
  if (body.empty()) return "<empty>";
  const std::string_view start = body.substr(0, kMax);
  const std::string_view more = body.size() > kMax ? " ..." : "";
  if (body.front() == '{') return fmt::format("{}{}", start, more);
  std::string hex;
  for (const char c : start) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex + std::string(more);
}

Result<registry::ObjectPtr> DecodeText(Call& call, Text text, codec::FieldValidation validation) {
  if (text.type.kind.empty()) text.type.kind = call.kind.kind;
  if (text.type.api_version.empty()) text.type.api_version = call.api_version;
  if (text.type.kind != call.kind.kind) {
    if (call.custom() || scheme::New(text.type.api_version, text.type.kind).ok()) {
      return CannotHandle(text.type.kind, VersionOf(text.type.api_version), call.kind.kind,
                          fmt::format("no kind \"{}\" is registered for this resource", text.type.kind));
    }
    return CannotHandle(text.type.kind, VersionOf(text.type.api_version), call.kind.kind,
                        fmt::format("no kind \"{}\" is registered for version \"{}\" in scheme \"pkg/api/legacyscheme/"
                                    "scheme.go:30\"",
                                    text.type.kind, text.type.api_version));
  }
  KNARR_TRY(CheckVersion(text.type.api_version, call.api_version));
  if (call.custom()) return DecodeCustom(call, std::move(text), validation);
  std::unique_ptr<google::protobuf::Message> message(call.version.prototype().New());
  if (const Status status = codec::DecodeJson(text.json, message.get(), Lenient(), &text.findings); !status.ok()) {
    if (status.Is(Code::kRequestEntityTooLarge)) return status;
    return CannotHandle(text.type.kind, VersionOf(text.type.api_version), call.kind.kind, status.message());
  }
  KNARR_TRY(Report(call, text.type, call.kind.kind, std::move(text.findings), validation));
  return ToHub(call, std::move(message));
}

}  // namespace

Result<TypeMeta> PeekTypeMeta(std::string_view json) {
  return Scanner(json).Run();
}

Result<Media> RequestMedia(const http::Request& request) {
  const std::string_view type = request.headers.Get("Content-Type");
  if (const auto media = BodyMedia(type)) return *media;
  return Error(Code::kUnsupportedMediaType,
               "the body of the request was in an unknown format - accepted media types include: application/json, "
               "application/yaml, application/vnd.kubernetes.protobuf");
}

Result<registry::ObjectPtr> DecodeObject(Call& call, std::string_view body, Media media,
                                         codec::FieldValidation validation) {
  if (media != Media::kProtobuf) {
    auto text = ReadText(body, media);
    if (!text.ok() && text.error().Is(Code::kBadRequest)) {
      return errors::BadRequest(fmt::format("the object provided is unrecognized (must be of type {}): {} ({})",
                                            call.kind.kind, text.error().message(), Summary(body)));
    }
    return DecodeText(call, KNARR_TRY(std::move(text)), validation);
  }
  if (call.custom()) {
    return Error(Code::kUnsupportedMediaType, "custom resources are read as application/json or application/yaml");
  }
  const auto envelope = codec::DecodeEnvelope(body);
  if (!envelope.ok())
    return errors::BadRequest(fmt::format("the object provided is unrecognized (must be of type {}): {}",
                                          call.kind.kind, envelope.error().message()));
  if (envelope->kind != call.kind.kind) {
    return CannotHandle(envelope->kind, VersionOf(envelope->api_version), call.kind.kind,
                        "the body is of another kind");
  }
  KNARR_TRY(CheckVersion(envelope->api_version, call.api_version));
  std::unique_ptr<google::protobuf::Message> message(call.version.prototype().New());
  if (const Status status = codec::DecodeProtobuf(envelope->raw, message.get()); !status.ok())
    return CannotHandle(envelope->kind, VersionOf(envelope->api_version), call.kind.kind, status.message());
  return ToHub(call, std::move(message));
}

Result<registry::ObjectPtr> DecodeJsonObject(Call& call, std::string_view json, codec::FieldValidation validation) {
  return DecodeText(call, KNARR_TRY(ReadText(json, Media::kJson)), validation);
}

Status DecodeInto(Call& call, std::string_view body, Media media, codec::FieldValidation validation,
                  std::string_view api_version, std::string_view kind, google::protobuf::Message* to) {
  TypeMeta type;
  std::unique_ptr<google::protobuf::Message> other;
  const auto target = [&](const TypeMeta& got) -> Result<google::protobuf::Message*> {
    if (got.api_version == api_version) return to;
    auto made = scheme::New(got.api_version, kind);
    if (!made.ok()) return CheckVersion(got.api_version, api_version);
    other = std::move(*made);
    return other.get();
  };
  if (media == Media::kProtobuf) {
    const auto envelope = codec::DecodeEnvelope(body);
    if (!envelope.ok()) return errors::BadRequest(envelope.error().message());
    type = {envelope->api_version, envelope->kind};
    if (type.kind != kind) return CannotHandle(type.kind, VersionOf(type.api_version), kind, "another kind");
    auto* into = KNARR_TRY(target(type));
    if (const Status status = codec::DecodeProtobuf(envelope->raw, into); !status.ok())
      return CannotHandle(type.kind, VersionOf(type.api_version), kind, status.message());
  } else {
    Text text = KNARR_TRY(ReadText(body, media));
    if (text.type.kind.empty()) text.type.kind = kind;
    if (text.type.api_version.empty()) text.type.api_version = api_version;
    type = text.type;
    if (type.kind != kind) {
      return CannotHandle(type.kind, VersionOf(type.api_version), kind,
                          fmt::format("no kind \"{}\" is registered for this resource", type.kind));
    }
    auto* into = KNARR_TRY(target(type));
    if (const Status status = codec::DecodeJson(text.json, into, Lenient(), &text.findings); !status.ok())
      return CannotHandle(type.kind, VersionOf(type.api_version), kind, status.message());
    KNARR_TRY(Report(call, type, kind, std::move(text.findings), validation));
  }
  if (!other) return {};
  // Option types are the same message in every group; bodies with versions convert.
  if (other->GetDescriptor() == to->GetDescriptor()) {
    to->CopyFrom(*other);
    return {};
  }
  const auto converted = KNARR_TRY(conversion::Convert(*other, kind, type.api_version, api_version));
  to->CopyFrom(*converted);
  return {};
}

}  // namespace knarr::endpoints
