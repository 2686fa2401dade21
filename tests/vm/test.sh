#!/bin/bash
# test.sh BUILD [PYTEST-ARGUMENT...]: run tests in a virtual machine with what is built in BUILD (default: all
# that is meant for it), and exit with their status. BUILD/test-vm.xml tells of each test.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

work=$(mktemp -d /var/tmp/callgate-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/build"
cp "$build/callgate" "$build/guest-pv.elf" "$work/build"
cp -r "$top/tests" "$work/tests"
rm -f "$build/test-vm.xml"

status=0
"$top/tools/vm.sh" -s "$work" -l "$build/test-vm.log" "tests/vm/inside.sh ${*@Q}" || status=$?
cp "$work/out/tests.xml" "$build/test-vm.xml" || { echo "vm: no results; see $build/test-vm.log" >&2; exit 1; }
exit "$status"
