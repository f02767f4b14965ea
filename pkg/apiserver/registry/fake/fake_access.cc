#include "pkg/apiserver/registry/fake/fake_access.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"

namespace knarr::registry {

ObjectRef FakeAccess::FindIn(const State& state, GroupResource what, std::string_view ns, std::string_view name) const {
  const auto objects = state.find(KindOf(what));
  if (objects == state.end()) return nullptr;
  const auto found = objects->second.find({std::string(ns), std::string(name)});
  return found == objects->second.end() ? nullptr : found->second;
}

ObjectRef FakeAccess::Store(GroupResource what, api::Object object) {
  auto& metadata = object.metadata();
  metadata.set_resourceversion(std::to_string(++revision_));
  auto stored = std::make_shared<const api::Object>(std::move(object));
  const auto& meta = stored->metadata();
  state_[KindOf(what)][{meta.namespace_(), meta.name()}] = stored;
  ++generations_[KindOf(what)];
  return stored;
}

Status FakeAccess::TakeFailure() {
  ++writes_;
  if (failures_.empty()) return {};
  Status failure = failures_.front();
  failures_.erase(failures_.begin());
  return failure;
}

ObjectRef FakeAccess::Put(GroupResource what, api::Object object) {
  const std::lock_guard lock(mutex_);
  auto& metadata = object.metadata();
  if (metadata.uid().empty()) metadata.set_uid(fmt::format("uid-{}", revision_));
  return Store(what, std::move(object));
}

ObjectRef FakeAccess::Find(GroupResource what, std::string_view ns, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return FindIn(state_, what, ns, name);
}

size_t FakeAccess::Count(GroupResource what) const {
  const std::lock_guard lock(mutex_);
  const auto objects = state_.find(KindOf(what));
  return objects == state_.end() ? 0 : objects->second.size();
}

void FakeAccess::HoldCache(bool hold) {
  const std::lock_guard lock(mutex_);
  if (hold) cache_ = state_;
  held_ = hold;
}

void FakeAccess::FailWrites(std::vector<Status> errors) {
  const std::lock_guard lock(mutex_);
  failures_ = std::move(errors);
}

void FakeAccess::BeforeUpdate(std::function<void()> hook) {
  const std::lock_guard lock(mutex_);
  before_update_ = std::move(hook);
}

int FakeAccess::consistent_reads() const {
  const std::lock_guard lock(mutex_);
  return consistent_reads_;
}

int FakeAccess::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

Result<ObjectRef> FakeAccess::Get(const Context&, GroupResource what, std::string_view ns, std::string_view name) {
  const std::lock_guard lock(mutex_);
  ObjectRef found = FindIn(held_ ? cache_ : state_, what, ns, name);
  if (!found) return errors::NotFound(what.group, what.resource, name);
  return found;
}

Result<ObjectRef> FakeAccess::GetConsistent(const Context&, GroupResource what, std::string_view ns,
                                            std::string_view name) {
  const std::lock_guard lock(mutex_);
  ++consistent_reads_;
  ObjectRef found = FindIn(state_, what, ns, name);
  if (!found) return errors::NotFound(what.group, what.resource, name);
  return found;
}

Result<std::vector<ObjectRef>> FakeAccess::List(const Context&, GroupResource what, std::string_view ns,
                                                const labels::Selector& selector) {
  const std::lock_guard lock(mutex_);
  std::vector<ObjectRef> out;
  const State& state = held_ ? cache_ : state_;
  const auto objects = state.find(KindOf(what));
  if (objects == state.end()) return out;
  for (const auto& [key, object] : objects->second) {
    if ((ns.empty() || key.first == ns) && selector.Matches(object->metadata().labels())) out.push_back(object);
  }
  return out;
}

uint64_t FakeAccess::Generation(GroupResource what) {
  const std::lock_guard lock(mutex_);
  return generations_[KindOf(what)];
}

Result<ObjectRef> FakeAccess::Create(const Context&, GroupResource what, api::Object object) {
  const std::lock_guard lock(mutex_);
  KNARR_TRY(TakeFailure());
  auto& metadata = object.metadata();
  if (metadata.name().empty()) metadata.set_name(fmt::format("{}{:05}", metadata.generatename(), revision_));
  if (FindIn(state_, what, metadata.namespace_(), metadata.name()))
    return errors::AlreadyExists(what.group, what.resource, metadata.name());
  metadata.set_uid(fmt::format("uid-{}", revision_));
  metadata.mutable_creationtimestamp()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(clock_.Now().time_since_epoch()).count());
  return Store(what, std::move(object));
}

Result<ObjectRef> FakeAccess::Update(const Context&, GroupResource what, std::string_view ns, std::string_view name,
                                     std::string_view, const std::function<Status(api::Object&)>& change) {
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const ObjectRef current = Find(what, ns, name);
    if (!current) return errors::NotFound(what.group, what.resource, name);
    api::Object copy = current->Clone();
    KNARR_TRY(change(copy));
    std::function<void()> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = std::exchange(before_update_, nullptr);
    }
    if (hook) hook();
    const std::lock_guard lock(mutex_);
    KNARR_TRY(TakeFailure());
    if (FindIn(state_, what, ns, name) != current) continue;
    const std::string& stored = current->metadata().resourceversion();
    if (!copy.metadata().resourceversion().empty() && copy.metadata().resourceversion() != stored)
      return errors::Conflict(what.group, what.resource, name, errors::kOptimisticLock);
    return Store(what, std::move(copy));
  }
  return errors::Conflict(what.group, what.resource, name, errors::kOptimisticLock);
}

Status FakeAccess::Delete(const Context&, GroupResource what, std::string_view ns, std::string_view name,
                          std::string_view uid) {
  const std::lock_guard lock(mutex_);
  KNARR_TRY(TakeFailure());
  const ObjectRef found = FindIn(state_, what, ns, name);
  if (!found) return errors::NotFound(what.group, what.resource, name);
  if (!uid.empty() && found->metadata().uid() != uid)
    return errors::Conflict(what.group, what.resource, name,
                            fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                                        found->metadata().uid()));
  state_[KindOf(what)].erase({std::string(ns), std::string(name)});
  ++revision_;
  ++generations_[KindOf(what)];
  return {};
}

}  // namespace knarr::registry
