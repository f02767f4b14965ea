#include "pkg/api/codec/plan.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "pkg/base/status.h"

namespace knarr::codec {
namespace {

using google::protobuf::Descriptor;

// More than kMessageCount, which the compiler does not know.
constexpr size_t kSlots = 4096;
std::atomic<const Plan*> plans[kSlots];

bool Before(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

void AddNames(const Plan& plan, PlanName prefix, std::vector<PlanName>* names) {
  for (size_t i = 0; i < plan.fields.size(); ++i) {
    const PlanField& field = plan.fields[i];
    PlanName name = prefix;
    if (field.row->shape == schema::Shape::kInline) {
      KNARR_CHECK(name.inlined_count < std::size(name.inlined));
      name.inlined[name.inlined_count++] = static_cast<uint16_t>(i);
      AddNames(field.message(), name, names);
      continue;
    }
    name.name = field.row->json_name();
    name.field = static_cast<uint16_t>(i);
    names->push_back(name);
  }
}

std::unique_ptr<Plan> Build(uint16_t index, const Descriptor* descriptor) {
  auto plan = std::make_unique<Plan>();
  plan->row = &schema::kMessages[index];
  plan->descriptor = descriptor;
  // The fields of special types are known to the code that handles them, except the one list of a wrapper.
  for (const schema::Field& row : plan->row->fields()) {
    PlanField field;
    field.row = &row;
    field.descriptor = descriptor->FindFieldByNumber(row.number);
    KNARR_CHECK(field.descriptor != nullptr);
    if (row.shape == schema::Shape::kMap) {
      KNARR_CHECK(field.descriptor->is_map());
      field.key = field.descriptor->message_type()->map_key();
      field.value = field.descriptor->message_type()->map_value();
    }
    plan->fields.push_back(field);
  }
  plan->by_number.resize(plan->fields.size());
  for (size_t i = 0; i < plan->by_number.size(); ++i) plan->by_number[i] = static_cast<uint16_t>(i);
  std::sort(plan->by_number.begin(), plan->by_number.end(),
            [&](uint16_t a, uint16_t b) { return plan->fields[a].row->number < plan->fields[b].row->number; });
  if (plan->special() == schema::Special::kNone) AddNames(*plan, {}, &plan->names);
  std::sort(plan->names.begin(), plan->names.end(),
            [](const PlanName& a, const PlanName& b) { return Before(a.name, b.name); });
  for (size_t i = 0; i < plan->names.size(); ++i) plan->names[i].slot = static_cast<uint16_t>(i);
  KNARR_CHECK(plan->names.size() + 2 <= kMaxNames);
  return plan;
}

const Plan& PlanAt(uint16_t index, const Descriptor* descriptor) {
  std::atomic<const Plan*>& slot = plans[index];
  const Plan* plan = slot.load(std::memory_order_acquire);
  if (plan == nullptr) {
    std::unique_ptr<Plan> built = Build(index, descriptor);
    if (slot.compare_exchange_strong(plan, built.get(), std::memory_order_acq_rel)) plan = built.release();
  }
  KNARR_CHECK(plan->descriptor == descriptor);
  return *plan;
}

}  // namespace

const Plan& PlanField::message() const {
  const auto* type = value != nullptr ? value->message_type() : descriptor->message_type();
  return PlanAt(row->message, type);
}

const PlanName* Plan::Find(std::string_view name) const {
  const auto at = std::lower_bound(names.begin(), names.end(), name, [](const PlanName& row, std::string_view wanted) {
    return Before(row.name, wanted);
  });
  return at != names.end() && at->name == name ? &*at : nullptr;
}

std::vector<MapEntry> SortedEntries(const PlanField& field, const google::protobuf::Message& message) {
  const auto* reflection = message.GetReflection();
  const int size = reflection->FieldSize(message, field.descriptor);
  std::vector<MapEntry> entries;
  entries.reserve(static_cast<size_t>(size));
  std::string unused;  // generated messages hand out their own string
  for (int i = 0; i < size; ++i) {
    const auto& entry = reflection->GetRepeatedMessage(message, field.descriptor, i);
    entries.emplace_back(entry.GetReflection()->GetStringReference(entry, field.key, &unused), &entry);
  }
  std::sort(entries.begin(), entries.end(), [](const MapEntry& a, const MapEntry& b) { return a.first < b.first; });
  return entries;
}

const Plan& PlanOf(const Descriptor* descriptor) {
  KNARR_CHECK(schema::kMessageCount < kSlots);
  const uint16_t index = schema::FindMessage(descriptor->full_name());
  KNARR_CHECK(index != schema::kNoMessage);
  return PlanAt(index, descriptor);
}

}  // namespace knarr::codec
