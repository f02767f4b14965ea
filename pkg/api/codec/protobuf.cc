// Mirrors: the generated.pb.go files (gogo-protobuf) and k8s.io/apimachinery/pkg/runtime/serializer/protobuf
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "k8s.io/apimachinery/pkg/runtime/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/plan.h"
#include "pkg/api/codec/special.h"

namespace knarr::codec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using schema::Shape;
using schema::Special;
using schema::Type;

constexpr std::string_view kMagic("k8s\0", 4);

// Writes backwards, as gogo's MarshalToSizedBuffer does: a length is known when it is written, nothing is counted
// twice.
class BackwardWriter {
 public:
  explicit BackwardWriter(size_t capacity) : buffer_(std::max<size_t>(capacity, 64), '\0'), start_(buffer_.size()) {}

  size_t size() const { return buffer_.size() - start_; }

  void Bytes(std::string_view bytes) {
    Reserve(bytes.size());
    start_ -= bytes.size();
    std::copy(bytes.begin(), bytes.end(), buffer_.begin() + static_cast<ptrdiff_t>(start_));
  }

  void Varint(uint64_t value) {
    char bytes[10];
    size_t count = 0;
    do {
      bytes[count] = static_cast<char>((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
      value >>= 7;
      ++count;
    } while (value != 0);
    Bytes({bytes, count});
  }

  template <typename T>
  void Fixed(T value) {
    char bytes[sizeof(T)];
    std::copy_n(reinterpret_cast<const char*>(&value), sizeof(T), bytes);
    Bytes({bytes, sizeof(T)});
  }

  void Tag(int number, int wire_type) { Varint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(wire_type)); }

  // The length of what was written since the writer had `before` bytes, and the tag.
  void Close(int number, size_t before) {
    Varint(size() - before);
    Tag(number, 2);
  }

  std::string Take() && {
    buffer_.erase(0, start_);
    return std::move(buffer_);
  }

 private:
  void Reserve(size_t bytes) {
    if (bytes <= start_) return;
    const size_t used = size();
    std::string larger(std::max(buffer_.size() * 2, used + bytes + 64), '\0');
    const size_t start = larger.size() - used;
    std::copy(buffer_.begin() + static_cast<ptrdiff_t>(start_), buffer_.end(),
              larger.begin() + static_cast<ptrdiff_t>(start));
    buffer_ = std::move(larger);
    start_ = start;
  }

  std::string buffer_;
  size_t start_;
};

class Encoder {
 public:
  explicit Encoder(BackwardWriter* out) : out_(out) {}

  void Content(const Plan& plan, const Message& message) {
    switch (plan.special()) {
      case Special::kQuantity: {
        const size_t before = out_->size();
        out_->Bytes(QuantityText(message));
        return out_->Close(1, before);
      }
      case Special::kTime:
      case Special::kMicroTime:
        if (!IsZeroTime(message)) Time(message, plan.special() == Special::kMicroTime);
        return;
      case Special::kIntOrString:
      case Special::kDuration: return Plain(message);
      case Special::kRawJson:
        // Bytes: absent when nil.
        return RawBytes(message);
      case Special::kSliceWrapper:
      case Special::kNone: break;
    }
    for (auto at = plan.by_number.rbegin(); at != plan.by_number.rend(); ++at) Field(plan.fields[*at], message);
  }

 private:
  // A message of scalars that are all values in Go: every field is written.
  void Plain(const Message& message) {
    const auto* descriptor = message.GetDescriptor();
    const auto* reflection = message.GetReflection();
    for (int i = descriptor->field_count() - 1; i >= 0; --i) {
      const FieldDescriptor* field = descriptor->field(i);
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_INT64:
          out_->Varint(static_cast<uint64_t>(reflection->GetInt64(message, field)));
          out_->Tag(field->number(), 0);
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          out_->Varint(static_cast<uint64_t>(static_cast<int64_t>(reflection->GetInt32(message, field))));
          out_->Tag(field->number(), 0);
          break;
        case FieldDescriptor::CPPTYPE_STRING: String(field->number(), reflection->GetString(message, field)); break;
        default: KNARR_CHECK(false);
      }
    }
  }

  // Whole seconds, or microseconds: what JSON can say, too.
  void Time(const Message& message, bool micro) {
    const auto* descriptor = message.GetDescriptor();
    const auto* reflection = message.GetReflection();
    const int32_t nanos = micro ? reflection->GetInt32(message, descriptor->FindFieldByNumber(2)) / 1000 * 1000 : 0;
    out_->Varint(static_cast<uint64_t>(int64_t{nanos}));
    out_->Tag(2, 0);
    out_->Varint(static_cast<uint64_t>(reflection->GetInt64(message, descriptor->FindFieldByNumber(1))));
    out_->Tag(1, 0);
  }

  void RawBytes(const Message& message) {
    const FieldDescriptor* raw = message.GetDescriptor()->FindFieldByNumber(1);
    if (!message.GetReflection()->HasField(message, raw)) return;
    std::string scratch;
    String(1, message.GetReflection()->GetStringReference(message, raw, &scratch));
  }

  void String(int number, std::string_view text) {
    const size_t before = out_->size();
    out_->Bytes(text);
    out_->Close(number, before);
  }

  void Submessage(const Plan& plan, int number, const Message& message) {
    const size_t before = out_->size();
    Content(plan, message);
    out_->Close(number, before);
  }

  void Field(const PlanField& field, const Message& message) {
    const auto* reflection = message.GetReflection();
    const int number = field.row->number;
    switch (field.row->shape) {
      case Shape::kMap: return Map(field, message);
      case Shape::kSlice:
        for (int i = reflection->FieldSize(message, field.descriptor) - 1; i >= 0; --i) {
          if (field.row->type == Type::kMessage) {
            Submessage(field.message(), number, reflection->GetRepeatedMessage(message, field.descriptor, i));
          } else {
            Scalar(field.row->type, number, message, field.descriptor, i);
          }
        }
        return;
      case Shape::kPointer:
        if (!reflection->HasField(message, field.descriptor)) return;
        break;
      case Shape::kValue:
      case Shape::kInline:
        // A nil slice is absent; every other value is written, set or not.
        if (IsNilSlice(field) && !reflection->HasField(message, field.descriptor)) return;
        break;
    }
    if (field.row->type == Type::kMessage) {
      Submessage(field.message(), number, reflection->GetMessage(message, field.descriptor));
    } else {
      Scalar(field.row->type, number, message, field.descriptor, -1);
    }
  }

  static bool IsNilSlice(const PlanField& field) {
    return field.row->type == Type::kBytes ||
           (field.row->type == Type::kMessage && field.message().special() == Special::kSliceWrapper);
  }

  void Map(const PlanField& field, const Message& message) {
    const auto entries = SortedEntries(field, message);
    for (auto at = entries.rbegin(); at != entries.rend(); ++at) {
      const size_t before = out_->size();
      if (field.row->type == Type::kMessage) {
        Submessage(field.message(), 2, at->second->GetReflection()->GetMessage(*at->second, field.value));
      } else {
        Scalar(field.row->type, 2, *at->second, field.value, -1);
      }
      String(1, at->first);
      out_->Close(field.row->number, before);
    }
  }

  // `index` of a repeated field, -1 of any other.
  void Scalar(Type type, int number, const Message& message, const FieldDescriptor* field, int index) {
    const auto* reflection = message.GetReflection();
    const bool repeated = index >= 0;
    std::string scratch;
    const auto varint = [&](uint64_t value) {
      out_->Varint(value);
      out_->Tag(number, 0);
    };
    switch (type) {
      case Type::kString:
      case Type::kBytes:
        return String(number, repeated ? reflection->GetRepeatedStringReference(message, field, index, &scratch)
                                       : reflection->GetStringReference(message, field, &scratch));
      case Type::kBool:
        return varint(repeated ? reflection->GetRepeatedBool(message, field, index)
                               : reflection->GetBool(message, field));
      case Type::kInt32: {
        const int64_t value =
            repeated ? reflection->GetRepeatedInt32(message, field, index) : reflection->GetInt32(message, field);
        return varint(static_cast<uint64_t>(value));
      }
      case Type::kInt64:
        return varint(static_cast<uint64_t>(repeated ? reflection->GetRepeatedInt64(message, field, index)
                                                     : reflection->GetInt64(message, field)));
      case Type::kUint32:
        return varint(repeated ? reflection->GetRepeatedUInt32(message, field, index)
                               : reflection->GetUInt32(message, field));
      case Type::kUint64:
        return varint(repeated ? reflection->GetRepeatedUInt64(message, field, index)
                               : reflection->GetUInt64(message, field));
      case Type::kDouble:
        out_->Fixed(repeated ? reflection->GetRepeatedDouble(message, field, index)
                             : reflection->GetDouble(message, field));
        return out_->Tag(number, 1);
      case Type::kFloat:
        out_->Fixed(repeated ? reflection->GetRepeatedFloat(message, field, index)
                             : reflection->GetFloat(message, field));
        return out_->Tag(number, 5);
      case Type::kMessage: break;
    }
  }

  BackwardWriter* out_;
};

void AppendEnvelopeField(int number, std::string_view bytes, std::string* out) {
  BackwardWriter head(16);
  head.Varint(bytes.size());
  head.Tag(number, 2);
  out->append(std::move(head).Take());
  out->append(bytes);
}

// Checks and canonicalises what Go parses while it decodes: quantities.
Status Normalize(const Plan& plan, Message* message) {
  if (plan.special() == Special::kQuantity) return NormalizeQuantity(message);
  const auto* reflection = message->GetReflection();
  for (const PlanField& field : plan.fields) {
    if (field.row->type != Type::kMessage) continue;
    if (!schema::kMessages[field.row->message].holds_quantity()) continue;
    const Plan& inner = field.message();
    if (field.descriptor->is_repeated()) {
      const int size = reflection->FieldSize(*message, field.descriptor);
      for (int i = 0; i < size; ++i) {
        Message* element = reflection->MutableRepeatedMessage(message, field.descriptor, i);
        if (field.value != nullptr) element = element->GetReflection()->MutableMessage(element, field.value);
        KNARR_TRY(Normalize(inner, element));
      }
    } else if (reflection->HasField(*message, field.descriptor)) {
      KNARR_TRY(Normalize(inner, reflection->MutableMessage(message, field.descriptor)));
    }
  }
  return OkStatus();
}

}  // namespace

std::string EncodeProtobuf(const Message& message) {
  BackwardWriter out(message.ByteSizeLong() * 2 + 128);
  Encoder(&out).Content(PlanOf(message.GetDescriptor()), message);
  return std::move(out).Take();
}

Status DecodeProtobuf(std::string_view bytes, Message* out, const DecodeOptions& options) {
  out->Clear();
  if (bytes.size() > options.max_bytes) {
    return Error(Code::kRequestEntityTooLarge, "{} bytes are more than the limit of {}", bytes.size(),
                 options.max_bytes);
  }
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetRecursionLimit(options.max_depth);
  if (!out->ParsePartialFromCodedStream(&in) || !in.ConsumedEntireMessage()) {
    return Error(Code::kBadRequest, "proto: {}: malformed message", PlanOf(out->GetDescriptor()).row->go_name());
  }
  // Fields of a newer version are dropped, as Go's decoder does.
  out->DiscardUnknownFields();
  const Plan& plan = PlanOf(out->GetDescriptor());
  return plan.row->holds_quantity() ? Normalize(plan, out) : OkStatus();
}

std::string EncodeEnvelope(const Message& message, std::string_view api_version, std::string_view kind) {
  std::string type_meta;
  AppendEnvelopeField(1, api_version, &type_meta);
  AppendEnvelopeField(2, kind, &type_meta);
  const std::string raw = EncodeProtobuf(message);
  std::string out(kMagic);
  out.reserve(raw.size() + type_meta.size() + 32);
  AppendEnvelopeField(1, type_meta, &out);
  AppendEnvelopeField(2, raw, &out);
  AppendEnvelopeField(3, "", &out);  // contentEncoding
  AppendEnvelopeField(4, "", &out);  // contentType
  return out;
}

Result<Envelope> DecodeEnvelope(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    return Error(Code::kBadRequest,
                 "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  bytes.remove_prefix(kMagic.size());
  ::k8s::io::apimachinery::pkg::runtime::Unknown unknown;
  if (bytes.size() > INT32_MAX || !unknown.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error(Code::kBadRequest, "proto: Unknown: malformed message");
  }
  return Envelope{.api_version = unknown.typemeta().apiversion(),
                  .kind = unknown.typemeta().kind(),
                  .raw = std::move(*unknown.mutable_raw())};
}

}  // namespace knarr::codec
