#!/bin/bash
# test.sh BUILD [PYTEST-ARGUMENT...]: run tests in a virtual machine with what is built in BUILD (default: all
# that is meant for it, and those of SELinux in a second one), and exit with their status. BUILD/test-vm.xml and
# BUILD/test-vm-selinux.xml tell of each test.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

work=$(mktemp -d /var/tmp/callgate-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/build"
cp "$build/callgate" "$build/guest-pv.elf" "$work/build"
cp -r "$top/tests" "$work/tests"

# in_vm NAME [VM-OPTION...]: run inside.sh with "${tests[@]}", and keep the results as NAME.xml
in_vm() {
	local name=$1 status=0
	shift
	rm -f "$build/$name.xml"
	"$top/tools/vm.sh" -s "$work" -l "$build/$name.log" "$@" "tests/vm/inside.sh ${tests[*]@Q}" || status=$?
	cp "$work/out/tests.xml" "$build/$name.xml" || { echo "vm: no results; see $build/$name.log" >&2; return 1; }
	return "$status"
}

tests=("$@") failed=0
in_vm test-vm || failed=$?
if [ $# = 0 ]; then
	tests=(tests/vm/test_selinux.py)
	in_vm test-vm-selinux -k "security=selinux selinux=1 enforcing=0" || failed=$?
fi
exit "$failed"
