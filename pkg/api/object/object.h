// An API object of any kind, for the steps that do not care which: a message of a generated type, or the JSON of a
// custom resource. Both have a typed ObjectMeta.
//
// A value with single ownership; const access from several threads is safe.
#pragma once

#include <google/protobuf/message.h>

#include <boost/json/fwd.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/api/codec/codec.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class ObjectMeta;
}

namespace knarr::api {

class Object {
 public:
  // A built-in kind; the message has a field `metadata` (KNARR_CHECKed), or none at all (reviews: TokenReview has one,
  // DeleteOptions has not).
  explicit Object(std::unique_ptr<google::protobuf::Message> message);
  // A custom resource. Splits "metadata" off; apiVersion and kind are dropped. Type errors in metadata are kBadRequest.
  static Result<Object> FromJson(boost::json::object json, const codec::DecodeOptions& options = {},
                                 std::vector<codec::Finding>* findings = nullptr);
  Object(Object&&) noexcept;
  Object& operator=(Object&&) noexcept;
  ~Object();

  Object Clone() const;

  bool custom() const { return body_ != nullptr; }
  // Built-in kinds only (KNARR_CHECK).
  google::protobuf::Message& message();
  const google::protobuf::Message& message() const;
  template <typename T>
  T& As() {
    return static_cast<T&>(message());
  }
  template <typename T>
  const T& As() const {
    return static_cast<const T&>(message());
  }
  std::unique_ptr<google::protobuf::Message> TakeMessage();
  // Custom resources only: everything but apiVersion, kind and metadata, in the order it came.
  boost::json::object& body();
  const boost::json::object& body() const;

  bool has_metadata() const { return meta_ != nullptr; }
  ::knarr::meta::ObjectMeta& metadata();
  const ::knarr::meta::ObjectMeta& metadata() const;

  // As Go prints it, with TypeMeta first (custom: keys sorted, as unstructured's).
  std::string ToJson(std::string_view api_version, std::string_view kind) const;
  // The same as a tree, for patches and merges.
  boost::json::object ToJsonValue(std::string_view api_version, std::string_view kind) const;

 private:
  Object();
  std::unique_ptr<google::protobuf::Message> message_;
  std::unique_ptr<boost::json::object> body_;
  std::unique_ptr<::knarr::meta::ObjectMeta> own_meta_;  // of custom resources
  ::knarr::meta::ObjectMeta* meta_ = nullptr;            // in message_ or own_meta_
};

using ObjectPtr = std::unique_ptr<Object>;

}  // namespace knarr::api
