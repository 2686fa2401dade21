/* SPDX-License-Identifier: Apache-2.0 */
/* /proc and /dev as programs use them. */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static char buf[262144];

static const char *file(const char *path)
{
	int fd = OK(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while ((got = OK(read(fd, buf + n, sizeof(buf) - 1 - n))) > 0)
		n += got;
	buf[n] = 0;
	close(fd);
	return buf;
}

static void test_status(void)
{
	char wanted[64], state;
	int pid, ppid;

	snprintf(wanted, sizeof(wanted), "\nPid:\t%d\n", getpid());
	CHECK(strstr(file("/proc/self/status"), wanted));
	snprintf(wanted, sizeof(wanted), "\nPPid:\t%d\n", getppid());
	CHECK(strstr(buf, wanted) && strstr(buf, "\nUid:\t") && strstr(buf, "\nThreads:\t1\n"));
	CHECK(strstr(buf, "\nVmRSS:") && strstr(buf, "\nSigBlk:") && strstr(buf, "\nCapEff:"));
	CHECK(sscanf(file("/proc/self/stat"), "%d (%*[^)]) %c %d", &pid, &state, &ppid) == 3);
	CHECK(pid == getpid() && state == 'R' && ppid == getppid());
	snprintf(wanted, sizeof(wanted), "/proc/%d/comm", getpid());
	CHECK(strstr(file(wanted), "proc_self"));
	CHECK(sscanf(file("/proc/self/statm"), "%d %d", &pid, &ppid) == 2 && ppid > 0 && pid >= ppid);
	OK(readlink("/proc/self", wanted, sizeof(wanted)));
	CHECK(atoi(wanted) == getpid());
}

static void test_links(char *argv0)
{
	char link[4096] = "", cwd[4096];
	struct stat one, two;

	OK(readlink("/proc/self/exe", link, sizeof(link)));
	CHECK(strstr(link, "proc_self"));
	OK(stat("/proc/self/exe", &one));
	OK(stat(link, &two));
	CHECK(one.st_ino == two.st_ino);
	memset(link, 0, sizeof(link));
	OK(readlink("/proc/self/cwd", link, sizeof(link)));
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(link, cwd));
	memset(link, 0, sizeof(link));
	OK(readlink("/proc/self/root", link, sizeof(link)));
	CHECK(!strcmp(link, "/"));
	CHECK(!strcmp(file("/proc/self/cmdline"), argv0));
	setenv("X", "changed", 1); /* environ is as at exec */
	file("/proc/self/environ");
}

/* A title over the arguments that runs on into the environment is shown with its NUL; a shorter one, with all of them. */
static void test_title(char *argv0)
{
	size_t len = strlen(argv0), n;
	char *old = strdup(argv0), env0 = argv0[len + 1];
	int fd;

	memset(argv0, 't', len + 1);
	argv0[len + 1] = 0;
	fd = OK(open("/proc/self/cmdline", O_RDONLY));
	n = OK(read(fd, buf, sizeof(buf)));
	CHECK(n == len + 2 && !buf[len + 1] && strlen(buf) == len + 1);
	close(fd);
	memset(argv0, 0, len + 1);
	*argv0 = 't';
	fd = OK(open("/proc/self/cmdline", O_RDONLY));
	n = OK(read(fd, buf, sizeof(buf)));
	CHECK(n == len + 1 && !strcmp(buf, "t"));
	close(fd);
	strcpy(argv0, old);
	argv0[len + 1] = env0;
	free(old);
}

static void test_maps(void)
{
	char *map = OK(mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char wanted[128], *line, *save;
	unsigned long last = 0, start, end;

	OK(mprotect(map + 4096, 4096, PROT_NONE));
	snprintf(wanted, sizeof(wanted), "%lx-%lx ---p 00000000 00:00 0", (long)map + 4096, (long)map + 8192);
	CHECK(strstr(file("/proc/self/maps"), wanted));
	CHECK(strstr(buf, "[stack]") && strstr(buf, "r-xp") && strstr(buf, "proc_self"));
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2);
		CHECK(start >= last && end > start);
		last = end;
	}
}

static void test_descriptors(void)
{
	int fd = OK(open("/etc/passwd", O_RDONLY)), count = 0, again, here;
	char path[64], link[256] = "";
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(readlink(path, link, sizeof(link)));
	CHECK(!strcmp(link, "/etc/passwd"));
	again = OK(open(path, O_RDONLY));
	CHECK(read(again, buf, 5) == 5 && !memcmp(buf, "root:", 5) && lseek(fd, 0, SEEK_CUR) == 0);
	dir = opendir("/proc/self/fd");
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	here = dirfd(dir);
	CHECK(count >= 6 && here > again);
	closedir(dir);
	lseek(fd, 7, SEEK_SET);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(strstr(file(path), "pos:\t7\n") && strstr(buf, "flags:\t"));
	close(again);
	close(fd);
}

static void *in_thread(void *arg)
{
	char path[64];
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	CHECK(count == 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", gettid());
	CHECK(atoi(file(path)) == gettid());
	return arg;
}

static void test_threads(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, in_thread, NULL));
	CHECK(!pthread_join(thread, NULL));
}

static void test_global(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int self = 0;

	while ((entry = readdir(dir)))
		self += atoi(entry->d_name) == getpid();
	closedir(dir);
	CHECK(self == 1);
	CHECK(strstr(file("/proc/meminfo"), "MemAvailable:"));
	CHECK(strstr(file("/proc/cpuinfo"), "processor\t: 0") && strstr(buf, "model name"));
	CHECK(!strncmp(file("/proc/stat"), "cpu ", 4) && strstr(buf, "\nbtime "));
	CHECK(strtod(file("/proc/uptime"), NULL) > 0);
	CHECK(strchr(file("/proc/loadavg"), '/'));
	CHECK(!strncmp(file("/proc/version"), "Linux version ", 14));
	CHECK(strstr(file("/proc/self/mountinfo"), " / ") && strstr(file("/proc/mounts"), "proc"));
	CHECK(strstr(file("/proc/filesystems"), "tmpfs"));
	CHECK(atoi(file("/proc/sys/kernel/pid_max")) > 1000);
	CHECK(!strncmp(file("/proc/sys/kernel/ostype"), "Linux", 5));
	CHECK(atoi(file("/proc/sys/net/core/somaxconn")) > 0);
	CHECK(strlen(file("/proc/sys/kernel/random/boot_id")) == 37);
	CHECK(strchr(file("/proc/sys/vm/overcommit_memory"), '\n'));
	FAILS(ENOENT, open("/proc/99999999", O_RDONLY));
	FAILS(ENOENT, open("/proc/none", O_RDONLY));
}

static void test_other(void)
{
	char path[64], link[256] = "";
	pid_t child = fork();

	if (!child)
		for (;;)
			pause_ms(1000);
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	OK(readlink(path, link, sizeof(link)));
	CHECK(strstr(link, "proc_self"));
	snprintf(path, sizeof(path), "/proc/%d/maps", child);
	CHECK(strstr(file(path), "[stack]"));
	kill(child, 9);
	CHECK(reap(child) == 1009);
	FAILS(ENOENT, open(path, O_RDONLY));
}

static void device(const char *path, int maj, int min)
{
	struct stat st;

	OK(stat(path, &st));
	CHECK(S_ISCHR(st.st_mode) && major(st.st_rdev) == (unsigned)maj && minor(st.st_rdev) == (unsigned)min);
}

static void test_devices(void)
{
	int fd;

	device("/dev/null", 1, 3);
	device("/dev/zero", 1, 5);
	device("/dev/full", 1, 7);
	device("/dev/random", 1, 8);
	device("/dev/urandom", 1, 9);
	device("/dev/tty", 5, 0);
	fd = OK(open("/dev/zero", O_RDWR));
	buf[0] = buf[99] = 1;
	CHECK(read(fd, buf, 100) == 100 && !buf[0] && !buf[99] && write(fd, buf, 100) == 100);
	OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = OK(open("/dev/full", O_RDWR));
	FAILS(ENOSPC, write(fd, "x", 1));
	close(fd);
	fd = OK(open("/dev/null", O_RDWR));
	CHECK(read(fd, buf, 10) == 0 && write(fd, buf, 10) == 10);
	close(fd);
	fd = OK(open("/dev/urandom", O_RDONLY));
	memset(buf, 0, 64);
	CHECK(read(fd, buf, 64) == 64 && memcmp(buf, buf + 32, 32));
	close(fd);
	IN_CHILD({
		setsid(); /* no controlling terminal any more */
		FAILS(ENXIO, open("/dev/tty", O_RDWR));
	});
}

int main(int argc, char **argv)
{
	(void)argc;
	test_status();
	test_links(argv[0]);
	test_title(argv[0]);
	test_maps();
	test_descriptors();
	test_threads();
	test_global();
	test_other();
	test_devices();
	return 0;
}
