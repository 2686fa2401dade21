#!/bin/sh
# check-kernel-symbols.sh LIBKERNEL.A MACHINE.H
# The anykernel proof: what the kernel objects, taken together, leave undefined is only what
# abi/machine.h declares (functions named mc_*).
set -eu
lib=$1 header=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ld -r --whole-archive "$lib" -o "$tmp/kernel.o"
nm --undefined-only --format=just-symbols "$tmp/kernel.o" | sort -u >"$tmp/undefined"
# The header without its comments, so that a function named in prose does not count.
gcc -fpreprocessed -dD -E -P "$header" 2>/dev/null |
	grep -oE '\bmc_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$tmp/declared"

status=0
if comm -23 "$tmp/undefined" "$tmp/declared" | grep . >"$tmp/foreign"; then
	echo "FAIL: the kernel uses symbols which machine.h does not declare:"
	sed 's/^/  /' "$tmp/foreign"
	status=1
fi
if comm -13 "$tmp/undefined" "$tmp/declared" | grep . >"$tmp/unused"; then
	echo "FAIL: machine.h declares functions which the kernel never uses:"
	sed 's/^/  /' "$tmp/unused"
	status=1
fi
echo "$(wc -l <"$tmp/undefined") undefined symbols, $(wc -l <"$tmp/declared") functions in machine.h"
exit $status
