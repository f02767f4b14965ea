// The token file, and the cache of what was accepted.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <map>
#include <mutex>
#include <unordered_map>

#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/base/file.h"

namespace knarr::auth {
namespace {

constexpr size_t kMaxTokenFile = 4 << 20;

// encoding/csv: quoted fields, "" for a quote, empty lines are skipped.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  // False at the end.
  Result<bool> Read(std::vector<std::string>* record) {
    record->clear();
    while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) SkipLineEnd();
    if (rest_.empty()) return false;
    for (;;) {
      record->push_back(KNARR_TRY(rest_.starts_with('"') ? Quoted() : Plain()));
      if (rest_.empty()) return true;
      if (rest_.front() == ',') {
        rest_.remove_prefix(1);
        continue;
      }
      SkipLineEnd();
      return true;
    }
  }

 private:
  void SkipLineEnd() {
    rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : 1);
    ++line_;
  }
  Result<std::string> Plain() {
    const size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
    std::string_view field = rest_.substr(0, end);
    if (field.find('"') != std::string_view::npos)
      return Error(Code::kInvalid, "parse error on line {}: bare \" in non-quoted field", line_);
    rest_.remove_prefix(end);
    if (!rest_.starts_with(',') && field.ends_with('\r')) field.remove_suffix(1);
    return std::string(field);
  }
  Result<std::string> Quoted() {
    std::string field;
    rest_.remove_prefix(1);
    for (;;) {
      const size_t quote = rest_.find('"');
      if (quote == std::string_view::npos)
        return Error(Code::kInvalid, "parse error on line {}: extraneous or missing \" in quoted-field", line_);
      for (const char c : rest_.substr(0, quote)) line_ += c == '\n' ? 1 : 0;
      field.append(rest_.substr(0, quote));
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) break;
      field += '"';
      rest_.remove_prefix(1);
    }
    if (!rest_.empty() && rest_.front() != ',' && rest_.front() != '\n' && !rest_.starts_with("\r\n"))
      return Error(Code::kInvalid, "parse error on line {}: extraneous or missing \" in quoted-field", line_);
    return field;
  }

  std::string_view rest_;
  int line_ = 1;
};

// An audience-agnostic credential is good for the server's own audiences.
Result<std::optional<TokenAuthenticator::Answer>> ForAudiences(UserInfo user, const std::vector<std::string>& own,
                                                               const std::vector<std::string>& asked) {
  if (asked.empty() || own.empty()) return TokenAuthenticator::Answer{std::move(user), own};
  std::vector<std::string> common = Intersect(asked, own);
  if (common.empty()) return std::nullopt;
  return TokenAuthenticator::Answer{std::move(user), std::move(common)};
}

class TokenFile final : public TokenAuthenticator {
 public:
  TokenFile(std::unordered_map<std::string, UserInfo> users, std::vector<std::string> audiences)
      : users_(std::move(users)), audiences_(std::move(audiences)) {}
  Result<std::optional<Answer>> AuthenticateToken(const Context&, const std::string& token,
                                                  const std::vector<std::string>& audiences) override {
    const auto found = users_.find(token);
    if (found == users_.end()) return std::nullopt;
    return ForAudiences(found->second, audiences_, audiences);
  }

 private:
  const std::unordered_map<std::string, UserInfo> users_;
  const std::vector<std::string> audiences_;
};

class TokenCache final : public TokenAuthenticator {
 public:
  TokenCache(TokenAuthenticatorPtr inner, Clock& clock, Duration ttl, size_t capacity)
      : inner_(std::move(inner)), clock_(clock), ttl_(ttl), capacity_(capacity), key_(32, '\0') {
    KNARR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(key_.data()), static_cast<int>(key_.size())) == 1);
  }

  Result<std::optional<Answer>> AuthenticateToken(const Context& ctx, const std::string& token,
                                                  const std::vector<std::string>& audiences) override {
    const std::string key = KeyOf(token, audiences);
    const MonoTime now = clock_.Monotonic();
    {
      std::lock_guard lock(mutex_);
      if (const auto found = entries_.find(key); found != entries_.end()) {
        if (now < found->second.expires) return found->second.answer;
        entries_.erase(found);
      }
    }
    Result<std::optional<Answer>> answer = inner_->AuthenticateToken(ctx, token, audiences);
    if (!answer.ok() || !*answer) return answer;
    std::lock_guard lock(mutex_);
    if (entries_.size() >= capacity_) std::erase_if(entries_, [&](const auto& e) { return now >= e.second.expires; });
    if (entries_.size() >= capacity_) entries_.erase(entries_.begin());
    entries_.insert_or_assign(key, Entry{**answer, now + ttl_});
    return answer;
  }

 private:
  struct Entry {
    Answer answer;
    MonoTime expires;
  };

  // A keyed hash: neither is a token kept, nor can one be guessed from what collides.
  std::string KeyOf(const std::string& token, const std::vector<std::string>& audiences) const {
    std::string input = fmt::format("{}:", token.size()) + token;
    for (const std::string& audience : audiences) input += fmt::format("{}:", audience.size()) + audience;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(input.data()),
         input.size(), digest, &size);
    return {reinterpret_cast<const char*>(digest), size};
  }

  const TokenAuthenticatorPtr inner_;
  Clock& clock_;
  const Duration ttl_;
  const size_t capacity_;
  std::string key_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace

Result<TokenAuthenticatorPtr> ParseTokenFile(std::string_view csv, std::string_view path,
                                             std::vector<std::string> audiences) {
  std::unordered_map<std::string, UserInfo> users;
  CsvReader reader(csv);
  std::vector<std::string> record;
  for (int number = 1; KNARR_TRY(reader.Read(&record)); ++number) {
    if (record.size() < 3) {
      return Error(Code::kInvalid,
                   "token file '{}' must have at least 3 columns (token, user name, user uid), found {}", path,
                   record.size());
    }
    if (record[0].empty()) {
      Logger().Warning("Empty token in token file", {{"file", path}, {"record", number}});
      continue;
    }
    UserInfo user{.name = record[1], .uid = record[2]};
    if (record.size() >= 4) {
      for (std::string_view rest = record[3];;) {
        const size_t comma = rest.find(',');
        user.groups.emplace_back(rest.substr(0, comma));
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
      }
    }
    if (!users.insert_or_assign(record[0], std::move(user)).second)
      Logger().Warning("Duplicate token in token file", {{"file", path}, {"record", number}});
  }
  return TokenAuthenticatorPtr(std::make_shared<TokenFile>(std::move(users), std::move(audiences)));
}

Result<TokenAuthenticatorPtr> LoadTokenFile(const std::string& path, std::vector<std::string> audiences) {
  const std::string text = KNARR_TRY(ReadFile(path, kMaxTokenFile));
  return ParseTokenFile(text, path, std::move(audiences));
}

TokenAuthenticatorPtr NewTokenCache(TokenAuthenticatorPtr inner, Clock& clock, Duration ttl, size_t capacity) {
  return std::make_shared<TokenCache>(std::move(inner), clock, ttl, capacity);
}

}  // namespace knarr::auth
