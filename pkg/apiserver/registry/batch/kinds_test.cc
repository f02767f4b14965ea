#include "pkg/apiserver/registry/batch/kinds.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/batch/v1/generated.pb.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

// `spec` is indented by two.
std::string Job(std::string_view spec, std::string_view pod = "restartPolicy: Never") {
  return fmt::format(
      "metadata: {{name: pi, uid: u1}}\nspec:\n  template: {{spec: {{containers: [{{name: c, image: i}}], {}}}}}\n{}",
      pod, spec);
}

std::string Cron(std::string_view spec) {
  return fmt::format(
      "metadata: {{name: tick}}\nspec:\n  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: OnFailure, "
      "containers: [{{name: c, image: i}}]}}}}}}}}\n{}",
      spec);
}

BOOST_AUTO_TEST_SUITE(batch_kinds)

BOOST_AUTO_TEST_CASE(jobs_get_a_selector_of_their_own) {
  TestKinds kinds(BatchKinds({}));
  const Object object = kinds.Created("jobs", Job(""));
  const auto& spec = object.As<batch::Job>().spec();
  BOOST_TEST(spec.selector().matchlabels().size() == 1u);
  BOOST_TEST(spec.selector().matchlabels().at("batch.kubernetes.io/controller-uid") == "u1");
  BOOST_TEST(spec.template_().metadata().labels().size() == 4u);
  BOOST_TEST(spec.template_().metadata().labels().at("job-name") == "pi");
  BOOST_TEST(object.metadata().labels().size() == 4u);
  BOOST_TEST(spec.completions() == 1);
  BOOST_TEST(spec.parallelism() == 1);
  BOOST_TEST(spec.backofflimit() == 6);
  BOOST_TEST(spec.podreplacementpolicy() == "TerminatingOrFailed");
  BOOST_TEST(kinds.CreateErrors("jobs", Job("")) == "");
  BOOST_TEST(kinds.CreateErrors("jobs", Job("  selector: {matchLabels: {a: b}}")) ==
             "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"a\":\"b\", "
             "\"batch.kubernetes.io/controller-uid\":\"u1\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: "
             "`selector` not auto-generated\n"
             "spec.template.metadata.labels: Invalid value: map[string]string{"
             "\"batch.kubernetes.io/controller-uid\":\"u1\", \"batch.kubernetes.io/job-name\":\"pi\", "
             "\"controller-uid\":\"u1\", \"job-name\":\"pi\"}: `selector` does not match template `labels`");
  // By hand nothing is added.
  const Object manual = kinds.Created("jobs", Job("  manualSelector: true\n  selector: {matchLabels: {a: b}}"));
  BOOST_TEST(manual.As<batch::Job>().spec().selector().matchlabels().size() == 1u);
  BOOST_TEST(manual.As<batch::Job>().spec().template_().metadata().labels().empty());
}

BOOST_AUTO_TEST_CASE(jobs_that_are_wrong) {
  TestKinds kinds(BatchKinds({}));
  const std::pair<std::string, std::string> cases[] = {
      {Job("", "dnsPolicy: Default"),
       "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""},
      {Job("  parallelism: -1\n  backoffLimit: -2"),
       "spec.parallelism: Invalid value: -1: must be greater than or equal to 0\n"
       "spec.backoffLimit: Invalid value: -2: must be greater than or equal to 0"},
      {Job("  completionMode: Indexed\n  parallelism: 2"),
       "spec.completions: Required value: when completion mode is Indexed"},
      {Job("  completionMode: Other"),
       "spec.completionMode: Unsupported value: \"Other\": supported values: \"NonIndexed\", \"Indexed\""},
      {Job("  backoffLimitPerIndex: 1"),
       "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"},
      {Job("  podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [3, 0, 3], "
           "containerName: x}}, {onPodConditions: [{type: DisruptionTarget, status: Maybe}]}, {action: FailJob}]}"),
       "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the container "
       "or initContainer names in the pod template\n"
       "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator\n"
       "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 3\n"
       "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []int32{3, 0, 3}: must be ordered\n"
       "spec.podFailurePolicy.rules[1].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" "
       "\"Ignore\"]\n"
       "spec.podFailurePolicy.rules[1].onPodConditions[0].status: Unsupported value: \"Maybe\": supported values: "
       "\"False\", \"True\", \"Unknown\"\n"
       "spec.podFailurePolicy.rules[2]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"},
      {Job("  podFailurePolicy: {rules: []}", "restartPolicy: OnFailure"),
       "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when "
       "podFailurePolicy is specified"},
      {Job("  completionMode: Indexed\n  completions: 3\n  successPolicy: {rules: [{succeededIndexes: '0,2-5'}]}"),
       "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0,2-5\": error parsing succeededIndexes: too "
       "large index: \"5\""},
      {Job("  completionMode: Indexed\n  completions: 3\n  successPolicy: {rules: [{succeededIndexes: '0-1', "
           "succeededCount: 3}]}"),
       "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of "
       "indexes in the specified succeededIndexes field)"},
  };
  for (const auto& [yaml, errors] : cases) BOOST_TEST(kinds.CreateErrors("jobs", yaml) == errors);
}

BOOST_AUTO_TEST_CASE(jobs_change_little) {
  TestKinds kinds(BatchKinds({}));
  const auto errors = [&](const std::string& to, const std::string& from) {
    const Object old = kinds.Created("jobs", from);
    // As a client sends it back: with the labels.
    Object updated = kinds.Created("jobs", to);
    const Strategy& strategy = *kinds.Get("jobs").strategy;
    strategy.PrepareForUpdate(kinds.context(), updated, old);
    std::string text;
    for (const auto& error : strategy.ValidateUpdate(kinds.context(), updated, old)) text += error.ToString() + "\n";
    return text;
  };
  BOOST_TEST(errors(Job("  parallelism: 3\n  completions: 1"), Job("")) == "");
  BOOST_TEST(errors(Job("  completions: 2"), Job("")) == "spec.completions: Invalid value: 2: field is immutable\n");
  BOOST_TEST(errors(Job("", "restartPolicy: OnFailure"), Job("")) ==
             "spec.template: Invalid value: core.PodTemplateSpec{...}: field is immutable\n");
  const std::string affinity = "restartPolicy: Never, nodeSelector: {a: b}";
  BOOST_TEST(errors(Job("  suspend: true", affinity), Job("  suspend: true")) == "");
  BOOST_TEST(errors(Job("", affinity), Job("")) ==
             "spec.template: Invalid value: core.PodTemplateSpec{...}: field is immutable\n");
  BOOST_TEST(errors(Job("  completionMode: Indexed\n  completions: 4\n  parallelism: 3"),
                    Job("  completionMode: Indexed\n  completions: 3\n  parallelism: 3")) ==
             "spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism\n");
}

BOOST_AUTO_TEST_CASE(statuses_of_jobs) {
  TestKinds kinds(BatchKinds({}));
  const auto errors = [&](std::string_view to, std::string_view from) {
    return kinds.UpdateErrors("jobs", "status", Job(fmt::format("status: {}", to)),
                              Job(fmt::format("status: {}", from)));
  };
  // What a job controller of 1.20 writes at the end.
  BOOST_TEST(errors("{startTime: '2024-01-01T00:00:00Z', completionTime: '2024-01-01T00:01:00Z', succeeded: 1, "
                    "conditions: [{type: Complete, status: 'True'}]}",
                    "{startTime: '2024-01-01T00:00:00Z', active: 1}") == "");
  BOOST_TEST(
      errors("{conditions: [{type: Complete, status: 'True'}, {type: Failed, status: 'True'}], active: 1}", "{}") ==
      "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions\n"
      "status.completionTime: Required value: completionTime is required for Complete jobs\n"
      "status.active: Invalid value: 1: active>0 is invalid for finished job\n"
      "status.startTime: Required value: startTime is required for finished job");
  BOOST_TEST(errors("{failed: 1}", "{failed: 2, conditions: [{type: Failed, status: 'True'}]}") ==
             "status.conditions: Invalid value: cannot disable the terminal Failed=True condition\n"
             "status.failed: Invalid value: 1: cannot decrease the failed counter");
}

BOOST_AUTO_TEST_CASE(cron_jobs) {
  TestKinds kinds(BatchKinds({}));
  const std::pair<std::string, std::string> cases[] = {
      {Cron("  schedule: '*/5 * * * *'"), ""},
      {Cron(""), "spec.schedule: Required value"},
      {Cron("  schedule: '* * * *'"),
       "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]"},
      {Cron("  schedule: 'TZ=UTC * * * * *'"),
       "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field "
       "instead"},
      {Cron("  schedule: '@daily'\n  timeZone: Mars/Base"),
       "spec.timeZone: Invalid value: \"Mars/Base\": unknown time zone Mars/Base"},
      {Cron("  schedule: '@daily'\n  timeZone: ''"),
       "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"},
      {Cron("  schedule: '@daily'\n  timeZone: Local"),
       "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in "
       "https://www.iana.org/time-zones"},
      {Cron("  schedule: '@daily'\n  timeZone: UTC\n  concurrencyPolicy: Never\n  failedJobsHistoryLimit: -1"),
       "spec.concurrencyPolicy: Unsupported value: \"Never\": supported values: \"Allow\", \"Forbid\", \"Replace\"\n"
       "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0"},
  };
  for (const auto& [yaml, errors] : cases) BOOST_TEST(kinds.CreateErrors("cronjobs", yaml) == errors);
  BOOST_TEST(kinds.Get("cronjobs").storage_version == "batch/v1beta1");
  BOOST_TEST(kinds.Get("cronjobs").FindVersion("v1beta1")->deprecation_warning ==
             "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob");
}

BOOST_AUTO_TEST_CASE(rows) {
  TestKinds kinds(BatchKinds({}));
  BOOST_TEST(kinds.Header("jobs") ==
             "Name | Status | Completions | Duration | Age | (Containers) | (Images) | (Selector)");
  BOOST_TEST(kinds.Row("jobs", Job("status: {startTime: '2023-11-14T22:11:20Z'}")) ==
             "pi | Running | 0/1 | 2m | <unknown> | c | i | <none>");
  BOOST_TEST(kinds.Row("jobs", Job("  parallelism: 3\nstatus: {succeeded: 1, startTime: '2023-11-14T22:11:20Z', "
                                   "completionTime: '2023-11-14T22:11:25Z', conditions: [{type: Complete, status: "
                                   "'True'}]}")) == "pi | Complete | 1/1 of 3 | 5s | <unknown> | c | i | <none>");
  BOOST_TEST(kinds.Header("cronjobs") ==
             "Name | Schedule | Timezone | Suspend | Active | Last Schedule | Age | (Containers) | (Images) | "
             "(Selector)");
  BOOST_TEST(kinds.Row("cronjobs", Cron("  schedule: '@daily'\nstatus: {active: [{name: a}]}")) ==
             "tick | @daily | <none> | False | 1 | <none> | <unknown> | c | i | <none>");
}

BOOST_AUTO_TEST_CASE(old_versions_orphan_what_a_deletion_does_not_mention) {
  for (const Kind& kind : BatchKinds({})) {
    const std::string orphans = kind.resource == "jobs" ? "v1" : "v1beta1";
    for (const char* version : {"v1", "v1beta1"}) {
      BOOST_TEST(kind.strategy->DefaultOrphan({.version = version}) == (version == orphans), kind.resource);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
