// Tokens of machines that join: <6 characters>.<16 characters>, each kept in a secret of kube-system.
// Mirrors: plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go
#include <ctime>
#include <set>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {
namespace {

constexpr std::string_view kNamespace = "kube-system";
constexpr std::string_view kDefaultGroup = "system:bootstrappers";
constexpr std::string_view kGroupPrefix = "system:bootstrappers:";
constexpr size_t kIdSize = 6, kSecretSize = 16, kMaxGroupTail = 256;

bool OnlyOf(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}
constexpr std::string_view kTokenCharacters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kGroupCharacters = "abcdefghijklmnopqrstuvwxyz0123456789:-";

// \Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z
bool ValidGroup(std::string_view group) {
  if (!group.starts_with(kGroupPrefix)) return false;
  group.remove_prefix(kGroupPrefix.size());
  return !group.empty() && group.size() <= kMaxGroupTail && OnlyOf(group, kGroupCharacters) &&
         OnlyOf(group.substr(group.size() - 1), kTokenCharacters);
}

// RFC 3339, with fractions and offsets.
std::optional<WallTime> ParseTime(const std::string& text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size()) return std::nullopt;
  for (size_t i = 0; i < kShape.size(); ++i) {
    // strptime alone would take fewer digits and blanks.
    if (kShape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kShape[i]) return std::nullopt;
  }
  tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    const char* digits = ++rest;
    while (*rest >= '0' && *rest <= '9') ++rest;
    if (rest == digits) return std::nullopt;
  }
  WallTime time = std::chrono::system_clock::from_time_t(::timegm(&parts));
  if (std::string_view(rest) == "Z") return time;
  int hours = 0, minutes = 0, used = 0;
  char sign = 0;
  if (std::sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || rest[used] != '\0' ||
      (sign != '+' && sign != '-') || hours < 0 || minutes < 0 || hours > 23 || minutes > 59)
    return std::nullopt;
  const auto offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return sign == '+' ? time - offset : time + offset;
}

class BootstrapTokens final : public TokenAuthenticator {
 public:
  BootstrapTokens(registry::Access& access, Clock& clock, std::vector<std::string> audiences)
      : access_(access), clock_(clock), audiences_(std::move(audiences)) {}

  Result<std::optional<Answer>> AuthenticateToken(const Context& ctx, const std::string& token,
                                                  const std::vector<std::string>& audiences) override {
    if (token.size() != kIdSize + 1 + kSecretSize || token[kIdSize] != '.') return std::nullopt;
    const std::string_view id = std::string_view(token).substr(0, kIdSize);
    const std::string_view secret = std::string_view(token).substr(kIdSize + 1);
    if (!OnlyOf(id, kTokenCharacters) || !OnlyOf(secret, kTokenCharacters)) return std::nullopt;

    const std::string name = fmt::format("bootstrap-token-{}", id);
    const Result<registry::ObjectRef> object = access_.Get(ctx, {"", "secrets"}, kNamespace, name);
    if (!object.ok()) {
      if (object.error().Is(Code::kNotFound)) return std::nullopt;
      return object.error();
    }
    const auto refuse = [&](const char* why) -> Result<std::optional<Answer>> {
      if (ctx.log().V(3)) ctx.log().Info("Bootstrap token refused", {{"secret", name}, {"reason", why}});
      return std::nullopt;
    };
    const auto& stored = (*object)->As<core::Secret>();
    const auto value = [&](const char* key) {
      const auto found = stored.data().find(key);
      return found == stored.data().end() ? std::string() : found->second;
    };
    if (stored.metadata().has_deletiontimestamp()) return refuse("it is being deleted");
    if (stored.type() != "bootstrap.kubernetes.io/token") return refuse("the secret has another type");
    if (!ConstantTimeEqual(value("token-secret"), secret)) return refuse("token-secret differs");
    if (value("token-id") != id) return refuse("token-id differs");
    if (const std::string expiration = value("expiration"); !expiration.empty()) {
      // What cannot be read has expired.
      const std::optional<WallTime> until = ParseTime(expiration);
      if (!until || clock_.Now() >= *until) return refuse("it has expired");
    }
    if (value("usage-bootstrap-authentication") != "true") return refuse("it is not for authentication");
    std::set<std::string> groups = {std::string(kDefaultGroup)};
    if (const std::string extra = value("auth-extra-groups"); !extra.empty()) {
      for (std::string_view rest = extra;;) {
        const size_t comma = rest.find(',');
        const std::string_view group = rest.substr(0, comma);
        if (!ValidGroup(group)) return refuse("auth-extra-groups is invalid");
        groups.emplace(group);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
      }
    }
    Answer answer{.user = {.name = fmt::format("system:bootstrap:{}", id), .groups = {groups.begin(), groups.end()}},
                  .audiences = audiences_};
    if (!audiences.empty() && !audiences_.empty()) {
      answer.audiences = Intersect(audiences, audiences_);
      if (answer.audiences.empty()) return std::nullopt;
    }
    return answer;
  }

 private:
  registry::Access& access_;
  Clock& clock_;
  const std::vector<std::string> audiences_;
};

}  // namespace

TokenAuthenticatorPtr NewBootstrapTokenAuthenticator(registry::Access& access, Clock& clock,
                                                     std::vector<std::string> audiences) {
  return std::make_shared<BootstrapTokens>(access, clock, std::move(audiences));
}

}  // namespace knarr::auth
