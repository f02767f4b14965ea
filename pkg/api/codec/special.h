// The types whose JSON is not that of their fields, in one place: Quantity, IntOrString, Time, MicroTime, Duration, raw
// JSON and wrapped slices. Reached through reflection, so that this needs no generated header.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "pkg/api/codec/json_reader.h"
#include "pkg/api/codec/plan.h"
#include "pkg/base/status.h"

namespace knarr::codec {

// What a JSON value that a special type does not take is called, and the Go type it was meant for.
struct SpecialMismatch {
  std::string value;         // "number", "array", "number 1.5"
  std::string_view go_type;  // "string", "int32", "v1.Verbs"
};

// Reads one value (null included) into `out`. A value of the wrong kind is skipped and reported as a mismatch; other
// errors are in upstream's words. Syntax errors stay in the reader.
Status DecodeSpecial(const Plan& plan, JsonReader* reader, google::protobuf::Message* out, SpecialMismatch* mismatch);
void EncodeSpecial(const Plan& plan, const google::protobuf::Message& message, std::string* out);

// Go's zero value prints as null: a Time that is not set.
bool IsZeroTime(const google::protobuf::Message& message);
// The text of a Quantity; "0" where it is not set.
std::string QuantityText(const google::protobuf::Message& message);
// Checks the text of a decoded Quantity and makes it canonical.
Status NormalizeQuantity(google::protobuf::Message* message);

// "string", "number", "bool", "array", "object", "null": Go's name of what a value is.
std::string_view KindName(JsonReader::Kind kind);

}  // namespace knarr::codec
