#include "pkg/apiserver/endpoints/discovery.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <boost/beast/core/detail/base64.hpp>
#include <map>
#include <tuple>

#include "k8s.io/api/apidiscovery/v2/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/endpoints/call.h"
#include "pkg/apiserver/endpoints/encode.h"

namespace knarr::endpoints {
namespace {

namespace v2 = ::k8s::io::api::apidiscovery::v2;

// The order in which upstream's aggregator lists the built-in groups; the others follow by name.
// Mirrors: pkg/controlplane/apiserver/aggregator.go
constexpr std::string_view kGroupOrder[] = {"",
                                            "apiregistration.k8s.io",
                                            "apps",
                                            "events.k8s.io",
                                            "authentication.k8s.io",
                                            "authorization.k8s.io",
                                            "autoscaling",
                                            "batch",
                                            "certificates.k8s.io",
                                            "networking.k8s.io",
                                            "policy",
                                            "rbac.authorization.k8s.io",
                                            "storage.k8s.io",
                                            "admissionregistration.k8s.io",
                                            "apiextensions.k8s.io",
                                            "scheduling.k8s.io",
                                            "coordination.k8s.io",
                                            "node.k8s.io",
                                            "discovery.k8s.io",
                                            "flowcontrol.apiserver.k8s.io"};

size_t OrderOf(std::string_view group) {
  return static_cast<size_t>(std::find(std::begin(kGroupOrder), std::end(kGroupOrder), group) - kGroupOrder);
}

std::string GroupVersion(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

// Tells clients when what they cached is stored differently.
std::string StorageVersionHash(const registry::Kind& kind) {
  const size_t slash = kind.storage_version.find('/');
  const std::string version =
      slash == std::string::npos ? kind.storage_version : kind.storage_version.substr(slash + 1);
  const std::string text = fmt::format("{}/{}/{}", kind.group, version, kind.kind);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  namespace base64 = boost::beast::detail::base64;
  constexpr size_t kBytes = 8;
  std::string out(base64::encoded_size(kBytes), '\0');
  out.resize(base64::encode(out.data(), digest, kBytes));
  return out;
}

using Resources = std::vector<registry::ResourcePtr>;
struct GroupContent {
  std::map<std::string, Resources> versions;
  std::vector<std::string> ordered;
};
using Groups = std::vector<std::pair<std::string, GroupContent>>;

Groups Collect(const registry::Registry& registry) {
  std::map<std::pair<size_t, std::string>, GroupContent> groups;
  for (const registry::ResourcePtr& resource : registry.All()) {
    const registry::Kind& kind = resource->kind();
    for (const auto& served : kind.versions)
      groups[{OrderOf(kind.group), kind.group}].versions[served.version].push_back(resource);
  }
  Groups out;
  for (auto& [key, content] : groups) {
    for (const auto& [version, resources] : content.versions) content.ordered.push_back(version);
    std::sort(content.ordered.begin(), content.ordered.end(), VersionBefore);
    out.emplace_back(key.second, std::move(content));
  }
  return out;
}

::knarr::meta::APIGroup GroupOf(const std::string& name, const GroupContent& content) {
  ::knarr::meta::APIGroup group;
  group.set_name(name);
  for (const std::string& version : content.ordered) {
    auto* added = group.add_versions();
    added->set_groupversion(GroupVersion(name, version));
    added->set_version(version);
  }
  *group.mutable_preferredversion() = group.versions(0);
  return group;
}

::knarr::meta::APIResourceList ResourcesOf(const std::string& group, const std::string& version,
                                           const Resources& resources) {
  ::knarr::meta::APIResourceList list;
  list.set_groupversion(GroupVersion(group, version));
  for (const registry::ResourcePtr& resource : resources) {
    const registry::Kind& kind = resource->kind();
    auto* added = list.add_resources();
    added->set_name(kind.resource);
    added->set_singularname(kind.singular);
    added->set_namespaced(kind.namespaced);
    added->set_kind(kind.kind);
    auto* verbs = added->mutable_verbs();
    for (const std::string& verb : kind.verbs) verbs->add_items(verb);
    for (const std::string& name : kind.short_names) added->add_shortnames(name);
    for (const std::string& category : kind.categories) added->add_categories(category);
    if (!kind.create_only) added->set_storageversionhash(StorageVersionHash(kind));
    std::vector<const registry::Subresource*> subresources;
    for (const auto& subresource : kind.subresources) subresources.push_back(&subresource);
    std::sort(subresources.begin(), subresources.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    for (const auto* subresource : subresources) {
      auto* sub = list.add_resources();
      sub->set_name(fmt::format("{}/{}", kind.resource, subresource->name));
      sub->set_namespaced(kind.namespaced);
      sub->set_kind(subresource->kind.empty() ? kind.kind : subresource->kind);
      if (!subresource->version.empty()) {
        sub->set_group(subresource->group);
        sub->set_version(subresource->version);
      }
      auto* sub_verbs = sub->mutable_verbs();
      for (const std::string& verb : subresource->verbs) sub_verbs->add_items(verb);
    }
  }
  return list;
}

v2::APIGroupDiscovery AggregatedOf(const std::string& name, const GroupContent& content) {
  v2::APIGroupDiscovery group;
  group.mutable_metadata()->set_name(name);
  for (const std::string& version : content.ordered) {
    auto* discovered = group.add_versions();
    discovered->set_version(version);
    discovered->set_freshness("Current");
    for (const registry::ResourcePtr& resource : content.versions.at(version)) {
      const registry::Kind& kind = resource->kind();
      auto* added = discovered->add_resources();
      added->set_resource(kind.resource);
      auto* response = added->mutable_responsekind();
      response->set_group(name);
      response->set_version(version);
      response->set_kind(kind.kind);
      added->set_scope(kind.namespaced ? "Namespaced" : "Cluster");
      added->set_singularresource(kind.singular);
      for (const std::string& verb : kind.verbs) added->add_verbs(verb);
      for (const std::string& short_name : kind.short_names) added->add_shortnames(short_name);
      for (const std::string& category : kind.categories) added->add_categories(category);
      for (const auto& subresource : kind.subresources) {
        auto* sub = added->add_subresources();
        sub->set_subresource(subresource.name);
        auto* sub_kind = sub->mutable_responsekind();
        sub_kind->set_group(subresource.version.empty() ? name : subresource.group);
        sub_kind->set_version(subresource.version.empty() ? version : subresource.version);
        sub_kind->set_kind(subresource.kind.empty() ? kind.kind : subresource.kind);
        for (const std::string& verb : subresource.verbs) sub->add_verbs(verb);
      }
    }
  }
  return group;
}

// The version of apidiscovery that the client asks for first; "" for none.
std::string_view WantsAggregated(const http::Request& request) {
  std::string_view accept = request.headers.Get("Accept");
  while (!accept.empty()) {
    const size_t comma = accept.find(',');
    const std::string_view clause = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
    if (clause.find("as=APIGroupDiscoveryList") == std::string_view::npos) {
      if (clause.find("application/json") != std::string_view::npos ||
          clause.find("application/vnd.kubernetes.protobuf") != std::string_view::npos)
        return {};
      continue;
    }
    if (clause.find("g=apidiscovery.k8s.io") == std::string_view::npos) continue;
    if (clause.find("v=v2beta1") != std::string_view::npos) return "v2beta1";
    if (clause.find("v=v2") != std::string_view::npos) return "v2";
  }
  return {};
}

std::tuple<int, int, int> Priority(std::string_view version, bool& regular) {
  int major = 0, minor = 0;
  size_t at = 1;
  regular = version.size() > 1 && version[0] == 'v' && version[1] >= '0' && version[1] <= '9';
  if (!regular) return {};
  for (; at < version.size() && version[at] >= '0' && version[at] <= '9'; ++at)
    major = major * 10 + (version[at] - '0');
  const std::string_view rest = version.substr(at);
  const int stability = rest.empty() ? 2 : rest.starts_with("beta") ? 1 : rest.starts_with("alpha") ? 0 : -1;
  if (stability < 0) regular = false;
  for (const char c : rest) {
    if (c >= '0' && c <= '9') minor = minor * 10 + (c - '0');
  }
  return {stability, major, minor};
}

}  // namespace

bool VersionBefore(std::string_view a, std::string_view b) {
  bool a_regular = false, b_regular = false;
  const auto a_priority = Priority(a, a_regular);
  const auto b_priority = Priority(b, b_regular);
  if (a_regular != b_regular) return a_regular;
  if (!a_regular) return a < b;
  return a_priority > b_priority;
}

struct Discovery::Documents {
  uint64_t generation = 0;
  Groups groups;
};

Discovery::Discovery(const registry::Registry& registry, std::string server_address)
    : registry_(registry), server_address_(std::move(server_address)) {}
Discovery::~Discovery() = default;

std::shared_ptr<const Discovery::Documents> Discovery::Current() {
  const uint64_t generation = registry_.Generation();
  const std::lock_guard lock(mutex_);
  if (!documents_ || documents_->generation != generation) {
    auto made = std::make_shared<Documents>();
    made->generation = generation;
    made->groups = Collect(registry_);
    documents_ = std::move(made);
  }
  return documents_;
}

namespace {

void Reply(const http::Request& request, http::ResponseWriter& response, const google::protobuf::Message& message,
           std::string_view kind, std::string_view api_version = "v1") {
  const auto output = Negotiate(request, {});
  if (!output.ok()) return ReplyError(request, response, output.error());
  response.Reply(200, output->ContentType(), EncodeMessage(message, api_version, kind, *output));
}

void ReplyAggregated(const http::Request& request, http::ResponseWriter& response, const Groups& groups, bool core,
                     std::string_view version, uint64_t generation) {
  const std::string etag = fmt::format("\"{:016X}{}\"", generation, core ? "A" : "B");
  response.headers().Set("Vary", "Accept");
  response.headers().Set("ETag", etag);
  if (request.headers.Get("If-None-Match") == etag) {
    response.WriteHeader(304);
    return;
  }
  v2::APIGroupDiscoveryList list;
  list.mutable_metadata();
  for (const auto& [name, content] : groups) {
    if (name.empty() == core) *list.add_items() = AggregatedOf(name, content);
  }
  const std::string api_version = fmt::format("apidiscovery.k8s.io/{}", version);
  const bool protobuf = request.headers.Get("Accept").starts_with("application/vnd.kubernetes.protobuf;");
  Output output{.media = protobuf ? Media::kProtobuf : Media::kJson};
  response.Reply(200,
                 fmt::format("{};g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", output.ContentType(), version),
                 EncodeMessage(list, api_version, "APIGroupDiscoveryList", output));
}

void ReplyVersions(const http::Request& request, http::ResponseWriter& response, const std::string& address) {
  ::knarr::meta::APIVersions versions;
  versions.add_versions("v1");
  auto* server = versions.add_serveraddressbyclientcidrs();
  server->set_clientcidr("0.0.0.0/0");
  server->set_serveraddress(address);
  // Of all discovery documents, this one states no apiVersion.
  Reply(request, response, versions, "APIVersions", "");
}

}  // namespace

bool Discovery::Serve(const http::Request& request, http::ResponseWriter& response) {
  std::string_view path = request.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const bool core = path == "/api" || path.starts_with("/api/");
  if (!core && path != "/apis" && !path.starts_with("/apis/")) return false;
  if (request.method != "GET" && request.method != "HEAD") {
    ReplyError(request, response,
               Status(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"));
    return true;
  }
  const auto documents = Current();
  const Groups& groups = documents->groups;
  if (path == "/api" || path == "/apis") {
    if (const auto version = WantsAggregated(request); !version.empty()) {
      ReplyAggregated(request, response, groups, core, version, documents->generation);
    } else if (core) {
      ReplyVersions(request, response, server_address_);
    } else {
      ::knarr::meta::APIGroupList list;
      for (const auto& [name, content] : groups) {
        if (!name.empty()) *list.add_groups() = GroupOf(name, content);
      }
      Reply(request, response, list, "APIGroupList");
    }
    return true;
  }
  std::string_view rest = path.substr(core ? 5 : 6);
  const std::string group(core ? "" : rest.substr(0, rest.find('/')));
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == group; });
  if (!core) rest = rest.size() > group.size() ? rest.substr(group.size() + 1) : std::string_view();
  if (found != groups.end() && rest.empty() && !core) {
    Reply(request, response, GroupOf(group, found->second), "APIGroup");
    return true;
  }
  if (found != groups.end() && rest.find('/') == std::string_view::npos) {
    if (const auto at = found->second.versions.find(std::string(rest)); at != found->second.versions.end()) {
      Reply(request, response, ResourcesOf(group, at->first, at->second), "APIResourceList");
      return true;
    }
  }
  http::Headers& headers = response.headers();
  headers.Set("X-Content-Type-Options", "nosniff");
  response.Reply(404, "text/plain; charset=utf-8", "404 page not found\n");
  return true;
}

}  // namespace knarr::endpoints
