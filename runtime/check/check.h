/* SPDX-License-Identifier: Apache-2.0 */
/* callgate check: findings about this host, each from trying the thing itself where that is possible. */
#ifndef CALLGATE_RUNTIME_CHECK_CHECK_H
#define CALLGATE_RUNTIME_CHECK_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/arena.h"

enum check_status {
	CHECK_OK,
	CHECK_WARNING, /* containers run, something else does not */
	CHECK_MISSING, /* containers do not run */
	CHECK_PLANNED, /* not a part of this version */
};

struct report {
	json_t *findings; /* NULL: each is printed as it is found */
	const char *root; /* where the state of containers is kept */
	bool fit;         /* nothing is missing */
};

/* fmt says what was found; remedy, what to do about it; NULL: nothing needs to be done. */
void report(struct report *r, const char *name, enum check_status status, const char *remedy,
	    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Each adds one finding or several. */
void check_kernel(struct report *r);
void check_mounts(struct report *r);
void check_cgroups(struct report *r);
void check_security(struct report *r);
void check_state_folder(struct report *r);
void check_rootless(struct report *r);
void check_engines(struct report *r);
void check_machines(struct report *r);

/*
 * Runs fn in a child, so that what it does to itself is undone. Returns what it returned, 0 or
 * a positive errno; ECHILD if it did not live to tell.
 */
int check_in_child(int (*fn)(void));

#endif
