/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the names in the container's root mount. Outside nobody is to change them: what the host does there
 * all the same may be seen NAMES_NS later. What is done in here is seen at once: every call that may change a name, a mode or an owner
 * is counted, before the hypervisor hears of it and after.
 */
#ifndef NAMES_H
#define NAMES_H

#include "kernel.h"

#define NAMES_NS 1000000u

void names_changing(void);
void names_changed(void);

/* A moment at which something was looked up: taken before. */
struct names_moment {
	u64 changes;
	u64 until; /* CLOCK_MONOTONIC */
};
struct names_moment names_moment(void);
/* Does what was found then hold now? */
bool names_hold(const struct names_moment *then);

#endif
