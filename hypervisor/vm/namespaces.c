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

#include "lib/cleanup.h"
#include "lib/fs.h"

static const struct {
	enum oci_namespace_type type;
	int flag;
} kinds[] = {
	{ OCI_NS_NETWORK, CLONE_NEWNET }, { OCI_NS_IPC, CLONE_NEWIPC },
	{ OCI_NS_UTS, CLONE_NEWUTS },     { OCI_NS_CGROUP, CLONE_NEWCGROUP },
	{ OCI_NS_MOUNT, CLONE_NEWNS },
};

static int join(enum oci_namespace_type type, int flag, const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, flag))
		return error_errno(err, errno, "linux.namespaces: %s: %s",
				   oci_namespace_name(type), path);
	return 0;
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

/* "net.ipv4.ip_forward"; a name with dots in it is written with slashes */
static int set_sysctl(const char *key, const char *value, struct error *err)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	bool slashes = strchr(key, '/') != NULL;
	int n = snprintf(path, sizeof(path), "/proc/sys/%s", key);

	if (n >= (int)sizeof(path))
		return error_errno(err, ENAMETOOLONG, "linux.sysctl.%s", key);
	for (char *p = path; !slashes && (p = strchr(p, '.')); p++)
		*p = '/';
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return error_errno(err, errno, "linux.sysctl.%s", key);
	return 0;
}

static int set_sysctls(const struct oci_pairs *sysctl, struct error *err)
{
	for (size_t i = 0; i < sysctl->n; i++) {
		int ret = set_sysctl(sysctl->v[i].key, sysctl->v[i].value, err);

		if (ret)
			return ret;
	}
	return 0;
}

int namespaces_enter(const struct oci_spec *spec, struct error *err)
{
	const struct oci_namespace *ns = spec->linux_.namespaces;
	int flags = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct oci_namespace *n = &ns[kinds[i].type];

		if (n->path)
			ret = join(kinds[i].type, kinds[i].flag, n->path, err);
		else if (n->present)
			flags |= kinds[i].flag;
	}
	if (ret)
		return ret;
	if (unshare(flags))
		return error_errno(err, errno, "linux.namespaces: cannot make namespaces");
	if (flags & CLONE_NEWNET)
		ret = loopback_up(err);
	if (!ret)
		ret = set_names(spec, err);
	return ret ? ret : set_sysctls(&spec->linux_.sysctl, err);
}
