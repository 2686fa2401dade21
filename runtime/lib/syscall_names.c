// SPDX-License-Identifier: Apache-2.0
#include "lib/syscall_names.h"

#include <stdio.h>

/* Made from asm/unistd_64.h: lines such as [0] = "read", */
static const char *const names[] = {
#include "syscall_names_gen.h"
};

const char *syscall_name(int nr)
{
	static char unknown[32];

	if (nr >= 0 && nr < (int)(sizeof(names) / sizeof(names[0])) && names[nr])
		return names[nr];
	snprintf(unknown, sizeof(unknown), "syscall %d", nr);
	return unknown;
}
