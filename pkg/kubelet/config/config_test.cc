#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(kubelet_config)

BOOST_AUTO_TEST_CASE(start_reports_what_is_there_and_changes_follow) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const State state = sources.Start();
  BOOST_TEST(state->sources_ready);
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(state->pods.at(0).file == dir.File("web.yaml"));
  dir.Write("db.yml", PodYaml("db"));
  sources.WaitForNames("default/db-node1 default/web-node1");
  dir.Write(
      "tmp",
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"api"},"spec":{"containers":[{"name":"c","image":"i"}]}})");
  dir.Rename("tmp", "api.json");
  sources.WaitForNames("default/api-node1 default/db-node1 default/web-node1");
  dir.Rename("web.yaml", "web.yaml.bak");
  sources.WaitForNames("default/api-node1 default/db-node1");
  dir.Remove("db.yml");
  sources.WaitForNames("default/api-node1");
}

BOOST_AUTO_TEST_CASE(without_a_source_it_is_ready_and_empty) {
  Sources sources(Sources::Of(""));
  const State state = sources.Start();
  BOOST_TEST(state->sources_ready);
  BOOST_TEST(state->pods.empty());
  BOOST_TEST(state->problems.empty());
}

BOOST_AUTO_TEST_CASE(an_empty_directory_is_ready) {
  TestDir dir;
  Sources sources(Sources::Of(dir.path()));
  const State state = sources.Start();
  BOOST_TEST(state->sources_ready);
  BOOST_TEST(Problems(*state) == "");
}

BOOST_AUTO_TEST_CASE(only_manifests_by_name_are_read) {
  TestDir dir;
  for (const char* name : {".web.yaml", "web.yaml~", "web.yaml.bak", "web.YAML", "web", "web.txt", ".yaml", "4913"})
    dir.Write(name, PodYaml("bad"));
  BOOST_REQUIRE(MakeDirs(dir.File("sub.yaml")).ok());
  dir.Write("sub.yaml/web.yaml", PodYaml("sub"));
  dir.Write("good.yaml", PodYaml("good"));
  Sources sources(Sources::Of(dir.path()));
  const State state = sources.Start();
  BOOST_TEST(Names(*state) == "default/good-node1");
  BOOST_TEST(Problems(*state) == "");
}

BOOST_AUTO_TEST_CASE(one_file_may_be_the_source) {
  TestDir dir;
  dir.Write("web.manifest", PodYaml("web"));
  dir.Write("other.yaml", PodYaml("other"));
  Sources sources(Sources::Of(dir.File("web.manifest")));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  dir.Write("web.manifest", PodYaml("web", "nginx:2"));
  sources.WaitFor([&](const DesiredState& s) { return s.pods.at(0).pod != pod; });
  dir.Write("next", PodYaml("web", "nginx:3"));
  dir.Rename("next", "web.manifest");
  sources.WaitFor([&](const DesiredState& s) { return s.pods.at(0).pod->spec().containers(0).image() == "nginx:3"; });
  dir.Remove("web.manifest");
  BOOST_TEST(Names(*sources.WaitForProblem("no such file or directory")) == "default/web-node1");
  dir.Write("web.manifest", PodYaml("web", "nginx:4"));
  sources.WaitFor([&](const DesiredState& s) { return s.pods.at(0).pod->spec().containers(0).image() == "nginx:4"; });
}

BOOST_AUTO_TEST_CASE(special_and_large_files_are_refused_without_being_read) {
  TestDir dir;
  BOOST_REQUIRE(::mkfifo(dir.File("pipe.yaml").c_str(), 0600) == 0);
  dir.Link("/dev/zero", "zero.yaml");
  dir.Write("large.yaml", "");
  BOOST_REQUIRE(::truncate(dir.File("large.yaml").c_str(), off_t{1} << 40) == 0);
  dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const State state = sources.Start();
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(Problems(*state) == dir.File("large.yaml") + ": is larger than 1048576 bytes\n" + dir.File("pipe.yaml") +
                                     ": is not a regular file\n" + dir.File("zero.yaml") + ": is not a regular file\n");
}

BOOST_AUTO_TEST_CASE(an_emptied_file_keeps_its_pod) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  dir.Write("web.yaml", "");
  const State state = sources.WaitForProblem("no object in it");
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(state->problems.at(0).keeps == "default/web-node1");
}

BOOST_AUTO_TEST_CASE(a_hard_link_is_a_manifest_too) {
  TestDir dir;
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  dir.Write("source", PodYaml("web"));
  BOOST_REQUIRE(::link(dir.File("source").c_str(), dir.File("web.yaml").c_str()) == 0);
  sources.WaitForNames("default/web-node1");
}

BOOST_AUTO_TEST_CASE(a_bad_file_is_reported_once_with_since_when) {
  TestDir dir;
  dir.Write("web.yaml", "{");
  FakeClock clock;
  Sources sources(Sources::Of(dir.path()), clock);
  const WallTime since = sources.Start()->problems.at(0).since;
  clock.Advance(std::chrono::minutes(1));
  dir.Write("web.yaml", "{");
  sources.Rescan();
  BOOST_TEST(sources.history().size() == 1U);
  dir.Write("db.yaml", PodYaml("db"));
  const State state = sources.Rescan();
  BOOST_REQUIRE(state->problems.size() == 1U);
  BOOST_TEST((state->problems[0].since == since));
}

BOOST_AUTO_TEST_CASE(config_maps_and_secrets_of_all_files_are_found_and_updates_are_news) {
  TestDir dir;
  const auto map = [](const std::string& value) {
    return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: " + value + "}\n";
  };
  dir.Write("c.yaml", map("one"));
  dir.Write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: x}\n");
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  BOOST_TEST((*sources->GetConfigMap("default", "c"))->data().at("k") == "one");
  BOOST_TEST(sources->GetSecret("x", "s").ok());
  BOOST_TEST(sources->GetConfigMap("default", "d").status().message() == "configmap \"d\" not found");
  BOOST_TEST(sources->GetSecret("default", "s").status().message() == "secret \"s\" not found");
  BOOST_TEST(sources->GetSecret("default", "s").status().Is(Code::kNotFound));
  dir.Write("c.yaml", map("two"));
  sources.WaitFor([](const DesiredState& s) { return s.config_maps.at({"default", "c"})->data().at("k") == "two"; });
  dir.Write("a.yaml", map("three"));
  const State state = sources.WaitForProblem("configmap default/c is already defined in " + dir.File("c.yaml"));
  BOOST_TEST((*sources->GetConfigMap("default", "c"))->data().at("k") == "two");
  BOOST_TEST(state->problems.at(0).keeps == "");
}

BOOST_AUTO_TEST_CASE(a_file_is_taken_whole_or_not_at_all) {
  TestDir dir;
  const std::string map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: ";
  dir.Write("web.yaml", PodYaml("web") + map + "one}\n");
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  dir.Write("web.yaml", PodYaml("web", "nginx:2", "", "  bad: field\n") + map + "two}\n");
  const State state = sources.WaitForProblem("unknown field \"spec.bad\"");
  BOOST_TEST(state->pods.at(0).pod->spec().containers(0).image() == "nginx:1");
  BOOST_TEST(state->config_maps.at({"default", "c"})->data().at("k") == "one");
}

BOOST_AUTO_TEST_CASE(a_kubelet_that_starts_while_the_directory_is_missing_keeps_what_it_knew) {
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  root.Write("m/web.yaml", PodYaml("web"));
  PodConfigOptions options = Sources::Of(root.File("m"));
  options.state_dir = root.File("state");
  std::string uid;
  {
    Sources sources(options);
    uid = UidOf(*sources.Start(), "default/web-node1");
    sources.Rescan();
  }
  root.Rename("m", "away");
  FakeClock clock;
  Sources sources(options, clock);
  State state = sources.Start();
  BOOST_TEST(UidOf(*state, "default/web-node1") == uid);
  BOOST_TEST(!state->sources_ready);
  clock.Advance(std::chrono::minutes(6));
  state = sources.WaitForNames("");
  BOOST_TEST(state->sources_ready);
}

BOOST_AUTO_TEST_CASE(thousands_of_files_are_read) {
  TestDir dir;
  for (int i = 0; i < 3000; ++i) dir.Write(fmt::format("pod{:04}.yaml", i), PodYaml(fmt::format("pod{:04}", i)));
  Sources sources(Sources::Of(dir.path()));
  BOOST_TEST(sources.Start()->pods.size() == 3000U);
  dir.Write("one-more.yaml", PodYaml("one-more"));
  sources.WaitFor([](const DesiredState& s) { return s.pods.size() == 3001; });
}

BOOST_AUTO_TEST_CASE(stop_may_come_at_any_time_and_twice) {
  TestDir dir;
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  sources->Stop();
  sources->Stop();
  sources->Rescan();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
