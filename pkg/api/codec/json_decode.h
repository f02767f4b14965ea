// JSON -> message, with everything a caller may want to report. Internal to the codec; DecodeJson is the public face.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/codec/codec.h"

namespace knarr::codec {

// An unknown or duplicate field.
struct StrictError {
  std::string text;  // unknown field "spec.foo"
  std::string path;  // spec.foo
};

struct DecodeOutcome {
  Status status;                           // syntax and type errors; strict errors are not in it
  std::string error_path;                  // where the error is, as in StrictError; empty where unknown
  std::vector<StrictError> strict_errors;  // at most 100, each once; empty when they are ignored
};

DecodeOutcome DecodeJsonText(std::string_view text, google::protobuf::Message* out, const DecodeOptions& options);

// runtime.NewStrictDecodingError: strict decoding error: a, b
Status StrictDecodingError(const std::vector<std::string>& texts);

}  // namespace knarr::codec
