// Kinds for tests: all of the scheme, with the subresources that differ in shape.
#pragma once

#include <map>

#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/policy/v1/generated.pb.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::openapi {

inline std::vector<registry::KindPtr> TestKinds() {
  using registry::Subresource;
  std::map<std::pair<std::string_view, std::string_view>, std::vector<std::string_view>> versions;
  for (const scheme::ResourceInfo& info : scheme::AllResources()) {
    // What a server has on by default, more or less.
    if (info.version.find("alpha") != std::string_view::npos || info.version.find("beta") != std::string_view::npos)
      continue;
    versions[{info.group, info.resource}].push_back(info.version);
  }
  std::vector<registry::KindPtr> out;
  const auto nothing = [](const registry::RequestContext&, const http::Request&, http::ResponseWriter&,
                          std::string_view) {};
  for (const auto& [key, served] : versions) {
    auto kind = std::make_shared<registry::Kind>(registry::BuiltinKind(key.first, key.second, served, nullptr));
    const std::string_view resource = key.second;
    Subresource status{.name = "status", .verbs = {"get", "patch", "update"}};
    if (resource == "pods" || resource == "deployments" || resource == "nodes") kind->subresources.push_back(status);
    if (resource == "deployments") {
      Subresource scale{.name = "scale",
                        .group = "autoscaling",
                        .version = "v1",
                        .kind = "Scale",
                        .verbs = {"get", "patch", "update"}};
      scale.prototype = []() -> const google::protobuf::Message& {
        return k8s::io::api::autoscaling::v1::Scale::default_instance();
      };
      kind->subresources.push_back(scale);
    }
    if (resource == "pods") {
      Subresource eviction{
          .name = "eviction", .group = "policy", .version = "v1", .kind = "Eviction", .verbs = {"create"}};
      eviction.prototype = []() -> const google::protobuf::Message& {
        return k8s::io::api::policy::v1::Eviction::default_instance();
      };
      kind->subresources.push_back(eviction);
      Subresource binding{.name = "binding", .version = "v1", .kind = "Binding", .verbs = {"create"}};
      binding.prototype = []() -> const google::protobuf::Message& {
        return k8s::io::api::core::v1::Binding::default_instance();
      };
      kind->subresources.push_back(binding);
      for (const char* name : {"log", "exec", "attach", "portforward", "proxy"}) {
        Subresource connect{.name = name, .verbs = {"get"}};
        connect.connect = nothing;
        kind->subresources.push_back(connect);
      }
    }
    out.push_back(std::move(kind));
  }
  return out;
}

inline registry::KindPtr CustomKind() {
  auto kind = std::make_shared<registry::Kind>();
  kind->group = "stable.example.com";
  kind->kind = "Web";
  kind->list_kind = "WebList";
  kind->resource = "webs";
  kind->singular = "web";
  kind->verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  kind->versions = {{.version = "v1"}};
  kind->custom = std::make_shared<int>();
  return kind;
}

}  // namespace knarr::openapi
