#!/bin/bash
# tidy.sh OPTION... FILE: only what it has to say about the file, not how many warnings it suppressed.
file=${@: -1} options=("${@:1:$#-1}")
[ "$file" = runtime/lib/error.c ] || options+=(-include tools/lint/errors.h)
exec clang-tidy --quiet "$file" -- "${options[@]}" 2>/dev/null
