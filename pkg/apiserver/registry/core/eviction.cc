// pods/eviction: a deletion that asks the pod's disruption budget first.
// Mirrors: pkg/registry/core/pod/storage/eviction.go
#include <fmt/format.h>

#include <optional>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/policy/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/labels/selector.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/registry/core/pod.h"

namespace knarr::registry::core_group {
namespace {

namespace policy = ::k8s::io::api::policy::v1;
using google::protobuf::Message;

// Evictions that the controller has not seen the end of.
constexpr int kMaxDisruptedPods = 2000;
constexpr int kRetries = 20;
constexpr GroupResource kPods{"", "pods"};
constexpr GroupResource kBudgets{"policy", "poddisruptionbudgets"};
constexpr std::string_view kViolates = "Cannot evict pod as it would violate the pod's disruption budget.";

Status TooMany(std::string cause, int32_t retry_after) {
  const Status plain = errors::TooManyRequests(kViolates, retry_after);
  StatusDetails details = plain.details() ? *plain.details() : StatusDetails();
  details.causes.push_back({.reason = "DisruptionBudget", .message = std::move(cause), .field = {}});
  return plain.WithDetails(std::move(details));
}

Status StillProcessed(const std::string& budget) {
  return TooMany(fmt::format("The disruption budget {} is still being processed by the server.", budget), 10);
}

bool IsFinished(const core::Pod& pod) {
  return pod.status().phase() == "Succeeded" || pod.status().phase() == "Failed" ||
         pod.metadata().has_deletiontimestamp();
}

// Its loss disrupts nothing that is not disrupted already.
bool CanIgnoreBudget(const core::Pod& pod) {
  return IsFinished(pod) || pod.status().phase() == "Pending";
}

bool IsReady(const core::Pod& pod) {
  for (const core::PodCondition& condition : pod.status().conditions()) {
    if (condition.type() == "Ready") return condition.status() == "True";
  }
  return false;
}

void SetTime(WallTime now, meta::Time* time) {
  time->set_seconds(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  time->set_nanos(0);
}

void UpdateDisruptionAllowedCondition(policy::PodDisruptionBudgetStatus& status, WallTime now) {
  const bool allowed = status.disruptionsallowed() > 0;
  meta::Condition* condition = nullptr;
  for (meta::Condition& one : *status.mutable_conditions()) {
    if (one.type() == "DisruptionAllowed") condition = &one;
  }
  if (condition == nullptr) {
    condition = status.add_conditions();
    condition->set_type("DisruptionAllowed");
  }
  const char* text = allowed ? "True" : "False";
  if (condition->status() != text) SetTime(now, condition->mutable_lasttransitiontime());
  condition->set_status(text);
  condition->set_reason(allowed ? "SufficientPods" : "InsufficientPods");
  condition->set_message("");
  condition->set_observedgeneration(status.observedgeneration());
}

Status CheckAndDecrement(policy::PodDisruptionBudget& budget, const std::string& pod, WallTime now) {
  policy::PodDisruptionBudgetStatus& status = *budget.mutable_status();
  const std::string& name = budget.metadata().name();
  if (status.observedgeneration() < budget.metadata().generation()) return StillProcessed(name);
  if (status.disruptionsallowed() < 0) {
    return errors::Forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative");
  }
  if (status.disruptedpods().size() > kMaxDisruptedPods) {
    return errors::Forbidden("policy", "poddisruptionbudget", name,
                             "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
  }
  if (status.disruptionsallowed() == 0) {
    return TooMany(fmt::format("The disruption budget {} needs {} healthy pods and has {} currently", name,
                               status.desiredhealthy(), status.currenthealthy()),
                   0);
  }
  status.set_disruptionsallowed(status.disruptionsallowed() - 1);
  if (status.disruptionsallowed() == 0) UpdateDisruptionAllowedCondition(status, now);
  SetTime(now, &(*status.mutable_disruptedpods())[pod]);
  return OkStatus();
}

class Evictor {
 public:
  Evictor(const RequestContext& rc, const policy::Eviction& eviction)
      : rc_(rc), name_(eviction.metadata().name()), options_(eviction.deleteoptions()) {
    dry_run_ = rc.dry_run || options_.dryrun_size() > 0;
  }

  Status Run() {
    if (KNARR_TRY(DeleteIfIgnorable())) return OkStatus();
    const std::optional<std::string> budget = KNARR_TRY(AskBudget());
    meta::DeleteOptions options = options_;
    // An unready pod goes past the budget; it must not have become ready meanwhile.
    if (enforce_version_) SetVersion(options, pod().metadata().resourceversion());
    const Status deleted = Delete(options);
    if (deleted.Is(Code::kConflict) && enforce_version_ && !HasVersion(options_)) return StillProcessed(*budget);
    return deleted;
  }

 private:
  static bool HasVersion(const meta::DeleteOptions& options) { return options.preconditions().has_resourceversion(); }
  static void SetVersion(meta::DeleteOptions& options, const std::string& version) {
    options.mutable_preconditions()->set_resourceversion(version);
  }
  const core::Pod& pod() const { return pod_->As<core::Pod>(); }

  // Whether that was all.
  Result<bool> DeleteIfIgnorable() {
    for (int left = kRetries;; --left) {
      pod_ = KNARR_TRY(rc_.access->GetConsistent(rc_.ctx, kPods, rc_.namespace_, name_));
      if (!CanIgnoreBudget(pod())) return false;
      meta::DeleteOptions options = options_;
      // A pending pod may become ready, and the budget's, while we look.
      if (!IsFinished(pod()) && !HasVersion(options_)) SetVersion(options, pod().metadata().resourceversion());
      const Status deleted = Delete(options);
      if (deleted.ok()) return true;
      if (!deleted.Is(Code::kConflict) || HasVersion(options_) || left == 0) return deleted;
      KNARR_TRY(rc_.ctx.Err());
    }
  }

  Result<std::vector<ObjectRef>> Budgets() {
    std::vector<ObjectRef> matching;
    for (ObjectRef& object : KNARR_TRY(rc_.access->List(rc_.ctx, kBudgets, rc_.namespace_))) {
      const auto& spec = object->As<policy::PodDisruptionBudget>().spec();
      const Result<labels::Selector> selector =
          labels::LabelSelectorAsSelector(spec.has_selector() ? &spec.selector() : nullptr);
      // One that selects everything by being empty is not meant to.
      if (!selector.ok() || selector->Empty() || !selector->Matches(pod().metadata().labels())) continue;
      matching.push_back(std::move(object));
    }
    return matching;
  }

  // The budget's name, if there is one, having been debited.
  Result<std::optional<std::string>> AskBudget() {
    const std::vector<ObjectRef> budgets = KNARR_TRY(Budgets());
    if (budgets.empty()) return std::optional<std::string>();
    if (budgets.size() > 1) {
      return Status(Code::kUnknown,
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    }
    const auto& budget = budgets.front()->As<policy::PodDisruptionBudget>();
    const std::string& name = budget.metadata().name();
    if (!IsReady(pod())) {
      const auto& status = budget.status();
      const bool enough = status.currenthealthy() >= status.desiredhealthy() && status.desiredhealthy() > 0;
      if (enough || budget.spec().unhealthypodevictionpolicy() == "AlwaysAllow") {
        enforce_version_ = true;
        return std::optional<std::string>(name);
      }
    }
    const WallTime now = rc_.clock->Now();
    if (dry_run_) {
      policy::PodDisruptionBudget copy = budget;
      KNARR_TRY(CheckAndDecrement(copy, name_, now));
      return std::optional<std::string>(name);
    }
    const auto updated =
        rc_.access->Update(rc_.ctx, kBudgets, rc_.namespace_, name, "status", [&](Object& object) -> Status {
          return CheckAndDecrement(object.As<policy::PodDisruptionBudget>(), name_, now);
        });
    if (!updated.ok() && updated.error().Is(Code::kConflict)) {
      StatusDetails details;
      details.retry_after_seconds = 10;
      return Error(Code::kTimeout, "Timeout: couldn't update PodDisruptionBudget {} due to conflicts",
                   field::Quote(name))
          .WithDetails(std::move(details));
    }
    KNARR_TRY(updated.status());
    return std::optional<std::string>(name);
  }

  Status CheckPreconditions(const meta::ObjectMeta& metadata, const meta::DeleteOptions& options) const {
    const meta::Preconditions& wanted = options.preconditions();
    if (wanted.has_uid() && wanted.uid() != metadata.uid()) {
      return errors::Conflict("", "pods", name_,
                              fmt::format("the UID in the precondition ({}) does not match the UID in record ({}). The "
                                          "object might have been deleted and then recreated",
                                          wanted.uid(), metadata.uid()));
    }
    if (wanted.has_resourceversion() && wanted.resourceversion() != metadata.resourceversion()) {
      return errors::Conflict(
          "", "pods", name_,
          fmt::format("the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). "
                      "The object might have been modified",
                      wanted.resourceversion(), metadata.resourceversion()));
    }
    return OkStatus();
  }

  // Says why in the pod's status, then deletes it.
  Status Delete(meta::DeleteOptions options) {
    if (dry_run_) return CheckPreconditions(pod().metadata(), options);
    const auto marked =
        rc_.access->Update(rc_.ctx, kPods, rc_.namespace_, name_, "status", [&](Object& object) -> Status {
          auto& changed = object.As<core::Pod>();
          KNARR_TRY(CheckPreconditions(changed.metadata(), options));
          UpdatePodCondition(*changed.mutable_status(), "DisruptionTarget", "True", "EvictionByEvictionAPI",
                             "Eviction API: evicting", rc_.clock->Now());
          return OkStatus();
        });
    KNARR_TRY(marked.status());
    if (HasVersion(options)) SetVersion(options, (*marked)->metadata().resourceversion());
    return rc_.access->DeleteWithOptions(rc_.ctx, kPods, rc_.namespace_, name_, options);
  }

  const RequestContext& rc_;
  const std::string name_;
  meta::DeleteOptions options_;
  bool dry_run_ = false;
  bool enforce_version_ = false;
  ObjectRef pod_;
};

}  // namespace

Subresource EvictionSubresource() {
  Subresource eviction;
  eviction.name = "eviction";
  eviction.group = "policy";
  eviction.version = "v1";
  eviction.kind = "Eviction";
  eviction.verbs = {"create"};
  eviction.prototype = []() -> const Message& { return policy::Eviction::default_instance(); };
  eviction.create = [](const RequestContext& rc, std::unique_ptr<Message> body) -> Result<std::unique_ptr<Message>> {
    const auto& asked = static_cast<const policy::Eviction&>(*body);
    if (asked.metadata().name() != rc.name) {
      return errors::BadRequest("name in URL does not match name in Eviction object");
    }
    KNARR_TRY(Evictor(rc, asked).Run());
    auto success = std::make_unique<meta::Status>();
    success->set_status("Success");
    success->set_code(201);
    return success;
  };
  return eviction;
}

}  // namespace knarr::registry::core_group
