#!/bin/bash
# layer.sh NAME: make (once) the layer of Debian packages that tests/software/layers/NAME lists, one package
# and its reason a line, over the tests' root file system, and print its path. It is an overlay's upper directory,
# cached by a hash of what goes into it; CALLGATE_LAYER_CACHE names another folder for all of them. CALLGATE_LAYERS is one with
# layers that were brought by their names (tests/vm/test-kvm.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=$1
list=$here/layers/$name
[ -f "$list" ] || { echo "layer: no list $list" >&2; exit 1; }
[ -z "${CALLGATE_LAYERS:-}" ] || { echo "$CALLGATE_LAYERS/$name"; exit; }
mapfile -t packages < <(awk '!/^#/ && NF { print $1 }' "$list")
recipe=1 # raise to make everybody's cache be built anew

rootfs=$("$here/../rootfs.sh")
hash=$(printf '%s\n' "$rootfs" "$recipe" "${packages[@]}" | sha256sum | cut -c1-12)
layer=${CALLGATE_LAYER_CACHE:-/var/cache/callgate}/layer-$name-$hash

in_root() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$new/root" "$@"
}

undo() {
	umount -l "$new/root/proc" 2>/dev/null || true
	umount -l "$new/root" 2>/dev/null || true
}

# In a mount namespace of its own; servers are not started, as policy-rc.d says.
build() {
	new=$layer.new
	echo "layer: making $layer (${#packages[@]} packages)" >&2
	trap undo EXIT
	rm -rf "$new"
	mkdir -p "$new"/{upper,work,root}
	mount -t overlay callgate-layer -o "lowerdir=$rootfs,upperdir=$new/upper,workdir=$new/work" "$new/root"
	mount -t proc proc "$new/root/proc"
	cat /etc/resolv.conf >"$new/root/etc/resolv.conf"
	printf '#!/bin/sh\nexit 101\n' >"$new/root/usr/sbin/policy-rc.d"
	chmod 755 "$new/root/usr/sbin/policy-rc.d"
	{
		in_root apt-get -q update
		in_root apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confdef install "${packages[@]}"
		in_root apt-get clean
	} </dev/null >"$new/log" 2>&1 || { tail -20 "$new/log" >&2; exit 1; }
	rm -rf "$new/root/usr/sbin/policy-rc.d" "$new/root"/var/lib/apt/lists/*_*
	undo
	trap - EXIT
	mv "$new/upper" "$layer"
	rm -rf "$new"
}

mkdir -p "$(dirname "$layer")"
exec 9>"$layer.lock"
flock 9
[ -d "$layer" ] || build
echo "$layer"
