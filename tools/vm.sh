#!/bin/bash
# vm.sh [OPTIONS] COMMAND...: run a shell command in a virtual machine with Debian and systemd, as
# root, and exit with its status. Its output is ours; it gets no input.
#
#   -s DIR   a folder to share: a copy of it is /share, where the command starts; what it
#            leaves in /share/out is copied to DIR/out
#   -k ARGS  further arguments of its kernel, such as systemd.unified_cgroup_hierarchy=0
#   -l FILE  what its console shows (default: nowhere)
#   -c CPU   of QEMU (default: max,-smap)
#   -m MIB   memory (default: 1536)
#   -n CPUS  (default: 2)
#   -t SECS  the most it may take (default: 900)
#   -i       its time goes by what it executes, not by the host's: slower, but its timers never come faster than it can serve
#            them, however slow that is made by tracing
#
# Without hardware virtualization, as anywhere else: QEMU translates (TCG). CALLGATE_VM_ACCEL=kvm
# is for who has it. The machine has no network, and what is written outside /share/out is lost.
# Without tests of the kernel's ciphers, one of which sometimes never ends under TCG. Nor does it look whether timers come, which on a loaded machine they do too late. Without SMAP: the iret of a program to itself, which ends our guests' signal handlers, is a
# page fault under the TCG of QEMU 7 where that is on.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)

share= kernel_args= log=/dev/null memory=1536 limit=900 cpu=max,-smap cpus=2 accel=${CALLGATE_VM_ACCEL:-tcg,thread=multi} clock=()
while getopts s:k:l:c:m:n:t:i option; do
	case $option in
	s) share=$OPTARG ;;
	k) kernel_args=$OPTARG ;;
	l) log=$OPTARG ;;
	c) cpu=$OPTARG ;;
	m) memory=$OPTARG ;;
	n) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	i) accel=tcg,thread=single clock=(-icount shift=1) ;;
	*) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "vm: no command" >&2; exit 2; }

image=$("$top/tests/vm/image.sh")
work=$(mktemp -d /var/tmp/callgate-vm-XXXXXX)
trap 'rm -rf "$work"' EXIT

mkdir "$work/share"
[ -z "$share" ] || cp -a "$share/." "$work/share/"
rm -rf "$work/share/out"
mkdir "$work/share/out"
printf '%s\n' "$*" >"$work/share/.command"
size=$(($(du -sm "$work/share" | cut -f1) * 5 / 4 + 512))
mke2fs -q -t ext4 -O ^has_journal -d "$work/share" "$work/share.img" "${size}M" >/dev/null
rm -rf "$work/share"

timeout -k 5 "$limit" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
	-machine q35 -accel "$accel" "${clock[@]}" -cpu "$cpu" -smp "$cpus" -m "$memory" \
	-kernel "$image/vmlinuz" \
	-append "root=/dev/nvme0n1 rw console=ttyS0 panic=-1 mitigations=off quiet cryptomgr.notests no_timer_check $kernel_args" \
	-drive "file=$image/root.img,if=none,id=root,format=raw,snapshot=on" \
	-device nvme,drive=root,serial=root \
	-drive "file=$work/share.img,if=none,id=share,format=raw,cache=unsafe" \
	-device nvme,drive=share,serial=share \
	-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
	-serial "file:$log" -serial stdio </dev/null || { echo "vm: ended with $?" >&2; exit 125; }

status=$(debugfs -R 'cat /.status' "$work/share.img" 2>/dev/null)
if [ -n "$share" ]; then
	rm -rf "$share/out"
	debugfs -R "rdump /out $share" "$work/share.img" >/dev/null 2>&1
fi
[ -n "$status" ] || { echo "vm: the command did not end" >&2; exit 125; }
exit "$status"
