#!/bin/bash
# lint.sh [STAGE...]: static analysis of everything that is built, without any complaint allowed. Stages: cppcheck (in every test
# run), analyzer (gcc -fanalyzer, of the host's side), tidy (clang-tidy: .clang-tidy, of the host's side); by default all. BUILD
# names the build, for what is generated there. The guest kernel, which is no program of a C library, is for cppcheck.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath -m "${BUILD:-build}")
stages=("$@")
[ $# -gt 0 ] || stages=(cppcheck analyzer tidy)
jobs=$(nproc)
host=(-std=gnu11 -D_GNU_SOURCE -Iabi -Ihypervisor -Iruntime "-I$build" "-I$build/runtime"
	'-DCALLGATE_VERSION="x"' '-DCALLGATE_LIBEXECDIR="x"')

host_files() {
	git ls-files 'hypervisor/*.c' 'runtime/*.c'
}

# each COMMAND...: for each file of the host's side; any output is a complaint.
each() {
	local said
	said=$(host_files | xargs -P"$jobs" -n1 "$@" 2>&1) || true
	[ -z "$said" ] || { echo "$said" && return 1; }
}

cppcheck_stage() {
	local options=(-q -j"$jobs" --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1
		--template='{file}:{line}: {message} [{id}]' --suppressions-list=tools/lint/cppcheck.txt -D__x86_64__ -Iabi)
	cppcheck "${options[@]}" --library=tools/lint/jansson.cfg -D_GNU_SOURCE -Ihypervisor -Iruntime hypervisor runtime
	cppcheck "${options[@]}" -Ikernel/include -Imachine/pv kernel machine/pv machine/kvm
}

analyzer_stage() {
	each tools/lint/analyzer.sh "${host[@]}"
}

tidy_stage() {
	each tools/lint/tidy.sh "${host[@]}"
}

failed=0
for stage in "${stages[@]}"; do
	echo "lint: $stage"
	"${stage}_stage" || failed=1
done
exit $failed
