#!/bin/bash
# kernel.sh [version]: get (once) the kernel that virtual machines of tests run, Debian's for clouds, and print its folder:
# vmlinuz, modules; or its version. It is loaded from outside: nothing of it is installed.
set -euo pipefail

kernel=linux-image-cloud-amd64
name=$(apt-cache depends "$kernel" | awk '$1 == "Depends:" && $2 ~ /^linux-image/ { print $2; exit }')
[ -n "$name" ] || { echo "vm: apt knows no $kernel" >&2; exit 1; }
cache=/var/cache/callgate/$name
[ "${1-}" != version ] || { echo "${name#linux-image-}"; exit; }

mkdir -p "$(dirname "$cache")"
exec 9>"$cache.lock"
flock 9
if [ ! -d "$cache" ]; then
	new=$cache.new
	rm -rf "$new"
	mkdir -p "$new"
	(cd "$new" && { apt-get -qq -o APT::Sandbox::User=root download "$name" ||
		{ apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download "$name"; }; } >&2)
	dpkg-deb -x "$new/$name"_*.deb "$new/x"
	mv "$new/x/boot/vmlinuz"-* "$new/vmlinuz"
	mv "$new/x/lib/modules/"* "$new/modules"
	rm -r "$new/x" "$new/$name"_*.deb
	mv "$new" "$cache"
fi
echo "$cache"
