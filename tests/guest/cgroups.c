/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups made inside: directories of cgroup2, who is in them, their events, CLONE_INTO_CGROUP, cgroup namespaces. */
#include "own_ns.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int error_of(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY)), error;
	ssize_t n = write(fd, text, strlen(text));

	error = n < 0 ? errno : 0;
	OK(close(fd));
	return error;
}

static const char *get(const char *path)
{
	static char buf[4096];
	int fd = OK(open(path, O_RDONLY));
	ssize_t n = OK(read(fd, buf, sizeof(buf) - 1));

	OK(close(fd));
	buf[n] = '\0';
	return buf;
}

static bool has(const char *path, const char *part)
{
	return strstr(get(path), part);
}

/* The path of a process, as the caller sees it. */
static const char *path_of(const char *pid)
{
	static char path[4096];
	char name[64], *line;

	snprintf(name, sizeof(name), "/proc/%s/cgroup", pid);
	line = strstr(get(name), "0::");
	CHECK(line);
	snprintf(path, sizeof(path), "%s", line + 3);
	*strchr(path, '\n') = '\0';
	return path;
}

static pid_t sleeper(void)
{
	pid_t pid = OK(fork());

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static char dir[64];

static const char *in(const char *name)
{
	static char paths[4][256];
	static int n;
	char *path = paths[n++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void test_directories(void)
{
	struct stat st;
	DIR *d;
	int n = 0;

	CHECK(has(in("cgroup.type"), "domain"));
	CHECK(has(in("cgroup.events"), "populated 0\n"));
	CHECK(!strcmp(get(in("cgroup.procs")), ""));
	FAILS(EEXIST, mkdir(dir, 0755));
	OK(mkdir(in("a"), 0755));
	OK(mkdir(in("a/b"), 0755));
	OK(stat(in("a"), &st));
	CHECK(st.st_nlink == 3 || st.st_nlink == 1);
	FAILS(EBUSY, rmdir(in("a")));
	FAILS(EINVAL, mkdir(in("new\nline"), 0755));
	FAILS(EPERM, unlink(in("cgroup.procs")));
	FAILS(EISDIR, unlink(in("a/b")));
	FAILS(ENOTDIR, rmdir(in("cgroup.procs")));
	FAILS(EPERM, symlink("x", in("link")));
	FAILS(EACCES, open(in("file"), O_CREAT | O_WRONLY, 0644));
	CHECK(has(in("cgroup.stat"), "nr_descendants 2\n"));
	d = opendir(in("a"));
	CHECK(d);
	for (struct dirent *e; (e = readdir(d));)
		n += !strcmp(e->d_name, "b") || !strcmp(e->d_name, "cgroup.procs");
	closedir(d);
	CHECK(n == 2);
	OK(rmdir(in("a/b")));
	OK(rmdir(in("a")));
	FAILS(ENOENT, rmdir(in("a")));
}

static void test_depth(void)
{
	put(in("cgroup.max.descendants"), "1");
	CHECK(!strcmp(get(in("cgroup.max.descendants")), "1\n"));
	OK(mkdir(in("a"), 0755));
	FAILS(EAGAIN, mkdir(in("b"), 0755));
	put(in("cgroup.max.descendants"), "max");
	put(in("cgroup.max.depth"), "1\n");
	FAILS(EAGAIN, mkdir(in("a/b"), 0755));
	OK(mkdir(in("b"), 0755));
	put(in("cgroup.max.depth"), "max\n");
	OK(rmdir(in("a")));
	OK(rmdir(in("b")));
	CHECK(error_of(in("cgroup.max.depth"), "x") == EINVAL);
	CHECK(error_of(in("cgroup.max.depth"), "-1") == ERANGE);
}

static void test_move(void)
{
	pid_t pid = sleeper();
	char number[16], want[128];

	snprintf(number, sizeof(number), "%d\n", pid);
	put(in("cgroup.procs"), number);
	CHECK(!strcmp(get(in("cgroup.procs")), number));
	CHECK(!strcmp(get(in("cgroup.threads")), number));
	CHECK(has(in("cgroup.events"), "populated 1\n"));
	snprintf(number, sizeof(number), "%d", pid);
	snprintf(want, sizeof(want), "/%s", strrchr(dir, '/') + 1);
	CHECK(!strcmp(path_of(number), want));
	FAILS(EBUSY, rmdir(dir));
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
	CHECK(has(in("cgroup.events"), "populated 0\n"));
	CHECK(error_of(in("cgroup.procs"), "x") == EINVAL);
	CHECK(error_of(in("cgroup.procs"), "-1") == EINVAL);
	CHECK(error_of(in("cgroup.procs"), "999999") == ESRCH);
	IN_CHILD({
		put(in("cgroup.procs"), "0");
		CHECK(!strcmp(path_of("self"), want));
		IN_CHILD(CHECK(!strcmp(path_of("self"), want)));
	});
}

static void await_change(int watch, struct pollfd *p)
{
	struct pollfd w = { watch, POLLIN, 0 };
	char events[1024];

	CHECK(poll(&w, 1, 20000) == 1);
	CHECK(read(watch, events, sizeof(events)) > 0);
	CHECK(((struct inotify_event *)events)->mask & IN_MODIFY);
	CHECK(poll(p, 1, 20000) == 1);
	CHECK(p->revents & POLLPRI);
}

static void test_events(void)
{
	int events = OK(open(in("cgroup.events"), O_RDONLY)), watch = OK(inotify_init1(IN_CLOEXEC));
	struct pollfd p = { events, POLLPRI, 0 };
	pid_t pid = sleeper();
	char number[16], buf[128];

	OK(inotify_add_watch(watch, in("cgroup.events"), IN_MODIFY));
	CHECK(read(events, buf, sizeof(buf)) > 0);
	snprintf(number, sizeof(number), "%d", pid);
	put(in("cgroup.procs"), number);
	await_change(watch, &p);
	CHECK(pread(events, buf, sizeof(buf), 0) > 0);
	CHECK(strstr(buf, "populated 1\n"));
	put(in("cgroup.kill"), "1");
	CHECK(reap(pid) == 1000 + SIGKILL);
	await_change(watch, &p);
	CHECK(has(in("cgroup.events"), "populated 0\n"));
	CHECK(error_of(in("cgroup.kill"), "0") == ERANGE);
	CHECK(error_of(in("cgroup.kill"), "x") == EINVAL);
	close(watch);
	close(events);
}

/* ---- freezing ---- */

static void await_frozen(const char *path, int frozen)
{
	int fd = OK(open(path, O_RDONLY));
	struct pollfd p = { fd, POLLPRI, 0 };
	char buf[128] = "", want[16];

	snprintf(want, sizeof(want), "frozen %d\n", frozen);
	for (;;) {
		memset(buf, 0, sizeof(buf));
		CHECK(pread(fd, buf, sizeof(buf) - 1, 0) > 0);
		if (strstr(buf, want))
			break;
		CHECK(poll(&p, 1, 20000) == 1); /* told of each change */
	}
	close(fd);
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void await_more(volatile unsigned long *count)
{
	unsigned long now = *count;

	for (int i = 0; *count == now; i++) {
		CHECK(i < 20000);
		pause_ms(1);
	}
}

static void stays(volatile unsigned long *count)
{
	unsigned long now = *count;

	pause_ms(30);
	CHECK(*count == now);
}

static volatile unsigned long *counts;

static void *count_on(void *nr)
{
	for (;;)
		counts[(long)nr]++;
	return NULL;
}

/* Two threads that work, in the cgroup of the caller. */
static pid_t worker(const char *procs)
{
	pid_t pid = OK(fork());
	pthread_t thread;

	if (pid)
		return pid;
	OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
	put(procs, "0");
	if (pthread_create(&thread, NULL, count_on, (void *)1))
		_exit(1);
	count_on((void *)0);
	_exit(0);
}

static void test_freeze(void)
{
	char procs[128], freeze[128], events[128];
	pid_t pid;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	snprintf(freeze, sizeof(freeze), "%s/cgroup.freeze", dir);
	snprintf(events, sizeof(events), "%s/cgroup.events", dir);
	counts = shared(4096);
	CHECK(!strcmp(get(freeze), "0\n"));
	CHECK(error_of(freeze, "2") == ERANGE);
	CHECK(error_of(freeze, "-1") == EINVAL || error_of(freeze, "-1") == ERANGE);
	CHECK(error_of(freeze, "x") == EINVAL);
	pid = worker(procs);
	await_more(&counts[0]);
	await_more(&counts[1]);
	put(freeze, "1");
	CHECK(!strcmp(get(freeze), "1\n"));
	await_frozen(events, 1);
	stays(&counts[0]);
	stays(&counts[1]);
	put(freeze, "0");
	await_frozen(events, 0);
	await_more(&counts[0]);
	await_more(&counts[1]);
	for (int i = 0; i < 20; i++) { /* again and again, with signals between */
		put(freeze, i & 1 ? "0" : "1");
		kill(pid, i % 3 ? SIGCONT : SIGURG);
	}
	await_more(&counts[0]);
	put(freeze, "1");
	await_frozen(events, 1);
	put("cg/cgroup.procs", "0"); /* as it is */
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
	await_frozen(events, 1); /* also if nobody is in it */
	put(freeze, "0");
	await_frozen(events, 0);
}

/* One that sleeps in calls: those go on, or are cut short as by a stop. */
static void test_freeze_calls(void)
{
	char procs[128], freeze[128], events[128], number[16];
	volatile int *state = shared(4096);
	int pair[2];
	pid_t pid;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	snprintf(freeze, sizeof(freeze), "%s/cgroup.freeze", dir);
	snprintf(events, sizeof(events), "%s/cgroup.events", dir);
	OK(pipe(pair));
	pid = OK(fork());
	if (!pid) {
		struct timespec ts = { 0, 100000000 };
		char byte;

		put(procs, "0");
		*state = 1;
		CHECK(read(pair[0], &byte, 1) == 1);
		*state = 2;
		OK(nanosleep(&ts, NULL));
		if (!vfork()) { /* the parent waits for one who rests */
			*state = 3;
			nanosleep(&ts, NULL);
			_exit(0);
		}
		wait(NULL);
		_exit(7);
	}
	while (!*state)
		pause_ms(1);
	put(freeze, "1");
	await_frozen(events, 1);
	CHECK(write(pair[1], "x", 1) == 1);
	pause_ms(20);
	CHECK(*state == 1);
	put(freeze, "0");
	while (*state < 3)
		pause_ms(1);
	put(freeze, "1");
	await_frozen(events, 1);
	/* Elsewhere he goes on. */
	snprintf(number, sizeof(number), "%d", pid);
	put(freeze, "0");
	CHECK(reap(pid) == 7);
	put(freeze, "1");
	pid = worker(procs);
	await_frozen(events, 1);
	stays(&counts[0]);
	snprintf(number, sizeof(number), "%d", pid);
	put("cg/cgroup.procs", number);
	await_more(&counts[0]);
	await_more(&counts[1]);
	put(procs, number);
	await_frozen(events, 1);
	stays(&counts[0]);
	put(in("cgroup.kill"), "1");
	CHECK(reap(pid) == 1000 + SIGKILL);
	put(freeze, "0");
}

/* From above; and a process that stops and goes on meanwhile. */
static void test_freeze_tree(void)
{
	char below[128], events[128], freeze[128];
	pid_t pid;
	int status;

	snprintf(below, sizeof(below), "%s/below/cgroup.procs", dir);
	snprintf(events, sizeof(events), "%s/below/cgroup.events", dir);
	snprintf(freeze, sizeof(freeze), "%s/cgroup.freeze", dir);
	OK(mkdir(in("below"), 0755));
	OK(mkdir(in("below/empty"), 0755));
	pid = worker(below);
	await_more(&counts[0]);
	OK(kill(pid, SIGSTOP));
	CHECK(OK(waitpid(pid, &status, WUNTRACED)) == pid && WIFSTOPPED(status));
	put(freeze, "1");
	await_frozen(events, 1);
	await_frozen(in("below/empty/cgroup.events"), 1);
	CHECK(!strcmp(get(in("below/cgroup.freeze")), "0\n"));
	OK(kill(pid, SIGCONT));
	stays(&counts[0]);
	put(in("below/cgroup.freeze"), "1");
	put(freeze, "0");
	await_frozen(in("cgroup.events"), 0);
	stays(&counts[0]);
	put(in("below/cgroup.freeze"), "0");
	await_more(&counts[0]);
	await_frozen(events, 0);
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
	OK(rmdir(in("below/empty")));
	OK(rmdir(in("below")));
}

static void test_clone_into(void)
{
	int fd = OK(open(dir, O_PATH | O_DIRECTORY)), other = OK(open("/", O_PATH | O_DIRECTORY));
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned)fd };
	char want[128];
	long pid;

	snprintf(want, sizeof(want), "/%s", strrchr(dir, '/') + 1);
	pid = OK(syscall(SYS_clone3, &a, sizeof(a)));
	if (!pid)
		_exit(strcmp(path_of("self"), want) != 0);
	CHECK(reap((pid_t)pid) == 0);
	CHECK(strcmp(path_of("self"), want));
	a.cgroup = (unsigned)other;
	FAILS(EBADF, syscall(SYS_clone3, &a, sizeof(a)));
	a.cgroup = 9999;
	FAILS(EBADF, syscall(SYS_clone3, &a, sizeof(a)));
	close(fd);
	close(other);
}

static void test_namespace(void)
{
	pid_t pid;

	put(in("cgroup.procs"), "0");
	pid = sleeper();
	OK(unshare(CLONE_NEWCGROUP));
	CHECK(!strcmp(path_of("self"), "/"));
	CHECK(strstr(path_of("1"), "/.."));
	OK(mkdir("ns", 0755));
	OK(mount("none", "ns", "cgroup2", 0, NULL));
	CHECK(has("ns/cgroup.events", "populated 1\n"));
	OK(mkdir("ns/below", 0755));
	CHECK(!access(in("below"), F_OK));
	OK(rmdir(in("below")));
	OK(umount("ns"));
	OK(rmdir("ns"));
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
}

/* By pid 1: there must be nobody in the container's own cgroup. */
static void test_limit(void)
{
	OK(mkdir("cg/rest", 0755));
	CHECK(error_of("cg/cgroup.subtree_control", "+pids") == EBUSY);
	put("cg/rest/cgroup.procs", "1");
	put("cg/cgroup.subtree_control", "+pids");
	CHECK(has("cg/cgroup.subtree_control", "pids"));
	CHECK(has(in("cgroup.controllers"), "pids"));
	put(in("pids.max"), "2");
	CHECK(!strcmp(get(in("pids.max")), "2\n"));
	IN_CHILD({
		pid_t pid;

		put(in("cgroup.procs"), "0");
		pid = sleeper();
		FAILS(EAGAIN, fork());
		CHECK(has(in("pids.events"), "max 1\n"));
		CHECK(!strcmp(get(in("pids.current")), "2\n"));
		CHECK(error_of(in("cgroup.subtree_control"), "+pids") == EBUSY);
		OK(kill(pid, SIGKILL));
		reap(pid);
	});
	CHECK(error_of(in("pids.max"), "-1") == EINVAL);
	OK(mkdir(in("a"), 0755));
	FAILS(ENOENT, access(in("a/pids.max"), F_OK));
	put(in("cgroup.subtree_control"), "+pids");
	CHECK(!access(in("a/pids.max"), F_OK));
	CHECK(error_of(in("cgroup.procs"), "0") == EBUSY);
	CHECK(error_of("cg/cgroup.subtree_control", "-pids") == EBUSY);
	OK(rmdir(in("a")));
	put(in("cgroup.subtree_control"), "-pids");
	put("cg/cgroup.subtree_control", "-pids");
	FAILS(ENOENT, access(in("pids.max"), F_OK));
	put("cg/cgroup.procs", "1");
	OK(rmdir("cg/rest"));
}

int main(void)
{
	if (geteuid())
		return 0;
	become_root(CLONE_NEWCGROUP); /* its are the container's cgroups */
	OK(mkdir("cg", 0755));
	OK(mount("none", "cg", "cgroup2", 0, NULL));
	snprintf(dir, sizeof(dir), "cg/callgate-test-%d", getpid());
	OK(mkdir(dir, 0755));
	CHECK(error_of(in("cgroup.subtree_control"), "+nonsense") == EINVAL);
	CHECK(error_of(in("cgroup.subtree_control"), "memory") == EINVAL);
	CHECK(error_of(in("cgroup.subtree_control"), "+pids") == ENOENT);
	test_directories();
	test_depth();
	test_move();
	test_clone_into(); /* first: Linux 6.18 kills who is made into a cgroup that was ever killed */
	test_freeze();
	test_freeze_calls();
	test_freeze_tree();
	test_events();
	IN_CHILD(test_namespace());
	if (getpid() == 1 && has("cg/cgroup.controllers", "pids"))
		test_limit();
	OK(rmdir(dir));
	OK(umount("cg"));
	OK(rmdir("cg"));
	return 0;
}
