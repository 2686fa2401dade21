/* SPDX-License-Identifier: Apache-2.0 */
/* The host half of the harness: a process, a root directory and boot information for each VM. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness_host.h"
#include "stub_impl.h"
#include "stub_server.h"

#define ROOT	      "/tmp"
#define TIMEOUT_SEC   50
#define FILE_SIZE_MAX (256 << 20)
#define ALL_CAPS      0x1ffffffffffULL

void vm_run(void (*fn)(void), int expect);
void vm_become(void);
void vm_boot(const char *const *argv, bool wait_start, void (*outside)(void), int expect);
void check_failed(const char *file, int line, const char *what, long got, long want);
void host_file(const char *name, const void *data, size_t len, u32 mode);
void host_files_on_boot(void (*fn)(void));
long host_setting(const char *name, long otherwise);

static struct stub_mount mounts[] = {
	{"/proc", "proc", 0},
	{"/sys", "sysfs", 0},
	{"/dev", "devtmpfs", 0},
	{"/tmp", "tmpfs", 0},
};
#define NMOUNTS (sizeof(mounts) / sizeof(mounts[0]))

static void (*make_files)(void);

void check_failed(const char *file, int line, const char *what, long got, long want)
{
	fprintf(stderr, "%s:%d: %s: got %ld (%#lx), want %ld\n", file, line, what, got,
		(unsigned long)got, want);
	_exit(99);
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(98);
}

long host_setting(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

void host_file(const char *name, const void *data, size_t len, u32 mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s", name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
	must(fd >= 0 && write(fd, data, len) == (ssize_t)len && !fchmod(fd, mode) && !close(fd),
	     path);
}

/* Descriptors of the host's, as engines pass them to the hypervisor. */
int host_pipe(int *ends);
int host_pty(int *master, int *slave);
int host_dup(int fd);
void host_close(int fd);
long host_read(int fd, void *buf, size_t n);
long host_write(int fd, const void *buf, size_t n);

int host_pipe(int *ends)
{
	return pipe2(ends, O_CLOEXEC);
}

int host_pty(int *master, int *slave)
{
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || unlockpt(*master))
		return -1;
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave < 0 ? -1 : 0;
}

int host_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void host_close(int fd)
{
	close(fd);
}

long host_read(int fd, void *buf, size_t n)
{
	return read(fd, buf, n);
}

long host_write(int fd, const void *buf, size_t n)
{
	return write(fd, buf, n);
}

void host_files_on_boot(void (*fn)(void))
{
	make_files = fn;
}

static void loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo) && !close(fd), "loopback interface");
}

/* A tmpfs of our own as the root directory, with an empty read-only one where the guest mounts. */
static void make_root(void)
{
	must(!unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC), "unshare");
	loopback_up();
	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(!mount("none", ROOT, "tmpfs", 0, "mode=0755,size=256m"), "mount tmpfs");
	umask(0);
	if (make_files)
		make_files();
	for (size_t i = 0; i < NMOUNTS; i++) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), ROOT "%s", mounts[i].target);
		must(!mkdir(path, 0755), path);
		must(!mount("none", path, "tmpfs", MS_RDONLY, "size=4k"), path);
		must(!stat(path, &st), path);
		mounts[i].dev = st.st_dev;
	}
}

/* How pid 1 comes to be: straight to fn, or (fn NULL) by executing a program, as it really does. */
struct vm {
	void (*fn)(void);
	const char *const *argv;
	bool wait_start;
	void (*outside)(void); /* in a thread of the host */
};

struct boot {
	struct boot_info info;
	struct boot_mount mounts[NMOUNTS];
	u32 argv[8];
	char text[1024];
	u32 used;
};

static u32 text(struct boot *b, const char *s)
{
	u32 at = b->used;

	must(at + strlen(s) + 1 <= sizeof(b->text), "boot text");
	strcpy(b->text + at, s);
	b->used += (u32)strlen(s) + 1;
	return (u32)offsetof(struct boot, text) + at;
}

static void make_boot(struct boot *b)
{
	struct boot_info *i = &b->info;

	memset(b, 0, sizeof(*b));
	i->size = sizeof(*b);
	i->ncpus = 2;
	i->mem_total = 1ULL << 30;
	for (size_t n = 0; n < sizeof(i->seed); n++)
		i->seed[n] = (u8)(n * 7 + 1);
	i->process.cwd = text(b, "/");
	i->hostname = text(b, "unit");
	i->id = text(b, "unit-test");
	i->process.umask = 022;
	i->process.cap_effective = i->process.cap_permitted = i->process.cap_bounding = ALL_CAPS;
	i->debug = getenv("STUB_DEBUG") ? 7 : 4;
	i->mounts = offsetof(struct boot, mounts);
	i->nmounts = NMOUNTS;
	for (u32 n = 0; n < NMOUNTS; n++) {
		b->mounts[n].target = text(b, mounts[n].target);
		b->mounts[n].type = text(b, mounts[n].type);
	}
}

static void set_program(struct boot *b, const struct vm *vm)
{
	struct boot_process *p = &b->info.process;

	for (; vm->argv[p->argc]; p->argc++)
		b->argv[p->argc] = text(b, vm->argv[p->argc]);
	p->argv = offsetof(struct boot, argv);
	b->info.wait_start = vm->wait_start;
}

/* Should a test ask for all of the machine's memory, it is the first to go. */
static void limit_resources(void)
{
	struct rlimit file_size = {FILE_SIZE_MAX, FILE_SIZE_MAX};
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, "1000", 4) == 4 && !close(fd), "oom_score_adj");
	signal(SIGXFSZ, SIG_IGN);
	must(!setrlimit(RLIMIT_FSIZE, &file_size), "setrlimit");
}

static void vm_child(const struct vm *vm) __attribute__((noreturn));

/* This process has a VM in it, of which the calling thread is the first task. */
static void make_vm(const struct vm *vm)
{
	static struct boot boot;

	limit_resources();
	make_root();
	make_boot(&boot);
	if (vm->argv)
		set_program(&boot, vm);
	stub_init(ROOT, &boot.info, mounts, NMOUNTS);
	stub_first_task(harness_task_size());
}

void vm_become(void)
{
	make_vm(&(struct vm){0});
	harness_become();
}

static void *outside_main(void *fn)
{
	((const struct vm *)fn)->outside();
	return NULL;
}

static void boot_program(const struct vm *vm) __attribute__((noreturn));
static void boot_program(const struct vm *vm)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, outside_main, (void *)vm), "thread");
	kernel_boot();
}

static void vm_child(const struct vm *vm)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_vm(vm);
	if (!vm->fn)
		boot_program(vm);
	harness_guest(vm->fn);
}

/* TEST=NAME in the environment runs that one alone (or those that match: cmocka's wildcards). */
static void __attribute__((constructor)) filter(void)
{
	cmocka_set_test_filter(getenv("TEST"));
}

/* A VM that hangs may have no thread left that takes a signal: the time is watched from here. */
static int wait_for_vm(pid_t pid)
{
	int status = 0;

	for (int ms = 0; ms < TIMEOUT_SEC * 1000; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fail_msg("the VM hangs");
	return status;
}

static void run(const struct vm *vm, int expect)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip(); /* the server needs to change its root directory */
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		vm_child(vm);
	status = wait_for_vm(pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == -expect)
		return;
	if (WIFSIGNALED(status))
		fail_msg("the VM was ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), expect);
}

void vm_run(void (*fn)(void), int expect)
{
	run(&(struct vm){.fn = fn}, expect);
}

void vm_boot(const char *const *argv, bool wait_start, void (*outside)(void), int expect)
{
	run(&(struct vm){.argv = argv, .wait_start = wait_start, .outside = outside}, expect);
}
