/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: user_namespaces(7). All in children that are user 1000. */
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define USER 1000
#define GROUP 1001
#define NOBODY 65534

static void become_user(void)
{
	OK(setgroups(0, NULL));
	OK(setresgid(GROUP, GROUP, GROUP));
	OK(setresuid(USER, USER, USER));
	OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

#define AS_USER(...)                                                                              \
	IN_CHILD({                                                                                \
		become_user();                                                                    \
		__VA_ARGS__;                                                                      \
	})

static ssize_t put(const char *file, const char *text)
{
	int fd = OK(open(file, O_WRONLY)), error;
	ssize_t n = write(fd, text, strlen(text));

	error = errno;
	close(fd);
	errno = error;
	return n;
}

static const char *get(const char *file)
{
	static char text[4096];
	int fd = OK(open(file, O_RDONLY));
	ssize_t n = OK(read(fd, text, sizeof(text) - 1));

	close(fd);
	text[n] = '\0';
	return text;
}

/* In a namespace of its own, as its root. */
static void become_root_inside(void)
{
	char map[64];

	snprintf(map, sizeof(map), "0 %d 1", geteuid());
	OK(unshare(CLONE_NEWUSER));
	OK(put("/proc/self/setgroups", "deny"));
	OK(put("/proc/self/uid_map", map));
	snprintf(map, sizeof(map), "0 %d 1\n", GROUP);
	OK(put("/proc/self/gid_map", map));
}

static unsigned long long effective(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	OK(syscall(SYS_capget, &h, d));
	return d[0].effective | (unsigned long long)d[1].effective << 32;
}

static void test_without_map(void)
{
	AS_USER({
		OK(unshare(CLONE_NEWUSER));
		CHECK(getuid() == NOBODY && geteuid() == NOBODY && getgid() == NOBODY);
		CHECK(effective() >> CAP_SYS_ADMIN & 1);
		CHECK(!*get("/proc/self/uid_map") && !strcmp(get("/proc/self/setgroups"), "allow\n"));
		FAILS(EINVAL, setuid(0));
		FAILS(EPERM, setgroups(0, NULL));
	});
}

static void test_map_rules(void)
{
	AS_USER({
		OK(unshare(CLONE_NEWUSER));
		FAILS(EINVAL, put("/proc/self/uid_map", "zero 1000 1"));
		FAILS(EINVAL, put("/proc/self/uid_map", "0 1000 0"));
		FAILS(EINVAL, put("/proc/self/uid_map", "0 1000"));
		FAILS(EINVAL, put("/proc/self/uid_map", "0 1000 2\n1 2000 1"));
		FAILS(EPERM, put("/proc/self/uid_map", "0 1000 2"));
		FAILS(EPERM, put("/proc/self/uid_map", "0 1234 1"));
		FAILS(EPERM, put("/proc/self/uid_map", "0 0 1"));
		FAILS(EPERM, put("/proc/self/gid_map", "0 1001 1"));
		FAILS(EINVAL, put("/proc/self/setgroups", "maybe"));
		OK(put("/proc/self/setgroups", "deny"));
		FAILS(EPERM, put("/proc/self/setgroups", "allow"));
		FAILS(EPERM, put("/proc/self/gid_map", "0 1000 1"));
		OK(put("/proc/self/gid_map", "7 1001 1"));
		OK(put("/proc/self/uid_map", "5 1000 1"));
		FAILS(EPERM, put("/proc/self/uid_map", "5 1000 1"));
		CHECK(getuid() == 5 && getgid() == 7);
		CHECK(!strcmp(get("/proc/self/uid_map"), "         5       1000          1\n"));
		CHECK(strstr(get("/proc/self/status"), "\nUid:\t5\t5\t5\t5\nGid:\t7\t7\t7\t7\n"));
		FAILS(EPERM, setgroups(0, NULL));
		FAILS(EINVAL, setuid(1000));
		OK(setuid(5));
	});
}

static void test_files(void)
{
	struct stat st;

	AS_USER({
		char name[] = "/var/tmp/ns_user.XXXXXX";
		int fd = OK(mkstemp(name));
		struct statx x;

		become_root_inside();
		OK(fstat(fd, &st));
		CHECK(st.st_uid == 0 && st.st_gid == 0);
		OK(stat("/", &st));
		CHECK(st.st_uid == NOBODY && st.st_gid == NOBODY);
		OK(statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &x));
		CHECK(x.stx_uid == NOBODY);
		OK(fchown(fd, 0, 0));
		FAILS(EINVAL, fchown(fd, 1, -1));
		FAILS(EPERM, chown("/etc/passwd", 0, 0));
		FAILS(EPERM, chmod("/etc/passwd", 0600));
		FAILS(EACCES, open("/etc/shadow", O_RDONLY));
		OK(fchmod(fd, 0600));
		OK(unlink(name));
	});
}

static void test_capabilities_are_over_its_own(void)
{
	AS_USER({
		char name[65] = "";

		FAILS(EPERM, unshare(CLONE_NEWUTS));
		FAILS(EPERM, unshare(CLONE_NEWPID | CLONE_NEWIPC));
		become_root_inside();
		FAILS(EPERM, sethostname("outer", 5));
		FAILS(EACCES, setpriority(PRIO_PROCESS, 0, -5));
		OK(unshare(CLONE_NEWUTS));
		OK(sethostname("inner", 5));
		OK(gethostname(name, sizeof(name)));
		CHECK(!strcmp(name, "inner"));
		OK(unshare(CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP));
	});
}

static void test_exec(void)
{
	AS_USER({
		OK(unshare(CLONE_NEWUSER));
		OK(execl("/proc/self/exe", "ns_user", "no-caps", NULL));
	});
	AS_USER({
		become_root_inside();
		OK(execl("/proc/self/exe", "ns_user", "caps", NULL));
	});
}

static void test_signals(void)
{
	pid_t root = OK(fork()), user;
	siginfo_t info;
	sigset_t set;

	if (!root)
		for (;;)
			pause();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	user = OK(fork());
	if (!user) { /* sent from a namespace of its own to one in the first */
		become_user();
		user = OK(fork());
		if (!user) {
			become_root_inside();
			FAILS(EPERM, kill(root, SIGTERM));
			OK(kill(getppid(), SIGUSR1));
			_exit(0);
		}
		CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_uid == USER && info.si_pid == user);
		CHECK(reap(user) == 0);
		_exit(0);
	}
	CHECK(reap(user) == 0);
	OK(kill(root, SIGKILL));
	CHECK(reap(root) == 1000 + SIGKILL);
}

static struct ucred received(int fd)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct ucred c;

	CHECK(OK(recvmsg(fd, &m, 0)) == 1);
	CHECK(CMSG_FIRSTHDR(&m) && CMSG_FIRSTHDR(&m)->cmsg_type == SCM_CREDENTIALS);
	memcpy(&c, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(c));
	return c;
}

static void test_messages(void)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred c;
	int fd[2], on = 1;
	pid_t pid;

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	OK(setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	OK(setsockopt(fd[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	pid = OK(fork());
	if (!pid) {
		become_user();
		become_root_inside();
		OK(getsockopt(fd[1], SOL_SOCKET, SO_PEERCRED, &c, &len));
		CHECK(c.uid == NOBODY && c.gid == NOBODY && c.pid == getppid());
		CHECK(write(fd[1], "x", 1) == 1);
		c = received(fd[1]);
		CHECK(c.uid == NOBODY && c.pid == getppid());
		_exit(0);
	}
	c = received(fd[0]);
	CHECK(c.uid == USER && c.gid == GROUP && c.pid == pid);
	CHECK(write(fd[0], "x", 1) == 1);
	CHECK(reap(pid) == 0);
}

static void *idle(void *arg)
{
	pause();
	return arg;
}

static void test_errors(void)
{
	pthread_t thread;

	FAILS(EINVAL, syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
	FAILS(EINVAL, unshare(1));
	AS_USER({
		int fd = OK(open("/proc/self/ns/user", O_RDONLY));

		FAILS(EINVAL, setns(fd, CLONE_NEWUSER)); /* its own */
		FAILS(EINVAL, setns(fd, CLONE_NEWNET));
		CHECK(!pthread_create(&thread, NULL, idle, NULL));
		FAILS(EINVAL, unshare(CLONE_NEWUSER));
		_exit(0);
	});
}

static void test_questions(void)
{
	AS_USER({
		int outer = OK(open("/proc/self/ns/user", O_RDONLY)), inner, parent;
		struct stat a, b;
		uid_t uid;

		become_root_inside();
		inner = OK(open("/proc/self/ns/user", O_RDONLY));
		CHECK(OK(ioctl(inner, NS_GET_NSTYPE)) == CLONE_NEWUSER);
		OK(ioctl(inner, NS_GET_OWNER_UID, &uid));
		CHECK(uid == 0);
		FAILS(EPERM, ioctl(inner, NS_GET_PARENT)); /* outside of what it may see */
		FAILS(EPERM, ioctl(outer, NS_GET_USERNS));
		FAILS(EPERM, setns(outer, 0));
		IN_CHILD({
			OK(unshare(CLONE_NEWUSER));
			parent = OK(open("/proc/self/ns/user", O_RDONLY));
			FAILS(EPERM, ioctl(parent, NS_GET_PARENT));
		});
		OK(fstat(inner, &a));
		OK(fstat(outer, &b));
		CHECK(a.st_ino != b.st_ino);
	});
}

/* Who made it may enter it, and is its root there. */
static void test_enter(void)
{
	AS_USER({
		int ready[2];
		char path[64], byte;
		pid_t pid;

		OK(pipe(ready));
		pid = OK(fork());
		if (!pid) {
			become_root_inside();
			CHECK(write(ready[1], "x", 1) == 1);
			pause();
		}
		CHECK(read(ready[0], &byte, 1) == 1);
		snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		IN_CHILD({
			OK(setns(OK(open(path, O_RDONLY)), CLONE_NEWUSER));
			CHECK(getuid() == 0 && effective() >> CAP_SYS_ADMIN & 1);
			OK(unshare(CLONE_NEWUTS));
		});
		OK(kill(pid, SIGKILL));
		CHECK(reap(pid) == 1000 + SIGKILL);
	});
}

static void test_depth(void)
{
	AS_USER({
		int n = 0;

		while (!unshare(CLONE_NEWUSER) && n < 100) {
			if (!n)
				OK(put("/proc/self/setgroups", "deny"));
			OK(put("/proc/self/uid_map", n ? "0 0 1" : "0 1000 1"));
			OK(put("/proc/self/gid_map", n ? "0 0 1" : "0 1001 1"));
			n++;
		}
		CHECK(errno == ENOSPC && n > 30 && n < 34);
	});
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return (effective() != 0) != !strcmp(argv[1], "caps");
	test_without_map();
	test_map_rules();
	test_files();
	test_capabilities_are_over_its_own();
	test_exec();
	test_signals();
	test_messages();
	test_errors();
	test_questions();
	test_enter();
	test_depth();
	return 0;
}
