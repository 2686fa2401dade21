#!/bin/sh
# check-kernel-headers.sh BUILD SOURCE GCC_INCLUDE
# No header of the C library is in any kernel object's dependencies: only the project's own,
# generated ones, gcc's freestanding ones and Linux's uapi headers.
set -eu
build=$1 source=$2 gcc_include=$3

ninja -C "$build" -t deps |
	awk -v own="$source/" -v build="$build/" -v gcc="$gcc_include/" '
	/^[^ ]/ { kernel = ($1 ~ /^lib(kernel|pv)\.a\.p\//); object = $1
		  objects += kernel; next }
	NF && kernel {
		path = $1
		if (index(path, own) == 1 || index(path, build) == 1 || index(path, gcc) == 1)
			next
		if (path !~ /^\// || path ~ "^/usr/include/(linux|asm-generic|x86_64-linux-gnu/asm)/")
			next
		print "FAIL: " object " includes " path
		bad = 1
	}
	END {
		if (!objects) { print "FAIL: no kernel object in the build"; bad = 1 }
		print objects " objects looked at"
		exit bad
	}'
