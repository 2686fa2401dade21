/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's control group, by the cgroupfs driver: version 1 (a hierarchy per
 * controller), version 2 (one for all) and hybrid (version 1, and an unused unified one).
 * A path is the same in every hierarchy, and counts from its root.
 */
#ifndef CALLGATE_VM_CGROUP_H
#define CALLGATE_VM_CGROUP_H

#include <stdbool.h>

#include "lib/error.h"
#include "oci/spec.h"

#define CGROUP_HIERARCHIES_MAX 24
#define CGROUP_SETTINGS_MAX    32

struct cgroup_hierarchy {
	char dir[64];         /* below /sys/fs/cgroup, "." if that is the hierarchy itself */
	char controllers[64]; /* "cpu,cpuacct"; "" for a unified one */
};

struct cgroup_tree {
	int fd; /* of /sys/fs/cgroup; it need not be mounted anywhere any more */
	bool unified;
	unsigned int n;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
};

/* One value to be written, and the property it comes from. */
struct cgroup_setting {
	const char *property;
	const char *controller;
	const char *file;
	char value[64];
	bool done; /* written */
};

struct cgroup_settings {
	struct cgroup_setting v[CGROUP_SETTINGS_MAX];
	unsigned int n;
};

/*
 * Finds the hierarchies. detached: through a mount of the caller's own, which still
 * works when /sys is gone from its mount namespace.
 */
int must_check cgroup_open(struct cgroup_tree *tree, bool detached, struct error *err);
void cgroup_close(struct cgroup_tree *tree);

/* Makes the cgroup, sets its limits and moves the calling process into it. */
int must_check cgroup_enter(const struct cgroup_tree *tree, const char *path,
			    const struct oci_resources *res, struct error *err);

/* Kills what is left in the cgroup, and removes it. */
int must_check cgroup_destroy(const struct cgroup_tree *tree, const char *path,
			      struct error *err);

/* Moves the calling process, the last one in the cgroup, out of it and removes it. */
int must_check cgroup_leave(const struct cgroup_tree *tree, const char *path,
			    struct error *err);

/*
 * O_PATH of the cgroup's directory in the hierarchy of that controller; -1: none.
 * Memory use is there in memory.current (unified) or memory.usage_in_bytes.
 */
int cgroup_dir(const struct cgroup_tree *tree, const char *path, const char *controller);

/* How many of its processes were killed as the cgroup ran out of memory. */
unsigned long cgroup_oom_kills(const struct cgroup_tree *tree, const char *path);

/* Which files get which values: no side effects. */
int must_check cgroup_settings(const struct oci_resources *res, bool unified,
			       struct cgroup_settings *out, struct error *err);

#endif
