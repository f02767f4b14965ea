"""Debian's rules_cc is too new for bazel-bootstrap 4.2; the native rules are all that Knarr needs."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
