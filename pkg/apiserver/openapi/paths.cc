// Mirrors: the routes that k8s.io/apiserver/pkg/endpoints/installer.go registers, and
// k8s.io/apiserver/pkg/endpoints/openapi for their names.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "pkg/apiserver/openapi/builder.h"

namespace knarr::openapi {

using registry::Kind;
using registry::ServedVersion;
using registry::Subresource;

namespace {

constexpr std::string_view kMeta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kPatch = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
constexpr std::string_view kString = "string";  // an Operation's result that is no object

using Names = std::vector<std::string_view>;
const Names& Media() {
  static const Names all = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"};
  return all;
}
const Names& WatchMedia() {
  static const Names all = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
                            "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"};
  return all;
}

bool Has(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

std::string GroupVersionPath(std::string_view group, std::string_view version) {
  return group.empty() ? fmt::format("/api/{}", version) : fmt::format("/apis/{}/{}", group, version);
}

// rbac.authorization.k8s.io -> rbac.authorization; core for "".
std::string_view ShortGroup(std::string_view group) {
  if (group.empty()) return "core";
  if (group.ends_with(".k8s.io")) group.remove_suffix(7);
  return group;
}
std::string GroupTag(std::string_view group) {
  std::string words = CapitalizedWords(ShortGroup(group));
  words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  return words;
}
std::string Tag(std::string_view group, std::string_view version) {
  return GroupTag(group) + "_" + std::string(version);
}
std::string Title(std::string_view text) {
  std::string out(text);
  if (!out.empty()) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}
std::string WithArticle(std::string_view noun) {
  if (noun.ends_with('s') && !noun.ends_with("ss")) return std::string(noun);
  const bool vowel = !noun.empty() && std::string_view("AEIOUaeiou").find(noun[0]) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", noun);
}

// The query of a connection: the message of its options.
std::string_view ConnectOptions(const Kind& kind, std::string_view subresource) {
  if (subresource == "exec") return "PodExecOptions";
  if (subresource == "attach") return "PodAttachOptions";
  if (subresource == "portforward") return "PodPortForwardOptions";
  if (subresource == "log") return "PodLogOptions";
  if (subresource != "proxy") return {};
  if (kind.resource == "nodes") return "NodeProxyOptions";
  return kind.resource == "services" ? "ServiceProxyOptions" : "PodProxyOptions";
}

constexpr std::string_view kPrettyText =
    "If 'true', then the output is pretty printed. Defaults to 'false' unless the user-agent indicates a browser or "
    "command-line HTTP tool (curl and wget).";

}  // namespace

std::string CapitalizedWords(std::string_view text) {
  std::string out;
  bool start = true;
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      start = true;
      continue;
    }
    out += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = false;
  }
  return out;
}

struct Builder::Operation {
  std::string_view method;
  std::string description, id, tag;
  Names consumes{"*/*"}, produces = Media();
  std::string body;  // definition
  bool body_required = true;
  std::vector<std::pair<std::string_view, Names>> query;  // message, names
  std::string result;                                     // definition, kString, or "" for none
  std::vector<int> codes{200};
  std::string_view action;
  GroupVersionKind kind;
};

struct Builder::Params {
  bool name = false, in_namespace = false, rest = false;
  std::string name_of;
  bool pretty = true;
  std::string_view query_message;  // its fields are parameters of the path
  Names query;
};

void Builder::WriteParameter(std::string_view name, std::string_view in, std::string_view type,
                             std::string_view description, JsonWriter& out) const {
  out.Begin();
  if (!description.empty()) out.Member("description", description);
  out.Member("in", in);
  out.Member("name", name);
  if (in == "path") out.Member("required", true);
  if (version_ == Version::kV3) out.Begin("schema");
  out.Member("type", type);
  out.Member("uniqueItems", true);
  if (version_ == Version::kV3) out.End();
  out.End();
}

// Fields of an options type as query parameters; all scalars if `only` is empty.
void Builder::WriteQueryParameters(std::string_view message, const Names& only, JsonWriter& out) const {
  const uint16_t index = schema::FindMessage(message);
  if (index == schema::kNoMessage) return;
  const auto fields = schema::Messages()[index].fields();
  std::map<std::string_view, size_t> sorted;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].type == schema::Type::kMessage) continue;
    const std::string_view name = fields[i].json_name();
    if (only.empty() || std::find(only.begin(), only.end(), name) != only.end()) sorted.emplace(name, i);
  }
  for (const auto& [name, i] : sorted) {
    const schema::Type type = fields[i].type;
    const std::string_view json_type = type == schema::Type::kBool     ? "boolean"
                                       : type == schema::Type::kString ? "string"
                                                                       : "integer";
    WriteParameter(name, "query", json_type, docs_.Field(index, i), out);
  }
}

void Builder::WriteOperation(const Operation& operation, JsonWriter& out) {
  const bool v2 = version_ == Version::kV2;
  const auto list = [&](std::string_view key, const Names& names) {
    out.BeginList(key);
    for (const std::string_view name : names) out.String(name);
    out.EndList();
  };
  const auto schema = [&](std::string_view definition) {
    out.Begin("schema");
    if (definition == kString) {
      out.Member("type", "string");
    } else {
      out.Member("$ref", Ref(UseName(std::string(definition))));
    }
    out.End();
  };
  out.Begin(operation.method);
  out.Member("description", operation.description);
  if (v2) {
    list("consumes", operation.consumes);
    list("produces", operation.produces);
    list("schemes", {"https"});
  }
  list("tags", {operation.tag});
  out.Member("operationId", operation.id);
  const bool body_parameter = v2 && !operation.body.empty();
  if (body_parameter || !operation.query.empty()) {
    out.BeginList("parameters");
    if (body_parameter) {
      out.Begin();
      out.Member("in", "body");
      out.Member("name", "body");
      if (operation.body_required) out.Member("required", true);
      schema(operation.body);
      out.End();
    }
    for (const auto& [message, names] : operation.query) WriteQueryParameters(message, names, out);
    out.EndList();
  }
  if (!v2 && !operation.body.empty()) {
    out.Begin("requestBody");
    out.Begin("content");
    for (const std::string_view media : operation.consumes) {
      out.Begin(media);
      schema(operation.body);
      out.End();
    }
    out.End();
    if (operation.body_required) out.Member("required", true);
    out.End();
  }
  out.Begin("responses");
  for (const int code : operation.codes) {
    out.Begin(std::to_string(code));
    out.Member("description", code == 200 ? "OK" : code == 201 ? "Created" : "Accepted");
    if (!operation.result.empty()) {
      if (v2) {
        schema(operation.result);
      } else {
        out.Begin("content");
        for (const std::string_view media : operation.produces) {
          out.Begin(media);
          schema(operation.result);
          out.End();
        }
        out.End();
      }
    }
    out.End();
  }
  out.Begin("401");
  out.Member("description", "Unauthorized");
  out.End();
  out.End();
  if (!operation.action.empty()) {
    out.Member("x-kubernetes-action", operation.action);
    out.Begin("x-kubernetes-group-version-kind");
    out.Member("group", operation.kind.group);
    out.Member("kind", operation.kind.kind);
    out.Member("version", operation.kind.version);
    out.End();
  }
  out.End();
}

std::string Builder::PathItem(const std::vector<Operation>& operations, const Params& params) {
  JsonWriter out;
  out.Begin();
  for (const Operation& operation : operations) WriteOperation(operation, out);
  if (params.name || params.in_namespace || params.rest || params.pretty || !params.query_message.empty()) {
    out.BeginList("parameters");
    if (params.name) WriteParameter("name", "path", "string", fmt::format("name of the {}", params.name_of), out);
    if (params.in_namespace) {
      WriteParameter("namespace", "path", "string", "object name and auth scope, such as for teams and projects", out);
    }
    if (params.rest) WriteParameter("path", "path", "string", "path to the resource", out);
    if (!params.query_message.empty()) WriteQueryParameters(params.query_message, params.query, out);
    if (params.pretty) WriteParameter("pretty", "query", "string", kPrettyText, out);
    out.EndList();
  }
  out.End();
  return out.Take();
}

void Builder::KindPaths(const Kind& kind, const ServedVersion& version, std::map<std::string, std::string>& paths) {
  const std::string object = DefinitionOf(kind, version, false);
  const std::string base = GroupVersionPath(kind.group, version.version);
  const std::string prefix = CapitalizedWords(ShortGroup(kind.group)) + Title(version.version);
  const std::string scope = kind.namespaced ? "Namespaced" : "";
  const GroupVersionKind gvk{kind.group, version.version, kind.kind};
  const std::string tag = Tag(kind.group, version.version);
  const std::string list_options = std::string(kMeta) + "ListOptions",
                    create_options = std::string(kMeta) + "CreateOptions",
                    update_options = std::string(kMeta) + "UpdateOptions",
                    patch_options = std::string(kMeta) + "PatchOptions",
                    delete_options = std::string(kMeta) + "DeleteOptions",
                    status = DefinitionName(std::string(kMeta) + "Status");
  const auto operation = [&](std::string_view method, std::string_view action) {
    Operation out;
    out.method = method;
    out.tag = tag;
    out.action = action;
    out.kind = gvk;
    return out;
  };
  const auto list = [&](std::string id) {
    Operation out = operation("get", "list");
    out.description = fmt::format("list{} objects of kind {}", Has(kind.verbs, "watch") ? " or watch" : "", kind.kind);
    out.id = std::move(id);
    out.produces = WatchMedia();
    out.result = DefinitionOf(kind, version, true);
    return out;
  };
  const std::string collection =
      kind.namespaced ? fmt::format("{}/namespaces/{{namespace}}/{}", base, kind.resource) : base + "/" + kind.resource;

  std::vector<Operation> on_collection;
  if (Has(kind.verbs, "list")) {
    on_collection.push_back(list("list" + prefix + scope + kind.kind));
    on_collection.back().query = {{list_options, {}}};
  }
  if (Has(kind.verbs, "create") || kind.create_only) {
    Operation out = operation("post", "post");
    out.description = "create " + WithArticle(kind.kind);
    out.id = "create" + prefix + scope + kind.kind;
    out.body = out.result = object;
    out.query = {{create_options, {}}};
    out.codes = {200, 201, 202};
    on_collection.push_back(std::move(out));
  }
  if (Has(kind.verbs, "deletecollection")) {
    Operation out = operation("delete", "deletecollection");
    out.description = "delete collection of " + kind.kind;
    out.id = "delete" + prefix + "Collection" + scope + kind.kind;
    out.body = UseMessage(delete_options);
    out.body_required = false;
    out.query = {{list_options,
                  {"continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch",
                   "sendInitialEvents", "timeoutSeconds"}},
                 {delete_options,
                  {"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy",
                   "ignoreStoreReadErrorWithClusterBreakingPotential"}}};
    out.result = status;
    on_collection.push_back(std::move(out));
  }
  if (!on_collection.empty()) paths[collection] = PathItem(on_collection, {.in_namespace = kind.namespaced});
  if (kind.namespaced && Has(kind.verbs, "list")) {
    paths[base + "/" + kind.resource] =
        PathItem({list("list" + prefix + kind.kind + "ForAllNamespaces")}, {.query_message = list_options});
  }

  std::vector<Operation> on_item;
  if (Has(kind.verbs, "get")) {
    Operation out = operation("get", "get");
    out.description = "read the specified " + kind.kind;
    out.id = "read" + prefix + scope + kind.kind;
    out.result = object;
    on_item.push_back(std::move(out));
  }
  if (Has(kind.verbs, "update")) {
    Operation out = operation("put", "put");
    out.description = "replace the specified " + kind.kind;
    out.id = "replace" + prefix + scope + kind.kind;
    out.body = out.result = object;
    out.query = {{update_options, {}}};
    out.codes = {200, 201};
    on_item.push_back(std::move(out));
  }
  if (Has(kind.verbs, "delete")) {
    Operation out = operation("delete", "delete");
    out.description = "delete " + WithArticle(kind.kind);
    out.id = "delete" + prefix + scope + kind.kind;
    out.body = UseMessage(delete_options);
    out.body_required = false;
    out.query = {{delete_options,
                  {"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy",
                   "ignoreStoreReadErrorWithClusterBreakingPotential"}}};
    out.result = status;
    out.codes = {200, 202};
    on_item.push_back(std::move(out));
  }
  const Names patches =
      version.prototype == nullptr
          ? Names{"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"}
          : Names{"application/json-patch+json", "application/merge-patch+json",
                  "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
  if (Has(kind.verbs, "patch")) {
    Operation out = operation("patch", "patch");
    out.description = "partially update the specified " + kind.kind;
    out.id = "patch" + prefix + scope + kind.kind;
    out.consumes = patches;
    out.body = UseName(std::string(kPatch));
    out.query = {{patch_options, {}}};
    out.result = object;
    out.codes = {200, 201};
    on_item.push_back(std::move(out));
  }
  const Params item{.name = true, .in_namespace = kind.namespaced, .name_of = kind.kind};
  if (!on_item.empty()) paths[collection + "/{name}"] = PathItem(on_item, item);

  for (const Subresource& sub : kind.subresources) {
    const std::string suffix = Title(sub.name);
    const std::string path = fmt::format("{}/{{name}}/{}", collection, sub.name);
    const bool own = sub.prototype == nullptr;
    const GroupVersionKind sub_kind = own ? gvk : GroupVersionKind{sub.group, sub.version, sub.kind};
    const std::string body = own ? object : DefinitionName(sub.prototype().GetDescriptor()->full_name());
    std::vector<Operation> operations;
    const auto add = [&](std::string_view method, std::string_view action, std::string verb, std::string text) {
      Operation out = operation(method, action);
      out.kind = sub_kind;
      out.description = std::move(text);
      out.id = verb + prefix + scope + kind.kind + suffix;
      out.result = body;
      operations.push_back(std::move(out));
      return &operations.back();
    };
    if (sub.connect) {
      const std::string_view options = ConnectOptions(kind, sub.name);
      const std::string message = "k8s.io.api.core.v1." + std::string(options);
      Params params{.name = true, .in_namespace = kind.namespaced, .pretty = false};
      params.name_of = options.empty() ? kind.kind : std::string(options);
      if (!options.empty()) params.query_message = message;
      if (sub.name == "log") {
        Operation* get = add("get", "get", "read", fmt::format("read log of the specified {}", kind.kind));
        get->produces.insert(get->produces.begin(), "text/plain");
        get->result = kString;
        params.pretty = true;
        params.name_of = kind.kind;
        paths[path] = PathItem(operations, params);
        continue;
      }
      const Names methods =
          sub.HasPathRest() ? Names{"get", "put", "post", "delete", "options", "head", "patch"} : Names{"get", "post"};
      for (const bool rest : {false, true}) {
        if (rest && !sub.HasPathRest()) break;
        operations.clear();
        for (const std::string_view method : methods) {
          std::string upper(method);
          for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
          Operation out = operation(method, "connect");
          out.kind = {"", "v1", options.empty() ? kind.kind : std::string(options)};
          out.description = fmt::format("connect {} requests to {} of {}", upper, sub.name, kind.kind);
          out.id = fmt::format("connect{}{}{}{}{}{}", prefix, Title(method), scope, kind.kind, suffix,
                               rest ? "WithPath" : "");
          out.produces = {"*/*"};
          out.result = kString;
          operations.push_back(std::move(out));
        }
        Params here = params;
        here.rest = rest;
        paths[rest ? path + "/{path}" : path] = PathItem(operations, here);
      }
      continue;
    }
    if (Has(sub.verbs, "get")) {
      add("get", "get", "read", fmt::format("read {} of the specified {}", sub.name, kind.kind));
    }
    if (Has(sub.verbs, "update")) {
      Operation* put = add("put", "put", "replace", fmt::format("replace {} of the specified {}", sub.name, kind.kind));
      put->body = body;
      put->query = {{update_options, {}}};
      put->codes = {200, 201};
    }
    if (Has(sub.verbs, "create")) {
      Operation* post = add("post", "post", "create", fmt::format("create {} of {}", sub.name, WithArticle(kind.kind)));
      post->body = body;
      post->query = {{create_options, {}}};
      post->codes = {200, 201, 202};
    }
    if (Has(sub.verbs, "patch")) {
      Operation* patch =
          add("patch", "patch", "patch", fmt::format("partially update {} of the specified {}", sub.name, kind.kind));
      patch->consumes = patches;
      patch->body = UseName(std::string(kPatch));
      patch->query = {{patch_options, {}}};
      patch->codes = {200, 201};
    }
    if (!operations.empty()) paths[path] = PathItem(operations, item);
  }
  WatchPaths(kind, version, paths);
}

// The old way to watch: a path of its own.
void Builder::WatchPaths(const Kind& kind, const ServedVersion& version, std::map<std::string, std::string>& paths) {
  // Upstream has none for custom resources.
  if (!Has(kind.verbs, "watch") || version.prototype == nullptr) return;
  const std::string base = GroupVersionPath(kind.group, version.version) + "/watch";
  const std::string prefix = CapitalizedWords(ShortGroup(kind.group)) + Title(version.version);
  const std::string scope = kind.namespaced ? "Namespaced" : "";
  const std::string list_options = std::string(kMeta) + "ListOptions";
  const auto watch = [&](std::string id, bool single) {
    Operation out;
    out.method = "get";
    out.tag = Tag(kind.group, version.version);
    out.action = single ? "watch" : "watchlist";
    out.kind = {kind.group, version.version, kind.kind};
    out.id = std::move(id);
    out.produces = WatchMedia();
    out.result = DefinitionName(std::string(kMeta) + "WatchEvent");
    out.description =
        single ? fmt::format(
                     "watch changes to an object of kind {}. deprecated: use the 'watch' parameter with a list "
                     "operation instead, filtered to a single item with the 'fieldSelector' parameter.",
                     kind.kind)
               : fmt::format(
                     "watch individual changes to a list of {}. deprecated: use the 'watch' parameter with a list "
                     "operation instead.",
                     kind.kind);
    return out;
  };
  const std::string collection =
      kind.namespaced ? fmt::format("{}/namespaces/{{namespace}}/{}", base, kind.resource) : base + "/" + kind.resource;
  paths[collection] = PathItem({watch("watch" + prefix + scope + kind.kind + "List", false)},
                               {.in_namespace = kind.namespaced, .query_message = list_options});
  if (kind.namespaced) {
    paths[base + "/" + kind.resource] = PathItem({watch("watch" + prefix + kind.kind + "ListForAllNamespaces", false)},
                                                 {.query_message = list_options});
  }
  if (Has(kind.verbs, "get")) {
    paths[collection + "/{name}"] =
        PathItem({watch("watch" + prefix + scope + kind.kind, true)},
                 {.name = true, .in_namespace = kind.namespaced, .name_of = kind.kind, .query_message = list_options});
  }
}

std::string Builder::DiscoveryItem(std::string_view description, std::string_view id, std::string_view tag,
                                   std::string_view definition) {
  Operation get;
  get.method = "get";
  get.description = description;
  get.id = id;
  get.tag = tag;
  get.consumes = Media();
  get.result = definition;
  if (definition.ends_with("version.Info")) get.consumes = get.produces = {"application/json"};
  return PathItem({get}, {.pretty = false});
}

void Builder::WritePaths(std::string_view document, const Sink& sink) {
  std::map<std::string, std::string> paths;
  const auto wanted = [&](std::string_view name) { return document.empty() || document == name; };
  const auto meta = [&](std::string_view name) { return DefinitionName(std::string(kMeta) + std::string(name)); };
  if (wanted("api")) {
    paths["/api/"] = DiscoveryItem("get available API versions", "getCoreAPIVersions", "core", meta("APIVersions"));
  }
  if (wanted("apis")) {
    paths["/apis/"] = DiscoveryItem("get available API versions", "getAPIVersions", "apis", meta("APIGroupList"));
  }
  if (wanted("version")) {
    paths["/version/"] = DiscoveryItem("get the version information for this server", "getCodeVersion", "version",
                                       "io.k8s.apimachinery.pkg.version.Info");
  }
  for (const registry::KindPtr& kind : kinds_) {
    if (!kind->group.empty() && wanted("apis/" + kind->group)) {
      paths.try_emplace(
          "/apis/" + kind->group + "/",
          DiscoveryItem("get information of a group", "get" + CapitalizedWords(ShortGroup(kind->group)) + "APIGroup",
                        GroupTag(kind->group), meta("APIGroup")));
    }
    for (const ServedVersion& version : kind->versions) {
      const std::string base = GroupVersionPath(kind->group, version.version);
      if (!wanted(std::string_view(base).substr(1))) continue;
      paths.try_emplace(base + "/", DiscoveryItem("get available resources",
                                                  "get" + CapitalizedWords(ShortGroup(kind->group)) +
                                                      Title(version.version) + "APIResources",
                                                  Tag(kind->group, version.version), meta("APIResourceList")));
      KindPaths(*kind, version, paths);
    }
  }
  for (const auto& [path, text] : paths) sink.path(path, text);
}

std::vector<std::string> DocumentNames(const std::vector<registry::KindPtr>& kinds) {
  std::set<std::string> names = {"api", "apis", "version"};
  for (const registry::KindPtr& kind : kinds) {
    if (!kind->group.empty()) names.insert("apis/" + kind->group);
    for (const ServedVersion& version : kind->versions) {
      names.insert(GroupVersionPath(kind->group, version.version).substr(1));
    }
  }
  return {names.begin(), names.end()};
}

void Builder::Build(std::string_view document, const Sink& sink) {
  WritePaths(document, sink);
  // A group version has all its kinds, be they in a path or not.
  for (const auto& [name, kinds] : kinds_of_) {
    for (const GroupVersionKind& kind : kinds) {
      const bool common = name.find(".apis.meta.v1.") != std::string::npos;
      const bool here = document.empty() || GroupVersionPath(kind.group, kind.version).substr(1) == document;
      if (here && !common) UseName(name);
    }
  }
  WriteDefinitions(sink);
}

std::string Builder::Json(std::string_view document) {
  JsonWriter paths, definitions;
  paths.Begin();
  definitions.Begin();
  Build(document, {.path =
                       [&](std::string_view path, std::string_view json) {
                         paths.Key(path);
                         paths.Raw(json);
                       },
                   .definition =
                       [&](std::string_view name, std::string_view json) {
                         definitions.Key(name);
                         definitions.Raw(json);
                       }});
  paths.End();
  definitions.End();
  const bool v2 = version_ == Version::kV2;
  constexpr std::string_view kSecurity =
      R"({"BearerToken":{"description":"Bearer Token authentication","type":"apiKey","name":"authorization","in":"header"}})";
  JsonWriter out;
  out.Begin();
  v2 ? out.Member("swagger", "2.0") : out.Member("openapi", "3.0.0");
  out.Begin("info");
  out.Member("title", "Kubernetes");
  out.Member("version", options_.git_version);
  out.End();
  out.Key("paths");
  out.Raw(paths.Take());
  if (v2) {
    out.Key("definitions");
    out.Raw(definitions.Take());
    out.Key("securityDefinitions");
    out.Raw(kSecurity);
    out.Key("security");
    out.Raw(R"([{"BearerToken":[]}])");
  } else {
    out.Begin("components");
    out.Key("schemas");
    out.Raw(definitions.Take());
    out.Key("securitySchemes");
    out.Raw(kSecurity);
    out.End();
  }
  out.End();
  return out.Take();
}

}  // namespace knarr::openapi
