#!/bin/sh
# check-syscall-insn.sh GUEST.ELF
# `syscall`, `sysenter` and `int 0x80` exist in the guest kernel only inside functions (or
# after labels) named hostcall_site_*, and there at least once.
set -eu
objdump -d --no-show-raw-insn "$1" | awk '
	/^[0-9a-f]+ <.*>:$/ { symbol = $2; gsub(/[<>:]/, "", symbol); next }
	$2 ~ /^(syscall|sysenter|sysenterl)$/ || ($2 == "int" && $3 == "$0x80") {
		if (symbol ~ /^hostcall_site_/) { good++; next }
		print "FAIL: " $0 " in " symbol
		bad = 1
	}
	END {
		print good + 0 " hostcall instructions, all at their sites" (bad ? " but those above" : "")
		if (!good) { print "FAIL: no hostcall site found"; bad = 1 }
		exit bad
	}'
