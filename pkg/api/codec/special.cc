#include "pkg/api/codec/special.h"

#include <charconv>
#include <limits>

#include "pkg/api/codec/go_time.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/base/duration.h"

namespace knarr::codec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using schema::Special;
using Kind = JsonReader::Kind;

// Field numbers of the messages' .proto files.
constexpr int kQuantityString = 1;
constexpr int kIntOrStringType = 1, kIntOrStringInt = 2, kIntOrStringString = 3;
constexpr int kTimeSeconds = 1, kTimeNanos = 2;
constexpr int kDurationNanos = 1;
constexpr int kRaw = 1;
constexpr int kItems = 1;
constexpr int64_t kIntOrStringIsString = 1;

const FieldDescriptor* FieldOf(const Message& message, int number) {
  return message.GetDescriptor()->FindFieldByNumber(number);
}

void SetTime(GoTime time, Message* out) {
  out->Clear();
  // Go's zero time is "not set"; an empty message says so.
  if (time.seconds == kGoZeroSeconds && time.nanos == 0) return;
  out->GetReflection()->SetInt64(out, FieldOf(*out, kTimeSeconds), time.seconds);
  out->GetReflection()->SetInt32(out, FieldOf(*out, kTimeNanos), time.nanos);
}

Status DecodeTime(bool micro, JsonReader* reader, Message* out) {
  GoTime time = KNARR_TRY(ParseGoTime(reader->ReadString(), micro));
  // Seconds only in Time, microseconds in MicroTime: what JSON and protobuf have in common.
  time.nanos = micro ? time.nanos / 1000 * 1000 : 0;
  SetTime(time, out);
  return OkStatus();
}

Status DecodeQuantity(std::string_view text, Message* out) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  const Quantity quantity = KNARR_TRY(Quantity::Parse(text));
  out->GetReflection()->SetString(out, FieldOf(*out, kQuantityString), quantity.ToString());
  return OkStatus();
}

Status DecodeIntOrString(Kind kind, JsonReader* reader, Message* out, SpecialMismatch* mismatch) {
  const auto* reflection = out->GetReflection();
  if (kind == Kind::kString) {
    reflection->SetInt64(out, FieldOf(*out, kIntOrStringType), kIntOrStringIsString);
    reflection->SetString(out, FieldOf(*out, kIntOrStringString), std::string(reader->ReadString()));
    return OkStatus();
  }
  reflection->SetInt64(out, FieldOf(*out, kIntOrStringType), 0);
  if (kind == Kind::kNull) {
    reader->ReadNull();
    return OkStatus();
  }
  if (kind != Kind::kNumber) {
    *mismatch = {std::string(KindName(kind)), "int32"};
    reader->SkipValue();
    return OkStatus();
  }
  const std::string_view text = reader->ReadNumber();
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    *mismatch = {fmt::format("number {}", text), "int32"};
    return OkStatus();
  }
  reflection->SetInt32(out, FieldOf(*out, kIntOrStringInt), value);
  return OkStatus();
}

Status DecodeWrappedSlice(const Plan& plan, Kind kind, JsonReader* reader, Message* out, SpecialMismatch* mismatch) {
  out->Clear();
  if (kind == Kind::kNull) {
    reader->ReadNull();
    return OkStatus();
  }
  if (kind != Kind::kArray) {
    *mismatch = {std::string(KindName(kind)), plan.row->go_type()};
    reader->SkipValue();
    return OkStatus();
  }
  const FieldDescriptor* items = FieldOf(*out, kItems);
  for (reader->EnterArray(); reader->NextElement();) {
    const Kind element = reader->Peek();
    if (element == Kind::kString) {
      out->GetReflection()->AddString(out, items, std::string(reader->ReadString()));
      continue;
    }
    if (element == Kind::kNull) {
      out->GetReflection()->AddString(out, items, "");
    } else if (mismatch->value.empty()) {
      *mismatch = {std::string(KindName(element)), "string"};
    }
    reader->SkipValue();
  }
  return OkStatus();
}

GoTime TimeOf(const Message& message) {
  const auto* reflection = message.GetReflection();
  return {reflection->GetInt64(message, FieldOf(message, kTimeSeconds)),
          reflection->GetInt32(message, FieldOf(message, kTimeNanos))};
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "bool";
    case Kind::kNumber: return "number";
    case Kind::kString: return "string";
    case Kind::kObject: return "object";
    case Kind::kArray: return "array";
    case Kind::kError: break;
  }
  return "value";
}

Status DecodeSpecial(const Plan& plan, JsonReader* reader, Message* out, SpecialMismatch* mismatch) {
  const Kind kind = reader->Peek();
  if (kind == Kind::kError) return OkStatus();
  switch (plan.special()) {
    case Special::kIntOrString: return DecodeIntOrString(kind, reader, out, mismatch);
    case Special::kSliceWrapper: return DecodeWrappedSlice(plan, kind, reader, out, mismatch);
    case Special::kRawJson: {
      const std::string_view raw = reader->SkipValue();
      if (kind != Kind::kNull && reader->ok()) {
        out->GetReflection()->SetString(out, FieldOf(*out, kRaw), std::string(raw));
      }
      return OkStatus();
    }
    case Special::kQuantity:
      if (kind == Kind::kNull) {
        out->Clear();
        reader->ReadNull();
        return OkStatus();
      }
      if (kind == Kind::kString) return DecodeQuantity(reader->ReadString(), out);
      // Numbers are taken as they are written; anything else fails as the text it is.
      return DecodeQuantity(reader->SkipValue(), out);
    case Special::kTime:
    case Special::kMicroTime:
      if (kind == Kind::kNull) {
        out->Clear();
        reader->ReadNull();
        return OkStatus();
      }
      if (kind == Kind::kString) return DecodeTime(plan.special() == Special::kMicroTime, reader, out);
      break;
    case Special::kDuration:
      if (kind == Kind::kString || kind == Kind::kNull) {
        const std::string_view text = kind == Kind::kNull ? std::string_view() : reader->ReadString();
        if (!reader->ok()) return OkStatus();
        const auto duration = KNARR_TRY(ParseDuration(text));
        out->GetReflection()->SetInt64(out, FieldOf(*out, kDurationNanos), duration.count());
        return OkStatus();
      }
      break;
    case Special::kNone: KNARR_CHECK(false);
  }
  *mismatch = {std::string(KindName(kind)), "string"};
  reader->SkipValue();
  return OkStatus();
}

bool IsZeroTime(const Message& message) {
  const auto* reflection = message.GetReflection();
  const GoTime time = TimeOf(message);
  return (time.seconds == kGoZeroSeconds && time.nanos == 0) ||
         (!reflection->HasField(message, FieldOf(message, kTimeSeconds)) &&
          !reflection->HasField(message, FieldOf(message, kTimeNanos)));
}

std::string QuantityText(const Message& message) {
  std::string text = message.GetReflection()->GetString(message, FieldOf(message, kQuantityString));
  return text.empty() ? "0" : text;
}

Status NormalizeQuantity(Message* message) {
  const auto* field = FieldOf(*message, kQuantityString);
  const auto* reflection = message->GetReflection();
  if (!reflection->HasField(*message, field)) return OkStatus();
  std::string scratch;
  const std::string& text = reflection->GetStringReference(*message, field, &scratch);
  std::string canonical = KNARR_TRY(Quantity::Parse(text)).ToString();
  if (canonical != text) reflection->SetString(message, field, std::move(canonical));
  return OkStatus();
}

void EncodeSpecial(const Plan& plan, const Message& message, std::string* out) {
  const auto* reflection = message.GetReflection();
  std::string scratch;
  switch (plan.special()) {
    case Special::kQuantity:
      // Canonical text needs no escapes; AppendJsonString keeps the output valid whatever a program put there.
      return AppendJsonString(QuantityText(message), out);
    case Special::kIntOrString:
      if (reflection->GetInt64(message, FieldOf(message, kIntOrStringType)) == kIntOrStringIsString) {
        return AppendJsonString(reflection->GetStringReference(message, FieldOf(message, kIntOrStringString), &scratch),
                                out);
      }
      out->append(fmt::format("{}", reflection->GetInt32(message, FieldOf(message, kIntOrStringInt))));
      return;
    case Special::kTime:
    case Special::kMicroTime:
      if (IsZeroTime(message)) {
        out->append("null");
        return;
      }
      out->push_back('"');
      AppendGoTime(TimeOf(message), plan.special() == Special::kMicroTime, out);
      out->push_back('"');
      return;
    case Special::kDuration:
      return AppendJsonString(
          FormatDuration(std::chrono::nanoseconds(reflection->GetInt64(message, FieldOf(message, kDurationNanos)))),
          out);
    case Special::kRawJson: {
      const FieldDescriptor* raw = FieldOf(message, kRaw);
      const size_t before = out->size();
      // Bytes that are no JSON (they can only come from protobuf) print as null.
      if (!reflection->HasField(message, raw) ||
          !AppendCompactJson(reflection->GetStringReference(message, raw, &scratch), out)) {
        out->resize(before);
        out->append("null");
      }
      return;
    }
    case Special::kSliceWrapper: {
      const FieldDescriptor* items = FieldOf(message, kItems);
      out->push_back('[');
      const int size = reflection->FieldSize(message, items);
      for (int i = 0; i < size; ++i) {
        if (i > 0) out->push_back(',');
        AppendJsonString(reflection->GetRepeatedStringReference(message, items, i, &scratch), out);
      }
      out->push_back(']');
      return;
    }
    case Special::kNone: KNARR_CHECK(false);
  }
}

}  // namespace knarr::codec
