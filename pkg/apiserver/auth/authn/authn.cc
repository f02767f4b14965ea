#include "pkg/apiserver/auth/authn/authn.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "pkg/apiserver/auth/base64url.h"
#include "pkg/net/http/message.h"
#include "pkg/net/http/server.h"

namespace knarr::auth {
namespace {

constexpr std::string_view kWebSocketBearer = "base64url.bearer.authorization.k8s.io.";
constexpr std::string_view kInvalidToken = "invalid bearer token";
constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> SplitCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

bool StartsWithFold(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && http::EqualFold(text.substr(0, prefix.size()), prefix);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

// utilerrors.NewAggregate: one text, or [a, b].
Status Aggregate(const std::vector<Status>& errors) {
  std::vector<std::string_view> texts;
  for (const Status& error : errors) {
    if (std::find(texts.begin(), texts.end(), error.message()) == texts.end()) texts.push_back(error.message());
  }
  if (texts.size() == 1) return Status(Code::kUnauthorized, std::string(texts.front()));
  std::string all = "[";
  for (const std::string_view text : texts) all.append(all.size() > 1 ? ", " : "").append(text);
  return Status(Code::kUnauthorized, all + "]");
}

class X509 final : public Authenticator {
 public:
  explicit X509(Clock& clock) : clock_(clock) {}
  Result<std::optional<UserInfo>> Authenticate(const http::Request& request) override {
    const http::Peer& peer = request.peer;
    if (!peer.showed_certificate) return std::nullopt;
    if (!peer.certificate)
      return Error(Code::kUnauthorized, "verifying certificate failed: x509: certificate signed by unknown authority");
    // A connection may outlive the certificate it began with.
    if (clock_.Now() > peer.certificate->not_after)
      return Error(Code::kUnauthorized, "verifying certificate failed: x509: certificate has expired");
    if (peer.certificate->common_name.empty()) return std::nullopt;
    UserInfo user{.name = peer.certificate->common_name, .groups = peer.certificate->organizations};
    user.extra[std::string(kCredentialIdExtra)] = {"X509SHA256=" + peer.certificate->sha256};
    return user;
  }

 private:
  Clock& clock_;
};

class FrontProxy final : public Authenticator {
 public:
  FrontProxy(FrontProxyOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

  Result<std::optional<UserInfo>> Authenticate(const http::Request& request) override {
    const http::Peer& peer = request.peer;
    if (!peer.showed_certificate) return std::nullopt;
    if (!peer.front_proxy)
      return Error(Code::kUnauthorized, "verifying certificate failed: x509: certificate signed by unknown authority");
    if (clock_.Now() > peer.front_proxy->not_after)
      return Error(Code::kUnauthorized, "verifying certificate failed: x509: certificate has expired");
    const auto& allowed = options_.allowed_names;
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), peer.front_proxy->common_name) == allowed.end())
      return Error(Code::kUnauthorized, "x509: subject with cn={} is not in the allowed list",
                   peer.front_proxy->common_name);

    const http::Headers& headers = request.headers;
    const auto first = [&](const std::vector<std::string>& names) {
      for (const std::string& name : names) {
        if (const std::string_view value = headers.Get(name); !value.empty()) return std::string(value);
      }
      return std::string();
    };
    UserInfo user{.name = first(options_.username_headers)};
    if (user.name.empty()) return std::nullopt;
    user.uid = first(options_.uid_headers);
    for (const std::string& name : options_.group_headers) {
      for (const auto& [key, value] : headers) {
        if (http::EqualFold(key, name) && !value.empty()) user.groups.push_back(value);
      }
    }
    for (const std::string& prefix : options_.extra_header_prefixes) {
      for (const auto& [key, value] : headers) {
        if (!StartsWithFold(key, prefix)) continue;
        const std::string rest = Lower(std::string_view(key).substr(prefix.size()));
        const Result<std::string> decoded = http::PercentDecode(rest, false);
        user.extra[decoded.ok() ? *decoded : rest].push_back(value);
      }
    }
    return user;
  }

 private:
  const FrontProxyOptions options_;
  Clock& clock_;
};

class Bearer final : public Authenticator {
 public:
  explicit Bearer(TokenAuthenticatorPtr tokens) : tokens_(std::move(tokens)) {}

  Result<std::optional<UserInfo>> Authenticate(const http::Request& request) override {
    const std::string token = KNARR_TRY(TokenOf(request));
    if (token.empty()) return std::nullopt;
    auto answer = KNARR_TRY(tokens_->AuthenticateToken(request.ctx, token, {}));
    if (!answer) return Status(Code::kUnauthorized, std::string(kInvalidToken));
    return std::move(answer->user);
  }

 private:
  static Result<std::string> TokenOf(const http::Request& request) {
    const std::string_view value = Trim(request.headers.Get("Authorization"));
    if (const size_t space = value.find(' ');
        space != std::string_view::npos && http::EqualFold(value.substr(0, space), "bearer")) {
      const std::string_view rest = value.substr(space + 1);
      return std::string(rest.substr(0, rest.find(' ')));
    }
    if (!http::EqualFold(request.UpgradeProtocol(), "websocket")) return std::string();
    std::string token;
    bool seen = false, others = false;
    for (const auto& [name, list] : request.headers) {
      if (!http::EqualFold(name, "Sec-WebSocket-Protocol")) continue;
      for (std::string_view protocol : SplitCommas(list)) {
        protocol = Trim(protocol);
        if (!protocol.starts_with(kWebSocketBearer)) {
          others = true;
          continue;
        }
        if (seen) return Error(Code::kUnauthorized, "multiple base64.bearer.authorization tokens specified");
        seen = true;
        Result<std::string> decoded = DecodeBase64Url(protocol.substr(kWebSocketBearer.size()));
        if (!decoded.ok()) return Error(Code::kUnauthorized, "invalid base64.bearer.authorization token encoding");
        token = std::move(*decoded);
      }
    }
    // The server must have a protocol to answer with that is not the token.
    if (!token.empty() && !others) return Error(Code::kUnauthorized, "missing additional subprotocol");
    return token;
  }

  const TokenAuthenticatorPtr tokens_;
};

class Chain final : public Authenticator {
 public:
  Chain(std::vector<AuthenticatorPtr> parts, bool anonymous) : parts_(std::move(parts)), anonymous_(anonymous) {}

  Result<std::optional<UserInfo>> Authenticate(const http::Request& request) override {
    std::vector<Status> errors;
    for (const AuthenticatorPtr& part : parts_) {
      Result<std::optional<UserInfo>> user = part->Authenticate(request);
      if (!user.ok()) {
        errors.push_back(user.error());
      } else if (*user) {
        AddAuthenticated(**user);
        return user;
      }
    }
    if (!errors.empty()) return Aggregate(errors);
    if (!anonymous_) return std::nullopt;
    return UserInfo{.name = std::string(kAnonymous), .groups = {std::string(kUnauthenticatedGroup)}};
  }

 private:
  // A front proxy may have said already that somebody is, or is not, authenticated.
  static void AddAuthenticated(UserInfo& user) {
    if (user.name == kAnonymous || user.InGroup(kAuthenticatedGroup) || user.InGroup(kUnauthenticatedGroup)) return;
    user.groups.emplace_back(kAuthenticatedGroup);
  }

  const std::vector<AuthenticatorPtr> parts_;
  const bool anonymous_;
};

class TokenUnion final : public TokenAuthenticator {
 public:
  explicit TokenUnion(std::vector<TokenAuthenticatorPtr> parts) : parts_(std::move(parts)) {}
  Result<std::optional<Answer>> AuthenticateToken(const Context& ctx, const std::string& token,
                                                  const std::vector<std::string>& audiences) override {
    std::vector<Status> errors;
    for (const TokenAuthenticatorPtr& part : parts_) {
      Result<std::optional<Answer>> answer = part->AuthenticateToken(ctx, token, audiences);
      if (!answer.ok()) {
        errors.push_back(answer.error());
      } else if (*answer) {
        return answer;
      }
    }
    if (errors.empty()) return std::nullopt;
    return Aggregate(errors);
  }

 private:
  const std::vector<TokenAuthenticatorPtr> parts_;
};

}  // namespace

AuthenticatorPtr NewX509Authenticator(Clock& clock) {
  return std::make_unique<X509>(clock);
}

AuthenticatorPtr NewFrontProxyAuthenticator(FrontProxyOptions options, Clock& clock) {
  return std::make_unique<FrontProxy>(std::move(options), clock);
}

AuthenticatorPtr NewBearerAuthenticator(TokenAuthenticatorPtr tokens) {
  return std::make_unique<Bearer>(std::move(tokens));
}

TokenAuthenticatorPtr NewTokenUnion(std::vector<TokenAuthenticatorPtr> parts) {
  return std::make_shared<TokenUnion>(std::move(parts));
}

AuthenticatorPtr NewChain(const ChainOptions& options, Clock& clock) {
  std::vector<AuthenticatorPtr> parts;
  if (options.front_proxy != nullptr) parts.push_back(NewFrontProxyAuthenticator(*options.front_proxy, clock));
  if (options.client_ca) parts.push_back(NewX509Authenticator(clock));
  if (options.tokens) parts.push_back(NewBearerAuthenticator(options.tokens));
  return std::make_unique<Chain>(std::move(parts), options.anonymous);
}

void StripCredentials(http::Headers& headers, const FrontProxyOptions* front_proxy) {
  static const FrontProxyOptions kStandard{.uid_headers = {"x-remote-uid"}};
  const auto named = [](std::string_view name, const FrontProxyOptions& options) {
    const auto is = [&](const std::string& other) { return http::EqualFold(name, other); };
    return std::any_of(options.username_headers.begin(), options.username_headers.end(), is) ||
           std::any_of(options.uid_headers.begin(), options.uid_headers.end(), is) ||
           std::any_of(options.group_headers.begin(), options.group_headers.end(), is) ||
           std::any_of(options.extra_header_prefixes.begin(), options.extra_header_prefixes.end(),
                       [&](const std::string& prefix) { return StartsWithFold(name, prefix); });
  };
  std::vector<std::string> remove;
  std::string protocols;
  bool token = false;
  for (const auto& [name, value] : headers) {
    if (http::EqualFold(name, "Authorization") || named(name, kStandard) ||
        (front_proxy != nullptr && named(name, *front_proxy))) {
      remove.push_back(name);
    } else if (http::EqualFold(name, "Sec-WebSocket-Protocol")) {
      for (const std::string_view part : SplitCommas(value)) {
        if (Trim(part).starts_with(kWebSocketBearer)) {
          token = true;
        } else {
          protocols.append(protocols.empty() ? "" : ",").append(Trim(part));
        }
      }
    }
  }
  for (const std::string& name : remove) headers.Remove(name);
  if (!token) return;
  headers.Remove("Sec-WebSocket-Protocol");
  if (!protocols.empty()) headers.Set("Sec-WebSocket-Protocol", protocols);
}

Status RefuseUnsupported(const UnsupportedAuthFlags& flags) {
  const std::pair<std::string_view, const std::string&> all[] = {
      {"--oidc-issuer-url", flags.oidc_issuer_url},
      {"--authentication-token-webhook-config-file", flags.token_webhook_config},
      {"--authentication-config", flags.authentication_config},
      {"--authorization-webhook-config-file", flags.authorization_webhook_config},
      {"--authorization-config", flags.authorization_config},
  };
  for (const auto& [flag, value] : all) {
    if (!value.empty()) return Error(Code::kInvalid, "{} is not supported yet: OIDC and webhooks are missing", flag);
  }
  return {};
}

std::string ServiceAccountUsername(std::string_view ns, std::string_view name) {
  return fmt::format("{}{}:{}", kServiceAccountPrefix, ns, name);
}

std::vector<std::string> ServiceAccountGroups(std::string_view ns) {
  return {std::string(kServiceAccountsGroup), fmt::format("{}:{}", kServiceAccountsGroup, ns)};
}

bool SplitServiceAccountUsername(std::string_view username, std::string* ns, std::string* name) {
  if (!username.starts_with(kServiceAccountPrefix)) return false;
  username.remove_prefix(kServiceAccountPrefix.size());
  const size_t colon = username.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view first = username.substr(0, colon), second = username.substr(colon + 1);
  const auto plain = [](std::string_view text, std::string_view more) {
    return !text.empty() && text.find_first_not_of(more) == std::string_view::npos && text.front() != '-' &&
           text.back() != '-' && text.front() != '.' && text.back() != '.' && text.size() <= 253;
  };
  if (!plain(first, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
      !plain(second, "abcdefghijklmnopqrstuvwxyz0123456789-.") || first.size() > 63)
    return false;
  *ns = first;
  *name = second;
  return true;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::vector<std::string> Intersect(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> out;
  for (const std::string& text : a) {
    if (std::find(b.begin(), b.end(), text) != b.end()) out.push_back(text);
  }
  return out;
}

}  // namespace knarr::auth
