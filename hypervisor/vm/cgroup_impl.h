/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of vm/cgroup.h share. */
#ifndef CALLGATE_VM_CGROUP_IMPL_H
#define CALLGATE_VM_CGROUP_IMPL_H

#include <limits.h>

#include "vm/cgroup.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
/* For containers whose configuration names no cgroup. Removed along with the last of them. */
#define CGROUP_DEFAULT_PARENT "callgate"

struct cgroup_where {
	bool none;
	bool optional;
	bool systemd;
	bool user;        /* the user's systemd */
	const char *path; /* absolute, or lines */
};

struct cgroup_where cgroup_parse_place(const char *place);

/* Where the place is in that hierarchy, relative to the tree. False: nowhere. */
bool cgroup_path_in(const struct cgroup_hierarchy *h, const struct cgroup_where *where,
		    char buf[PATH_MAX]);

bool cgroup_has(const struct cgroup_hierarchy *h, const char *controller);

/* Small files. 0 or -errno; what is read comes without its final newline. */
int cgroup_write(int dir, const char *path, const char *value);
int cgroup_read(int dir, const char *path, char *buf, size_t size);

/* One value to be written, and the property it comes from. */
struct cgroup_setting {
	const char *property;
	const char *controller;
	const char *file;
	const char *value;
	const char *fallback; /* another name of the file, for when there is no such one */
	const char *fallback_value; /* for that file; NULL: the same value */
	bool optional;        /* no such file: never mind */
	bool done;            /* written */
};

struct cgroup_settings {
	struct arena arena;
	struct cgroup_setting *v;
	unsigned int n;
	unsigned int room;
	bool check_usage; /* a limit below the usage of memory is refused */
};

/* Which files get which values: no side effects. Always cgroup_settings_free() it. */
int must_check cgroup_settings(const struct oci_resources *res, bool unified,
			       struct cgroup_settings *out, struct error *err);
void cgroup_settings_free(struct cgroup_settings *settings);

/* The parts that a version does in its own way. */
int must_check cgroup_settings_v1(const struct oci_resources *res, struct cgroup_settings *out,
				  struct error *err);
int must_check cgroup_settings_v2(const struct oci_resources *res, struct cgroup_settings *out,
				  struct error *err);
struct cgroup_setting *cgroup_put(struct cgroup_settings *out, const char *property,
				  const char *controller, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void cgroup_put_opt(struct cgroup_settings *out, struct oci_opt value, const char *property,
		    const char *controller, const char *file);
void cgroup_put_u64(struct cgroup_settings *out, struct oci_opt_u64 value, const char *property,
		    const char *controller, const char *file);

/* Both versions count alike where the scale is the same; these scales differ. */
uint64_t cgroup_weight_of_shares(uint64_t shares);
uint64_t cgroup_weight_of_blkio(uint64_t weight);

/* Writes what belongs into this directory and is not done yet. */
int must_check cgroup_apply(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
			    int dir, struct cgroup_settings *settings, struct error *err);

/* A scope with that process in it; its limits; its end. */
int must_check cgroup_systemd_start(const struct cgroup_where *where, bool unified,
				    const struct oci_resources *res, pid_t pid,
				    struct error *err);
int must_check cgroup_systemd_update(const struct cgroup_where *where, bool unified,
				     const struct oci_resources *res, struct error *err);
int must_check cgroup_systemd_stop(const struct cgroup_where *where, struct error *err);

#endif
