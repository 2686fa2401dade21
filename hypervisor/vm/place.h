/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and making the place of a mount inside a root file system that is not to be
 * trusted: an image's symbolic links, or a rename by someone who shares it, must never
 * lead outside. Every step is relative to a descriptor and resolved by the host's
 * kernel with RESOLVE_IN_ROOT; only what is missing is created, one name at a time.
 */
#ifndef CALLGATE_VM_PLACE_H
#define CALLGATE_VM_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/error.h"

enum place_want {
	PLACE_EXISTING, /* fail with ENOENT if it isn't there */
	PLACE_DIR,      /* create it as a directory if it is missing */
	PLACE_FILE,     /* create it as an empty file if it is missing */
};

struct place_root {
	int rootfd;
	int procfd; /* to read back where a descriptor is */
	/* is this directory a guest-side mount's marker? NULL: there are none */
	bool (*is_marker)(void *arg, dev_t dev);
	void *arg;
};

struct place {
	int fd;              /* O_PATH; -1 below a guest-side mount */
	bool under_guest;    /* at or below a marker: path is for the guest kernel to use */
	bool on_marker;      /* exactly at one */
	bool created;        /* it was missing */
	char path[PATH_MAX]; /* without links, from the process's root (which rootfd should be) */
};

/* Closes nothing on failure; out->fd is the caller's on success. */
int must_check place_find(const struct place_root *root, const char *path, enum place_want want,
			  struct place *out, struct error *err);


#endif
