#include "pkg/api/node/validation.h"

#include <fmt/format.h>

#include <set>
#include <tuple>

#include "k8s.io/api/node/v1/generated.pb.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {

using field::ErrorList;
using field::Path;

field::ErrorList ValidateRuntimeClass(const node_v1::RuntimeClass& runtime_class) {
  ErrorList errors;
  rules::AddInvalid(errors, Path("handler"), runtime_class.handler(),
                    names::NameIsDNSLabel(runtime_class.handler(), false));
  if (runtime_class.has_overhead()) {
    core::PodSpec spec;
    *spec.mutable_overhead() = runtime_class.overhead().podfixed();
    field::Append(errors, ValidatePodOverhead(spec, Path("overhead")));
  }
  if (!runtime_class.has_scheduling()) return errors;
  const Path path("scheduling");
  field::Append(errors, ValidateLabels(runtime_class.scheduling().nodeselector(), path.Child("nodeSelector")));
  const Path list = path.Child("tolerations");
  const auto& tolerations = runtime_class.scheduling().tolerations();
  core::PodSpec spec;
  *spec.mutable_tolerations() = tolerations;
  field::Append(errors, ValidatePodTolerations(spec, list));
  std::set<std::tuple<std::string, std::string, std::string, std::string>> seen;
  for (int i = 0; i < tolerations.size(); ++i) {
    const auto& one = tolerations[i];
    if (seen.emplace(one.key(), one.operator_(), one.value(), one.effect()).second) continue;
    field::FieldError error = field::Duplicate(list.Index(static_cast<size_t>(i)), "");
    error.value = fmt::format(
        "core.Toleration{{Key:{}, Operator:{}, Value:{}, Effect:{}, TolerationSeconds:(*int64)(nil)}}",
        field::Quote(one.key()), field::Quote(one.operator_()), field::Quote(one.value()), field::Quote(one.effect()));
    errors.push_back(std::move(error));
  }
  return errors;
}

field::ErrorList ValidateRuntimeClassUpdate(const node_v1::RuntimeClass& updated, const node_v1::RuntimeClass& old) {
  ErrorList errors;
  rules::ImmutableText(errors, Path("handler"), updated.handler(), old.handler());
  return errors;
}

}  // namespace knarr::api
