// Managed fields of writes: the trees that structured merging works on.
#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/endpoints/body.h"
#include "pkg/apiserver/endpoints/write_state.h"

namespace knarr::endpoints {
namespace {

Result<boost::json::object> ParseTree(std::string_view json) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 128;
  boost::json::value value = boost::json::parse({json.data(), json.size()}, error, {}, options);
  if (error || !value.is_object()) return Error(Code::kInternal, "own JSON does not parse: {}", error.message());
  return std::move(value.as_object());
}

std::string ApiVersionIn(const boost::json::object& tree) {
  const auto* value = tree.if_contains("apiVersion");
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// A tree of a built-in kind in another version, by way of its message.
Result<boost::json::object> ConvertTree(const std::string& kind, const boost::json::object& tree,
                                        std::string_view api_version) {
  const std::string from = ApiVersionIn(tree);
  auto message = KNARR_TRY(scheme::New(from, kind));
  const codec::DecodeOptions lenient{.validation = codec::FieldValidation::kIgnore};
  KNARR_TRY(codec::DecodeJson(boost::json::serialize(tree), message.get(), lenient));
  const auto converted = KNARR_TRY(conversion::Convert(*message, kind, from, api_version));
  return ParseTree(codec::EncodeJson(*converted, {.api_version = api_version, .kind = kind}));
}

}  // namespace

const managedfields::TypeSchema& SchemaFor(const Call& call) {
  if (call.custom()) {
    if (call.kind.field_schema) return *call.kind.field_schema(call.version.version);
    return managedfields::Deduced();
  }
  const auto* schema = managedfields::SchemaOf(call.version.prototype().GetDescriptor()->full_name());
  return schema ? *schema : managedfields::Deduced();
}

managedfields::Request ManageRequest(const Call& call, std::string manager, WallTime now) {
  managedfields::Request request;
  request.manager = std::move(manager);
  request.api_version = call.api_version;
  request.subresource = call.info.subresource;
  request.now = now;
  const registry::Subresource* subresource = call.kind.FindSubresource(call.info.subresource);
  request.reset_fields =
      subresource && subresource->strategy ? subresource->strategy->ResetFields() : call.kind.strategy->ResetFields();
  if (!call.custom()) {
    request.convert = [kind = call.kind.kind](const boost::json::object& tree, std::string_view api_version) {
      return ConvertTree(kind, tree, api_version);
    };
  } else {
    request.convert = [](const boost::json::object& tree, std::string_view api_version) -> Result<boost::json::object> {
      boost::json::object converted = tree;  // strategy None
      converted["apiVersion"] = boost::json::string_view(api_version.data(), api_version.size());
      return converted;
    };
  }
  return request;
}

Result<boost::json::object> TreeOf(const Call& call, const registry::Object& hub) {
  if (call.custom() || call.hub()) return hub.ToJsonValue(call.api_version, call.kind.kind);
  const auto converted =
      KNARR_TRY(conversion::Convert(hub.message(), call.kind.kind, call.kind.HubApiVersion(), call.api_version));
  return ParseTree(codec::EncodeJson(*converted, {.api_version = call.api_version, .kind = call.kind.kind}));
}

Result<registry::ObjectPtr> FromTree(Call& call, const boost::json::object& tree, codec::FieldValidation validation) {
  return DecodeJsonObject(call, boost::json::serialize(tree), validation);
}

Status ManageFields(Call& call, const Verbs::WriteState& state, WallTime now, registry::Object& object,
                    const registry::Object* old) {
  boost::json::object updated = KNARR_TRY(TreeOf(call, object));
  std::optional<boost::json::object> live;
  if (old) live = KNARR_TRY(TreeOf(call, *old));
  KNARR_TRY(managedfields::Update(SchemaFor(call), live ? &*live : nullptr, updated,
                                  ManageRequest(call, state.manager, now)));
  // Only the bookkeeping comes back: the object itself is not decoded again.
  ::knarr::meta::ObjectMeta metadata;
  if (const auto* tree = updated.if_contains("metadata")) {
    boost::json::object only;
    if (const auto* managed = tree->as_object().if_contains("managedFields")) only["managedFields"] = *managed;
    const codec::DecodeOptions lenient{.validation = codec::FieldValidation::kIgnore};
    KNARR_TRY(codec::DecodeJson(boost::json::serialize(only), &metadata, lenient));
  }
  object.metadata().mutable_managedfields()->Swap(metadata.mutable_managedfields());
  return {};
}

}  // namespace knarr::endpoints
