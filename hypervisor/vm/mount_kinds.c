// SPDX-License-Identifier: Apache-2.0
#include "vm/mount_kinds.h"

#include <string.h>

static const struct mount_type types[] = {
	/* the guest's on /dev and below guest-side mounts; otherwise the host's */
	{ "tmpfs", MOUNT_GUEST_TMPFS, false },
	{ "proc", MOUNT_GUEST_PROC, false },
	{ "sysfs", MOUNT_GUEST_SYSFS, false },
	{ "devtmpfs", MOUNT_GUEST_DEV, false },
	{ "devpts", MOUNT_GUEST_DEVPTS, false },
	{ "mqueue", MOUNT_GUEST_MQUEUE, false },
	{ "cgroup", MOUNT_GUEST_CGROUP, false },
	{ "cgroup2", MOUNT_GUEST_CGROUP, false },
	{ "autofs", MOUNT_HOST, true },
	{ "binfmt_misc", MOUNT_HOST, true },
	{ "bpf", MOUNT_HOST, true },
	{ "configfs", MOUNT_HOST, true },
	{ "debugfs", MOUNT_HOST, true },
	{ "efivarfs", MOUNT_HOST, true },
	{ "fusectl", MOUNT_HOST, true },
	{ "pstore", MOUNT_HOST, true },
	{ "securityfs", MOUNT_HOST, true },
	{ "selinuxfs", MOUNT_HOST, true },
	{ "tracefs", MOUNT_HOST, true },
};

static const struct mount_type *find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(types[i].name, name))
			return &types[i];
	}
	return NULL;
}

static const struct {
	const char *path;
	const char *type;
} own_binds[] = {
	{ "/sys", "sysfs" },     { "/sys/fs/cgroup", "cgroup" }, { "/dev", "devtmpfs" },
	{ "/dev/pts", "devpts" }, { "/dev/mqueue", "mqueue" },
};

const struct mount_type *mount_type_of(const struct oci_mount *m)
{
	if (!oci_mount_is_bind(m))
		return find(m->type);
	for (size_t i = 0; i < sizeof(own_binds) / sizeof(own_binds[0]); i++) {
		if (!strcmp(m->source, own_binds[i].path) && !strcmp(m->destination, own_binds[i].path))
			return find(own_binds[i].type);
	}
	return NULL;
}
