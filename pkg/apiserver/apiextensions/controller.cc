// Names, conditions, kinds and deletion of CustomResourceDefinitions.
// Mirrors: apiextensions-apiserver/pkg/controller/{status/naming_controller,establish,finalizer}.go
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/apiextensions/custom.h"
#include "pkg/apiserver/cacher/reader.h"
#include "pkg/base/pool.h"

namespace knarr::apiextensions {

using registry::Kind;
using registry::Object;

namespace {

constexpr registry::GroupResource kDefinitions{"apiextensions.k8s.io", "customresourcedefinitions"};
constexpr registry::GroupResource kServices{"apiregistration.k8s.io", "apiservices"};
constexpr std::string_view kPrefix = "/registry/apiextensions.k8s.io/customresourcedefinitions/";
constexpr std::string_view kCleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";
constexpr std::chrono::milliseconds kFirstLook{100};
constexpr std::chrono::seconds kLookAgain{5};
constexpr size_t kBatch = 64;

const json::object* SpecOf(const Object& definition) {
  return Obj(definition.body(), "spec");
}
const json::object* StatusOf(const Object& definition) {
  return Obj(definition.body(), "status");
}

std::string_view GroupOf(const Object& definition) {
  const json::object* spec = SpecOf(definition);
  return spec ? Str(*spec, "group") : std::string_view();
}

std::vector<std::string> List(const json::object* object, std::string_view key) {
  std::vector<std::string> list;
  const json::array* array = object ? Arr(*object, key) : nullptr;
  for (size_t i = 0; array && i < array->size(); ++i) list.push_back(GoText((*array)[i]));
  return list;
}

std::string_view Name(const json::object* names, std::string_view key) {
  return names ? Str(*names, key) : std::string_view();
}

}  // namespace

class Controller::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {}
  ~Impl() {
    threads_.RequestStop();
    Wake();
    threads_.StopAndJoin();
    again_.Cancel();
    watcher_.reset();
  }

  Status Start(const Context& ctx) {
    // Asked again: the thread has it in hand.
    if (std::exchange(started_, true)) {
      return synced_ ? Status() : Error(Code::kServiceUnavailable, "the definitions have not been read yet");
    }
    const Status begun = Begin(ctx);
    if (!begun.ok()) woken_ = watch_lost_ = true;
    threads_.Go("crd-controller", [this](std::stop_token stop) { Loop(stop); });
    return begun;
  }

  bool Synced() const { return synced_.load(); }

 private:
  struct Known {
    // Only while there is something to do: the schemas in it are large.
    std::shared_ptr<const Object> definition;
    std::string group;
    json::object accepted;  // status.acceptedNames
    std::string served;     // uid and generation of what its kind was made of; "": it is not served
    Kind kind;
  };

  // A new watch, and everything that is there now.
  Status Begin(const Context& ctx) {
    cacher::WatchQuery query;
    query.prefix = kPrefix;
    query.initial_state = true;
    query.initial_events_end = true;
    query.freshness = cacher::Freshness::kConsistent;
    watcher_.reset();
    watcher_ = KNARR_TRY(options_.definitions->Watch(ctx, std::move(query)));
    watcher_->SetWake([this] { Wake(); });
    fresh_.emplace();
    bool ended = false;
    Drain(&ended);
    if (ended)
      return watcher_->status().ok() ? Error(Code::kServiceUnavailable, "the watch ended") : watcher_->status();
    Work(ctx);
    synced_ = true;
    return {};
  }

  void Wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    wake_.notify_all();
  }

  void Loop(std::stop_token stop) {
    const Context ctx = Context::Background().WithStop(stop);
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return woken_ || stop.stop_requested(); });
        woken_ = false;
      }
      if (stop.stop_requested()) return;
      bool ended = false;
      Drain(&ended);
      Work(ctx);
      if (!ended) continue;
      // The cache made a new start, or this server fell behind.
      const Status begun = Begin(ctx);
      if (!begun.ok() && !ctx.Cancelled()) {
        options_.log.Error(begun, "CustomResourceDefinitions are not followed");
        watch_lost_ = true;
        LookAgain(std::chrono::seconds(1));
      }
    }
  }

  void LookAgain(Duration after) {
    // The old timer must not be destroyed by its own thread's wait: it only sets a flag.
    again_ = options_.clock->RunAfter(after, [this] { Wake(); });
  }

  void Drain(bool* ended) {
    if (std::exchange(watch_lost_, false)) {
      *ended = true;
      return;
    }
    for (;;) {
      std::vector<cacher::WatchEvent> events;
      const cacher::Watcher::State state = watcher_->Next(&events, kBatch);
      for (const cacher::WatchEvent& event : events) Take(event);
      if (state == cacher::Watcher::State::kEnd) *ended = true;
      if (state != cacher::Watcher::State::kMore) return;
    }
  }

  void Take(const cacher::WatchEvent& event) {
    if (event.type == cacher::WatchType::kInitialEventsEnd && fresh_) {
      // What a lost watch did not tell: definitions that are gone.
      for (const auto& [name, known] : known_) {
        if (!fresh_->contains(name)) gone_.insert(name);
      }
      fresh_.reset();
    }
    if (!event.entry) return;
    const std::string& name = event.entry->name;
    if (event.type == cacher::WatchType::kDeleted) {
      gone_.insert(name);
      return;
    }
    if (fresh_) fresh_->insert(name);
    gone_.erase(name);
    Result<registry::ObjectPtr> decoded = options_.decode(*event.entry);
    if (!decoded.ok()) {
      options_.log.Error(decoded.status(), "A CustomResourceDefinition cannot be decoded", {{"name", name}});
      return;
    }
    Remember(&known_[name], std::shared_ptr<const Object>(std::move(*decoded)));
    dirty_.insert(name);
  }

  static void Remember(Known* known, std::shared_ptr<const Object> definition) {
    known->group = GroupOf(*definition);
    const json::object* status = StatusOf(*definition);
    const json::object* accepted = status ? Obj(*status, "acceptedNames") : nullptr;
    known->accepted = accepted ? *accepted : json::object();
    known->definition = std::move(definition);
  }

  void Work(const Context& ctx) {
    for (const std::string& name : std::exchange(gone_, {})) {
      const auto found = known_.find(name);
      if (found == known_.end()) continue;
      const std::string group = found->second.group;
      Withdraw(name, &found->second);
      known_.erase(found);
      dirty_.erase(name);
      // Its names are free again.
      for (const auto& [other, known] : known_) {
        if (known.group == group) dirty_.insert(other);
      }
    }
    for (const std::string& name : std::exchange(dirty_, {})) {
      const auto found = known_.find(name);
      if (found == known_.end() || ctx.Done()) continue;
      const Status status = Sync(ctx, name, &found->second);
      if (status.ok() || status.Is(Code::kNotFound) || status.Is(Code::kConflict)) {
        if (!dirty_.contains(name)) found->second.definition.reset();
        continue;
      }
      options_.log.Error(status, "A CustomResourceDefinition could not be put into effect", {{"name", name}});
      dirty_.insert(name);
    }
    if (dirty_.empty()) {
      retries_ = 0;
    } else {
      LookAgain(std::min<Duration>(kFirstLook * (1 << std::min(retries_++, 10)), kLookAgain));
    }
  }

  void Withdraw(const std::string& name, Known* known) {
    if (known->served.empty()) return;
    options_.remove(known->kind.group, known->kind.resource);
    options_.log.Info("Custom resource withdrawn", {{"name", name}});
    known->served.clear();
  }

  Status Sync(const Context& ctx, const std::string& name, Known* known) {
    if (!known->definition) {
      Remember(known, KNARR_TRY(options_.access->GetConsistent(ctx, kDefinitions, "", name)));
    }
    const std::shared_ptr<const Object> held = known->definition;
    const Object& definition = *held;
    if (!SpecOf(definition)) return {};
    json::object body = definition.body();
    bool changed = AcceptNames(name, &body);
    const bool accepted = ConditionStatus(body, "NamesAccepted") == "True";
    const bool deleting = definition.metadata().has_deletiontimestamp();
    const bool established = ConditionStatus(body, "Established") == "True";
    if (accepted || established) {
      KNARR_TRY(Serve(name, known));
      if (!known->served.empty() && !established) {
        changed |= SetCondition(body, "Established", "True", "InitialNamesAccepted",
                                "the initial names have been accepted", options_.clock->Now());
      }
    } else if (ConditionStatus(body, "Established").empty()) {
      changed |= SetCondition(body, "Established", "False", "NotAccepted", "not all names are accepted",
                              options_.clock->Now());
    }
    if (changed) KNARR_TRY(WriteStatus(ctx, name, definition, body));
    if (deleting) KNARR_TRY(CleanUp(ctx, name, known));
    return {};
  }

  // Mirrors: calculateNamesAndConditions
  bool AcceptNames(const std::string& name, json::object* body) {
    const json::object* spec = Obj(*body, "spec");
    const json::object* wanted = Obj(*spec, "names");
    if (!wanted) return false;
    std::set<std::string> resources, kinds;
    const std::string_view group = Str(*spec, "group");
    for (const auto& [other, known] : known_) {
      if (other == name || known.group != group) continue;
      const json::object* names = &known.accepted;
      for (const std::string_view key : {"plural", "singular"}) resources.emplace(Name(names, key));
      for (std::string& short_name : List(names, "shortNames")) resources.insert(std::move(short_name));
      for (const std::string_view key : {"kind", "listKind"}) kinds.emplace(Name(names, key));
    }
    const json::object* status = Obj(*body, "status");
    const json::object* accepted = status ? Obj(*status, "acceptedNames") : nullptr;
    json::object result = accepted ? *accepted : json::object();
    std::string reason, message;
    const auto conflict = [&](std::string_view why, const std::string& name_in_use) {
      reason = why;
      message = field::Quote(name_in_use) + " is already in use";
    };
    const auto accept = [&](std::string_view key, const std::set<std::string>& used, std::string_view why) {
      const std::string asked(Name(wanted, key));
      if (asked != Name(accepted, key) && used.contains(asked)) return conflict(why, asked);
      result[{key.data(), key.size()}] = asked;
    };
    accept("plural", resources, "PluralConflict");
    accept("singular", resources, "SingularConflict");
    const std::vector<std::string> short_names = List(wanted, "shortNames"), mine = List(accepted, "shortNames");
    std::vector<std::string> taken;
    for (const std::string& short_name : short_names) {
      if (std::find(mine.begin(), mine.end(), short_name) == mine.end() && resources.contains(short_name)) {
        taken.push_back(field::Quote(short_name) + " is already in use");
      }
    }
    if (!taken.empty()) {
      reason = "ShortNamesConflict";
      message = taken.size() == 1 ? taken.front() : fmt::format("[{}]", fmt::join(taken, ", "));
    } else if (const json::value* list = wanted->if_contains("shortNames")) {
      result["shortNames"] = *list;
    } else {
      result.erase("shortNames");
    }
    accept("kind", kinds, "KindConflict");
    accept("listKind", kinds, "ListKindConflict");
    if (const json::value* list = wanted->if_contains("categories")) {
      result["categories"] = *list;
    } else {
      result.erase("categories");
    }
    bool changed = false;
    if (!accepted || *accepted != result) {
      json::value& place = (*body)["status"];
      if (!place.is_object()) place = json::object();
      place.get_object()["acceptedNames"] = std::move(result);
      changed = true;
    }
    const bool good = reason.empty();
    changed |= SetCondition(*body, "NamesAccepted", good ? "True" : "False", good ? "NoConflicts" : reason,
                            good ? "no conflicts found" : message, options_.clock->Now());
    return changed;
  }

  // The kind changes with the spec only.
  Status Serve(const std::string& name, Known* known) {
    const auto& metadata = known->definition->metadata();
    const std::string now = fmt::format("{}/{}", metadata.uid(), metadata.generation());
    if (now != known->served) {
      Result<Kind> kind = KindOf(*known->definition);
      if (!kind.ok()) {
        // Nothing is served any more; that is no error.
        Withdraw(name, known);
        return kind.status().Is(Code::kInvalid) ? Status() : kind.status();
      }
      const bool ours = kind->group == kDefinitions.group || kind->group == kServices.group;
      if (ours || options_.taken(kind->group, kind->resource)) {
        options_.log.Info("A CustomResourceDefinition has the name of a built-in kind and is not served",
                          {{"name", name}});
        return {};
      }
      known->kind = std::move(*kind);
      options_.add(known->kind);
      options_.log.Info("Custom resource served", {{"name", name}});
      known->served = now;
    }
    if (known->definition->metadata().has_deletiontimestamp()) SetTerminating(known->kind);
    return {};
  }

  Status WriteStatus(const Context& ctx, const std::string& name, const Object& seen, const json::object& body) {
    const json::value status = body.at("status");
    const auto written = options_.access->Update(ctx, kDefinitions, "", name, "status", [&](Object& object) -> Status {
      // Made from this version and no other.
      if (object.metadata().resourceversion() != seen.metadata().resourceversion()) {
        return Error(Code::kConflict, "it has changed");
      }
      object.body()["status"] = status;
      return {};
    });
    if (!written.ok()) return written.status();
    Remember(&known_[name], *written);
    return {};
  }

  // Objects first, then the definition. Those with finalizers take their time.
  Status CleanUp(const Context& ctx, const std::string& name, Known* known) {
    const std::shared_ptr<const Object> held = known->definition;
    const Object& definition = *held;
    const auto& finalizers = definition.metadata().finalizers();
    if (std::find(finalizers.begin(), finalizers.end(), kCleanupFinalizer) == finalizers.end()) return {};
    std::string_view reason = "InstanceDeletionCompleted", message = "removed all instances";
    if (!known->served.empty()) {
      const registry::GroupResource what{known->kind.group, known->kind.resource};
      const auto objects = KNARR_TRY_CTX(options_.access->List(ctx, what, ""), "could not list instances");
      for (const registry::ObjectRef& object : objects) {
        const auto& metadata = object->metadata();
        if (metadata.has_deletiontimestamp()) continue;
        const Status deleted =
            options_.access->Delete(ctx, what, metadata.namespace_(), metadata.name(), metadata.uid());
        if (!deleted.ok() && !deleted.Is(Code::kNotFound)) {
          return deleted.WithContext("could not issue all deletes");
        }
      }
      const auto left = KNARR_TRY_CTX(options_.access->List(ctx, what, ""), "could not list instances");
      // The list may be a little old.
      const auto is_left = [&](const registry::ObjectRef& object) {
        const auto& metadata = object->metadata();
        return !options_.access->GetConsistent(ctx, what, metadata.namespace_(), metadata.name())
                    .status()
                    .Is(Code::kNotFound);
      };
      if (std::any_of(left.begin(), left.end(), is_left)) {
        json::object body = definition.body();
        if (SetCondition(body, "Terminating", "True", "InstanceDeletionInProgress",
                         "CustomResource deletion is in progress", options_.clock->Now())) {
          KNARR_TRY(WriteStatus(ctx, name, definition, body));
        }
        dirty_.insert(name);  // looked at again soon
        return {};
      }
    } else {
      reason = "NeverEstablished";
      message = "resource was never established";
    }
    const WallTime now = options_.clock->Now();
    const auto written = options_.access->Update(ctx, kDefinitions, "", name, "status", [&](Object& object) -> Status {
      SetCondition(object.body(), "Terminating", "False", reason, message, now);
      auto* list = object.metadata().mutable_finalizers();
      list->erase(std::remove(list->begin(), list->end(), kCleanupFinalizer), list->end());
      return {};
    });
    return written.status();
  }

  const Options options_;
  bool started_ = false;
  std::atomic<bool> synced_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;

  // Of Begin, then of the thread.
  std::unique_ptr<cacher::Watcher> watcher_;
  std::optional<std::set<std::string>> fresh_;
  std::map<std::string, Known> known_;
  std::set<std::string> gone_, dirty_;
  bool watch_lost_ = false;
  int retries_ = 0;
  Timer again_;
  TaskGroup threads_;
};

Controller::Controller(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Controller::~Controller() = default;
Status Controller::Start(const Context& ctx) {
  return impl_->Start(ctx);
}
bool Controller::Synced() const {
  return impl_->Synced();
}

}  // namespace knarr::apiextensions
