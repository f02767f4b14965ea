// Whether two objects are the same to the API: apiequality.Semantic.DeepEqual.
// Mirrors: k8s.io/apimachinery/pkg/api/equality/semantic.go
#pragma once

#include <google/protobuf/message.h>

namespace knarr::api {

// Both of one type. A Go value field that is absent equals a zero one, a Go pointer that is nil does not equal one to
// a zero; quantities are compared by value ("1" and "1000m").
bool SemanticEqual(const google::protobuf::Message& a, const google::protobuf::Message& b);

}  // namespace knarr::api
