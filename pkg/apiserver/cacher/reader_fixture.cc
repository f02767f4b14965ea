#include "pkg/apiserver/cacher/reader_fixture.h"

namespace knarr::cacher {
namespace {

StringMap ParseMap(std::string_view text) {
  std::vector<StringMap::value_type> items;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view item = text.substr(0, end);
    const size_t equals = item.find('=');
    items.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return StringMap(std::move(items));
}

void SplitKey(Entry* entry) {
  const std::string_view rest = std::string_view(entry->key).substr(kPrefix.size());
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos) entry->namespace_ = rest.substr(0, slash);
  entry->name = rest.substr(slash == std::string_view::npos ? 0 : slash + 1);
}

}  // namespace

Result<EntryPtr> TextCodec::Decode(const storage::KeyValue& kv) const {
  ++decoded;
  if (kv.value == "BAD") return Error(Code::kDataLoss, "{}: cannot be decoded", kv.key);
  auto entry = std::make_shared<Entry>();
  entry->key = kv.key;
  SplitKey(entry.get());
  entry->revision = kv.mod_revision;
  const size_t one = kv.value.find('|'), two = kv.value.find('|', one + 1);
  KNARR_CHECK(two != std::string::npos);
  entry->labels = ParseMap(std::string_view(kv.value).substr(0, one));
  entry->fields = ParseMap(std::string_view(kv.value).substr(one + 1, two - one - 1));
  entry->bytes = fmt::format("{}@{}", kv.value.substr(two + 1), kv.mod_revision);
  entry->stored_bytes = static_cast<int64_t>(kv.value.size());
  return EntryPtr(std::move(entry));
}

EntryPtr TextCodec::WithRevision(const Entry& from, Revision revision) const {
  ++revised;
  auto entry = std::make_shared<Entry>();
  entry->key = from.key;
  SplitKey(entry.get());
  entry->revision = revision;
  entry->labels = from.labels;
  entry->fields = from.fields;
  entry->bytes = fmt::format("{}@{}", from.bytes.substr(0, from.bytes.rfind('@')), revision);
  return entry;
}

std::string Value(const std::string& labels, const std::string& fields, const std::string& payload) {
  return labels + '|' + fields + '|' + payload;
}

class DoorStore::Door : public storage::WatchSink {
 public:
  Door(DoorStore* store, storage::WatchSink* sink) : store_(store), sink_(sink) {}
  void OnEvents(std::vector<storage::Event> events, Revision revision) override {
    if (Pass()) sink_->OnEvents(std::move(events), revision);
  }
  void OnProgress(Revision revision) override {
    if (Pass()) sink_->OnProgress(revision);
  }
  void OnEnd(const Status& status) override {
    if (Pass()) sink_->OnEnd(status);
  }
  void End(const Status& status) {
    {
      std::lock_guard lock(store_->mutex_);
      if (std::exchange(ended_, true)) return;
    }
    std::lock_guard calling(calls_);
    sink_->OnEnd(status);
  }
  void CloseDoor() {
    std::lock_guard lock(store_->mutex_);
    ended_ = true;
    store_->opened_.notify_all();
  }
  std::mutex calls_;

 private:
  bool Pass() {
    std::unique_lock lock(store_->mutex_);
    store_->opened_.wait(lock, [this] { return !store_->held_ || ended_; });
    return !ended_;
  }
  DoorStore* const store_;
  storage::WatchSink* const sink_;
  bool ended_ = false;
};

class DoorStore::Handle : public storage::WatchHandle {
 public:
  Handle(DoorStore* store, std::unique_ptr<Door> door, std::unique_ptr<storage::WatchHandle> handle)
      : store_(store), door_(std::move(door)), handle_(std::move(handle)) {}
  ~Handle() override {
    door_->CloseDoor();
    {
      std::lock_guard lock(store_->mutex_);
      store_->doors_.erase(door_.get());
    }
    handle_.reset();
    std::lock_guard ended(door_->calls_);
  }

 private:
  DoorStore* const store_;
  const std::unique_ptr<Door> door_;
  std::unique_ptr<storage::WatchHandle> handle_;
};

void DoorStore::Hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void DoorStore::Open() {
  std::lock_guard lock(mutex_);
  held_ = false;
  opened_.notify_all();
}

void DoorStore::EndWatches(const Status& why, bool allow_new) {
  std::set<Door*> doors;
  {
    std::lock_guard lock(mutex_);
    doors.swap(doors_);
    if (!allow_new) refuse_ = Error(Code::kServiceUnavailable, "no watches for now");
  }
  for (Door* door : doors) door->End(why);
}

void DoorStore::AllowWatches() {
  std::lock_guard lock(mutex_);
  refuse_ = Status();
}

void DoorStore::FailLists(Status status) {
  std::lock_guard lock(mutex_);
  fail_lists_ = std::move(status);
}

int DoorStore::watches() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(doors_.size());
}

Result<std::optional<storage::KeyValue>> DoorStore::Get(const Context& ctx, std::string_view key, Revision revision) {
  return store_->Get(ctx, key, revision);
}

Result<storage::ListResult> DoorStore::List(const Context& ctx, std::string_view prefix,
                                            const storage::ListOptions& options) {
  ++lists_;
  {
    std::lock_guard lock(mutex_);
    if (!fail_lists_.ok()) return fail_lists_;
  }
  return store_->List(ctx, prefix, options);
}

Result<std::unique_ptr<storage::WatchHandle>> DoorStore::Watch(const Context& ctx, std::string_view prefix,
                                                               Revision after, storage::WatchSink& sink) {
  auto door = std::make_unique<Door>(this, &sink);
  {
    std::lock_guard lock(mutex_);
    if (!refuse_.ok()) return refuse_;
    doors_.insert(door.get());
  }
  Result<std::unique_ptr<storage::WatchHandle>> handle = store_->Watch(ctx, prefix, after, *door);
  if (!handle.ok()) {
    std::lock_guard lock(mutex_);
    doors_.erase(door.get());
    return handle.status();
  }
  return std::unique_ptr<storage::WatchHandle>(std::make_unique<Handle>(this, std::move(door), std::move(*handle)));
}

Revision DoorStore::Put(const std::string& name, const std::string& value) {
  const std::string key = name.starts_with('/') ? name : kPrefix + name;
  for (Revision expected = 0;;) {
    const Result<storage::WriteResult> written = expected == 0
                                                     ? store_->Create(Context::Background(), key, value, 0)
                                                     : store_->Update(Context::Background(), key, value, expected, 0);
    KNARR_CHECK(written.ok());
    if (written->succeeded) return written->revision;
    expected = written->current ? written->current->mod_revision : 0;
  }
}

Revision DoorStore::Remove(const std::string& name) {
  const std::string key = kPrefix + name;
  for (;;) {
    const auto found = store_->Get(Context::Background(), key);
    KNARR_CHECK(found.ok());
    if (!*found) return 0;
    const auto written = store_->Delete(Context::Background(), key, (*found)->mod_revision);
    KNARR_CHECK(written.ok());
    if (written->succeeded) return written->revision;
  }
}

Drain::Drain(std::unique_ptr<Watcher> watcher, size_t batch) : batch_(batch), watcher_(std::move(watcher)) {
  watcher_->SetWake([this] {
    ++wakes_;
    std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  });
  thread_ = std::thread([this] { Loop(); });
}

Drain::~Drain() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
  watcher_.reset();  // before what its wake function uses
}

void Drain::Loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return woken_ || stop_; });
      if (stop_) return;
      woken_ = false;
    }
    Watcher::State state;
    do {
      std::vector<WatchEvent> got;
      state = watcher_->Next(&got, batch_);
      std::lock_guard lock(mutex_);
      for (WatchEvent& event : got) {
        if (event.entry) {
          const std::string name = event.entry->key.substr(kPrefix.size());
          const bool there = state_.contains(name);
          if (there == (event.type == WatchType::kAdded)) {
            problems_.push_back(fmt::format("{} at {}: event {}", name, event.revision, static_cast<int>(event.type)));
          }
          if (event.revision != event.entry->revision) problems_.push_back(name + ": revision of event and entry");
          if (event.revision < revisions_[name]) problems_.push_back(name + ": goes back");
          revisions_[name] = event.revision;
          if (event.type == WatchType::kDeleted) {
            state_.erase(name);
          } else {
            state_[name] = event.entry->bytes;
          }
        }
        revision_ = std::max(revision_, event.revision);
        events_.push_back(std::move(event));
      }
      if (got.size() > batch_) problems_.push_back("more events than asked for");
      ended_ = state == Watcher::State::kEnd;
      changed_.notify_all();
      if (stop_) return;
    } while (state == Watcher::State::kMore);
    if (state == Watcher::State::kEnd) return;
  }
}

void Drain::WaitFor(Revision revision) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return revision_ >= revision || ended_; });
}
void Drain::WaitForEvents(size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return events_.size() >= count || ended_; });
}
void Drain::WaitForEnd() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_; });
}
std::vector<WatchEvent> Drain::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}
std::map<std::string, std::string> Drain::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}
Status Drain::status() const {
  return watcher_->status();
}
std::vector<std::string> Drain::problems() const {
  std::lock_guard lock(mutex_);
  return problems_;
}

}  // namespace knarr::cacher
