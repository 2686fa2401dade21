#!/bin/sh
# check-syscall-insn.sh GUEST.ELF
# `syscall`, `sysenter` and `int 0x80` exist in the guest kernel only inside functions named
# hostcall_site_*, all of them between hostcall_block and hostcall_block_end, and there at
# least once. (Labels that are no functions do not end a function.)
set -eu
elf=$1
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT

# "address name" of every function and of the two ends of the block
readelf -sW "$elf" | awk '$4 == "FUNC" || $8 ~ /^hostcall_block(_end)?$/ { print $2, $8 }' |
	sort >"$tmp"
objdump -d --no-show-raw-insn "$elf" | awk -v symbols="$tmp" '
	BEGIN {
		while ((getline line <symbols) > 0) {
			split(line, field)
			if (field[2] == "hostcall_block") start = field[1]
			else if (field[2] == "hostcall_block_end") end = field[1]
			else function_at[field[1]] = field[2]
		}
	}
	/^[0-9a-f]+ <.*>:$/ {
		if ($1 in function_at) symbol = function_at[$1]
		next
	}
	$2 ~ /^(syscall|sysenter|sysenterl)$/ || ($2 == "int" && $3 == "$0x80") {
		address = $1
		sub(/:$/, "", address)
		while (length(address) < 16) address = "0" address
		if (symbol ~ /^hostcall_site_/ && address "" >= start "" && address "" < end "") {
			good++
			next
		}
		print "FAIL: " $0 " in " symbol
		bad = 1
	}
	END {
		print good + 0 " hostcall instructions at their sites"
		if (!good) { print "FAIL: no hostcall site found"; bad = 1 }
		exit bad
	}'
