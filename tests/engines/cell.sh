#!/bin/bash
# cell.sh NAME STATE [USER UID]: make the place that an engine of the tests lives in, say "ready",
# and keep it until standard input ends.
#
# A cell has mount, network and cgroup namespaces of its own: /run, /sys and (with USER) /etc are private,
# every cgroup is below NAME, and neither the machine's bridges nor its packet filter are touched.
# With USER there is such a user in it, with subordinate ids, who may open tun and fuse.
set -euo pipefail
name=$1 state=$2 user=${3-} uid=${4-}

# hierarchies: lines "MOUNT TYPE OPTIONS" of the mounted cgroup hierarchies.
hierarchies() {
	awk '$3 == "cgroup" || $3 == "cgroup2" {
		n = split($4, all, ","); own = ""
		for (i = 1; i <= n; i++)
			if (all[i] !~ /^(rw|relatime|nosuid|nodev|noexec|xattr|nsdelegate|memory_recursiveprot)$/)
				own = own (own ? "," : "") (all[i] ~ /^name=/ ? "none," : "") all[i]
		print $2, $3, own ? own : "rw" }' /proc/self/mounts
}

join_cgroups() {
	while read -r mount type _; do
		mkdir -p "$mount/$name/engine"
		for file in cpuset.cpus cpuset.mems; do
			[ "$type" = cgroup ] && [ -e "$mount/$file" ] || continue
			cat "$mount/$file" >"$mount/$name/$file"
			cat "$mount/$file" >"$mount/$name/engine/$file"
		done
	done < <(hierarchies)
	# The namespace's root is NAME; what runs is in NAME/engine, so that v2's rule about
	# inner nodes holds.
	hierarchies | while read -r mount _; do echo $$ >"$mount/$name/cgroup.procs"; done
}

leave_root() {
	hierarchies | while read -r mount _; do echo $$ >"$mount/engine/cgroup.procs"; done
}

mount_sys() {
	local list mount type options
	list=$(hierarchies)
	umount -R /sys
	mount -t sysfs sysfs /sys
	[[ $list == '/sys/fs/cgroup '* ]] || mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
	while read -r mount type options; do
		mkdir -p "$mount"
		mount -t "$type" -o "$options" cgroup "$mount"
	done <<<"$list"
}

add_user() {
	# A copy, as a file that the host replaces would take a mount on it away.
	cp -a /etc /run/etc
	mount --bind /run/etc /etc
	echo "$user:x:$uid:$uid::$state/home:/bin/bash" >>/etc/passwd
	echo "$user:x:$uid:" >>/etc/group
	echo "$user:$((uid * 100)):65536" | tee -a /etc/subuid >>/etc/subgid
	mkdir -p /run/dev "/run/user/$uid" "$state/home"
	mount -t tmpfs -o mode=755 dev /run/dev
	mknod -m 666 /run/dev/tun c 10 200
	mknod -m 666 /run/dev/fuse c 10 229
	mount --bind /run/dev/tun /dev/net/tun
	mount --bind /run/dev/fuse /dev/fuse
	chown "$uid:$uid" "/run/user/$uid" "$state/home"
	chmod 700 "/run/user/$uid"
}

if [ -z "${CELL_INSIDE-}" ]; then
	join_cgroups
	CELL_INSIDE=1 exec unshare --mount --net --cgroup --propagation private "$0" "$@"
fi
unset CELL_INSIDE
ip link set lo up
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock
mount_sys
leave_root
[ -z "$user" ] || add_user
mount --make-rshared /
echo ready
exec cat >/dev/null
