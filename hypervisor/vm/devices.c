// SPDX-License-Identifier: Apache-2.0
#include "vm/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define ANY (-1)
#define PASSED_FLAGS (O_ACCMODE | O_EXCL | O_DIRECT | O_SYNC | O_APPEND)

/* Served by the guest kernel (kernel/fs/dev_*.c, pty.c). */
static const struct numbers {
	unsigned int major;
	int first, last;
} guests_own[] = {
	{ 1, 3, 3 }, { 1, 5, 5 }, { 1, 7, 9 }, { 5, 0, 2 },
	{ 136, 0, 1 << 20 }, { 137, 0, 1 << 20 }, { 138, 0, 1 << 20 }, { 139, 0, 1 << 20 },
	{ 140, 0, 1 << 20 }, { 141, 0, 1 << 20 }, { 142, 0, 1 << 20 }, { 143, 0, 1 << 20 },
};

/*
 * Never opened, whatever the configuration says: memory, ports and messages of the host, what makes or feeds
 * virtual machines (kvm, vfio, vhost), the suspended system's image, model specific registers.
 */
static const struct numbers barred[] = {
	{ 1, 1, 2 },     { 1, 4, 4 },     { 1, 11, 12 },   { 10, 144, 144 }, { 10, 196, 196 },
	{ 10, 231, 232 }, { 10, 238, 238 }, { 10, 241, 241 }, { 202, 0, 1 << 20 },
};

static bool among(const struct numbers *list, size_t n, const struct oci_device *d)
{
	for (size_t i = 0; i < n && d->type == S_IFCHR; i++) {
		if (d->major == list[i].major && (int)d->minor >= list[i].first && (int)d->minor <= list[i].last)
			return true;
	}
	return false;
}

bool devices_from_host(const struct oci_device *d)
{
	return d->type != S_IFIFO && !among(guests_own, sizeof(guests_own) / sizeof(guests_own[0]), d);
}

/* ---- linux.resources.devices ---- */

static bool number_matches(const struct oci_opt *rule, unsigned int number)
{
	return !rule->set || rule->v == ANY || rule->v == (int64_t)number;
}

static bool rule_matches(const struct oci_device_rule *r, const struct oci_device *d, char access)
{
	char type = r->type && r->type[0] ? r->type[0] : 'a';

	if (r->access && r->access[0] && !strchr(r->access, access))
		return false;
	if (type == 'a')
		return true; /* numbers have no meaning then */
	if (type != (d->type == S_IFBLK ? 'b' : 'c'))
		return false;
	return number_matches(&r->major, d->major) && number_matches(&r->minor, d->minor);
}

/* The last rule that matches decides; without one it is forbidden, as in a device cgroup. */
static bool rules_allow(const struct oci_resources *r, const struct oci_device *d, char access)
{
	for (size_t i = r->n_devices; i > 0; i--) {
		if (rule_matches(&r->devices[i - 1], d, access))
			return r->devices[i - 1].allow;
	}
	return false;
}

bool devices_allowed(const struct oci_linux *config, const struct oci_device *d, int access)
{
	if (among(barred, sizeof(barred) / sizeof(barred[0]), d) || access == O_ACCMODE)
		return false;
	if (access != O_WRONLY && !rules_allow(&config->resources, d, 'r'))
		return false;
	return access == O_RDONLY || rules_allow(&config->resources, d, 'w');
}

/* ---- nodes ---- */

static bool any_from_host(const struct oci_linux *config)
{
	for (size_t i = 0; i < config->n_devices; i++) {
		if (devices_from_host(&config->devices[i]))
			return true;
	}
	return false;
}

/* Not mounts_new_fs(): on that, devices can't be opened. */
static int new_directory(void)
{
	cleanup_close int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "4k", 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fs = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return fs < 0 ? -errno : steal_fd(&fs);
}

/* The hypervisor may have another user than now when it opens them: nobody else can reach them. */
static int make_nodes(int dirfd, const struct oci_linux *config)
{
	char name[24];

	for (size_t i = 0; i < config->n_devices; i++) {
		const struct oci_device *d = &config->devices[i];

		if (!devices_from_host(d))
			continue;
		snprintf(name, sizeof(name), "%zu", i);
		if (mknodat(dirfd, name, d->type | 0666, makedev(d->major, d->minor)))
			return -errno;
	}
	return 0;
}

static bool is_device(int fd, const struct oci_device *d)
{
	struct stat st;

	return !fstat(fd, &st) && (st.st_mode & S_IFMT) == d->type && st.st_rdev == makedev(d->major, d->minor);
}

/* Who may make no nodes (rootless) gets the host's own, as runc has it. */
static int borrow_nodes(struct devices *out, struct error *err)
{
	const struct oci_linux *config = out->config;

	out->fds = malloc((config->n_devices + 1) * sizeof(*out->fds));
	if (!out->fds)
		return error_errno(err, ENOMEM, "linux.devices");
	for (size_t i = 0; i < config->n_devices; i++) {
		const struct oci_device *d = &config->devices[i];

		out->fds[i] = devices_from_host(d) ? open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (out->fds[i] >= 0 && !is_device(out->fds[i], d)) {
			close(out->fds[i]);
			out->fds[i] = -1;
		}
	}
	return 0;
}

int devices_prepare(struct devices *out, const struct oci_linux *config, int procfd, struct error *err)
{
	int ret;

	*out = (struct devices){ .config = config, .dirfd = -1, .procfd = procfd };
	if (!any_from_host(config))
		return 0;
	out->dirfd = new_directory();
	ret = out->dirfd < 0 ? out->dirfd : make_nodes(out->dirfd, config);
	if (!ret)
		return 0;
	if (out->dirfd >= 0)
		close(out->dirfd);
	out->dirfd = -1;
	return ret == -EPERM || ret == -EACCES ? borrow_nodes(out, err) :
						  error_errno(err, -ret, "linux.devices: cannot make nodes");
}

static int open_node(const struct devices *d, unsigned int number, int flags)
{
	char name[32];

	if (d->dirfd < 0 && (!d->fds || d->fds[number] < 0))
		return -ENXIO;
	if (d->dirfd < 0)
		snprintf(name, sizeof(name), "self/fd/%d", d->fds[number]);
	else
		snprintf(name, sizeof(name), "%u", number);
	flags = openat(d->dirfd < 0 ? d->procfd : d->dirfd, name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return flags < 0 ? -errno : flags;
}

int devices_open(const struct devices *d, unsigned int number, int flags)
{
	cleanup_close int fd = -1;
	int ret;

	if (!d->config || number >= d->config->n_devices || !devices_from_host(&d->config->devices[number]))
		return -ENXIO;
	if (!devices_allowed(d->config, &d->config->devices[number], flags & O_ACCMODE))
		return -EPERM;
	ret = open_node(d, number, flags & PASSED_FLAGS);
	if (ret < 0)
		return ret;
	fd = ret;
	if (!is_device(fd, &d->config->devices[number]))
		return -ENXIO;
	/* not to wait for a carrier was for us; waiting for data is the guest's */
	ret = fcntl(fd, F_GETFL);
	if (ret < 0 || fcntl(fd, F_SETFL, ret & ~O_NONBLOCK))
		return -errno;
	return steal_fd(&fd);
}
