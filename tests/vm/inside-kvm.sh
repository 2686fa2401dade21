#!/bin/bash
# inside-kvm.sh [PYTEST-ARGUMENT...]: in the virtual machine, in its copy of the project: runs the tests.
set -euo pipefail

modprobe kvm_amd
[ $# -gt 0 ] || set -- tests/guest/test_guest.py tests/vm/test_kvm_exits.py -k "test_guest and dynamic or test_exits"

# Containers have the machine's own Debian as their root file system, below an overlay of another disk.
mkdir -m 1777 tmp
mount --bind tmp /var/tmp
export CALLGATE_BUILD=$PWD/build CALLGATE_ROOTFS_CACHE=/ CALLGATE_TEST_TIMEOUT=120 CALLGATE_MACHINE=kvm
exec /usr/bin/python3 -m pytest -p no:cacheprovider -v -o console_output_style=count --color=no --tb=short --durations=10 \
	--junitxml=out/tests.xml "$@"
