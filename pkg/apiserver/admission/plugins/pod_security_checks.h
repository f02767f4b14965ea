// The Pod Security Standards: which pods the levels baseline and restricted allow, by version of the standards.
// Mirrors: k8s.io/pod-security-admission/{api,policy} as of 1.32
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/field/field.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::admission::podsecurity {

enum class Level { kPrivileged, kBaseline, kRestricted };
std::string_view ToString(Level level);
// must be one of privileged, baseline, restricted
Result<Level> ParseLevel(std::string_view text);

struct Version {
  static constexpr int kLatest = -1;
  int minor = kLatest;
  std::string ToString() const;  // "latest", "v1.25"
  friend bool operator==(const Version&, const Version&) = default;
};
// must be "latest" or "v1.x"
Result<Version> ParseVersion(std::string_view text);

struct LevelVersion {
  Level level = Level::kPrivileged;
  Version version;
  std::string ToString() const;  // "restricted:latest"
  bool Equivalent(const LevelVersion& other) const;
  friend bool operator==(const LevelVersion&, const LevelVersion&) = default;
};

struct Policy {
  LevelVersion enforce, audit, warn;
  bool FullyPrivileged() const;
  bool Equivalent(const Policy& other) const;
};
// By the labels pod-security.kubernetes.io/...; wrong ones are errors, and what the policy then is fails closed for
// enforce and open for audit and warn.
Policy PolicyToEvaluate(const google::protobuf::Map<std::string, std::string>& labels, const Policy& defaults,
                        field::ErrorList* errors);

struct Violation {
  std::string reason, detail;
};
struct Violations {
  std::vector<Violation> all;
  bool Allowed() const { return all.empty(); }
  std::string Reasons() const;  // host namespaces, privileged
  std::string Details() const;  // host namespaces (hostNetwork=true), privileged (container "c" must not set ...)
};
// Baseline checks first, each group in the order of their ids.
Violations Evaluate(const LevelVersion& what, const meta::ObjectMeta& metadata, const core::PodSpec& spec);

}  // namespace knarr::admission::podsecurity
