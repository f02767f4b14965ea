// What happens to an authenticated and authorized request for a resource.
//
// One object serves all kinds; nothing here knows a kind by name. Thread-safe: a call's state is in its Call.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers
#pragma once

#include <memory>

#include "pkg/apiserver/admission/admission.h"
#include "pkg/apiserver/endpoints/call.h"
#include "pkg/apiserver/registry/registry.h"

namespace knarr::endpoints {

struct VerbsOptions {
  // Of watches without timeoutSeconds: between this and twice as much (--min-request-timeout).
  std::chrono::seconds min_request_timeout{1800};
  // Takes credentials out of what a proxy may forward; may be empty.
  std::function<void(http::Headers&)> strip_credentials;
};

class Verbs {
 public:
  Verbs(registry::Registry& registry, const admission::Chain& admission, Clock& clock, VerbsOptions options)
      : registry_(registry), admission_(admission), clock_(clock), options_(options) {}

  // Answers the request, errors included. `version` is the one asked for; `ctx` has the request's deadline.
  void Serve(const Context& ctx, const http::Request& request, http::ResponseWriter& response, const RequestInfo& info,
             const auth::UserInfo& user, registry::ResourcePtr resource, const registry::ServedVersion& version);

  // Of a write; see write_state.h.
  struct WriteState;

 private:
  Status Dispatch(Call& call);
  Status Get(Call& call);
  Status List(Call& call);
  Status Watch(Call& call);
  Status Create(Call& call);
  Status Update(Call& call);
  Status Patch(Call& call);
  Status Delete(Call& call);
  Status DeleteCollection(Call& call);
  Status CreateOnly(Call& call);
  // Subresources.
  Status Subresource(Call& call, const registry::Subresource& subresource);
  Status GetView(Call& call, const registry::Subresource& subresource);
  Status UpdateView(Call& call, const registry::Subresource& subresource);
  Status PatchView(Call& call, const registry::Subresource& subresource);
  Status WriteView(
      Call& call, const registry::Subresource& subresource, const WriteOptions& options,
      const std::function<Result<std::unique_ptr<google::protobuf::Message>>(const google::protobuf::Message& present)>&
          next);
  Status CreateSub(Call& call, const registry::Subresource& subresource);

  admission::Attributes AttributesOf(Call& call, admission::Operation operation) const;
  // Admission on both sides of validation, and managed fields, for a write of the object itself.
  registry::WriteHooks HooksFor(Call& call, WriteState& state, const WriteOptions& options) const;
  Status ReplyObject(Call& call, int http, const registry::Object& object);
  Status ReplyMessage(Call& call, int http, const google::protobuf::Message& message, std::string_view api_version,
                      std::string_view kind);
  Result<cacher::Filter> FilterOf(const Call& call) const;

  registry::Registry& registry_;
  const admission::Chain& admission_;
  Clock& clock_;
  const VerbsOptions options_;
};

}  // namespace knarr::endpoints
