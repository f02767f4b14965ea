// The server's own hands: reads and writes of its objects by admission, authorization, controllers of its own
// (addresses, endpoints of the kubernetes service, bootstrap roles). Past authentication, authorization and admission,
// but through strategies and validation. Upstream's loopback client, without the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/labels/selector.h"
#include "pkg/api/object/object.h"
#include "pkg/base/context.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class DeleteOptions;
}

namespace knarr::registry {

using ObjectRef = std::shared_ptr<const api::Object>;

// {"apps", "deployments"}; a string converts: "configmaps" is of the core group.
struct GroupResource {
  std::string_view group;
  std::string_view resource;
};

class Access {
 public:
  virtual ~Access() = default;

  // From the watch cache; a few milliseconds old at worst. kNotFound in upstream's words.
  virtual Result<ObjectRef> Get(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name) = 0;
  // Not older than the call.
  virtual Result<ObjectRef> GetConsistent(const Context& ctx, GroupResource what, std::string_view ns,
                                          std::string_view name) = 0;
  // ns "": all namespaces.
  virtual Result<std::vector<ObjectRef>> List(const Context& ctx, GroupResource what, std::string_view ns,
                                              const labels::Selector& selector = labels::Selector::Everything()) = 0;
  // Changes whenever an object of the resource does.
  virtual uint64_t Generation(GroupResource what) = 0;

  virtual Result<ObjectRef> Create(const Context& ctx, GroupResource what, api::Object object) = 0;
  // Reads, changes, writes; again on conflict. `change` may be called several times; returning an error ends it.
  // `subresource` "status" uses that strategy.
  virtual Result<ObjectRef> Update(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                                   std::string_view subresource, const std::function<Status(api::Object&)>& change) = 0;
  // uid "": whatever it is.
  virtual Status Delete(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                        std::string_view uid) = 0;
  // As a client's DELETE with these options: preconditions, grace period, propagation. The default is for fakes: it
  // compares the preconditions with a fresh read and deletes as above.
  virtual Status DeleteWithOptions(const Context& ctx, GroupResource what, std::string_view ns, std::string_view name,
                                   const ::knarr::meta::DeleteOptions& options);
};

}  // namespace knarr::registry
