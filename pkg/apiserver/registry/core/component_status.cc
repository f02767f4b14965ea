// ComponentStatuses: whether the controller manager, the scheduler and the store of this machine answer. Probed when
// somebody asks, as upstream does.
// Mirrors: pkg/registry/core/componentstatus/{rest.go,validator.go}
#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/net/http/client.h"

namespace knarr::registry::core_group {
namespace {

constexpr std::chrono::seconds kTimeout{2};
constexpr int kControllerManagerPort = 10257;
constexpr int kSchedulerPort = 10259;

class ComponentStatusStrategy : public TypedStrategy<core::ComponentStatus> {
 public:
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Status"), TextColumn("Message"), TextColumn("Error")};
  }
  std::vector<Cell> Row(const core::ComponentStatus& object, WallTime) const override {
    for (const core::ComponentCondition& condition : object.conditions()) {
      if (condition.type() != "Healthy") continue;
      return {object.metadata().name(), condition.status() == "True" ? "Healthy" : "Unhealthy", condition.message(),
              condition.error()};
    }
    return {object.metadata().name(), "Unknown", "", ""};
  }
};

struct Health {
  bool healthy = false;
  std::string message;
};

// Whoever answers is asked, not who it is: the address is this machine's.
Health ProbeHealthz(const Context& ctx, int port, Clock& clock) {
  const std::string url = fmt::format("https://127.0.0.1:{}/healthz", port);
  const auto fail = [](const Status& error) -> Health {
    return {.healthy = false, .message = std::string(error.message())};
  };
  http::ClientRequest request;
  auto parsed = http::ParseUrl(url);
  if (!parsed.ok()) return fail(parsed.error());
  request.url = std::move(*parsed);
  auto tls = tls::ClientConfig::New({.insecure_skip_verify = true}, clock);
  if (!tls.ok()) return fail(tls.error());
  request.tls = std::move(*tls);
  request.max_body = 10 << 10;
  request.truncate_body = true;
  const auto response = http::Do(ctx.WithTimeout(kTimeout), request);
  if (!response.ok()) return fail(response.error());
  if (response->status >= 200 && response->status < 400) return {.healthy = true, .message = response->body};
  return {.healthy = false, .message = fmt::format("HTTP probe failed with statuscode: {}", response->status)};
}

Health ProbeStore(const Context& ctx, storage::Store& store) {
  const Status status = store.Healthy(ctx.WithTimeout(kTimeout));
  if (!status.ok()) return {.healthy = false, .message = std::string(status.message())};
  return {.healthy = true, .message = "ok"};
}

Object MakeComponent(const std::string& name, const Health& health) {
  auto component = std::make_unique<core::ComponentStatus>();
  component->mutable_metadata()->set_name(name);
  core::ComponentCondition& condition = *component->add_conditions();
  condition.set_type("Healthy");
  condition.set_status(health.healthy ? "True" : "False");
  condition.set_message(health.message);
  return Object(std::move(component));
}

}  // namespace

Kind ComponentStatusKind(const BuiltinDeps& deps) {
  Kind kind = BuiltinKind("", "componentstatuses", {"v1"}, std::make_shared<ComponentStatusStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.verbs = {"get", "list"};
  kind.versions.front().deprecation_warning = "v1 ComponentStatus is deprecated in v1.19+";
  kind.computed = [store = deps.store, clock = deps.clock](const Context& ctx) {
    Clock& time = clock == nullptr ? Clock::Real() : *clock;
    std::vector<Object> components;
    components.push_back(MakeComponent("controller-manager", ProbeHealthz(ctx, kControllerManagerPort, time)));
    if (store != nullptr) components.push_back(MakeComponent("etcd-0", ProbeStore(ctx, *store)));
    components.push_back(MakeComponent("scheduler", ProbeHealthz(ctx, kSchedulerPort, time)));
    return components;
  };
  return kind;
}

}  // namespace knarr::registry::core_group
