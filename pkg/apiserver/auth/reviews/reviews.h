// The kinds that answer questions and are not stored: who is this token, who am I, may I, may they.
// Mirrors: pkg/registry/{authentication,authorization}
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::auth {

// authentication.k8s.io: TokenReview, SelfSubjectReview. authorization.k8s.io: SubjectAccessReview,
// SelfSubjectAccessReview, LocalSubjectAccessReview, SelfSubjectRulesReview. v1, and v1beta1 for clients of 1.20.
// Uses deps.authorizer, deps.tokens and deps.service_account_keys (the server's audiences).
std::vector<registry::Kind> ReviewKinds(const registry::BuiltinDeps& deps);

}  // namespace knarr::auth
