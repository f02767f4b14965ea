#include "pkg/apiserver/openapi/openapi.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <mutex>

#include "pkg/apiserver/openapi/builder.h"
#include "pkg/apiserver/openapi/proto.h"
#include "pkg/base/memory.h"
#include "pkg/net/http/server.h"

namespace knarr::openapi {
namespace {

using registry::KindPtr;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProtobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
// As kubectl asks for it; not a media type by the letter.
constexpr std::string_view kProtobufAsked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

// Clients keep documents by digests of what goes into them: to be raised when the same input gives another document.
constexpr std::string_view kFormat = "1";

std::string Sha512(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  KNARR_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha512(), nullptr) == 1);
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02X}", digest[i]);
  return out;
}

std::string Gzip(std::string_view text) {
  constexpr int kWindow = 15 + 16, kMemory = 8, kLevel = 5;
  z_stream stream{};
  KNARR_CHECK(deflateInit2(&stream, kLevel, Z_DEFLATED, kWindow, kMemory, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  KNARR_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  out.shrink_to_fit();
  return out;
}

std::string Gunzip(std::string_view packed, size_t size) {
  z_stream stream{};
  KNARR_CHECK(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(size, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  KNARR_CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  inflateEnd(&stream);
  return out;
}

// The media types of an Accept header, best first; quality 0 is left out.
std::vector<std::string> Accepted(std::string_view header) {
  std::vector<std::pair<double, std::string>> clauses;
  if (header.empty()) header = "*/*";
  while (!header.empty() && clauses.size() < 32) {
    const size_t comma = header.find(',');
    std::string_view clause = header.substr(0, comma);
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    double quality = 1;
    std::string type;
    for (bool first = true; !clause.empty() || first; first = false) {
      const size_t semicolon = clause.find(';');
      std::string_view part = clause.substr(0, semicolon);
      clause = semicolon == std::string_view::npos ? std::string_view() : clause.substr(semicolon + 1);
      while (part.starts_with(' ')) part.remove_prefix(1);
      while (part.ends_with(' ')) part.remove_suffix(1);
      if (first) {
        type = part;
      } else if (part.starts_with("q=")) {
        quality = std::strtod(std::string(part.substr(2)).c_str(), nullptr);
      }
    }
    if (!type.empty() && quality > 0) clauses.emplace_back(quality, std::move(type));
  }
  std::stable_sort(clauses.begin(), clauses.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> out;
  for (auto& clause : clauses) out.push_back(std::move(clause.second));
  return out;
}

bool Matches(std::string_view accepted, std::string_view type) {
  return accepted == "*/*" || accepted == type ||
         (accepted.ends_with("/*") && type.starts_with(accepted.substr(0, accepted.size() - 1)));
}

// Is the entity among those that the client has?
bool Matched(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    const size_t comma = if_none_match.find(',');
    std::string_view one = if_none_match.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
    if (comma == std::string_view::npos) break;
    if_none_match.remove_prefix(comma + 1);
  }
  return false;
}

Response Text(int status, std::string_view text) {
  Response out;
  out.status = status;
  out.headers.Add("Content-Type", "text/plain; charset=utf-8");
  out.headers.Add("X-Content-Type-Options", "nosniff");
  out.body = std::make_shared<const std::string>(std::string(text) + "\n");
  return out;
}

}  // namespace

struct OpenApi::Impl : std::enable_shared_from_this<OpenApi::Impl> {
  // What is served, and a digest of everything that goes into each document: the same digest, the same document.
  struct State {
    uint64_t generation = 0;
    std::vector<KindPtr> kinds;
    std::map<std::string, std::string> digests;  // of the v3 documents
    std::string all;
  };
  using StatePtr = std::shared_ptr<const State>;
  struct Document {
    std::shared_ptr<const std::string> gzip;
    size_t size = 0;
    MonoTime used;
  };

  Impl(Options options, Clock& clock) : options(std::move(options)), clock(clock) {}

  // Not asked for again while the generation is the same.
  StatePtr Current() {
    const uint64_t generation = options.generation ? options.generation() : 0;
    {
      std::lock_guard lock(mutex);
      if (state && state->generation == generation) return state;
    }
    auto made = std::make_shared<State>();
    made->generation = generation;
    made->kinds = options.kinds ? options.kinds() : std::vector<KindPtr>();
    std::sort(made->kinds.begin(), made->kinds.end(), [](const KindPtr& a, const KindPtr& b) {
      return std::tie(a->group, a->resource) < std::tie(b->group, b->resource);
    });
    std::map<std::string, std::string> inputs;
    for (const std::string& name : DocumentNames(made->kinds))
      inputs[name] = fmt::format("{}\n{}\n{}", kFormat, options.git_version, name);
    std::string group_versions;
    for (const KindPtr& kind : made->kinds) {
      for (const auto& version : kind->versions) {
        const std::string group_version = kind->group.empty() ? version.version : kind->group + "/" + version.version;
        group_versions += group_version + " ";
        std::string& input = inputs[(kind->group.empty() ? "api/" : "apis/") + group_version];
        input += Describe(*kind, version);
      }
    }
    for (auto& [name, input] : inputs) {
      // DeleteOptions and WatchEvent name every group version.
      made->digests[name] = Sha512(input + "\n" + group_versions);
      made->all += made->digests[name];
    }
    made->all = Sha512(made->all);
    std::lock_guard lock(mutex);
    state = made;
    documents.clear();
    return made;
  }

  std::string Describe(const registry::Kind& kind, const registry::ServedVersion& version) const {
    std::string out = fmt::format("\n{} {} {} {}", kind.kind, kind.list_kind, kind.resource, kind.namespaced);
    for (const std::string& verb : kind.verbs) out += " " + verb;
    for (const auto& sub : kind.subresources) {
      out += fmt::format("\n {} {} {} {}", sub.name, sub.group, sub.version, sub.kind);
      for (const std::string& verb : sub.verbs) out += " " + verb;
    }
    if (version.prototype != nullptr) {
      out += "\n" + version.prototype().GetDescriptor()->full_name();
    } else if (options.custom_schema && kind.custom) {
      if (const auto schema = options.custom_schema(kind, version.version))
        out += "\n" + boost::json::serialize(*schema);
    }
    return out;
  }

  // The document, made if need be; several threads may make the same one at first.
  Document Get(const State& now, const std::string& key, const std::function<std::string()>& make) {
    const MonoTime at = clock.Monotonic();
    {
      std::lock_guard lock(mutex);
      const auto found = documents.find(key);
      if (found != documents.end() && state.get() == &now) {
        found->second.used = at;
        return found->second;
      }
    }
    // One at a time: the texts are large, and who waits probably wants the same.
    std::lock_guard building(build_mutex);
    {
      std::lock_guard lock(mutex);
      const auto found = documents.find(key);
      if (found != documents.end() && state.get() == &now) return found->second;
    }
    const std::string text = make();
    Document document{std::make_shared<const std::string>(Gzip(text)), text.size(), at};
    std::lock_guard lock(mutex);
    if (state.get() == &now) {
      documents.insert_or_assign(key, document);
      if (!timer_set) SetTimer();
    }
    return document;
  }

  // With the mutex held.
  void SetTimer() {
    timer_set = true;
    timer = clock.RunAfter(options.keep, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Forget();
    });
  }

  void Forget() {
    bool empty = false;
    {
      std::lock_guard lock(mutex);
      const MonoTime limit = clock.Monotonic() - options.keep;
      std::erase_if(documents, [&](const auto& entry) { return entry.second.used <= limit; });
      empty = documents.empty();
      // The digests go, too: they are cheap to make anew, and hold the kinds.
      if (empty) state = nullptr;
      timer_set = false;
      if (!empty) SetTimer();
    }
    if (empty) ReleaseUnusedMemory();
  }

  Response Reply(const http::Request& request, const State& now, const std::string& key, std::string_view type,
                 std::string_view digest, const std::function<std::string()>& make) {
    Response out;
    const std::string etag = fmt::format("\"{}\"", digest);
    out.headers.Add("Vary", "Accept-Encoding");
    out.headers.Add("Vary", "Accept");
    out.headers.Add("Etag", etag);
    if (Matched(request.headers.Get("If-None-Match"), etag)) {
      out.status = 304;
      return out;
    }
    out.headers.Add("Content-Type", std::string(type));
    const Document document = Get(now, key, make);
    if (request.headers.HasToken("Accept-Encoding", "gzip")) {
      out.headers.Add("Content-Encoding", "gzip");
      out.body = document.gzip;
    } else {
      out.body = std::make_shared<const std::string>(Gunzip(*document.gzip, document.size));
    }
    return out;
  }

  Response ServeV2(const http::Request& request) {
    for (const std::string& accepted : Accepted(request.headers.Get("Accept"))) {
      const bool protobuf = accepted == kProtobuf || accepted == kProtobufAsked;
      if (!protobuf && !Matches(accepted, kJson)) continue;
      const StatePtr now = Current();
      if (!protobuf) {
        return Reply(request, *now, "v2", kJson, now->all,
                     [&] { return Builder(Version::kV2, options, now->kinds).Json({}); });
      }
      return Reply(request, *now, "v2.pb", kProtobuf, Sha512(now->all + "pb"), [&] {
        Builder builder(Version::kV2, options, now->kinds);
        return V2Protobuf(builder, options.git_version);
      });
    }
    Response refused = Text(406, "406 Not Acceptable");
    refused.headers.Add("Vary", "Accept");
    return refused;
  }

  Response ServeIndex(const http::Request& request) {
    const StatePtr now = Current();
    JsonWriter out;
    out.Begin();
    out.Begin("paths");
    for (const auto& [name, digest] : now->digests) {
      out.Begin(name);
      out.Member("serverRelativeURL", fmt::format("/openapi/v3/{}?hash={}", name, digest));
      out.End();
    }
    out.End();
    out.End();
    const std::string text = out.Take();
    return Reply(request, *now, "v3", kJson, Sha512(text), [&] { return text; });
  }

  Response ServeV3(const http::Request& request, const std::string& name) {
    const StatePtr now = Current();
    const auto digest = now->digests.find(name);
    if (digest == now->digests.end()) return Text(404, "404 page not found");
    const auto accepted = Accepted(request.headers.Get("Accept"));
    const bool json =
        std::any_of(accepted.begin(), accepted.end(), [](const auto& one) { return Matches(one, kJson); });
    if (!json) {
      Response refused = Text(406, "406 Not Acceptable");
      refused.headers.Add("Vary", "Accept");
      return refused;
    }
    const std::string_view hash = request.QueryValue("hash");
    if (!hash.empty() && hash != digest->second) {
      Response moved;
      moved.status = 301;
      moved.headers.Add("Vary", "Accept");
      moved.headers.Add("Location", fmt::format("/openapi/v3/{}?hash={}", name, digest->second));
      return moved;
    }
    Response out = Reply(request, *now, "v3/" + name, kJson, digest->second,
                         [&] { return Builder(Version::kV3, options, now->kinds).Json(name); });
    // What is named by its hash never changes.
    if (!hash.empty()) out.headers.Add("Cache-Control", "public, immutable");
    return out;
  }

  const Options options;
  Clock& clock;
  std::mutex build_mutex;  // before mutex
  std::mutex mutex;
  StatePtr state;
  std::map<std::string, Document> documents;
  bool timer_set = false;
  Timer timer;
};

OpenApi::OpenApi(Options options, Clock& clock) : impl_(std::make_shared<Impl>(std::move(options), clock)) {}
OpenApi::~OpenApi() = default;

Response OpenApi::Serve(const http::Request& request) {
  std::string_view path = request.path;
  const bool v2 = path == "/openapi/v2", index = path == "/openapi/v3";
  if (!v2 && !index && !path.starts_with("/openapi/v3/")) return Text(404, "404 page not found");
  if (request.method != "GET" && request.method != "HEAD") {
    Response out = Text(405, "405 Method Not Allowed");
    out.headers.Add("Allow", "GET, HEAD");
    return out;
  }
  if (v2) return impl_->ServeV2(request);
  if (index || path == "/openapi/v3/") return impl_->ServeIndex(request);
  path.remove_prefix(std::string_view("/openapi/v3/").size());
  if (path.ends_with('/')) path.remove_suffix(1);
  return impl_->ServeV3(request, std::string(path));
}

void OpenApi::Handle(const http::Request& request, http::ResponseWriter& response) {
  const Response out = Serve(request);
  for (const auto& [name, value] : out.headers) response.headers().Add(name, value);
  if (out.body) response.headers().Set("Content-Length", std::to_string(out.body->size()));
  response.WriteHeader(out.status);
  // A client that is gone is the server's business.
  if (out.body && request.method != "HEAD") (void)response.Write(*out.body);
}

}  // namespace knarr::openapi
