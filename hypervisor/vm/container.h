/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container around a VM: its namespaces, cgroup and mounts, as the hypervisor
 * process sees them.
 *
 * After container_enter() the calling process is inside: its root directory is the
 * container's root file system, with every host-side mount of the configuration in
 * place and nothing else in its mount namespace.
 *
 * Mounts are either host-side (bind, tmpfs and other file systems of the host:
 * mounted here, served to the guest by file PV calls) or guest-side (proc, sysfs, /dev,
 * mqueue, cgroup: the guest kernel mounts its own). At the place of each outermost
 * guest-side mount lies a *marker*: an empty read-only tmpfs of its own. A path walk
 * that meets a directory whose st_dev is a marker's has left what the host serves.
 */
#ifndef CALLGATE_VM_CONTAINER_H
#define CALLGATE_VM_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"
#include "oci/spec.h"
#include "vm/cgroup.h"
#include "vm/devices.h"
#include "vm/userns.h"

enum mount_kind {
	MOUNT_HOST,             /* mounted at target in this mount namespace */
	MOUNT_BIND_UNDER_GUEST, /* host files at a target inside a guest-side mount: see fd */
	MOUNT_GUEST_PROC,
	MOUNT_GUEST_SYSFS,
	MOUNT_GUEST_DEV,    /* the tmpfs on /dev with the devices in it */
	MOUNT_GUEST_DEVPTS,
	MOUNT_GUEST_TMPFS,  /* a tmpfs inside a guest-side mount, such as /dev/shm */
	MOUNT_GUEST_MQUEUE,
	MOUNT_GUEST_CGROUP,
};

/* container_mount.flags: what the guest kernel enforces, or shows in mountinfo */
#define CMOUNT_RO          0x01u
#define CMOUNT_NOSUID      0x02u
#define CMOUNT_NODEV       0x04u
#define CMOUNT_NOEXEC      0x08u
#define CMOUNT_NOATIME     0x10u
#define CMOUNT_STRICTATIME 0x20u
#define CMOUNT_NODIRATIME  0x40u
#define CMOUNT_NOSYMFOLLOW 0x80u

struct container_mount {
	enum mount_kind kind;
	char *target;     /* absolute path in the container, no links and no ".." in it */
	char *source;     /* as mountinfo shows it */
	char *fstype;     /* as mountinfo shows it */
	char *options;    /* for the file system: "mode=1777,size=65536k", "" if none */
	uint32_t flags;   /* CMOUNT_* */
	dev_t marker_dev; /* of a guest-side mount with a marker, otherwise 0 */
	int fd;           /* O_PATH of the mount: MOUNT_BIND_UNDER_GUEST, or with unix_sockets; else -1 */
	bool is_dir;      /* MOUNT_BIND_UNDER_GUEST: what fd is */
	unsigned int unix_sockets; /* PV_UNIX_MAY_* (call/server.h) */
	uint64_t mnt_id;  /* with unix_sockets; fd keeps the host from using it again */
};

/* Paths the guest kernel must hide (masked) or write-protect in its own file systems. */
struct container_paths {
	char **v;
	size_t n;
};

struct container {
	struct container_mount *mounts; /* in the order they were made */
	size_t n_mounts;
	size_t cap_mounts;
	struct container_paths masked;
	struct container_paths readonly;
	int rootfd;         /* O_PATH on "/" */
	int procfd;         /* a procfs of the hypervisor's pid namespace, mounted nowhere */
	int hostname_fd;    /* to set the uts namespace's host name later; 0: there is no right to it */
	int infofd;         /* the same with the host's own files (meminfo, sys/net), read-only */
	int memcg_fd;       /* O_PATH of the cgroup that memory is charged to; or -1 */
	/* The host's folders, each the root of a mount of its own: ".." does not lead out of them. */
	int state_fd;       /* the container's part of the state */
	int states_fd;      /* all of it, and */
	int cgroups_fd;     /* the cgroups for writing: for container_leave(); -1: that is left to others */
	int members_fd;     /* the topmost one's members, for writing, opened outside the container's cgroup namespace; -1: none */
	struct cgroup_tree cgroups; /* the host's hierarchies, for reading */
	struct userns_ids ids; /* of the container's user namespace */
	uint32_t cpus;      /* that it may run on, in the beginning */
	uint64_t memory;    /* its limit in the beginning, in bytes; 0: none */
	struct devices devices; /* of linux.devices, those that are the host's */
	bool root_readonly;
	char *rootfs;       /* the host's path of the root file system */
};

/* For whoever has something to do in the middle of it. */
struct container_stages {
	bool in_cgroup; /* of version 2: the process was cloned into it */
	const char *state_dir, *states_dir; /* the host's paths */
	void *ctx;
	/*
	 * The process is in its cgroup and has its memory policy, all else is the host's; but for ipc and uts namespaces made for
	 * the container if names_first. 0 or -errno.
	 */
	int (*placed)(void *placed_ctx, struct error *err);
	void *placed_ctx;
	bool names_first; /* not with a user namespace, which they would belong to */
	/* The namespaces are the container's, the root is still the host's. 0 or -errno. NULL: nothing to do. */
	int (*namespaces_made)(void *ctx, struct error *err);
};

/*
 * Enters the container described by spec (spec->id and linux_.cgroups_path are set).
 * Must be called in a process of its own, single-threaded, before it has anything
 * mapped or open that its cgroup should be charged for. If it fails the process must exit:
 * the mount namespace dies with it, and whoever waits for it calls container_cleanup().
 */
int must_check container_enter(const struct oci_spec *spec, const struct container_stages *stages,
			       struct container *out, struct error *err);

/*
 * From outside, when the hypervisor is gone: kills whatever is left in the container's
 * cgroup and removes it. No cgroup there is success.
 */
int must_check container_cleanup(const char *cgroups_path, struct error *err);

/*
 * What its cgroup leaves to the container now: CPUs that it may run on, and bytes of memory (0: no limit).
 * From the hypervisor only.
 */
void container_limits(const struct container *c, const char *cgroups_path, uint32_t *cpus, uint64_t *memory);

/* Stops all processes of the container, hypervisor and all, or lets them go on; and are they stopped? */
int must_check container_freeze(const char *cgroups_path, bool frozen, struct error *err);

/* Processes of that cgroup which were killed as it ran out of memory, so far. */
unsigned long container_oom_kills(const char *cgroups_path);

/* Are its processes frozen? false also if there is no such cgroup. */
bool container_frozen(const char *cgroups_path);
/* Lets them go on: what is frozen can't be killed. */
void container_thaw(const char *cgroups_path);

/* Somebody else will clean up: what was kept for container_leave() is given up. */
void container_stay(struct container *c);

/*
 * From inside, for a hypervisor that nobody waits for any more: all processes of the
 * VM but the caller must be dead. Moves the caller to the root cgroups and removes its own.
 */
int must_check container_leave(const struct container *c, const char *cgroups_path,
			       struct error *err);

/* The mount whose marker has this st_dev, or NULL. */
const struct container_mount *container_guest_mount(const struct container *c, dev_t dev);

#endif
