#include "pkg/apiserver/storage/memory.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/storage/contract_test.h"

namespace knarr::storage {
namespace {

// The clock lives as long as the store.
struct Subject {
  FakeClock clock;
  std::unique_ptr<Store> store = NewMemoryStore(clock);
};

ContractSubject MakeSubject() {
  auto subject = std::make_shared<Subject>();
  return {.store = std::shared_ptr<Store>(subject, subject->store.get()),
          .advance = [clock = &subject->clock](std::chrono::seconds by) { clock->Advance(by); }};
}

BOOST_AUTO_TEST_SUITE(memory_store)
KNARR_STORE_CONTRACT(MakeSubject);

BOOST_AUTO_TEST_CASE(a_quiet_store_has_no_timer) {
  FakeClock clock;
  const auto store = NewMemoryStore(clock);
  const Context ctx;
  BOOST_REQUIRE(store->Create(ctx, "/a", "1", 0).ok());
  BOOST_TEST(clock.Pending() == 0U);
  BOOST_REQUIRE(store->Create(ctx, "/b", "1", 10).ok());
  BOOST_REQUIRE(store->Create(ctx, "/c", "1", 20).ok());
  BOOST_TEST(clock.Pending() == 1U);
}

BOOST_AUTO_TEST_CASE(a_closed_store_ends_its_watches) {
  RecordingSink sink;
  auto store = NewMemoryStore();
  auto handle = store->Watch({}, "/", 1, sink);
  BOOST_REQUIRE(handle.ok());
  store.reset();
  BOOST_TEST(sink.WaitForEnd());
  BOOST_TEST(sink.end().Is(Code::kCancelled));
  handle->reset();  // may outlive the store
  BOOST_TEST(sink.problems().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::storage
