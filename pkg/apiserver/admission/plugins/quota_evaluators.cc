#include "pkg/apiserver/admission/plugins/quota_evaluators.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace knarr::admission::quota {
namespace {

constexpr std::string_view kStorageClassSuffix = ".storageclass.storage.k8s.io/";

const Quantity kOne(1);

class CountEvaluator : public Evaluator {
 public:
  CountEvaluator(std::string count, std::string alias) : count_(std::move(count)), alias_(std::move(alias)) {}
  std::set<std::string> Matching(const std::set<std::string>& names) const override {
    std::set<std::string> out;
    for (const std::string& name : names) {
      if (name == count_ || (!alias_.empty() && name == alias_)) out.insert(name);
    }
    return out;
  }
  ResourceList Usage(const api::Object&, WallTime) const override {
    ResourceList usage{{count_, kOne}};
    if (!alias_.empty()) usage[alias_] = kOne;
    return usage;
  }

 private:
  const std::string count_, alias_;
};

// Mirrors: podComputeUsageHelper
ResourceList ComputeUsage(const ResourceList& requests, const ResourceList& limits) {
  ResourceList usage{{"pods", kOne}};
  for (const auto& [name, value] : requests) {
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-"))
      usage[name] = usage["requests." + name] = value;
    if (IsExtendedResourceName(name)) usage["requests." + name] = value;
  }
  for (const auto& [name, value] : limits) {
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage") usage["limits." + name] = value;
  }
  return usage;
}

bool CrossesNamespaces(const core::Affinity& affinity) {
  const auto crosses = [](const core::PodAffinityTerm& term) {
    return term.namespaces_size() > 0 || term.has_namespaceselector();
  };
  const auto any = [&](const auto& terms) { return std::any_of(terms.begin(), terms.end(), crosses); };
  const auto any_weighted = [&](const auto& terms) {
    return std::any_of(terms.begin(), terms.end(), [&](const auto& one) { return crosses(one.podaffinityterm()); });
  };
  const auto& near = affinity.podaffinity();
  const auto& far = affinity.podantiaffinity();
  return any(near.requiredduringschedulingignoredduringexecution()) ||
         any(far.requiredduringschedulingignoredduringexecution()) ||
         any_weighted(near.preferredduringschedulingignoredduringexecution()) ||
         any_weighted(far.preferredduringschedulingignoredduringexecution());
}

bool IsBestEffort(const core::Pod& pod) {
  const auto none = [](const core::Container& container) {
    const auto counts = [](const auto& list) {
      return std::any_of(list.begin(), list.end(), [](const auto& entry) {
        return (entry.first == "cpu" || entry.first == "memory") && Quantity::From(entry.second).Sign() > 0;
      });
    };
    return !counts(container.resources().requests()) && !counts(container.resources().limits());
  };
  const auto& spec = pod.spec();
  return std::all_of(spec.containers().begin(), spec.containers().end(), none) &&
         std::all_of(spec.initcontainers().begin(), spec.initcontainers().end(), none);
}

class PodEvaluator : public Evaluator {
 public:
  std::set<std::string> Matching(const std::set<std::string>& names) const override {
    static const std::set<std::string> kNames = {"count/pods",
                                                 "cpu",
                                                 "memory",
                                                 "ephemeral-storage",
                                                 "requests.cpu",
                                                 "requests.memory",
                                                 "limits.cpu",
                                                 "limits.memory",
                                                 "requests.ephemeral-storage",
                                                 "limits.ephemeral-storage",
                                                 "pods"};
    std::set<std::string> out;
    for (const std::string& name : names) {
      const bool extended = name.starts_with("requests.") && IsExtendedResourceName(name.substr(9));
      if (kNames.contains(name) || name.starts_with("hugepages-") || name.starts_with("requests.hugepages-") ||
          extended)
        out.insert(name);
    }
    return out;
  }

  ResourceList Usage(const api::Object& object, WallTime now) const override {
    const auto& pod = object.As<core::Pod>();
    ResourceList usage;
    if (Runs(pod, now)) usage = ComputeUsage(PodRequests(pod, true), PodLimits(pod, true));
    usage["count/pods"] = kOne;
    return usage;
  }

  // A quota on cpu or memory makes every container say what it needs.
  Status Constraints(const std::set<std::string>& names, const api::Object& object) const override {
    static constexpr const char* kDemanded[] = {"cpu",    "limits.cpu",   "limits.memory",
                                                "memory", "requests.cpu", "requests.memory"};
    std::map<std::string, std::set<std::string>> missing;
    const auto check = [&](const core::Container& container) {
      const auto usage =
          ComputeUsage(ToResources(container.resources().requests()), ToResources(container.resources().limits()));
      for (const char* name : kDemanded) {
        if (names.contains(name) && !usage.contains(name)) missing[name].insert(container.name());
      }
    };
    const auto& spec = object.As<core::Pod>().spec();
    for (const auto& container : spec.containers()) check(container);
    for (const auto& container : spec.initcontainers()) check(container);
    if (missing.empty()) return {};
    std::vector<std::string> texts;
    for (const auto& [name, containers] : missing)
      texts.push_back(fmt::format("{} for: {}", name, fmt::join(containers, ",")));
    return Error(Code::kInvalid, "must specify {}", fmt::join(texts, "; "));
  }

  bool InScope(const Scope& scope, const api::Object& object) const override {
    const auto& pod = object.As<core::Pod>();
    const bool terminating = pod.spec().has_activedeadlineseconds() && pod.spec().activedeadlineseconds() >= 0;
    if (scope.name == "Terminating") return terminating;
    if (scope.name == "NotTerminating") return !terminating;
    if (scope.name == "BestEffort") return IsBestEffort(pod);
    if (scope.name == "NotBestEffort") return !IsBestEffort(pod);
    if (scope.name == "CrossNamespacePodAffinity") return CrossesNamespaces(pod.spec().affinity());
    if (scope.name == "PriorityClass") {
      const std::string& name = pod.spec().priorityclassname();
      // Exists without a selector, as plain scopes are read: any priority class that has been set.
      const bool listed = std::find(scope.values.begin(), scope.values.end(), name) != scope.values.end();
      if (scope.op == "Exists") return !name.empty();
      if (scope.op == "DoesNotExist") return name.empty();
      if (scope.op == "In") return !name.empty() && listed;
      if (scope.op == "NotIn") return name.empty() || !listed;
    }
    return false;
  }

 private:
  // Mirrors: QuotaV1Pod
  static bool Runs(const core::Pod& pod, WallTime now) {
    if (pod.status().phase() == "Failed" || pod.status().phase() == "Succeeded") return false;
    const auto& metadata = pod.metadata();
    if (metadata.has_deletiontimestamp() && metadata.has_deletiongraceperiodseconds()) {
      const auto end = WallTime(
          std::chrono::seconds(metadata.deletiontimestamp().seconds() + metadata.deletiongraceperiodseconds()));
      if (now > end) return false;
    }
    return true;
  }
};

class ServiceEvaluator : public Evaluator {
 public:
  bool Handles(Operation operation) const override {
    return operation == Operation::kCreate || operation == Operation::kUpdate;
  }
  std::set<std::string> Matching(const std::set<std::string>& names) const override {
    std::set<std::string> out;
    for (const char* name : {"count/services", "services", "services.loadbalancers", "services.nodeports"}) {
      if (names.contains(name)) out.insert(name);
    }
    return out;
  }
  ResourceList Usage(const api::Object& object, WallTime) const override {
    const auto& spec = object.As<core::Service>().spec();
    int64_t node_ports = 0, balancers = 0;
    if (spec.type() == "NodePort") node_ports = spec.ports_size();
    if (spec.type() == "LoadBalancer") {
      balancers = 1;
      const bool allocates = !spec.has_allocateloadbalancernodeports() || spec.allocateloadbalancernodeports();
      node_ports = allocates ? spec.ports_size()
                             : std::count_if(spec.ports().begin(), spec.ports().end(),
                                             [](const auto& port) { return port.nodeport() != 0; });
    }
    return {{"count/services", kOne},
            {"services", kOne},
            {"services.nodeports", Quantity(node_ports)},
            {"services.loadbalancers", Quantity(balancers)}};
  }
};

class ClaimEvaluator : public Evaluator {
 public:
  bool Handles(Operation operation) const override {
    return operation == Operation::kCreate || operation == Operation::kUpdate;
  }
  std::set<std::string> Matching(const std::set<std::string>& names) const override {
    std::set<std::string> out;
    for (const std::string& name : names) {
      const size_t at = name.find(kStorageClassSuffix);
      const std::string_view what = at == std::string::npos
                                        ? std::string_view(name)
                                        : std::string_view(name).substr(at + kStorageClassSuffix.size());
      if (what == "persistentvolumeclaims" || what == "requests.storage" || name == "count/persistentvolumeclaims")
        out.insert(name);
    }
    return out;
  }
  ResourceList Usage(const api::Object& object, WallTime) const override {
    const auto& claim = object.As<core::PersistentVolumeClaim>();
    ResourceList usage{{"count/persistentvolumeclaims", kOne}, {"persistentvolumeclaims", kOne}};
    const auto& annotations = claim.metadata().annotations();
    const auto annotation = annotations.find("volume.beta.kubernetes.io/storage-class");
    const std::string& by_class =
        annotation == annotations.end() ? claim.spec().storageclassname() : annotation->second;
    const std::string prefix = by_class.empty() ? "" : by_class + std::string(kStorageClassSuffix);
    if (!prefix.empty()) usage[prefix + "persistentvolumeclaims"] = kOne;
    const auto& requests = claim.spec().resources().requests();
    if (const auto found = requests.find("storage"); found != requests.end()) {
      Quantity size = Quantity::From(found->second);
      // What an unfinished expansion has taken already still counts.
      const auto& allocated = claim.status().allocatedresources();
      if (const auto taken = allocated.find("storage"); taken != allocated.end())
        size = std::max(size, Quantity::From(taken->second));
      size.RoundUp(0);
      usage["requests.storage"] = size;
      if (!prefix.empty()) usage[prefix + "requests.storage"] = size;
    }
    return usage;
  }
};

}  // namespace

std::vector<Scope> ScopesOf(const core::ResourceQuota& quota) {
  std::vector<Scope> scopes;
  for (const auto& name : quota.spec().scopes()) scopes.push_back({name, "Exists", {}});
  for (const auto& one : quota.spec().scopeselector().matchexpressions())
    scopes.push_back({one.scopename(), one.operator_(), {one.values().begin(), one.values().end()}});
  return scopes;
}

std::string CountName(std::string_view group, std::string_view resource) {
  return group.empty() ? fmt::format("count/{}", resource) : fmt::format("count/{}.{}", resource, group);
}

const Evaluator& EvaluatorOf(const std::string& group, const std::string& resource) {
  static const PodEvaluator kPods;
  static const ServiceEvaluator kServices;
  static const ClaimEvaluator kClaims;
  if (group.empty()) {
    if (resource == "pods") return kPods;
    if (resource == "services") return kServices;
    if (resource == "persistentvolumeclaims") return kClaims;
  }
  static std::mutex mutex;
  static auto* const made = new std::map<std::pair<std::string, std::string>, std::unique_ptr<Evaluator>>();
  const std::lock_guard lock(mutex);
  auto& evaluator = (*made)[{group, resource}];
  if (!evaluator) {
    static const std::set<std::string_view> kAliases = {"configmaps", "resourcequotas", "replicationcontrollers",
                                                        "secrets"};
    const bool alias = group.empty() && kAliases.contains(resource);
    evaluator = std::make_unique<CountEvaluator>(CountName(group, resource), alias ? resource : "");
  }
  return *evaluator;
}

}  // namespace knarr::admission::quota
