/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are asked for what they must refuse: one row for each, with the error that Linux gives. */
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#define NOBODY_HAS 0x3fffffff /* a process id beyond all limits */
#define BAD 1UL		      /* no address */

struct refusal {
	const char *name;
	long nr;
	int error;
	unsigned long args[6];
};

#define A(...) ((unsigned long)(__VA_ARGS__))
#define REFUSAL(call, error, ...) { #call " " #error, SYS_##call, error, { __VA_ARGS__ } }

static char buf[4096];
static unsigned long set;
static int file, dir, ends[2];

static void check_all(const struct refusal *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned long *a = list[i].args;

		errno = 0;
		if (syscall(list[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]) != -1 || errno != list[i].error)
			check_failed(__FILE__, (int)i, list[i].name);
	}
}

#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof(*(list)))

static void test_signals(void)
{
	siginfo_t kernels = { .si_code = SI_KERNEL }, own = { .si_code = SI_QUEUE };
	const struct refusal list[] = {
		REFUSAL(rt_sigprocmask, EINVAL, 99, A(&set), 0, 8),
		REFUSAL(rt_sigprocmask, EINVAL, SIG_BLOCK, A(&set), 0, 7),
		REFUSAL(rt_sigprocmask, EFAULT, SIG_BLOCK, BAD, 0, 8),
		REFUSAL(rt_sigprocmask, EFAULT, SIG_BLOCK, 0, BAD, 8),
		REFUSAL(rt_sigpending, EFAULT, BAD, 8),
		REFUSAL(rt_sigpending, EINVAL, A(buf), 9),
		REFUSAL(rt_sigsuspend, EINVAL, A(&set), 7),
		REFUSAL(rt_sigsuspend, EFAULT, BAD, 8),
		REFUSAL(rt_sigqueueinfo, EFAULT, getpid(), SIGUSR1, BAD),
		REFUSAL(rt_sigqueueinfo, EPERM, getppid(), 0, A(&kernels)),
		REFUSAL(rt_sigqueueinfo, ESRCH, NOBODY_HAS, 0, A(&own)),
		REFUSAL(rt_sigqueueinfo, EINVAL, getpid(), 65, A(&own)),
		REFUSAL(rt_tgsigqueueinfo, EINVAL, 0, 0, 0, A(&own)),
		REFUSAL(rt_tgsigqueueinfo, ESRCH, getpid(), NOBODY_HAS, 0, A(&own)),
		REFUSAL(signalfd, EINVAL, -1, A(&set), 7),
		REFUSAL(signalfd, EBADF, 999, A(&set), 8),
		REFUSAL(signalfd, EINVAL, file, A(&set), 8),
		REFUSAL(signalfd4, EINVAL, -1, A(&set), 8, 0xff),
		REFUSAL(signalfd4, EFAULT, -1, BAD, 8, 0),
		REFUSAL(eventfd2, EINVAL, 0, 0xff),
		REFUSAL(wait4, EINVAL, -1, 0, 0x100, 0),
		REFUSAL(wait4, ECHILD, -1, 0, 0, 0),
		REFUSAL(wait4, ESRCH, INT_MIN, 0, 0, 0),
		REFUSAL(waitid, EINVAL, 9, 0, 0, WEXITED),
		REFUSAL(waitid, EINVAL, P_ALL, 0, 0, 0),
		REFUSAL(waitid, ECHILD, P_ALL, 0, 0, WEXITED),
		REFUSAL(waitid, EINVAL, P_PID, 0, 0, WEXITED),
		REFUSAL(waitid, EBADF, P_PIDFD, 999, 0, WEXITED),
	};

	CHECK_ALL(list);
}

static void test_times(void)
{
	struct itimerval value = { .it_value = { 0, 1000000 } };
	struct itimerspec spec = { .it_value = { 0, 1000000000 } };
	static struct itimerspec off;
	struct timespec negative = { -1, 0 }, both[2] = { { 0, 1000000000 }, { 0, 0 } };
	struct timeval micro[2] = { { 0, 1000000 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = 99 };
	int tfd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
	const struct refusal list[] = {
		REFUSAL(getitimer, EINVAL, 99, A(buf)),
		REFUSAL(getitimer, EFAULT, ITIMER_REAL, BAD),
		REFUSAL(setitimer, EINVAL, 99, A(buf), 0),
		REFUSAL(setitimer, EINVAL, ITIMER_REAL, A(&value), 0),
		REFUSAL(setitimer, EFAULT, ITIMER_REAL, BAD, 0),
		REFUSAL(gettimeofday, EFAULT, BAD, 0),
		REFUSAL(times, EFAULT, BAD),
		REFUSAL(getrusage, EINVAL, 99, A(buf)),
		REFUSAL(getrusage, EFAULT, RUSAGE_SELF, BAD),
		REFUSAL(sysinfo, EFAULT, BAD),
		REFUSAL(uname, EFAULT, BAD),
		REFUSAL(utime, ENOENT, A("none"), 0),
		REFUSAL(utime, EFAULT, BAD, 0),
		REFUSAL(utimensat, EINVAL, AT_FDCWD, A("file"), A(both), 0),
		REFUSAL(utimensat, EINVAL, AT_FDCWD, A("file"), 0, 0x8000),
		REFUSAL(utimensat, EBADF, -1, A("file"), 0, 0),
		REFUSAL(futimesat, EBADF, -1, A("file"), 0),
		REFUSAL(futimesat, EINVAL, AT_FDCWD, A("file"), A(micro)),
		REFUSAL(adjtimex, EFAULT, BAD),
		REFUSAL(clock_adjtime, EINVAL, 99, A(buf)),
		REFUSAL(clock_nanosleep, EINVAL, 99, 0, A(&negative), 0),
		REFUSAL(clock_nanosleep, EINVAL, CLOCK_MONOTONIC, 0, A(&negative), 0),
		REFUSAL(clock_nanosleep, EFAULT, CLOCK_MONOTONIC, 0, BAD, 0),
		REFUSAL(timer_create, EINVAL, 99, 0, A(buf)),
		REFUSAL(timer_create, EINVAL, CLOCK_MONOTONIC, A(&event), A(buf)),
		REFUSAL(timer_settime, EINVAL, 999, 0, A(&off), 0),
		REFUSAL(timer_gettime, EINVAL, 999, A(buf)),
		REFUSAL(timer_getoverrun, EINVAL, 999),
		REFUSAL(timer_delete, EINVAL, 999),
		REFUSAL(timerfd_create, EINVAL, 99, 0),
		REFUSAL(timerfd_create, EINVAL, CLOCK_MONOTONIC, 0xff),
		REFUSAL(timerfd_settime, EBADF, -1, 0, A(&off), 0),
		REFUSAL(timerfd_settime, EINVAL, file, 0, A(&off), 0),
		REFUSAL(timerfd_settime, EINVAL, tfd, 0, A(&spec), 0),
		REFUSAL(timerfd_settime, EFAULT, tfd, 0, BAD, 0),
		REFUSAL(timerfd_gettime, EINVAL, file, A(buf)),
		REFUSAL(timerfd_gettime, EFAULT, tfd, BAD),
	};

	CHECK_ALL(list);
	close(tfd);
}

static void test_processes(void)
{
	struct __user_cap_header_struct old = { .version = 7 }, other = { _LINUX_CAPABILITY_VERSION_3, NOBODY_HAS };
	struct iovec iov = { buf, 4 };
	const struct refusal list[] = {
		REFUSAL(getgroups, EINVAL, -1, A(buf)),
		REFUSAL(capget, EINVAL, A(&old), A(buf)),
		REFUSAL(capget, EFAULT, BAD, A(buf)),
		REFUSAL(capget, ESRCH, A(&other), A(buf)),
		REFUSAL(capset, EPERM, A(&other), A(buf)),
		REFUSAL(capset, EFAULT, BAD, A(buf)),
		REFUSAL(getresuid, EFAULT, BAD, A(buf), A(buf)),
		REFUSAL(getresgid, EFAULT, A(buf), A(buf), BAD),
		REFUSAL(getsid, ESRCH, NOBODY_HAS),
		REFUSAL(getpgid, ESRCH, NOBODY_HAS),
		REFUSAL(getpriority, EINVAL, 9, 0),
		REFUSAL(getpriority, ESRCH, PRIO_PROCESS, NOBODY_HAS),
		REFUSAL(setpriority, ESRCH, PRIO_PROCESS, NOBODY_HAS, 0),
		REFUSAL(sched_getparam, EINVAL, -1, A(buf)),
		REFUSAL(sched_getparam, ESRCH, NOBODY_HAS, A(buf)),
		REFUSAL(sched_getparam, EFAULT, 0, BAD),
		REFUSAL(sched_getscheduler, EINVAL, -1),
		REFUSAL(sched_getscheduler, ESRCH, NOBODY_HAS),
		REFUSAL(sched_get_priority_max, EINVAL, 99),
		REFUSAL(sched_get_priority_min, EINVAL, 99),
		REFUSAL(sched_rr_get_interval, EINVAL, -1, A(buf)),
		REFUSAL(sched_rr_get_interval, ESRCH, NOBODY_HAS, A(buf)),
		REFUSAL(prlimit64, ESRCH, NOBODY_HAS, RLIMIT_NOFILE, 0, 0),
		REFUSAL(prlimit64, EINVAL, 0, 99, 0, 0),
		REFUSAL(prlimit64, EFAULT, 0, RLIMIT_NOFILE, 0, BAD),
		REFUSAL(set_robust_list, EINVAL, A(buf), 3),
		REFUSAL(get_robust_list, ESRCH, NOBODY_HAS, A(buf), A(buf)),
		REFUSAL(getcpu, EFAULT, BAD, 0),
		REFUSAL(get_mempolicy, EINVAL, A(buf), A(buf), 1024, 0, 0x100),
		REFUSAL(process_vm_writev, ESRCH, NOBODY_HAS, A(&iov), 1, A(&iov), 1, 0),
		REFUSAL(process_vm_writev, EINVAL, getpid(), A(buf), 0, A(buf), 0, 1),
		REFUSAL(pidfd_open, EINVAL, getpid(), 0xff),
		REFUSAL(pidfd_open, ESRCH, NOBODY_HAS, 0),
		REFUSAL(execveat, EINVAL, AT_FDCWD, A("file"), 0, 0, 0x8000),
		REFUSAL(execveat, ENOENT, AT_FDCWD, A(""), 0, 0, 0),
		REFUSAL(execveat, EBADF, -1, A("file"), 0, 0, 0),
		REFUSAL(execveat, EACCES, AT_FDCWD, A("dir"), 0, 0, 0),
	};

	CHECK_ALL(list);
}

static void test_names(void)
{
	struct open_how unknown = { .resolve = 0x8000 }, mode = { .flags = O_RDONLY, .mode = 0600 }, both = { .resolve = RESOLVE_BENEATH | RESOLVE_IN_ROOT };
	struct { struct open_how how; unsigned long more; } later = { .more = 1 };
	const struct refusal list[] = {
		REFUSAL(chdir, ENOENT, A("none")),
		REFUSAL(chdir, ENOTDIR, A("file")),
		REFUSAL(chdir, EFAULT, BAD),
		REFUSAL(fchdir, EBADF, -1),
		REFUSAL(fchdir, ENOTDIR, file),
		REFUSAL(creat, EISDIR, A("dir"), 0600),
		REFUSAL(creat, ENOENT, A("none/x"), 0600),
		REFUSAL(lchown, ENOENT, A("none"), 0, 0),
		REFUSAL(lchown, ENOTDIR, A("file/x"), 0, 0),
		REFUSAL(statfs, ENOENT, A("none"), A(buf)),
		REFUSAL(statfs, EFAULT, A("file"), BAD),
		REFUSAL(mkdirat, EBADF, -1, A("x"), 0700),
		REFUSAL(mkdirat, ENOTDIR, file, A("x"), 0700),
		REFUSAL(mkdirat, EEXIST, AT_FDCWD, A("dir"), 0700),
		REFUSAL(mkdirat, ENOENT, AT_FDCWD, A(""), 0700),
		REFUSAL(mknodat, EBADF, -1, A("x"), S_IFIFO, 0),
		REFUSAL(mknodat, EEXIST, AT_FDCWD, A("file"), S_IFIFO, 0),
		REFUSAL(mknodat, EPERM, AT_FDCWD, A("x"), S_IFDIR, 0),
		REFUSAL(mknodat, EINVAL, AT_FDCWD, A("x"), S_IFLNK, 0),
		REFUSAL(newfstatat, EINVAL, AT_FDCWD, A("file"), A(buf), 0x8000),
		REFUSAL(newfstatat, EBADF, -1, A("file"), A(buf), 0),
		REFUSAL(newfstatat, ENOENT, AT_FDCWD, A(""), A(buf), 0),
		REFUSAL(newfstatat, EFAULT, AT_FDCWD, A("file"), BAD, 0),
		REFUSAL(statx, EINVAL, AT_FDCWD, A("file"), 0x8000, 0x7ff, A(buf)),
		REFUSAL(statx, EINVAL, AT_FDCWD, A("file"), 0, 0x80000000, A(buf)),
		REFUSAL(statx, EINVAL, AT_FDCWD, A("file"), AT_STATX_SYNC_TYPE, 0x7ff, A(buf)),
		REFUSAL(statx, EFAULT, AT_FDCWD, A("file"), 0, 0x7ff, BAD),
		REFUSAL(unlinkat, EINVAL, AT_FDCWD, A("file"), 0x8000),
		REFUSAL(unlinkat, EISDIR, AT_FDCWD, A("dir"), 0),
		REFUSAL(unlinkat, ENOTDIR, AT_FDCWD, A("file"), AT_REMOVEDIR),
		REFUSAL(unlinkat, EBADF, -1, A("file"), 0),
		REFUSAL(renameat, ENOENT, AT_FDCWD, A("none"), AT_FDCWD, A("x")),
		REFUSAL(renameat, ENOTDIR, AT_FDCWD, A("dir"), AT_FDCWD, A("file")),
		REFUSAL(renameat, EISDIR, AT_FDCWD, A("file"), AT_FDCWD, A("dir")),
		REFUSAL(renameat, EINVAL, AT_FDCWD, A("dir"), AT_FDCWD, A("dir/x")),
		REFUSAL(linkat, EINVAL, AT_FDCWD, A("file"), AT_FDCWD, A("x"), 0x8000),
		REFUSAL(linkat, EEXIST, AT_FDCWD, A("file"), AT_FDCWD, A("dir"), 0),
		REFUSAL(linkat, EPERM, AT_FDCWD, A("dir"), AT_FDCWD, A("x"), 0),
		REFUSAL(symlinkat, EEXIST, A("a"), AT_FDCWD, A("file")),
		REFUSAL(symlinkat, ENOENT, A(""), AT_FDCWD, A("x")),
		REFUSAL(symlinkat, EBADF, A("a"), -1, A("x")),
		REFUSAL(readlinkat, EINVAL, AT_FDCWD, A("file"), A(buf), 10),
		REFUSAL(readlinkat, EINVAL, AT_FDCWD, A("link"), A(buf), 0),
		REFUSAL(readlinkat, EFAULT, AT_FDCWD, A("link"), BAD, 10),
		REFUSAL(fchmodat, ENOENT, AT_FDCWD, A("none"), 0600),
		REFUSAL(fchmodat, EBADF, -1, A("file"), 0600),
		REFUSAL(chroot, ENOENT, A("none")),
		REFUSAL(chroot, ENOTDIR, A("file")),
		REFUSAL(openat2, EINVAL, AT_FDCWD, A("file"), A(&unknown), sizeof(unknown)),
		REFUSAL(openat2, EINVAL, AT_FDCWD, A("file"), A(&mode), sizeof(mode)),
		REFUSAL(openat2, EINVAL, AT_FDCWD, A("file"), A(&both), sizeof(both)),
		REFUSAL(openat2, EINVAL, AT_FDCWD, A("file"), A(&mode), 3),
		REFUSAL(openat2, E2BIG, AT_FDCWD, A("file"), A(&later), sizeof(later)),
		REFUSAL(openat2, EFAULT, AT_FDCWD, A("file"), BAD, sizeof(mode)),
		REFUSAL(lgetxattr, ENOENT, A("none"), A("user.a"), A(buf), 10),
		REFUSAL(llistxattr, ENOENT, A("none"), A(buf), 10),
		REFUSAL(lremovexattr, ENOENT, A("none"), A("user.a")),
		REFUSAL(fsetxattr, EBADF, -1, A("user.a"), A("1"), 1, 0),
		REFUSAL(fsetxattr, EINVAL, file, A("user.a"), A("1"), 1, 0xff),
		REFUSAL(fsetxattr, ERANGE, file, A(""), A("1"), 1, 0),
	};

	CHECK_ALL(list);
}

static void test_descriptors(void)
{
	struct iovec iov = { buf, 4 }, many = { (void *)BAD, 4 };
	const struct refusal list[] = {
		REFUSAL(fsync, EBADF, -1),
		REFUSAL(fsync, EINVAL, ends[0]),
		REFUSAL(fdatasync, EBADF, -1),
		REFUSAL(fdatasync, EINVAL, ends[0]),
		REFUSAL(getdents64, EBADF, -1, A(buf), sizeof(buf)),
		REFUSAL(getdents64, ENOTDIR, file, A(buf), sizeof(buf)),
		REFUSAL(getdents64, EINVAL, dir, A(buf), 1),
		REFUSAL(getdents64, EFAULT, dir, BAD, sizeof(buf)),
		REFUSAL(close_range, EINVAL, 500, 400, 0),
		REFUSAL(close_range, EINVAL, 500, 600, 0xff),
		REFUSAL(preadv, EBADF, -1, A(&iov), 1, 0),
		REFUSAL(preadv, EINVAL, file, A(&iov), 1, -1),
		REFUSAL(preadv, EINVAL, file, A(&iov), 1025, 0),
		REFUSAL(preadv, EFAULT, file, BAD, 1, 0),
		REFUSAL(preadv, ESPIPE, ends[0], A(&iov), 1, 0),
		REFUSAL(pwritev, EBADF, dir, A(&iov), 1, 0),
		REFUSAL(pwritev, EFAULT, file, A(&many), 1, 0),
		REFUSAL(pwritev, ESPIPE, ends[1], A(&iov), 1, 0),
		REFUSAL(sendfile, EBADF, -1, file, 0, 1),
		REFUSAL(sendfile, EBADF, file, -1, 0, 1),
		REFUSAL(sendfile, EFAULT, ends[1], file, BAD, 1),
		REFUSAL(splice, EINVAL, file, 0, file, 0, 1, 0),
		REFUSAL(splice, EBADF, -1, 0, ends[1], 0, 1, 0),
		REFUSAL(splice, ESPIPE, ends[0], A(buf), file, 0, 1, 0),
		REFUSAL(splice, EINVAL, file, 0, ends[1], 0, 1, 0xff),
		REFUSAL(tee, EINVAL, file, ends[1], 1, 0),
		REFUSAL(tee, EINVAL, ends[0], ends[1], 1, 0),
		REFUSAL(tee, EINVAL, ends[0], ends[1], 1, 0xff),
		REFUSAL(copy_file_range, EBADF, -1, 0, file, 0, 1, 0),
		REFUSAL(copy_file_range, EINVAL, file, 0, file, 0, 1, 1),
		REFUSAL(copy_file_range, EINVAL, file, 0, ends[1], 0, 1, 0),
		REFUSAL(copy_file_range, EISDIR, dir, 0, file, 0, 1, 0),
		REFUSAL(pselect6, EINVAL, -1, 0, 0, 0, 0, 0),
		REFUSAL(pselect6, EINVAL, 0, 0, 0, 0, A(&(struct timespec){ 0, -1 }), 0),
		REFUSAL(inotify_init1, EINVAL, 0xff),
		REFUSAL(recvfrom, EBADF, -1, A(buf), 1, 0, 0, 0),
		REFUSAL(recvfrom, ENOTSOCK, file, A(buf), 1, 0, 0, 0),
		REFUSAL(getsockname, EBADF, -1, A(buf), A(buf)),
		REFUSAL(getsockname, ENOTSOCK, file, A(buf), A(buf)),
		REFUSAL(sendmmsg, EBADF, -1, A(buf), 1, 0),
		REFUSAL(sendmmsg, ENOTSOCK, file, A(buf), 1, 0),
		REFUSAL(socketpair, EAFNOSUPPORT, 99, SOCK_STREAM, 0, A(buf)),
		REFUSAL(socketpair, EOPNOTSUPP, AF_INET, SOCK_STREAM, 0, A(buf)),
		REFUSAL(socketpair, EINVAL, AF_UNIX, SOCK_STREAM | 0x8000, 0, A(buf)),
		REFUSAL(socketpair, EFAULT, AF_UNIX, SOCK_STREAM, 0, BAD),
	};

	CHECK_ALL(list);
}

static void test_memory(void)
{
	char *p = OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char name[300];
	aio_context_t none = 0, used = 1;
	const struct refusal list[] = {
		REFUSAL(msync, EINVAL, A(p + 1), 4096, MS_SYNC),
		REFUSAL(msync, EINVAL, A(p), 4096, MS_SYNC | MS_ASYNC),
		REFUSAL(msync, ENOMEM, A(p), 8192, MS_SYNC),
		REFUSAL(mlock, ENOMEM, A(p), 8192),
		REFUSAL(munlock, ENOMEM, A(p), 8192),
		REFUSAL(mlockall, EINVAL, 0),
		REFUSAL(mprotect, ENOMEM, A(p), 8192, PROT_READ),
		REFUSAL(mprotect, EINVAL, A(p + 1), 4096, PROT_READ),
		REFUSAL(munmap, EINVAL, A(p + 1), 4096),
		REFUSAL(munmap, EINVAL, A(p), 0),
		REFUSAL(mremap, EINVAL, A(p), 4096, 4096, 0xff),
		REFUSAL(mremap, EFAULT, A(p + 4096), 4096, 8192, MREMAP_MAYMOVE),
		REFUSAL(remap_file_pages, EINVAL, A(p), 4096, 0, 0, 0),
		REFUSAL(pkey_mprotect, EINVAL, A(p), 4096, PROT_READ, 99),
		REFUSAL(memfd_create, EINVAL, A("x"), 0x8000),
		REFUSAL(memfd_create, EINVAL, A(name), 0),
		REFUSAL(memfd_create, EFAULT, BAD, 0),
		REFUSAL(io_setup, EINVAL, 0, A(&none)),
		REFUSAL(io_setup, EINVAL, 1, A(&used)),
		REFUSAL(io_setup, EFAULT, 1, BAD),
		REFUSAL(io_destroy, EINVAL, 4096),
		REFUSAL(io_submit, EINVAL, 4096, 1, A(buf)),
		REFUSAL(io_getevents, EINVAL, 4096, 1, 1, A(buf), 0),
		REFUSAL(io_pgetevents, EINVAL, 4096, 1, 1, A(buf), 0, 0),
		REFUSAL(io_cancel, EFAULT, 4096, BAD, A(buf)),
	};

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	OK(munmap(p + 4096, 4096));
	CHECK_ALL(list);
	/* brk knows no errors: what it does not do leaves the end where it was. */
	CHECK(syscall(SYS_brk, 1) == syscall(SYS_brk, 0));
	OK(munmap(p, 4096));
}

/* What root may do is refused to others: EPERM comes before any look at most arguments. */
static void test_ordinary_user(void)
{
	struct timex when = { .modes = ADJ_FREQUENCY };
	struct rlimit raised;

	OK(getrlimit(RLIMIT_NOFILE, &raised));
	raised.rlim_max++;
	if (!getuid()) {
		OK(syscall(SYS_setgroups, 0, 0));
		OK(syscall(SYS_setresgid, 65534, 65534, 65534));
		OK(syscall(SYS_setresuid, 65534, 65534, 65534));
	}

	const struct refusal list[] = {
		REFUSAL(setuid, EPERM, 0),
		REFUSAL(setgid, EPERM, 0),
		REFUSAL(setreuid, EPERM, 0, 0),
		REFUSAL(setregid, EPERM, 0, 0),
		REFUSAL(setresuid, EPERM, -1, 0, -1),
		REFUSAL(setresgid, EPERM, -1, 0, -1),
		REFUSAL(setgroups, EPERM, 0, 0),
		REFUSAL(setdomainname, EPERM, A("x"), 1),
		REFUSAL(sethostname, EPERM, A("x"), 1),
		REFUSAL(chroot, EPERM, A("/")),
		REFUSAL(adjtimex, EPERM, A(&when)),
		REFUSAL(setpriority, EACCES, PRIO_PROCESS, 0, -20),
		REFUSAL(setrlimit, EPERM, RLIMIT_NOFILE, A(&raised)),
		REFUSAL(mount, EPERM, A("x"), A("/"), A("tmpfs"), 0, 0),
		REFUSAL(umount2, EPERM, A("/"), 0),
		REFUSAL(pivot_root, EPERM, A("/"), A("/")),
		REFUSAL(mknodat, EPERM, AT_FDCWD, A("/tmp/x"), S_IFCHR | 0600, 0x103),
		REFUSAL(kill, EPERM, 1, 0),
		REFUSAL(fsopen, EPERM, A("tmpfs"), 0),
	};

	CHECK_ALL(list);
	CHECK(syscall(SYS_setfsuid, 0) == (long)geteuid() && syscall(SYS_setfsuid, -1) == (long)geteuid());
	CHECK(syscall(SYS_setfsgid, 0) == (long)getegid() && syscall(SYS_setfsgid, -1) == (long)getegid());
}

int main(void)
{
	file = OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
	OK(mkdir("dir", 0755));
	OK(symlink("file", "link"));
	dir = OK(open("dir", O_RDONLY | O_DIRECTORY));
	OK(pipe(ends));
	test_signals();
	test_times();
	test_processes();
	test_names();
	test_descriptors();
	test_memory();
	IN_CHILD(test_ordinary_user());
	OK(unlink("link"));
	OK(rmdir("dir"));
	OK(unlink("file"));
	return 0;
}
