// SPDX-License-Identifier: Apache-2.0
#include "vm/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "oci/sysctl.h"
#include "vm/userns.h"

/* In the order of joining. */
static const struct {
	enum oci_namespace_type type;
	int flag;
} kinds[] = {
	{ OCI_NS_NETWORK, CLONE_NEWNET }, { OCI_NS_IPC, CLONE_NEWIPC }, { OCI_NS_UTS, CLONE_NEWUTS },
	{ OCI_NS_CGROUP, CLONE_NEWCGROUP },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *path_of(const struct oci_spec *spec, enum oci_namespace_type type)
{
	return spec->linux_.namespaces[type].path;
}

int namespaces_open(const struct oci_spec *spec, struct namespaces *ns, struct error *err)
{
	for (int i = 0; i < OCI_NS_COUNT; i++)
		ns->fds[i] = -1;
	ns->in_user = false;
	ns->made = 0;
	for (int i = 0; i < OCI_NS_COUNT; i++) {
		const char *path = path_of(spec, (enum oci_namespace_type)i);

		if (!path)
			continue;
		ns->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (ns->fds[i] < 0)
			return error_errno(err, errno, "linux.namespaces: %s: %s",
					   oci_namespace_name((enum oci_namespace_type)i), path);
	}
	return 0;
}

void namespaces_close(struct namespaces *ns)
{
	for (int i = 0; i < OCI_NS_COUNT; i++) {
		if (ns->fds[i] >= 0)
			close(ns->fds[i]);
		ns->fds[i] = -1;
	}
}

static int join(const struct oci_spec *spec, struct namespaces *ns, enum oci_namespace_type type,
		int flag, struct error *err)
{
	if (ns->fds[type] < 0)
		return 0;
	if (setns(ns->fds[type], flag))
		return error_errno(err, errno, "linux.namespaces: %s: %s", oci_namespace_name(type),
				   path_of(spec, type));
	close(steal_fd(&ns->fds[type]));
	return 0;
}

/*
 * Those that may not be joined are tried again from inside the user namespace, if there is one to
 * come: they may belong to it.
 */
static int join_all(const struct oci_spec *spec, struct namespaces *ns, bool once_more,
		    struct error *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		int ret = join(spec, ns, kinds[i].type, kinds[i].flag, err);

		if (ret && !(once_more && ret == -EPERM))
			return ret;
	}
	return 0;
}

/* To join the one we are in is an error of setns(). */
static bool already_in(int fd)
{
	struct stat own;
	struct stat other;

	return !stat("/proc/self/ns/user", &own) && !fstat(fd, &other) && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

int namespaces_user(const struct oci_spec *spec, struct namespaces *ns, struct error *err)
{
	int fd = ns->fds[OCI_NS_USER];
	int ret;

	if (ns->in_user || !spec->linux_.namespaces[OCI_NS_USER].present)
		return 0;
	if (fd < 0)
		ret = userns_new(spec, err);
	else
		ret = already_in(fd) ? 0 : join(spec, ns, OCI_NS_USER, CLONE_NEWUSER, err);
	if (!ret)
		ret = userns_become_root(err);
	ns->in_user = !ret;
	return ret;
}

/* A new network namespace has nothing but a loopback interface, and that is down. */
static int loopback_up(struct error *err)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		return error_errno(err, errno, "cannot bring up the loopback interface");
	return 0;
}

static int set_names(const struct oci_spec *spec, struct error *err)
{
	bool own = spec->linux_.namespaces[OCI_NS_UTS].present;
	const char *host = spec->hostname;
	const char *domain = spec->domainname;

	if (host && host[0]) {
		if (!own)
			return error_set(err, EINVAL, "hostname: needs a uts namespace of its own");
		if (sethostname(host, strlen(host)))
			return error_errno(err, errno, "hostname: '%s'", host);
	}
	if (domain && domain[0]) {
		if (!own)
			return error_set(err, EINVAL,
					 "domainname: needs a uts namespace of its own");
		if (setdomainname(domain, strlen(domain)))
			return error_errno(err, errno, "domainname: '%s'", domain);
	}
	return 0;
}

static int set_sysctl(const char *key, const char *value, struct error *err)
{
	cleanup_close int fd = -1;
	char dotted[SYSCTL_NAME_MAX], path[SYSCTL_NAME_MAX + sizeof("/proc/sys/")];

	if (!oci_sysctl_dotted(key, dotted))
		return error_errno(err, ENAMETOOLONG, "linux.sysctl.%s", key);
	snprintf(path, sizeof(path), "/proc/sys/%s", dotted);
	for (char *p = path + sizeof("/proc/sys/") - 1; *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return error_errno(err, errno, "linux.sysctl.%s", key);
	return 0;
}

static int set_sysctls(const struct oci_pairs *sysctl, struct error *err)
{
	for (size_t i = 0; i < sysctl->n; i++) {
		const struct oci_pair *s = &sysctl->v[i];
		int ret = oci_sysctl_of_host(s->key) ? set_sysctl(s->key, s->value, err) : 0;

		if (ret)
			return ret;
	}
	return 0;
}

static bool to_make(const struct oci_spec *spec, enum oci_namespace_type type)
{
	return spec->linux_.namespaces[type].present && !path_of(spec, type);
}

int namespaces_own_names(const struct oci_spec *spec)
{
	return (to_make(spec, OCI_NS_IPC) ? CLONE_NEWIPC : 0) | (to_make(spec, OCI_NS_UTS) ? CLONE_NEWUTS : 0);
}

int namespaces_names(const struct oci_spec *spec, struct namespaces *ns, struct error *err)
{
	ns->made = namespaces_own_names(spec);
	if (unshare(ns->made))
		return error_errno(err, errno, "linux.namespaces: cannot make ipc and uts namespaces");
	return 0;
}

int namespaces_mount(struct error *err)
{
	if (unshare(CLONE_NEWNS))
		return error_errno(err, errno, "linux.namespaces: cannot make a mount namespace");
	return 0;
}

int namespaces_enter(const struct oci_spec *spec, struct namespaces *ns, struct error *err)
{
	const struct oci_namespace *wanted = spec->linux_.namespaces;
	bool user = !ns->in_user && wanted[OCI_NS_USER].present;
	/* a mount namespace is of use only to who may change it: it must belong to the user namespace */
	int flags = user ? CLONE_NEWNS : 0;
	int ret = join_all(spec, ns, user, err);

	if (!ret)
		ret = namespaces_user(spec, ns, err);
	if (!ret && user)
		ret = join_all(spec, ns, false, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < KINDS; i++) {
		if (to_make(spec, kinds[i].type))
			flags |= kinds[i].flag;
	}
	if (unshare(flags & ~ns->made))
		return error_errno(err, errno, "linux.namespaces: cannot make namespaces");
	if (flags & CLONE_NEWNET)
		ret = loopback_up(err);
	if (!ret)
		ret = set_names(spec, err);
	return ret ? ret : set_sysctls(&spec->linux_.sysctl, err);
}
