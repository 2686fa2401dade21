/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's control group: version 1 (a hierarchy per controller), version 2 (one for
 * all) and hybrid (version 1, and an unused unified one); made by ourselves (cgroupfs) or as
 * a transient scope by systemd.
 *
 * Where it is, is one string, made once by cgroup_place() and kept in the container's state
 * as it is; all other functions take it, and nobody else looks into it:
 *
 *   /a/b                  that path in every hierarchy, from its root
 *   memory:/x/a\ncpu:/a\n a line per hierarchy: the configuration's path was relative to our
 *                         own cgroups, and those differ
 *   system:/s.slice/u     the scope u of systemd; "user:" is that of a user's own systemd
 *   optional:...          there need not be one (rootless, and nobody asked for it)
 *   none                  no cgroup
 */
#ifndef CALLGATE_VM_CGROUP_H
#define CALLGATE_VM_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/arena.h"
#include "lib/error.h"
#include "oci/spec.h"

#define CGROUP_HIERARCHIES_MAX 24

struct cgroup_hierarchy {
	char dir[64];         /* below /sys/fs/cgroup, "." if that is the hierarchy itself */
	char controllers[64]; /* "cpu,cpuacct"; "" for a unified one */
	char *own;            /* the path of the calling process in it, as it was at cgroup_open() */
};

struct cgroup_tree {
	int fd; /* of /sys/fs/cgroup; it need not be mounted anywhere any more */
	bool borrowed; /* fd is in the mount of who started us: ".." leads out of it */
	bool unified;
	unsigned int n;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	struct arena arena;
};

enum cgroup_manager { CGROUP_CGROUPFS, CGROUP_SYSTEMD, CGROUP_NONE };

/*
 * Finds the hierarchies. detached: through a mount of the caller's own, which still
 * works when /sys is gone from its mount namespace.
 */
int must_check cgroup_open(struct cgroup_tree *tree, bool detached, struct error *err);
void cgroup_close(struct cgroup_tree *tree);

/*
 * In a mount namespace of the caller's own, once: from now on through a mount of its own that is for reading only.
 * *writable: a descriptor like tree->fd was, out of which no ".." leads, either.
 */
int must_check cgroup_confine(struct cgroup_tree *tree, int *writable, struct error *err);

/* From linux.cgroupsPath (or its absence) and the container's ID to the string above. */
int must_check cgroup_place(const struct oci_spec *spec, enum cgroup_manager manager,
			    struct arena *arena, char **place, struct error *err);

/* The same place, but there need not be a cgroup if we have no right to make one. */
char *cgroup_place_optional(char *place, struct arena *arena);

/*
 * Nobody is in it yet. To be asked before anything is made: the end of a container kills what is
 * in its cgroup.
 */
int must_check cgroup_check_free(const char *place, struct error *err);

/*
 * Makes the version 2 cgroup and sets its limits. fd: of its directory, for a process to be cloned into, which is
 * a lot faster than to move one there; -1: there is none, or it is for cgroup_enter() to make.
 */
int must_check cgroup_prepare(const char *place, const struct oci_resources *res, int *fd, struct error *err);

/*
 * Makes the cgroup, sets its limits and moves the calling process, which has one thread, into it; in_unified: but in
 * version 2, where all that is done.
 */
int must_check cgroup_enter(const struct cgroup_tree *tree, const char *place,
			    const struct oci_resources *res, bool in_unified, struct error *err);

/* Sets limits of a container that is there: what is not set in res stays as it is. */
int must_check cgroup_update(const struct cgroup_tree *tree, const char *place,
			     const struct oci_resources *res, struct error *err);

/* Kills what is left in the cgroup, and removes it. */
int must_check cgroup_destroy(const struct cgroup_tree *tree, const char *place,
			      struct error *err);

/*
 * Moves the calling process, the last one in the cgroup, out of it and removes it. members: version 2's topmost cgroup.procs,
 * opened outside of the caller's cgroup namespace; or -1.
 */
int must_check cgroup_leave(const struct cgroup_tree *tree, const char *place, int members,
			    struct error *err);

/*
 * O_PATH of the cgroup's directory in the hierarchy of that controller; -1: none.
 * Memory use is there in memory.current (unified) or memory.usage_in_bytes.
 */
int cgroup_dir(const struct cgroup_tree *tree, const char *place, const char *controller);

/* How many of its processes were killed as the cgroup ran out of memory. dir: of memory. */
unsigned long cgroup_oom_kills(int dir);

/* The least memory limit on the way down to the cgroup, in bytes; 0: none. */
unsigned long long cgroup_memory_limit(const struct cgroup_tree *tree, const char *place);

/* Stops all its processes, or lets them go on; returns when they have stopped. */
int must_check cgroup_freeze(const struct cgroup_tree *tree, const char *place, bool frozen,
			     struct error *err);
/* Are they stopped (or about to)? */
bool cgroup_frozen(const struct cgroup_tree *tree, const char *place);

#endif
