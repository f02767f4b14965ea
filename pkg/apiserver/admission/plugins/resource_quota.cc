// Counts what a write takes against the quotas of its namespace, in their status, before the write. What a failed write
// took is given back by the quota controller's next full count, as upstream's is.
// Mirrors: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota
#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/admission/config.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/quota_evaluators.h"

namespace knarr::admission {
namespace {

using quota::Evaluator;
using quota::Scope;
constexpr registry::GroupResource kQuotas{"", "resourcequotas"};

// Names that may only be used where a quota covers them.
struct LimitedResource {
  std::string group, resource;
  std::vector<std::string> match_contains;
  std::vector<Scope> match_scopes;
};

Result<std::vector<LimitedResource>> ParseConfig(const std::string& text) {
  std::vector<LimitedResource> out;
  if (text.empty()) return out;
  auto config = KNARR_TRY(ConfigObject::Parse(text, "ResourceQuotaConfiguration",
                                              {"apiserver.config.k8s.io/v1", "resourcequota.admission.k8s.io/v1beta1",
                                               "resourcequota.admission.k8s.io/v1alpha1"}));
  auto limited = KNARR_TRY(config.Objects("limitedResources"));
  KNARR_TRY(config.Finish());
  for (ConfigObject& item : limited) {
    LimitedResource one;
    one.group = KNARR_TRY(item.String("apiGroup"));
    one.resource = KNARR_TRY(item.String("resource"));
    one.match_contains = KNARR_TRY(item.Strings("matchContains"));
    for (ConfigObject& scope : KNARR_TRY(item.Objects("matchScopes"))) {
      Scope read;
      read.name = KNARR_TRY(scope.String("scopeName"));
      read.op = KNARR_TRY(scope.String("operator"));
      read.values = KNARR_TRY(scope.Strings("values"));
      KNARR_TRY(scope.Finish());
      one.match_scopes.push_back(std::move(read));
    }
    KNARR_TRY(item.Finish());
    if (one.resource.empty()) return Error(Code::kInvalid, "limitedResources: resource: Required value");
    out.push_back(std::move(one));
  }
  return out;
}

std::set<std::string> Names(const ResourceList& list) {
  std::set<std::string> out;
  for (const auto& [name, value] : list) out.insert(name);
  return out;
}

std::string Print(const ResourceList& list, const std::set<std::string>& names) {
  std::vector<std::string> parts;
  for (const std::string& name : names) {
    const auto found = list.find(name);
    parts.push_back(fmt::format("{}={}", name, found == list.end() ? "0" : found->second.ToString()));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

// Adds `delta` to the quota's use of what it limits; kForbidden when that is too much.
Status Charge(const Attributes& attributes, const core::ResourceQuota& quota, const ResourceList& delta,
              ResourceList* used) {
  const ResourceList hard = ToResources(quota.status().hard());
  *used = ToResources(quota.status().used());
  const ResourceList before = *used;
  std::set<std::string> exceeded;
  for (const auto& [name, value] : delta) {
    const auto limit = hard.find(name);
    if (limit == hard.end()) continue;
    (*used)[name] += value;
    if ((*used)[name] > limit->second) exceeded.insert(name);
  }
  if (exceeded.empty() || attributes.subresource == "status") return {};
  return Forbidden(attributes,
                   fmt::format("exceeded quota: {}, requested: {}, used: {}, limited: {}", quota.metadata().name(),
                               Print(delta, exceeded), Print(before, exceeded), Print(hard, exceeded)));
}

class ResourceQuota : public PluginBase {
 public:
  ResourceQuota(const PluginDeps& deps, std::vector<LimitedResource> limited)
      : PluginBase("ResourceQuota", {Operation::kCreate, Operation::kUpdate}, deps), limited_(std::move(limited)) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    const bool concerned = attributes.subresource.empty() && !attributes.namespace_.empty() &&
                           attributes.object != nullptr && attributes.kind != "Namespace";
    if (!concerned || attributes.resource == "events") return {};
    const Evaluator& evaluator = quota::EvaluatorOf(attributes.group, attributes.resource);
    if (!evaluator.Handles(attributes.operation)) return {};
    const auto quotas = KNARR_TRY(Quotas(ctx, attributes.namespace_));
    if (quotas.empty() && limited_.empty()) return {};
    return Check(ctx, attributes, evaluator, quotas);
  }

 private:
  struct Charged {
    registry::ObjectRef quota;
    ResourceList delta;
  };

  // Mirrors: CheckRequest in controller.go
  Status Check(const Context& ctx, const Attributes& attributes, const Evaluator& evaluator,
               const std::vector<registry::ObjectRef>& quotas) {
    const api::Object& object = *attributes.object;
    const WallTime now = deps_.clock->Now();
    std::vector<registry::ObjectRef> matching;
    std::set<std::string> covered;
    std::vector<Scope> covered_scopes;
    for (const auto& ref : quotas) {
      const auto& quota = ref->As<core::ResourceQuota>();
      const auto scopes = quota::ScopesOf(quota);
      const auto in_scope = [&](const Scope& scope) { return evaluator.InScope(scope, object); };
      std::copy_if(scopes.begin(), scopes.end(), std::back_inserter(covered_scopes), in_scope);
      if (!Matches(evaluator, quota, object)) continue;
      const auto names = evaluator.Matching(Names(ToResources(quota.status().hard())));
      if (const Status status = evaluator.Constraints(names, object); !status.ok())
        return Forbidden(attributes, fmt::format("failed quota: {}: {}", quota.metadata().name(), status));
      for (const std::string& name : names) {
        if (!quota.status().used().contains(name))
          return Forbidden(attributes, fmt::format("status unknown for quota: {}, resources: {}",
                                                   quota.metadata().name(), fmt::join(names, ",")));
      }
      matching.push_back(ref);
      covered.insert(names.begin(), names.end());
    }
    const ResourceList usage = evaluator.Usage(object, now);
    ResourceList delta = usage;
    const bool updates = attributes.operation == Operation::kUpdate && attributes.old_object != nullptr;
    if (updates) {
      for (const auto& [name, value] : evaluator.Usage(*attributes.old_object, now)) {
        Quantity& rest = delta[name];
        rest -= value;
        if (rest.Sign() < 0) rest = Quantity();
      }
    }
    std::vector<Charged> charges;
    for (const auto& ref : matching) {
      // A quota that the old object did not fall under is charged for all of the new one.
      const bool all = !updates || !Matches(evaluator, ref->As<core::ResourceQuota>(), *attributes.old_object);
      ResourceList own = all ? usage : delta;
      std::erase_if(own, [](const auto& entry) { return entry.second.IsZero(); });
      if (!own.empty()) charges.push_back({ref, std::move(own)});
    }
    std::erase_if(delta, [](const auto& entry) { return entry.second.IsZero(); });
    if (matching.empty() ? delta.empty() : charges.empty()) return {};
    KNARR_TRY(CheckCovered(attributes, evaluator, usage, covered, covered_scopes));

    // First all of them by what is known, so that no quota is charged for what another refuses.
    for (const Charged& charge : charges) {
      ResourceList used;
      KNARR_TRY(Charge(attributes, charge.quota->As<core::ResourceQuota>(), charge.delta, &used));
    }
    if (attributes.dry_run) return {};
    for (const Charged& charge : charges) KNARR_TRY(Write(ctx, attributes, charge));
    return {};
  }

  static bool Matches(const Evaluator& evaluator, const core::ResourceQuota& quota, const api::Object& object) {
    if (evaluator.Matching(Names(ToResources(quota.status().hard()))).empty()) return false;
    const auto scopes = quota::ScopesOf(quota);
    return std::all_of(scopes.begin(), scopes.end(),
                       [&](const Scope& scope) { return evaluator.InScope(scope, object); });
  }

  Status CheckCovered(const Attributes& attributes, const Evaluator& evaluator, const ResourceList& usage,
                      const std::set<std::string>& covered, const std::vector<Scope>& covered_scopes) const {
    std::set<std::string> uncovered;
    std::vector<std::string> uncovered_scopes;
    for (const LimitedResource& limited : limited_) {
      if (limited.group != attributes.group || limited.resource != attributes.resource) continue;
      for (const auto& [name, value] : usage) {
        const bool matches = std::any_of(limited.match_contains.begin(), limited.match_contains.end(),
                                         [&, n = name](const auto& part) { return n.find(part) != std::string::npos; });
        if (matches && value.Sign() > 0 && !covered.contains(name)) uncovered.insert(name);
      }
      for (const Scope& scope : limited.match_scopes) {
        const bool has = std::any_of(covered_scopes.begin(), covered_scopes.end(),
                                     [&](const Scope& one) { return one.name == scope.name; });
        if (evaluator.InScope(scope, *attributes.object) && !has)
          uncovered_scopes.push_back(fmt::format("{{{} {} [{}]}}", scope.name, scope.op, fmt::join(scope.values, " ")));
      }
    }
    if (!uncovered.empty())
      return Forbidden(attributes, fmt::format("insufficient quota to consume: {}", fmt::join(uncovered, ",")));
    if (!uncovered_scopes.empty())
      return Forbidden(attributes,
                       fmt::format("insufficient quota to match these scopes: [{}]", fmt::join(uncovered_scopes, " ")));
    return {};
  }

  // Compare and swap: judged again by what is stored at that moment.
  Status Write(const Context& ctx, const Attributes& attributes, const Charged& charge) {
    const auto& metadata = charge.quota->metadata();
    const auto written = deps_.access->Update(ctx, kQuotas, metadata.namespace_(), metadata.name(), "status",
                                              [&](api::Object& object) -> Status {
                                                auto& quota = object.As<core::ResourceQuota>();
                                                ResourceList used;
                                                KNARR_TRY(Charge(attributes, quota, charge.delta, &used));
                                                for (const auto& [name, value] : used)
                                                  (*quota.mutable_status()->mutable_used())[name] = value.ToMessage();
                                                return {};
                                              });
    if (!written.ok()) {
      // A quota that is gone limits nothing.
      return written.status().Is(Code::kNotFound) ? Status() : written.status();
    }
    Remember(*written);
    return {};
  }

  // From the cache, or what this plugin wrote since.
  Result<std::vector<registry::ObjectRef>> Quotas(const Context& ctx, const std::string& ns) {
    auto listed = ListServed(ctx, *deps_.access, kQuotas, ns);
    if (!listed.ok()) return Error(Code::kInternal, "error resolving quota: {}", listed.status());
    const std::lock_guard lock(mutex_);
    for (auto& ref : *listed) {
      const auto found = written_.find(ref->metadata().uid());
      if (found == written_.end()) continue;
      if (Revision(*found->second) > Revision(*ref)) {
        ref = found->second;
      } else {
        written_.erase(found);
      }
    }
    return listed;
  }

  void Remember(registry::ObjectRef quota) {
    constexpr size_t kMax = 100;
    const std::lock_guard lock(mutex_);
    if (written_.size() >= kMax) written_.clear();
    std::string uid = quota->metadata().uid();
    written_[std::move(uid)] = std::move(quota);
  }

  static uint64_t Revision(const api::Object& object) {
    return std::strtoull(object.metadata().resourceversion().c_str(), nullptr, 10);
  }

  const std::vector<LimitedResource> limited_;
  std::mutex mutex_;
  std::map<std::string, registry::ObjectRef> written_;  // by uid
};

}  // namespace

PluginResult NewResourceQuota(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<ResourceQuota>(deps, KNARR_TRY(ParseConfig(deps.config))));
}

}  // namespace knarr::admission
