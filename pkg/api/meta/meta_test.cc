#include <google/protobuf/text_format.h>
#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/meta/validation.h"

namespace knarr::api {
namespace {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, &message), text);
  return message;
}

std::string Lines(const field::ErrorList& errors) {
  std::string lines;
  for (const field::FieldError& error : errors) lines.append(lines.empty() ? "" : "\n").append(error.ToString());
  return lines;
}

std::string Create(const std::string& text, bool namespaced = true) {
  return Lines(ValidateObjectMeta(FromText<meta::ObjectMeta>(text), namespaced, names::NameIsDNSSubdomain,
                                  field::Path("metadata")));
}

std::string Update(const std::string& updated, const std::string& old) {
  return Lines(ValidateObjectMetaUpdate(FromText<meta::ObjectMeta>(updated), FromText<meta::ObjectMeta>(old),
                                        field::Path("metadata")));
}

BOOST_AUTO_TEST_SUITE(meta_validation)

BOOST_AUTO_TEST_CASE(new_metadata) {
  BOOST_TEST(Create(R"(name: "a" namespace: "b" labels { key: "k" value: "v" } finalizers: "x.io/y")") == "");
  BOOST_TEST(Create(R"(namespace: "b")") == "metadata.name: Required value: name or generateName is required");
  BOOST_TEST(Create(R"(name: "a")") == "metadata.namespace: Required value");
  BOOST_TEST(Create(R"(name: "a" namespace: "b")", false) == "metadata.namespace: Forbidden: not allowed on this type");
  BOOST_TEST(Create(R"(name: "a" namespace: "b" generation: -1)") ==
             "metadata.generation: Invalid value: -1: must be greater than or equal to 0");
  BOOST_TEST(Create(R"(name: "a" namespace: "b" finalizers: "mine")") ==
             "metadata.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it "
             "fully qualified");
  BOOST_TEST(Create(R"(name: "a" namespace: "b" finalizers: "orphan" finalizers: "foregroundDeletion")") ==
             "metadata.finalizers: Invalid value: []string{\"orphan\", \"foregroundDeletion\"}: finalizer orphan and "
             "foregroundDeletion cannot be both set");
  BOOST_TEST(Create(R"(name: "a" namespace: "b" managedFields { operation: "Merge" manager: "m\n" })") ==
             "metadata.managedFields[0].operation: Invalid value: \"Merge\": must be `Apply` or `Update`\n"
             "metadata.managedFields[0].manager: Invalid value: \"m\\n\": invalid character U+000A (at position 1)");
  BOOST_TEST(Create(R"(name: "a" namespace: "b" annotations { key: "k" value: ")" + std::string(262144, 'x') +
                    "\" }") == "metadata.annotations: Too long: may not be more than 262144 bytes");
  BOOST_TEST(
      Create(R"(name: "a" namespace: "b" ownerReferences { apiVersion: "v1" kind: "Event" name: "e" uid: "u" })") ==
      "metadata.ownerReferences: Invalid value: \"e\": /v1, Kind=Event is disallowed from being an owner");
}

BOOST_AUTO_TEST_CASE(custom_kinds_may_have_any_finalizer) {
  const auto metadata = FromText<meta::ObjectMeta>(R"(name: "a" namespace: "b" finalizers: "mine")");
  BOOST_TEST(
      ValidateObjectMeta(metadata, true, names::NameIsDNSSubdomain, field::Path("metadata"), Finalizers::kAny).empty());
}

BOOST_AUTO_TEST_CASE(changed_metadata) {
  const std::string old = R"(name: "a" namespace: "b" uid: "1" resourceVersion: "5" generation: 2
                             creationTimestamp { seconds: 1700000000 })";
  BOOST_TEST(Update(old, old) == "");
  BOOST_TEST(Update(R"(name: "a" namespace: "b" uid: "2" resourceVersion: "5" generation: 1
                       creationTimestamp { seconds: 1700000000 })",
                    old) ==
             "metadata.generation: Invalid value: 1: must not be decremented\n"
             "metadata.uid: Invalid value: \"2\": field is immutable");
  BOOST_TEST(Update(R"(name: "a" namespace: "b" uid: "1" generation: 2 creationTimestamp { seconds: 1700000001 }
                       deletionGracePeriodSeconds: 3)",
                    old) ==
             "metadata.resourceVersion: Invalid value: \"\": must be specified for an update\n"
             "metadata.creationTimestamp: Invalid value: 2023-11-14 22:13:21 +0000 UTC: field is immutable\n"
             "metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable");
  BOOST_TEST(Update(old + R"(deletionTimestamp { seconds: 9 } finalizers: "x.io/b" finalizers: "x.io/a")",
                    old + R"(deletionTimestamp { seconds: 9 } finalizers: "x.io/a")") ==
             "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
             "finalizers []string{\"x.io/b\"}");
}

BOOST_AUTO_TEST_CASE(names_in_paths) {
  const auto check = [](std::string_view name) {
    const names::Messages messages = ValidatePathSegmentName(name, false);
    return messages.empty() ? std::string() : messages.front();
  };
  BOOST_TEST(check("system:node") == "");
  BOOST_TEST(check("..") == "may not be '..'");
  BOOST_TEST(check("a/b") == "may not contain '/'");
  BOOST_TEST(check("a%b") == "may not contain '%'");
}

BOOST_AUTO_TEST_CASE(options_of_requests) {
  const auto check = [](const std::string& text) {
    return Lines(ValidateDeleteOptions(FromText<meta::DeleteOptions>(text)));
  };
  BOOST_TEST(check("gracePeriodSeconds: 0") == "");
  BOOST_TEST(check(R"(propagationPolicy: "Later")") ==
             "propagationPolicy: Unsupported value: \"Later\": supported values: \"Foreground\", \"Background\", "
             "\"Orphan\", \"nil\"");
  BOOST_TEST(
      check(R"(propagationPolicy: "Orphan" orphanDependents: true)") ==
      "propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set");
  BOOST_TEST(check(R"(dryRun: "Some")") == "dryRun: Unsupported value: []string{\"Some\"}: supported values: \"All\"");
  BOOST_TEST(Lines(ValidateFieldValidation("x", field::Path("fieldValidation"))) ==
             "fieldValidation: Unsupported value: \"x\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
}

BOOST_AUTO_TEST_CASE(conditions) {
  const auto object = FromText<core::Service>(R"(status {
    conditions { type: "Ready" status: "True" reason: "Fine" lastTransitionTime { seconds: 1 } }
    conditions { type: "Ready" status: "Maybe" reason: "not-fine" } })");
  BOOST_TEST(Lines(ValidateConditions(object.status().conditions(), field::Path("c"))) ==
             "c[1].type: Duplicate value: \"Ready\"\n"
             "c[1].status: Unsupported value: \"Maybe\": supported values: \"False\", \"True\", \"Unknown\"\n"
             "c[1].lastTransitionTime: Required value: must be set\n"
             "c[1].reason: Invalid value: \"not-fine\": a condition reason must start with alphabetic character, "
             "optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric "
             "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or "
             "'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
}

BOOST_AUTO_TEST_CASE(equality_is_of_meaning) {
  const auto equal = [](const std::string& a, const std::string& b) {
    return SemanticEqual(FromText<core::PodSpec>(a), FromText<core::PodSpec>(b));
  };
  BOOST_TEST(equal("", "hostNetwork: false nodeName: \"\""));
  BOOST_TEST(!equal("", "hostUsers: false"));
  BOOST_TEST(equal(R"(overhead { key: "cpu" value { string: "1" } })",
                   R"(overhead { key: "cpu" value { string: "1000m" } })"));
  BOOST_TEST(equal(R"(overhead { key: "memory" value { string: "1Ki" } })",
                   R"(overhead { key: "memory" value { string: "1024" } })"));
  BOOST_TEST(!equal(R"(overhead { key: "cpu" value { string: "1" } })",
                    R"(overhead { key: "cpu" value { string: "1001m" } })"));
  BOOST_TEST(!equal(R"(containers { name: "a" })", R"(containers { name: "b" })"));
}

BOOST_AUTO_TEST_CASE(status_updates_keep_metadata) {
  auto updated = FromText<meta::ObjectMeta>(
      R"(name: "a" generation: 9 labels { key: "x" value: "y" } finalizers: "f" deletionTimestamp { seconds: 1 })");
  ResetObjectMetaForStatus(updated, FromText<meta::ObjectMeta>(R"(generation: 3 annotations { key: "k" value: "v" })"));
  BOOST_TEST(updated.name() == "a");
  BOOST_TEST(updated.generation() == 3);
  BOOST_TEST(updated.labels().empty());
  BOOST_TEST(updated.annotations().at("k") == "v");
  BOOST_TEST(updated.finalizers().empty());
  BOOST_TEST(!updated.has_deletiontimestamp());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::api
