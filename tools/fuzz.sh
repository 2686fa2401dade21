#!/bin/bash
# fuzz.sh BUILD MINUTES: fuzzes each target of tests/fuzz for that long, from the corpus in the tree. What is new goes to
# BUILD/fuzz/TARGET/corpus, what fails to BUILD/fuzz/TARGET: then the exit status is 1. With KEEP=1 the small ones that are
# new go to the corpus in the tree. Needs root, and the packages of `tools/deps.sh fuzz`.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath -m "$1")/fuzz minutes=$2 targets=${TARGETS:-netlink control call}

cflags=(-g -O1 -std=gnu11 -D_GNU_SOURCE -fno-strict-aliasing -fsanitize=fuzzer,address,undefined
	-fno-sanitize-recover=all -fsanitize-recover=unsigned-integer-overflow -Iabi -Ihypervisor -Iruntime)
libs=(-ljansson -lcap -lseccomp -lZydis -lcmocka -lpthread)

# The sources of a unit test, as tests/unit/meson.build lists them.
sources_of() {
	sed -n "/^  '$1': files(/,/),\$/p" tests/unit/meson.build | grep -o "'\.\./\.\./[^']*'" | tr -d "'" | sed 's,^\.\./\.\./,,'
}

sources() {
	case $1 in
	call) echo tests/unit/hypervisor/fake_guest.c hypervisor/call/*.c ;;
	netlink) echo hypervisor/call/netlink.c ;;
	control) sources_of control ;;
	esac
}

failed=0
for target in $targets; do
	corpus=tests/fuzz/corpus/$target keep=$build/$target seen=$build/$target
	mkdir -p "$keep/corpus"
	cp "$corpus"/* "$keep/corpus/"
	# shellcheck disable=SC2046 # a list of files
	clang "${cflags[@]}" -o "$build/fuzz_$target" "tests/fuzz/fuzz_$target.c" $(sources "$target") "${libs[@]}"
	# The target of calls makes itself a container, in which that folder has another name.
	[ "$target" != call ] || seen=/keep
	export CALLGATE_FUZZ_KEEP=$keep ASAN_OPTIONS=detect_leaks=0
	echo "fuzz: $target for $minutes min"
	"$build/fuzz_$target" -max_total_time=$((minutes * 60)) -max_len=4096 -timeout=20 -rss_limit_mb=3000 \
		-artifact_prefix="$seen/" -print_final_stats=1 "$seen/corpus" 2>&1 | tee "$keep/log" | tail -12 ||
		failed=1
	if [ -n "${KEEP:-}" ]; then
		find "$keep/corpus" -type f -size -2 -exec cp -n -t "$corpus" {} + # one block: the small ones
	fi
done
exit $failed
