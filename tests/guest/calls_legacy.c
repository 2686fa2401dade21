/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that the C library makes no more, or hides behind a newer one: by their numbers. */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

static char buf[4096];

static void test_stat(void)
{
	struct stat st, st2;
	int fd = OK(syscall(SYS_open, "file", O_RDWR | O_CREAT | O_TRUNC, 0644));

	CHECK(write(fd, "12345", 5) == 5);
	OK(syscall(SYS_stat, "file", &st));
	OK(syscall(SYS_fstat, fd, &st2));
	CHECK(st.st_size == 5 && st.st_ino == st2.st_ino && S_ISREG(st.st_mode));
	OK(syscall(SYS_symlink, "file", "link"));
	OK(syscall(SYS_lstat, "link", &st2));
	CHECK(S_ISLNK(st2.st_mode) && st2.st_size == 4);
	FAILS(ENOENT, syscall(SYS_stat, "none", &st));
	FAILS(EBADF, syscall(SYS_fstat, -1, &st));
	FAILS(EFAULT, syscall(SYS_stat, "file", 1));
	OK(syscall(SYS_fstatfs, fd, &(struct statfs){ 0 }));
	FAILS(EBADF, syscall(SYS_fstatfs, -1, buf));
	close(fd);
}

static void test_names(void)
{
	struct stat st;

	OK(syscall(SYS_rename, "link", "link2"));
	OK(syscall(SYS_renameat, AT_FDCWD, "link2", AT_FDCWD, "link"));
	OK(syscall(SYS_symlinkat, "file", AT_FDCWD, "link3"));
	CHECK(syscall(SYS_readlinkat, AT_FDCWD, "link3", buf, sizeof(buf)) == 4);
	OK(syscall(SYS_link, "file", "file2"));
	OK(syscall(SYS_chmod, "file", 0600));
	OK(syscall(SYS_fchmodat, AT_FDCWD, "file", 0640));
	OK(syscall(SYS_chown, "file", getuid(), getgid()));
	OK(syscall(SYS_lchown, "link", getuid(), getgid()));
	OK(syscall(SYS_fchownat, AT_FDCWD, "file", -1, -1, 0));
	FAILS(EINVAL, syscall(SYS_fchownat, AT_FDCWD, "file", -1, -1, 0x8000));
	OK(syscall(SYS_access, "file", R_OK));
	OK(syscall(SYS_faccessat, AT_FDCWD, "file", R_OK));
	OK(syscall(SYS_mkdir, "dir", 0700));
	OK(syscall(SYS_rmdir, "dir"));
	OK(syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
	OK(syscall(SYS_mknodat, AT_FDCWD, "fifo2", S_IFIFO | 0600, 0));
	OK(syscall(SYS_lstat, "fifo2", &st));
	CHECK(S_ISFIFO(st.st_mode));
	FAILS(EEXIST, syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
	close(OK(syscall(SYS_creat, "file3", 0600)));
	for (const char **p = (const char *[]){ "link", "link3", "file2", "file3", "fifo", "fifo2", NULL }; *p; p++)
		OK(syscall(SYS_unlink, *p));
}

static void test_times(void)
{
	struct utimbuf when = { 1000, 2000 };
	struct timeval both[2] = { { 3000, 5 }, { 4000, 6 } }, tv;
	struct stat st;
	long t;

	OK(syscall(SYS_utime, "file", &when));
	OK(stat("file", &st));
	CHECK(st.st_atime == 1000 && st.st_mtime == 2000);
	OK(syscall(SYS_utimes, "file", both));
	OK(stat("file", &st));
	CHECK(st.st_mtime == 4000 && st.st_mtim.tv_nsec == 6000);
	both[0].tv_sec = 7000;
	OK(syscall(SYS_futimesat, AT_FDCWD, "file", both));
	OK(stat("file", &st));
	CHECK(st.st_atime == 7000);
	both[1].tv_usec = 1000000;
	FAILS(EINVAL, syscall(SYS_utimes, "file", both));
	OK(syscall(SYS_gettimeofday, &tv, NULL));
	t = OK(syscall(SYS_time, NULL));
	CHECK(labs(t - tv.tv_sec) < 100);
	OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &(struct timespec){ 0 }));
	FAILS(EINVAL, syscall(SYS_clock_getres, 99, NULL));
	/* Anybody may read the clock's state; who may not set it is told so. */
	CHECK(OK(syscall(SYS_adjtimex, &(struct timex){ 0 })) >= 0);
	CHECK(OK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &(struct timex){ 0 })) >= 0);
	if (geteuid()) {
		FAILS(EPERM, syscall(SYS_settimeofday, &tv, NULL));
		FAILS(EPERM, syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){ 1, 0 }));
	}
	FAILS(EINVAL, syscall(SYS_clock_settime, CLOCK_MONOTONIC, &(struct timespec){ 1, 0 }));
	OK(syscall(SYS_nanosleep, &(struct timespec){ 0, 1000 }, NULL));
	FAILS(EINVAL, syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000000 }, NULL));
}

static void test_descriptors(void)
{
	int ends[2], fd = OK(open(".", O_RDONLY | O_DIRECTORY)), efd;
	sigset_t set;
	fd_set fds;

	CHECK(OK(syscall(SYS_getdents, fd, buf, sizeof(buf))) > 0);
	FAILS(EINVAL, syscall(SYS_getdents, fd, buf, 1) ?: (errno = EINVAL, -1));
	close(fd);
	OK(syscall(SYS_pipe, ends));
	FD_ZERO(&fds);
	FD_SET(ends[0], &fds);
	CHECK(syscall(SYS_select, ends[0] + 1, &fds, NULL, NULL, &(struct timeval){ 0, 0 }) == 0);
	CHECK(write(ends[1], "x", 1) == 1);
	FD_SET(ends[0], &fds);
	CHECK(syscall(SYS_select, ends[0] + 1, &fds, NULL, NULL, NULL) == 1);
	FAILS(EINVAL, syscall(SYS_select, -1, NULL, NULL, NULL, NULL));
	efd = OK(syscall(SYS_epoll_create, 1));
	FAILS(EINVAL, syscall(SYS_epoll_create, 0));
	OK(epoll_ctl(efd, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){ .events = EPOLLIN }));
	CHECK(syscall(SYS_epoll_wait, efd, &(struct epoll_event){ 0 }, 1, -1) == 1);
	CHECK(syscall(SYS_epoll_pwait2, efd, &(struct epoll_event){ 0 }, 1, &(struct timespec){ 1, 0 }, NULL, 0) == 1);
	FAILS(EINVAL, syscall(SYS_epoll_pwait2, efd, buf, 0, NULL, NULL, 0));
	close(OK(syscall(SYS_eventfd, 3)));
	sigemptyset(&set);
	close(OK(syscall(SYS_signalfd, -1, &set, 8)));
	close(OK(syscall(SYS_inotify_init)));
	CHECK(OK(syscall(SYS_vmsplice, ends[1], &(struct iovec){ "abc", 3 }, 1, 0)) == 3);
	CHECK(read(ends[0], buf, 10) == 4 && !memcmp(buf, "xabc", 4));
	FAILS(EBADF, syscall(SYS_vmsplice, -1, buf, 1, 0));
	close(efd);
	close(ends[0]);
	close(ends[1]);
}

static void test_files(void)
{
	int fd = OK(open("file", O_RDWR));

	OK(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	FAILS(EINVAL, syscall(SYS_fadvise64, fd, 0, 0, 77));
	OK(syscall(SYS_readahead, fd, 0, 4096));
	FAILS(EBADF, syscall(SYS_readahead, -1, 0, 4096));
	OK(syscall(SYS_sync_file_range, fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	FAILS(EINVAL, syscall(SYS_sync_file_range, fd, 0, 0, 0x100));
	OK(syscall(SYS_syncfs, fd));
	FAILS(EBADF, syscall(SYS_syncfs, -1));
	syscall(SYS_sync);
	CHECK(OK(syscall(SYS_pwritev2, fd, &(struct iovec){ "abc", 3 }, 1, 0, 0, RWF_DSYNC)) == 3);
	CHECK(OK(syscall(SYS_pwritev2, fd, &(struct iovec){ "abc", 3 }, 1, 0, 0, RWF_APPEND)) == 3);
	CHECK(lseek(fd, 0, SEEK_END) == 8);
	FAILS(EOPNOTSUPP, syscall(SYS_pwritev2, fd, &(struct iovec){ "abc", 3 }, 1, 0, 0, 0x8000));
	/* Read is what is cached, or the caller is told to come again. */
	CHECK(syscall(SYS_preadv2, fd, &(struct iovec){ buf, 3 }, 1, 0, 0, RWF_NOWAIT) == 3 || errno == EAGAIN ||
	      errno == EOPNOTSUPP);
	FAILS(EOPNOTSUPP, syscall(SYS_preadv2, fd, &(struct iovec){ buf, 3 }, 1, 0, 0, 0x8000));
	/* With flags, as faccessat2 and fchmodat2 know them. */
	OK(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
	FAILS(EINVAL, syscall(SYS_faccessat2, fd, "", R_OK, 0x8000));
	close(fd);
}

/* A file has a handle, or its file system knows none. */
static void test_handle(void)
{
	struct { unsigned int bytes; int type; char data[128]; } handle = { .bytes = 0 };
	int id;

	FAILS(ENOENT, syscall(SYS_name_to_handle_at, AT_FDCWD, "none", &handle, &id, 0));
	FAILS(EINVAL, syscall(SYS_name_to_handle_at, AT_FDCWD, "file", &handle, &id, 0x8000));
	CHECK(syscall(SYS_name_to_handle_at, AT_FDCWD, "file", &handle, &id, 0) == -1);
	CHECK(errno == EOPNOTSUPP || (errno == EOVERFLOW && handle.bytes));
}

static void test_xattrs(void)
{
	int fd = OK(open("file", O_RDWR));

	if (syscall(SYS_lsetxattr, "file", "user.one", "1", 1, 0) == -1) {
		CHECK(errno == EOPNOTSUPP); /* a file system without */
		close(fd);
		return;
	}
	CHECK(syscall(SYS_lgetxattr, "file", "user.one", buf, 10) == 1 && buf[0] == '1');
	CHECK(OK(syscall(SYS_llistxattr, "file", buf, sizeof(buf))) >= 9);
	CHECK(OK(syscall(SYS_flistxattr, fd, buf, sizeof(buf))) >= 9);
	FAILS(ERANGE, syscall(SYS_flistxattr, fd, buf, 1));
	OK(syscall(SYS_lremovexattr, "file", "user.one"));
	OK(syscall(SYS_fsetxattr, fd, "user.two", "2", 1, XATTR_CREATE));
	OK(syscall(SYS_fremovexattr, fd, "user.two"));
	FAILS(ENODATA, syscall(SYS_fremovexattr, fd, "user.two"));
	close(fd);
}

static void test_processes(void)
{
	struct utsname name;
	struct rlimit limit;
	pid_t pid = syscall(SYS_fork);
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	sigset_t set;

	if (!pid)
		syscall(SYS_exit_group, 3);
	CHECK(reap(pid) == 3);
	OK(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit));
	OK(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	FAILS(EINVAL, syscall(SYS_setrlimit, 99, &limit));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(syscall(SYS_tkill, getpid(), SIGUSR1));
	CHECK(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8) == SIGUSR1 && info.si_code == SI_TKILL);
	info = (siginfo_t){ .si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 7 };
	OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &info));
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_value.sival_int == 7);
	FAILS(ESRCH, syscall(SYS_tkill, 0x3fffffff, 0));
	FAILS(EINVAL, syscall(SYS_tkill, -1, 0));
	CHECK(syscall(SYS_personality, 0xffffffff) == 0);
	IN_CHILD({
		CHECK(syscall(SYS_personality, 0x0008) == 0);
		CHECK(syscall(SYS_personality, 0xffffffff) == 8);
		OK(uname(&name));
		CHECK(strncmp(name.release, "2.6.", 4) && !strcmp(name.machine, "i686"));
		OK(syscall(SYS_personality, 0x0020000)); /* UNAME26 */
		OK(uname(&name));
		CHECK(!strncmp(name.release, "2.6.", 4) && atoi(name.release + 4) >= 60 && !strcmp(name.machine, "x86_64"));
		OK(syscall(SYS_setregid, -1, getgid()));
		CHECK(syscall(SYS_setfsgid, -1) == getgid());
	});
	CHECK(syscall(SYS_setfsuid, -1) == (long)geteuid());
}

static void test_memory(void)
{
	char *p = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec here = { buf, 4 }, there = { p, 4 };
	void *head;
	size_t len;

	OK(syscall(SYS_mlock2, p, 4096, 0));
	OK(munlock(p, 4096));
	FAILS(EINVAL, syscall(SYS_mlock2, p, 4096, 0x100));
	IN_CHILD(OK(syscall(SYS_munlockall)));
	OK(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, -1));
	OK(mprotect(p, 4096, PROT_READ | PROT_WRITE));
	strcpy(p, "abc");
	CHECK(OK(syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0)) == 4 && !strcmp(buf, "abc"));
	strcpy(buf, "xyz");
	CHECK(OK(syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0)) == 4 && !strcmp(p, "xyz"));
	FAILS(ESRCH, syscall(SYS_process_vm_readv, 0x3fffffff, &here, 1, &there, 1, 0));
	there.iov_base = (void *)16;
	FAILS(EFAULT, syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0));
	FAILS(EINVAL, syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 1));
	OK(syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK(len == 24);
	OK(munmap(p, 8192));
}

static void test_semop(void)
{
	int id = OK(semget(IPC_PRIVATE, 1, 0600));
	struct sembuf up = { 0, 2, 0 }, down = { 0, -3, IPC_NOWAIT };

	OK(syscall(SYS_semop, id, &up, 1));
	FAILS(EAGAIN, syscall(SYS_semop, id, &down, 1));
	FAILS(EINVAL, syscall(SYS_semop, -1, &up, 1));
	OK(semctl(id, 0, IPC_RMID));
}

int main(void)
{
	test_stat();
	test_names();
	test_times();
	test_descriptors();
	test_files();
	test_handle();
	test_xattrs();
	test_processes();
	test_memory();
	test_semop();
	OK(unlink("file"));
	return 0;
}
