/* SPDX-License-Identifier: Apache-2.0 */
/* What "create" and "run" have in common: options, and a bundle that becomes a container. */
#ifndef CALLGATE_RUNTIME_CMD_BUNDLE_H
#define CALLGATE_RUNTIME_CMD_BUNDLE_H

#include "launch/launch.h"

/* Options and the ID. run: also those that only "run" has. */
struct bundle_options {
	const char *bundle;
	const char *id;
	unsigned int preserve_fds;
	bool no_pivot;
};

int must_check bundle_parse(struct launch *l, struct bundle_options *o, bool run, int argc,
			    char **argv, struct error *err);

/* Reads the configuration into l->spec, which is the caller's to free. */
int must_check bundle_load(struct launch *l, const struct bundle_options *o, struct error *err);

#endif
