#include "pkg/platform/mountinfo.h"

#include <algorithm>
#include <charconv>

#include "pkg/base/file.h"

namespace knarr::platform {

namespace {

constexpr size_t kMountInfoLimit = 16 << 20;

// The kernel writes space, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) && octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::vector<std::string> SplitCopy(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (const std::string_view part : Split(text, separator)) parts.emplace_back(part);
  return parts;
}

template <typename T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
bool ParseLine(std::string_view line, MountEntry& entry) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  const auto before = dash - fields.begin();
  const auto after = fields.end() - dash;
  // An empty source would leave two fields after the dash, and an empty super option none.
  if (before < 6 || after < 3) return false;
  const std::vector<std::string_view> device = Split(fields[2], ':');
  if (device.size() != 2 || !ParseNumber(fields[0], entry.id) || !ParseNumber(fields[1], entry.parent_id) ||
      !ParseNumber(device[0], entry.major) || !ParseNumber(device[1], entry.minor)) {
    return false;
  }
  entry.root = Unescape(fields[3]);
  entry.mount_point = Unescape(fields[4]);
  entry.options = SplitCopy(fields[5], ',');
  for (auto field = fields.begin() + 6; field != dash; ++field) entry.optional_fields.emplace_back(*field);
  entry.fs_type = Unescape(dash[1]);
  entry.source = Unescape(dash[2]);
  if (after > 3) entry.super_options = SplitCopy(dash[3], ',');
  return true;
}

}  // namespace

bool MountEntry::Shared() const {
  return std::any_of(optional_fields.begin(), optional_fields.end(),
                     [](const std::string& f) { return f.starts_with("shared:"); });
}

Result<std::vector<MountEntry>> ParseMountInfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  size_t number = 0;
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    MountEntry& entry = mounts.emplace_back();
    if (!ParseLine(line, entry))
      return Error(Code::kInvalid, "mountinfo line {}: wrong number or form of fields: \"{}\"", number, line);
  }
  return mounts;
}

Result<std::vector<MountEntry>> ReadMountInfo(const std::string& path) {
  const std::string text = KNARR_TRY(ReadFile(path, kMountInfoLimit));
  return ParseMountInfo(text);
}

bool PathWithin(std::string_view path, std::string_view base) {
  if (base == "/") return path.starts_with('/');
  return path.starts_with(base) && (path.size() == base.size() || path[base.size()] == '/');
}

const MountEntry* MountOf(const std::vector<MountEntry>& mounts, std::string_view path) {
  const MountEntry* best = nullptr;
  for (const MountEntry& mount : mounts) {
    if (!PathWithin(path, mount.mount_point)) continue;
    if (best == nullptr || mount.mount_point.size() >= best->mount_point.size()) best = &mount;
  }
  return best;
}

std::vector<std::string> MountPointsWithin(const std::vector<MountEntry>& mounts, std::string_view base) {
  std::vector<std::string> points;
  // Newest first, then stable by depth: of a stack the top one comes first.
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    if (PathWithin(mount->mount_point, base)) points.push_back(mount->mount_point);
  }
  const auto depth = [](const std::string& path) { return std::count(path.begin(), path.end(), '/'); };
  std::stable_sort(points.begin(), points.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) > depth(b); });
  return points;
}

}  // namespace knarr::platform
