#!/bin/sh
# gen-syscall-names.sh CC...: the initializers of syscall_names.c, from the installed headers.
set -eu
echo '#include <asm/unistd_64.h>' | "$@" -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/[\2] = "\1",/p' | sort
