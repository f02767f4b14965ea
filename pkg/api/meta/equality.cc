#include "pkg/api/meta/equality.h"

#include <memory>
#include <string>
#include <vector>

#include "k8s.io/apimachinery/pkg/api/resource/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/schema/tables.h"
#include "pkg/api/types.h"

namespace knarr::api {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// One text for all ways to write a number. Adding one forces the decimal format.
void NormalizeQuantities(Message* message) {
  if (message->GetDescriptor() == resource_pb::Quantity::descriptor()) {
    auto* quantity = static_cast<resource_pb::Quantity*>(message);
    const Quantity value = Quantity::From(*quantity);
    quantity->set_string((Quantity(1) + value).ToString());
    return;
  }
  const Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      NormalizeQuantities(reflection->MutableMessage(message, field));
      continue;
    }
    const int size = reflection->FieldSize(*message, field);
    for (int i = 0; i < size; ++i) NormalizeQuantities(reflection->MutableRepeatedMessage(message, field, i));
  }
}

std::string Normalized(const Message& message) {
  std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  NormalizeQuantities(copy.get());
  return codec::EncodeProtobuf(*copy);
}

bool HoldsQuantity(const Message& message) {
  const uint16_t index = schema::FindMessage(message.GetDescriptor()->full_name());
  return index == schema::kNoMessage || schema::kMessages[index].holds_quantity();
}

}  // namespace

bool SemanticEqual(const Message& a, const Message& b) {
  if (&a == &b || codec::EncodeProtobuf(a) == codec::EncodeProtobuf(b)) return true;
  return HoldsQuantity(a) && Normalized(a) == Normalized(b);
}

}  // namespace knarr::api
