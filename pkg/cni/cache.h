// What is remembered of an attachment between ADD and DEL, one file each, written before the first plugin runs:
//   <directory>/results/<network>-<container id>-<ifname>
// The format is libcni's cache (kind cniCacheV1) with Knarr's own members beside it, so upstream's tools can read it.
// Files are replaced atomically but not fsynced: a power cut means another boot id, and everything recorded before is
// void then; what the disk lost of it is found by looking at the leases themselves.
// Mirrors: github.com/containernetworking/cni/libcni/api.go (cachedInfo)
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/cni/cni.h"

namespace knarr::cni {

struct Record {
  RuntimeConf rt;
  std::string network_name;
  std::string config;       // NetworkConfig::json of the network it was attached with
  std::string result;       // JSON; empty until ADD succeeded
  std::string boot_id;
  int failures = 0;         // DELs that failed
  int64_t first_failure = 0;  // unix seconds of the first of them
  std::string last_error;

  // From CNI_ARGS; "" where absent.
  std::string_view Arg(std::string_view key) const;
};

// Not thread-safe for one key; calls for different keys may run in parallel.
class RecordStore {
 public:
  explicit RecordStore(std::string directory) : directory_(std::move(directory)) {}
  Status Put(const Record& record) const;
  // kNotFound without one; kDataLoss when the file cannot be read as a record.
  Result<Record> Get(std::string_view network, std::string_view container_id, std::string_view ifname) const;
  Status Remove(std::string_view network, std::string_view container_id, std::string_view ifname) const;

  struct Listing {
    std::vector<Record> records;
    std::vector<std::string> broken;  // paths of files that are no records
  };
  Result<Listing> List() const;
  const std::string& directory() const { return directory_; }

 private:
  std::string PathOf(std::string_view network, std::string_view container_id, std::string_view ifname) const;
  const std::string directory_;
};

// Exposed for the fuzzer.
Result<Record> ParseRecord(std::string_view json);
std::string FormatRecord(const Record& record);

}  // namespace knarr::cni
