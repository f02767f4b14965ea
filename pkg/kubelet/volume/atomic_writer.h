// Publishes a set of files in a directory at once: readers see the old set or the new one, never a mixture.
// Mirrors: pkg/volume/util/atomic_writer.go; the same layout on disk:
//   <dir>/..2006_01_02_15_04_05.123456789/key   the files
//   <dir>/..data -> ..2006_01_02_15_04_05.123456789   swapped by rename(2)
//   <dir>/key -> ..data/key                     what users see
// A crash at any moment leaves the old or the new set visible; the next Write clears what it left behind.
// One writer at a time for a directory; blocking.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::kubelet {

struct FileProjection {
  std::string data;
  mode_t mode = 0644;
};
using Payload = std::map<std::string, FileProjection>;  // by path relative to the volume

class AtomicWriter {
 public:
  // Runs when all files are written and before they become visible: sets owner and modes below the directory.
  using SetPermissions = std::function<Status(const std::string& directory)>;
  // Called before each step; an error stops right there, as a crash would. For tests.
  using BeforeStep = std::function<Status(std::string_view step)>;

  // The directory must exist.
  explicit AtomicWriter(std::string directory, BeforeStep before_step = nullptr)
      : directory_(std::move(directory)), before_step_(std::move(before_step)) {}

  // True if the visible content changed. Paths are relative, without ".." and within the limits of the file system;
  // errors in upstream's words.
  Result<bool> Write(const Payload& payload, const SetPermissions& set_permissions = nullptr);

 private:
  Status Step(std::string_view step) const { return before_step_ ? before_step_(step) : Status(); }
  Status Publish(int dir, const Payload& payload, const SetPermissions& set_permissions);
  Status Tidy(int dir, const Payload& payload) const;

  const std::string directory_;
  const BeforeStep before_step_;
};

}  // namespace knarr::kubelet
