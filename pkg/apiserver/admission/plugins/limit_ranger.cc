// Mirrors: plugin/pkg/admission/limitranger/admission.go
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

constexpr char kAnnotation[] = "kubernetes.io/limit-ranger";

const Quantity* Find(const ResourceList& list, const std::string& name) {
  const auto found = list.find(name);
  return found == list.end() ? nullptr : &found->second;
}

// What is said of one container, one pod or one claim.
class Constraints {
 public:
  Constraints(std::string_view type, std::vector<std::string>* errors) : type_(type), errors_(*errors) {}

  void Min(const std::string& name, const Quantity& enforced, const Quantity* request, const Quantity* limit) {
    const std::string prefix = fmt::format("minimum {} usage per {} is {}", name, type_, enforced.ToString());
    if (request == nullptr) {
      Say("{}.  No request is specified", prefix);
    } else if (*request < enforced) {
      Say("{}, but request is {}", prefix, request->ToString());
    } else if (limit != nullptr && *limit < enforced) {
      Say("{}, but limit is {}", prefix, limit->ToString());
    }
  }
  void Max(const std::string& name, const Quantity& enforced, const Quantity* request, const Quantity* limit) {
    const std::string prefix = fmt::format("maximum {} usage per {} is {}", name, type_, enforced.ToString());
    if (limit == nullptr) {
      Say("{}.  No limit is specified", prefix);
    } else if (*limit > enforced) {
      Say("{}, but limit is {}", prefix, limit->ToString());
    } else if (request != nullptr && *request > enforced) {
      Say("{}, but request is {}", prefix, request->ToString());
    }
  }
  // Of claims, which have no limits.
  void MaxRequest(const std::string& name, const Quantity& enforced, const Quantity* request) {
    const std::string prefix = fmt::format("maximum {} usage per {} is {}", name, type_, enforced.ToString());
    if (request == nullptr) {
      Say("{}.  No request is specified", prefix);
    } else if (*request > enforced) {
      Say("{}, but request is {}", prefix, request->ToString());
    }
  }
  void Ratio(const std::string& name, const Quantity& enforced, const Quantity* request, const Quantity* limit) {
    const std::string prefix =
        fmt::format("{} max limit to request ratio per {} is {}", name, type_, enforced.ToString());
    if (request == nullptr || request->IsZero()) {
      Say("{}, but no request is specified or request is 0", prefix);
      return;
    }
    if (limit == nullptr || limit->IsZero()) {
      Say("{}, but no limit is specified or limit is 0", prefix);
      return;
    }
    // Upstream compares what ScaledValue gives in milli units, so ratios of small quantities are exact enough.
    const double ratio = limit->AsApproximateDouble() / request->AsApproximateDouble();
    if (ratio > enforced.AsApproximateDouble()) Say("{}, but provided ratio is {:.6f}", prefix, ratio);
  }

 private:
  template <typename... Args>
  void Say(fmt::format_string<Args...> format, Args&&... args) {
    errors_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  std::string_view type_;
  std::vector<std::string>& errors_;
};

void Check(const core::LimitRangeItem& limit, const ResourceList& requests, const ResourceList& limits,
           std::vector<std::string>* errors) {
  Constraints constraints(limit.type(), errors);
  for (const auto& [name, value] : ToResources(limit.min()))
    constraints.Min(name, value, Find(requests, name), Find(limits, name));
  for (const auto& [name, value] : ToResources(limit.max()))
    constraints.Max(name, value, Find(requests, name), Find(limits, name));
  for (const auto& [name, value] : ToResources(limit.maxlimitrequestratio()))
    constraints.Ratio(name, value, Find(requests, name), Find(limits, name));
}

Status Aggregate(const std::vector<std::string>& errors) {
  if (errors.empty()) return {};
  std::vector<std::string> once;
  for (const std::string& error : errors) {
    if (std::find(once.begin(), once.end(), error) == once.end()) once.push_back(error);
  }
  return Status(Code::kInvalid, once.size() == 1 ? once.front() : fmt::format("[{}]", fmt::join(once, ", ")));
}

Status CheckPod(const core::LimitRange& range, const core::Pod& pod) {
  std::vector<std::string> errors;
  for (const auto& limit : range.spec().limits()) {
    if (limit.type() == "Container") {
      const auto check = [&](const core::Container& container) {
        Check(limit, ToResources(container.resources().requests()), ToResources(container.resources().limits()),
              &errors);
      };
      for (const auto& container : pod.spec().containers()) check(container);
      for (const auto& container : pod.spec().initcontainers()) check(container);
    } else if (limit.type() == "Pod") {
      Check(limit, PodRequests(pod, false), PodLimits(pod, false), &errors);
    }
  }
  return Aggregate(errors);
}

Status CheckClaim(const core::LimitRange& range, const core::PersistentVolumeClaim& claim) {
  std::vector<std::string> errors;
  const ResourceList requests = ToResources(claim.spec().resources().requests());
  for (const auto& limit : range.spec().limits()) {
    if (limit.type() != "PersistentVolumeClaim") continue;
    Constraints constraints(limit.type(), &errors);
    for (const auto& [name, value] : ToResources(limit.min()))
      constraints.Min(name, value, Find(requests, name), nullptr);
    for (const auto& [name, value] : ToResources(limit.max()))
      constraints.MaxRequest(name, value, Find(requests, name));
  }
  return Aggregate(errors);
}

void ApplyDefaults(const core::LimitRange& range, core::Pod& pod) {
  std::map<std::string, resource_pb::Quantity> limits, requests;
  for (const auto& limit : range.spec().limits()) {
    if (limit.type() != "Container") continue;
    for (const auto& [name, value] : limit.defaultrequest()) requests[name] = value;
    for (const auto& [name, value] : limit.default_()) limits[name] = value;
  }
  std::vector<std::string> said;
  const auto merge = [&](core::Container& container, std::string_view what) {
    std::vector<std::string> set_requests, set_limits;
    for (const auto& [name, value] : limits) {
      if (container.resources().limits().contains(name)) continue;
      (*container.mutable_resources()->mutable_limits())[name] = value;
      set_limits.push_back(name);
    }
    for (const auto& [name, value] : requests) {
      if (container.resources().requests().contains(name)) continue;
      (*container.mutable_resources()->mutable_requests())[name] = value;
      set_requests.push_back(name);
    }
    if (!set_requests.empty())
      said.push_back(fmt::format("{} request for {} {}", fmt::join(set_requests, ", "), what, container.name()));
    if (!set_limits.empty())
      said.push_back(fmt::format("{} limit for {} {}", fmt::join(set_limits, ", "), what, container.name()));
  };
  for (auto& container : *pod.mutable_spec()->mutable_containers()) merge(container, "container");
  for (auto& container : *pod.mutable_spec()->mutable_initcontainers()) merge(container, "init container");
  if (!said.empty())
    (*pod.mutable_metadata()->mutable_annotations())[kAnnotation] =
        fmt::format("LimitRanger plugin set: {}", fmt::join(said, "; "));
}

class LimitRanger : public PluginBase {
 public:
  explicit LimitRanger(const PluginDeps& deps)
      : PluginBase("LimitRanger", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!Concerns(attributes) || !attributes.Is("", "pods")) return {};
    for (const auto& range : KNARR_TRY(Ranges(ctx, attributes)))
      ApplyDefaults(range->As<core::LimitRange>(), PodOf(attributes));
    return {};
  }

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!Concerns(attributes)) return {};
    for (const auto& ref : KNARR_TRY(Ranges(ctx, attributes))) {
      const auto& range = ref->As<core::LimitRange>();
      const Status status =
          attributes.resource == "pods"
              ? CheckPod(range, PodOf(attributes))
              : CheckClaim(range,
                           static_cast<const api::Object*>(attributes.object)->As<core::PersistentVolumeClaim>());
      if (!status.ok()) return Forbidden(attributes, status);
    }
    return {};
  }

 private:
  static bool Concerns(const Attributes& attributes) {
    if (!attributes.subresource.empty() || attributes.object == nullptr) return false;
    // Resources of running pods cannot change this way.
    const bool pod = attributes.Is("", "pods") && attributes.operation == Operation::kCreate;
    if (!pod && !attributes.Is("", "persistentvolumeclaims")) return false;
    return attributes.old_object == nullptr || !attributes.old_object->metadata().has_deletiontimestamp();
  }
  Result<std::vector<registry::ObjectRef>> Ranges(const Context& ctx, const Attributes& attributes) {
    auto ranges = ListServed(ctx, *deps_.access, {"", "limitranges"}, attributes.namespace_);
    if (!ranges.ok())
      return Forbidden(attributes,
                       fmt::format("unable to {} {} at this time because there was an error enforcing limit "
                                   "ranges",
                                   ToString(attributes.operation), attributes.resource));
    return ranges;
  }
};

}  // namespace

PluginResult NewLimitRanger(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<LimitRanger>(deps));
}

}  // namespace knarr::admission
