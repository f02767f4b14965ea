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
  // Managers of versions that are gone are forgotten; anything but kNotFound would be an error.
  if (scheme::FindKind(api_version, kind) == nullptr)
    return Error(Code::kNotFound, "no kind {} in version {}", kind, api_version);
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
    request.schema_of = [kind = call.kind.kind](std::string_view api_version) -> const managedfields::TypeSchema* {
      const scheme::ResourceInfo* info = scheme::FindKind(api_version, kind);
      return info ? managedfields::SchemaOf(info->prototype().GetDescriptor()->full_name()) : nullptr;
    };
  } else {
    const auto version_of = [&kind = call.kind](std::string_view api_version) -> std::string_view {
      const size_t slash = api_version.find('/');
      const std::string_view group =
          slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
      const std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
      return group == kind.group && kind.FindVersion(version) != nullptr ? version : std::string_view();
    };
    request.schema_of = [&kind = call.kind,
                         version_of](std::string_view api_version) -> const managedfields::TypeSchema* {
      const std::string_view version = version_of(api_version);
      if (version.empty()) return nullptr;
      return kind.field_schema ? kind.field_schema(version) : &managedfields::Deduced();
    };
    request.convert = [version_of](const boost::json::object& tree,
                                   std::string_view api_version) -> Result<boost::json::object> {
      if (version_of(api_version).empty()) return Error(Code::kNotFound, "no version {}", api_version);
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
  // Where the fields cannot be told (a custom resource that does not fit its schema, which validation will say) the
  // object has no managers; the write does not fail for it. Mirrors: UpdateNoErrors in managedfields/fieldmanager.go
  (void)managedfields::Update(SchemaFor(call), live ? &*live : nullptr, updated,
                              ManageRequest(call, state.manager, now));
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
