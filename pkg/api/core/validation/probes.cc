// Probes and lifecycle hooks.
#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/util/intstr/generated.pb.h"
#include "pkg/api/core/validation/internal.h"
#include "pkg/api/intstr/intstr.h"

namespace knarr::api::validation {
namespace {

void ValidatePortNumOrName(const intstr::IntOrString& port, const Path& path, ErrorList& errors) {
  if (port.type() == intstr::kInt) {
    AddInvalid(errors, path, port.intval(), names::IsValidPortNum(port.intval()));
  } else if (port.type() == intstr::kString) {
    AddInvalid(errors, path, port.strval(), names::IsValidPortName(port.strval()));
  } else {
    errors.push_back(field::InternalError(path, fmt::format("unknown type: {}", port.type())));
  }
}

void ValidateHttpGet(const core::HTTPGetAction& http, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kSchemes[] = {"HTTP", "HTTPS"};
  RequireText(errors, path.Child("path"), http.path());
  ValidatePortNumOrName(http.port(), path.Child("port"), errors);
  RequireOneOf(errors, path.Child("scheme"), http.scheme(), kSchemes);
  for (const core::HTTPHeader& header : http.httpheaders()) {
    AddInvalid(errors, path.Child("httpHeaders"), header.name(), names::IsHTTPHeaderName(header.name()));
  }
}

void ValidateSleep(const core::SleepAction& sleep, const PodContext& pod, const Path& path, ErrorList& errors) {
  // A pod without a grace period has been reported already.
  if (!pod.grace_period) return;
  const int64_t least = pod.options.allow_pod_lifecycle_sleep_action_zero_value ? 0 : 1;
  if (sleep.seconds() >= least && sleep.seconds() <= *pod.grace_period) return;
  errors.push_back(field::Invalid(
      path, sleep.seconds(),
      least == 0
          ? fmt::format("must be non-negative and less than terminationGracePeriodSeconds ({})", *pod.grace_period)
          : fmt::format("must be greater than 0 and less than terminationGracePeriodSeconds ({}). Enable "
                        "AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.",
                        *pod.grace_period)));
}

// The first handler is validated, any further one is forbidden.
class HandlerValidator {
 public:
  HandlerValidator(const Path& path, ErrorList& errors) : path_(path), errors_(errors) {}

  template <typename Validate>
  void Check(bool is_set, std::string_view name, Validate validate) {
    if (!is_set) return;
    if (found_) {
      errors_.push_back(field::Forbidden(path_.Child(name), "may not specify more than 1 handler type"));
      return;
    }
    found_ = true;
    validate(path_.Child(name));
  }

  // ProbeHandler or LifecycleHandler.
  template <typename Handler>
  void CheckCommon(const Handler& handler) {
    Check(handler.has_exec(), "exec", [&](const Path& path) {
      if (handler.exec().command().empty()) errors_.push_back(field::Required(path.Child("command"), ""));
    });
    Check(handler.has_httpget(), "httpGet",
          [&](const Path& path) { ValidateHttpGet(handler.httpget(), path, errors_); });
    Check(handler.has_tcpsocket(), "tcpSocket",
          [&](const Path& path) { ValidatePortNumOrName(handler.tcpsocket().port(), path.Child("port"), errors_); });
  }

  void Finish() {
    if (!found_) errors_.push_back(field::Required(path_, "must specify a handler type"));
  }

 private:
  const Path& path_;
  ErrorList& errors_;
  bool found_ = false;
};

void ValidateHook(const core::LifecycleHandler& hook, const PodContext& pod, const Path& path, ErrorList& errors) {
  HandlerValidator handlers(path, errors);
  handlers.CheckCommon(hook);
  handlers.Check(hook.has_sleep(), "sleep", [&](const Path& p) { ValidateSleep(hook.sleep(), pod, p, errors); });
  handlers.Finish();
}

void ValidateProbe(const core::Probe& probe, const Path& path, ErrorList& errors) {
  HandlerValidator handlers(path, errors);
  handlers.CheckCommon(probe.handler());
  handlers.Check(probe.handler().has_grpc(), "grpc", [&](const Path& p) {
    AddInvalid(errors, p.Child("port"), probe.handler().grpc().port(),
               names::IsValidPortNum(probe.handler().grpc().port()));
  });
  handlers.Finish();
  ValidateNonnegativeField(probe.initialdelayseconds(), path.Child("initialDelaySeconds"), errors);
  ValidateNonnegativeField(probe.timeoutseconds(), path.Child("timeoutSeconds"), errors);
  ValidateNonnegativeField(probe.periodseconds(), path.Child("periodSeconds"), errors);
  ValidateNonnegativeField(probe.successthreshold(), path.Child("successThreshold"), errors);
  ValidateNonnegativeField(probe.failurethreshold(), path.Child("failureThreshold"), errors);
  if (probe.has_terminationgraceperiodseconds() && probe.terminationgraceperiodseconds() <= 0) {
    errors.push_back(field::Invalid(path.Child("terminationGracePeriodSeconds"), probe.terminationgraceperiodseconds(),
                                    "must be greater than 0"));
  }
}

// Liveness and startup probes.
void ValidateOneSuccessProbe(const core::Probe& probe, const Path& path, ErrorList& errors) {
  ValidateProbe(probe, path, errors);
  if (probe.successthreshold() != 1) {
    errors.push_back(field::Invalid(path.Child("successThreshold"), probe.successthreshold(), "must be 1"));
  }
}

void ValidateReadinessProbe(const core::Probe& probe, const Path& path, ErrorList& errors) {
  ValidateProbe(probe, path, errors);
  if (probe.has_terminationgraceperiodseconds()) {
    errors.push_back(field::Invalid(path.Child("terminationGracePeriodSeconds"), probe.terminationgraceperiodseconds(),
                                    "must not be set for readinessProbes"));
  }
}

}  // namespace

void ValidateLifecycleAndProbes(const core::Container& container, const PodContext& pod, const Path& path,
                                ErrorList& errors) {
  const core::Lifecycle& lifecycle = container.lifecycle();
  const Path hooks = path.Child("lifecycle");
  if (lifecycle.has_poststart()) ValidateHook(lifecycle.poststart(), pod, hooks.Child("postStart"), errors);
  if (lifecycle.has_prestop()) ValidateHook(lifecycle.prestop(), pod, hooks.Child("preStop"), errors);
  if (container.has_livenessprobe()) {
    ValidateOneSuccessProbe(container.livenessprobe(), path.Child("livenessProbe"), errors);
  }
  if (container.has_readinessprobe()) {
    ValidateReadinessProbe(container.readinessprobe(), path.Child("readinessProbe"), errors);
  }
  if (container.has_startupprobe()) {
    ValidateOneSuccessProbe(container.startupprobe(), path.Child("startupProbe"), errors);
  }
}

}  // namespace knarr::api::validation
