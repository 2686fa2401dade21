/* SPDX-License-Identifier: Apache-2.0 */
/* The option strings of config.json's mounts, sorted by who acts on them. */
#ifndef CALLGATE_VM_MOUNT_OPTIONS_H
#define CALLGATE_VM_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "oci/spec.h"

#define MOUNT_DATA_MAX 4096

struct mount_options {
	uint64_t set;           /* MOUNT_ATTR_*, for the mount itself */
	uint64_t clear;
	uint64_t rec_set;       /* the same, for the mounts below it too */
	uint64_t rec_clear;
	uint64_t propagation;   /* MS_PRIVATE, ...; 0: not given */
	bool propagation_rec;
	bool recursive;         /* rbind */
	bool idmap;
	bool idmap_rec;
	bool copyup;            /* a tmpfs begins with what is at its place */
	bool remount;           /* only changes the mount that is there */
	unsigned int unix_sockets; /* PV_UNIX_MAY_*: of sockets in it that are bound outside, or are to be reached from there */
	char data[MOUNT_DATA_MAX]; /* for the file system, "a=b,c" */
};

/* Fails, by name, for options that can't be honoured. Unknown ones are the file system's. */
int must_check mount_options_parse(const struct oci_strings *list, struct mount_options *out,
				   struct error *err);

/* Calls fn for each option that is known, and can be honoured. */
void mount_options_names(void (*fn)(void *arg, const char *name), void *arg);

/* As container_mount.flags: those that are set, and those that are taken away */
uint32_t mount_options_flags(const struct mount_options *o);
uint32_t mount_options_cleared(const struct mount_options *o);

#endif
