#!/bin/sh
# uapi-include.sh DIR: fill DIR with links to Linux's uapi headers, so that the kernel can
# include <linux/...> and <asm/...> while no header of the C library is in reach.
set -eu
dir=$1
triplet=$(gcc -print-multiarch)
mkdir -p "$dir"
ln -sfn /usr/include/linux "$dir/linux"
ln -sfn "/usr/include/$triplet/asm" "$dir/asm"
ln -sfn /usr/include/asm-generic "$dir/asm-generic"
