// Every message type of every group, filled with generated values: JSON -> message -> protobuf -> message -> JSON.
#include <google/protobuf/descriptor.h>

#include <boost/test/unit_test.hpp>
#include <random>

#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/plan.h"
#include "pkg/api/schema/tables.h"
#include "pkg/api/scheme/scheme.h"

namespace knarr::codec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using schema::Shape;
using schema::Special;
using schema::Type;

class Filler {
 public:
  explicit Filler(uint32_t seed) : random_(seed) {}

  void Fill(const Plan& plan, Message* out, int depth) {
    switch (plan.special()) {
      case Special::kQuantity: return SetString(out, 1, Pick({"0", "1500m", "1Gi", "1e3", "500m", "12E"}));
      case Special::kIntOrString:
        if (Below(2) == 0) {
          SetInt(out, 1, 1);
          return SetString(out, 3, Text());
        }
        SetInt(out, 1, 0);
        return SetInt(out, 2, static_cast<int32_t>(random_()));
      case Special::kTime: SetInt(out, 1, int64_t{Below(4'000'000'000)} - (1LL << 31)); return SetInt(out, 2, 0);
      case Special::kMicroTime:
        SetInt(out, 1, Below(4'000'000'000));
        return SetInt(out, 2, static_cast<int64_t>(Below(1'000'000)) * 1000);
      case Special::kDuration: return SetInt(out, 1, (int64_t{Below(4'000'000'000)} - (1LL << 31)) * 1'000);
      case Special::kRawJson: return SetString(out, 1, Pick({R"({"a":[1,2.5,null]})", "5", R"("x")"}));
      case Special::kSliceWrapper:
        for (size_t i = 0; i <= Below(3); ++i) out->GetReflection()->AddString(out, plan.fields[0].descriptor, Text());
        return;
      case Special::kNone: break;
    }
    for (const PlanField& field : plan.fields) FillField(field, out, depth);
  }

 private:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  std::string Pick(std::vector<std::string> options) { return options[Below(static_cast<uint32_t>(options.size()))]; }
  std::string Text() {
    return Pick({"a", "<b>&", "\xe2\x80\xa8", "line\nbreak", "\"q\\", "\x01", "\xf0\x9f\x98\x80", "8",
                 std::string("nul\0l", 5)});
  }
  static void SetString(Message* out, int number, std::string text) {
    out->GetReflection()->SetString(out, out->GetDescriptor()->FindFieldByNumber(number), std::move(text));
  }
  static void SetInt(Message* out, int number, int64_t value) {
    const auto* field = out->GetDescriptor()->FindFieldByNumber(number);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) return out->GetReflection()->SetInt64(out, field, value);
    out->GetReflection()->SetInt32(out, field, static_cast<int32_t>(value));
  }

  void FillField(const PlanField& field, Message* out, int depth) {
    const auto* reflection = out->GetReflection();
    const bool wanted = field.row->shape == Shape::kInline || (depth < 8 && Below(10) < (depth < 3 ? 8u : 4u));
    if (!wanted) return;
    const bool is_message = field.row->type == Type::kMessage;
    switch (field.row->shape) {
      case Shape::kSlice:
        for (uint32_t i = 0; i <= Below(2); ++i) {
          if (is_message) {
            Fill(field.message(), reflection->AddMessage(out, field.descriptor), depth + 1);
          } else {
            FillScalar(field.row->type, field.descriptor, out);
          }
        }
        return;
      case Shape::kMap:
        for (uint32_t i = 0; i <= Below(3); ++i) {
          Message* entry = reflection->AddMessage(out, field.descriptor);
          entry->GetReflection()->SetString(entry, field.key, fmt::format("{}{}", i, Text()));
          if (is_message) {
            Fill(field.message(), entry->GetReflection()->MutableMessage(entry, field.value), depth + 1);
          } else {
            FillScalar(field.row->type, field.value, entry);
          }
        }
        return;
      default:
        if (is_message) return Fill(field.message(), reflection->MutableMessage(out, field.descriptor), depth + 1);
        FillScalar(field.row->type, field.descriptor, out);
    }
  }

  void FillScalar(Type type, const FieldDescriptor* field, Message* out) {
    const auto* reflection = out->GetReflection();
    const bool add = field->is_repeated();
    const auto number = static_cast<int64_t>(random_()) * (Below(2) == 0 ? 1 : -1);
    switch (type) {
      case Type::kString:
      case Type::kBytes:
        return add ? reflection->AddString(out, field, Text()) : reflection->SetString(out, field, Text());
      case Type::kBool:
        return add ? reflection->AddBool(out, field, true) : reflection->SetBool(out, field, Below(2) == 0);
      case Type::kInt32:
        return add ? reflection->AddInt32(out, field, static_cast<int32_t>(number))
                   : reflection->SetInt32(out, field, static_cast<int32_t>(number));
      case Type::kInt64:
        return add ? reflection->AddInt64(out, field, number << 20) : reflection->SetInt64(out, field, number << 20);
      case Type::kDouble: return reflection->SetDouble(out, field, static_cast<double>(number) / 7);
      default: BOOST_FAIL("no value for this type: " << field->full_name());
    }
  }

  std::mt19937_64 random_;
};

BOOST_AUTO_TEST_SUITE(codec_round_trip)

BOOST_AUTO_TEST_CASE(every_type_of_every_group_survives) {
  int types = 0;
  for (const schema::Message& row : schema::Messages()) {
    const auto* descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(row.full_name()));
    // Only what the scheme links is there.
    if (descriptor == nullptr) continue;
    ++types;
    const Message* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
    for (uint32_t seed = 0; seed < 6; ++seed) {
      BOOST_TEST_CONTEXT(row.full_name() << " seed " << seed) {
        std::unique_ptr<Message> object(prototype->New());
        if (seed > 0)
          Filler(seed * 7919 + static_cast<uint32_t>(types)).Fill(PlanOf(descriptor), object.get(), seed == 1 ? 0 : 2);
        const std::string json = EncodeJson(*object);
        std::unique_ptr<Message> from_json(prototype->New());
        BOOST_TEST(DecodeJson(json, from_json.get()).message() == "ok");
        BOOST_TEST(EncodeJson(*from_json) == json);
        const std::string wire = EncodeProtobuf(*from_json);
        std::unique_ptr<Message> from_wire(prototype->New());
        BOOST_TEST(DecodeProtobuf(wire, from_wire.get()).message() == "ok");
        BOOST_TEST(EncodeJson(*from_wire) == json);
        BOOST_TEST((EncodeProtobuf(*from_wire) == wire));
        if (json.find("\\u0000") != std::string::npos || json[0] != '{') continue;
        std::unique_ptr<Message> from_yaml(prototype->New());
        BOOST_TEST(DecodeYaml(EncodeYaml(*object), from_yaml.get()).message() == "ok");
        BOOST_TEST(EncodeJson(*from_yaml) == json);
      }
    }
  }
  BOOST_TEST(types > 1000);
}

BOOST_AUTO_TEST_CASE(one_document_in_a_thousand_mutations_never_harms) {
  std::mt19937 random(1);
  auto pod = scheme::New("v1", "Pod");
  BOOST_REQUIRE(pod.ok());
  Filler(3).Fill(PlanOf((*pod)->GetDescriptor()), pod->get(), 0);
  const std::string json = EncodeJson(**pod, {.api_version = "v1", .kind = "Pod"});
  const std::string yaml = EncodeYaml(**pod), wire = EncodeProtobuf(**pod);
  const auto mutate = [&](std::string text) {
    for (uint32_t n = random() % 4; n != ~0u; --n) {
      const size_t at = random() % text.size(), size = random() % 40;
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, size); break;
        case 2: text.insert(at, text.substr(random() % text.size(), size)); break;
        default: text.insert(at, 1, "{}[]\",:-\n &*!|>'\\"[random() % 17]);
      }
      if (text.empty()) text = " ";
    }
    return text;
  };
  int decoded = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto object = scheme::New("v1", "Pod");
    if (DecodeJson(mutate(json), object->get()).ok()) decoded += !EncodeJson(**object).empty();
    if (DecodeProtobuf(mutate(wire), object->get()).ok()) decoded += !EncodeProtobuf(**object).empty();
    const auto documents = SplitDocuments(mutate(yaml));
    if (!documents.ok()) continue;
    for (const Document& document : *documents) {
      decoded += DecodeDocument(document, object->get(), {.validation = FieldValidation::kWarn}).ok();
      document.LineOf("spec.containers[0].name");
    }
  }
  BOOST_TEST(decoded > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::codec
