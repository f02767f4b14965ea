#include "pkg/apiserver/endpoints/negotiate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace knarr::endpoints {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Clause {
  std::string_view type;
  std::string_view as, group, version;
  bool pretty = false;
  int quality = 1000;
};

int Quality(std::string_view text) {
  double value = 1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return static_cast<int>(std::clamp(value, 0.0, 1.0) * 1000);
}

Clause ParseClause(std::string_view text) {
  Clause clause;
  for (bool first = true; first || !text.empty(); first = false) {
    const size_t end = text.find(';');
    const std::string_view part = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (first) {
      clause.type = part;
      continue;
    }
    const size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    if (name == "as") clause.as = value;
    if (name == "g") clause.group = value;
    if (name == "v") clause.version = value;
    if (name == "q") clause.quality = Quality(value);
    if (name == "pretty") clause.pretty = value != "0";
  }
  return clause;
}

std::vector<Clause> ParseAccept(std::string_view accept) {
  constexpr size_t kMaxClauses = 32;
  std::vector<Clause> clauses;
  while (!accept.empty() && clauses.size() < kMaxClauses) {
    const size_t end = accept.find(',');
    const std::string_view part = Trim(accept.substr(0, end));
    accept = end == std::string_view::npos ? std::string_view() : accept.substr(end + 1);
    if (!part.empty()) clauses.push_back(ParseClause(part));
  }
  std::stable_sort(clauses.begin(), clauses.end(),
                   [](const Clause& a, const Clause& b) { return a.quality > b.quality; });
  return clauses;
}

std::optional<Media> MediaOf(std::string_view type, bool yaml) {
  if (type == kJson || type == "*/*" || type == "application/*") return Media::kJson;
  if (type == kProtobuf) return Media::kProtobuf;
  if (yaml && type == kYaml) return Media::kYaml;
  return std::nullopt;
}

std::optional<As> AsOf(const Clause& clause, const Accepts& accepts) {
  if (clause.as.empty()) return As::kObject;
  if (clause.group != "meta.k8s.io" || (clause.version != "v1" && clause.version != "v1beta1")) return std::nullopt;
  if (clause.as == "Table" && accepts.table) return As::kTable;
  if (clause.as == "PartialObjectMetadata" && accepts.partial) return As::kPartialObjectMetadata;
  if (clause.as == "PartialObjectMetadataList" && accepts.partial_list) return As::kPartialObjectMetadataList;
  return std::nullopt;
}

// Without a word from the client: browsers and curl are shown something readable.
bool PrettyByDefault(const http::Request& request) {
  if (request.HasQuery("pretty")) {
    const std::string_view pretty = request.QueryValue("pretty");
    return pretty != "0" && pretty != "false";
  }
  const std::string_view agent = request.headers.Get("User-Agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

}  // namespace

std::string Output::ContentType() const {
  switch (media) {
    case Media::kJson: return std::string(kJson);
    case Media::kYaml: return std::string(kYaml);
    case Media::kProtobuf: return std::string(kProtobuf);
  }
  return {};
}

Result<Output> Negotiate(const http::Request& request, const Accepts& accepts) {
  Output output;
  output.pretty = PrettyByDefault(request);
  const std::string_view accept = request.headers.Get("Accept");
  if (accept.empty()) return output;
  for (const Clause& clause : ParseAccept(accept)) {
    const auto media = MediaOf(clause.type, accepts.yaml);
    const auto as = AsOf(clause, accepts);
    if (!media || !as) continue;
    output.media = *media;
    output.as = *as;
    output.as_version = clause.version;
    output.pretty |= clause.pretty;
    return output;
  }
  return Error(Code::kNotAcceptable, "only the following media types are accepted: {}, {}, {}", kJson, kYaml,
               kProtobuf);
}

std::optional<Media> BodyMedia(std::string_view content_type) {
  const std::string_view type = Trim(content_type.substr(0, content_type.find(';')));
  if (type.empty()) return Media::kJson;
  if (type == "*/*") return std::nullopt;
  if (type == "text/yaml" || type == "application/x-yaml") return Media::kYaml;
  return MediaOf(type, true);
}

}  // namespace knarr::endpoints
