// Pods from protobuf text, defaulted and validated; what is found is compared as one text, an error a line.
#pragma once

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include <google/protobuf/text_format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"

namespace knarr::api::testing {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, &message), text);
  return message;
}

inline std::string Lines(const field::ErrorList& errors) {
  std::string lines;
  for (const field::FieldError& error : errors) lines.append(lines.empty() ? "" : "\n").append(error.ToString());
  return lines;
}

inline std::string PodErrors(const std::string& pod_text, const PodValidationOptions& options = {}) {
  auto pod = FromText<core::Pod>(pod_text);
  SetDefaults(pod);
  return Lines(ValidatePod(pod, options));
}

// The errors of a good pod with this added to its spec.
inline std::string SpecErrors(const std::string& spec, const PodValidationOptions& options = {}) {
  return PodErrors(
      R"(metadata { name: "p" namespace: "ns" } spec { containers { name: "c" image: "i:1" } )" + spec + "}", options);
}

// The errors of a good pod with this added to its only container (and that to its spec).
inline std::string ContainerErrors(const std::string& container, const std::string& spec = "",
                                   const PodValidationOptions& options = {}) {
  return PodErrors(R"(metadata { name: "p" namespace: "ns" } spec { containers { name: "c" image: "i:1" )" + container +
                       "}" + spec + "}",
                   options);
}

// The errors of a good pod with this volume.
inline std::string VolumeErrors(const std::string& source) {
  return SpecErrors("volumes { name: \"v\" volumeSource { " + source + " } }");
}

struct Case {
  std::string text;
  std::string errors;
};

template <typename Check, size_t N>
void RunCases(Check check, const Case (&cases)[N]) {
  for (const Case& test : cases) {
    BOOST_TEST_CONTEXT(test.text) {
      BOOST_TEST(check(test.text) == test.errors);
    }
  }
}

}  // namespace knarr::api::testing
