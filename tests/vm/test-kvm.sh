#!/bin/bash
# test-kvm.sh BUILD [PYTEST-ARGUMENT...]: run tests on the kvm machine, in a virtual machine whose emulated CPU has AMD's
# virtualization, with what is built in BUILD: first with two virtual CPUs, then with one (KVM_CPUS: other numbers). Without
# arguments those of inside-kvm.sh. KVM_LAYERS: layers of tests/software that they need. BUILD/test-kvm-CPUS.xml tells of each test.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

work=$(mktemp -d /var/tmp/callgate-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/tests"
cp "$build/callgate" "$build/guest-kvm.elf" "$work/build"
for group in guest security vm; do
	mkdir "$work/build/tests/$group"
	find "$build/tests/$group" -maxdepth 1 -type f -perm /1 -exec cp -t "$work/build/tests/$group" {} +
done
cp -r "$top/tests" "$work/tests"
mkdir "$work/layers"
for layer in ${KVM_LAYERS:-}; do
	cp -a "$("$top/tests/software/layer.sh" "$layer")" "$work/layers/$layer"
done

failed=0
for cpus in ${KVM_CPUS:-2 1}; do
	name=test-kvm-$cpus status=0
	rm -f "$build/$name.xml"
	"$top/tools/vm.sh" -s "$work" -l "$build/$name.log" -m 2500 -t 7200 -n "$cpus" -c EPYC,+svm,+npt,+umip,-smap \
		"tests/vm/inside-kvm.sh ${*@Q}" || status=$?
	cp "$work/out/tests.xml" "$build/$name.xml" || { echo "vm: no results; see $build/$name.log" >&2; status=125; }
	[ "$status" = 0 ] || failed=$status
done
exit "$failed"
