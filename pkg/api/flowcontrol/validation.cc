#include "pkg/api/flowcontrol/validation.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "k8s.io/api/flowcontrol/v1/generated.pb.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

constexpr int32_t kMaxPrecedence = 10000;
constexpr int32_t kMaxQueues = 10'000'000;
constexpr int kMaxHashBits = 60;
constexpr std::string_view kVerbs[] = {"create", "delete", "deletecollection", "get",  "list",
                                       "patch",  "proxy",  "update",           "watch"};

bool HasWildcard(const Strings& values) {
  return std::find(values.begin(), values.end(), "*") != values.end();
}

std::string GoStrings(const Strings& values) {
  return rules::GoValue(std::vector<std::string>(values.begin(), values.end()));
}

// A wildcard stands alone. `what` ends upstream's sentence. True if there is one.
bool ValidateWildcard(ErrorList& errors, const Path& path, const Strings& values, std::string_view what) {
  if (!HasWildcard(values)) return false;
  if (values.size() > 1) {
    errors.push_back(field::InvalidLiteral(path, GoStrings(values),
                                           fmt::format("if '*' is present, must not specify other {}", what)));
  }
  return true;
}

void ValidateVerbs(ErrorList& errors, const Path& path, const Strings& verbs) {
  if (verbs.empty()) {
    errors.push_back(field::Required(path, "verbs must contain at least one value"));
    return;
  }
  if (ValidateWildcard(errors, path, verbs, "verbs")) return;
  const bool known = std::all_of(verbs.begin(), verbs.end(), [](const std::string& verb) {
    return std::find(std::begin(kVerbs), std::end(kVerbs), verb) != std::end(kVerbs);
  });
  if (known) return;
  field::FieldError error = field::NotSupported(path, "", kVerbs);
  error.value = GoStrings(verbs);
  errors.push_back(std::move(error));
}

void ValidateUrl(ErrorList& errors, const Path& path, const std::string& url) {
  const auto invalid = [&](std::string_view why) { errors.push_back(field::Invalid(path, url, why)); };
  if (url == "/") return;
  const auto wildcards = std::count(url.begin(), url.end(), '*');
  if (url.empty()) {
    invalid("must not be empty");
  } else if (!url.starts_with('/')) {
    invalid("must start with slash");
  } else if (url.find(' ') != std::string::npos) {
    invalid("must not contain white-space");
  } else if (url.find("//") != std::string::npos) {
    invalid("must not contain double slash");
  } else if (wildcards > 1 || (wildcards == 1 && !url.ends_with("/*"))) {
    invalid("wildcard can only do suffix matching");
  }
}

void ValidateSubject(ErrorList& errors, const Path& path, const flowcontrol::Subject& subject) {
  const std::string& kind = subject.kind();
  if (kind != "Group" && kind != "ServiceAccount" && kind != "User") {
    errors.push_back(field::NotSupported(path.Child("kind"), kind, {"Group", "ServiceAccount", "User"}));
    return;
  }
  // Upstream's order: the field of the kind, then what must not be there.
  if (kind == "ServiceAccount") {
    const Path at = path.Child("serviceAccount");
    if (!subject.has_serviceaccount()) {
      errors.push_back(field::Required(at, "serviceAccount is required when subject kind is 'ServiceAccount'"));
    } else {
      const auto& account = subject.serviceaccount();
      if (account.name().empty()) {
        errors.push_back(field::Required(at.Child("name"), ""));
      } else if (account.name() != "*") {
        rules::AddInvalid(errors, at.Child("name"), account.name(), names::NameIsDNSSubdomain(account.name(), false));
      }
      if (account.namespace_().empty()) {
        errors.push_back(field::Required(at.Child("namespace"), "must specify namespace for service account"));
      } else {
        rules::AddInvalid(errors, at.Child("namespace"), account.namespace_(),
                          names::NameIsDNSLabel(account.namespace_(), false));
      }
    }
  } else {
    const bool user = kind == "User";
    const Path at = path.Child(user ? "user" : "group");
    if (user ? !subject.has_user() : !subject.has_group()) {
      errors.push_back(field::Required(at, user ? "user is required when subject kind is 'User'"
                                                : "group is required when subject kind is 'Group'"));
    } else if (user ? subject.user().name().empty() : subject.group().name().empty()) {
      errors.push_back(field::Required(at.Child("name"), ""));
    }
  }
  if (kind != "ServiceAccount" && subject.has_serviceaccount()) {
    errors.push_back(field::Forbidden(path.Child("serviceAccount"),
                                      "serviceAccount is forbidden when subject kind is not 'ServiceAccount'"));
  }
  if (kind != "User" && subject.has_user()) {
    errors.push_back(field::Forbidden(path.Child("user"), "user is forbidden when subject kind is not 'User'"));
  }
  if (kind != "Group" && subject.has_group()) {
    errors.push_back(field::Forbidden(path.Child("group"), "group is forbidden when subject kind is not 'Group'"));
  }
}

void ValidateResourceRule(ErrorList& errors, const Path& path, const flowcontrol::ResourcePolicyRule& rule) {
  ValidateVerbs(errors, path.Child("verbs"), rule.verbs());
  const auto list = [&](std::string_view name, const Strings& values, std::string_view one, std::string_view many) {
    if (values.empty()) {
      errors.push_back(
          field::Required(path.Child(name), fmt::format("resource rules must supply at least one {}", one)));
    } else {
      ValidateWildcard(errors, path.Child(name), values, many);
    }
  };
  list("apiGroups", rule.apigroups(), "api group", "api groups");
  list("resources", rule.resources(), "resource", "resources");
  const Path spaces = path.Child("namespaces");
  if (rule.namespaces().empty() && !rule.clusterscope()) {
    errors.push_back(
        field::Required(spaces, "resource rules that are not cluster scoped must supply at least one namespace"));
  } else if (!ValidateWildcard(errors, spaces, rule.namespaces(), "namespaces")) {
    for (int i = 0; i < rule.namespaces_size(); ++i) {
      for (const std::string& message : names::NameIsDNSLabel(rule.namespaces(i), false)) {
        errors.push_back(field::Invalid(spaces.Index(static_cast<size_t>(i)), rule.namespaces(i),
                                        "each member of this list must be '*' or a DNS-1123 label; " + message));
      }
    }
  }
}

void ValidateNonResourceRule(ErrorList& errors, const Path& path, const flowcontrol::NonResourcePolicyRule& rule) {
  ValidateVerbs(errors, path.Child("verbs"), rule.verbs());
  const Path urls = path.Child("nonResourceURLs");
  if (rule.nonresourceurls().empty()) {
    errors.push_back(field::Required(urls, "nonResourceURLs must contain at least one value"));
  } else if (!ValidateWildcard(errors, urls, rule.nonresourceurls(), "non-resource URLs")) {
    for (int i = 0; i < rule.nonresourceurls_size(); ++i) {
      ValidateUrl(errors, urls.Index(static_cast<size_t>(i)), rule.nonresourceurls(i));
    }
  }
}

template <typename Conditions>
ErrorList ValidateConditionTypes(const Conditions& conditions) {
  ErrorList errors;
  std::set<std::string> seen;
  for (int i = 0; i < conditions.size(); ++i) {
    const Path type = Path("status.conditions").Index(static_cast<size_t>(i)).Child("type");
    if (!seen.insert(conditions[i].type()).second) errors.push_back(field::Duplicate(type, conditions[i].type()));
    if (conditions[i].type().empty()) errors.push_back(field::Required(type, "must not be empty"));
  }
  return errors;
}

// How many bits of a hash it takes to deal a hand from a deck.
int RequiredEntropyBits(int32_t deck, int32_t hand) {
  double bits = 0;
  for (int32_t i = 0; i < hand && bits <= kMaxHashBits + 1; ++i) bits += std::log2(static_cast<double>(deck - i));
  return static_cast<int>(std::ceil(bits));
}

void ValidateQueuing(ErrorList& errors, const Path& path, const flowcontrol::QueuingConfiguration& queuing) {
  if (queuing.queuelengthlimit() <= 0) {
    errors.push_back(field::Invalid(path.Child("queueLengthLimit"), queuing.queuelengthlimit(), "must be positive"));
  }
  if (queuing.queues() <= 0) {
    errors.push_back(field::Invalid(path.Child("queues"), queuing.queues(), "must be positive"));
  } else if (queuing.queues() > kMaxQueues) {
    errors.push_back(
        field::Invalid(path.Child("queues"), queuing.queues(), fmt::format("must not be greater than {}", kMaxQueues)));
  }
  const Path hand = path.Child("handSize");
  if (queuing.handsize() <= 0) {
    errors.push_back(field::Invalid(hand, queuing.handsize(), "must be positive"));
  } else if (queuing.handsize() > queuing.queues()) {
    errors.push_back(field::Invalid(hand, queuing.handsize(),
                                    fmt::format("should not be greater than queues ({})", queuing.queues())));
  } else if (RequiredEntropyBits(queuing.queues(), queuing.handsize()) > kMaxHashBits) {
    errors.push_back(
        field::Invalid(hand, queuing.handsize(),
                       fmt::format("required entropy bits of deckSize {} and handSize {} should not be greater than {}",
                                   queuing.queues(), queuing.handsize(), kMaxHashBits)));
  }
}

void ValidateLimited(ErrorList& errors, const Path& path,
                     const flowcontrol::LimitedPriorityLevelConfiguration& limited) {
  if (limited.nominalconcurrencyshares() < 0) {
    errors.push_back(field::Invalid(path.Child("nominalConcurrencyShares"), limited.nominalconcurrencyshares(),
                                    "must be a non-negative integer"));
  }
  const Path response = path.Child("limitResponse");
  const std::string& type = limited.limitresponse().type();
  if (type == "Reject") {
    if (limited.limitresponse().has_queuing()) {
      errors.push_back(
          field::Forbidden(response.Child("queuing"), "must be nil if limited.limitResponse.type is not Limited"));
    }
  } else if (type == "Queue") {
    if (!limited.limitresponse().has_queuing()) {
      errors.push_back(
          field::Required(response.Child("queuing"), "must not be empty if limited.limitResponse.type is Limited"));
    } else {
      ValidateQueuing(errors, response.Child("queuing"), limited.limitresponse().queuing());
    }
  } else {
    errors.push_back(field::NotSupported(response.Child("type"), type, {"Queue", "Reject"}));
  }
  if (limited.lendablepercent() < 0 || limited.lendablepercent() > 100) {
    errors.push_back(field::Invalid(path.Child("lendablePercent"), limited.lendablepercent(),
                                    "must be between 0 and 100, inclusive"));
  }
  if (limited.borrowinglimitpercent() < 0) {
    errors.push_back(field::Invalid(path.Child("borrowingLimitPercent"), limited.borrowinglimitpercent(),
                                    "if specified, must be a non-negative integer"));
  }
}

}  // namespace

void SetDefaults(flowcontrol::FlowSchema& schema) {
  if (schema.spec().matchingprecedence() == 0) schema.mutable_spec()->set_matchingprecedence(1000);
}

void SetDefaults(flowcontrol::PriorityLevelConfiguration& level) {
  auto& spec = *level.mutable_spec();
  if (spec.has_exempt()) {
    auto& exempt = *spec.mutable_exempt();
    if (!exempt.has_nominalconcurrencyshares()) exempt.set_nominalconcurrencyshares(0);
    if (!exempt.has_lendablepercent()) exempt.set_lendablepercent(0);
  }
  if (!spec.has_limited()) return;
  auto& limited = *spec.mutable_limited();
  if (!limited.has_nominalconcurrencyshares()) limited.set_nominalconcurrencyshares(30);
  if (!limited.has_lendablepercent()) limited.set_lendablepercent(0);
  if (!limited.limitresponse().has_queuing()) return;
  auto& queuing = *limited.mutable_limitresponse()->mutable_queuing();
  if (queuing.handsize() == 0) queuing.set_handsize(8);
  if (queuing.queues() == 0) queuing.set_queues(64);
  if (queuing.queuelengthlimit() == 0) queuing.set_queuelengthlimit(50);
}

field::ErrorList ValidateFlowSchema(const flowcontrol::FlowSchema& schema) {
  ErrorList errors;
  const Path path("spec");
  const auto& spec = schema.spec();
  const Path precedence = path.Child("matchingPrecedence");
  if (spec.matchingprecedence() <= 0) {
    errors.push_back(field::Invalid(precedence, spec.matchingprecedence(), "must be a positive value"));
  }
  if (spec.matchingprecedence() > kMaxPrecedence) {
    errors.push_back(field::Invalid(precedence, spec.matchingprecedence(),
                                    fmt::format("must not be greater than {}", kMaxPrecedence)));
  }
  if (spec.matchingprecedence() == 1 && schema.metadata().name() != "exempt") {
    errors.push_back(field::Invalid(precedence, spec.matchingprecedence(),
                                    "only the schema named 'exempt' may have matchingPrecedence 1"));
  }
  if (spec.has_distinguishermethod()) {
    const std::string& type = spec.distinguishermethod().type();
    if (type != "ByNamespace" && type != "ByUser") {
      field::FieldError error =
          field::NotSupported(path.Child("distinguisherMethod.type"), type, {"ByNamespace", "ByUser"});
      error.value = fmt::format("flowcontrol.FlowDistinguisherMethod{{Type:{}}}", error.value);
      errors.push_back(std::move(error));
    }
  }
  const std::string& level = spec.prioritylevelconfiguration().name();
  const Path reference = path.Child("priorityLevelConfiguration.name");
  if (level.empty()) {
    errors.push_back(field::Required(reference, "must reference a priority level"));
  } else {
    rules::AddInvalid(errors, reference, level, names::NameIsDNSSubdomain(level, false));
  }
  for (int i = 0; i < spec.rules_size(); ++i) {
    const auto& rule = spec.rules(i);
    const Path at = path.Child("rules").Index(static_cast<size_t>(i));
    if (rule.subjects_size() == 0) {
      errors.push_back(field::Required(at.Child("subjects"), "subjects must contain at least one value"));
    }
    for (int j = 0; j < rule.subjects_size(); ++j) {
      ValidateSubject(errors, at.Child("subjects").Index(static_cast<size_t>(j)), rule.subjects(j));
    }
    if (rule.resourcerules_size() == 0 && rule.nonresourcerules_size() == 0) {
      errors.push_back(field::Required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"));
    }
    for (int j = 0; j < rule.resourcerules_size(); ++j) {
      ValidateResourceRule(errors, at.Child("resourceRules").Index(static_cast<size_t>(j)), rule.resourcerules(j));
    }
    for (int j = 0; j < rule.nonresourcerules_size(); ++j) {
      ValidateNonResourceRule(errors, at.Child("nonResourceRules").Index(static_cast<size_t>(j)),
                              rule.nonresourcerules(j));
    }
  }
  field::Append(errors, ValidateFlowSchemaStatus(schema));
  return errors;
}

field::ErrorList ValidateFlowSchemaStatus(const flowcontrol::FlowSchema& schema) {
  return ValidateConditionTypes(schema.status().conditions());
}

field::ErrorList ValidatePriorityLevel(const flowcontrol::PriorityLevelConfiguration& level) {
  ErrorList errors;
  const Path path("spec");
  const auto& spec = level.spec();
  if ((level.metadata().name() == "exempt") != (spec.type() == "Exempt")) {
    errors.push_back(
        field::Invalid(path.Child("type"), spec.type(), "type must be 'Exempt' if and only if name is 'exempt'"));
  }
  if (spec.type() == "Exempt") {
    if (spec.has_limited()) {
      errors.push_back(field::Forbidden(path.Child("limited"), "must be nil if the type is not Limited"));
    }
    if (spec.exempt().nominalconcurrencyshares() < 0) {
      errors.push_back(field::Invalid(path.Child("exempt.nominalConcurrencyShares"),
                                      spec.exempt().nominalconcurrencyshares(), "must be a non-negative integer"));
    }
    if (spec.exempt().lendablepercent() < 0 || spec.exempt().lendablepercent() > 100) {
      errors.push_back(field::Invalid(path.Child("exempt.lendablePercent"), spec.exempt().lendablepercent(),
                                      "must be between 0 and 100, inclusive"));
    }
  } else if (spec.type() == "Limited") {
    if (spec.has_exempt()) {
      errors.push_back(field::Forbidden(path.Child("exempt"), "must be nil if the type is Limited"));
    }
    if (!spec.has_limited()) {
      errors.push_back(field::Required(path.Child("limited"), "must not be empty when type is Limited"));
    } else {
      ValidateLimited(errors, path.Child("limited"), spec.limited());
    }
  } else {
    errors.push_back(field::NotSupported(path.Child("type"), spec.type(), {"Exempt", "Limited"}));
  }
  field::Append(errors, ValidatePriorityLevelStatus(level));
  return errors;
}

field::ErrorList ValidatePriorityLevelStatus(const flowcontrol::PriorityLevelConfiguration& level) {
  return ValidateConditionTypes(level.status().conditions());
}

}  // namespace knarr::api
