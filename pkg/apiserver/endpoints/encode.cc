#include "pkg/apiserver/endpoints/encode.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/conversion/conversion.h"

namespace knarr::endpoints {
namespace {

constexpr std::string_view kPartial = "PartialObjectMetadata";

void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Numbers what an entry can be encoded as: the version's place in the kind, and the form.
enum class Form : uint8_t { kJson, kProtobuf, kPartialJson, kPartialProtobuf };
cacher::EncodingId IdOf(const Call& call, Form form) {
  const size_t version = static_cast<size_t>(&call.version - call.kind.versions.data());
  return static_cast<cacher::EncodingId>(version * 4 + static_cast<size_t>(form));
}

// The object in the call's version.
Result<std::unique_ptr<google::protobuf::Message>> InVersion(const Call& call, const google::protobuf::Message& hub) {
  return conversion::Convert(hub, call.kind.kind, call.kind.HubApiVersion(), call.api_version);
}

::knarr::meta::PartialObjectMetadata PartialOf(const registry::Object& object) {
  ::knarr::meta::PartialObjectMetadata partial;
  *partial.mutable_metadata() = object.metadata();
  return partial;
}

std::string PartialVersion(std::string_view as_version) {
  return fmt::format("meta.k8s.io/{}", as_version);
}

void AppendJsonString(std::string& out, std::string_view text) {
  ::knarr::meta::StatusCause quoted;  // the codec's own quoting, HTML escapes and all
  quoted.set_message(std::string(text));
  const std::string json = codec::EncodeJson(quoted);
  constexpr std::string_view kHead = R"({"message":)";
  if (json.size() <= 2) {
    out += "\"\"";
  } else {
    out.append(json, kHead.size(), json.size() - kHead.size() - 1);
  }
}

void AppendCell(std::string& out, const registry::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) {
    AppendJsonString(out, *text);
  } else if (const auto* number = std::get_if<int64_t>(&cell)) {
    out += std::to_string(*number);
  } else if (const auto* flag = std::get_if<bool>(&cell)) {
    out += *flag ? "true" : "false";
  } else {
    out += "null";
  }
}

void AppendColumns(std::string& out, const std::vector<registry::Column>& columns) {
  out += '[';
  for (const registry::Column& column : columns) {
    if (out.back() != '[') out += ',';
    out += R"({"name":)";
    AppendJsonString(out, column.name);
    out += R"(,"type":)";
    AppendJsonString(out, column.type);
    out += R"(,"format":)";
    AppendJsonString(out, column.format);
    out += R"(,"description":)";
    AppendJsonString(out, column.description);
    out += fmt::format(",\"priority\":{}}}", column.priority);
  }
  out += ']';
}

enum class Include { kMetadata, kNone, kObject };

Result<Include> IncludeOf(const http::Request& request) {
  const std::string_view wanted = request.QueryValue("includeObject");
  if (wanted.empty() || wanted == "Metadata") return Include::kMetadata;
  if (wanted == "None") return Include::kNone;
  if (wanted == "Object") return Include::kObject;
  return Error(Code::kBadRequest, "unrecognized includeObject value: \"{}\"", wanted);
}

Result<std::string> ObjectJson(const Call& call, const registry::Object& object) {
  if (call.custom() || call.hub()) return object.ToJson(call.api_version, call.kind.kind);
  const auto converted = KNARR_TRY(InVersion(call, object.message()));
  return codec::EncodeJson(*converted, {.api_version = call.api_version, .kind = call.kind.kind});
}

Status AppendRow(std::string& out, const Call& call, const registry::Object& object, Include include) {
  out += R"({"cells":[)";
  for (const registry::Cell& cell : call.kind.strategy->Cells(object, call.rc.clock->Now())) {
    if (out.back() != '[') out += ',';
    AppendCell(out, cell);
  }
  out += ']';
  if (include == Include::kMetadata) {
    out += R"(,"object":)";
    out +=
        codec::EncodeJson(PartialOf(object), {.api_version = PartialVersion(call.output.as_version), .kind = kPartial});
  } else if (include == Include::kObject) {
    out += R"(,"object":)" + KNARR_TRY(ObjectJson(call, object));
  } else {
    out += R"(,"object":null)";
  }
  out += '}';
  return {};
}

template <typename Objects, typename Get>
Result<std::string> TableOf(const Call& call, const Objects& objects, std::string_view list_meta, bool columns,
                            const Get& get) {
  const Include include = KNARR_TRY(IncludeOf(call.request));
  std::string out = fmt::format(R"({{"kind":"Table","apiVersion":"{}","metadata":{},"columnDefinitions":)",
                                PartialVersion(call.output.as_version), list_meta);
  if (columns) {
    AppendColumns(out, call.kind.strategy->Columns());
  } else {
    out += "null";
  }
  out += R"(,"rows":[)";
  bool first = true;
  for (const auto& item : objects) {
    if (!std::exchange(first, false)) out += ',';
    const auto& object = KNARR_TRY(get(item));
    KNARR_TRY(AppendRow(out, call, *object, include));
  }
  out += "]}";
  return out;
}

// What the entry's bytes are as an item.
Result<std::string> MakeItem(const Call& call, const cacher::Entry& entry, Form form) {
  if (call.custom()) {
    // Versions differ in nothing but their name (conversion strategy None).
    if (form == Form::kJson) {
      if (call.api_version == call.kind.storage_version) return entry.bytes;
      return KNARR_TRY(call.resource->Decode(entry))->ToJson(call.api_version, call.kind.kind);
    }
  } else if (form == Form::kProtobuf && call.hub()) {
    return entry.bytes;
  }
  const registry::ObjectPtr object = KNARR_TRY(call.resource->Decode(entry));
  switch (form) {
    case Form::kPartialJson: return codec::EncodeJson(PartialOf(*object));
    case Form::kPartialProtobuf: return codec::EncodeProtobuf(PartialOf(*object));
    case Form::kJson:
      if (call.hub()) return codec::EncodeJson(object->message());
      return codec::EncodeJson(*KNARR_TRY(InVersion(call, object->message())));
    case Form::kProtobuf: return codec::EncodeProtobuf(*KNARR_TRY(InVersion(call, object->message())));
  }
  return Error(Code::kInternal, "unknown form");
}

Form FormOf(Media media, As as) {
  const bool partial = as == As::kPartialObjectMetadata || as == As::kPartialObjectMetadataList;
  if (media == Media::kProtobuf) return partial ? Form::kPartialProtobuf : Form::kProtobuf;
  return partial ? Form::kPartialJson : Form::kJson;
}

// The type that an answer of this form states.
std::pair<std::string, std::string_view> TypeOf(const Call& call) {
  if (call.output.as == As::kObject) return {call.api_version, call.kind.kind};
  return {PartialVersion(call.output.as_version), kPartial};
}

std::string Enveloped(std::string_view raw, std::string_view api_version, std::string_view kind) {
  std::string out = EnvelopeHead(api_version, kind, raw.size());
  out += raw;
  out += EnvelopeTail();
  return out;
}

}  // namespace

std::string EnvelopeHead(std::string_view api_version, std::string_view kind, size_t raw_size) {
  std::string type_meta = "\x0a";
  AppendVarint(type_meta, api_version.size());
  type_meta += api_version;
  type_meta += '\x12';
  AppendVarint(type_meta, kind.size());
  type_meta += kind;
  std::string out("k8s\0\x0a", 5);
  AppendVarint(out, type_meta.size());
  out += type_meta;
  out += '\x12';
  AppendVarint(out, raw_size);
  return out;
}

std::string EnvelopeTail() {
  return std::string("\x1a\0\x22\0", 4);
}

std::string WithTypeMeta(std::string_view item_json, std::string_view api_version, std::string_view kind) {
  std::string out = fmt::format(R"({{"kind":"{}","apiVersion":"{}")", kind, api_version);
  out.reserve(out.size() + item_json.size());
  if (item_json != "{}") out += ',';
  out += item_json.substr(1);
  return out;
}

std::string Pretty(std::string_view json) {
  std::string out;
  out.reserve(json.size() * 2);
  size_t depth = 0;
  const auto newline = [&] {
    out += '\n';
    out.append(depth * 2, ' ');
  };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      const size_t start = i++;
      for (; i < json.size() && json[i] != '"'; ++i) {
        if (json[i] == '\\') ++i;
      }
      out += json.substr(start, i - start + 1);
    } else if ((c == '{' || c == '[') && i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
      out += c;
      out += json[++i];
    } else if (c == '{' || c == '[') {
      out += c;
      ++depth;
      newline();
    } else if (c == '}' || c == ']') {
      --depth;
      newline();
      out += c;
    } else if (c == ',') {
      out += c;
      newline();
    } else if (c == ':') {
      out += ": ";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Finish(std::string json, const Output& output) {
  if (output.media == Media::kYaml) {
    auto yaml = codec::JsonToYaml(json);
    return yaml.ok() ? std::move(*yaml) : std::move(json);
  }
  if (output.pretty) return Pretty(json);
  json += '\n';
  return json;
}

std::string EncodeMessage(const google::protobuf::Message& message, std::string_view api_version, std::string_view kind,
                          const Output& output) {
  if (output.media == Media::kProtobuf) return codec::EncodeEnvelope(message, api_version, kind);
  return Finish(codec::EncodeJson(message, {.api_version = api_version, .kind = kind}), output);
}

Result<std::string> EncodeObject(const Call& call, const registry::Object& object) {
  if (call.output.as == As::kTable) {
    const std::vector<const registry::Object*> one = {&object};
    const std::string list_meta = fmt::format(R"({{"resourceVersion":"{}"}})", object.metadata().resourceversion());
    return Finish(KNARR_TRY(TableOf(call, one, list_meta, true,
                                    [](const registry::Object* o) -> Result<const registry::Object*> { return o; })),
                  call.output);
  }
  if (call.output.as == As::kPartialObjectMetadata)
    return EncodeMessage(PartialOf(object), PartialVersion(call.output.as_version), kPartial, call.output);
  if (call.output.media != Media::kProtobuf) return Finish(KNARR_TRY(ObjectJson(call, object)), call.output);
  if (call.custom()) return Error(Code::kNotAcceptable, "custom resources are sent as application/json");
  if (call.hub()) return codec::EncodeEnvelope(object.message(), call.api_version, call.kind.kind);
  return codec::EncodeEnvelope(*KNARR_TRY(InVersion(call, object.message())), call.api_version, call.kind.kind);
}

Result<std::shared_ptr<const std::string>> ItemBytes(const Call& call, const cacher::Entry& entry, Media media, As as) {
  const Form form = FormOf(media, as);
  Status failed;
  auto bytes = entry.Encoding(IdOf(call, form), false, [&]() -> std::string {
    auto item = MakeItem(call, entry, form);
    if (!item.ok()) failed = item.error();
    return item.ok() ? std::move(*item) : std::string();
  });
  if (!failed.ok()) return failed;
  return bytes;
}

Result<std::string> EncodeEntry(const Call& call, const cacher::Entry& entry) {
  if (call.output.as == As::kTable) return EncodeObject(call, *KNARR_TRY(call.resource->Decode(entry)));
  const auto [api_version, kind] = TypeOf(call);
  const auto item = KNARR_TRY(ItemBytes(call, entry, call.output.media, call.output.as));
  if (call.output.media == Media::kProtobuf) return Enveloped(*item, api_version, kind);
  if (call.custom() && call.output.as == As::kObject) return Finish(*item, call.output);
  return Finish(WithTypeMeta(*item, api_version, kind), call.output);
}

Result<std::string> EventObject(const Call& call, const cacher::Entry& entry, bool first_of_table) {
  if (call.output.as == As::kTable) {
    const registry::ObjectPtr object = KNARR_TRY(call.resource->Decode(entry));
    const std::vector<const registry::Object*> one = {object.get()};
    const std::string list_meta = fmt::format(R"({{"resourceVersion":"{}"}})", entry.revision);
    return TableOf(call, one, list_meta, first_of_table,
                   [](const registry::Object* o) -> Result<const registry::Object*> { return o; });
  }
  const auto [api_version, kind] = TypeOf(call);
  const auto item = KNARR_TRY(ItemBytes(call, entry, call.output.media, call.output.as));
  if (call.output.media == Media::kProtobuf) return Enveloped(*item, api_version, kind);
  if (call.custom() && call.output.as == As::kObject) return *item;
  return WithTypeMeta(*item, api_version, kind);
}

Result<std::string> EncodeTable(const Call& call, const std::vector<cacher::EntryPtr>& entries,
                                std::string_view list_meta, bool columns) {
  return TableOf(call, entries, list_meta, columns, [&](const cacher::EntryPtr& entry) -> Result<registry::ObjectPtr> {
    return call.resource->Decode(*entry);
  });
}

}  // namespace knarr::endpoints
