// Mirrors: sigs.k8s.io/json (Go's encoding/json, case-sensitive, with strict errors)
#include "pkg/api/codec/json_decode.h"

#include <bitset>
#include <charconv>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "pkg/api/codec/json_reader.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/codec/plan.h"
#include "pkg/api/codec/special.h"
#include "pkg/api/field/quote.h"

namespace knarr::codec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using schema::Shape;
using schema::Special;
using schema::Type;
using Kind = JsonReader::Kind;

constexpr size_t kMaxStrictErrors = 100;
// Slots of TypeMeta's fields in the check for duplicates.
constexpr size_t kKindSlot = kMaxNames - 1, kApiVersionSlot = kMaxNames - 2;

std::string_view KeyOf(const PlanField& field, const Message& entry) {
  std::string unused;  // generated messages hand out their own string
  return entry.GetReflection()->GetStringReference(entry, field.key, &unused);
}

// The entries of a map field by key. They are messages of their own with stable addresses, so that views of their keys
// stay valid. Most maps are small and searched from end to end.
class EntryIndex {
 public:
  EntryIndex(const PlanField& field, Message* out) : field_(field) {
    const auto* reflection = out->GetReflection();
    const int size = reflection->FieldSize(*out, field.descriptor);
    for (int i = 0; i < size; ++i) Insert(reflection->MutableRepeatedMessage(out, field.descriptor, i), /*seen=*/false);
  }

  void Add(Message* entry) { Insert(entry, /*seen=*/true); }

  // nullptr where the key is new; `duplicate` when this decoding has had it before.
  Message* Take(std::string_view key, bool* duplicate) {
    Slot* slot = nullptr;
    if (by_key_.empty()) {
      for (Slot& candidate : slots_) {
        if (candidate.key == key) slot = &candidate;
      }
    } else if (const auto found = by_key_.find(key); found != by_key_.end()) {
      slot = &slots_[found->second];
    }
    if (slot == nullptr) return nullptr;
    *duplicate = std::exchange(slot->seen, true);
    return slot->entry;
  }

 private:
  static constexpr size_t kSmall = 16;
  struct Slot {
    std::string_view key;
    Message* entry;
    bool seen;
  };

  void Insert(Message* entry, bool seen) {
    slots_.push_back({KeyOf(field_, *entry), entry, seen});
    if (slots_.size() <= kSmall) return;
    if (by_key_.empty()) {
      for (size_t i = 0; i + 1 < slots_.size(); ++i) by_key_.emplace(slots_[i].key, i);
    }
    by_key_.emplace(slots_.back().key, slots_.size() - 1);
  }

  const PlanField& field_;
  std::vector<Slot> slots_;
  std::unordered_map<std::string_view, size_t> by_key_;  // once there are more than a few
};

class Decoder {
 public:
  Decoder(std::string_view text, const DecodeOptions& options)
      : reader_(text, {.depth = options.max_depth, .nodes = options.max_nodes}),
        strict_(options.validation != FieldValidation::kIgnore) {}

  DecodeOutcome Decode(Message* out) {
    const Plan& plan = PlanOf(out->GetDescriptor());
    if (reader_.Peek() == Kind::kNull) {
      reader_.ReadNull();
    } else {
      Value(plan, out);
    }
    reader_.ExpectEnd();
    if (!reader_.ok()) {
      outcome_.status = reader_.status();
      outcome_.error_path.clear();
    } else if (!fatal_.ok()) {
      outcome_.status = fatal_;
    }
    return std::move(outcome_);
  }

 private:
  struct Step {
    enum class Kind : uint8_t { kField, kKey, kIndex } kind;
    std::string_view name;
    int index;
  };
  // Where in the object the decoder is; leaves on destruction.
  class Scope {
   public:
    Scope(Decoder* decoder, Step step, const schema::Message* owner) : decoder_(decoder), owner_(decoder->struct_) {
      decoder->path_.push_back(step);
      if (owner != nullptr) decoder->struct_ = owner;
    }
    ~Scope() {
      decoder_->path_.pop_back();
      decoder_->struct_ = owner_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Decoder* decoder_;
    const schema::Message* owner_;
  };

  std::string Path(std::string_view last = {}) const {
    std::string path;
    for (const Step& step : path_) {
      if (step.kind == Step::Kind::kIndex) {
        path += fmt::format("[{}]", step.index);
      } else {
        if (!path.empty()) path += '.';
        path += step.name;
      }
    }
    if (!last.empty() && !path.empty()) path += '.';
    path += last;
    return path;
  }

  // The first error is the one that is reported, as in Go; decoding goes on.
  void SaveError(std::string text) {
    if (!outcome_.status.ok() || !reader_.ok()) return;
    outcome_.status = Status(Code::kBadRequest, std::move(text));
    outcome_.error_path = Path();
  }

  // An error of a type's own UnmarshalJSON ends decoding in Go and wins over saved ones; the rest is still checked for
  // syntax here.
  void Fatal(const Status& status) {
    if (!fatal_.ok() || !reader_.ok()) return;
    fatal_ = status;
    outcome_.error_path = Path();
  }

  std::string TypeErrorText(std::string_view value, std::string_view go_type) const {
    if (struct_ == nullptr) return fmt::format("json: cannot unmarshal {} into Go value of type {}", value, go_type);
    std::string fields;
    for (const Step& step : path_) {
      if (step.kind != Step::Kind::kField) continue;
      if (!fields.empty()) fields += '.';
      fields += step.name;
    }
    return fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", value, struct_->go_name(),
                       fields, go_type);
  }

  void TypeError(std::string_view value, std::string_view go_type) { SaveError(TypeErrorText(value, go_type)); }

  void SkipMismatch(Kind kind, std::string_view go_type) {
    if (kind == Kind::kError) return;
    TypeError(KindName(kind), go_type);
    reader_.SkipValue();
  }

  void AddStrictError(std::string_view what, std::string_view name) {
    if (!strict_ || outcome_.strict_errors.size() >= kMaxStrictErrors) return;
    std::string path = Path(name);
    std::string text = fmt::format("{} {}", what, field::Quote(path));
    if (!seen_errors_.insert(text).second) return;
    outcome_.strict_errors.push_back({std::move(text), std::move(path)});
  }

  // A value of message type, not null.
  void Value(const Plan& plan, Message* out) {
    if (plan.special() != Special::kNone) return SpecialValue(plan, out);
    const Kind kind = reader_.Peek();
    if (kind != Kind::kObject) return SkipMismatch(kind, plan.row->go_type());
    Object(plan, out);
  }

  void SpecialValue(const Plan& plan, Message* out) {
    SpecialMismatch mismatch;
    const Status status = DecodeSpecial(plan, &reader_, out, &mismatch);
    if (!status.ok()) Fatal(status);
    if (mismatch.value.empty()) return;
    // A wrapper is a plain slice in Go; the others fail in their own UnmarshalJSON.
    if (plan.special() == Special::kSliceWrapper) {
      TypeError(mismatch.value, mismatch.go_type);
    } else {
      Fatal(Status(Code::kBadRequest, TypeErrorText(mismatch.value, mismatch.go_type)));
    }
  }

  void Object(const Plan& plan, Message* out) {
    std::bitset<kMaxNames> seen;
    const auto check_duplicate = [&](size_t slot, std::string_view name) {
      if (seen.test(slot)) AddStrictError("duplicate field", name);
      seen.set(slot);
    };
    std::string_view key;
    for (reader_.EnterObject(); reader_.NextKey(&key);) {
      if (const PlanName* name = plan.Find(key)) {
        check_duplicate(name->slot, name->name);
        Named(plan, *name, out);
      } else if (plan.row->has_type_meta() && (key == "kind" || key == "apiVersion")) {
        const bool is_kind = key == "kind";
        check_duplicate(is_kind ? kKindSlot : kApiVersionSlot, is_kind ? "kind" : "apiVersion");
        TypeMetaField(plan, is_kind ? "kind" : "apiVersion");
      } else {
        AddStrictError("unknown field", key);
        reader_.SkipValue();
      }
    }
  }

  void TypeMetaField(const Plan& plan, std::string_view name) {
    const Scope scope(this, {Step::Kind::kField, name, 0}, plan.row);
    const Kind kind = reader_.Peek();
    if (kind != Kind::kString && kind != Kind::kNull) return SkipMismatch(kind, "string");
    reader_.SkipValue();
  }

  void Named(const Plan& plan, const PlanName& name, Message* out) {
    const Plan* inner = &plan;
    for (int i = 0; i < name.inlined_count; ++i) {
      const PlanField& field = inner->fields[name.inlined[i]];
      out = out->GetReflection()->MutableMessage(out, field.descriptor);
      inner = &field.message();
    }
    const Scope scope(this, {Step::Kind::kField, name.name, 0}, plan.row);
    Field(inner->fields[name.field], out);
  }

  void Field(const PlanField& field, Message* out) {
    const Kind kind = reader_.Peek();
    if (kind == Kind::kNull) return NullField(field, out);
    switch (field.row->shape) {
      case Shape::kSlice: return List(field, kind, out);
      case Shape::kMap: return Map(field, kind, out);
      case Shape::kValue:
      case Shape::kPointer:
      case Shape::kInline: break;
    }
    if (field.row->type == Type::kMessage) {
      return Value(field.message(), out->GetReflection()->MutableMessage(out, field.descriptor));
    }
    Scalar(field.row->type, field.row->go_type(), kind, field.descriptor, out);
  }

  // null clears pointers, slices and maps, goes to a special type's own code, and changes nothing else.
  void NullField(const PlanField& field, Message* out) {
    const bool is_value = field.row->shape == Shape::kValue;
    const bool is_message = field.row->type == Type::kMessage;
    if (is_value && is_message) {
      const Plan& plan = field.message();
      if (plan.special() != Special::kNone && plan.special() != Special::kSliceWrapper) {
        return SpecialValue(plan, out->GetReflection()->MutableMessage(out, field.descriptor));
      }
      if (plan.special() == Special::kSliceWrapper) out->GetReflection()->ClearField(out, field.descriptor);
    } else if (!is_value || field.row->type == Type::kBytes) {
      out->GetReflection()->ClearField(out, field.descriptor);
    }
    reader_.ReadNull();
  }

  void List(const PlanField& field, Kind kind, Message* out) {
    const auto* reflection = out->GetReflection();
    if (kind != Kind::kArray) return SkipMismatch(kind, field.row->go_type());
    reflection->ClearField(out, field.descriptor);
    int index = 0;
    for (reader_.EnterArray(); reader_.NextElement(); ++index) {
      const Scope scope(this, {Step::Kind::kIndex, {}, index}, nullptr);
      const Kind element = reader_.Peek();
      if (field.row->type == Type::kMessage) {
        Message* added = reflection->AddMessage(out, field.descriptor);
        NullOrValue(field, element, added);
      } else if (element == Kind::kNull) {
        reader_.ReadNull();
        AddZero(field, out);
      } else {
        Scalar(field.row->type, field.row->elem_type(), element, field.descriptor, out);
      }
    }
  }

  void NullOrValue(const PlanField& field, Kind kind, Message* out) {
    const Plan& plan = field.message();
    if (kind == Kind::kNull && plan.special() == Special::kNone) {
      reader_.ReadNull();
      return;
    }
    Value(plan, out);
  }

  void AddZero(const PlanField& field, Message* out) {
    const auto* reflection = out->GetReflection();
    switch (field.row->type) {
      case Type::kString:
      case Type::kBytes: return reflection->AddString(out, field.descriptor, "");
      case Type::kBool: return reflection->AddBool(out, field.descriptor, false);
      case Type::kInt32: return reflection->AddInt32(out, field.descriptor, 0);
      case Type::kInt64: return reflection->AddInt64(out, field.descriptor, 0);
      case Type::kUint32: return reflection->AddUInt32(out, field.descriptor, 0);
      case Type::kUint64: return reflection->AddUInt64(out, field.descriptor, 0);
      case Type::kDouble: return reflection->AddDouble(out, field.descriptor, 0);
      case Type::kFloat: return reflection->AddFloat(out, field.descriptor, 0);
      case Type::kMessage: break;
    }
  }

  void Map(const PlanField& field, Kind kind, Message* out) {
    if (kind != Kind::kObject) return SkipMismatch(kind, field.row->go_type());
    const auto* reflection = out->GetReflection();
    EntryIndex entries(field, out);
    std::string_view key;
    for (reader_.EnterObject(); reader_.NextKey(&key);) {
      bool duplicate = false;
      Message* entry = entries.Take(key, &duplicate);
      if (entry == nullptr) {
        entry = reflection->AddMessage(out, field.descriptor);
        entry->GetReflection()->SetString(entry, field.key, std::string(key));
        entries.Add(entry);
      } else {
        entry->GetReflection()->ClearField(entry, field.value);
      }
      const std::string_view stable = KeyOf(field, *entry);
      if (duplicate) AddStrictError("duplicate field", stable);
      const Scope scope(this, {Step::Kind::kKey, stable, 0}, nullptr);
      const Kind element = reader_.Peek();
      if (field.row->type == Type::kMessage) {
        NullOrValue(field, element, entry->GetReflection()->MutableMessage(entry, field.value));
      } else if (element == Kind::kNull) {
        reader_.ReadNull();
      } else {
        Scalar(field.row->type, field.row->elem_type(), element, field.value, entry);
      }
    }
  }

  // Go takes a list of numbers for a byte slice, too.
  void ByteArray(const FieldDescriptor* field, Message* out) {
    std::string bytes;
    for (reader_.EnterArray(); reader_.NextElement();) {
      const Kind kind = reader_.Peek();
      uint8_t value = 0;
      if (kind == Kind::kNumber) {
        Integer("uint8", &value);
      } else if (kind == Kind::kNull) {
        reader_.ReadNull();
      } else {
        SkipMismatch(kind, "uint8");
      }
      bytes.push_back(static_cast<char>(value));
    }
    const auto* reflection = out->GetReflection();
    return field->is_repeated() ? reflection->AddString(out, field, std::move(bytes))
                                : reflection->SetString(out, field, std::move(bytes));
  }

  template <typename T>
  bool Integer(std::string_view go_type, T* out) {
    const std::string_view text = reader_.ReadNumber();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
    if (error == std::errc() && end == text.data() + text.size()) return true;
    TypeError(fmt::format("number {}", text), go_type);
    *out = 0;
    return false;
  }

  // Sets, or adds to a repeated field, a value that is not null.
  void Scalar(Type type, std::string_view go_type, Kind kind, const FieldDescriptor* field, Message* out) {
    const auto* reflection = out->GetReflection();
    const bool add = field->is_repeated();
    if (type == Type::kBytes && kind == Kind::kArray) return ByteArray(field, out);
    const Kind wanted = type == Type::kString || type == Type::kBytes ? Kind::kString
                        : type == Type::kBool                         ? Kind::kBool
                                                                      : Kind::kNumber;
    if (kind != wanted) return SkipMismatch(kind, go_type);
    switch (type) {
      case Type::kString:
      case Type::kBytes: {
        std::string text(reader_.ReadString());
        if (type == Type::kBytes) {
          Result<std::string> bytes = DecodeBase64(text);
          if (!bytes.ok()) return SaveError(std::string(bytes.error().message()));
          text = std::move(*bytes);
        }
        return add ? reflection->AddString(out, field, std::move(text))
                   : reflection->SetString(out, field, std::move(text));
      }
      case Type::kBool: {
        const bool value = reader_.ReadBool();
        return add ? reflection->AddBool(out, field, value) : reflection->SetBool(out, field, value);
      }
      case Type::kInt32: {
        int32_t value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddInt32(out, field, value) : reflection->SetInt32(out, field, value);
      }
      case Type::kInt64: {
        int64_t value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddInt64(out, field, value) : reflection->SetInt64(out, field, value);
      }
      case Type::kUint32: {
        uint32_t value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddUInt32(out, field, value) : reflection->SetUInt32(out, field, value);
      }
      case Type::kUint64: {
        uint64_t value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddUInt64(out, field, value) : reflection->SetUInt64(out, field, value);
      }
      case Type::kDouble: {
        double value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddDouble(out, field, value) : reflection->SetDouble(out, field, value);
      }
      case Type::kFloat: {
        float value = 0;
        Integer(go_type, &value);
        return add ? reflection->AddFloat(out, field, value) : reflection->SetFloat(out, field, value);
      }
      case Type::kMessage: break;
    }
  }

  JsonReader reader_;
  const bool strict_;
  std::vector<Step> path_;
  const schema::Message* struct_ = nullptr;  // that the innermost field belongs to
  Status fatal_;
  DecodeOutcome outcome_;
  std::unordered_set<std::string> seen_errors_;
};

}  // namespace

DecodeOutcome DecodeJsonText(std::string_view text, Message* out, const DecodeOptions& options) {
  out->Clear();
  if (text.size() > options.max_bytes) {
    DecodeOutcome outcome;
    outcome.status =
        Error(Code::kRequestEntityTooLarge, "{} bytes are more than the limit of {}", text.size(), options.max_bytes);
    return outcome;
  }
  return Decoder(text, options).Decode(out);
}

Status StrictDecodingError(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return Error(Code::kBadRequest, "strict decoding error: {}", joined);
}

Status DecodeJson(std::string_view text, Message* out, const DecodeOptions& options, std::vector<Finding>* findings) {
  DecodeOutcome outcome = DecodeJsonText(text, out, options);
  if (!outcome.status.ok()) return outcome.status;
  if (outcome.strict_errors.empty()) return OkStatus();
  if (options.validation == FieldValidation::kStrict) {
    std::vector<std::string> texts;
    for (StrictError& error : outcome.strict_errors) texts.push_back(std::move(error.text));
    return StrictDecodingError(texts);
  }
  if (findings != nullptr) {
    for (StrictError& error : outcome.strict_errors) findings->push_back({std::move(error.text), 0});
  }
  return OkStatus();
}

}  // namespace knarr::codec
