#include "pkg/apiserver/endpoints/verbs.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/apiserver/endpoints/write_state.h"

namespace knarr::endpoints {
namespace {

std::string ApiVersionOf(const registry::Kind& kind, const registry::ServedVersion& version) {
  return kind.group.empty() ? version.version : fmt::format("{}/{}", kind.group, version.version);
}

bool Supports(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

}  // namespace

void Verbs::Serve(const Context& ctx, const http::Request& request, http::ResponseWriter& response,
                  const RequestInfo& info, const auth::UserInfo& user, registry::ResourcePtr resource,
                  const registry::ServedVersion& version) {
  const registry::Kind& kind = resource->kind();
  Call call{.request = request,
            .response = response,
            .info = info,
            .user = user,
            .resource = resource,
            .kind = kind,
            .version = version,
            .api_version = ApiVersionOf(kind, version),
            .rc = {.ctx = ctx,
                   .user = &user,
                   .namespace_ = info.namespace_,
                   .name = info.name,
                   .version = version.version,
                   .warnings = nullptr,
                   .access = &registry_,
                   .clock = &clock_},
            .warnings = {},
            .output = {}};
  call.rc.warnings = &call.warnings;
  if (!kind.namespaced && kind.resource != "namespaces") call.rc.namespace_.clear();
  if (kind.resource == "namespaces" && kind.group.empty()) call.rc.namespace_.clear();
  if (!version.deprecation_warning.empty()) call.warnings.push_back(version.deprecation_warning);
  const Status status = Dispatch(call);
  if (status.ok()) return;
  if (response.HeaderSent()) {
    response.Abort();  // a list that broke off must not look complete
    return;
  }
  AddWarnings(response, call.warnings);
  ReplyError(request, response, status);
}

Status Verbs::Dispatch(Call& call) {
  const RequestInfo& info = call.info;
  const registry::Kind& kind = call.kind;
  if (!info.subresource.empty()) {
    const registry::Subresource* subresource = kind.FindSubresource(info.subresource);
    if (subresource == nullptr || (info.parts.size() > 3 && !subresource->HasPathRest()))
      return errors::GenericNotFound();
    return Subresource(call, *subresource);
  }
  if (kind.namespaced && info.namespace_.empty() && info.parts.size() > 1) return errors::GenericNotFound();
  if (!kind.namespaced && !info.namespace_.empty() && info.resource != "namespaces") return errors::GenericNotFound();
  const bool named = info.parts.size() > 1;
  if (kind.create_only) {
    if (info.verb == "create" && !named) return CreateOnly(call);
    return errors::MethodNotSupported(kind.group, kind.resource, info.verb);
  }
  if (!Supports(kind.verbs, info.verb) || (info.verb == "create" && named) ||
      ((info.verb == "update" || info.verb == "patch") && !named))
    return Status(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource")
        .WithDetails({});
  if (kind.namespaced && info.namespace_.empty() && info.verb == "create") {
    return Status(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource")
        .WithDetails({});
  }
  if (info.verb == "get") return Get(call);
  if (info.verb == "list") return List(call);
  if (info.verb == "watch") return Watch(call);
  if (info.verb == "create") return Create(call);
  if (info.verb == "update") return Update(call);
  if (info.verb == "patch") return Patch(call);
  if (info.verb == "delete") return Delete(call);
  if (info.verb == "deletecollection") return DeleteCollection(call);
  return errors::GenericNotFound();
}

admission::Attributes Verbs::AttributesOf(Call& call, admission::Operation operation) const {
  admission::Attributes attributes;
  attributes.operation = operation;
  attributes.group = call.kind.group;
  attributes.version = call.version.version;
  attributes.kind = call.kind.kind;
  attributes.resource = call.kind.resource;
  attributes.subresource = call.info.subresource;
  attributes.namespace_ = call.info.namespace_;
  attributes.name = call.info.name;
  attributes.user = &call.user;
  attributes.dry_run = call.rc.dry_run;
  attributes.warnings = &call.warnings;
  return attributes;
}

registry::WriteHooks Verbs::HooksFor(Call& call, WriteState& state, const WriteOptions& options) const {
  state.manager = options.field_manager.empty()
                      ? managedfields::ManagerFromUserAgent(call.request.headers.Get("User-Agent"))
                      : options.field_manager;
  registry::WriteHooks hooks;
  hooks.manage = [&call, &state, this](registry::Object& object, const registry::Object* old) -> Status {
    if (state.applied) return {};  // the apply did it
    return ManageFields(call, state, clock_.Now(), object, old);
  };
  hooks.admit = [&call, &state, this](registry::Object& object, const registry::Object* old) -> Status {
    state.attributes = AttributesOf(call, old ? admission::Operation::kUpdate : admission::Operation::kCreate);
    state.attributes.object = &object;
    state.attributes.old_object = old;
    state.admitted = true;
    return admission_.Admit(call.rc.ctx, state.attributes);
  };
  hooks.validate = [&call, &state, this](const registry::Object& object, const registry::Object* old) -> Status {
    admission::Attributes attributes = AttributesOf(call, state.attributes.operation);
    // Validate takes what it may not change; the chain promises that.
    attributes.object = const_cast<registry::Object*>(&object);
    attributes.old_object = old;
    if (attributes.name.empty()) attributes.name = object.metadata().name();
    return admission_.Validate(call.rc.ctx, attributes);
  };
  return hooks;
}

Status Verbs::ReplyObject(Call& call, int http, const registry::Object& object) {
  std::string body = KNARR_TRY(EncodeObject(call, object));
  AddWarnings(call.response, call.warnings);
  call.response.Reply(http, call.output.ContentType(), body);
  return {};
}

Status Verbs::ReplyMessage(Call& call, int http, const google::protobuf::Message& message, std::string_view api_version,
                           std::string_view kind) {
  AddWarnings(call.response, call.warnings);
  call.response.Reply(http, call.output.ContentType(), EncodeMessage(message, api_version, kind, call.output));
  return {};
}

}  // namespace knarr::endpoints
