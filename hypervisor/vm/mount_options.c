// SPDX-License-Identifier: Apache-2.0
/* runtime-spec config.md#linux-mount-options */
#include "vm/mount_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "call/server.h"
#include "vm/container.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum action {
	SET,     /* the attribute */
	CLEAR,
	ATIME,   /* a choice of several values */
	SPREAD,  /* propagation */
	BIND,
	IDMAP,
	COPYUP,
	REMOUNT,
	UNIX,    /* what unix sockets in it are to the guest */
	IGNORE,
};

/* Attributes have an "r" form, for the mounts below as well, which is not listed. */
static const struct option {
	const char *name;
	enum action action;
	uint64_t value;
} options[] = {
	{ "ro", SET, MOUNT_ATTR_RDONLY },
	{ "rw", CLEAR, MOUNT_ATTR_RDONLY },
	{ "nosuid", SET, MOUNT_ATTR_NOSUID },
	{ "suid", CLEAR, MOUNT_ATTR_NOSUID },
	{ "nodev", SET, MOUNT_ATTR_NODEV },
	{ "dev", CLEAR, MOUNT_ATTR_NODEV },
	{ "noexec", SET, MOUNT_ATTR_NOEXEC },
	{ "exec", CLEAR, MOUNT_ATTR_NOEXEC },
	{ "nodiratime", SET, MOUNT_ATTR_NODIRATIME },
	{ "diratime", CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "symfollow", CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "relatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "norelatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "noatime", ATIME, MOUNT_ATTR_NOATIME },
	{ "atime", ATIME, MOUNT_ATTR_RELATIME },
	{ "strictatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "nostrictatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "shared", SPREAD, MS_SHARED },
	{ "slave", SPREAD, MS_SLAVE },
	{ "private", SPREAD, MS_PRIVATE },
	{ "unbindable", SPREAD, MS_UNBINDABLE },
	{ "bind", BIND, 0 },
	{ "defaults", IGNORE, 0 },
	{ "silent", IGNORE, 0 },
	{ "loud", IGNORE, 0 },
	{ "async", IGNORE, 0 },
	{ "nolazytime", IGNORE, 0 },
	{ "nomand", IGNORE, 0 },
	{ "noiversion", IGNORE, 0 },
	{ "iversion", IGNORE, 0 }, /* file systems that count versions do so by themselves now */
	{ "remount", REMOUNT, 0 },
	{ "idmap", IDMAP, 0 },
	{ "tmpcopyup", COPYUP, 0 },
	{ "callgate.unix=none", UNIX, 0 },
	{ "callgate.unix=connect", UNIX, PV_UNIX_MAY_CONNECT },
	{ "callgate.unix=listen", UNIX, PV_UNIX_MAY_LISTEN },
	{ "callgate.unix=both", UNIX, PV_UNIX_MAY_CONNECT | PV_UNIX_MAY_LISTEN },
};

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!strcmp(options[i].name, name))
			return &options[i];
	}
	return NULL;
}

/* "relatime" itself is no recursive form, and so is found first. */
static const struct option *find_any(const char *name, bool *rec)
{
	const struct option *o = find(name);

	*rec = false;
	if (!o && name[0] == 'r') {
		o = find(name + 1);
		*rec = o && o->action != IGNORE && o->action != REMOUNT && o->action != COPYUP &&
		       o->action != UNIX;
		if (!*rec)
			o = NULL;
	}
	return o;
}

void mount_options_names(void (*fn)(void *arg, const char *name), void *arg)
{
	char rec[32];

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		bool form;

		fn(arg, options[i].name);
		snprintf(rec, sizeof(rec), "r%s", options[i].name);
		if (!find(rec) && find_any(rec, &form) && form)
			fn(arg, rec);
	}
}

/* Later options win over earlier ones. */
static void change(uint64_t *set, uint64_t *clear, uint64_t on, uint64_t off)
{
	*set = (*set & ~off) | on;
	*clear = (*clear & ~on) | off;
}

static void apply_attr(struct mount_options *out, const struct option *o, bool rec)
{
	uint64_t on = o->action == CLEAR ? 0 : o->value;
	uint64_t off = o->action == CLEAR ? o->value : 0;
	/* one field of several bits: all of it is cleared before a value is put in */
	uint64_t mask = o->action == ATIME ? MOUNT_ATTR__ATIME : 0;

	if (rec) {
		out->rec_set &= ~mask;
		change(&out->rec_set, &out->rec_clear, on, off);
		out->rec_clear |= mask;
	} else {
		out->set &= ~mask;
		change(&out->set, &out->clear, on, off);
		out->clear |= mask;
	}
}

static int add_data(struct mount_options *out, const char *text, struct error *err)
{
	size_t n = strlen(out->data);

	if (n + strlen(text) + 2 > sizeof(out->data))
		return error_set(err, E2BIG, "the mount options are too long");
	snprintf(out->data + n, sizeof(out->data) - n, "%s%s", n ? "," : "", text);
	return 0;
}

static int apply_option(struct mount_options *out, const char *text, struct error *err)
{
	bool rec;
	const struct option *o = find_any(text, &rec);

	if (!o && (!strncmp(text, "idmap=", 6) || !strncmp(text, "ridmap=", 7)))
		return error_set(err, ENOTSUP, "option '%s': mappings are given by uidMappings and gidMappings", text);
	if (!o && !strncmp(text, "callgate.", 9))
		return error_set(err, EINVAL, "option '%s': expected callgate.unix=connect, listen, both or none", text);
	if (!o)
		return add_data(out, text, err);
	switch (o->action) {
	case SET:
	case CLEAR:
	case ATIME:
		apply_attr(out, o, rec);
		return 0;
	case SPREAD:
		out->propagation = o->value;
		out->propagation_rec = rec;
		return 0;
	case BIND:
		out->recursive = rec;
		return 0;
	case IDMAP:
		out->idmap = true;
		out->idmap_rec = rec;
		return 0;
	case COPYUP:
		out->copyup = true;
		return 0;
	case REMOUNT:
		out->remount = true;
		return 0;
	case UNIX:
		out->unix_sockets = (unsigned int)o->value;
		return 0;
	case IGNORE:
		break;
	}
	return 0;
}

int mount_options_parse(const struct oci_strings *list, struct mount_options *out,
			struct error *err)
{
	memset(out, 0, offsetof(struct mount_options, data) + 1);
	for (size_t i = 0; i < list->n; i++) {
		int ret = apply_option(out, list->v[i], err);

		if (ret)
			return ret;
	}
	/* The recursive ones are of the mount itself, too, and come last (as in runc). */
	out->set = (out->set & ~out->rec_clear) | out->rec_set;
	out->clear = (out->clear & ~out->rec_set) | out->rec_clear;
	return 0;
}

static uint32_t to_flags(uint64_t attrs)
{
	static const struct {
		uint64_t attr;
		uint32_t flag;
	} map[] = {
		{ MOUNT_ATTR_RDONLY, CMOUNT_RO },
		{ MOUNT_ATTR_NOSUID, CMOUNT_NOSUID },
		{ MOUNT_ATTR_NODEV, CMOUNT_NODEV },
		{ MOUNT_ATTR_NOEXEC, CMOUNT_NOEXEC },
		{ MOUNT_ATTR_NOATIME, CMOUNT_NOATIME },
		{ MOUNT_ATTR_STRICTATIME, CMOUNT_STRICTATIME },
		{ MOUNT_ATTR_NODIRATIME, CMOUNT_NODIRATIME },
		{ MOUNT_ATTR_NOSYMFOLLOW, CMOUNT_NOSYMFOLLOW },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (attrs & map[i].attr)
			flags |= map[i].flag;
	}
	return flags;
}

uint32_t mount_options_flags(const struct mount_options *o)
{
	return to_flags(o->set);
}

uint32_t mount_options_cleared(const struct mount_options *o)
{
	return to_flags(o->clear);
}
