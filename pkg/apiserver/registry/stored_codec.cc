#include "pkg/apiserver/registry/stored_codec.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/scheme/scheme.h"

namespace knarr::registry {
namespace {

// What is stored was accepted once: limits are those of the store, and unknown fields are a newer server's.
constexpr codec::DecodeOptions kStored{
    .validation = codec::FieldValidation::kIgnore, .max_bytes = 16 << 20, .max_depth = 128, .max_nodes = 5'000'000};

Result<boost::json::object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 128;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return Error(Code::kDataLoss, "not JSON: {}", error.message());
  if (!value.is_object()) return Error(Code::kDataLoss, "not a JSON object");
  return std::move(value.as_object());
}

std::string_view StringMember(const boost::json::object& json, std::string_view name) {
  const auto* value = json.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

Result<Object> StoredCodec::DecodeCustom(std::string_view value) const {
  return Object::FromJson(KNARR_TRY(ParseObject(value)), kStored);
}

Result<Object> StoredCodec::DecodeBytes(std::string_view value) const {
  if (kind_->custom) return DecodeCustom(value);
  std::string api_version, kind;
  std::unique_ptr<google::protobuf::Message> message;
  if (value.starts_with('{')) {
    const boost::json::object json = KNARR_TRY(ParseObject(value));
    api_version = StringMember(json, "apiVersion");
    kind = StringMember(json, "kind");
    message = KNARR_TRY(scheme::New(api_version, kind));
    KNARR_TRY(codec::DecodeJson(value, message.get(), kStored));
  } else {
    const codec::Envelope envelope = KNARR_TRY(codec::DecodeEnvelope(value));
    api_version = envelope.api_version;
    kind = envelope.kind;
    message = KNARR_TRY(scheme::New(api_version, kind));
    KNARR_TRY(codec::DecodeProtobuf(envelope.raw, message.get(), kStored));
  }
  if (kind != kind_->kind) return Error(Code::kDataLoss, "holds a {} rather than a {}", kind, kind_->kind);
  const std::string hub = kind_->HubApiVersion();
  if (api_version != hub) message = KNARR_TRY(conversion::Convert(*message, kind, api_version, hub));
  return Object(std::move(message));
}

Result<ObjectPtr> StoredCodec::DecodeStored(std::string_view key, std::string_view value,
                                            cacher::Revision revision) const {
  Result<Object> object = DecodeBytes(value);
  if (!object.ok()) return Error(Code::kDataLoss, "{}: {}", key, object.error().message());
  kind_->strategy->SetDefaults(*object);
  object->metadata().set_resourceversion(std::to_string(revision));
  return std::make_unique<Object>(std::move(*object));
}

Result<std::string> StoredCodec::EncodeStored(const Object& object) const {
  if (kind_->custom) {
    Object copy = object.Clone();
    copy.metadata().clear_resourceversion();
    return copy.ToJson(kind_->storage_version, kind_->kind) + "\n";
  }
  auto stored =
      KNARR_TRY(conversion::Convert(object.message(), kind_->kind, kind_->HubApiVersion(), kind_->storage_version));
  Object converted(std::move(stored));
  converted.metadata().clear_resourceversion();
  converted.metadata().clear_selflink();
  return codec::EncodeEnvelope(converted.message(), kind_->storage_version, kind_->kind);
}

Result<ObjectPtr> StoredCodec::DecodeEntry(const cacher::Entry& entry) const {
  if (kind_->custom) return std::make_unique<Object>(KNARR_TRY(DecodeCustom(entry.bytes)));
  std::unique_ptr<google::protobuf::Message> message(kind_->versions.front().prototype().New());
  // Our own encoding of a checked object.
  if (!message->ParseFromString(entry.bytes)) return Error(Code::kDataLoss, "{}: cached bytes are damaged", entry.key);
  return std::make_unique<Object>(std::move(message));
}

cacher::EntryPtr StoredCodec::MakeEntry(std::string key, const Object& object, cacher::Revision revision,
                                        int64_t stored_bytes) const {
  auto entry = std::make_shared<cacher::Entry>();
  const auto& metadata = object.metadata();
  entry->key = std::move(key);
  entry->name = metadata.name();
  entry->namespace_ = metadata.namespace_();
  entry->revision = revision;
  entry->labels = cacher::StringMap({metadata.labels().begin(), metadata.labels().end()});
  entry->fields = cacher::StringMap(kind_->strategy->SelectableFields(object));
  entry->bytes =
      kind_->custom ? object.ToJson(kind_->storage_version, kind_->kind) : codec::EncodeProtobuf(object.message());
  entry->bytes.shrink_to_fit();
  entry->stored_bytes = stored_bytes;
  return entry;
}

Result<cacher::EntryPtr> StoredCodec::Decode(const storage::KeyValue& kv) const {
  const ObjectPtr object = KNARR_TRY(DecodeStored(kv.key, kv.value, kv.mod_revision));
  return MakeEntry(kv.key, *object, kv.mod_revision, static_cast<int64_t>(kv.value.size()));
}

cacher::EntryPtr StoredCodec::WithRevision(const cacher::Entry& entry, cacher::Revision revision) const {
  const Result<ObjectPtr> object = DecodeEntry(entry);
  KNARR_CHECK(object.ok());
  (*object)->metadata().set_resourceversion(std::to_string(revision));
  return MakeEntry(entry.key, **object, revision, entry.stored_bytes);
}

}  // namespace knarr::registry
