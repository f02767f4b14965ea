#include "pkg/kubelet/config/http_source.h"

#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

// A server of canned answers; every poll of the source can be waited for.
struct Fixture {
  std::mutex mutex;
  std::condition_variable changed;
  Result<std::string> answer = std::string();
  int polls = 0, news = 0;
  FakeClock clock;
  PodConfigOptions options;
  std::unique_ptr<HttpSource> source;

  Fixture() {
    options.static_pod_url = "http://example/pods";
    options.node_name = "node1";
    source = std::make_unique<HttpSource>(
        options, clock,
        [this] {
          const std::lock_guard lock(mutex);
          ++news;
        },
        [this](const Context&, const PodConfigOptions&) {
          const std::lock_guard lock(mutex);
          ++polls;
          changed.notify_all();
          return answer;
        });
  }
  ~Fixture() { source->Stop(); }

  // The next poll gives this; returns when the one after it could start, so that its effect is there.
  HttpSource::State Answer(Result<std::string> next) {
    std::unique_lock lock(mutex);
    answer = std::move(next);
    const int before = polls;
    if (before == 0) {
      lock.unlock();
      source->Start();
      lock.lock();
    }
    for (int wanted = before + 1; wanted <= before + 2; ++wanted) {
      while (polls < wanted) {
        lock.unlock();
        if (clock.Pending() > 0) clock.Advance(options.http_check_frequency);
        lock.lock();
        changed.wait_for(lock, std::chrono::milliseconds(1), [&] { return polls >= wanted; });
      }
    }
    lock.unlock();
    return source->Current();
  }
};

BOOST_AUTO_TEST_SUITE(kubelet_config_http_source)

BOOST_FIXTURE_TEST_CASE(a_good_answer_is_kept_until_there_is_a_better_one, Fixture) {
  HttpSource::State state = Answer(Error(Code::kServiceUnavailable, "connection refused"));
  BOOST_TEST(!state.ready);
  BOOST_TEST(state.problems.at(0).ToString() == "http://example/pods: connection refused");
  state = Answer(PodYaml("web"));
  BOOST_TEST(state.ready);
  BOOST_TEST(state.problems.empty());
  const PodPtr pod = state.good->pods.at(0).pod;
  BOOST_TEST(pod->metadata().name() == "web-node1");
  state = Answer(std::string("<html>"));
  BOOST_TEST(state.problems.size() == 1U);
  BOOST_TEST(state.problems.at(0).keeps == "default/web-node1");
  BOOST_TEST(state.good->pods.at(0).pod == pod);
  state = Answer(std::string());
  BOOST_TEST(state.problems.at(0).message == "zero-length data received");
  state = Answer(PodYaml("web") + "# again\n");
  BOOST_TEST(state.problems.empty());
  BOOST_TEST(state.good->pods.at(0).pod == pod);
  state = Answer(std::string("{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"items\":[]}"));
  BOOST_TEST(state.problems.empty());
  BOOST_TEST(state.good->pods.empty());
}

BOOST_FIXTURE_TEST_CASE(the_same_answer_is_no_news, Fixture) {
  Answer(PodYaml("web"));
  Answer(PodYaml("web"));
  Answer(PodYaml("web"));
  source->Stop();
  BOOST_TEST(news == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
