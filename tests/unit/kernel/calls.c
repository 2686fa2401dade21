/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "fuzz_shapes.h"
#include "harness.h"
#include "layout.h"
#include "mm.h"
#include "syscall.h"
#include "task.h"

#define BUFFER (64 << 10)
#define WAIT_ALL (1 /* WNOHANG */ | 0x40000000 /* __WALL */)

u32 calls_done;
bool calls_traced;

/* The next byte of the input. */
static bool next_byte(struct calls *f, u8 *byte)
{
	size_t at = __atomic_fetch_add(&f->at, 1, __ATOMIC_RELAXED);

	if (at >= f->size) {
		__atomic_store_n(&f->at, f->size, __ATOMIC_RELAXED);
		return false;
	}
	*byte = f->data[at];
	return true;
}

/* A number below n; n 0: any. Of an input as few bytes as that takes, so that a change of one changes one decision. */
static u64 rnd(struct calls *f, u64 n)
{
	size_t take = !n ? 8 : n <= 256 ? 1 : n <= 65536 ? 2 : 8;
	u64 val = 0;
	u8 byte;

	if (!f->data) {
		f->state = f->state * 6364136223846793005ULL + 1442695040888963407ULL;
		val = hash_u64(f->state);
	}
	for (; f->data && take && next_byte(f, &byte); take--)
		val = val << 8 | byte;
	return n ? val % n : val;
}

bool calls_over(const struct calls *f)
{
	return f->data && __atomic_load_n(&f->at, __ATOMIC_RELAXED) >= f->size;
}

static const char *const names[] = {
	"/",	   "/tmp",	 "/tmp/a",	    "/tmp/b",	     "a",	  "../..",
	"",	   "/proc",	 "/dev/null",	    "/proc/self/fd", "/dev/ptmx", "/dev/zero",
	"/static", "/tmp/dir/x", "/proc/self/maps", "/dir/link",
};

static u64 pick(struct calls *f, const u64 *from, size_t n)
{
	return from[rnd(f, n)];
}
#define PICK(f, array) pick((f), (array), ARRAY_SIZE(array))

static u64 any_pointer(struct calls *f)
{
	static const u64 bad[] = {0,	      1,	  0x1000, USER_END - 8, USER_END,
				  KHEAP_BASE, KDATA_BASE, ~0ULL,  ~0xfffULL,	1ULL << 63};

	if (rnd(f, 6) == 0)
		return PICK(f, bad);
	/* Sometimes so that the end of the memory is near. */
	if (rnd(f, 8) == 0)
		return f->buffer + BUFFER - rnd(f, 64);
	return f->buffer + rnd(f, BUFFER) / 8 * 8;
}

static u64 any_size(struct calls *f)
{
	static const u64 sizes[] = {0,		1,	    2,	   4,		8,	 12,
				    16,		24,	    64,	   128,		144,	 4095,
				    4096,	4097,	    8192,  65536,	1 << 20, 1ULL << 31,
				    1ULL << 32, 1ULL << 62, ~0ULL, ~0ULL - 4095};

	return PICK(f, sizes);
}

static u64 any_argument(struct calls *f)
{
	static const u64 pids[] = {0, 1, 2, 3, ~0ULL, 1000};

	switch (rnd(f, 10)) {
	case 0:
		return rnd(f, 16); /* a descriptor, a small option */
	case 1:
		return (u64)AT_FDCWD;
	case 2:
		return f->strings[rnd(f, ARRAY_SIZE(f->strings))];
	case 3:
	case 4:
		return any_pointer(f);
	case 5:
		return any_size(f);
	case 6:
		return 1ULL << rnd(f, 64); /* a flag */
	case 7:
		return (1ULL << rnd(f, 32)) | (1ULL << rnd(f, 32));
	case 8:
		return PICK(f, pids);
	default:
		return rnd(f, 6) ? rnd(f, 300) : rnd(f, 0);
	}
}

/* An argument of the kind that the call has there; sometimes anything. */
static u64 argument(struct calls *f, char kind)
{
	if (rnd(f, 8) == 0)
		return any_argument(f);
	switch (kind) {
	case 'f':
		return rnd(f, 20);
	case 'd':
		return rnd(f, 3) ? (u64)AT_FDCWD : rnd(f, 20);
	case 's':
		return f->strings[rnd(f, ARRAY_SIZE(f->strings))];
	case 'p':
		return rnd(f, 8) ? any_pointer(f) : 0;
	case 'n':
		return any_size(f);
	case 'x':
		return rnd(f, 3) ? 1ULL << rnd(f, 22) | 1ULL << rnd(f, 22) : rnd(f, 4);
	case 'i':
		return rnd(f, 18);
	case 't':
		return rnd(f, 2) ? (u64)current->proc->pid : rnd(f, 4);
	case 'S':
		return rnd(f, 66);
	case 'o':
		return rnd(f, 4) ? rnd(f, 100000) : any_size(f);
	default:
		return any_argument(f);
	}
}

static void fill(struct calls *f)
{
	uaddr_t at = f->buffer + rnd(f, BUFFER) / 8 * 8;

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

static u32 any_call(struct calls *f)
{
	for (;;) {
		u32 nr = (u32)(rnd(f, SYSCALL_TABLE_SIZE));

		if (!skipped(nr))
			return nr;
	}
}

void calls_make_one(struct calls *f)
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
	if (rnd(f, 3) == 0)
		fill(f);
	if (calls_traced)
		printk(LOG_ERR, "[%d] %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)", (int)current->tid,
		       syscall_table[nr].name, a[0], a[1], a[2], a[3], a[4], a[5]);
	ret = sc(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (calls_traced)
		printk(LOG_ERR, "[%d]   = %ld", (int)current->tid, ret);
	__atomic_fetch_add(&calls_done, 1, __ATOMIC_SEQ_CST);
}

/* Some descriptors of several kinds. */
static void open_some(struct calls *f)
{
	sc(__NR_openat, AT_FDCWD, f->strings[0], O_RDONLY | O_DIRECTORY, 0);
	sc(__NR_openat, AT_FDCWD, f->strings[2], O_RDWR | O_CREAT, 0644);
	sc(__NR_openat, AT_FDCWD, ustr("/file"), O_RDWR | O_CREAT, 0644);
	sc(__NR_pipe2, f->buffer, O_NONBLOCK);
	sc(__NR_socketpair, 1, 1 | O_NONBLOCK, 0, f->buffer);
	sc(__NR_eventfd2, 1, O_NONBLOCK);
	sc(__NR_epoll_create1, 0);
	sc(__NR_memfd_create, f->strings[4], 0);
	sc(__NR_mq_open, f->strings[4], O_RDWR | O_CREAT | O_NONBLOCK, 0644, 0);
}

void calls_setup(struct calls *f, u64 seed)
{
	*f = (struct calls){.state = seed * 0x9e3779b97f4a7c15ULL};
	f->buffer = ualloc(BUFFER + PAGE_SIZE);
	CHECK_EQ(sc(__NR_munmap, f->buffer + BUFFER, PAGE_SIZE), 0);
	for (u32 i = 0; i < ARRAY_SIZE(f->strings); i++)
		f->strings[i] = ustr(names[i]);
	open_some(f);
	for (int i = 0; i < 64; i++)
		fill(f);
}

void calls_input(struct calls *f, const u8 *data, size_t size)
{
	f->data = data;
	f->size = size;
	f->at = 0;
}

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
void calls_wait_or_kill(long pid, u32 stuck_ms)
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
		idle = READ_ONCE(calls_done) == before ? idle + 2 : 0;
		before = READ_ONCE(calls_done);
		if (idle >= stuck_ms) {
			sc(__NR_kill, -1, SIGKILL);
			idle = 0;
		}
	}
	CHECK_EQ(sc(__NR_munmap, status, 4096), 0);
}

/* Grandchildren that nobody waited for are ours now. */
void calls_reap(void)
{
	while (sc(__NR_wait4, -1, 0, 1 | 0x40000000, 0) > 0)
		;
}
