/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that administer: the kernel's log, locked memory, hang-up, restart, hints about another process' memory; and RLIMIT_NPROC
 * at an exec. As an ordinary user, so that it is the same with and without a container's capabilities.
 */
#include "check.h"
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SYS_fchmodat2_nr 452
#define USER 12345

static void become_user(void)
{
	if (!geteuid()) {
		OK(setgid(USER));
		OK(setuid(USER));
		OK(prctl(PR_SET_DUMPABLE, 1));
	}
}

static void test_refusals(void)
{
	char buf[16];

	FAILS(EPERM, klogctl(2, buf, sizeof(buf)));
	FAILS(EPERM, klogctl(5, NULL, 0));
	FAILS(EPERM, syscall(SYS_vhangup));
	FAILS(EPERM, syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, NULL));
	FAILS(EPERM, syscall(SYS_reboot, 0, 0, 0, NULL));
}

static long locked_kb(void)
{
	static char text[8192]; /* no memory is to be had where this is asked */
	int fd = OK(open("/proc/self/status", O_RDONLY));
	ssize_t n = OK(read(fd, text, sizeof(text) - 1));
	char *line;

	close(fd);
	text[n] = '\0';
	line = strstr(text, "VmLck:");
	CHECK(line);
	return strtol(line + 6, NULL, 10);
}

static void test_mlockall(void)
{
	struct rlimit some = { 1 << 16, 1 << 16 }, none = { 0, 0 };

	FAILS(EINVAL, mlockall(0));
	FAILS(EINVAL, mlockall(64));
	FAILS(EINVAL, mlockall(MCL_ONFAULT));
	OK(setrlimit(RLIMIT_MEMLOCK, &some));
	FAILS(ENOMEM, mlockall(MCL_CURRENT));
	OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(locked_kb() >= 4);
	FAILS(EAGAIN, mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
	OK(munlockall());
	CHECK(locked_kb() == 0);
	OK(setrlimit(RLIMIT_MEMLOCK, &none));
	FAILS(EPERM, mlockall(MCL_FUTURE));
}

static void test_arch_prctl(void)
{
	unsigned long fs = 0, gs = 1;

	OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK(fs);
	OK(syscall(SYS_arch_prctl, ARCH_SET_FS, fs));
	OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	CHECK(gs == 0);
	FAILS(EFAULT, syscall(SYS_arch_prctl, ARCH_GET_FS, 8));
	FAILS(EPERM, syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 63));
	FAILS(EINVAL, syscall(SYS_arch_prctl, 0x7777, 0));
}

static void test_fchmodat2(void)
{
	struct stat st;
	int fd = OK(open("mode", O_CREAT | O_RDWR, 0600));

	OK(symlink("mode", "link"));
	if (syscall(SYS_fchmodat2_nr, AT_FDCWD, "mode", 0640, 0) == 0 || errno != ENOSYS) { /* Linux 6.6 */
		OK(syscall(SYS_fchmodat2_nr, AT_FDCWD, "link", 0644, 0));
		CHECK(!stat("mode", &st) && (st.st_mode & 07777) == 0644);
		OK(syscall(SYS_fchmodat2_nr, fd, "", 0600, AT_EMPTY_PATH));
		CHECK(!stat("mode", &st) && (st.st_mode & 07777) == 0600);
		OK(syscall(SYS_fchmodat2_nr, AT_FDCWD, "mode", 0611, AT_SYMLINK_NOFOLLOW));
		FAILS(EOPNOTSUPP, syscall(SYS_fchmodat2_nr, AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
		FAILS(EINVAL, syscall(SYS_fchmodat2_nr, AT_FDCWD, "mode", 0600, 0x40000));
		FAILS(ENOENT, syscall(SYS_fchmodat2_nr, AT_FDCWD, "none", 0600, 0));
		FAILS(EBADF, syscall(SYS_fchmodat2_nr, -1, "mode", 0600, 0));
	}
	OK(close(fd));
	OK(unlink("mode"));
	OK(unlink("link"));
}

static long advise(int fd, void *at, size_t len, int advice, unsigned flags)
{
	struct iovec v = { at, len };

	return syscall(SYS_process_madvise, fd, &v, 1, advice, flags);
}

static void test_process_madvise(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int self = (int)OK(syscall(SYS_pidfd_open, getpid(), 0)), other;
	pid_t pid = OK(fork());

	if (!pid) {
		pause();
		_exit(0);
	}
	other = (int)OK(syscall(SYS_pidfd_open, pid, 0));
	memset(p, 7, 8192);
	CHECK(advise(self, p, 8192, MADV_COLD, 0) == 8192);
	CHECK(advise(self, p, 4096, MADV_PAGEOUT, 0) == 4096);
	CHECK(p[0] == 7 && p[8191] == 7);
	FAILS(EINVAL, advise(self, p, 4096, MADV_COLD, 1));
	FAILS(EINVAL, advise(self, p + 1, 4096, MADV_COLD, 0));
	FAILS(EBADF, advise(-1, p, 4096, MADV_COLD, 0));
	FAILS(EINVAL, advise(other, p, 4096, MADV_DONTNEED, 0));
	FAILS(EPERM, advise(other, p, 4096, MADV_COLD, 0)); /* CAP_SYS_NICE */
	FAILS(EINVAL, syscall(SYS_process_madvise, self, NULL, 1025, MADV_COLD, 0));
	OK(munmap(p + 4096, 4096));
	FAILS(ENOMEM, advise(self, p + 4096, 4096, MADV_COLD, 0));

	FAILS(EINVAL, syscall(SYS_process_mrelease, other, 1));
	FAILS(EBADF, syscall(SYS_process_mrelease, -1, 0));
	FAILS(EINVAL, syscall(SYS_process_mrelease, other, 0)); /* it lives */
	OK(kill(pid, SIGKILL));
	CHECK(syscall(SYS_process_mrelease, other, 0) == 0 || errno == ESRCH);
	CHECK(reap(pid) == 1000 + SIGKILL);
	FAILS(ESRCH, syscall(SYS_process_mrelease, other, 0));
	close(self);
	close(other);
}

/* A user that has a process already, and may have none. */
static void test_exec_over_limit(void)
{
	struct rlimit none = { 0, 0 };
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	int ready[2];
	char c;
	pid_t pid;

	OK(pipe(ready));
	pid = OK(fork());
	if (!pid) {
		OK(setuid(USER + 1));
		CHECK(write(ready[1], "x", 1) == 1);
		pause();
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	IN_CHILD({
		OK(setrlimit(RLIMIT_NPROC, &none));
		OK(setuid(USER + 1));
		FAILS(EAGAIN, execve("/bin/true", argv, envp));
	});
	IN_CHILD({ /* without the limit it may */
		OK(setuid(USER + 1));
		execve("/bin/true", argv, envp);
		_exit(1);
	});
	OK(kill(pid, SIGKILL));
	reap(pid);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	test_arch_prctl();
	test_fchmodat2();
	if (!geteuid())
		test_exec_over_limit();
	IN_CHILD({ become_user(); test_refusals(); });
	IN_CHILD({ become_user(); test_mlockall(); });
	IN_CHILD({ become_user(); test_process_madvise(); });
	return 0;
}
