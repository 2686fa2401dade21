#!/bin/bash
# analyzer.sh OPTION... FILE. Without optimization, which hides tests of pointers from it. It takes what is kept in a structure
# of somebody else's for lost, and what dlsym() returns for nothing.
exec gcc -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-use-of-uninitialized-value -O0 -S -o /dev/null "$@"
