// SPDX-License-Identifier: Apache-2.0
/* Kernel and CPU: what guest processes are made of. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check/check.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

static void check_version(struct report *r)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	if (major > 5 || (major == 5 && minor >= 14))
		report(r, "kernel", CHECK_OK, NULL, "Linux %s", u.release);
	else
		report(r, "kernel", CHECK_MISSING, "use Linux 5.14 or newer", "Linux %s", u.release);
}

static void check_fsgsbase(struct report *r)
{
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
		report(r, "fsgsbase", CHECK_OK, NULL, "programs may set their FS and GS registers");
	else
		report(r, "fsgsbase", CHECK_MISSING,
		       "boot without nofsgsbase, on a CPU that has it (Intel since 2012, AMD since 2015)",
		       "programs may not set their FS and GS registers");
}

static const char *missing_action(void)
{
	static const struct {
		unsigned action;
		const char *name;
	} actions[] = {
		{ SECCOMP_RET_TRAP, "SECCOMP_RET_TRAP" },
		{ SECCOMP_RET_USER_NOTIF, "SECCOMP_RET_USER_NOTIF" },
		{ SECCOMP_RET_KILL_PROCESS, "SECCOMP_RET_KILL_PROCESS" },
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i].action))
			return actions[i].name;
	}
	return NULL;
}

static void check_seccomp(struct report *r)
{
	const char *missing = missing_action();

	if (!missing)
		report(r, "seccomp", CHECK_OK, NULL, "filters with traps and user notification");
	else
		report(r, "seccomp", CHECK_MISSING, "use a kernel with CONFIG_SECCOMP_FILTER",
		       "filters without %s", missing);
}

static void check_openat2(struct report *r)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd >= 0) {
		close(fd);
		report(r, "openat2", CHECK_OK, NULL, "names are resolved below a root");
		return;
	}
	report(r, "openat2", CHECK_MISSING, "allow the call, if an outer sandbox forbids it",
	       "%s", strerrordesc_np(errno));
}

/* hypervisor/vm/domain.c */
static void check_landlock(struct report *r)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	if (version >= 6)
		report(r, "landlock", CHECK_OK, NULL, "version %ld: hypervisors reach no process and abstract socket outside", version);
	else
		report(r, "landlock", CHECK_WARNING, "use Linux 6.12 or newer, with CONFIG_SECURITY_LANDLOCK and landlock among lsm=",
		       "hypervisors have their seccomp filters and namespaces, but no Landlock domain");
}

void check_kernel(struct report *r)
{
	check_version(r);
	check_fsgsbase(r);
	check_seccomp(r);
	check_openat2(r);
	check_landlock(r);
}
