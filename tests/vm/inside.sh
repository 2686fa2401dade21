#!/bin/bash
# inside.sh [PYTEST-ARGUMENT...]: in the virtual machine, in its copy of the project: runs the tests.
set -euo pipefail

modules=(
	tests/vm/test_systemd.py tests/vm/test_labels.py
	tests/integration/test_cgroups.py tests/integration/test_cgroup_view.py
	tests/integration/test_update.py tests/integration/test_oom.py
)
# of the life of a container: what cgroups have a part in, of callgate alone (it is slow here)
life="create_to_delete or while_paused or created_container_killed or signal_to_all or delete_with_force"
life+=" or failed_create_leaves_nothing or run_detached or host_process_killed or out_of_memory"
[ $# -gt 0 ] || set -- "${modules[@]}" tests/integration/test_lifecycle.py \
	-k "not test_lifecycle or not runc and ($life)"

# Containers have the machine's own Debian as their root file system, below an overlay of another disk.
mkdir -m 1777 tmp
mount --bind tmp /var/tmp
export CALLGATE_BUILD=$PWD/build CALLGATE_ROOTFS_CACHE=/ CALLGATE_TEST_TIMEOUT=60
exec /usr/bin/python3 -m pytest -p no:cacheprovider -v -o console_output_style=count --color=no --tb=short --durations=10 \
	--junitxml=out/tests.xml "$@"
