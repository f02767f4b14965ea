// create, update, patch, delete, deletecollection.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{create,update,patch,delete}.go
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/patch/patch.h"
#include "pkg/apiserver/endpoints/body.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/apiserver/endpoints/write_state.h"
#include "pkg/apiserver/registry/metadata.h"

namespace knarr::endpoints {
namespace {

constexpr Accepts kWriteAccepts{.table = true, .partial = true};
constexpr std::string_view kJsonPatch = "application/json-patch+json";
constexpr std::string_view kMergePatch = "application/merge-patch+json";
constexpr std::string_view kStrategicPatch = "application/strategic-merge-patch+json";
constexpr std::string_view kApplyPatch = "application/apply-patch+yaml";

// The body of a patch, read once however often the update is tried.
struct PatchBody {
  std::string type;
  boost::json::value tree;
};

std::string_view MediaType(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return content_type;
}

Result<PatchBody> ReadPatch(const Call& call) {
  PatchBody patch;
  patch.type = MediaType(call.request.headers.Get("Content-Type"));
  const bool known = patch.type == kJsonPatch || patch.type == kMergePatch || patch.type == kApplyPatch ||
                     (patch.type == kStrategicPatch && !call.custom());
  if (!known) {
    std::string types = fmt::format("{}, {}", kJsonPatch, kMergePatch);
    if (!call.custom()) types += fmt::format(", {}", kStrategicPatch);
    return Error(Code::kUnsupportedMediaType,
                 "the body of the request was in an unknown format - accepted media types include: {}, {}", types,
                 kApplyPatch);
  }
  std::string json;
  std::string_view text = call.request.body;
  if (patch.type == kApplyPatch) {
    auto converted = codec::YamlToJson(text);
    if (!converted.ok()) return errors::BadRequest(fmt::format("error decoding YAML: {}", converted.error().message()));
    json = std::move(*converted);
    text = json;
  }
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  patch.tree = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return errors::BadRequest(fmt::format("error decoding patch: {}", error.message()));
  const bool fits = patch.type == kJsonPatch ? patch.tree.is_array() : patch.tree.is_object();
  if (!fits) {
    return errors::BadRequest(fmt::format("error decoding patch: json: cannot unmarshal {} into Go value of type {}",
                                          patch.tree.is_array()    ? "array"
                                          : patch.tree.is_object() ? "object"
                                          : patch.tree.is_string() ? "string"
                                                                   : "value",
                                          patch.type == kJsonPatch ? "jsonpatch.Patch" : "map[string]interface {}"));
  }
  return patch;
}

// Go prints an object that a patch went into with its keys in order, and the rest as it came.
void SortKeys(boost::json::object& object) {
  std::vector<std::pair<std::string, boost::json::value>> members;
  for (auto& member : object) members.emplace_back(member.key(), std::move(member.value()));
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  object.clear();
  for (auto& [key, value] : members) object.emplace(key, std::move(value));
}

void SortMerged(boost::json::value& tree, const boost::json::value& patch) {
  if (!tree.is_object() || !patch.is_object()) return;
  SortKeys(tree.as_object());
  for (const auto& [key, change] : patch.as_object()) {
    if (auto* value = tree.as_object().if_contains(key)) SortMerged(*value, change);
  }
}

void SortVisited(boost::json::value& tree, const boost::json::value& operations) {
  if (tree.is_object()) SortKeys(tree.as_object());
  if (!operations.is_array()) return;
  for (const auto& operation : operations.as_array()) {
    const auto* path = operation.is_object() ? operation.as_object().if_contains("path") : nullptr;
    if (path == nullptr || !path->is_string()) continue;
    const std::string text(path->as_string());
    for (size_t slash = text.find('/', 1); slash != std::string::npos; slash = text.find('/', slash + 1)) {
      boost::json::error_code missing;
      auto* value = tree.find_pointer(text.substr(0, slash), missing);
      if (value == nullptr) break;
      if (value->is_object()) SortKeys(value->as_object());
    }
  }
}

// The patched object, in the hub version.
Result<registry::ObjectPtr> ApplyTo(Call& call, const PatchBody& patch, const registry::Object& current,
                                    const WriteOptions& options) {
  boost::json::value tree = KNARR_TRY(TreeOf(call, current));
  if (patch.type == kJsonPatch) {
    KNARR_TRY(patch::ApplyJsonPatch(tree, patch.tree));
  } else if (patch.type == kMergePatch) {
    patch::ApplyMergePatch(tree, patch.tree);
  } else {
    const auto* schema = patch::SchemaOf(call.version.prototype().GetDescriptor()->full_name());
    KNARR_CHECK(schema != nullptr);
    KNARR_TRY(patch::ApplyStrategicMergePatch(tree.as_object(), patch.tree.as_object(), *schema));
  }
  if (!tree.is_object()) return errors::BadRequest("the patch does not leave an object");
  auto object = FromTree(call, tree.as_object(), options.field_validation);
  if (object.ok() || !object.error().Is(Code::kBadRequest)) return object;
  // It is the patch's fault, not the body's. Mirrors: applyPatchToObject in handlers/patch.go
  std::string_view why = object.error().message();
  constexpr std::string_view kMarker = " cannot be handled as a ";
  if (const size_t at = why.find(kMarker); at != std::string_view::npos) {
    if (const size_t colon = why.find(": ", at); colon != std::string_view::npos) why = why.substr(colon + 2);
  }
  if (patch.type == kJsonPatch) SortVisited(tree, patch.tree);
  if (patch.type == kMergePatch) SortMerged(tree, patch.tree);
  const field::ErrorList errors = {field::Invalid(field::Path("patch"), boost::json::serialize(tree), why)};
  return errors::Invalid("", "", "", errors);
}

Result<registry::ObjectPtr> ApplyServerSide(Call& call, const PatchBody& patch, const registry::Object* current,
                                            const WriteOptions& options, const std::string& manager, WallTime now) {
  std::optional<boost::json::object> live;
  if (current) live = KNARR_TRY(TreeOf(call, *current));
  // What is applied must be an object of this kind before it is merged: unknown fields are found here.
  KNARR_TRY(FromTree(call, patch.tree.as_object(), options.field_validation).status());
  managedfields::Request request = ManageRequest(call, manager, now);
  request.force = options.force;
  boost::json::object applied = patch.tree.as_object();
  boost::json::object merged =
      KNARR_TRY(managedfields::Apply(SchemaFor(call), live ? &*live : nullptr, applied, request));
  return FromTree(call, merged, codec::FieldValidation::kIgnore);
}

// Bodies of a delete may be absent; older clients send the group's own DeleteOptions.
Result<::knarr::meta::DeleteOptions> ReadDeleteOptions(Call& call) {
  ::knarr::meta::DeleteOptions options;
  const http::Request& request = call.request;
  if (!request.body.empty()) {
    // Some clients send JSON without naming it.
    const Media media = BodyMedia(request.headers.Get("Content-Type")).value_or(Media::kJson);
    KNARR_TRY(DecodeInto(call, request.body, media, codec::FieldValidation::kIgnore, "v1", "DeleteOptions", &options));
  } else {
    for (const auto& [key, value] : request.query) {
      if (key == "gracePeriodSeconds" && !value.empty()) {
        char* end = nullptr;
        options.set_graceperiodseconds(std::strtoll(value.c_str(), &end, 10));
        if (*end != '\0')
          return errors::BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax", value));
      }
      if (key == "propagationPolicy") options.set_propagationpolicy(value);
      if (key == "orphanDependents") options.set_orphandependents(ParseBool(value));
      if (key == "dryRun") options.add_dryrun(value);
    }
  }
  if (const auto errors = registry::ValidateDeleteOptions(options); !errors.empty())
    return errors::Invalid("meta.k8s.io", "DeleteOptions", "", errors);
  return options;
}

::knarr::meta::Status DeletedStatus(const registry::Kind& kind, const registry::Object& object) {
  ::knarr::meta::Status status;
  status.mutable_metadata();
  status.set_status("Success");
  auto* details = status.mutable_details();
  details->set_name(object.metadata().name());
  details->set_group(kind.group);
  details->set_kind(kind.resource);
  details->set_uid(object.metadata().uid());
  return status;
}

}  // namespace

Status Verbs::Create(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, kWriteAccepts));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "CreateOptions"));
  call.rc.dry_run = options.dry_run;
  const Media media = KNARR_TRY(RequestMedia(call.request));
  registry::ObjectPtr object = KNARR_TRY(DecodeObject(call, call.request.body, media, options.field_validation));
  call.rc.name = object->metadata().name();
  WriteState state;
  auto hooks = HooksFor(call, state, options);
  const auto written = registry_.Create(call.rc, *call.resource, std::move(*object), hooks);
  if (state.admitted) admission_.Done(call.rc.ctx, state.attributes, written.ok() && !options.dry_run);
  if (!written.ok()) return written.error();
  return ReplyObject(call, 201, *written->object);
}

Status Verbs::Update(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, kWriteAccepts));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "UpdateOptions"));
  call.rc.dry_run = options.dry_run;
  const Media media = KNARR_TRY(RequestMedia(call.request));
  const registry::ObjectPtr object = KNARR_TRY(DecodeObject(call, call.request.body, media, options.field_validation));
  if (object->metadata().name().empty()) {
    return errors::BadRequest(fmt::format(
        "the name of the object ({} based on URL) was undeterminable: name must be provided", call.info.name));
  }
  const registry::Subresource* subresource = call.kind.FindSubresource(call.info.subresource);
  const registry::Strategy* strategy = subresource ? subresource->strategy.get() : nullptr;
  WriteState state;
  auto hooks = HooksFor(call, state, options);
  const std::vector<std::string> body_warnings = call.warnings;
  const auto change = [&](const registry::Object*) -> Result<registry::ObjectPtr> {
    call.warnings = body_warnings;
    return std::make_unique<registry::Object>(object->Clone());
  };
  const bool may_create = strategy == nullptr && call.kind.strategy->AllowCreateOnUpdate();
  const auto written = registry_.Update(call.rc, *call.resource, strategy, change, hooks, may_create);
  if (state.admitted) admission_.Done(call.rc.ctx, state.attributes, written.ok() && !options.dry_run);
  if (!written.ok()) return written.error();
  return ReplyObject(call, written->created ? 201 : 200, *written->object);
}

Status Verbs::Patch(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, kWriteAccepts));
  WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "PatchOptions"));
  const PatchBody patch = KNARR_TRY(ReadPatch(call));
  const bool apply = patch.type == kApplyPatch;
  field::ErrorList errors;
  if (apply && options.field_manager.empty())
    errors.push_back(field::Required(field::Path("fieldManager"), "is required for apply patch"));
  if (!apply && options.has_force)
    errors.push_back(field::Forbidden(field::Path("force"), "may not be specified for non-apply patch"));
  if (!errors.empty()) return errors::Invalid("meta.k8s.io", "PatchOptions", "", errors);
  call.rc.dry_run = options.dry_run;
  const registry::Subresource* subresource = call.kind.FindSubresource(call.info.subresource);
  const registry::Strategy* strategy = subresource ? subresource->strategy.get() : nullptr;

  WriteState state;
  state.applied = apply;
  auto hooks = HooksFor(call, state, options);
  const std::vector<std::string> head_warnings = call.warnings;
  const auto change = [&](const registry::Object* current) -> Result<registry::ObjectPtr> {
    call.warnings = head_warnings;
    if (apply) return ApplyServerSide(call, patch, current, options, state.manager, clock_.Now());
    return ApplyTo(call, patch, *current, options);
  };
  const bool may_create = apply && strategy == nullptr;
  const auto written = registry_.Update(call.rc, *call.resource, strategy, change, hooks, may_create);
  if (state.admitted) admission_.Done(call.rc.ctx, state.attributes, written.ok() && !options.dry_run);
  if (!written.ok()) return written.error();
  return ReplyObject(call, written->created ? 201 : 200, *written->object);
}

Status Verbs::Delete(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, kWriteAccepts));
  const ::knarr::meta::DeleteOptions options = KNARR_TRY(ReadDeleteOptions(call));
  call.rc.dry_run = options.dryrun_size() > 0;
  registry::DeleteHooks hooks;
  hooks.validate = [&](const registry::Object& old) -> Status {
    admission::Attributes attributes = AttributesOf(call, admission::Operation::kDelete);
    attributes.old_object = &old;
    KNARR_TRY(admission_.Admit(call.rc.ctx, attributes));
    return admission_.Validate(call.rc.ctx, attributes);
  };
  const registry::Deleted deleted =
      KNARR_TRY(registry_.Delete(call.rc, *call.resource, call.info.name, options, hooks));
  if (deleted.gone && !call.kind.strategy->ReturnDeletedObject()) {
    if (call.output.as != As::kObject) call.output.as = As::kObject;
    return ReplyMessage(call, 200, DeletedStatus(call.kind, *deleted.object), "v1", "Status");
  }
  const bool cascading = options.has_orphandependents() && !options.orphandependents();
  return ReplyObject(call, !deleted.gone && cascading ? 202 : 200, *deleted.object);
}

Status Verbs::DeleteCollection(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const ::knarr::meta::DeleteOptions options = KNARR_TRY(ReadDeleteOptions(call));
  call.rc.dry_run = options.dryrun_size() > 0;
  cacher::ListQuery query;
  query.prefix = call.resource->Prefix(call.info.namespace_);
  query.filter = KNARR_TRY(FilterOf(call));
  const auto answer = KNARR_TRY(call.resource->reader().List(call.rc.ctx, query));
  for (const cacher::EntryPtr& entry : answer.entries) {
    registry::RequestContext rc = call.rc;
    rc.namespace_ = entry->namespace_;
    registry::DeleteHooks hooks;
    hooks.validate = [&](const registry::Object& old) -> Status {
      admission::Attributes attributes = AttributesOf(call, admission::Operation::kDelete);
      attributes.namespace_ = entry->namespace_;
      attributes.name = entry->name;
      attributes.old_object = &old;
      KNARR_TRY(admission_.Admit(call.rc.ctx, attributes));
      return admission_.Validate(call.rc.ctx, attributes);
    };
    const auto deleted = registry_.Delete(rc, *call.resource, entry->name, options, hooks);
    if (!deleted.ok() && !deleted.error().Is(Code::kNotFound)) return deleted.error();
  }
  ::knarr::meta::ListMeta meta;
  meta.set_resourceversion(std::to_string(answer.revision));
  std::string json = fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{},"items":[)", call.kind.list_kind,
                                 call.api_version, codec::EncodeJson(meta));
  if (call.output.media == Media::kProtobuf) call.output.media = Media::kJson;
  for (const cacher::EntryPtr& entry : answer.entries) {
    if (json.back() != '[') json += ',';
    json += *KNARR_TRY(ItemBytes(call, *entry, Media::kJson, As::kObject));
  }
  json += "]}";
  AddWarnings(call.response, call.warnings);
  call.response.Reply(200, call.output.ContentType(), Finish(std::move(json), call.output));
  return {};
}

}  // namespace knarr::endpoints
