"""Knarr's build rules. Use these instead of the native ones: warnings, layout and test wiring are decided here."""

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wno-missing-field-initializers",
    # GCC 12 reports false positives through std::string and std::variant at -O2.
    "-Wno-maybe-uninitialized",
    "-Wno-restrict",
    "-Wno-stringop-overflow",
    "-Wno-stringop-overread",
    "-Wno-array-bounds",
]

def knarr_cc_library(name, copts = [], **kwargs):
    native.cc_library(
        name = name,
        copts = _COPTS + copts,
        linkstatic = 1,
        **kwargs
    )

def knarr_cc_binary(name, copts = [], linkopts = [], **kwargs):
    """A program, position independent; linkopts = ["-static-pie"] makes one without shared libraries."""
    native.cc_binary(
        name = name,
        copts = _COPTS + copts,
        # Not in .bazelrc: the last of -pie and -static-pie wins.
        linkopts = ["-pie"] + linkopts,
        **kwargs
    )

def knarr_cc_test(name, deps = [], copts = [], size = "small", **kwargs):
    """A Boost.Test program; its main is //pkg/testing:main. The suite is the library's name."""
    native.cc_test(
        name = name,
        copts = _COPTS + copts,
        linkstatic = 1,
        size = size,
        deps = deps + ["//pkg/testing:main"],
        **kwargs
    )

def knarr_cc_fuzz_test(name, srcs, corpus, deps = [], copts = [], **kwargs):
    """A fuzz target (LLVMFuzzerTestOneInput). As a test it replays its corpus.

    `make fuzz` links the same source with libFuzzer (clang).
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        copts = _COPTS + copts,
        linkstatic = 1,
        size = "small",
        data = native.glob(corpus),
        args = ["$(location %s)" % f for f in native.glob(corpus)],
        linkopts = select({
            "//bazel:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//bazel:libfuzzer": [],
            "//conditions:default": ["//pkg/testing:fuzz_replay"],
        }),
        **kwargs
    )
