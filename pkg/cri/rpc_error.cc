#include <array>

#include "pkg/cri/runtime.h"

namespace knarr::cri {
namespace {

// google.golang.org/grpc/codes: Code.String().
constexpr std::array<std::string_view, 17> kGoCodeNames = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

}  // namespace

std::string RpcErrorText(const knarr::Status& status) {
  const int code = InfoOf(status.code()).grpc;
  const bool known = code >= 0 && static_cast<size_t>(code) < kGoCodeNames.size();
  return fmt::format("rpc error: code = {} desc = {}", known ? kGoCodeNames[static_cast<size_t>(code)] : "Unknown",
                     status.message());
}

}  // namespace knarr::cri
