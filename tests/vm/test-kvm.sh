#!/bin/bash
# test-kvm.sh BUILD [PYTEST-ARGUMENT...]: run tests on the kvm machine, in a virtual machine whose emulated CPU has AMD's
# virtualization, with what is built in BUILD (default: the guest tests, and those of inside-kvm.sh). BUILD/test-kvm.xml
# tells of each test.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

work=$(mktemp -d /var/tmp/callgate-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/tests"
cp "$build/callgate" "$build/guest-kvm.elf" "$work/build"
for group in guest security; do
	mkdir "$work/build/tests/$group"
	find "$build/tests/$group" -maxdepth 1 -type f -perm /1 -exec cp -t "$work/build/tests/$group" {} +
done
cp -r "$top/tests" "$work/tests"

rm -f "$build/test-kvm.xml"
status=0
"$top/tools/vm.sh" -s "$work" -l "$build/test-kvm.log" -m 2500 -t 3600 -c EPYC,+svm,+npt,-smap \
	"tests/vm/inside-kvm.sh ${*@Q}" || status=$?
cp "$work/out/tests.xml" "$build/test-kvm.xml" || { echo "vm: no results; see $build/test-kvm.log" >&2; exit 1; }
exit "$status"
