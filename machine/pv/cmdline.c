// SPDX-License-Identifier: Apache-2.0
/*
 * The arguments of a host process as its /proc/PID/cmdline shows them. They lie at the top of the host's stack, which
 * every host process has a copy of, and are a long string to begin with: room for those of guest programs.
 */
#include "pv.h"

void pv_cmdline_setup(char **argv, u64 argc)
{
	const char *end = argv[argc - 1] + strlen(argv[argc - 1]);

	PRIV->args = argv[0];
	PRIV->args_room = (u32)(end - argv[0]);
	PRIV->args_used = PRIV->args_room;
}

/* The last byte stays NUL: to the host, anything else means that the program has one text of its own there. */
void mc_set_cmdline(const char *args, size_t len)
{
	struct pv_private *p = PRIV;
	u32 n = (u32)min(len, (size_t)p->args_room);

	memcpy(p->args, args, n);
	if (n < p->args_used)
		memset(p->args + n, 0, p->args_used - n);
	p->args_used = n;
}
