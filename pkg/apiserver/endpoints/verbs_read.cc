// get, list and watch.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{get,watch,response}.go
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <random>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/endpoints/continue_token.h"
#include "pkg/apiserver/endpoints/encode.h"
#include "pkg/apiserver/endpoints/verbs.h"
#include "pkg/apiserver/endpoints/watch_stream.h"

namespace knarr::endpoints {
namespace {

// What the query of a list or watch says.
struct ListQueryOptions {
  std::string resource_version, match, continue_token;
  int64_t limit = 0;
  int64_t timeout_seconds = 0;
  bool bookmarks = false;
  bool send_initial_events = false;
  bool has_send_initial_events = false;
};

Result<int64_t> ParseInt(std::string_view name, std::string_view text) {
  if (text.empty()) return 0;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return errors::BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax ({})", text, name));
  return value;
}

Result<ListQueryOptions> ParseListOptions(const http::Request& request) {
  ListQueryOptions options;
  options.resource_version = request.QueryValue("resourceVersion");
  options.match = request.QueryValue("resourceVersionMatch");
  options.continue_token = request.QueryValue("continue");
  options.limit = KNARR_TRY(ParseInt("limit", request.QueryValue("limit")));
  options.timeout_seconds = KNARR_TRY(ParseInt("timeoutSeconds", request.QueryValue("timeoutSeconds")));
  options.bookmarks = ParseBool(request.QueryValue("allowWatchBookmarks"));
  options.has_send_initial_events = !request.QueryValue("sendInitialEvents").empty();
  options.send_initial_events = ParseBool(request.QueryValue("sendInitialEvents"));
  return options;
}

// Mirrors: ValidateListOptions in k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go
field::ErrorList ValidateListOptions(const ListQueryOptions& options, bool watch) {
  field::ErrorList errors;
  const field::Path match("resourceVersionMatch");
  if (watch && options.has_send_initial_events) {
    if (options.match.empty())
      errors.push_back(field::Forbidden(match, "resourceVersionMatch is required when sendInitialEvents is set"));
    else if (options.match != "NotOlderThan")
      errors.push_back(field::NotSupported(match, options.match, {"NotOlderThan"}));
    return errors;
  }
  if (!watch && options.has_send_initial_events)
    errors.push_back(field::Forbidden(field::Path("sendInitialEvents"), "sendInitialEvents is forbidden for list"));
  if (options.match.empty()) return errors;
  if (watch) {
    errors.push_back(field::Forbidden(match,
                                      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                                      "provided"));
    return errors;
  }
  if (options.resource_version.empty())
    errors.push_back(field::Forbidden(match, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
  if (!options.continue_token.empty())
    errors.push_back(field::Forbidden(match, "resourceVersionMatch is forbidden when continue is provided"));
  if (options.match != "Exact" && options.match != "NotOlderThan")
    errors.push_back(field::NotSupported(match, options.match, {"Exact", "NotOlderThan", ""}));
  if (options.match == "Exact" && options.resource_version == "0")
    errors.push_back(field::Forbidden(match, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
  return errors;
}

Result<cacher::Revision> ParseRevision(std::string_view text) {
  cacher::Revision revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size() || revision < 0) {
    const field::ErrorList errors = {field::Invalid(
        field::Path("resourceVersion"), text, fmt::format("strconv.ParseUint: parsing \"{}\": invalid syntax", text))};
    return errors::Invalid("", "", "", errors);
  }
  return revision;
}

// The kinds of namespaces a request can be about: "" is all.
std::string PrefixOf(const Call& call) {
  return call.resource->Prefix(call.info.namespace_);
}

struct ListPlan {
  cacher::ListQuery query;
  bool continued = false;
};

Result<ListPlan> PlanList(const Call& call, const ListQueryOptions& options, cacher::Filter filter) {
  ListPlan plan;
  plan.query.prefix = PrefixOf(call);
  plan.query.limit = options.limit;
  plan.query.filter = std::move(filter);
  if (!options.continue_token.empty()) {
    if (!options.resource_version.empty() && options.resource_version != "0")
      return errors::BadRequest("specifying resource version is not allowed when using continue");
    const ContinueToken token = KNARR_TRY(DecodeContinue(options.continue_token));
    plan.continued = true;
    plan.query.start_key = plan.query.prefix + token.start_key;
    if (token.revision > 0) {
      plan.query.freshness = cacher::Freshness::kExact;
      plan.query.revision = token.revision;
    }
    return plan;
  }
  if (options.resource_version.empty()) return plan;
  plan.query.revision = KNARR_TRY(ParseRevision(options.resource_version));
  if (plan.query.revision == 0) {
    plan.query.freshness = cacher::Freshness::kAny;
    // As upstream's watch cache: "0" is answered whole.
    plan.query.limit = 0;
  } else if (options.match == "Exact" || (options.match.empty() && options.limit > 0)) {
    plan.query.freshness = cacher::Freshness::kExact;
  } else {
    plan.query.freshness = cacher::Freshness::kNotOlderThan;
  }
  return plan;
}

// 410 with a token that goes on regardless. Mirrors: handleCompactedErrorForPaging in storage/etcd3/errors.go
Status ReplyExpiredContinue(Call& call, const ListPlan& plan) {
  ::knarr::meta::Status proto;
  errors::ToProto(
      errors::Expired(
          "The provided continue parameter is too old to display a consistent list result. You can start a new list "
          "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
          "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
          "modified, or deleted between the time the first chunk was returned and now may show up in the list."),
      &proto);
  proto.mutable_metadata()->set_continue_(
      EncodeContinue({.revision = -1, .start_key = plan.query.start_key.substr(plan.query.prefix.size())}));
  call.response.Reply(410, call.output.ContentType(), EncodeMessage(proto, "v1", "Status", call.output));
  return {};
}

::knarr::meta::ListMeta ListMetaOf(const ListPlan& plan, const cacher::ListAnswer& answer) {
  ::knarr::meta::ListMeta meta;
  meta.set_resourceversion(std::to_string(answer.revision));
  if (answer.more) {
    meta.set_continue_(
        EncodeContinue({.revision = answer.revision, .start_key = answer.next_key.substr(plan.query.prefix.size())}));
    if (answer.remaining >= 0 && plan.query.filter.Everything()) meta.set_remainingitemcount(answer.remaining);
  }
  return meta;
}

std::pair<std::string, std::string> ListTypeOf(const Call& call) {
  if (call.output.as == As::kPartialObjectMetadataList || call.output.as == As::kPartialObjectMetadata)
    return {"meta.k8s.io/" + call.output.as_version, "PartialObjectMetadataList"};
  return {call.api_version, call.kind.list_kind};
}

// Items go out one by one: memory does not grow with the list, or with how slowly it is read.
Status StreamJson(Call& call, const cacher::ListAnswer& answer, const ::knarr::meta::ListMeta& meta) {
  const auto [api_version, kind] = ListTypeOf(call);
  const bool partial = call.output.as != As::kObject;
  call.response.headers().Set("Content-Type", call.output.ContentType());
  const std::string meta_json = codec::EncodeJson(meta);
  // Unstructured lists print their keys in order.
  std::string head =
      call.custom() && !partial
          ? fmt::format(R"({{"apiVersion":"{}","items":[)", api_version)
          : fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{},"items":[)", kind, api_version, meta_json);
  KNARR_TRY(call.response.Write(head));
  bool first = true;
  for (const cacher::EntryPtr& entry : answer.entries) {
    const auto item = KNARR_TRY(ItemBytes(call, *entry, Media::kJson, call.output.as));
    if (!std::exchange(first, false)) KNARR_TRY(call.response.Write(","));
    KNARR_TRY(call.response.Write(*item));
  }
  if (call.custom() && !partial)
    return call.response.Write(fmt::format(R"(],"kind":"{}","metadata":{}}})", kind, meta_json) + "\n");
  return call.response.Write("]}\n");
}

Status SendWhole(Call& call, const cacher::ListAnswer& answer, const ::knarr::meta::ListMeta& meta) {
  const auto [api_version, kind] = ListTypeOf(call);
  std::string json = fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{},"items":[)", kind, api_version,
                                 codec::EncodeJson(meta));
  for (const cacher::EntryPtr& entry : answer.entries) {
    if (json.back() != '[') json += ',';
    json += *KNARR_TRY(ItemBytes(call, *entry, Media::kJson, call.output.as));
  }
  json += "]}";
  call.response.Reply(200, call.output.ContentType(), Finish(std::move(json), call.output));
  return {};
}

void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// All lists are { ListMeta metadata = 1; repeated Item items = 2; }.
Status StreamProtobuf(Call& call, const cacher::ListAnswer& answer, const ::knarr::meta::ListMeta& meta) {
  const auto [api_version, kind] = ListTypeOf(call);
  std::string head = "\x0a";
  const std::string meta_bytes = codec::EncodeProtobuf(meta);
  AppendVarint(head, meta_bytes.size());
  head += meta_bytes;
  // The envelope states the length in front: sizes first, then the bytes (hub versions are in the cache as they are).
  size_t total = head.size();
  for (const cacher::EntryPtr& entry : answer.entries) {
    const size_t size = KNARR_TRY(ItemBytes(call, *entry, Media::kProtobuf, call.output.as))->size();
    total += 1 + VarintSize(size) + size;
  }
  call.response.headers().Set("Content-Type", call.output.ContentType());
  KNARR_TRY(call.response.Write(EnvelopeHead(api_version, kind, total) + head));
  for (const cacher::EntryPtr& entry : answer.entries) {
    const auto item = KNARR_TRY(ItemBytes(call, *entry, Media::kProtobuf, call.output.as));
    std::string tag = "\x12";
    AppendVarint(tag, item->size());
    KNARR_TRY(call.response.Write(tag));
    KNARR_TRY(call.response.Write(*item));
  }
  return call.response.Write(EnvelopeTail());
}

}  // namespace

Result<cacher::Filter> Verbs::FilterOf(const Call& call) const {
  cacher::Filter filter;
  auto label = labels::Parse(call.request.QueryValue("labelSelector"));
  if (!label.ok()) return errors::BadRequest(label.error().message());
  filter.label = std::move(*label);
  const auto parsed = fields::ParseSelector(call.request.QueryValue("fieldSelector"));
  if (!parsed.ok()) return errors::BadRequest(parsed.error().message());
  std::vector<fields::Requirement> requirements = parsed->requirements();
  for (fields::Requirement& requirement : requirements) {
    if (!call.custom()) {
      requirement.field = KNARR_TRY(conversion::ConvertFieldLabel(call.kind.kind, call.api_version, requirement.field));
    }
    if (requirement.field == "metadata.name" || (requirement.field == "metadata.namespace")) continue;
    const auto known = call.kind.strategy->SelectableFieldNames();
    if (std::find(known.begin(), known.end(), requirement.field) == known.end())
      return errors::BadRequest(fmt::format("field label not supported: {}", requirement.field));
  }
  // GET of a collection path with a name (watch of one object).
  if (call.info.verb == "watch" && !call.info.name.empty() && call.info.parts.size() >= 2)
    requirements.push_back({.field = "metadata.name", .equals = true, .value = call.info.name});
  filter.field = fields::Selector(std::move(requirements));
  return filter;
}

Status Verbs::Get(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, {.table = true, .partial = true}));
  const std::string_view version = call.request.QueryValue("resourceVersion");
  cacher::Freshness freshness = cacher::Freshness::kConsistent;
  cacher::Revision revision = 0;
  if (!version.empty()) {
    revision = KNARR_TRY(ParseRevision(version));
    freshness = revision == 0 ? cacher::Freshness::kAny : cacher::Freshness::kNotOlderThan;
  }
  const std::string key = call.resource->Key(call.info.namespace_, call.info.name);
  const auto entry = KNARR_TRY(call.resource->reader().Get(call.rc.ctx, key, freshness, revision));
  if (!entry) return errors::NotFound(call.kind.group, call.kind.resource, call.info.name);
  std::string body = KNARR_TRY(EncodeEntry(call, *entry));
  AddWarnings(call.response, call.warnings);
  call.response.Reply(200, call.output.ContentType(), body);
  return {};
}

Status Verbs::List(Call& call) {
  call.output = KNARR_TRY(Negotiate(call.request, {.table = true, .partial = false, .partial_list = true}));
  if (call.custom() && call.output.media == Media::kProtobuf && call.output.as == As::kObject)
    call.output.media = Media::kJson;
  const ListQueryOptions options = KNARR_TRY(ParseListOptions(call.request));
  if (const auto errors = ValidateListOptions(options, false); !errors.empty())
    return errors::Invalid("meta.k8s.io", "ListOptions", "", errors);
  const ListPlan plan = KNARR_TRY(PlanList(call, options, KNARR_TRY(FilterOf(call))));
  const auto answer = call.resource->reader().List(call.rc.ctx, plan.query);
  if (!answer.ok()) {
    if (!answer.error().Is(Code::kExpired)) return answer.error();
    if (plan.continued) return ReplyExpiredContinue(call, plan);
    return errors::Expired(
        fmt::format("The resourceVersion for the provided list is too old. ({})", options.resource_version));
  }
  const ::knarr::meta::ListMeta meta = ListMetaOf(plan, *answer);
  AddWarnings(call.response, call.warnings);
  if (call.output.as == As::kTable) {
    std::string table = KNARR_TRY(EncodeTable(call, answer->entries, codec::EncodeJson(meta), true));
    call.response.Reply(200, call.output.ContentType(), Finish(std::move(table), call.output));
    return {};
  }
  if (call.output.media == Media::kProtobuf) return StreamProtobuf(call, *answer, meta);
  if (call.output.media == Media::kYaml || call.output.pretty) return SendWhole(call, *answer, meta);
  return StreamJson(call, *answer, meta);
}

Status Verbs::Watch(Call& call) {
  // A stream of objects: YAML has no frames.
  call.output =
      KNARR_TRY(Negotiate(call.request, {.table = true, .partial = true, .partial_list = false, .yaml = false}));
  if (call.custom() && call.output.media == Media::kProtobuf && call.output.as == As::kObject)
    call.output.media = Media::kJson;
  const ListQueryOptions options = KNARR_TRY(ParseListOptions(call.request));
  if (const auto errors = ValidateListOptions(options, true); !errors.empty())
    return errors::Invalid("meta.k8s.io", "ListOptions", "", errors);
  cacher::WatchQuery query;
  query.prefix = PrefixOf(call);
  query.filter = KNARR_TRY(FilterOf(call));
  query.bookmarks = options.bookmarks;
  if (!options.resource_version.empty()) query.after = KNARR_TRY(ParseRevision(options.resource_version));
  if (options.has_send_initial_events) {
    query.initial_state = options.send_initial_events;
    query.initial_events_end = options.send_initial_events && options.bookmarks;
    query.freshness = options.resource_version.empty() ? cacher::Freshness::kConsistent
                      : query.after == 0               ? cacher::Freshness::kAny
                                                       : cacher::Freshness::kNotOlderThan;
  } else if (query.after == 0) {
    // As upstream: what the cache has, and on from there.
    query.initial_state = true;
    query.freshness = cacher::Freshness::kAny;
  }
  std::chrono::milliseconds timeout = std::chrono::seconds(options.timeout_seconds);
  if (options.timeout_seconds <= 0) {
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto span = std::chrono::milliseconds(options_.min_request_timeout).count();
    timeout = std::chrono::milliseconds(span + static_cast<int64_t>(random()) % std::max<int64_t>(span, 1));
  }
  AddWarnings(call.response, call.warnings);
  return StreamWatch(call, std::move(query), timeout, clock_);
}

}  // namespace knarr::endpoints
