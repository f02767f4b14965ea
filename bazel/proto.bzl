"""C++ from .proto files that live in the @schema repository."""

def schema_cc_proto(name, protos, grpc = False, deps = [], proto_root_label = "@schema//:BUILD.bazel", **kwargs):
    """One cc_library over the given .proto files of @schema; headers are included by their proto path."""
    srcs = []
    hdrs = []
    for p in protos:
        stem = p[:-len(".proto")]
        srcs.append(stem + ".pb.cc")
        hdrs.append(stem + ".pb.h")
        if grpc:
            srcs.append(stem + ".grpc.pb.cc")
            hdrs.append(stem + ".grpc.pb.h")
    plugin = "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(RULEDIR)" if grpc else ""
    native.genrule(
        name = name + "_gen",
        srcs = ["@schema//:" + p for p in protos] + [proto_root_label],
        outs = srcs + hdrs,
        # protoc warns about every import Go needs and C++ does not; real errors still fail the build.
        cmd = "protoc -I$$(dirname $(location {root})) -I/usr/include --cpp_out=$(RULEDIR) {plugin} {protos} 2>&1 | (grep -v 'warning: Import .* is unused' || true); exit $${{PIPESTATUS[0]}}".format(
            root = proto_root_label,
            plugin = plugin,
            protos = " ".join(["$(location @schema//:%s)" % p for p in protos]),
        ),
    )
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        includes = ["."],
        copts = ["-w"],
        linkstatic = 1,
        deps = deps + (["//bazel/deps:grpc"] if grpc else ["//bazel/deps:protobuf"]),
        **kwargs
    )
