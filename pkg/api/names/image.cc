#include "pkg/api/names/image.h"

#include <algorithm>
#include <cctype>

#include <re2/re2.h>

#include "pkg/api/field/quote.h"

namespace knarr::names {
namespace {

constexpr size_t kNameMax = 255;
// Name, tag and digest together; nothing longer can be valid, so the matcher never sees it.
constexpr size_t kReferenceMax = 4096;

#define KNARR_HOST_LABEL "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
#define KNARR_DOMAIN "(?:" KNARR_HOST_LABEL "(?:\\." KNARR_HOST_LABEL ")*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?"
#define KNARR_PATH_PART "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
#define KNARR_PATH KNARR_PATH_PART "(?:/" KNARR_PATH_PART ")*"
#define KNARR_DIGEST "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

const RE2& ReferencePattern() {
  static const RE2 pattern("(" KNARR_DOMAIN ")/(" KNARR_PATH ")(?::([\\w][\\w.-]{0,127}))?(?:@(" KNARR_DIGEST "))?");
  return pattern;
}

#undef KNARR_DIGEST
#undef KNARR_PATH
#undef KNARR_PATH_PART
#undef KNARR_DOMAIN
#undef KNARR_HOST_LABEL

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "nginx" and "me/nginx" belong to docker.io; a first part that looks like a host name is the registry.
void SplitDomain(std::string_view image, std::string* domain, std::string* rest) {
  const size_t slash = image.find('/');
  const std::string_view first = image.substr(0, slash);
  *domain = "docker.io";
  *rest = image;
  if (slash != std::string_view::npos) {
    if (first == "index.docker.io") {
      *rest = image.substr(slash + 1);
    } else if (first == "localhost" || first.find_first_of(".:") != std::string_view::npos || Lower(first) != first) {
      *domain = first;
      *rest = image.substr(slash + 1);
    }
  }
  if (*domain == "docker.io" && rest->find('/') == std::string::npos) rest->insert(0, "library/");
}

// The algorithms that Go's digest package registers, with lower case hex of the right length.
std::string_view DigestProblem(std::string_view digest) {
  const size_t colon = digest.find(':');
  const std::string_view algorithm = digest.substr(0, colon);
  const std::string_view encoded = digest.substr(colon + 1);
  const size_t length = algorithm == "sha256" ? 64 : algorithm == "sha384" ? 96 : algorithm == "sha512" ? 128 : 0;
  if (length == 0) return "unsupported digest algorithm";
  if (encoded.size() != length) return "invalid checksum digest length";
  if (!IsLowerHex(encoded)) return "invalid checksum digest format";
  return {};
}

Result<ImageReference> Parse(std::string_view image) {
  const auto bad = [](std::string text) { return Status(Code::kInvalid, std::move(text)); };
  if (image.size() > kReferenceMax) return bad("invalid reference format");
  if (image.size() == 64 && IsLowerHex(image)) {
    return Error(Code::kInvalid, "invalid repository name ({}), cannot specify 64-byte hexadecimal strings", image);
  }
  std::string domain;
  std::string rest;
  SplitDomain(image, &domain, &rest);
  const std::string_view remote = std::string_view(rest).substr(0, rest.find(':'));
  if (Lower(remote) != remote) {
    return Error(Code::kInvalid, "invalid reference format: repository name ({}) must be lowercase", remote);
  }
  ImageReference reference;
  if (!RE2::FullMatch(domain + "/" + rest, ReferencePattern(), &reference.domain, &reference.path, &reference.tag,
                      &reference.digest)) {
    return bad("invalid reference format");
  }
  if (reference.path.size() > kNameMax) return bad("repository name must not be more than 255 characters");
  if (!reference.digest.empty()) {
    if (const std::string_view problem = DigestProblem(reference.digest); !problem.empty())
      return bad(std::string(problem));
  }
  return reference;
}

}  // namespace

std::string ImageReference::ToString() const {
  std::string text = Name();
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest;
  if (tag.empty() && digest.empty()) text += ":latest";
  return text;
}

Result<ImageReference> ParseImageName(std::string_view image) {
  Result<ImageReference> reference = Parse(image);
  if (!reference.ok()) return reference.error().WithContext("couldn't parse image name " + field::Quote(image));
  return reference;
}

}  // namespace knarr::names
