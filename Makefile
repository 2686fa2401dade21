# A thin front for meson. BUILD=DIR builds somewhere else.
BUILD ?= build
PREFIX ?= /usr/local
PYTEST = /usr/bin/python3 -m pytest -p no:cacheprovider
TESTS ?= tests/guest tests/integration tests/conformance tests/security tests/engines tests/software tests/vm/test_kvm.py

all: $(BUILD)/build.ninja
	@flock $(BUILD)/.lock ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is missing: run 'make deps-build'"; exit 1; }
	@mkdir -p $(BUILD)
	@flock $(BUILD)/.lock meson setup --prefix=$(PREFIX) $(BUILD)

# Build checks and unit tests, then everything that needs a container. A test that waits for a loaded machine may fail once: it runs
# again, and the report shows both. Not those of tests/security; and more than three such tests fail (tests/conftest.py).
test: deps-test deps-vm check
	BUILD=$(BUILD) tools/lint.sh cppcheck
	tests/rootfs.sh >/dev/null
	CALLGATE_BUILD=$(abspath $(BUILD)) $(PYTEST) -q --reruns 1 $(TESTS) </dev/null

check: all
	meson test -C $(BUILD) --print-errorlogs

# What this machine's kernel can't show: unified cgroups, systemd, AppArmor. In a virtual machine, by emulation.
test-vm: deps-vm all
	tests/vm/test.sh $(BUILD) $(TESTS_VM)

# Other people's software, all of it, beside runc: gigabytes of packages. Results go to docs/compatibility.json.
TESTS_SOFTWARE ?= tests/software
test-software: deps-test all
	CALLGATE_BUILD=$(abspath $(BUILD)) CALLGATE_SOFTWARE=all CALLGATE_SOFTWARE_RESULTS=docs/compatibility.json \
		$(PYTEST) -v $(TESTS_SOFTWARE) </dev/null
	tools/gen-compatibility.py kernel/sys/syscalls.tbl docs/compatibility.json >docs/compatibility.md

# The kvm machine: guest and integration tests, with two virtual CPUs and with one, in a virtual machine whose emulated CPU has
# AMD's virtualization. First what is in `make test`, too, and takes a minute or two (test-kvm-first); all of it takes more than an hour.
test-kvm: test-kvm-first
	tests/vm/test-kvm.sh $(BUILD) $(TESTS_KVM)

test-kvm-first: deps-test deps-vm all
	CALLGATE_BUILD=$(abspath $(BUILD)) $(PYTEST) -q --reruns 1 tests/vm/test_kvm.py </dev/null

test-all: test test-vm test-kvm

demo: deps-demo all
	tools/demo.sh $(BUILD)

bench bench-quick: deps-bench all
	/usr/bin/python3 bench/bench.py --build $(BUILD) $(if $(filter bench-quick,$@),--quick)

# Looks for inputs that break parsers of what is not trusted, and the guest kernel: the targets of tests/fuzz, MINUTES in all.
MINUTES ?= 15
fuzz: deps-fuzz
	tools/fuzz.sh $(BUILD) $(MINUTES)

# What a container reaches of its host's kernel, beside runc and runsc: docs/surface.json. In a virtual machine where the
# host does not let its kernel's functions be traced.
surface: deps-bench all
	bench/surface.sh $(BUILD)

# Mixed load for HOURS; fails if anything grows. docs/soak.json, docs/soak.svg. DUTY is the share of the time that each load
# works in: 1 on a machine of its own, 0.04 beside other work.
HOURS ?= 2
DUTY ?= 1
soak: deps-bench all
	/usr/bin/python3 bench/soak.py --build $(BUILD) --hours $(HOURS) --duty $(DUTY)

# Kills host processes of containers at random instants, RUNS times; SEED names the sequence.
RUNS ?= 500
SEED ?= 1
faults: deps-test all
	tests/rootfs.sh >/dev/null
	CALLGATE_BUILD=$(abspath $(BUILD)) CALLGATE_FAULT_RUNS=$(RUNS) CALLGATE_FAULT_SEED=$(SEED) \
		$(PYTEST) -q tests/integration/test_faults.py </dev/null

# Static analysis: cppcheck, gcc -fanalyzer, clang-tidy.
.PHONY: lint deps-lint
lint: deps-lint all
	BUILD=$(BUILD) tools/lint.sh $(LINT)

install: all
	meson install -C $(BUILD) --no-rebuild

deb: deps-deb
	@mkdir -p $(BUILD)
	@flock $(BUILD)/.lock packaging/deb/build.sh $(BUILD)

clean:
	rm -rf $(BUILD)

deps-build deps-test deps-vm deps-demo deps-bench deps-deb deps-lint deps-fuzz:
	@tools/deps.sh $(@:deps-%=%)

.PHONY: all test test-all test-vm test-kvm test-kvm-first test-software check demo bench bench-quick fuzz faults surface soak install deb clean deps-build deps-test deps-vm deps-demo deps-bench deps-deb deps-fuzz
