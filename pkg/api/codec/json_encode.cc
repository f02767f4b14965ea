// Mirrors: encoding/json's Marshal of the Go type of the same name
#include <algorithm>

#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/codec/plan.h"
#include "pkg/api/codec/special.h"

namespace knarr::codec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using schema::Shape;
using schema::Special;
using schema::Type;

class Encoder {
 public:
  explicit Encoder(std::string* out, bool empty_items) : out_(out), empty_items_(empty_items) {}

  void Top(const Message& message, const EncodeOptions& options) {
    const Plan& plan = PlanOf(message.GetDescriptor());
    if (plan.special() != Special::kNone) return EncodeSpecial(plan, message, out_);
    bool first = true;
    out_->push_back('{');
    const bool type_meta = plan.row->has_type_meta();  // a WatchEvent has none
    if (type_meta && !options.kind.empty()) TypeMeta("kind", options.kind, &first);
    if (type_meta && !options.api_version.empty()) TypeMeta("apiVersion", options.api_version, &first);
    Fields(plan, message, &first, /*top=*/true);
    out_->push_back('}');
  }

 private:
  void TypeMeta(std::string_view name, std::string_view value, bool* first) {
    Name(name, first);
    AppendJsonString(value, out_);
  }

  // JSON names of API fields need no escapes.
  void Name(std::string_view name, bool* first) {
    if (!std::exchange(*first, false)) out_->push_back(',');
    out_->push_back('"');
    out_->append(name);
    out_->append("\":");
  }

  void Value(const Plan& plan, const Message& message) {
    if (plan.special() != Special::kNone) return EncodeSpecial(plan, message, out_);
    bool first = true;
    out_->push_back('{');
    Fields(plan, message, &first, /*top=*/false);
    out_->push_back('}');
  }

  void Fields(const Plan& plan, const Message& message, bool* first, bool top) {
    for (const PlanField& field : plan.fields) {
      switch (field.row->shape) {
        case Shape::kInline:
          Fields(field.message(), message.GetReflection()->GetMessage(message, field.descriptor), first, false);
          break;
        case Shape::kValue: ValueField(field, message, first); break;
        case Shape::kPointer: PointerField(field, message, first); break;
        case Shape::kSlice: ListField(field, message, first, top); break;
        case Shape::kMap: MapField(field, message, first); break;
      }
    }
  }

  void Null(const PlanField& field, bool* first) {
    if (field.row->omit_empty()) return;
    Name(field.row->json_name(), first);
    out_->append("null");
  }

  // Structs are never empty in Go's eyes: they print even with omitempty.
  void ValueField(const PlanField& field, const Message& message, bool* first) {
    const auto* reflection = message.GetReflection();
    if (field.row->type == Type::kMessage) {
      const Plan& plan = field.message();
      const Message& value = reflection->GetMessage(message, field.descriptor);
      if (plan.special() == Special::kSliceWrapper) {
        if (!reflection->HasField(message, field.descriptor)) return Null(field, first);
        if (field.row->omit_empty() && reflection->GetMessage(message, field.descriptor).ByteSizeLong() == 0) return;
      }
      Name(field.row->json_name(), first);
      return Value(plan, value);
    }
    if (field.row->type == Type::kBytes && !reflection->HasField(message, field.descriptor)) return Null(field, first);
    if (field.row->omit_empty() && IsZero(field, message)) return;
    Name(field.row->json_name(), first);
    Scalar(field.row->type, message, field.descriptor, -1);
  }

  static bool IsZero(const PlanField& field, const Message& message) {
    const auto* reflection = message.GetReflection();
    const FieldDescriptor* descriptor = field.descriptor;
    std::string scratch;
    switch (field.row->type) {
      case Type::kString:
      case Type::kBytes: return reflection->GetStringReference(message, descriptor, &scratch).empty();
      case Type::kBool: return !reflection->GetBool(message, descriptor);
      case Type::kInt32: return reflection->GetInt32(message, descriptor) == 0;
      case Type::kInt64: return reflection->GetInt64(message, descriptor) == 0;
      case Type::kUint32: return reflection->GetUInt32(message, descriptor) == 0;
      case Type::kUint64: return reflection->GetUInt64(message, descriptor) == 0;
      case Type::kDouble: return reflection->GetDouble(message, descriptor) == 0;
      case Type::kFloat: return reflection->GetFloat(message, descriptor) == 0;
      case Type::kMessage: break;
    }
    return false;
  }

  void PointerField(const PlanField& field, const Message& message, bool* first) {
    const auto* reflection = message.GetReflection();
    if (!reflection->HasField(message, field.descriptor)) return Null(field, first);
    Name(field.row->json_name(), first);
    if (field.row->type == Type::kMessage)
      return Value(field.message(), reflection->GetMessage(message, field.descriptor));
    Scalar(field.row->type, message, field.descriptor, -1);
  }

  void ListField(const PlanField& field, const Message& message, bool* first, bool top) {
    const auto* reflection = message.GetReflection();
    const int size = reflection->FieldSize(message, field.descriptor);
    if (size == 0 && !(top && empty_items_ && field.row->json_name() == "items")) return Null(field, first);
    Name(field.row->json_name(), first);
    out_->push_back('[');
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_->push_back(',');
      if (field.row->type == Type::kMessage) {
        Value(field.message(), reflection->GetRepeatedMessage(message, field.descriptor, i));
      } else {
        Scalar(field.row->type, message, field.descriptor, i);
      }
    }
    out_->push_back(']');
  }

  void MapField(const PlanField& field, const Message& message, bool* first) {
    const auto* reflection = message.GetReflection();
    const int size = reflection->FieldSize(message, field.descriptor);
    if (size == 0) return Null(field, first);
    Name(field.row->json_name(), first);
    out_->push_back('{');
    bool first_entry = true;
    for (const auto& [key, entry] : SortedEntries(field, message)) {
      if (!std::exchange(first_entry, false)) out_->push_back(',');
      AppendJsonString(key, out_);
      out_->push_back(':');
      if (field.row->type == Type::kMessage) {
        Value(field.message(), entry->GetReflection()->GetMessage(*entry, field.value));
      } else {
        Scalar(field.row->type, *entry, field.value, -1);
      }
    }
    out_->push_back('}');
  }

  // `index` of a repeated field, -1 of any other.
  void Scalar(Type type, const Message& message, const FieldDescriptor* field, int index) {
    const auto* reflection = message.GetReflection();
    const auto number = [&](auto value) { fmt::format_to(std::back_inserter(*out_), "{}", value); };
    const bool repeated = index >= 0;
    std::string scratch;
    switch (type) {
      case Type::kString:
        return AppendJsonString(repeated ? reflection->GetRepeatedStringReference(message, field, index, &scratch)
                                         : reflection->GetStringReference(message, field, &scratch),
                                out_);
      case Type::kBytes:
        out_->push_back('"');
        AppendBase64(repeated ? reflection->GetRepeatedStringReference(message, field, index, &scratch)
                              : reflection->GetStringReference(message, field, &scratch),
                     out_);
        out_->push_back('"');
        return;
      case Type::kBool:
        out_->append(
            (repeated ? reflection->GetRepeatedBool(message, field, index) : reflection->GetBool(message, field))
                ? "true"
                : "false");
        return;
      case Type::kInt32:
        return number(repeated ? reflection->GetRepeatedInt32(message, field, index)
                               : reflection->GetInt32(message, field));
      case Type::kInt64:
        return number(repeated ? reflection->GetRepeatedInt64(message, field, index)
                               : reflection->GetInt64(message, field));
      case Type::kUint32:
        return number(repeated ? reflection->GetRepeatedUInt32(message, field, index)
                               : reflection->GetUInt32(message, field));
      case Type::kUint64:
        return number(repeated ? reflection->GetRepeatedUInt64(message, field, index)
                               : reflection->GetUInt64(message, field));
      case Type::kDouble:
        return AppendJsonDouble(
            repeated ? reflection->GetRepeatedDouble(message, field, index) : reflection->GetDouble(message, field),
            false, out_);
      case Type::kFloat:
        return AppendJsonDouble(
            repeated ? reflection->GetRepeatedFloat(message, field, index) : reflection->GetFloat(message, field), true,
            out_);
      case Type::kMessage: break;
    }
  }

  std::string* out_;
  const bool empty_items_;
};

}  // namespace

std::string EncodeJson(const Message& message, const EncodeOptions& options) {
  std::string out;
  out.reserve(512);
  Encoder(&out, options.empty_items).Top(message, options);
  return out;
}

}  // namespace knarr::codec
