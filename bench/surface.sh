#!/bin/bash
# surface.sh BUILD: the system calls (docs/surface.json), and the kernel's functions (docs/surface-functions.json; their names in
# BUILD/surface-names.json): here, where the kernel lets its functions be traced, else in a virtual machine with Debian, by
# emulation, with a root file system that has the machine's own programs and those of the workloads.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)

/usr/bin/python3 "$top/bench/surface.py" --calls --build "$build"

if reason=$(/usr/bin/python3 "$top/bench/surface.py" --can); then
	exec /usr/bin/python3 "$top/bench/surface.py" --build "$build" --names "$build/surface-names.json" \
		--output "$top/docs/surface-functions.json"
fi
echo "surface: $reason; in a virtual machine, then, and without runsc, which comes to a stop there" >&2
"$top/tools/deps.sh" vm

work=$(mktemp -d /var/tmp/callgate-surface-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/bench" "$work/tests" "$work/hypervisor" "$work/layer"
cp "$build/callgate" "$build/guest-pv.elf" "$work/build"
cp "$build/bench/ftrace-reader" "$work/build/bench"
cp -r "$top/bench" "$work"
cp "$top"/tests/*.py "$work/tests"
cp -r "$top/hypervisor/call" "$work/hypervisor"

# What the machine's Debian lacks: a layer over its own root.
rootfs=$("$top/tests/rootfs.sh")
lib=usr/lib/x86_64-linux-gnu
mkdir -p "$work/layer/usr/bin" "$work/layer/$lib"
for program in redis-server redis-benchmark wrk; do
	cp -L "$rootfs/usr/bin/$program" "$work/layer/usr/bin"
	chroot "$rootfs" ldd "/usr/bin/$program" | grep -o '/[^ ]*/x86_64-linux-gnu/[^ ]*' | while read -r library; do
		cp -L "$rootfs$library" "$work/layer/$lib"
	done
done

status=0
"$top/tools/vm.sh" -s "$work" -l "$build/surface-vm.log" -m 2500 -t 3600 \
	"mkdir -m 1777 tmp; mount --bind tmp /var/tmp; bench/surface.py --build build --runtimes callgate,runc \
	--rootfs /share/layer:/ --names out/names.json --output out/surface.json" || status=$?
cp "$work/out/names.json" "$build/surface-names.json"
cp "$work/out/surface.json" "$top/docs/surface-functions.json"
exit "$status"
