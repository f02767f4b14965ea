#include "pkg/apiserver/cacher/reader.h"

#include <algorithm>

namespace knarr::cacher {

StringMap::StringMap(std::vector<value_type> items) : items_(std::move(items)) {
  std::sort(items_.begin(), items_.end());
  items_.shrink_to_fit();
}

std::vector<StringMap::value_type>::const_iterator StringMap::find(std::string_view key) const {
  const auto found = std::lower_bound(items_.begin(), items_.end(), key,
                                      [](const value_type& item, std::string_view k) { return item.first < k; });
  return found != items_.end() && found->first == key ? found : items_.end();
}

std::string_view StringMap::Get(std::string_view key) const {
  const auto found = find(key);
  return found == items_.end() ? std::string_view() : std::string_view(found->second);
}

std::shared_ptr<const std::string> Entry::Encoding(EncodingId id, bool keep,
                                                   const std::function<std::string()>& make) const {
  const auto find = [this, id] {
    return std::find_if(encoded_.begin(), encoded_.end(), [id](const Encoded& e) { return e.id == id; });
  };
  std::lock_guard lock(mutex_);
  if (const auto found = find(); found != encoded_.end()) {
    if (std::shared_ptr<const std::string> shared = found->shared.lock()) {
      if (keep) found->kept = shared;
      return shared;
    }
  }
  auto made = std::make_shared<const std::string>(make());
  auto place = find();  // `make` may have added others
  if (place == encoded_.end()) {
    encoded_.reserve(encoded_.size() + 1);
    place = encoded_.insert(encoded_.end(), Encoded{id, nullptr, {}});
  }
  place->shared = made;
  if (keep) place->kept = made;
  return made;
}

bool Entry::MatchesFields(const fields::Selector& selector) const {
  return selector.Matches([this](const std::string& field) -> std::string_view {
    if (field == "metadata.name") return name;
    if (field == "metadata.namespace") return namespace_;
    return fields.Get(field);
  });
}

bool Filter::Matches(const Entry& entry) const {
  return label.Matches(entry.labels) && entry.MatchesFields(field);
}

}  // namespace knarr::cacher
