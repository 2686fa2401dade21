#!/bin/bash
# fuzz.sh BUILD MINUTES: looks for inputs that break the targets of tests/fuzz, each in turn, for that long in all. It begins
# with the corpus in the tree; what is new goes to BUILD/fuzz/TARGET/corpus, what fails to BUILD/fuzz/TARGET, and then the exit
# status is 1. TARGETS="tty bpf" in the environment: only these. With KEEP=1 the small ones that are new go to the corpus
# in the tree, without those that add nothing. Needs root, and the packages of `tools/deps.sh fuzz`.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD build=$(realpath -m "$1")/fuzz minutes=$2
all=$(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
read -ra targets <<<"${TARGETS:-$(tr '\n' ' ' <<<"$all")}"
seconds=$((minutes * 60 / ${#targets[@]}))
[ $seconds -gt 0 ] || seconds=1

if [ ! -f "$build/build.ninja" ]; then
	# Warnings that only clang has are no errors here; and its sanitizers' functions are in programs, not in libraries.
	CC=clang CXX=clang++ meson setup -Dwerror=false -Db_lundef=false "$build" >/dev/null
fi
ninja -C "$build" callgate-toml "${targets[@]/#/tests/fuzz/fuzz_}" | tail -1

# words TARGET: the names that its parser knows, as a dictionary.
words() {
	local sources=()
	case $1 in
	spec | control) sources=(runtime/oci/*.c hypervisor/vm/commands.c hypervisor/vm/seccomp.c) ;;
	policy) sources=(runtime/policy/load.c) ;;
	paths) sources=(kernel/vfs/*.c kernel/fs/*.c) ;;
	texts) sources=(kernel/fs/proc/*.c kernel/fs/cgroup/*.c) ;;
	*) return 0 ;;
	esac
	grep -oh '"[A-Za-z0-9_.:/-]\{2,40\}"' "${sources[@]}" | sort -u | sed 's/^"\(.*\)"$/&\n"\\"\1\\""/'
}

# one TARGET: from its folder, by relative names: most targets move to a root directory of their own.
one() {
	local keep=$build/$1 seen=.
	mkdir -p "$keep/corpus"
	cp "$top/tests/fuzz/corpus/$1"/* "$keep/corpus/"
	words "$1" >"$keep/words"
	[ -s "$keep/words" ] || echo '"max"' >"$keep/words" # an empty one is refused
	[[ ! $1 =~ ^(call|kvm)$ ]] || seen=/keep # these make themselves a container, in which that folder has this name
	cd "$keep"
	CALLGATE_FUZZ_KEEP=$keep ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		"$build/tests/fuzz/fuzz_$1" -max_total_time=$seconds -max_len=4096 -timeout=20 -rss_limit_mb=4000 \
		-artifact_prefix=$seen/ -dict=$seen/words -print_final_stats=1 $seen/corpus >log 2>&1
}

# keep TARGET: those of its corpus that add something and are of one block, to the tree.
keep() {
	local found=$build/$1/small
	rm -rf "$found" && mkdir "$found"
	find "$build/$1/corpus" -type f -size -2 -exec cp -t "$found" {} +
	cp -n "$found"/* "tests/fuzz/corpus/$1/"
}

failed=0 n=0
for target in "${targets[@]}"; do
	echo "fuzz: $target ($((++n)) of ${#targets[@]}) for $seconds s"
	if ! (one "$target"); then
		failed=1
		echo "fuzz: $target FAILED: $build/$target"
		grep -v '^#[0-9]*	' "$build/$target/log" | tail -40
	fi
	grep -hE "^#[0-9]+.*(DONE|cov:)" "$build/$target/log" | tail -1 || echo "fuzz: $target did not begin"
	[ -z "${KEEP:-}" ] || keep "$target"
done
exit $failed
