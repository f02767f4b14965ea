#include "pkg/api/scheme/scheme.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include "pkg/api/scheme/known.h"
#include "pkg/api/scheme/tables.h"

namespace knarr::scheme {
namespace {

constexpr std::string_view kVerbNames[] = {"create", "delete", "deletecollection", "get",
                                           "list",   "patch",  "update",           "watch"};
// Resources that clients only create, though their types have no +genclient.
constexpr std::string_view kCreateOnly[] = {"create"};

// All the parts that are made once: rows with spans into `verbs`.
struct Registry {
  std::vector<ResourceInfo> resources;
  std::array<std::vector<std::string_view>, 256> verbs;  // by bits
  std::vector<std::string> singulars;

  Registry() {
    resources.reserve(kResourceCount + 1);
    singulars.reserve(kResourceCount + 1);
    for (size_t i = 0; i < kResourceCount; ++i) {
      const ResourceRow& row = kResources[i];
      Add({.group = row.group,
           .version = row.version,
           .kind = row.kind,
           .resource = row.resource,
           .namespaced = row.namespaced,
           .verbs = Verbs(row.verbs),
           .prototype = row.prototype});
    }
    // Posting a Binding is how a scheduler assigns a pod; upstream gives it a hand-written client.
    if (const KindRow* binding = FindKindRow("", "v1", "Binding")) {
      Add({.group = "",
           .version = "v1",
           .kind = "Binding",
           .resource = "bindings",
           .namespaced = true,
           .verbs = kCreateOnly,
           .prototype = binding->prototype});
    }
    std::sort(resources.begin(), resources.end(), [](const ResourceInfo& a, const ResourceInfo& b) {
      return std::tie(a.group, a.version, a.kind) < std::tie(b.group, b.version, b.kind);
    });
  }

  static const KindRow* FindKindRow(std::string_view group, std::string_view version, std::string_view kind) {
    const auto wanted = std::tie(group, version, kind);
    const auto* end = kKinds + kKindCount;
    const auto* at = std::lower_bound(kKinds, end, wanted, [](const KindRow& row, const auto& key) {
      return std::tie(row.group, row.version, row.kind) < key;
    });
    return at != end && std::tie(at->group, at->version, at->kind) == wanted ? at : nullptr;
  }

 private:
  void Add(ResourceInfo info) {
    std::string& singular = singulars.emplace_back(info.kind);
    for (char& c : singular) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    info.singular = singular;
    for (const KnownResource& known : KnownResources()) {
      if (known.group != info.group || known.resource != info.resource) continue;
      info.short_names = known.short_names;
      info.categories = known.categories;
    }
    resources.push_back(info);
  }

  std::span<const std::string_view> Verbs(uint8_t bits) {
    std::vector<std::string_view>& names = verbs[bits];
    if (names.empty()) {
      for (size_t bit = 0; bit < std::size(kVerbNames); ++bit) {
        if (bits >> bit & 1) names.push_back(kVerbNames[bit]);
      }
    }
    return names;
  }
};

const Registry& Get() {
  // Never destroyed: objects may be made while the process exits.
  static const Registry* const registry = new Registry();
  return *registry;
}

// "apps/v1" -> "apps", "v1"; "v1" -> "", "v1".
std::pair<std::string_view, std::string_view> SplitApiVersion(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) return {{}, api_version};
  return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

bool EqualFold(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// Stable versions before beta before alpha, newer ones first: v2, v1, v2beta1, v1alpha1.
// Mirrors: k8s.io/apimachinery/pkg/version/helpers.go
std::tuple<int, int, int> VersionPriority(std::string_view version) {
  int major = 0, minor = 0;
  size_t at = 1;
  for (; at < version.size() && version[at] >= '0' && version[at] <= '9'; ++at)
    major = major * 10 + (version[at] - '0');
  const std::string_view rest = version.substr(at);
  const int stability = rest.empty() ? 2 : rest.starts_with("beta") ? 1 : 0;
  for (const char c : rest) {
    if (c >= '0' && c <= '9') minor = minor * 10 + (c - '0');
  }
  return {stability, major, minor};
}

// Between groups that have a resource of the same name, the one that a bare name means.
int GroupPriority(std::string_view group) {
  if (group.empty()) return 3;
  if (group == "extensions" || group == "metrics.k8s.io" || group == "events.k8s.io") return 0;
  return 1;
}

}  // namespace

std::string ResourceInfo::ApiVersion() const {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

std::span<const ResourceInfo> AllResources() {
  return Get().resources;
}

const ResourceInfo* FindKind(std::string_view api_version, std::string_view kind) {
  const auto [group, version] = SplitApiVersion(api_version);
  const auto& all = Get().resources;
  const auto wanted = std::tie(group, version, kind);
  const auto at = std::lower_bound(all.begin(), all.end(), wanted, [](const ResourceInfo& row, const auto& key) {
    return std::tie(row.group, row.version, row.kind) < key;
  });
  return at != all.end() && std::tie(at->group, at->version, at->kind) == wanted ? &*at : nullptr;
}

const ResourceInfo* FindResource(std::string_view group, std::string_view version, std::string_view resource) {
  for (const ResourceInfo& info : Get().resources) {
    if (info.group == group && info.version == version && info.resource == resource) return &info;
  }
  return nullptr;
}

const ResourceInfo* FindByName(std::string_view name) {
  // deployments.apps, deployments.v1.apps
  const size_t dot = name.find('.');
  const std::string_view base = name.substr(0, dot);
  std::string_view group = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  const ResourceInfo* best = nullptr;
  const auto rank = [](const ResourceInfo& info) {
    return std::make_tuple(GroupPriority(info.group), VersionPriority(info.version));
  };
  for (const ResourceInfo& info : Get().resources) {
    const bool named = EqualFold(base, info.resource) || EqualFold(base, info.singular) ||
                       std::any_of(info.short_names.begin(), info.short_names.end(),
                                   [&](std::string_view s) { return EqualFold(base, s); });
    if (!named) continue;
    if (dot != std::string_view::npos && group != info.group && group != fmt::format("{}.{}", info.version, info.group))
      continue;
    if (best == nullptr || rank(info) > rank(*best)) best = &info;
  }
  return best;
}

Result<std::unique_ptr<google::protobuf::Message>> New(std::string_view api_version, std::string_view kind) {
  const auto [group, version] = SplitApiVersion(api_version);
  const KindRow* row = Registry::FindKindRow(group, version, kind);
  if (row == nullptr) {
    return Error(Code::kNotFound, "no kind \"{}\" is registered for version \"{}\"", kind, api_version);
  }
  return std::unique_ptr<google::protobuf::Message>(row->prototype().New());
}

}  // namespace knarr::scheme
