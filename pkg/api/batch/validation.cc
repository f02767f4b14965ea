#include "pkg/api/batch/validation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>
#include <set>

#include "k8s.io/api/batch/v1/generated.pb.h"
#include "pkg/api/batch/cron.h"
#include "pkg/api/batch/indexes.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr int32_t kMaxParallelismIndexed = 100'000;
constexpr int32_t kMaxFailedIndexes = 100'000;
constexpr int32_t kManyCompletions = 100'000;
constexpr int32_t kLimitOfMany = 10'000;
constexpr int kMaxPolicyRules = 20;
constexpr int kMaxExitCodes = 255;
constexpr int kMaxPodConditions = 20;
constexpr size_t kMaxManagedBy = 63;
constexpr size_t kMaxSucceededIndexes = 64 << 10;
constexpr int kMaxSuccessRules = 20;

constexpr std::string_view kActions[] = {"Count", "FailIndex", "FailJob", "Ignore"};
constexpr std::string_view kOperators[] = {"In", "NotIn"};
constexpr std::string_view kConditionStatuses[] = {"False", "True", "Unknown"};

// Like RequireOneOf, but an empty value is told which ones there are.
template <size_t N>
void RequireListed(ErrorList& errors, const Path& path, std::string_view value,
                   const std::string_view (&supported)[N]) {
  if (value.empty()) {
    std::string list;
    for (const std::string_view one : supported) list += fmt::format("{}\"{}\"", list.empty() ? "" : " ", one);
    errors.push_back(field::Required(path, fmt::format("valid values: [{}]", list)));
  } else if (std::find(std::begin(supported), std::end(supported), value) == std::end(supported)) {
    errors.push_back(field::NotSupported(path, value, supported));
  }
}

// A bad value that is not printed.
field::FieldError InvalidOmitted(const Path& path, std::string_view detail) {
  return {.type = field::ErrorType::kInvalid, .field = path.ToString(), .value = "", .detail = std::string(detail)};
}

void ValidateExitCodes(ErrorList& errors, const Path& path,
                       const batch::PodFailurePolicyOnExitCodesRequirement& requirement,
                       const std::set<std::string>& containers) {
  RequireListed(errors, path.Child("operator"), requirement.operator_(), kOperators);
  if (requirement.has_containername() && !containers.contains(requirement.containername())) {
    errors.push_back(field::Invalid(path.Child("containerName"), requirement.containername(),
                                    "must be one of the container or initContainer names in the pod template"));
  }
  const Path values = path.Child("values");
  const auto list = [&] { return fmt::format("[]int32{{{}}}", fmt::join(requirement.values(), ", ")); };
  if (requirement.values().empty()) {
    errors.push_back(field::InvalidLiteral(values, "[]int32(nil)", "at least one value is required"));
  } else if (requirement.values_size() > kMaxExitCodes) {
    errors.push_back(field::TooMany(values, requirement.values_size(), kMaxExitCodes));
  }
  bool ordered = true;
  std::set<int32_t> seen;
  for (int i = 0; i < requirement.values_size(); ++i) {
    const int32_t value = requirement.values(i);
    const Path at = values.Index(static_cast<size_t>(i));
    if (requirement.operator_() == "In" && value == 0) {
      errors.push_back(field::Invalid(at, value, "must not be 0 for the In operator"));
    }
    if (!seen.insert(value).second) errors.push_back(field::Duplicate(at, value));
    if (i > 0 && requirement.values(i - 1) > value) ordered = false;
  }
  if (!ordered) errors.push_back(field::InvalidLiteral(values, list(), "must be ordered"));
}

void ValidatePodFailureRule(ErrorList& errors, const Path& path, const batch::JobSpec& spec,
                            const batch::PodFailurePolicyRule& rule, const std::set<std::string>& containers) {
  if (rule.action() == "FailIndex") {
    if (!spec.has_backofflimitperindex()) {
      errors.push_back(
          field::Invalid(path.Child("action"), rule.action(), "requires the backoffLimitPerIndex to be set"));
    }
  } else {
    RequireListed(errors, path.Child("action"), rule.action(), kActions);
  }
  if (rule.has_onexitcodes()) {
    ValidateExitCodes(errors, path.Child("onExitCodes"), rule.onexitcodes(), containers);
  }
  const Path conditions = path.Child("onPodConditions");
  if (rule.onpodconditions_size() > kMaxPodConditions) {
    errors.push_back(field::TooMany(conditions, rule.onpodconditions_size(), kMaxPodConditions));
  }
  for (int i = 0; i < rule.onpodconditions_size(); ++i) {
    const auto& pattern = rule.onpodconditions(i);
    const Path at = conditions.Index(static_cast<size_t>(i));
    rules::AddInvalid(errors, at.Child("type"), pattern.type(), names::IsQualifiedName(pattern.type()));
    RequireListed(errors, at.Child("status"), pattern.status(), kConditionStatuses);
  }
  if (rule.has_onexitcodes() && rule.onpodconditions_size() > 0) {
    errors.push_back(InvalidOmitted(path, "specifying both OnExitCodes and OnPodConditions is not supported"));
  }
  if (!rule.has_onexitcodes() && rule.onpodconditions_size() == 0) {
    errors.push_back(InvalidOmitted(path, "specifying one of OnExitCodes and OnPodConditions is required"));
  }
}

void ValidatePodFailurePolicy(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  const Path list = path.Child("rules");
  const auto& policy = spec.podfailurepolicy();
  if (policy.rules_size() > kMaxPolicyRules) {
    errors.push_back(field::TooMany(list, policy.rules_size(), kMaxPolicyRules));
  }
  std::set<std::string> containers;
  for (const auto& container : spec.template_().spec().containers()) containers.insert(container.name());
  for (const auto& container : spec.template_().spec().initcontainers()) containers.insert(container.name());
  for (int i = 0; i < policy.rules_size(); ++i) {
    ValidatePodFailureRule(errors, list.Index(static_cast<size_t>(i)), spec, policy.rules(i), containers);
  }
}

void ValidateSuccessRule(ErrorList& errors, const Path& path, const batch::SuccessPolicyRule& rule,
                         int32_t completions) {
  if (!rule.has_succeededcount() && !rule.has_succeededindexes()) {
    errors.push_back(field::Required(path, "at least one of succeededCount or succeededIndexes must be specified"));
  }
  int32_t total = 0;
  if (rule.has_succeededindexes()) {
    const Path indexes = path.Child("succeededIndexes");
    if (rule.succeededindexes().size() > kMaxSucceededIndexes) {
      errors.push_back(field::TooLong(indexes, rule.succeededindexes(), kMaxSucceededIndexes));
    }
    const auto count = batch_indexes::Count(rule.succeededindexes(), completions);
    if (count.ok()) {
      total = *count;
    } else {
      errors.push_back(field::Invalid(indexes, rule.succeededindexes(),
                                      fmt::format("error parsing succeededIndexes: {}", count.error().message())));
    }
  }
  if (!rule.has_succeededcount()) return;
  const Path count_path = path.Child("succeededCount");
  const int32_t count = rule.succeededcount();
  rules::Nonnegative(errors, count_path, count);
  if (count > completions) {
    errors.push_back(field::Invalid(
        count_path, count,
        fmt::format("must be less than or equal to {} (the number of specified completions)", completions)));
  }
  if (rule.has_succeededindexes() && count > total) {
    errors.push_back(
        field::Invalid(count_path, count,
                       fmt::format("must be less than or equal to {} (the number of indexes in the specified "
                                   "succeededIndexes field)",
                                   total)));
  }
}

void ValidateSuccessPolicy(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  if (spec.completionmode() != "Indexed") {
    errors.push_back(field::InvalidLiteral(path, "batch.SuccessPolicy{...}", "requires indexed completion mode"));
    return;
  }
  const Path list = path.Child("rules");
  const auto& policy = spec.successpolicy();
  if (policy.rules_size() == 0) {
    errors.push_back(field::Required(list, "at least one rules must be specified when the successPolicy is specified"));
  }
  if (policy.rules_size() > kMaxSuccessRules) {
    errors.push_back(field::TooMany(list, policy.rules_size(), kMaxSuccessRules));
  }
  for (int i = 0; i < policy.rules_size(); ++i) {
    ValidateSuccessRule(errors, list.Index(static_cast<size_t>(i)), policy.rules(i), spec.completions());
  }
}

void ValidateIndexed(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  if (!spec.has_completions()) {
    errors.push_back(field::Required(path.Child("completions"), "when completion mode is Indexed"));
  }
  const auto limit = [&](std::string_view name, bool set, int32_t value, int32_t most, std::string_view detail) {
    if (set && value > most)
      errors.push_back(field::Invalid(path.Child(name), value, fmt::format(fmt::runtime(detail), most)));
  };
  limit("parallelism", spec.has_parallelism(), spec.parallelism(), kMaxParallelismIndexed,
        "must be less than or equal to {} when completion mode is Indexed");
  limit("maxFailedIndexes", spec.has_completions() && spec.has_maxfailedindexes(), spec.maxfailedindexes(),
        spec.completions(), "must be less than or equal to completions");
  limit("maxFailedIndexes", spec.has_maxfailedindexes(), spec.maxfailedindexes(), kMaxFailedIndexes,
        "must be less than or equal to {}");
  if (spec.completions() <= kManyCompletions || !spec.has_backofflimitperindex()) return;
  if (!spec.has_maxfailedindexes()) {
    errors.push_back(field::Required(path.Child("maxFailedIndexes"),
                                     fmt::format("must be specified when completions is above {}", kManyCompletions)));
  }
  const std::string detail = fmt::format(
      "must be less than or equal to {{}} when completions are above {} and used with backoff limit per index",
      kManyCompletions);
  limit("parallelism", spec.has_parallelism(), spec.parallelism(), kLimitOfMany, detail);
  limit("maxFailedIndexes", spec.has_maxfailedindexes(), spec.maxfailedindexes(), kLimitOfMany, detail);
}

void ValidateCounts(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  const auto nonnegative = [&](std::string_view name, bool set, int64_t value) {
    if (set) rules::Nonnegative(errors, path.Child(name), value);
  };
  nonnegative("parallelism", spec.has_parallelism(), spec.parallelism());
  nonnegative("completions", spec.has_completions(), spec.completions());
  nonnegative("activeDeadlineSeconds", spec.has_activedeadlineseconds(), spec.activedeadlineseconds());
  nonnegative("backoffLimit", spec.has_backofflimit(), spec.backofflimit());
  nonnegative("ttlSecondsAfterFinished", spec.has_ttlsecondsafterfinished(), spec.ttlsecondsafterfinished());
  nonnegative("backoffLimitPerIndex", spec.has_backofflimitperindex(), spec.backofflimitperindex());
  if (!spec.has_maxfailedindexes()) return;
  nonnegative("maxFailedIndexes", true, spec.maxfailedindexes());
  if (!spec.has_backofflimitperindex()) {
    errors.push_back(field::Required(path.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"));
  }
}

void ValidateRestartPolicy(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  const std::string& policy = spec.template_().spec().restartpolicy();
  if (policy.empty() || policy == "Always") {
    errors.push_back(field::Required(path, "valid values: \"OnFailure\", \"Never\""));
  } else if (policy != "OnFailure" && policy != "Never") {
    errors.push_back(field::NotSupported(path, policy, {"OnFailure", "Never"}));
  } else if (spec.has_podfailurepolicy() && policy != "Never") {
    errors.push_back(field::Invalid(path, policy, "only \"Never\" is supported when podFailurePolicy is specified"));
  }
}

// Of jobs and of the templates of CronJobs.
void ValidateCommonSpec(ErrorList& errors, const Path& path, const batch::JobSpec& spec) {
  ValidateCounts(errors, path, spec);
  if (spec.has_managedby()) {
    rules::AddInvalid(errors, path.Child("managedBy"), spec.managedby(), names::IsDomainPrefixedPath(spec.managedby()));
    if (spec.managedby().size() > kMaxManagedBy) {
      errors.push_back(field::TooLong(path.Child("managedBy"), spec.managedby(), kMaxManagedBy));
    }
  }
  if (spec.has_completionmode()) {
    if (spec.completionmode() != "NonIndexed" && spec.completionmode() != "Indexed") {
      errors.push_back(
          field::NotSupported(path.Child("completionMode"), spec.completionmode(), {"NonIndexed", "Indexed"}));
    }
    if (spec.completionmode() == "Indexed") ValidateIndexed(errors, path, spec);
  }
  if (!spec.has_completionmode() || spec.completionmode() == "NonIndexed") {
    constexpr std::string_view kDetail = "requires indexed completion mode";
    if (spec.has_backofflimitperindex()) {
      errors.push_back(field::Invalid(path.Child("backoffLimitPerIndex"), spec.backofflimitperindex(), kDetail));
    }
    if (spec.has_maxfailedindexes()) {
      errors.push_back(field::Invalid(path.Child("maxFailedIndexes"), spec.maxfailedindexes(), kDetail));
    }
  }
  if (spec.has_podfailurepolicy()) ValidatePodFailurePolicy(errors, path.Child("podFailurePolicy"), spec);
  if (spec.has_successpolicy()) ValidateSuccessPolicy(errors, path.Child("successPolicy"), spec);
  if (spec.has_podreplacementpolicy()) {
    const std::string& policy = spec.podreplacementpolicy();
    const Path at = path.Child("podReplacementPolicy");
    if (spec.has_podfailurepolicy()) {
      if (policy != "Failed") errors.push_back(field::NotSupported(at, policy, {"Failed"}));
    } else if (policy != "Failed" && policy != "TerminatingOrFailed") {
      errors.push_back(field::NotSupported(at, policy, {"Failed", "TerminatingOrFailed"}));
    }
  }
  field::Append(errors, ValidatePodTemplateSpec(spec.template_(), path.Child("template")));
  ValidateRestartPolicy(errors, path.Child("template.spec.restartPolicy"), spec);
}

void RequireLabel(ErrorList& errors, const Path& path, const meta::ObjectMeta& metadata, const std::string& key,
                  const std::string& expected) {
  const auto found = metadata.labels().find(key);
  if (found == metadata.labels().end()) {
    errors.push_back(field::Required(path.Child("labels").Key(key), fmt::format("must be '{}'", expected)));
  } else if (found->second != expected) {
    errors.push_back(field::InvalidLiteral(path.Child("labels").Key(key), rules::GoValue(metadata.labels()),
                                           fmt::format("must be '{}'", expected)));
  }
}

void ValidateGeneratedSelector(ErrorList& errors, const batch::Job& job, bool prefixed_labels) {
  if (job.spec().manualselector() || !job.spec().has_selector()) return;
  const std::string& uid = job.metadata().uid();
  const std::string& name = job.metadata().name();
  if (uid.empty()) errors.push_back(field::Required(Path("metadata.uid"), ""));
  const Path path("spec.template.metadata");
  google::protobuf::Map<std::string, std::string> expected;
  const auto require = [&](const std::string& key, const std::string& value) {
    RequireLabel(errors, path, job.spec().template_().metadata(), key, value);
    expected[key] = value;
  };
  require("controller-uid", uid);
  require("job-name", name);
  if (prefixed_labels) {
    require("batch.kubernetes.io/controller-uid", uid);
    require("batch.kubernetes.io/job-name", name);
  }
  const auto selector = labels::LabelSelectorAsSelector(&job.spec().selector());
  if (selector.ok() && !selector->Matches(expected)) {
    errors.push_back(field::InvalidLiteral(Path("spec.selector"), rules::GoValue(job.spec().selector()),
                                           "`selector` not auto-generated"));
  }
}

ErrorList ValidateJobWith(const batch::Job& job, bool prefixed_labels) {
  ErrorList errors;
  const Path path("spec");
  const batch::JobSpec& spec = job.spec();
  ValidateGeneratedSelector(errors, job, prefixed_labels);
  ValidateCommonSpec(errors, path, spec);
  if (!spec.has_selector()) {
    errors.push_back(field::Required(path.Child("selector"), ""));
  } else {
    field::Append(errors, ValidateLabelSelector(spec.selector(), path.Child("selector")));
  }
  const auto selector = labels::LabelSelectorAsSelector(spec.has_selector() ? &spec.selector() : nullptr);
  if (selector.ok() && !selector->Matches(spec.template_().metadata().labels())) {
    errors.push_back(field::InvalidLiteral(path.Child("template.metadata.labels"),
                                           rules::GoValue(spec.template_().metadata().labels()),
                                           "`selector` does not match template `labels`"));
  }
  if (spec.completionmode() == "Indexed" && spec.completions() > 0) {
    const std::string last = fmt::format("{}-{}", job.metadata().name(), spec.completions() - 1);
    if (!names::IsDNS1123Label(last).empty()) {
      errors.push_back(field::Invalid(Path("metadata.name"), job.metadata().name(),
                                      "will not able to create pod with invalid DNS label: " + last));
    }
  }
  return errors;
}

// Go's print of a pointer to a number or text.
std::string GoPointer(bool set, std::string text) {
  return set ? text : "\"null\"";
}

// What a suspended job that never ran may change of its template goes into the old one for the comparison.
batch::JobSpec WithSchedulingDirectives(const batch::JobSpec& old, const batch::JobSpec& updated) {
  batch::JobSpec spec = old;
  core::PodTemplateSpec& pod = *spec.mutable_template_();
  const core::PodTemplateSpec& wanted = updated.template_();
  const bool has_affinity = wanted.spec().has_affinity();
  if (has_affinity && wanted.spec().affinity().has_nodeaffinity()) {
    *pod.mutable_spec()->mutable_affinity()->mutable_nodeaffinity() = wanted.spec().affinity().nodeaffinity();
  } else if (pod.spec().has_affinity()) {
    core::Affinity& affinity = *pod.mutable_spec()->mutable_affinity();
    affinity.clear_nodeaffinity();
    if (!has_affinity && !affinity.has_podaffinity() && !affinity.has_podantiaffinity()) {
      pod.mutable_spec()->clear_affinity();
    }
  } else if (has_affinity) {
    pod.mutable_spec()->mutable_affinity();
  }
  *pod.mutable_spec()->mutable_nodeselector() = wanted.spec().nodeselector();
  *pod.mutable_spec()->mutable_tolerations() = wanted.spec().tolerations();
  *pod.mutable_spec()->mutable_schedulinggates() = wanted.spec().schedulinggates();
  *pod.mutable_metadata()->mutable_annotations() = wanted.metadata().annotations();
  *pod.mutable_metadata()->mutable_labels() = wanted.metadata().labels();
  return spec;
}

void ValidateCompletionsUpdate(ErrorList& errors, const Path& path, const batch::JobSpec& spec,
                               const batch::JobSpec& old) {
  if (spec.has_completions() == old.has_completions() && spec.completions() == old.completions()) return;
  const std::string value = GoPointer(spec.has_completions(), std::to_string(spec.completions()));
  if (spec.completionmode() != "Indexed") {
    rules::Immutable(errors, path, false, value);
  } else if (spec.has_completions() && spec.completions() != spec.parallelism()) {
    errors.push_back(field::InvalidLiteral(path, value, "can only be modified in tandem with spec.parallelism"));
  }
}

bool IsFinished(const batch::JobStatus& status) {
  return HasCondition(status, "Complete") || HasCondition(status, "Failed");
}

void ValidateUids(ErrorList& errors, const Path& path, const google::protobuf::RepeatedPtrField<std::string>& uids,
                  std::set<std::string>& seen) {
  for (int i = 0; i < uids.size(); ++i) {
    const Path at = path.Index(static_cast<size_t>(i));
    if (uids[i].empty()) {
      errors.push_back(field::Invalid(at, "", "must not be empty"));
    } else if (!seen.insert(uids[i]).second) {
      errors.push_back(field::Duplicate(at, uids[i]));
    }
  }
}

ErrorList ValidateCronJobSpec(const batch::CronJobSpec& spec, const batch::CronJobSpec* old) {
  ErrorList errors;
  const Path path("spec");
  const Path schedule_path = path.Child("schedule");
  if (spec.schedule().empty()) {
    errors.push_back(field::Required(schedule_path, ""));
  } else {
    if (const auto schedule = cron::Schedule::Parse(spec.schedule()); !schedule.ok()) {
      errors.push_back(field::Invalid(schedule_path, spec.schedule(), schedule.error().message()));
    }
    const bool had_zone = old != nullptr && old->schedule().find("TZ") != std::string::npos;
    if (spec.schedule().find("TZ") != std::string::npos) {
      if (!had_zone) {
        errors.push_back(field::Invalid(schedule_path, spec.schedule(),
                                        "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
      } else if (spec.has_timezone()) {
        errors.push_back(field::Invalid(schedule_path, spec.schedule(),
                                        "cannot use both timeZone field and TZ or CRON_TZ in schedule"));
      }
    }
  }
  if (spec.has_startingdeadlineseconds()) {
    rules::Nonnegative(errors, path.Child("startingDeadlineSeconds"), spec.startingdeadlineseconds());
  }
  const bool same_zone =
      old != nullptr && old->has_timezone() == spec.has_timezone() && old->timezone() == spec.timezone();
  if (spec.has_timezone() && !same_zone) {
    const Path at = path.Child("timeZone");
    const std::string& zone = spec.timezone();
    const auto is_part = [](std::string_view part) {
      constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_0123456789+";
      return part != "." && part != ".." && !part.starts_with('-') && !part.empty() && part.size() <= 14 &&
             part.find_first_not_of(kCharacters) == std::string_view::npos;
    };
    bool well_formed = true;
    std::string_view rest = zone;
    while (well_formed) {
      const size_t slash = rest.find('/');
      well_formed = is_part(rest.substr(0, slash));
      if (slash == std::string_view::npos) break;
      rest.remove_prefix(slash + 1);
    }
    std::string lower = zone;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    if (zone.empty()) {
      errors.push_back(field::Invalid(at, zone, "timeZone must be nil or non-empty string"));
    } else if (!well_formed) {
      errors.push_back(field::Invalid(at, zone, "unknown time zone " + zone));
    } else if (lower == "local") {
      errors.push_back(field::Invalid(
          at, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"));
      if (zone != "Local") errors.push_back(field::Invalid(at, zone, "unknown time zone " + zone));
    } else if (!cron::IsKnownTimeZone(zone)) {
      errors.push_back(field::Invalid(at, zone, "unknown time zone " + zone));
    }
  }
  static constexpr std::string_view kPolicies[] = {"Allow", "Forbid", "Replace"};
  rules::RequireOneOf(errors, path.Child("concurrencyPolicy"), spec.concurrencypolicy(), kPolicies);
  const Path job = path.Child("jobTemplate.spec");
  ValidateCommonSpec(errors, job, spec.jobtemplate().spec());
  if (spec.jobtemplate().spec().has_selector()) {
    errors.push_back(field::InvalidLiteral(job.Child("selector"), rules::GoValue(spec.jobtemplate().spec().selector()),
                                           "`selector` will be auto-generated"));
  }
  if (spec.jobtemplate().spec().manualselector()) {
    field::FieldError error = field::NotSupported(job.Child("manualSelector"), "", {"nil", "false"});
    error.value = "true";
    errors.push_back(std::move(error));
  }
  if (spec.has_successfuljobshistorylimit()) {
    rules::Nonnegative(errors, path.Child("successfulJobsHistoryLimit"), spec.successfuljobshistorylimit());
  }
  if (spec.has_failedjobshistorylimit()) {
    rules::Nonnegative(errors, path.Child("failedJobsHistoryLimit"), spec.failedjobshistorylimit());
  }
  return errors;
}

}  // namespace

bool HasCondition(const batch::JobStatus& status, std::string_view type) {
  for (const auto& condition : status.conditions()) {
    if (condition.type() == type && condition.status() == "True") return true;
  }
  return false;
}

field::ErrorList ValidateJob(const batch::Job& job) {
  return ValidateJobWith(job, true);
}

field::ErrorList ValidateJobUpdate(const batch::Job& updated, const batch::Job& old) {
  const auto& old_labels = old.spec().template_().metadata().labels();
  // Jobs of releases before 1.27 lack them.
  const bool prefixed =
      old_labels.contains("batch.kubernetes.io/job-name") && old_labels.contains("batch.kubernetes.io/controller-uid");
  ErrorList errors = ValidateJobWith(updated, prefixed);
  const Path path("spec");
  const batch::JobSpec& spec = updated.spec();
  ValidateCompletionsUpdate(errors, path.Child("completions"), spec, old.spec());
  rules::Immutable(
      errors, path.Child("selector"),
      spec.has_selector() == old.spec().has_selector() && SemanticEqual(spec.selector(), old.spec().selector()),
      rules::GoValue(spec.selector()));
  const bool mutable_directives = old.spec().suspend() && !old.status().has_starttime();
  const batch::JobSpec expected = mutable_directives ? WithSchedulingDirectives(old.spec(), spec) : old.spec();
  rules::Immutable(errors, path.Child("template"), SemanticEqual(spec.template_(), expected.template_()),
                   "core.PodTemplateSpec{...}");
  rules::Immutable(errors, path.Child("completionMode"),
                   spec.has_completionmode() == old.spec().has_completionmode() &&
                       spec.completionmode() == old.spec().completionmode(),
                   GoPointer(spec.has_completionmode(), field::Quote(spec.completionmode())));
  rules::Immutable(errors, path.Child("podFailurePolicy"),
                   spec.has_podfailurepolicy() == old.spec().has_podfailurepolicy() &&
                       SemanticEqual(spec.podfailurepolicy(), old.spec().podfailurepolicy()),
                   GoPointer(spec.has_podfailurepolicy(), "batch.PodFailurePolicy{...}"));
  rules::Immutable(errors, path.Child("backoffLimitPerIndex"),
                   spec.has_backofflimitperindex() == old.spec().has_backofflimitperindex() &&
                       spec.backofflimitperindex() == old.spec().backofflimitperindex(),
                   GoPointer(spec.has_backofflimitperindex(), std::to_string(spec.backofflimitperindex())));
  rules::Immutable(errors, path.Child("managedBy"),
                   spec.has_managedby() == old.spec().has_managedby() && spec.managedby() == old.spec().managedby(),
                   GoPointer(spec.has_managedby(), field::Quote(spec.managedby())));
  rules::Immutable(errors, path.Child("successPolicy"),
                   spec.has_successpolicy() == old.spec().has_successpolicy() &&
                       SemanticEqual(spec.successpolicy(), old.spec().successpolicy()),
                   GoPointer(spec.has_successpolicy(), "batch.SuccessPolicy{...}"));
  return errors;
}

field::ErrorList ValidateJobStatusUpdate(const batch::Job& updated, const batch::Job& old) {
  ErrorList errors;
  const Path path("status");
  const Path conditions = path.Child("conditions");
  const batch::JobStatus& status = updated.status();
  const batch::JobStatus& before = old.status();
  const batch::JobSpec& spec = updated.spec();
  rules::Nonnegative(errors, path.Child("active"), status.active());
  rules::Nonnegative(errors, path.Child("succeeded"), status.succeeded());
  rules::Nonnegative(errors, path.Child("failed"), status.failed());
  if (status.has_ready()) rules::Nonnegative(errors, path.Child("ready"), status.ready());
  if (status.has_terminating()) rules::Nonnegative(errors, path.Child("terminating"), status.terminating());
  std::set<std::string> seen;
  const Path uncounted = path.Child("uncountedTerminatedPods");
  ValidateUids(errors, uncounted.Child("succeeded"), status.uncountedterminatedpods().succeeded(), seen);
  ValidateUids(errors, uncounted.Child("failed"), status.uncountedterminatedpods().failed(), seen);

  const bool complete = HasCondition(status, "Complete");
  const bool failed = HasCondition(status, "Failed");
  const bool target = HasCondition(status, "FailureTarget");
  const bool met = HasCondition(status, "SuccessCriteriaMet");
  const bool finished = complete || failed;
  // Only what changes is checked, so that old objects can still be written.
  const bool complete_changed = complete != HasCondition(before, "Complete");
  const bool failed_changed = failed != HasCondition(before, "Failed");
  const bool target_changed = target != HasCondition(before, "FailureTarget");
  const bool finished_changed = finished != IsFinished(before);
  const bool start_changed =
      status.has_starttime() != before.has_starttime() || status.starttime().seconds() != before.starttime().seconds();
  const bool completion_changed = status.has_completiontime() != before.has_completiontime() ||
                                  status.completiontime().seconds() != before.completiontime().seconds();
  const bool completed_indexes_changed = status.completedindexes() != before.completedindexes();
  const bool failed_indexes_changed =
      status.has_failedindexes() != before.has_failedindexes() || status.failedindexes() != before.failedindexes();
  const bool indexed = spec.completionmode() == "Indexed";

  if ((complete_changed || failed_changed) && complete && failed) {
    errors.push_back(InvalidOmitted(conditions, "cannot set Complete=True and Failed=true conditions"));
  }
  if ((complete_changed || target_changed) && complete && target) {
    errors.push_back(InvalidOmitted(conditions, "cannot set Complete=True and FailureTarget=true conditions"));
  }
  if (complete_changed || completion_changed) {
    if (status.has_completiontime() && !complete) {
      errors.push_back(InvalidOmitted(path.Child("completionTime"),
                                      "cannot set completionTime when there is no Complete=True condition"));
    }
    if (!status.has_completiontime() && complete) {
      errors.push_back(field::Required(path.Child("completionTime"), "completionTime is required for Complete jobs"));
    }
  }
  if ((start_changed || completion_changed) && status.has_starttime() && status.has_completiontime() &&
      status.completiontime().seconds() < status.starttime().seconds()) {
    errors.push_back(InvalidOmitted(path.Child("completionTime"), "completionTime cannot be set before startTime"));
  }
  if ((finished_changed || status.active() != before.active()) && status.active() > 0 && finished) {
    errors.push_back(field::Invalid(path.Child("active"), status.active(), "active>0 is invalid for finished job"));
  }
  if ((finished_changed || start_changed) && !status.has_starttime() && finished) {
    errors.push_back(field::Required(path.Child("startTime"), "startTime is required for finished job"));
  }
  if (finished &&
      (status.uncountedterminatedpods().failed_size() + status.uncountedterminatedpods().succeeded_size() > 0) &&
      (finished_changed || !SemanticEqual(status.uncountedterminatedpods(), before.uncountedterminatedpods()))) {
    errors.push_back(field::InvalidLiteral(uncounted, "batch.UncountedTerminatedPods{...}",
                                           "uncountedTerminatedPods needs to be empty for finished job"));
  }
  const auto check_indexes = [&](std::string_view name, const std::string& text) {
    const auto count = batch_indexes::Count(text, spec.completions());
    if (count.ok()) return;
    errors.push_back(
        field::Invalid(path.Child(name), text, fmt::format("error parsing {}: {}", name, count.error().message())));
  };
  if (completed_indexes_changed && spec.has_completions()) {
    check_indexes("completedIndexes", status.completedindexes());
  }
  if (failed_indexes_changed && spec.has_completions() && spec.has_backofflimitperindex() &&
      status.has_failedindexes()) {
    check_indexes("failedIndexes", status.failedindexes());
  }
  if (completed_indexes_changed && !status.completedindexes().empty() && !indexed) {
    errors.push_back(field::Invalid(path.Child("completedIndexes"), status.completedindexes(),
                                    "cannot set non-empty completedIndexes when non-indexed completion mode"));
  }
  if (failed_indexes_changed && !spec.has_backofflimitperindex() && status.has_failedindexes()) {
    errors.push_back(field::Invalid(path.Child("failedIndexes"), status.failedindexes(),
                                    "cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
  }
  if ((failed_indexes_changed || completed_indexes_changed) && spec.has_completions() && status.has_failedindexes()) {
    const auto overlap = batch_indexes::Overlap(status.completedindexes(), status.failedindexes(), spec.completions());
    if (overlap) {
      errors.push_back(
          field::Invalid(path.Child("failedIndexes"), status.failedindexes(),
                         fmt::format("failedIndexes and completedIndexes overlap at index: {}", *overlap)));
    }
  }
  if (finished && status.terminating() > 0 && (finished_changed || status.terminating() != before.terminating())) {
    errors.push_back(
        field::Invalid(path.Child("terminating"), status.terminating(), "terminating>0 is invalid for finished job"));
  }
  if (status.has_ready() && status.ready() > status.active() &&
      (status.ready() != before.ready() || status.active() != before.active())) {
    errors.push_back(field::Invalid(path.Child("ready"), status.ready(), "cannot set more ready pods than active"));
  }
  if (met && failed) {
    errors.push_back(InvalidOmitted(conditions, "cannot set SuccessCriteriaMet=True and Failed=true conditions"));
  }
  if (met && target) {
    errors.push_back(
        InvalidOmitted(conditions, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"));
  }
  if (spec.has_successpolicy() && !met && complete) {
    errors.push_back(InvalidOmitted(
        conditions, "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"));
  }

  for (const std::string_view type : {"Failed", "Complete", "FailureTarget"}) {
    if (HasCondition(before, type) && !HasCondition(status, type)) {
      errors.push_back(InvalidOmitted(conditions, fmt::format("cannot disable the terminal {}=True condition", type)));
    }
  }
  if (status.failed() < before.failed()) {
    errors.push_back(field::Invalid(path.Child("failed"), status.failed(), "cannot decrease the failed counter"));
  }
  // Indexed jobs of as many pods as completions can be made smaller.
  const bool elastic = indexed && spec.has_completions() && spec.completions() == spec.parallelism();
  if (!elastic && status.succeeded() < before.succeeded()) {
    errors.push_back(
        field::Invalid(path.Child("succeeded"), status.succeeded(), "cannot decrease the succeeded counter"));
  }
  if (status.has_completiontime() && before.has_completiontime() && completion_changed) {
    errors.push_back(InvalidOmitted(path.Child("completionTime"), "completionTime cannot be mutated"));
  }
  if (before.has_starttime() && start_changed && !spec.suspend()) {
    errors.push_back(field::Required(path.Child("startTime"), "startTime cannot be removed for unsuspended job"));
  }
  if (HasCondition(before, "SuccessCriteriaMet") && !met) {
    errors.push_back(InvalidOmitted(conditions, "cannot disable the SuccessCriteriaMet=True condition"));
  }
  if (HasCondition(before, "Complete") && !HasCondition(before, "SuccessCriteriaMet") && met) {
    errors.push_back(
        InvalidOmitted(conditions, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"));
  }
  return errors;
}

field::ErrorList ValidateCronJob(const batch::CronJob& cron_job) {
  ErrorList errors = ValidateCronJobSpec(cron_job.spec(), nullptr);
  // A job's name has eleven characters more, and a job's name is a label.
  if (cron_job.metadata().name().size() > 52) {
    errors.push_back(
        field::Invalid(Path("metadata.name"), cron_job.metadata().name(), "must be no more than 52 characters"));
  }
  return errors;
}

field::ErrorList ValidateCronJobUpdate(const batch::CronJob& updated, const batch::CronJob& old) {
  return ValidateCronJobSpec(updated.spec(), &old.spec());
}

}  // namespace knarr::api
