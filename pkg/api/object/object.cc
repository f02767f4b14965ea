#include "pkg/api/object/object.h"

#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"

namespace knarr::api {
namespace {

::knarr::meta::ObjectMeta* MetaOf(google::protobuf::Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName("metadata");
  if (field == nullptr || field->message_type() != ::knarr::meta::ObjectMeta::descriptor()) return nullptr;
  return static_cast<::knarr::meta::ObjectMeta*>(message.GetReflection()->MutableMessage(&message, field));
}

// Of texts that our own encoder made; they parse.
boost::json::object Parse(std::string_view text) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 128;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  KNARR_CHECK(!error && value.is_object());
  return std::move(value.as_object());
}

}  // namespace

Object::Object() = default;
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

Object::Object(std::unique_ptr<google::protobuf::Message> message) : message_(std::move(message)) {
  KNARR_CHECK(message_);
  meta_ = MetaOf(*message_);
}

Result<Object> Object::FromJson(boost::json::object json, const codec::DecodeOptions& options,
                                std::vector<codec::Finding>* findings) {
  Object object;
  object.own_meta_ = std::make_unique<::knarr::meta::ObjectMeta>();
  object.meta_ = object.own_meta_.get();
  if (auto* metadata = json.if_contains("metadata"); metadata && !metadata->is_null()) {
    if (!metadata->is_object()) return Error(Code::kBadRequest, "metadata: expected an object");
    const std::string text = boost::json::serialize(*metadata);
    if (Status status = codec::DecodeJson(text, object.meta_, options, findings); !status.ok())
      return Error(Code::kBadRequest, "{}", status.message());
  }
  json.erase("metadata");
  json.erase("apiVersion");
  json.erase("kind");
  object.body_ = std::make_unique<boost::json::object>(std::move(json));
  return object;
}

Object Object::Clone() const {
  if (!custom()) {
    std::unique_ptr<google::protobuf::Message> copy(message_->New());
    copy->CopyFrom(*message_);
    return Object(std::move(copy));
  }
  Object copy;
  copy.body_ = std::make_unique<boost::json::object>(*body_);
  copy.own_meta_ = std::make_unique<::knarr::meta::ObjectMeta>(*own_meta_);
  copy.meta_ = copy.own_meta_.get();
  return copy;
}

google::protobuf::Message& Object::message() {
  KNARR_CHECK(message_);
  return *message_;
}
const google::protobuf::Message& Object::message() const {
  KNARR_CHECK(message_);
  return *message_;
}
std::unique_ptr<google::protobuf::Message> Object::TakeMessage() {
  meta_ = nullptr;
  return std::move(message_);
}
boost::json::object& Object::body() {
  KNARR_CHECK(body_);
  return *body_;
}
const boost::json::object& Object::body() const {
  KNARR_CHECK(body_);
  return *body_;
}
::knarr::meta::ObjectMeta& Object::metadata() {
  KNARR_CHECK(meta_);
  return *meta_;
}
const ::knarr::meta::ObjectMeta& Object::metadata() const {
  KNARR_CHECK(meta_);
  return *meta_;
}

std::string Object::ToJson(std::string_view api_version, std::string_view kind) const {
  if (!custom()) return codec::EncodeJson(*message_, {.api_version = api_version, .kind = kind});
  return boost::json::serialize(ToJsonValue(api_version, kind));
}

boost::json::object Object::ToJsonValue(std::string_view api_version, std::string_view kind) const {
  if (!custom()) return Parse(ToJson(api_version, kind));
  // Go prints a map's keys in order; the body's own maps are kept sorted by whoever changes them.
  std::vector<std::pair<std::string_view, const boost::json::value*>> members;
  for (const auto& member : *body_) members.emplace_back(std::string_view(member.key()), &member.value());
  const boost::json::value version(boost::json::string_view(api_version.data(), api_version.size()));
  const boost::json::value kind_value(boost::json::string_view(kind.data(), kind.size()));
  const boost::json::value metadata(Parse(codec::EncodeJson(*own_meta_)));
  members.emplace_back("apiVersion", &version);
  members.emplace_back("kind", &kind_value);
  members.emplace_back("metadata", &metadata);
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  boost::json::object out;
  for (const auto& [key, value] : members) out.emplace(key, *value);
  return out;
}

}  // namespace knarr::api
