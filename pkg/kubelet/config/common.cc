#include "pkg/kubelet/config/common.h"

#include <openssl/evp.h>

#include <algorithm>
#include <ctime>

#include "pkg/api/codec/codec.h"

namespace knarr::kubelet {
namespace {

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// helper.AddOrUpdateTolerationInPod
void TolerateNoExecute(core::PodSpec& spec) {
  for (core::Toleration& toleration : *spec.mutable_tolerations()) {
    if (!toleration.key().empty() || !toleration.value().empty() || toleration.operator_() != "Exists" ||
        toleration.effect() != "NoExecute") {
      continue;
    }
    toleration.clear_tolerationseconds();
    return;
  }
  core::Toleration* toleration = spec.add_tolerations();
  toleration->set_operator_("Exists");
  toleration->set_effect("NoExecute");
}

}  // namespace

std::string Md5Hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  KNARR_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_md5(), nullptr) == 1);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string PodContentHash(const core::Pod& decoded, const PodOrigin& origin) {
  std::string input =
      origin.source == "file" ? "host:" + origin.node_name + "file:" + origin.path : "url:" + origin.path;
  return Md5Hex(input + codec::EncodeJson(decoded));
}

std::string GeneratePodName(std::string_view name, std::string_view node_name) {
  return std::string(name) + "-" + ToLower(node_name);
}

void ApplyPodDefaults(core::Pod& pod, const std::string& content_hash, const PodOrigin& origin) {
  auto& meta = *pod.mutable_metadata();
  if (meta.uid().empty()) meta.set_uid(content_hash);
  meta.set_name(GeneratePodName(meta.name(), origin.node_name));
  if (meta.namespace_().empty()) meta.set_namespace_("default");
  pod.mutable_spec()->set_nodename(origin.node_name);
  auto& annotations = *meta.mutable_annotations();
  annotations[kConfigHashAnnotation] = content_hash;
  annotations[kConfigSourceAnnotation] = origin.source;
  annotations.erase(kConfigFirstSeenAnnotation);
  if (origin.source == "file") TolerateNoExecute(*pod.mutable_spec());
  pod.mutable_status()->set_phase("Pending");
}

void StampFirstSeen(core::Pod& pod, WallTime now) {
  const auto since_epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  const time_t seconds = static_cast<time_t>(since_epoch / 1'000'000'000);
  const long nanos = static_cast<long>(since_epoch % 1'000'000'000);
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                                 utc.tm_hour, utc.tm_min, utc.tm_sec);
  if (nanos != 0) {  // RFC3339Nano: no trailing zeros
    std::string fraction = fmt::format(".{:09}", nanos);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  (*pod.mutable_metadata()->mutable_annotations())[kConfigFirstSeenAnnotation] = text + "Z";
}

}  // namespace knarr::kubelet
