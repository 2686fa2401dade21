#!/bin/bash
# initrd.sh BUILD FOLDER FILE: make an initrd that has the kvm machine and nothing else: a busybox, callgate with what it is
# linked to, the keeper, and /x, a copy of FOLDER, whose `main` it runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 folder=$2 file=$3
kernel=$("$here/kernel.sh")

root=$(mktemp -d /var/tmp/callgate-initrd-XXXXXX)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc,modules,root,proc,sys,dev}
cp /bin/busybox "$root/bin/"
for module in virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-amd fs/overlayfs/overlay; do
	cp "$kernel/modules/kernel/$module.ko" "$root/modules/"
done
cp -r "$folder" "$root/x"
strip -o "$root/bin/callgate" "$build/callgate"
cp "$build/guest-kvm.elf" "$build/tests/vm/keeper" "$root/bin/"
while read -r library; do
	install -D "$library" "$root$library"
done < <(ldd "$build/callgate" | grep -o '/[^ ]*')
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"

# The first root can have nothing mounted over it, as containers need it: all moves to a tmpfs.
cat >"$root/init" <<'X'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /n
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 root /n
for each in /*; do case $each in /n | /proc | /sys | /dev) ;; *) cp -a $each /n/ ;; esac; done
mkdir -p /n/proc /n/sys /n/dev /n/run /n/tmp /n/var/tmp
chmod 1777 /n/tmp /n/var/tmp
for each in proc sys dev; do mount -o move /$each /n/$each; done
exec switch_root /n /start
X
cat >"$root/start" <<'X'
#!/bin/busybox sh
exec </dev/null >/dev/ttyS0 2>&1
export PATH=/bin HOME=/root
for each in irqbypass kvm kvm-amd overlay; do insmod /modules/$each.ko; done
mount -t cgroup2 cgroup /sys/fs/cgroup
for each in cpu cpuset memory pids; do echo +$each >/sys/fs/cgroup/cgroup.subtree_control; done
mkdir /sys/fs/cgroup/kept
echo 50000 >/sys/fs/cgroup/kept/cpu.max
keeper /sys/fs/cgroup/kept &
ip link set lo up
cd /x
sh ./main
echo "end $?"
poweroff -f
X
chmod +x "$root/init" "$root/start"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$file"
