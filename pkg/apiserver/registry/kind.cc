#include "pkg/apiserver/registry/kind.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::registry {
namespace {

std::string ApiVersion(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

}  // namespace

std::vector<Column> Strategy::Columns() const {
  return {{.name = "Name", .format = "name", .description = "The name of the object."},
          {.name = "Created At", .type = "date", .description = "When the server made the object."}};
}

std::vector<Cell> Strategy::Cells(const Object& object, WallTime) const {
  const auto& metadata = object.metadata();
  std::string created = codec::EncodeJson(metadata.creationtimestamp());  // quoted, or null
  if (created.size() > 2 && created.front() == '"') created = created.substr(1, created.size() - 2);
  return {metadata.name(), std::move(created)};
}

// Mirrors: HumanDuration in k8s.io/apimachinery/pkg/util/duration/duration.go
std::string HumanAge(WallTime since, WallTime now) {
  if (since.time_since_epoch().count() == 0) return "<unknown>";
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now - since).count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 60 * 2) return fmt::format("{}s", seconds);
  const auto both = [](int64_t big, const char* unit, int64_t small, const char* small_unit) {
    return small == 0 ? fmt::format("{}{}", big, unit) : fmt::format("{}{}{}{}", big, unit, small, small_unit);
  };
  const int64_t minutes = seconds / 60;
  if (minutes < 10) return both(minutes, "m", seconds % 60, "s");
  if (minutes < 60 * 3) return fmt::format("{}m", minutes);
  const int64_t hours = seconds / 3600;
  if (hours < 8) return both(hours, "h", minutes % 60, "m");
  if (hours < 48) return fmt::format("{}h", hours);
  if (hours < 24 * 8) return both(hours / 24, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return fmt::format("{}d", hours / 24);
  if (hours < 24 * 365 * 8) return both(hours / 24 / 365, "y", hours / 24 % 365, "d");
  return fmt::format("{}y", hours / 24 / 365);
}

std::string Kind::HubApiVersion() const {
  return ApiVersion(group, versions.front().version);
}

std::string Kind::GroupResource() const {
  return group.empty() ? resource : resource + "." + group;
}

const ServedVersion* Kind::FindVersion(std::string_view version) const {
  for (const ServedVersion& served : versions) {
    if (served.version == version) return &served;
  }
  return nullptr;
}

const Subresource* Kind::FindSubresource(std::string_view name) const {
  for (const Subresource& subresource : subresources) {
    if (subresource.name == name) return &subresource;
  }
  return nullptr;
}

Kind BuiltinKind(std::string_view group, std::string_view resource, std::vector<std::string_view> versions,
                 std::shared_ptr<const Strategy> strategy) {
  Kind kind;
  kind.group = group;
  kind.resource = resource;
  kind.strategy = std::move(strategy);
  for (const std::string_view version : versions) {
    const scheme::ResourceInfo* info = scheme::FindResource(group, version, resource);
    KNARR_CHECK(info != nullptr);
    kind.versions.push_back({.version = std::string(version), .prototype = info->prototype, .deprecation_warning = {}});
    if (kind.versions.size() > 1) continue;
    kind.kind = info->kind;
    kind.list_kind = std::string(info->kind) + "List";
    kind.singular = info->singular;
    kind.namespaced = info->namespaced;
    kind.short_names.assign(info->short_names.begin(), info->short_names.end());
    kind.categories.assign(info->categories.begin(), info->categories.end());
    kind.verbs.assign(info->verbs.begin(), info->verbs.end());
  }
  kind.storage_version = kind.HubApiVersion();
  kind.storage_prefix = fmt::format("/registry/{}/", resource);
  return kind;
}

Status Access::DeleteWithOptions(const Context& ctx, struct GroupResource what, std::string_view ns,
                                 std::string_view name, const ::knarr::meta::DeleteOptions& options) {
  const auto& wanted = options.preconditions();
  if (wanted.has_resourceversion()) {
    const ObjectRef object = KNARR_TRY(GetConsistent(ctx, what, ns, name));
    const std::string& version = object->metadata().resourceversion();
    if (version != wanted.resourceversion()) {
      return errors::Conflict(
          what.group, what.resource, name,
          fmt::format("the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). "
                      "The object might have been modified",
                      wanted.resourceversion(), version));
    }
  }
  return Delete(ctx, what, ns, name, wanted.uid());
}

}  // namespace knarr::registry
