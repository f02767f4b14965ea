// The text of OpenAPI documents. One Builder makes one document and is thrown away.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/schema/docs.h"
#include "pkg/api/schema/tables.h"
#include "pkg/apiserver/openapi/json_writer.h"
#include "pkg/apiserver/openapi/openapi.h"

namespace knarr::openapi {

enum class Version { kV2, kV3 };

struct GroupVersionKind {
  std::string group, version, kind;
  friend auto operator<=>(const GroupVersionKind&, const GroupVersionKind&) = default;
};

// Parts of a document: what takes it apart for protobuf gets each as it comes.
struct Sink {
  std::function<void(std::string_view path, std::string_view json)> path;
  std::function<void(std::string_view name, std::string_view json)> definition;
};

// The documents below /openapi/v3: "api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version".
std::vector<std::string> DocumentNames(const std::vector<registry::KindPtr>& kinds);

class Builder {
 public:
  Builder(Version version, const Options& options, const std::vector<registry::KindPtr>& kinds);

  // Of everything (v2) or of one of DocumentNames (v3); paths in order, then definitions in order of their names.
  void Build(std::string_view document, const Sink& sink);
  // The whole JSON text.
  std::string Json(std::string_view document);

 private:
  struct Definition {
    uint16_t message = schema::kNoMessage;
    // Of a custom kind; its list if `list`.
    const registry::Kind* custom = nullptr;
    std::string version;
    bool list = false;
    bool patch = false;  // metav1.Patch, which has no message
    bool info = false;   // version.Info, likewise
    std::set<GroupVersionKind> kinds;
  };
  struct Operation;
  struct Params;

  // ---- definitions (definitions.cc)
  void NameKinds();
  void AddKind(const std::string& name, GroupVersionKind kind);
  // The name of the definition, which becomes a part of the document.
  std::string Use(uint16_t message);
  std::string UseMessage(std::string_view full_name);
  std::string UseName(std::string name);
  std::string Ref(std::string_view name) const;
  void WriteDefinition(const std::string& name, const Definition& definition, JsonWriter& out);
  void WriteStruct(uint16_t message, JsonWriter& out);
  void WriteSpecial(schema::Special special, std::string_view full_name, JsonWriter& out) const;
  void WriteProperty(uint16_t message, size_t index, JsonWriter& out);
  void WriteValueType(const schema::Field& field, bool pointer, bool element, std::string_view description,
                      std::string_view fallback, JsonWriter& out);
  void WriteCustom(const Definition& definition, JsonWriter& out);
  void WriteCustomList(const Definition& definition, JsonWriter& out);
  void WriteTypeMeta(JsonWriter& out);
  std::string_view TypeMetaDoc(std::string_view field) const;
  void WriteGroupVersionKinds(const std::set<GroupVersionKind>& kinds, JsonWriter& out) const;
  void WriteDefinitions(const Sink& sink);
  std::string DefinitionOf(const registry::Kind& kind, const registry::ServedVersion& version, bool list) const;

  // ---- paths (paths.cc)
  void WritePaths(std::string_view document, const Sink& sink);
  void KindPaths(const registry::Kind& kind, const registry::ServedVersion& version,
                 std::map<std::string, std::string>& paths);
  void SubresourcePaths(const registry::Kind& kind, const registry::ServedVersion& version, const std::string& prefix,
                        std::map<std::string, std::string>& paths);
  void WatchPaths(const registry::Kind& kind, const registry::ServedVersion& version,
                  std::map<std::string, std::string>& paths);
  std::string PathItem(const std::vector<Operation>& operations, const Params& params);
  void WriteOperation(const Operation& operation, JsonWriter& out);
  void WriteQueryParameters(std::string_view message, const std::vector<std::string_view>& only, JsonWriter& out) const;
  void WriteParameter(std::string_view name, std::string_view in, std::string_view type, std::string_view description,
                      JsonWriter& out) const;
  std::string DiscoveryItem(std::string_view description, std::string_view id, std::string_view tag,
                            std::string_view message);

  const Version version_;
  const Options& options_;
  const std::vector<registry::KindPtr>& kinds_;
  const schema::Docs docs_;
  std::map<std::string, Definition> known_;  // by name: what has kinds
  std::map<std::string, std::set<GroupVersionKind>> kinds_of_;
  std::set<std::string> used_;
  std::vector<std::string> pending_;  // used, not yet written
};

// io.k8s.api.core.v1.Pod
std::string DefinitionName(std::string_view message_full_name);
// com.example.stable.v1.CronTab
std::string CustomName(std::string_view group, std::string_view version, std::string_view kind);
std::string CapitalizedWords(std::string_view text);  // rbac.authorization -> RbacAuthorization

// The schema of a custom resource as OpenAPI v2 can say it.
std::string ToV2(const boost::json::object& schema);

}  // namespace knarr::openapi
