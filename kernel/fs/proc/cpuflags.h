/* SPDX-License-Identifier: Apache-2.0 */
/* Names of CPU features as /proc/cpuinfo has them, one table for each register of cpuid. */
#ifndef CPUFLAGS_H
#define CPUFLAGS_H

#include "seq.h"

typedef const char *const cpuflags_t[32]; /* by bit; NULL: not shown */

extern cpuflags_t cpuflags_1d, cpuflags_1c;   /* leaf 1, edx and ecx */
extern cpuflags_t cpuflags_e1d, cpuflags_e1c; /* leaf 0x80000001, edx and ecx */
extern cpuflags_t cpuflags_7b, cpuflags_7c, cpuflags_7d; /* leaf 7, ebx, ecx, edx */
extern cpuflags_t cpuflags_da;  /* leaf 0xd.1, eax */
extern cpuflags_t cpuflags_e8b; /* leaf 0x80000008, ebx */

void cpuflags_show(struct seq *m, cpuflags_t names, u32 bits);

#endif
