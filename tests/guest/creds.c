/* SPDX-License-Identifier: Apache-2.0 */
/* Users, groups and capabilities. Starts as root. */
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void get_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	OK(syscall(SYS_capget, &header, data));
}

static int set_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capset, &header, data);
}

static void test_ids(void)
{
	gid_t groups[] = { 5, 6, 7 }, got[10];
	uid_t r, e, s;

	OK(setgroups(3, groups));
	CHECK(getgroups(0, NULL) == 3 && getgroups(10, got) == 3 && got[2] == 7);
	OK(setresgid(100, 101, 102));
	OK(getresgid(&r, &e, &s));
	CHECK(r == 100 && e == 101 && s == 102);
	OK(setresuid(1000, 1001, 0));
	CHECK(getuid() == 1000 && geteuid() == 1001);
	FAILS(EPERM, setgroups(3, groups));
	FAILS(EPERM, setresuid(55, -1, -1));
	OK(seteuid(0)); /* the saved one allows it */
	OK(setuid(2000));
	OK(getresuid(&r, &e, &s));
	CHECK(r == 2000 && e == 2000 && s == 2000);
	FAILS(EPERM, setuid(0));
}

static void test_files(void)
{
	struct stat st;
	int fd;

	umask(022);
	OK(mkdir("creds", 0777));
	OK(chmod("creds", 0777));
	fd = OK(open("creds/secret", O_WRONLY | O_CREAT, 0600));
	close(fd);
	IN_CHILD({
		OK(setgid(1000));
		OK(setuid(1000));
		FAILS(EACCES, open("creds/secret", O_RDONLY));
		FAILS(EACCES, open("/etc/shadow", O_RDONLY));
		FAILS(EPERM, chmod("creds/secret", 0644));
		FAILS(EPERM, chown("creds/secret", 1000, 1000));
		fd = OK(open("creds/mine", O_WRONLY | O_CREAT, 0640));
		OK(fstat(fd, &st));
		CHECK(st.st_uid == 1000 && st.st_gid == 1000);
		FAILS(EPERM, fchown(fd, 0, 0));
	});
	OK(chmod("creds", 01777));
	IN_CHILD({
		OK(setuid(1001));
		FAILS(EPERM, unlink("creds/mine")); /* sticky */
	});
	IN_CHILD({
		OK(setfsuid(1000) == 0 ? 0 : -1);
		FAILS(EACCES, open("creds/secret", O_RDONLY));
		CHECK(setfsuid(-1) == 1000);
	});
	IN_CHILD({ /* access() asks for the real user */
		OK(setreuid(1000, 0));
		FAILS(EACCES, access("creds/secret", R_OK));
		OK(faccessat(AT_FDCWD, "creds/secret", R_OK, AT_EACCESS));
	});
	OK(unlink("creds/secret"));
	OK(unlink("creds/mine"));
	OK(rmdir("creds"));
}

static void test_capabilities(void)
{
	struct __user_cap_data_struct data[2];

	get_caps(data);
	CHECK(data[0].effective & 1 << CAP_CHOWN && data[0].effective & 1 << CAP_KILL);
	IN_CHILD({
		data[0].effective &= ~(1u << CAP_CHOWN);
		OK(set_caps(data));
		FAILS(EPERM, chown("/tmp", 5, 5));
		data[0].effective |= 1u << CAP_CHOWN; /* still permitted */
		OK(set_caps(data));
		data[0].effective &= ~(1u << CAP_CHOWN);
		data[0].permitted &= ~(1u << CAP_CHOWN);
		OK(set_caps(data));
		data[0].permitted |= 1u << CAP_CHOWN;
		FAILS(EPERM, set_caps(data));
	});
	IN_CHILD({ /* leaving root gives them all up */
		OK(setuid(1000));
		get_caps(data);
		CHECK(!data[0].effective && !data[0].permitted);
	});
	IN_CHILD({
		OK(prctl(PR_SET_KEEPCAPS, 1));
		OK(setuid(1000));
		get_caps(data);
		CHECK(!data[0].effective && data[0].permitted);
		data[0].effective = 1u << CAP_CHOWN;
		OK(set_caps(data));
	});
	CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1);
	IN_CHILD({
		OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
		CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 0);
	});
	FAILS(EINVAL, prctl(PR_CAPBSET_READ, 99));
}

static void test_kill(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	IN_CHILD({
		OK(setuid(1000));
		FAILS(EPERM, kill(child, SIGTERM));
		FAILS(EPERM, kill(child, 0));
	});
	OK(kill(child, SIGKILL));
	CHECK(reap(child) == 1000 + SIGKILL);
}

static void test_setuid_program(void)
{
	char command[256];

	OK(system("cp /usr/bin/id idcopy && chmod 4755 idcopy") == 0 ? 0 : -1);
	OK(chown("idcopy", 1234, 0));
	OK(chmod("idcopy", 04755));
	snprintf(command, sizeof(command), "test $(./idcopy -u) = 1234");
	IN_CHILD({
		OK(chmod(".", 0755));
		OK(setuid(1000));
		CHECK(system(command) == 0);
	});
	IN_CHILD({
		OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
		OK(setuid(1000));
		CHECK(system("test $(./idcopy -u) = 1000") == 0);
	});
	OK(unlink("idcopy"));
}

/* RLIMIT_NPROC: of the user, whoever else there is; with zombies; not of root. */
static void test_task_limit(void)
{
	struct rlimit none = { 0 }, two = { 2, 2 };
	siginfo_t si;
	pid_t pid;

	IN_CHILD({
		OK(getrlimit(RLIMIT_NPROC, &none));
		none.rlim_cur = 0;
		OK(setrlimit(RLIMIT_NPROC, &none));
		IN_CHILD(;);
	});
	IN_CHILD({
		OK(setrlimit(RLIMIT_NPROC, &two));
		OK(setuid(54321));
		IN_CHILD(FAILS(EAGAIN, fork()));
		pid = OK(fork());
		if (!pid)
			_exit(0);
		OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
		FAILS(EAGAIN, fork());
		CHECK(reap(pid) == 0);
		IN_CHILD(;);
	});
}

/* Of a program with the caller's real id and root's powers nothing is to be changed, and no file opened that a deputy could read. */
static void test_more_powerful(void)
{
	static const char *const files[] = { "maps", "smaps", "numa_maps", "environ", "auxv", "fdinfo", "mem" };
	int ready[2];
	pid_t pid;
	char name[64];
	cpu_set_t set;

	OK(pipe(ready));
	pid = fork();
	if (!pid) {
		OK(setresuid(1000, 0, 0));
		OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
		CHECK(write(ready[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], name, 1) == 1);
	IN_CHILD({
		OK(sched_getaffinity(0, sizeof(set), &set));
		OK(setresuid(1000, 1000, 1000));
		FAILS(EPERM, setpriority(PRIO_PROCESS, pid, 5));
		FAILS(EPERM, sched_setaffinity(pid, sizeof(set), &set));
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
			FAILS(EACCES, open(name, O_RDONLY));
		}
	});
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
	close(ready[0]);
	close(ready[1]);
}

/* What an ordinary user has opened, root writes: it gives no more than that user could (CVE-2013-1959). */
static void test_map_by_deputy(void)
{
	IN_CHILD({
		int ready[2];
		pid_t pid;
		char name[64];
		int fd;

		OK(pipe(ready));
		OK(setresuid(1000, 1000, 0));
		pid = fork();
		if (!pid) {
			OK(setresuid(1000, 1000, 1000));
			OK(prctl(PR_SET_DUMPABLE, 1));
			OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			OK(unshare(CLONE_NEWUSER));
			CHECK(write(ready[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(ready[0], name, 1) == 1);
		snprintf(name, sizeof(name), "/proc/%d/uid_map", pid);
		fd = OK(open(name, O_RDWR));
		OK(setresuid(-1, 0, -1));
		FAILS(EPERM, write(fd, "0 0 100", 7));
		OK(kill(pid, SIGKILL));
		CHECK(reap(pid) == 1000 + SIGKILL);
	});
}

int main(void)
{
	char dir[] = "/var/tmp/creds.XXXXXX";

	if (getuid() != 0) {
		fprintf(stderr, "needs root\n");
		return 1;
	}
	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	OK(chmod(dir, 0755));
	IN_CHILD(test_ids());
	test_files();
	test_capabilities();
	test_kill();
	test_setuid_program();
	test_task_limit();
	test_more_powerful();
	test_map_by_deputy();
	OK(chdir("/"));
	OK(rmdir(dir));
	return 0;
}
