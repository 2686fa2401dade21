/* SPDX-License-Identifier: Apache-2.0 */
/* The guest half of the harness: boot without exec, and helpers for user code. */
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "fs.h"
#include "harness.h"
#include "harness_host.h"
#include "mm.h"
#include "task.h"

#define STACK_SIZE   (256 << 10)
#define MMAP_BASE    0x7d0000000000ULL
#define BRK_START    0x555555600000ULL
#define HANDLER_BASE 0x10000000ULL
#define RESTORER     0x20000000ULL

typedef void (*handler_fn)(int sig, uaddr_t info, uaddr_t context);
void stub_handler(uaddr_t address, handler_fn fn);
void stub_next_child(int (*fn)(void *arg), void *arg);

unsigned long harness_task_size(void)
{
	return sizeof(struct task);
}

static void new_stack(void)
{
	mc_regs(current)->rsp = ualloc(STACK_SIZE) + STACK_SIZE - 64;
}

void harness_become(void)
{
	struct mm *mm;

	task_boot();
	vfs_boot();
	mm = current->mm;
	mm->mmap_base = MMAP_BASE;
	mm->brk_start = mm->brk = BRK_START;
	new_stack();
}

void harness_guest(void (*fn)(void))
{
	harness_become();
	fn();
	sc(__NR_exit_group, 0);
	__builtin_unreachable();
}

uaddr_t ualloc(size_t size)
{
	long at = sc(__NR_mmap, 0, PAGE_ALIGN(size), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at > 0);
	return (uaddr_t)at;
}

/* Small things share pages; never freed. Each process has its own copy after fork, at the same
 * addresses. */
uaddr_t uput(const void *p, size_t n)
{
	static __thread uaddr_t at, end;
	static __thread u64 space;
	size_t room = (n + 15) & ~15UL;

	if (space !=
	    current->mm->id) { /* after exec; after fork the copy would do, but who knows */
		space = current->mm->id;
		at = end = 0;
	}
	if (at + room > end) {
		size_t size = room > 65536 ? room : 65536;

		at = ualloc(size);
		end = at + size;
	}
	poke(at, p, n);
	at += room;
	return at - room;
}

uaddr_t ustr(const char *text)
{
	return uput(text, strlen(text) + 1);
}

void poke(uaddr_t at, const void *p, size_t n)
{
	CHECK(stub_store(at, p, n));
}

void peek(uaddr_t at, void *p, size_t n)
{
	CHECK(stub_load(at, p, n));
}

u32 peek32(uaddr_t at)
{
	u32 val;

	peek(at, &val, sizeof(val));
	return val;
}

u64 peek64(uaddr_t at)
{
	u64 val;

	peek(at, &val, sizeof(val));
	return val;
}

void poke32(uaddr_t at, u32 val)
{
	poke(at, &val, sizeof(val));
}

void poke64(uaddr_t at, u64 val)
{
	poke(at, &val, sizeof(val));
}

bool ueq(uaddr_t at, const char *text)
{
	char buf[256];
	size_t n = strlen(text);

	CHECK(n < sizeof(buf));
	peek(at, buf, n);
	return !memcmp(buf, text, n);
}

long fork_run(int (*fn)(void *arg), void *arg)
{
	stub_next_child(fn, arg);
	return sc(__NR_fork);
}

long vfork_run(int (*fn)(void *arg), void *arg)
{
	stub_next_child(fn, arg);
	return sc(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD,
		  ualloc(STACK_SIZE) + STACK_SIZE - 64);
}

long thread_run(int (*fn)(void *arg), void *arg)
{
	stub_next_child(fn, arg);
	return sc(__NR_clone,
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		  ualloc(STACK_SIZE) + STACK_SIZE - 64);
}

int wait_status(long pid)
{
	uaddr_t status = ualloc(4);

	CHECK_EQ(sc(__NR_wait4, pid, status, 0, 0), pid);
	return (int)peek32(status);
}

void sleep_ms(u64 ms)
{
	struct {
		s64 sec, nsec;
	} ts = {(s64)(ms / 1000), (s64)(ms % 1000 * NSEC_PER_MSEC)};

	sc(__NR_nanosleep, uput(&ts, sizeof(ts)), 0);
}

void handle(int sig, handler_fn fn, u64 flags)
{
	static u32 next;
	struct ksigaction act = {
		.handler = HANDLER_BASE + 16 * (u64)__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED),
		.flags = flags | SA_RESTORER,
		.restorer = RESTORER,
	};

	stub_handler(act.handler, fn);
	CHECK_EQ(sc(__NR_rt_sigaction, sig, uput(&act, sizeof(act)), 0, 8), 0);
}
