/* SPDX-License-Identifier: Apache-2.0 */
/* MAP_GROWSDOWN, remap_file_pages, /proc/self/pagemap. */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define PRESENT (1ull << 63)
#define SHARED (1ull << 61)
#define PFN ((1ull << 55) - 1)

static sigjmp_buf back;
static char *at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	at = info->si_addr;
	siglongjmp(back, 1);
}

static int faults(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return 1;
	*p = 1;
	return 0;
}

/* `room` bytes where nothing is, with n pages that grow down at their upper end. */
static char *growing(size_t room, size_t n)
{
	char *low = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *top, *p;

	CHECK(low != MAP_FAILED);
	OK(munmap(low, room));
	top = low + room - n * PAGE;
	p = mmap(top, n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	CHECK(p == top);
	return p;
}

static pthread_barrier_t ready;
static char *shared;

static void *touch(void *arg)
{
	volatile char *p;

	pthread_barrier_wait(&ready);
	p = shared;
	for (long i = 1; i < 200; i++)
		p[-i * (long)PAGE] += 1;
	return arg;
}

static void test_grows(void)
{
	char *p = growing(64 << 20, 2), *below;
	pthread_t threads[3];

	p[0] = 'x';
	for (int i = 1; i < 100; i++)
		p[-i * (long)PAGE] = (char)i;
	for (int i = 1; i < 100; i++)
		CHECK(p[-i * (long)PAGE] == (char)i);
	CHECK(p[0] == 'x' && p[-(long)PAGE + 1] == 0);
	CHECK(!faults(p - (1 << 20))); /* as far as it likes */
	CHECK(faults(p - (32 << 20)) && at == p - (32 << 20)); /* than the limit allows */
	below = mmap(p - (4 << 20), PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(below == p - (4 << 20));
	CHECK(faults(below + 2 * PAGE)); /* too near to that */
	CHECK(!faults(below));
	CHECK(!pthread_barrier_init(&ready, NULL, 4));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, touch, NULL));
	p = shared = growing(64 << 20, 1);
	pthread_barrier_wait(&ready);
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(threads[i], NULL));
	IN_CHILD(CHECK(p[-199 * (long)PAGE] > 0); CHECK(!faults(p - 300 * PAGE)));
}

static int remap(void *p, size_t len, int prot, size_t page)
{
	return (int)syscall(SYS_remap_file_pages, p, len, prot, page, 0);
}

static void test_remap(void)
{
	int fd = OK(open("pages", O_RDWR | O_CREAT, 0600));
	char *p, *private;

	OK(unlink("pages"));
	OK(ftruncate(fd, 4 * PAGE));
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		p[(size_t)i * PAGE] = (char)('0' + i);
	for (size_t i = 0; i < 4; i++)
		OK(remap(p + i * PAGE, PAGE, 0, 3 - i));
	for (int i = 0; i < 4; i++)
		CHECK(p[(size_t)i * PAGE] == '3' - i);
	p[0] = 'x'; /* it can be written still */
	OK(remap(p, 4 * PAGE, 0, 0));
	CHECK(p[3 * PAGE] == 'x' && p[0] == '0');
	FAILS(EINVAL, remap(p, PAGE, PROT_READ, 0));
	FAILS(EINVAL, remap(p, 0, 0, 0));
	FAILS(EINVAL, remap(p + 3 * PAGE, 16384 * PAGE, 0, 0));
	private = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(private != MAP_FAILED);
	FAILS(EINVAL, remap(private, PAGE, 0, 1));
	OK(munmap(private, PAGE));
	FAILS(EINVAL, remap(private, PAGE, 0, 1));
	OK(munmap(p, 4 * PAGE));
	OK(close(fd));
}

#define SHUFFLED 16

static void *shuffle(void *arg)
{
	volatile char *p = arg;

	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < SHUFFLED / 4; i++) {
			size_t at = (size_t)((char *)p - shared) / PAGE + i, from = (at + (size_t)round) % SHUFFLED;

			OK(remap((char *)p + i * PAGE, PAGE, 0, from));
			CHECK(p[i * PAGE] == (char)('a' + from));
		}
	return NULL;
}

static void test_remap_anonymous(void)
{
	volatile char *p = mmap(NULL, SHUFFLED * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* pages of it are the same */
	char *private;
	pthread_t threads[4];

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < SHUFFLED; i++)
		p[i * PAGE] = (char)('a' + i);
	OK(mlock((char *)p + 3 * PAGE, PAGE)); /* one of them is not like the others */
	for (size_t i = 0; i < SHUFFLED; i++)
		OK(remap((char *)p + i * PAGE, PAGE, 0, SHUFFLED - 1 - i));
	OK(munlock((char *)p, SHUFFLED * PAGE));
	for (size_t i = 0; i < SHUFFLED; i++)
		CHECK(p[i * PAGE] == (char)('a' + SHUFFLED - 1 - i));
	IN_CHILD(p[0] = 'X'; OK(remap((char *)p, PAGE, 0, 3)); CHECK(p[0] == 'd')); /* shared memory, a space of its own */
	CHECK(p[0] == 'X');
	p[0] = (char)('a' + SHUFFLED - 1);
	OK(remap((char *)p + PAGE, 2 * PAGE, 0, 5)); /* two places show one page */
	CHECK(p[PAGE] == 'f' && p[2 * PAGE] == 'g');
	p[PAGE] = 'F';
	CHECK(p[10 * PAGE] == 'F');
	p[10 * PAGE] = 'f';
	CHECK(p[PAGE] == 'f');
	OK(mprotect((char *)p, PAGE, PROT_READ));
	OK(remap((char *)p, PAGE, 0, 1));
	CHECK(p[0] == 'b');
	CHECK(faults(p)); /* as it was */
	OK(mprotect((char *)p, PAGE, RW));
	FAILS(EINVAL, remap((char *)p, PAGE, PROT_READ, 0));
	private = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(private != MAP_FAILED);
	FAILS(EINVAL, remap(private, PAGE, 0, 0));
	OK(munmap(private, PAGE));
	OK(remap((char *)p, SHUFFLED * PAGE, 0, 0));
	for (size_t i = 0; i < SHUFFLED; i++)
		CHECK(p[i * PAGE] == (char)('a' + i));
	shared = (char *)p;
	for (size_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, shuffle, shared + i * SHUFFLED / 4 * PAGE));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	OK(munmap((char *)p, SHUFFLED * PAGE));
	FAILS(EINVAL, remap((char *)p, PAGE, 0, 0));
	for (int i = 0; i < 20; i++) { /* what was made for it goes with it */
		p = mmap(NULL, 64 << 20, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(p != MAP_FAILED);
		OK(remap((char *)p, PAGE, 0, 1));
		OK(munmap((char *)p, 64 << 20));
	}
}

static uint64_t entry(int fd, const void *p)
{
	uint64_t e;

	CHECK(pread(fd, &e, sizeof(e), (off_t)((uintptr_t)p / PAGE * 8)) == 8);
	return e;
}

static void test_pagemap(void)
{
	int fd = OK(open("/proc/self/pagemap", O_RDONLY));
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t e[3];

	CHECK(p != MAP_FAILED && s != MAP_FAILED);
	OK(madvise(p, 3 * PAGE, MADV_NOHUGEPAGE));
	p[PAGE] = 1;
	s[0] = 1;
	CHECK(pread(fd, e, sizeof(e), (off_t)((uintptr_t)p / PAGE * 8)) == sizeof(e));
	CHECK(!(e[0] & PRESENT) && (e[1] & PRESENT) && !(e[2] & PRESENT));
	CHECK(!(e[1] & SHARED) && (entry(fd, s) & (PRESENT | SHARED)) == (PRESENT | SHARED));
	OK(munmap(p, 3 * PAGE));
	CHECK(entry(fd, p + PAGE) == 0);
	FAILS(EINVAL, pread(fd, e, 7, 0));
	FAILS(EINVAL, pread(fd, e, 8, 4));
	CHECK(pread(fd, e, 8, (off_t)1 << 50) == 0);
	OK(munmap(s, PAGE));
	OK(close(fd));
	if (geteuid() == 0) { /* without the privilege there are no numbers of frames */
		IN_CHILD({
			OK(setuid(12345));
			fd = open("/proc/self/pagemap", O_RDONLY);
			CHECK(fd >= 0 || errno == EACCES);
			CHECK(fd < 0 || !(entry(fd, __builtin_frame_address(0)) & PFN));
		});
	}
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static char stack[65536];
	struct rlimit limit;

	OK(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL));
	OK(sigaction(SIGSEGV, &sa, NULL));
	getrlimit(RLIMIT_STACK, &limit);
	limit.rlim_cur = 8 << 20;
	OK(setrlimit(RLIMIT_STACK, &limit));
	test_grows();
	test_remap();
	test_remap_anonymous();
	test_pagemap();
	return 0;
}
