/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the names in the container's root mount. Outside nobody is to change them: what the host does there
 * all the same may be seen NAMES_NS later. What is done in here is seen at once: every call that may change a name, a mode or an owner
 * is counted, before the hypervisor hears of it and after.
 * Calls that only make names are counted apart: what was found stays what it is, and only what was not there may be now.
 */
#ifndef NAMES_H
#define NAMES_H

#include "kernel.h"

#define NAMES_NS 1000000u

void names_changing(bool only_made);
void names_changed(bool only_made);

/* A moment at which something was looked up: taken before. */
struct names_moment {
	u64 changes, made;
	u64 until; /* CLOCK_MONOTONIC */
};
struct names_moment names_moment(void);
/* Does what was not there then hold now? */
bool names_hold(const struct names_moment *then);
/* ... and what was there? */
bool names_found_hold(const struct names_moment *then);

#endif
