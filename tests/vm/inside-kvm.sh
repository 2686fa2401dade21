#!/bin/bash
# inside-kvm.sh [PYTEST-ARGUMENT...]: in the virtual machine, in its copy of the project: runs the tests on the kvm machine.
# Containers have as many virtual CPUs as it.
set -euo pipefail

modprobe kvm_amd
# That the machine goes on: keeper.c.
echo +cpu +cpuset >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/kept
echo 50000 >/sys/fs/cgroup/kept/cpu.max
build/tests/vm/keeper /sys/fs/cgroup/kept >/dev/null &

# Not those that compare with runc or with the program run natively, which say nothing of this machine.
chosen="not runc and not test_native and not static"
# Call sites are rewritten on pv only; an annotation tells of the machine if one was asked for, as here.
chosen+=" and not test_sites and not sites_rewritten and not text_copies and not test_annotations_are_told"
# ps has the guest kernel's list, not the host's (docs/kvm.md).
chosen+=" and not test_ps"
# The host has one process of a container here, which the lack of memory ends.
chosen+=" and not test_score_of_processes and not test_hypervisor_is_left_to_say_why"
# QEMU's TCG raises no SSE exceptions and makes no alignment checks.
chosen+=" and not sig_codes"
modules=(tests/guest/test_guest.py tests/vm/test_kvm_exits.py)
modules+=(tests/integration/test_{lifecycle,exec,exec_terminal,update,oom,runtime,shell}.py)
[ $# -gt 0 ] || set -- "${modules[@]}" -k "$chosen"

# Containers have the machine's own Debian as their root file system, below an overlay of another disk.
mkdir -m 1777 tmp
mount --bind tmp /var/tmp
export CALLGATE_BUILD=$PWD/build CALLGATE_ROOTFS_CACHE=/ CALLGATE_TEST_TIMEOUT=120 CALLGATE_MACHINE=kvm
export CALLGATE_SOFTWARE=all CALLGATE_LAYERS=$PWD/layers
exec /usr/bin/python3 -m pytest -p no:cacheprovider -v -o console_output_style=count --color=no \
	--tb=short --durations=10 --junitxml=out/tests.xml "$@"
