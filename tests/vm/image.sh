#!/bin/bash
# image.sh: make (once) a bootable Debian for tests in a virtual machine, and print its folder:
# root.img (ext4, systemd), vmlinuz. It is cached by a hash of what goes into it; CALLGATE_VM_CACHE
# names another place.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# The kernel (kernel.sh) has NVMe, ext4 and the serial port built in: it needs no initrd.
packages=(
	apparmor bash busybox-static conmon coreutils crun dbus dbus-user-session gawk iproute2 kmod
	libjansson4 libpam-systemd libseccomp2 libzydis4.0 mount netavark passwd podman policycoreutils polkitd
	procps python3 python3-pyte python3-pytest runc selinux-policy-default strace systemd-sysv uidmap util-linux
)
suite=bookworm
recipe=1 # raise to make everybody's cache be built anew

hash=$({ printf '%s\n' "$suite" "$recipe" "${packages[@]}"; cat "$here/vm-command"; } |
	sha256sum | cut -c1-12)
cache=${CALLGATE_VM_CACHE:-/var/cache/callgate/vm-$hash}

make_root() {
	local lines
	lines=$("$here/../debian-sources.sh" "$suite")
	printf '%s\n' "$lines" |
		mmdebstrap --quiet --mode=root --variant=essential \
			--include="$(IFS=,; echo "${packages[*]}")" \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--customize-hook='chroot "$1" useradd --create-home --uid 1000 tester' \
			"$suite" "$1" -
}

add_kernel() {
	local root=$1 from
	from=$("$here/kernel.sh")
	mkdir -p "$root/usr/lib/modules"
	cp "$from/vmlinuz" "$root.deb/vmlinuz"
	cp -r "$from/modules" "$root/usr/lib/modules/$("$here/kernel.sh" version)"
	chroot "$root" depmod "$("$here/kernel.sh" version)"
}

add_command() {
	local root=$1
	install -m 755 "$here/vm-command" "$root/usr/local/sbin/vm-command"
	cat >"$root/etc/systemd/system/vm-command.service" <<-'EOF'
		[Unit]
		Description=The command that this machine was started for
		After=dbus.service systemd-logind.service
		[Service]
		Type=oneshot
		ExecStart=/usr/local/sbin/vm-command
		StandardOutput=tty
		TTYPath=/dev/ttyS1
		[Install]
		WantedBy=multi-user.target
	EOF
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/share"
	ln -s ../vm-command.service "$root/etc/systemd/system/multi-user.target.wants/"
	# nobody logs in, nothing is logged to disk, and no time goes into it
	for unit in getty.target systemd-journal-flush.service systemd-update-utmp.service \
		e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	echo vm >"$root/etc/hostname"
	echo "127.0.0.1 localhost vm" >"$root/etc/hosts"
}

build() {
	local new=$cache.new
	echo "vm: making $cache (Debian $suite, ${#packages[@]} packages)" >&2
	rm -rf "$new" "$new.root" "$new.root.deb"
	mkdir -p "$new" "$new.root.deb"
	make_root "$new.root" >&2
	add_kernel "$new.root"
	add_command "$new.root"
	mv "$new.root.deb/vmlinuz" "$new/vmlinuz"
	mke2fs -q -t ext4 -d "$new.root" "$new/root.img" 1500M >/dev/null
	rm -rf "$new.root" "$new.root.deb"
	mv "$new" "$cache"
}

mkdir -p "$(dirname "$cache")"
exec 9>"$cache.lock"
flock 9
[ -d "$cache" ] || build
echo "$cache"
