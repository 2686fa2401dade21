// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "cmd/cmd.h"

/* Whatever the options are: a guest kernel has no checkpoint yet. */
int cmd_checkpoint(const struct globals *globals, int argc, char **argv, struct error *err)
{
	return error_set(err, ENOTSUP, "%s: checkpoint and restore are not supported yet", argv[0]);
}
