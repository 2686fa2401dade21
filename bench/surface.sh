#!/bin/bash
# surface.sh BUILD: the system calls (docs/surface.json), and the kernel's functions (docs/surface-functions.json; their names in
# BUILD/surface): here, where the kernel lets its functions be traced, else in a virtual machine with Debian, by emulation, with a
# root file system that has the machine's own programs and those of the workloads; it is started anew for each workload and runtime.
# SURFACE_ONLY="runsc:web ..." measures some again, beside what BUILD/surface has of an earlier time.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)

/usr/bin/python3 "$top/bench/surface.py" --calls --build "$build"

if reason=$(/usr/bin/python3 "$top/bench/surface.py" --can); then
	mkdir -p "$build/surface"
	/usr/bin/python3 "$top/bench/surface.py" --build "$build" --names "$build/surface/names.json" --output "$build/surface/all.json"
	exec /usr/bin/python3 "$top/bench/surface_table.py" "$build/surface" "$top/docs/surface-functions.json"
fi
echo "surface: $reason; in a virtual machine, then" >&2
"$top/tools/deps.sh" vm

work=$(mktemp -d /var/tmp/callgate-surface-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/bench" "$work/tests" "$work/hypervisor" "$work/layer"
cp "$build/callgate" "$build/guest-pv.elf" "$work/build"
cp "$build/bench/ftrace-reader" "$work/build/bench"
cp -r "$top/bench" "$work"
cp "$top"/tests/*.py "$work/tests"
cp -r "$top/hypervisor/call" "$work/hypervisor"
cp "$("$top/bench/get-runsc.sh")" "$work/runsc"

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

# measure RUNTIME WORKLOAD
measure() {
	local found=$build/surface/$1-$2.json
	rm -rf "$found" "$work/out"
	"$top/tools/vm.sh" -i -n 1 -s "$work" -l "$build/surface/$1-$2.log" -m 2500 -t 900 \
		"mkdir -m 1777 tmp; mount --bind tmp /var/tmp; export CALLGATE_RUNSC=/share/runsc; bench/surface.py --build build \
		--runtimes $1 --only $2 --seconds 600 --rootfs /share/layer:/ --names out/names.json --output out/$1-$2.json"
	cp "$work/out/$1-$2.json" "$build/surface"
	cp "$work/out/names.json" "$build/surface/names-$1-$2.json"
}

status=0
mkdir -p "$build/surface"
read -ra pairs <<<"${SURFACE_ONLY:-$(echo {callgate,runc,runsc}:{shell,redis,web})}"
for pair in "${pairs[@]}"; do
	measure "${pair%:*}" "${pair#*:}" || status=$?
done
/usr/bin/python3 "$top/bench/surface_table.py" "$build/surface" "$top/docs/surface-functions.json"
exit "$status"
