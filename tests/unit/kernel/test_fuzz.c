/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls with interesting arguments: whatever they answer, the kernel must not crash,
 * touch memory that is not its own, hang, or lose count. Processes of a few hundred calls each are
 * made with seeds in sequence and killed when they get nowhere, so that calls which block or end
 * them do no harm.
 *
 * FUZZ_SEED, FUZZ_PROCESSES, FUZZ_CALLS and FUZZ_TRACE=1 in the environment: more, or one case
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "fuzz_shapes.h"
#include "harness.h"
#include "layout.h"
#include "mm.h"
#include "syscall.h"
#include "task.h"

#define BUFFER	  (64 << 10)
#define MAX_CALLS 512
#define STUCK_MS  300

void stub_any_handler(void (*fn)(int sig, uaddr_t info, uaddr_t context));

static u32 done; /* calls of the present process */
static long trace, calls;

struct fuzz {
	u64 state;
	uaddr_t buffer;
	uaddr_t strings[16];
};

static u64 rnd(struct fuzz *f)
{
	f->state = f->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return hash_u64(f->state);
}

static const char *const names[] = {
	"/",	   "/tmp",	 "/tmp/a",	    "/tmp/b",	     "a",	  "../..",
	"",	   "/proc",	 "/dev/null",	    "/proc/self/fd", "/dev/ptmx", "/dev/zero",
	"/static", "/tmp/dir/x", "/proc/self/maps", "/dir/link",
};

static u64 pick(struct fuzz *f, const u64 *from, size_t n)
{
	return from[rnd(f) % n];
}
#define PICK(f, array) pick((f), (array), ARRAY_SIZE(array))

static u64 any_pointer(struct fuzz *f)
{
	static const u64 bad[] = {0,	      1,	  0x1000, USER_END - 8, USER_END,
				  KHEAP_BASE, KDATA_BASE, ~0ULL,  ~0xfffULL,	1ULL << 63};

	if (rnd(f) % 6 == 0)
		return PICK(f, bad);
	/* Sometimes so that the end of the memory is near. */
	if (rnd(f) % 8 == 0)
		return f->buffer + BUFFER - rnd(f) % 64;
	return f->buffer + rnd(f) % BUFFER / 8 * 8;
}

static u64 any_size(struct fuzz *f)
{
	static const u64 sizes[] = {0,		1,	    2,	   4,		8,	 12,
				    16,		24,	    64,	   128,		144,	 4095,
				    4096,	4097,	    8192,  65536,	1 << 20, 1ULL << 31,
				    1ULL << 32, 1ULL << 62, ~0ULL, ~0ULL - 4095};

	return PICK(f, sizes);
}

static u64 any_argument(struct fuzz *f)
{
	static const u64 pids[] = {0, 1, 2, 3, ~0ULL, 1000};

	switch (rnd(f) % 10) {
	case 0:
		return rnd(f) % 16; /* a descriptor, a small option */
	case 1:
		return (u64)AT_FDCWD;
	case 2:
		return f->strings[rnd(f) % ARRAY_SIZE(f->strings)];
	case 3:
	case 4:
		return any_pointer(f);
	case 5:
		return any_size(f);
	case 6:
		return 1ULL << rnd(f) % 64; /* a flag */
	case 7:
		return (1ULL << rnd(f) % 32) | (1ULL << rnd(f) % 32);
	case 8:
		return PICK(f, pids);
	default:
		return rnd(f) % 6 ? rnd(f) % 300 : rnd(f);
	}
}

/* An argument of the kind that the call has there; sometimes anything. */
static u64 argument(struct fuzz *f, char kind)
{
	if (rnd(f) % 8 == 0)
		return any_argument(f);
	switch (kind) {
	case 'f':
		return rnd(f) % 20;
	case 'd':
		return rnd(f) % 3 ? (u64)AT_FDCWD : rnd(f) % 20;
	case 's':
		return f->strings[rnd(f) % ARRAY_SIZE(f->strings)];
	case 'p':
		return rnd(f) % 8 ? any_pointer(f) : 0;
	case 'n':
		return any_size(f);
	case 'x':
		return rnd(f) % 3 ? 1ULL << rnd(f) % 22 | 1ULL << rnd(f) % 22 : rnd(f) % 4;
	case 'i':
		return rnd(f) % 18;
	case 't':
		return rnd(f) % 2 ? (u64)current->proc->pid : rnd(f) % 4;
	case 'S':
		return rnd(f) % 66;
	case 'o':
		return rnd(f) % 4 ? rnd(f) % 100000 : any_size(f);
	default:
		return any_argument(f);
	}
}

static void fill(struct fuzz *f)
{
	uaddr_t at = f->buffer + rnd(f) % BUFFER / 8 * 8;

	for (u32 n = 0; n < 8 && at + n * 8 < f->buffer + BUFFER; n++)
		stub_store(at + n * 8, &(u64){any_argument(f)}, 8);
}

/* Calls that would only tell about the harness. */
static bool skipped(u32 nr)
{
	switch (nr) {
	case __NR_rt_sigreturn: /* jumps anywhere */
	case __NR_exit:
	case __NR_exit_group:
	case __NR_reboot:
		return true;
	default:
		return nr >= SYSCALL_TABLE_SIZE || !syscall_table[nr].fn;
	}
}

static u32 any_call(struct fuzz *f)
{
	for (;;) {
		u32 nr = (u32)(rnd(f) % SYSCALL_TABLE_SIZE);

		if (!skipped(nr))
			return nr;
	}
}

static void one_call(struct fuzz *f)
{
	u32 nr = any_call(f);
	const char *shape;
	u64 a[6];
	long ret;

	shape = shapes[nr] ? shapes[nr] : "";
	for (int i = 0; i < 6; i++) {
		a[i] = argument(f, *shape);
		shape += *shape != 0;
	}
	if (nr == __NR_prlimit64 && (int)a[0] == 1)
		return; /* the parent needs its memory */
	if (rnd(f) % 3 == 0)
		fill(f);
	if (trace)
		printk(LOG_ERR, "[%d] %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)", (int)current->tid,
		       syscall_table[nr].name, a[0], a[1], a[2], a[3], a[4], a[5]);
	ret = sc(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (trace)
		printk(LOG_ERR, "[%d]   = %ld", (int)current->tid, ret);
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

static void setup(struct fuzz *f, u64 seed)
{
	f->state = seed * 0x9e3779b97f4a7c15ULL;
	f->buffer = ualloc(BUFFER + PAGE_SIZE);
	CHECK_EQ(sc(__NR_munmap, f->buffer + BUFFER, PAGE_SIZE), 0);
	for (u32 i = 0; i < ARRAY_SIZE(f->strings); i++)
		f->strings[i] = ustr(names[i]);
	/* Some descriptors of several kinds. */
	sc(__NR_openat, AT_FDCWD, f->strings[0], O_RDONLY | O_DIRECTORY, 0);
	sc(__NR_openat, AT_FDCWD, f->strings[2], O_RDWR | O_CREAT, 0644);
	sc(__NR_openat, AT_FDCWD, ustr("/file"), O_RDWR | O_CREAT, 0644);
	sc(__NR_pipe2, f->buffer, O_NONBLOCK);
	sc(__NR_socketpair, 1, 1 | O_NONBLOCK, 0, f->buffer);
	sc(__NR_eventfd2, 1, O_NONBLOCK);
	sc(__NR_epoll_create1, 0);
	sc(__NR_memfd_create, f->strings[4], 0);
	sc(__NR_mq_open, f->strings[4], O_RDWR | O_CREAT | O_NONBLOCK, 0644, 0);
	for (int i = 0; i < 64; i++)
		fill(f);
}

static int make_calls(void *arg)
{
	for (long i = 0; i < calls; i++)
		one_call(arg);
	return 0;
}

static int fuzz_process(void *arg)
{
	struct fuzz f;

	setup(&f, (u64)arg);
	return make_calls(&f);
}

/* Two threads share everything: what one frees the other may use. */
static int fuzz_threads(void *arg)
{
	static struct fuzz f[2];

	setup(&f[0], (u64)arg);
	setup(&f[1], (u64)arg + 1000000);
	thread_run(make_calls, &f[1]);
	return make_calls(&f[0]);
}

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
}

#define WAIT_ALL (1 /* WNOHANG */ | 0x40000000 /* __WALL */)

/*
 * The next child that has ended, or thread that has itself traced by us; 0: none now; -1: there are no more. Who stops for us,
 * as its tracer, is killed.
 */
static long next_end(uaddr_t status)
{
	long got = sc(__NR_wait4, -1, status, WAIT_ALL, 0);
	u32 how = 0;

	if (got <= 0)
		return got < 0 ? -1 : 0;
	CHECK(stub_load(status, &how, sizeof(how)));
	if ((how & 0xff) == 0x7f)
		sc(__NR_tkill, got, SIGKILL);
	return (how & 0xff) == 0x7f ? 0 : got;
}

/*
 * Until it ends; or it has done nothing for a while. All go with it: one of its children may trace it, and not wait for it.
 */
static void wait_or_kill(long pid)
{
	uaddr_t status = ualloc(4096);
	u32 before = 0, idle = 0;

	for (;;) {
		long got = next_end(status);

		if (got == pid || got < 0)
			break;
		if (got)
			continue;
		sleep_ms(2);
		idle = READ_ONCE(done) == before ? idle + 2 : 0;
		before = READ_ONCE(done);
		if (idle >= STUCK_MS) {
			sc(__NR_kill, -1, SIGKILL);
			idle = 0;
		}
	}
	CHECK_EQ(sc(__NR_munmap, status, 4096), 0);
}

/* Grandchildren that nobody waited for are ours now. */
static void reap(void)
{
	while (sc(__NR_wait4, -1, 0, 1 | 0x40000000, 0) > 0)
		;
}

static void fuzz(int (*fn)(void *arg))
{
	long seed = host_setting("FUZZ_SEED", 1), processes = host_setting("FUZZ_PROCESSES", 40);

	trace = host_setting("FUZZ_TRACE", 0);
	calls = host_setting("FUZZ_CALLS", 150);
	stub_any_handler(on_signal);
	for (long i = 0; i < processes; i++) {
		long pid = fork_run(fn, (void *)(seed + i));

		CHECK(pid > 0);
		wait_or_kill(pid);
		reap();
	}
}

VM_TEST(fuzz_one_thread)
{
	fuzz(fuzz_process);
}

VM_TEST(fuzz_two_threads)
{
	fuzz(fuzz_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fuzz_one_thread),
		cmocka_unit_test(fuzz_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
