// FakeRuntime's ImageService.
#include <algorithm>

#include "pkg/cri/fake/fake_state.h"

namespace knarr::cri {
namespace {

// What a test did not say about its image.
v1::Image Complete(const std::string& reference, v1::Image image) {
  const std::string digest = "sha256:" + HexId(std::hash<std::string>()(reference));
  const size_t at = reference.find('@');
  const size_t colon = reference.rfind(':');
  const std::string repository = reference.substr(0, at != std::string::npos ? at : colon);
  if (image.id().empty()) image.set_id("sha256:" + HexId(std::hash<std::string>()(reference + "/config")));
  if (image.repo_tags().empty() && at == std::string::npos) image.add_repo_tags(reference);
  if (image.repo_digests().empty())
    image.add_repo_digests(at != std::string::npos ? reference : repository + "@" + digest);
  if (image.size() == 0) image.set_size(1 << 20);
  return image;
}

// By reference, by digest or by ID, as containerd resolves what it is asked for.
template <typename Map>
auto FindImage(Map& images, const std::string& wanted) {
  auto found = images.find(NormalizeImageReference(wanted));
  if (found != images.end()) return found;
  return std::find_if(images.begin(), images.end(), [&](const auto& entry) {
    const v1::Image& image = entry.second;
    const auto& digests = image.repo_digests();
    return image.id() == wanted || image.id() == "sha256:" + wanted ||
           std::find(digests.begin(), digests.end(), wanted) != digests.end();
  });
}

}  // namespace

std::string NormalizeImageReference(std::string_view reference) {
  std::string out(reference);
  const size_t slash = out.find('/');
  const std::string first = out.substr(0, slash == std::string::npos ? 0 : slash);
  const bool has_host = first == "localhost" || first.find_first_of(".:") != std::string::npos;
  if (!has_host) out = (slash == std::string::npos ? "docker.io/library/" : "docker.io/") + out;
  const bool has_version = out.find('@') != std::string::npos || out.find(':', out.rfind('/')) != std::string::npos;
  return has_version ? out : out + ":latest";
}

void FakeRuntime::AddImage(const std::string& reference, v1::Image image) {
  const FakeLock lock(*state_);
  const std::string name = NormalizeImageReference(reference);
  state_->images[name] = Complete(name, std::move(image));
}

void FakeRuntime::AddRemoteImage(const std::string& reference, v1::Image image) {
  const FakeLock lock(*state_);
  const std::string name = NormalizeImageReference(reference);
  state_->remote_images[name] = Complete(name, std::move(image));
}

void FakeRuntime::SetPullError(const std::string& reference, Status error) {
  const FakeLock lock(*state_);
  state_->pull_errors[NormalizeImageReference(reference)] = std::move(error);
}

std::vector<FakeRuntime::Pull> FakeRuntime::Pulls() const {
  const FakeLock lock(*state_);
  return state_->pulls;
}

Result<std::vector<v1::Image>> FakeRuntime::ListImages(const Context& context, const v1::ImageFilter& filter) {
  KNARR_TRY(Enter(context, {.rpc = "ListImages", .id = filter.image().image()}));
  const FakeLock lock(*state_);
  std::map<std::string, v1::Image> by_id;  // references of one image are one entry
  for (const auto& [name, image] : state_->images) {
    auto [entry, fresh] = by_id.try_emplace(image.id(), image);
    if (!fresh) {
      for (const auto& tag : image.repo_tags()) entry->second.add_repo_tags(tag);
      for (const auto& digest : image.repo_digests()) entry->second.add_repo_digests(digest);
    }
  }
  std::vector<v1::Image> out;
  const auto only = FindImage(state_->images, filter.image().image());
  for (auto& [id, image] : by_id) {
    if (!filter.image().image().empty() && (only == state_->images.end() || only->second.id() != id)) continue;
    out.push_back(std::move(image));
  }
  return out;
}

Result<v1::ImageStatusResponse> FakeRuntime::ImageStatus(const Context& context, const v1::ImageSpec& image,
                                                         bool verbose) {
  KNARR_TRY(Enter(context, {.rpc = "ImageStatus", .id = image.image()}));
  const FakeLock lock(*state_);
  v1::ImageStatusResponse response;
  const auto found = FindImage(state_->images, image.image());
  if (found == state_->images.end()) return response;
  *response.mutable_image() = found->second;
  if (verbose) (*response.mutable_info())["info"] = "{}";
  return response;
}

Result<std::string> FakeRuntime::PullImage(const Context& context, const v1::ImageSpec& image,
                                           const v1::AuthConfig* auth, const v1::PodSandboxConfig*) {
  KNARR_TRY(Enter(context, {.rpc = "PullImage", .id = image.image()}));
  const FakeLock lock(*state_);
  const std::string name = NormalizeImageReference(image.image());
  if (const auto error = state_->pull_errors.find(name); error != state_->pull_errors.end() && !error->second.ok())
    return error->second;
  const auto remote = FindImage(state_->remote_images, name);
  if (remote == state_->remote_images.end()) {
    return Error(Code::kNotFound,
                 "failed to pull and unpack image \"{0}\": failed to resolve reference \"{0}\": {0}: not found", name);
  }
  state_->images[name] = remote->second;
  state_->pulls.push_back({name, auth != nullptr ? std::optional(*auth) : std::nullopt});
  return remote->second.id();
}

knarr::Status FakeRuntime::RemoveImage(const Context& context, const v1::ImageSpec& image) {
  KNARR_TRY(Enter(context, {.rpc = "RemoveImage", .id = image.image()}));
  const FakeLock lock(*state_);
  const auto found = FindImage(state_->images, image.image());
  if (found == state_->images.end()) return OkStatus();
  const std::string id = found->second.id();
  std::erase_if(state_->images, [&](const auto& entry) { return entry.second.id() == id; });
  return OkStatus();
}

Result<v1::ImageFsInfoResponse> FakeRuntime::ImageFsInfo(const Context& context) {
  KNARR_TRY(Enter(context, {.rpc = "ImageFsInfo"}));
  const FakeLock lock(*state_);
  v1::ImageFsInfoResponse response;
  auto* usage = response.add_image_filesystems();
  usage->set_timestamp(state_->NowNanos());
  usage->mutable_fs_id()->set_mountpoint("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs");
  uint64_t bytes = 0;
  for (const auto& [name, image] : state_->images) bytes += image.size();
  usage->mutable_used_bytes()->set_value(bytes);
  usage->mutable_inodes_used()->set_value(100 * state_->images.size());
  return response;
}

}  // namespace knarr::cri
