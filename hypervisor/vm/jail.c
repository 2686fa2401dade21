// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "layout.h"
#include "vm/jail.h"

/* What vm0 enters by itself, beside the hypervisor: the network namespace takes as long as all of clone. */
#define JAIL_NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* An empty, read-only root: no name means anything here. */
static int empty_mounts(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), mnt;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "4k", 0) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (syscall(SYS_move_mount, mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
		return -1;
	/* Stack the old root on the new one, then take it away (pivot_root(2), "."). */
	if (fchdir(mnt) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		return -1;
	return chdir("/");
}

static int take_id(uid_t id)
{
	if (setresgid(id, id, id) || setresuid(id, id, id))
		return -errno;
	return 0;
}

/*
 * A user without a name and a namespace without a mapping: whatever the guest is, it owns nothing on the host.
 * In a container's user namespace, which ids there are is its mappings' choice; where there is none to
 * spare the guest is the user that started it, without a right to anything.
 */
static int other_user(uid_t user)
{
	int ret;

	if (setgroups(0, NULL) && errno != EPERM) /* EPERM: not allowed in this user namespace */
		return -1;
	ret = take_id(user);
	if (ret == -EINVAL)
		ret = take_id(JAIL_UID_INSIDE);
	if (ret && ret != -EINVAL)
		return -1;
	return unshare(CLONE_NEWUSER);
}

static int place_fds(const struct jail_fds *f)
{
	const int from[] = { f->image, f->mem, f->ring, f->chan };
	int high[4], i;

	for (i = 0; i < 4; i++) {
		high[i] = fcntl(from[i], F_DUPFD, 64);
		if (high[i] < 0)
			return -1;
	}
	for (i = 0; i < 4; i++)
		if (dup2(high[i], KFD_IMAGE + i) < 0)
			return -1;
	/* Taken, so that no donated descriptor ever has a number that the table forbids to close. */
	for (i = 0; i < KFD_IMAGE; i++)
		if (dup2(KFD_CHAN, i) < 0)
			return -1;
	return close_range(KFD_CHAN + 1, ~0u, 0);
}

static int drop_privileges(void)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };
	int cap;

	for (cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	if (errno != EINVAL) /* there is no such one */
		return -1;
	if (syscall(SYS_capset, &hdr, none))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* From whatever the guest has made of it the nice value may go back to what it is now, and not beyond. */
static void set_nice_limit(void)
{
	rlim_t now = (rlim_t)(20 - getpriority(PRIO_PROCESS, 0));
	struct rlimit nice = { now, now };

	if (!setrlimit(RLIMIT_NICE, &nice) || getrlimit(RLIMIT_NICE, &nice))
		return;
	if (nice.rlim_max > now)
		nice.rlim_max = now;
	nice.rlim_cur = nice.rlim_max;
	setrlimit(RLIMIT_NICE, &nice); /* who has no right to more makes it worse only */
}

static void set_limits(void)
{
	/* 1 means none, even where the host pipes core dumps to a program: 0 would be ignored there (core(5)). */
	struct rlimit core = { 1, 1 }, stack = { 8 << 20, 8 << 20 };

	set_nice_limit();
	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_STACK, &stack); /* where the host puts its mappings depends on it */
}

/* vm0 dies with the hypervisor, also if that has died before vm0 could ask for it. */
static int bind_life(int hypervisor)
{
	struct pollfd p = { .fd = hypervisor, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -1;
	return poll(&p, 1, 0) == 0 ? 0 : -1;
}

static void __attribute__((noreturn)) vm0(const struct jail_fds *fds, int hypervisor, uid_t user, int keep)
{
	static char name[ARGS_ROOM];
	char *argv[] = { name, NULL }, *envp[] = { NULL };

	if (bind_life(hypervisor))
		_exit(JAIL_EXIT_USER);
	setsid();
	if (unshare(JAIL_NAMESPACES & ~keep))
		_exit(JAIL_EXIT_NAMESPACES);
	if (empty_mounts())
		_exit(JAIL_EXIT_MOUNT);
	set_limits();
	if (other_user(user) || bind_life(hypervisor)) /* changing the user cleared it */
		_exit(JAIL_EXIT_USER);
	if (place_fds(fds))
		_exit(JAIL_EXIT_FDS);
	if (drop_privileges())
		_exit(JAIL_EXIT_PRIVILEGES);
	personality(ADDR_NO_RANDOMIZE); /* the host's part of the layout must not move into the kernel's */
	reset_signals();
	memset(name, ' ', sizeof(name) - 1);
	syscall(SYS_execveat, KFD_IMAGE, "", argv, envp, AT_EMPTY_PATH);
	_exit(JAIL_EXIT_EXEC);
}

pid_t jail_spawn(const struct jail_fds *fds, uid_t user, int keep, int *pidfd)
{
	struct clone_args a = {
		.flags = CLONE_NEWPID | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	pid_t pid = self < 0 ? -1 : (pid_t)syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		vm0(fds, self, user, keep);
	pid = pid < 0 ? -errno : pid;
	close(self);
	return pid;
}

static int keep_capabilities(uint64_t more)
{
	static const int keep[] = {
		CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL,
		CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_LINUX_IMMUTABLE, CAP_NET_BIND_SERVICE, CAP_NET_RAW,
		CAP_IPC_LOCK, CAP_SYS_CHROOT, CAP_MKNOD, CAP_SETFCAP, CAP_SYS_RESOURCE,
	};
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2], want[2] = { { .permitted = (uint32_t)more }, { .permitted = more >> 32 } };
	size_t i;

	if (syscall(SYS_capget, &hdr, have))
		return -errno;
	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		want[keep[i] / 32].permitted |= 1u << (keep[i] % 32);
	for (i = 0; i < 2; i++) {
		want[i].permitted &= have[i].permitted;
		want[i].effective = want[i].permitted;
	}
	if (syscall(SYS_capset, &hdr, want))
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

int jail_hypervisor(void) { return keep_capabilities(0); }

int jail_hypervisor_for_listener(void) { return keep_capabilities(1ULL << CAP_SYS_PTRACE); }
