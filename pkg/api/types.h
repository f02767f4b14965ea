// Short names for the generated API types. An object is a protobuf message, in memory, in the store and on the wire.
// Include the generated header of the group you use, e.g. "k8s.io/api/core/v1/generated.pb.h".
#pragma once

namespace k8s::io {
namespace api::core::v1 {}
namespace api::apps::v1 {}
namespace api::batch::v1 {}
namespace apimachinery::pkg::apis::meta::v1 {}
namespace apimachinery::pkg::api::resource {}
namespace apimachinery::pkg::util::intstr {}
namespace apimachinery::pkg::runtime {}
}  // namespace k8s::io

namespace knarr {
namespace core = ::k8s::io::api::core::v1;
namespace apps = ::k8s::io::api::apps::v1;
namespace batch = ::k8s::io::api::batch::v1;
namespace meta = ::k8s::io::apimachinery::pkg::apis::meta::v1;
namespace resource_pb = ::k8s::io::apimachinery::pkg::api::resource;
namespace intstr_pb = ::k8s::io::apimachinery::pkg::util::intstr;
namespace runtime_pb = ::k8s::io::apimachinery::pkg::runtime;
}  // namespace knarr
