// Defaults of batch/v1. Applying them twice changes nothing. Mirrors: pkg/apis/batch/v1/defaults.go of 1.32
#pragma once

#include "pkg/api/types.h"

namespace k8s::io::api::batch::v1 {
class CronJob;
class Job;
}  // namespace k8s::io::api::batch::v1

namespace knarr::api {

void SetDefaults(batch::Job& job);
void SetDefaults(batch::CronJob& cron_job);

}  // namespace knarr::api
