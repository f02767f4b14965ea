// Validation of batch/v1 with upstream's paths, reasons and messages; metadata is validated apart.
// Mirrors: pkg/apis/batch/validation/validation.go of 1.32. Input is an object after SetDefaults.
#pragma once

#include "pkg/api/field/field.h"
#include "pkg/api/types.h"

namespace k8s::io::api::batch::v1 {
class CronJob;
class Job;
class JobStatus;
}  // namespace k8s::io::api::batch::v1

namespace knarr::api {

field::ErrorList ValidateJob(const batch::Job& job);
field::ErrorList ValidateJobUpdate(const batch::Job& updated, const batch::Job& old);
// What upstream asks of external controllers since 1.32. Two of its rules are left out, as the job controllers of the
// releases before 1.31 break them: that Complete comes with SuccessCriteriaMet and Failed with FailureTarget.
field::ErrorList ValidateJobStatusUpdate(const batch::Job& updated, const batch::Job& old);

field::ErrorList ValidateCronJob(const batch::CronJob& cron_job);
field::ErrorList ValidateCronJobUpdate(const batch::CronJob& updated, const batch::CronJob& old);

// Whether a condition of this type is True.
bool HasCondition(const batch::JobStatus& status, std::string_view type);

}  // namespace knarr::api
