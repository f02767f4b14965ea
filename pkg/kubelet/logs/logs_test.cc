#include "pkg/kubelet/logs/logs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <thread>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kStamp = "2016-10-06T00:17:09.669794202Z";

struct Fixture {
  std::string root;
  std::string path;
  Fixture() {
    char name[] = "/tmp/knarr-logs-XXXXXX";
    root = ::mkdtemp(name);
    fs::create_directories(root + "/pod/c");
    path = root + "/pod/c/0.log";
  }
  ~Fixture() { fs::remove_all(root); }
  void Append(const std::string& text) const {
    const UniqueFd fd = *OpenFile(path, O_WRONLY | O_APPEND | O_CREAT, 0640);
    BOOST_REQUIRE(WriteAll(fd.get(), text, path).ok());
  }
  static std::string Line(const std::string& text, const std::string& tag = "F", const std::string& stream = "stdout",
                          const std::string& stamp = kStamp) {
    return stamp + " " + stream + " " + tag + " " + text + "\n";
  }
  std::string Read(const LogOptions& options = {}) const {
    std::string all;
    const Status status = ReadContainerLogs(
        Context::Background().WithTimeout(20s), root, path, options, [] { return false; },
        [&](LogStream, std::string_view text) {
          all += text;
          return Status();
        });
    return status.ok() ? all : "error: " + std::string(status.message());
  }
};

BOOST_FIXTURE_TEST_SUITE(logs, Fixture)

BOOST_AUTO_TEST_CASE(a_line_is_taken_apart) {
  const std::string line = kStamp + " stderr P:x some  text ";
  const LogEntry entry = *ParseCriLogLine(line);
  BOOST_TEST(entry.timestamp == kStamp);
  BOOST_TEST((entry.stream == LogStream::kStderr));
  BOOST_TEST(entry.partial);
  BOOST_TEST(entry.content == "some  text ");
  BOOST_TEST(FormatRfc3339Nano(entry.time) == kStamp);
  BOOST_TEST(ParseCriLogLine("2016-10-06T00:17:09Z stdout F")->content.empty());
  for (const char* bad :
       {"", "x", "2016-10-06T00:17:09Z", "2016-10-06T00:17:09Z stdout", "2016-10-06T00:17:09Z stdin F x",
        "2016-10-06T00:17:09Z stdout X x", "2016-10-06 stdout F x"}) {
    BOOST_TEST(!ParseCriLogLine(bad).ok(), bad);
  }
}

BOOST_AUTO_TEST_CASE(times_are_read_with_fractions_and_offsets_and_checked) {
  BOOST_TEST(FormatRfc3339Nano(*ParseRfc3339("2024-02-29T23:00:00.5+02:00")) == "2024-02-29T21:00:00.500000000Z");
  BOOST_TEST(FormatRfc3339Nano(*ParseRfc3339("1969-12-31T23:59:59.25Z")) == "1969-12-31T23:59:59.250000000Z");
  for (const char* bad :
       {"2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-01T24:00:00Z",
        "2023-01-01T00:00:00", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00+0200", "2023-01-01T00:00:00Zx",
        "0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "2023-1-01T00:00:00Z", "2023-01-01t00:00:00Z"}) {
    BOOST_TEST(!ParseRfc3339(bad).ok(), bad);
  }
}

BOOST_AUTO_TEST_CASE(whole_and_partial_entries_are_joined_and_bad_lines_left_out) {
  Append(Line("one") + Line("tw", "P") + Line("o") + "garbage\n" + Line("three", "F", "stderr"));
  BOOST_TEST(Read() == "one\ntwo\nthree\n");
  BOOST_TEST(Read({.timestamps = true}) == kStamp + " one\n" + kStamp + " two\n" + kStamp + " three\n");
}

BOOST_AUTO_TEST_CASE(tail_limit_and_since_choose) {
  const auto stamp = [](int i) {
    return fmt::format("2020-01-01T{:02}:{:02}:{:02}.000000000Z", i / 3600, i / 60 % 60, i % 60);
  };
  std::string text;
  for (int i = 0; i < 5000; ++i) text += Line("line " + std::to_string(i), "F", "stdout", stamp(i));
  Append(text);
  BOOST_TEST(Read({.tail_lines = 2}) == "line 4998\nline 4999\n");
  BOOST_TEST(Read({.tail_lines = 0}) == "");
  BOOST_TEST(Read({.tail_lines = 100000}) == Read());
  BOOST_TEST(Read({.limit_bytes = 10}) == "line 0\nlin");
  BOOST_TEST(Read({.limit_bytes = 0}) == "");
  BOOST_TEST(Read({.since = *ParseRfc3339(stamp(4998))}) == "line 4998\nline 4999\n");
}

BOOST_AUTO_TEST_CASE(a_line_without_end_is_shown_in_bounded_pieces) {
  const std::string big(300'000, 'x');
  Append(Line("a") + Line(big) + Line("b"));
  size_t largest = 0;
  std::string all;
  BOOST_TEST(ReadContainerLogs(
                 Context::Background(), root, path, {}, [] { return false; },
                 [&](LogStream, std::string_view text) {
                   largest = std::max(largest, text.size());
                   all += text;
                   return Status();
                 })
                 .ok());
  BOOST_TEST((all == "a\n" + big + "\nb\n"));
  BOOST_TEST(largest <= 128u << 10);
  Append(std::string(200'000, 'y') + "\n" + Line("c"));
  BOOST_TEST(Read({.tail_lines = 1}) == "c\n");
  BOOST_TEST(Read().ends_with("b\nc\n"));
}

BOOST_AUTO_TEST_CASE(an_unfinished_last_line_is_shown_as_far_as_it_goes) {
  Append(Line("one") + kStamp + " stdout F tw");
  BOOST_TEST(Read() == "one\ntw");
}

BOOST_AUTO_TEST_CASE(links_directories_and_paths_outside_are_refused) {
  Append(Line("x"));
  fs::create_symlink("/etc/passwd", root + "/pod/c/1.log");
  path = root + "/pod/c/1.log";
  BOOST_TEST(Read().find("symbolic links are not followed") != std::string::npos);
  fs::create_directory_symlink("/etc", root + "/pod/link");
  path = root + "/pod/link/passwd";
  BOOST_TEST(Read().find("symbolic links are not followed") != std::string::npos);
  path = root + "/pod/c/../../../../etc/passwd";
  BOOST_TEST(Read().find("outside of") != std::string::npos);
  path = "/etc/passwd";
  BOOST_TEST(Read().find("is not beneath") != std::string::npos);
  path = root + "/pod/c";
  BOOST_TEST(Read().find("not a regular file") != std::string::npos);
  BOOST_REQUIRE(::mkfifo((root + "/pod/c/fifo").c_str(), 0600) == 0);
  path = root + "/pod/c/fifo";
  BOOST_TEST(Read().find("not a regular file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(following_sees_new_lines_and_rotation_and_ends_with_the_container) {
  Append(Line("old") + Line("first"));
  std::atomic<bool> running = true;
  std::string all;
  std::atomic<int> seen = 0;
  const auto wait_for = [&](int n) {
    while (seen < n) std::this_thread::yield();
  };
  std::thread writer([&] {
    wait_for(1);
    Append(Line("second"));
    wait_for(2);
    fs::rename(path, path + ".20260101-000000");
    {
      // The runtime still has the old file open.
      const UniqueFd fd = *OpenFile(path + ".20260101-000000", O_WRONLY | O_APPEND);
      BOOST_REQUIRE(WriteAll(fd.get(), Line("third"), path).ok());
    }
    wait_for(3);
    Append(Line("fourth"));
    wait_for(4);
    // The last words come before the end is known, and are not lost.
    Append(Line("fifth"));
    running = false;
  });
  const Status status = ReadContainerLogs(
      Context::Background().WithTimeout(20s), root, path, {.follow = true, .tail_lines = 1},
      [&] { return running.load(); },
      [&](LogStream, std::string_view text) {
        all += text;
        if (!text.empty()) ++seen;
        return Status();
      });
  seen = 100;
  writer.join();
  BOOST_TEST(status.ok());
  BOOST_TEST(all == "first\nsecond\nthird\nfourth\nfifth\n");
}

BOOST_AUTO_TEST_CASE(following_ends_when_cancelled_or_when_the_reader_leaves) {
  Append(Line("x"));
  std::stop_source stop;
  const Status cancelled = ReadContainerLogs(
      Context::Background().WithStop(stop.get_token()), root, path, {.follow = true}, [] { return true; },
      [&](LogStream, std::string_view) {
        std::thread([&] { stop.request_stop(); }).join();
        return Status();
      });
  BOOST_TEST((cancelled.code() == Code::kCancelled));
  const Status gone = ReadContainerLogs(
      Context::Background(), root, path, {.follow = true}, [] { return true; },
      [](LogStream, std::string_view) { return Error(Code::kServiceUnavailable, "gone"); });
  BOOST_TEST(gone.message() == "gone");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
