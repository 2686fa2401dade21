/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a browser's sandbox does, step by step (Chromium, sandbox/linux/services): a process in user, pid and network
 * namespaces of its own gives itself an empty root directory, drops all it may and forks.
 */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define USER 1000

static void put(pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = OK(open(path, O_WRONLY | O_CLOEXEC));
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void map_itself(pid_t pid)
{
	char map[32];

	put(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "%d %d 1\n", USER, USER);
	put(pid, "gid_map", map);
	put(pid, "uid_map", map);
}

static int empty_root(void *arg)
{
	/* With the files of this process, which is about to end: an empty directory that nobody can fill. */
	OK(chroot("/proc/self/fdinfo/"));
	OK(chdir("/"));
	_exit(0);
}

/* Which of the two depends on the kernel's version. */
static int gone(int result)
{
	return result == -1 && (errno == ENOENT || errno == ESRCH);
}

static void drop_root_directory(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	CHECK(reap(OK(clone(empty_root, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL))) == 0);
	CHECK(access("/", F_OK) == -1 || !opendir("/") || !readdir(opendir("/")));
	CHECK(gone(open("/etc/passwd", O_RDONLY)));
	CHECK(gone(open("/proc/self/status", O_RDONLY)));
	CHECK(gone(open("etc", O_RDONLY)));
}

static void set_caps(unsigned mask)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { .effective = mask, .permitted = mask } };

	OK(syscall(SYS_capset, &h, d));
}

/* The first process of the namespaces; told by fd when it is mapped. */
static void zygote(int mapped, int alive)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001) };
	char byte;

	CHECK(read(mapped, &byte, 1) == 1);
	CHECK(getpid() == 1 && getuid() == USER && getgid() == USER);
	set_caps(1 << CAP_SYS_ADMIN | 1 << CAP_SYS_CHROOT);
	drop_root_directory();
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	set_caps(0);
	FAILS(EPERM, sethostname("x", 1));
	FAILS(EPERM, unshare(CLONE_NEWNET));
	FAILS(EPERM, unshare(CLONE_NEWUSER)); /* out of a chroot there is no new namespace */
	FAILS(ENETUNREACH, connect(OK(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&in, sizeof(in)));
	for (int i = 0; i < 3; i++)
		IN_CHILD({
			FAILS(ESRCH, kill(getppid() + 1000, 0));
			FAILS(EACCES, setpriority(PRIO_PROCESS, 0, -1));
		});
	if (!fork()) /* a renderer, which ends with the zygote */
		for (;;)
			pause();
	CHECK(write(alive, "x", 1) == 1);
	for (;;)
		pause();
}

int main(void)
{
	int mapped[2], alive[2];
	char byte;
	pid_t pid;

	OK(setgroups(0, NULL));
	OK(setresgid(USER, USER, USER));
	OK(setresuid(USER, USER, USER));
	OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	OK(pipe(mapped));
	OK(pipe(alive));
	pid = OK((pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
	if (!pid)
		zygote(mapped[0], alive[1]);
	close(alive[1]);
	map_itself(pid);
	CHECK(write(mapped[1], "x", 1) == 1);
	CHECK(read(alive[0], &byte, 1) == 1);
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
	CHECK(read(alive[0], &byte, 1) == 0);
	return 0;
}
