#include "pkg/apiserver/registry/batch/kinds.h"

#include "k8s.io/api/batch/v1/generated.pb.h"
#include "pkg/api/batch/defaults.h"
#include "pkg/api/batch/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using field::ErrorList;

// Labels that make the pods of this job match this job only; a user's own are kept, and refused by validation if they
// say something else. The object has its uid by now.
void GenerateSelector(batch::Job& job) {
  if (job.spec().manualselector()) return;
  auto& labels = *job.mutable_spec()->mutable_template_()->mutable_metadata()->mutable_labels();
  const std::string& name = job.metadata().name();
  const std::string& uid = job.metadata().uid();
  labels.insert({"job-name", name});
  labels.insert({"batch.kubernetes.io/job-name", name});
  labels.insert({"controller-uid", uid});
  labels.insert({"batch.kubernetes.io/controller-uid", uid});
  job.mutable_spec()->mutable_selector()->mutable_matchlabels()->insert({"batch.kubernetes.io/controller-uid", uid});
}

class JobStrategy : public SpecStrategy<batch::Job> {
 public:
  void Default(batch::Job& job) const override { api::SetDefaults(job); }
  void PrepareCreate(const RequestContext& rc, batch::Job& job) const override {
    GenerateSelector(job);
    Default(job);  // labels of the template become the job's, as when it is read again
    SpecStrategy::PrepareCreate(rc, job);
  }
  bool DefaultOrphan(const RequestContext& rc) const override { return rc.version == "v1"; }
  ErrorList Check(const RequestContext&, const batch::Job& job) const override { return api::ValidateJob(job); }
  ErrorList CheckUpdate(const RequestContext&, const batch::Job& updated, const batch::Job& old) const override {
    return api::ValidateJobUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    if (old == nullptr) WarnOfPodNames(object.metadata().name(), warnings);
    return warnings;
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"status.successful", std::to_string(object.As<batch::Job>().status().succeeded())}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"status.successful"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Status"),        TextColumn("Completions"), TextColumn("Duration"),
            AgeColumn(),  TextColumn("Containers", 1), TextColumn("Images", 1),   TextColumn("Selector", 1)};
  }
  std::vector<Cell> Row(const batch::Job& job, WallTime now) const override {
    const auto& status = job.status();
    std::string completions;
    if (job.spec().has_completions()) {
      completions = fmt::format("{}/{}", status.succeeded(), job.spec().completions());
    } else if (job.spec().parallelism() > 1) {
      completions = fmt::format("{}/1 of {}", status.succeeded(), job.spec().parallelism());
    } else {
      completions = fmt::format("{}/1", status.succeeded());
    }
    std::string duration;
    if (status.has_starttime()) {
      const WallTime end = status.has_completiontime() ? ToWallTime(status.completiontime()) : now;
      duration = HumanAge(ToWallTime(status.starttime()), end);
    }
    auto [names, images] = LayoutContainerCells(job.spec().template_().spec().containers());
    return {
        job.metadata().name(),    StateOf(job),     std::move(completions), std::move(duration),
        Age(job.metadata(), now), std::move(names), std::move(images),      FormatLabelSelector(job.spec().selector())};
  }

 private:
  static std::string StateOf(const batch::Job& job) {
    const auto has = [&](std::string_view type) { return api::HasCondition(job.status(), type); };
    if (has("Complete")) return "Complete";
    if (has("Failed")) return "Failed";
    if (job.metadata().has_deletiontimestamp()) return "Terminating";
    for (const char* type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"}) {
      if (has(type)) return type;
    }
    return "Running";
  }
};

class JobStatusStrategy : public JobStrategy {
 public:
  void PrepareUpdate(const RequestContext&, batch::Job& updated, const batch::Job& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const batch::Job& updated, const batch::Job& old) const override {
    return api::ValidateJobStatusUpdate(updated, old);
  }
};

class CronJobStrategy : public SpecStrategy<batch::CronJob> {
 public:
  void Default(batch::CronJob& cron_job) const override { api::SetDefaults(cron_job); }
  bool DefaultOrphan(const RequestContext& rc) const override { return rc.version == "v1beta1"; }
  ErrorList Check(const RequestContext&, const batch::CronJob& cron_job) const override {
    return api::ValidateCronJob(cron_job);
  }
  ErrorList CheckUpdate(const RequestContext&, const batch::CronJob& updated,
                        const batch::CronJob& old) const override {
    return api::ValidateCronJobUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    if (old == nullptr) WarnOfPodNames(object.metadata().name(), warnings);
    return warnings;
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Schedule"),
            TextColumn("Timezone"),
            {.name = "Suspend", .type = "boolean"},
            NumberColumn("Active"),
            TextColumn("Last Schedule"),
            AgeColumn(),
            TextColumn("Containers", 1),
            TextColumn("Images", 1),
            TextColumn("Selector", 1)};
  }
  std::vector<Cell> Row(const batch::CronJob& cron_job, WallTime now) const override {
    const auto& spec = cron_job.spec();
    const auto& job = spec.jobtemplate().spec();
    std::string suspend = spec.suspend() ? "True" : "False";
    if (!spec.has_suspend()) suspend = "<unset>";
    auto [names, images] = LayoutContainerCells(job.template_().spec().containers());
    return {cron_job.metadata().name(),
            spec.schedule(),
            spec.has_timezone() ? spec.timezone() : std::string("<none>"),
            std::move(suspend),
            int64_t{cron_job.status().active_size()},
            cron_job.status().has_lastscheduletime() ? HumanAge(ToWallTime(cron_job.status().lastscheduletime()), now)
                                                     : std::string("<none>"),
            Age(cron_job.metadata(), now),
            std::move(names),
            std::move(images),
            FormatLabelSelector(job.selector())};
  }
};

class CronJobStatusStrategy : public CronJobStrategy {
 public:
  void PrepareUpdate(const RequestContext&, batch::CronJob& updated, const batch::CronJob& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const batch::CronJob&, const batch::CronJob&) const override {
    return {};
  }
};

}  // namespace

std::vector<Kind> BatchKinds(const BuiltinDeps&) {
  Kind jobs = BuiltinKind("batch", "jobs", {"v1"}, std::make_shared<JobStrategy>());
  jobs.name_validator = names::NameIsDNSSubdomain;
  jobs.subresources.push_back(StatusPart(std::make_shared<JobStatusStrategy>()));
  // The version that 1.20 can read.
  Kind cron_jobs = BuiltinKind("batch", "cronjobs", {"v1", "v1beta1"}, std::make_shared<CronJobStrategy>());
  cron_jobs.storage_version = "batch/v1beta1";
  cron_jobs.name_validator = names::NameIsDNSSubdomain;
  cron_jobs.subresources.push_back(StatusPart(std::make_shared<CronJobStatusStrategy>()));
  Deprecate(cron_jobs, "v1beta1", 21, 25, "v1");
  return {std::move(jobs), std::move(cron_jobs)};
}

}  // namespace knarr::registry
