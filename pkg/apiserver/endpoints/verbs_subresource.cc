// Subresources, and kinds that are only created (reviews).
#include <fmt/format.h>

#include <boost/json.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/patch/patch.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/endpoints/body.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/apiserver/endpoints/write_state.h"

namespace knarr::endpoints {
namespace {

using Message = google::protobuf::Message;

// What a subresource's bodies are.
struct BodyType {
  std::string api_version, kind;
};

BodyType TypeOf(const Call& call, const registry::Subresource& subresource) {
  if (subresource.version.empty()) return {call.api_version, subresource.kind};
  return {
      subresource.group.empty() ? subresource.version : fmt::format("{}/{}", subresource.group, subresource.version),
      subresource.kind};
}

bool Supports(const registry::Subresource& subresource, std::string_view verb) {
  return std::find(subresource.verbs.begin(), subresource.verbs.end(), verb) != subresource.verbs.end();
}

Status NotAllowed() {
  return Status(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource")
      .WithDetails({});
}

::knarr::meta::ObjectMeta* MetaOf(Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName("metadata");
  if (field == nullptr || field->message_type() != ::knarr::meta::ObjectMeta::descriptor()) return nullptr;
  return static_cast<::knarr::meta::ObjectMeta*>(message.GetReflection()->MutableMessage(&message, field));
}

}  // namespace

Status Verbs::Subresource(Call& call, const registry::Subresource& subresource) {
  const std::string& verb = call.info.verb;
  if (subresource.connect) {
    // Any method; what the verb is called is discovery's business. Admission sees CONNECT.
    admission::Attributes attributes = AttributesOf(call, admission::Operation::kConnect);
    KNARR_TRY(admission_.Admit(call.rc.ctx, attributes));
    KNARR_TRY(admission_.Validate(call.rc.ctx, attributes));
    http::Request forwarded = call.request;
    if (options_.strip_credentials) options_.strip_credentials(forwarded.headers);
    subresource.connect(call.rc, forwarded, call.response, call.info.rest);
    return {};
  }
  if (subresource.create && verb == "create") return CreateSub(call, subresource);
  if (!Supports(subresource, verb)) return NotAllowed();
  if (subresource.strategy) {
    if (verb == "get") return Get(call);
    if (verb == "update") return Update(call);
    if (verb == "patch") return Patch(call);
  }
  if (subresource.view) {
    if (verb == "get") return GetView(call, subresource);
    if (verb == "update") return UpdateView(call, subresource);
    if (verb == "patch") return PatchView(call, subresource);
  }
  return NotAllowed();
}

Status Verbs::GetView(Call& call, const registry::Subresource& subresource) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const std::string key = call.resource->Key(call.info.namespace_, call.info.name);
  const auto entry = KNARR_TRY(call.resource->reader().Get(call.rc.ctx, key, cacher::Freshness::kConsistent, 0));
  if (!entry) return errors::NotFound(call.kind.group, call.kind.resource, call.info.name);
  const registry::ObjectPtr object = KNARR_TRY(call.resource->Decode(*entry));
  const auto view = KNARR_TRY(subresource.view(call.rc, *object));
  const BodyType type = TypeOf(call, subresource);
  return ReplyMessage(call, 200, *view, type.api_version, type.kind);
}

// Both ways of writing a view end here: `next` gives the view to put in place, from the present one.
Status Verbs::WriteView(Call& call, const registry::Subresource& subresource, const WriteOptions& options,
                        const std::function<Result<std::unique_ptr<Message>>(const Message& present)>& next) {
  const BodyType type = TypeOf(call, subresource);
  call.rc.dry_run = options.dry_run;
  WriteState state;
  auto hooks = HooksFor(call, state, options);
  const auto change = [&](const registry::Object* current) -> Result<registry::ObjectPtr> {
    const auto present = KNARR_TRY(subresource.view(call.rc, *current));
    auto wanted = KNARR_TRY(next(*present));
    auto updated = std::make_unique<registry::Object>(current->Clone());
    if (const auto* metadata = MetaOf(*wanted)) {
      if (!metadata->name().empty() && metadata->name() != call.info.name) {
        return errors::BadRequest(fmt::format("the name of the object ({}) does not match the name on the URL ({})",
                                              metadata->name(), call.info.name));
      }
      // The view's version and uid are those of the object behind it.
      updated->metadata().set_resourceversion(metadata->resourceversion());
      updated->metadata().set_uid(metadata->uid());
    }
    KNARR_TRY(subresource.apply(call.rc, *wanted, *updated));
    return updated;
  };
  const auto written = registry_.Update(call.rc, *call.resource, nullptr, change, hooks);
  if (state.admitted) admission_.Done(call.rc.ctx, state.attributes, written.ok() && !options.dry_run);
  if (!written.ok()) return written.error();
  const auto view = KNARR_TRY(subresource.view(call.rc, *written->object));
  return ReplyMessage(call, 200, *view, type.api_version, type.kind);
}

Status Verbs::UpdateView(Call& call, const registry::Subresource& subresource) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "UpdateOptions"));
  const BodyType type = TypeOf(call, subresource);
  const Media media = KNARR_TRY(RequestMedia(call.request));
  auto body = KNARR_TRY(scheme::New(type.api_version, type.kind));
  KNARR_TRY(
      DecodeInto(call, call.request.body, media, options.field_validation, type.api_version, type.kind, body.get()));
  return WriteView(call, subresource, options, [&](const Message&) -> Result<std::unique_ptr<Message>> {
    std::unique_ptr<Message> copy(body->New());
    copy->CopyFrom(*body);
    return copy;
  });
}

Status Verbs::PatchView(Call& call, const registry::Subresource& subresource) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "PatchOptions"));
  const BodyType type = TypeOf(call, subresource);
  std::string_view media = call.request.headers.Get("Content-Type");
  media = media.substr(0, media.find(';'));
  boost::system::error_code error;
  boost::json::parse_options limits;
  limits.max_depth = 64;
  const boost::json::value tree = boost::json::parse(call.request.body, error, {}, limits);
  if (error) return errors::BadRequest(fmt::format("error decoding patch: {}", error.message()));
  const bool json_patch = media == "application/json-patch+json";
  const bool merge = media == "application/merge-patch+json" || media == "application/strategic-merge-patch+json";
  if (!json_patch && !merge) {
    return Error(Code::kUnsupportedMediaType,
                 "the body of the request was in an unknown format - accepted media types include: "
                 "application/json-patch+json, application/merge-patch+json");
  }
  if (merge && !tree.is_object()) return errors::BadRequest("error decoding patch: expected an object");
  return WriteView(call, subresource, options, [&](const Message& present) -> Result<std::unique_ptr<Message>> {
    const std::string text = codec::EncodeJson(present, {.api_version = type.api_version, .kind = type.kind});
    boost::json::value document = boost::json::parse(text);
    if (json_patch) {
      KNARR_TRY(patch::ApplyJsonPatch(document, tree));
    } else {
      patch::ApplyMergePatch(document, tree);  // a Scale has no lists to merge
    }
    auto patched = KNARR_TRY(scheme::New(type.api_version, type.kind));
    KNARR_TRY(DecodeInto(call, boost::json::serialize(document), Media::kJson, options.field_validation,
                         type.api_version, type.kind, patched.get()));
    return patched;
  });
}

Status Verbs::CreateSub(Call& call, const registry::Subresource& subresource) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "CreateOptions"));
  call.rc.dry_run = options.dry_run;
  const BodyType type = TypeOf(call, subresource);
  const Media media = KNARR_TRY(RequestMedia(call.request));
  std::unique_ptr<Message> body(subresource.prototype().New());
  KNARR_TRY(
      DecodeInto(call, call.request.body, media, options.field_validation, type.api_version, type.kind, body.get()));
  if (auto* metadata = MetaOf(*body)) {
    if (metadata->name().empty()) metadata->set_name(call.info.name);
    if (metadata->namespace_().empty()) metadata->set_namespace_(call.info.namespace_);
    if (metadata->name() != call.info.name) {
      return errors::BadRequest(fmt::format("the name of the object ({}) does not match the name on the URL ({})",
                                            metadata->name(), call.info.name));
    }
    if (metadata->namespace_() != call.info.namespace_) {
      return errors::BadRequest(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
  }
  admission::Attributes attributes = AttributesOf(call, admission::Operation::kCreate);
  attributes.body = body.get();
  KNARR_TRY(admission_.Admit(call.rc.ctx, attributes));
  KNARR_TRY(admission_.Validate(call.rc.ctx, attributes));
  const auto answer = KNARR_TRY(subresource.create(call.rc, std::move(body)));
  // A binding or an eviction is answered by a Status, a token request by itself.
  if (answer->GetDescriptor() == ::knarr::meta::Status::descriptor())
    return ReplyMessage(call, 201, *answer, "v1", "Status");
  return ReplyMessage(call, 201, *answer, type.api_version, type.kind);
}

Status Verbs::CreateOnly(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, {}));
  const WriteOptions options = KNARR_TRY(ParseWriteOptions(call.request, "CreateOptions"));
  call.rc.dry_run = options.dry_run;
  const Media media = KNARR_TRY(RequestMedia(call.request));
  std::unique_ptr<Message> body(call.version.prototype().New());
  KNARR_TRY(DecodeInto(call, call.request.body, media, options.field_validation, call.api_version, call.kind.kind,
                       body.get()));
  if (auto* metadata = MetaOf(*body)) {
    KNARR_TRY([&]() -> Status {
      if (!call.kind.namespaced || metadata->namespace_().empty() || metadata->namespace_() == call.info.namespace_)
        return {};
      return errors::BadRequest(
          "the namespace of the provided object does not match the namespace sent on the request");
    }());
    if (call.kind.namespaced) metadata->set_namespace_(call.info.namespace_);
  }
  const auto answer = KNARR_TRY(call.kind.create_only(call.rc, std::move(body)));
  if (answer->GetDescriptor() == ::knarr::meta::Status::descriptor())
    return ReplyMessage(call, 201, *answer, "v1", "Status");
  return ReplyMessage(call, 201, *answer, call.api_version, call.kind.kind);
}

}  // namespace knarr::endpoints
