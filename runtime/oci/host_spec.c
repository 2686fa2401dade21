// SPDX-License-Identifier: Apache-2.0
#include "oci/host_spec.h"

#include <errno.h>
#include <grp.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "oci/parts.h"
#include "oci/subids.h"

#define HOSTNAME "callgate"

static const struct {
	const char *destination, *type, *source, *options[8];
} guest_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts", "devpts", "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "ro" } },
};

#define GUEST_MOUNTS (sizeof(guest_mounts) / sizeof(guest_mounts[0]))

/* Not worth showing: the kernel's own, other containers', or nothing an overlay can be put on. */
static const char *const skipped_types[] = {
	"autofs", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "mqueue",
	"nsfs", "overlay", "proc", "pstore", "securityfs", "squashfs", "sysfs", "tracefs",
	"binfmt_misc", "efivarfs", "fusectl", "hugetlbfs", "rpc_pipefs", "ramfs",
};

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

static bool is_wanted(const struct mntent *m)
{
	for (size_t i = 0; i < sizeof(skipped_types) / sizeof(skipped_types[0]); i++) {
		if (!strcmp(m->mnt_type, skipped_types[i]))
			return false;
	}
	return strcmp(m->mnt_dir, "/") && !is_below(m->mnt_dir, "/proc") &&
	       !is_below(m->mnt_dir, "/sys") && !is_below(m->mnt_dir, "/dev");
}

/* Folders of these can carry an overlay; everything else is shown as it is, read-only. */
static bool can_be_layered(const struct mntent *m)
{
	static const char *const types[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs" };
	struct stat st;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(m->mnt_type, types[i]))
			return !stat(m->mnt_dir, &st) && S_ISDIR(st.st_mode);
	}
	return false;
}

static void set_options(struct oci_strings *out, const char *const *list, struct arena *arena)
{
	size_t n = 0;

	while (list[n])
		n++;
	out->v = arena_array(arena, n + 1, sizeof(*out->v));
	out->n = n;
	for (size_t i = 0; i < n; i++)
		out->v[i] = arena_strdup(arena, list[i]);
}

static struct oci_mount *new_mount(struct oci_spec *spec)
{
	/* twice as many when the number becomes a power of two */
	if (!(spec->n_mounts & (spec->n_mounts - 1))) {
		struct oci_mount *v = arena_array(&spec->arena, 2 * spec->n_mounts + 1, sizeof(*v));

		if (spec->n_mounts)
			memcpy(v, spec->mounts, spec->n_mounts * sizeof(*v));
		spec->mounts = v;
	}
	return &spec->mounts[spec->n_mounts++];
}

static void add_guest_mounts(struct oci_spec *spec)
{
	for (size_t i = 0; i < GUEST_MOUNTS; i++) {
		struct oci_mount *m = new_mount(spec);

		m->destination = arena_strdup(&spec->arena, guest_mounts[i].destination);
		m->type = arena_strdup(&spec->arena, guest_mounts[i].type);
		m->source = arena_strdup(&spec->arena, guest_mounts[i].source);
		set_options(&m->options, guest_mounts[i].options, &spec->arena);
	}
}

/* A mount that another one has been put on is not what the path leads to. */
static bool is_known(const struct oci_spec *spec, const char *dir)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		if (!strcmp(spec->mounts[i].destination, dir))
			return true;
	}
	return false;
}

static void add_host_mount(struct oci_spec *spec, const struct mntent *entry)
{
	static const char *const bind[] = { "bind", "ro", NULL };
	struct oci_mount *m;

	if (!is_wanted(entry) || is_known(spec, entry->mnt_dir) || access(entry->mnt_dir, F_OK))
		return;
	m = new_mount(spec);
	m->destination = arena_strdup(&spec->arena, entry->mnt_dir);
	m->source = m->destination;
	m->throwaway = can_be_layered(entry) && !hasmntopt(entry, "ro");
	m->type = arena_strdup(&spec->arena, "bind");
	set_options(&m->options, m->throwaway ? &bind[2] : bind, &spec->arena);
}

static int add_host_mounts(struct oci_spec *spec, struct error *err)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buf[8192];

	if (!f)
		return error_errno(err, errno, "/proc/self/mounts");
	while (getmntent_r(f, &entry, buf, sizeof(buf)))
		add_host_mount(spec, &entry);
	endmntent(f);
	return 0;
}

static void add_layer(struct oci_spec *spec, const char *path)
{
	struct oci_mount *m;
	struct stat st;

	if (!path || path[0] != '/' || !strcmp(path, "/") || is_known(spec, path) || access(path, W_OK) ||
	    stat(path, &st) || !S_ISDIR(st.st_mode))
		return;
	m = new_mount(spec);
	m->destination = arena_strdup(&spec->arena, path);
	m->source = m->destination;
	m->throwaway = true;
	m->type = arena_strdup(&spec->arena, "bind");
}

/*
 * In a user namespace a layer can't be put over a folder with mounts of the host below it, and so not
 * over "/". The layers go where an ordinary user writes; the rest is read-only.
 */
static void add_user_layers(struct oci_spec *spec)
{
	spec->root.throwaway = false;
	spec->root.all_readonly = true;
	add_layer(spec, "/tmp");
	add_layer(spec, "/var/tmp");
	add_layer(spec, getenv("HOME"));
	add_layer(spec, getenv("XDG_RUNTIME_DIR"));
	add_layer(spec, spec->process.cwd);
}

static int set_user(struct oci_user *user, struct arena *arena, struct error *err)
{
	/* who is not root has no right to map other groups than its own */
	int n = geteuid() ? 0 : getgroups(0, NULL);

	user->uid = geteuid();
	user->gid = getegid();
	if (n < 0)
		return error_errno(err, errno, "groups");
	user->groups = arena_array(arena, (size_t)n + 1, sizeof(*user->groups));
	n = n ? getgroups(n, user->groups) : 0;
	user->n_groups = n > 0 ? (size_t)n : 0;
	return 0;
}

static void set_rlimits(struct oci_process *p, struct arena *arena)
{
	p->rlimits = arena_array(arena, RLIM_NLIMITS, sizeof(*p->rlimits));
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		if (!getrlimit((__rlimit_resource_t)i, &limit))
			p->rlimits[p->n_rlimits++] = (struct oci_rlimit){
				.resource = i, .soft = limit.rlim_cur, .hard = limit.rlim_max };
	}
}

static int set_process(struct oci_spec *spec, char **args, size_t n_args, struct error *err)
{
	struct oci_process *p = &spec->process;
	cleanup_free char *cwd = get_current_dir_name();
	uint64_t all = geteuid() ? 0 : oci_all_capabilities();

	if (!cwd)
		return error_errno(err, errno, "working directory");
	p->cwd = arena_strdup(&spec->arena, cwd);
	p->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	p->args = (struct oci_strings){ args, n_args };
	p->env.v = environ;
	while (environ[p->env.n])
		p->env.n++;
	p->capabilities = (struct oci_capabilities){ .bounding = all, .effective = all,
						     .permitted = all };
	set_rlimits(p, &spec->arena);
	return set_user(&p->user, &spec->arena, err);
}

static void set_namespaces(struct oci_spec *spec)
{
	static const enum oci_namespace_type own[] = { OCI_NS_PID, OCI_NS_MOUNT, OCI_NS_IPC,
						       OCI_NS_UTS };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		spec->linux_.namespaces[own[i]].present = true;
	if (!geteuid())
		return;
	spec->linux_.namespaces[OCI_NS_USER].present = true;
	subids_mappings(&spec->linux_, &spec->arena);
}

int host_spec_make(char **args, size_t n_args, struct oci_spec **out, struct error *err)
{
	cleanup(spec_freep) struct oci_spec *spec = spec_new();
	int ret;

	*out = NULL;
	spec->oci_version = arena_strdup(&spec->arena, "1.2.0");
	spec->root.path = arena_strdup(&spec->arena, "/");
	spec->root.throwaway = true;
	spec->hostname = arena_strdup(&spec->arena, HOSTNAME);
	set_namespaces(spec);
	add_guest_mounts(spec);
	ret = set_process(spec, args, n_args, err);
	if (!ret && geteuid())
		add_user_layers(spec);
	else if (!ret)
		ret = add_host_mounts(spec, err);
	if (!ret)
		*out = steal_pointer(&spec);
	return ret;
}
