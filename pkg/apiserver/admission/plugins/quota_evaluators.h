// What an object counts against quotas, by kind. Mirrors: pkg/quota/v1/evaluator/core, apiserver/pkg/quota/v1/generic
#pragma once

#include <set>
#include <string>
#include <vector>

#include "pkg/apiserver/admission/plugins/pods.h"
#include "pkg/base/clock.h"

namespace knarr::admission::quota {

struct Scope {
  std::string name, op;
  std::vector<std::string> values;
};
// Scopes and scopeSelector of a quota as one list.
std::vector<Scope> ScopesOf(const core::ResourceQuota& quota);

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual bool Handles(Operation operation) const { return operation == Operation::kCreate; }
  // Which of these names it is that this kind counts for.
  virtual std::set<std::string> Matching(const std::set<std::string>& names) const = 0;
  virtual ResourceList Usage(const api::Object& object, WallTime now) const = 0;
  // What a quota on these names demands of the object: must specify limits.cpu for: c
  virtual Status Constraints(const std::set<std::string>& names, const api::Object& object) const {
    (void)names, (void)object;
    return {};
  }
  virtual bool InScope(const Scope& scope, const api::Object& object) const {
    (void)scope, (void)object;
    return false;
  }
};

// Of pods, services, claims; of everything else the counting one: count/<resource>.<group>. Lives for ever.
const Evaluator& EvaluatorOf(const std::string& group, const std::string& resource);
// count/deployments.apps
std::string CountName(std::string_view group, std::string_view resource);

}  // namespace knarr::admission::quota
