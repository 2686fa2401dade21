#!/bin/bash
# rootfs.sh: make (once) the Debian root file system that the tests run in, and print its path.
# It is cached by a hash of what goes into it; CALLGATE_ROOTFS_CACHE names another place.
set -euo pipefail

packages=(
	apt bash bind9-dnsutils bsdutils bubblewrap busybox-static ca-certificates caddy coreutils curl dnsmasq-base dpkg file
	findutils gawk gcc gdb git grep gzip haproxy iperf3 iproute2 iputils-ping less libc6-dev lsof ltrace make mount net-tools
	netcat-openbsd nginx nodejs openssh-client openssh-server passwd perl postgresql-15 procps psmisc python3
	python3-minimal redis-server redis-tools sed strace tar tmux unbound util-linux vim-tiny wrk
)
suite=bookworm
recipe=1 # raise to make everybody's cache be built anew

hash=$(printf '%s\n' "$suite" "$recipe" "${packages[@]}" | sha256sum | cut -c1-12)
rootfs=${CALLGATE_ROOTFS_CACHE:-/var/cache/callgate/rootfs-$hash}

build() {
	local lines
	lines=$("$(dirname "$0")/debian-sources.sh" "$suite")
	echo "rootfs: making $rootfs (Debian $suite, ${#packages[@]} packages)" >&2
	rm -rf "$rootfs.new"
	printf '%s\n' "$lines" |
		mmdebstrap --quiet --mode=root --variant=essential \
			--include="$(IFS=,; echo "${packages[*]}")" \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--customize-hook='chroot "$1" useradd --create-home --uid 1000 tester' \
			--customize-hook='echo "127.0.0.1 localhost" >"$1/etc/hosts"' \
			"$suite" "$rootfs.new" - >&2
	mv "$rootfs.new" "$rootfs"
}

mkdir -p "$(dirname "$rootfs")"
exec 9>"$rootfs.lock"
flock 9
[ -d "$rootfs" ] || build
echo "$rootfs"
