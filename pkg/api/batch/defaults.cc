#include "pkg/api/batch/defaults.h"

#include "k8s.io/api/batch/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"

namespace knarr::api {

void SetDefaults(batch::Job& job) {
  batch::JobSpec& spec = *job.mutable_spec();
  if (!spec.has_completions() && !spec.has_parallelism()) spec.set_completions(1);
  if (!spec.has_parallelism()) spec.set_parallelism(1);
  if (!spec.has_backofflimit()) spec.set_backofflimit(spec.has_backofflimitperindex() ? INT32_MAX : 6);
  if (job.metadata().labels().empty() && !spec.template_().metadata().labels().empty()) {
    *job.mutable_metadata()->mutable_labels() = spec.template_().metadata().labels();
  }
  if (!spec.has_completionmode()) spec.set_completionmode("NonIndexed");
  if (!spec.has_suspend()) spec.set_suspend(false);
  if (spec.has_podfailurepolicy()) {
    for (auto& rule : *spec.mutable_podfailurepolicy()->mutable_rules()) {
      for (auto& pattern : *rule.mutable_onpodconditions()) {
        if (pattern.status().empty()) pattern.set_status("True");
      }
    }
  }
  if (!spec.has_podreplacementpolicy()) {
    spec.set_podreplacementpolicy(spec.has_podfailurepolicy() ? "Failed" : "TerminatingOrFailed");
  }
  if (!spec.has_manualselector()) spec.set_manualselector(false);
  SetDefaults(*spec.mutable_template_()->mutable_spec());
}

void SetDefaults(batch::CronJob& cron_job) {
  batch::CronJobSpec& spec = *cron_job.mutable_spec();
  if (spec.concurrencypolicy().empty()) spec.set_concurrencypolicy("Allow");
  if (!spec.has_suspend()) spec.set_suspend(false);
  if (!spec.has_successfuljobshistorylimit()) spec.set_successfuljobshistorylimit(3);
  if (!spec.has_failedjobshistorylimit()) spec.set_failedjobshistorylimit(1);
  SetDefaults(*spec.mutable_jobtemplate()->mutable_spec()->mutable_template_()->mutable_spec());
}

}  // namespace knarr::api
