# The door to everything: `make help` lists what there is. Bazel does the building; nobody has to call it by hand.
SHELL := /bin/bash
BAZEL ?= bazel
PROGRAMS := kubelet kube-apiserver

.DEFAULT_GOAL := help
.PHONY: help deps build test unit integration asan tsan fuzz images up down bench golden clean format

help: ## this list
	@printf 'Knarr: a Kubernetes node appliance. Start with "make up", prove it with "make test".\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what building, testing and a node need (Debian packages; safe to repeat)
	@ci/deps.sh

build: deps ## build the programs into dist/bin (stripped)
	@$(BAZEL) build //cmd/...
	@ci/dist.sh $(PROGRAMS)

test: deps ## build and pass all tests that need no QEMU; ends with "N passed, N failed"
	@ci/test.sh unit integration

unit: deps ## only the unit tests
	@ci/test.sh unit

integration: deps ## only the tests that start real programs (containerd, runc, CNI plugins); needs root
	@ci/test.sh integration

asan: deps ## every unit test with AddressSanitizer and UndefinedBehaviorSanitizer
	@ci/test.sh --config=asan unit

tsan: deps ## every unit test with ThreadSanitizer
	@ci/test.sh --config=tsan unit

fuzz: deps ## every fuzz target for FUZZ_SECONDS (default 30) with libFuzzer
	@ci/fuzz.sh

images: build ## the OCI images, into dist/images
	@images/build.sh

up: build images ## a node on this machine: its own containerd and kubelet in private folders
	@ci/up.sh

down: ## stop that node and leave the machine as it was
	@ci/down.sh

bench: build images ## the benchmarks of the node, beside a raw CRI loop
	@bench/run.sh

golden: ## rewrite the golden files (and fail, so that nobody forgets to look at the difference)
	@KNARR_GOLDEN=write $(BAZEL) test --test_env=KNARR_GOLDEN --test_env=KNARR_SOURCE=$(CURDIR) //... ; echo "golden files rewritten: look at git diff"; exit 1

format: ## clang-format what git knows as changed
	@git diff --name-only --diff-filter=d HEAD -- '*.cc' '*.h' | xargs -r clang-format -i

clean: ## remove build output (and what Bazel remembers of system libraries)
	@$(BAZEL) clean --expunge || true
	@rm -rf dist
