/* SPDX-License-Identifier: Apache-2.0 */
/* Address space: mmap, munmap, mprotect, mremap, brk, madvise, mincore and faults. */
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf out;
static volatile int code;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	code = si->si_code;
	siglongjmp(out, sig);
}

/* The signal that touching an address raises; 0: none. */
static int touch(char *at, int write)
{
	int sig = sigsetjmp(out, 1);

	if (sig)
		return sig;
	if (write)
		*(volatile char *)at = 1;
	else
		(void)*(volatile char *)at;
	return 0;
}

/* ThreadSanitizer wants the stack and what is mapped anywhere above this, and 31 TiB below it in one piece. */
static void test_sanitizer_layout(void)
{
	const uintptr_t app = 0x7e8000000000;
	char *shadow = (char *)0x010000000000, *map = OK(mmap(NULL, PAGE, RW, ANON, -1, 0));

	CHECK((uintptr_t)&shadow > app && (uintptr_t)map > app);
	OK(munmap(map, PAGE));
	CHECK(mmap(shadow, 0x1f0000000000, RW, ANON | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == shadow);
	shadow[0x1effffffffff] = 1;
	OK(munmap(shadow, 0x1f0000000000));
}

static void test_anonymous(void)
{
	char *map = OK(mmap(NULL, 8 * PAGE, RW, ANON, -1, 0));

	for (int i = 0; i < 8 * PAGE; i++)
		CHECK(map[i] == 0);
	memset(map, 5, 8 * PAGE);
	OK(munmap(map + 2 * PAGE, 2 * PAGE));
	CHECK(touch(map + 2 * PAGE, 0) == SIGSEGV && code == SEGV_MAPERR);
	CHECK(map[PAGE] == 5 && map[4 * PAGE] == 5);
	OK(munmap(map + 2 * PAGE, 2 * PAGE)); /* a hole is no error */
	OK(mprotect(map + 5 * PAGE, PAGE, PROT_READ));
	CHECK(touch(map + 5 * PAGE, 1) == SIGSEGV && code == SEGV_ACCERR);
	CHECK(touch(map + 5 * PAGE, 0) == 0 && touch(map + 6 * PAGE, 1) == 0);
	OK(mprotect(map + 5 * PAGE, PAGE, PROT_NONE));
	CHECK(touch(map + 5 * PAGE, 0) == SIGSEGV);
	OK(mprotect(map + 5 * PAGE, PAGE, RW));
	CHECK(map[5 * PAGE] == 5);
	FAILS(ENOMEM, mprotect(map, 8 * PAGE, RW)); /* over the hole */
	OK(munmap(map, 8 * PAGE));
}

static void test_placement(void)
{
	char *base = OK(mmap(NULL, 16 * PAGE, PROT_NONE, ANON, -1, 0));

	CHECK(mmap(base + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == base + PAGE);
	FAILS(EEXIST, mmap(base, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	OK(munmap(base + 4 * PAGE, PAGE));
	CHECK(mmap(base + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == base + 4 * PAGE);
	OK(munmap(base + 4 * PAGE, PAGE));
	CHECK(mmap(base + 4 * PAGE, PAGE, RW, ANON, -1, 0) == base + 4 * PAGE); /* the hint */
	FAILS(EINVAL, mmap(base + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	FAILS(EINVAL, mmap(NULL, 0, RW, ANON, -1, 0));
	FAILS(EINVAL, mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	FAILS(EBADF, mmap(NULL, PAGE, RW, MAP_PRIVATE, 99, 0));
	FAILS(ENOMEM, mmap(NULL, 1UL << 47, RW, ANON, -1, 0));
	FAILS(EINVAL, munmap(base + 1, PAGE));
	CHECK(mmap((void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED);
	OK(munmap(base, 16 * PAGE));
}

static void test_mremap(void)
{
	char *a = OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0)), *b, *target;

	memset(a, 3, 4 * PAGE);
	b = OK(mremap(a, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE));
	CHECK(b[0] == 3 && b[4 * PAGE - 1] == 3 && b[4 * PAGE] == 0 && b[399 * PAGE] == 0);
	CHECK(mremap(b, 400 * PAGE, 2 * PAGE, 0) == b);
	CHECK(touch(b + 2 * PAGE, 0) == SIGSEGV);
	target = OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
	CHECK(mremap(b, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK(target[0] == 3 && touch(b, 0) == SIGSEGV);
	FAILS(EINVAL, mremap(target + 1, PAGE, PAGE, 0));
	FAILS(EFAULT, mremap(b, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	FAILS(ENOMEM, mremap(target, PAGE, 1UL << 46, 0));
	OK(munmap(target, 4 * PAGE));
}

static void test_brk(void)
{
	char *start = sbrk(0), *end;

	CHECK(sbrk(10 * PAGE) == start);
	end = sbrk(0);
	CHECK(end == start + 10 * PAGE);
	start[0] = end[-1] = 1;
	CHECK(sbrk(-10 * PAGE) == end && sbrk(0) == start);
	CHECK(sbrk(PAGE) == start);
	CHECK(start[0] == 0 || ((long)start & (PAGE - 1))); /* fresh pages are zero */
	CHECK(sbrk(-PAGE) != (void *)-1);
	FAILS(ENOMEM, sbrk(1L << 46));
}

static void test_advice(void)
{
	unsigned char seen[4];
	char *map = OK(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));

	memset(map, 9, 2 * PAGE);
	OK(mincore(map, 4 * PAGE, seen));
	CHECK((seen[0] & 1) && (seen[1] & 1) && !(seen[3] & 1));
	OK(madvise(map, PAGE, MADV_DONTNEED));
	OK(mincore(map, 4 * PAGE, seen));
	CHECK(!(seen[0] & 1) && (seen[1] & 1));
	CHECK(map[0] == 0 && map[PAGE] == 9);
	OK(madvise(map, 4 * PAGE, MADV_WILLNEED));
	OK(madvise(map, 4 * PAGE, MADV_NORMAL));
	FAILS(EINVAL, madvise(map, PAGE, 9999));
	FAILS(EINVAL, madvise(map + 1, PAGE, MADV_NORMAL));
	OK(madvise(map + 2 * PAGE, PAGE, MADV_DONTFORK));
	IN_CHILD({
		CHECK(touch(map + PAGE, 1) == 0);
		CHECK(touch(map + 2 * PAGE, 0) == SIGSEGV);
	});
	OK(mlock(map, PAGE));
	OK(munlock(map, PAGE));
	OK(munmap(map, 4 * PAGE));
	FAILS(ENOMEM, mincore(map, PAGE, seen));
}

/* The mapping's file is written, be it open or not; who asks for nothing gets nothing but the checks. */
static void test_sync(void)
{
	int fd = OK(open("mm_sync", O_RDWR | O_CREAT | O_TRUNC, 0600));
	char *map;

	OK(unlink("mm_sync"));
	OK(ftruncate(fd, 2 * PAGE));
	map = OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
	OK(close(fd));
	map[0] = 1;
	OK(msync(map, 2 * PAGE, MS_SYNC));
	OK(msync(map, 2 * PAGE, MS_ASYNC | MS_INVALIDATE));
	OK(mlock(map, PAGE));
	FAILS(EBUSY, msync(map, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
	OK(msync(map, 2 * PAGE, MS_SYNC));
	OK(munmap(map + PAGE, PAGE));
	FAILS(ENOMEM, msync(map, 2 * PAGE, MS_SYNC));
	FAILS(ENOMEM, msync(map, 2 * PAGE, MS_ASYNC));
	OK(munmap(map, PAGE));
	map = OK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	OK(msync(map, PAGE, MS_SYNC));
	OK(munmap(map, PAGE));
}

static void test_file(void)
{
	int fd = OK(open("mm_file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	char *shared, *private, *grown, buf[4];

	OK(unlink("mm_file"));
	OK(ftruncate(fd, 2 * PAGE + 10));
	CHECK(pwrite(fd, "abc", 3, PAGE) == 3);
	shared = OK(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
	private = OK(mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, PAGE));
	CHECK(!memcmp(shared + PAGE, "abc", 3) && !memcmp(private, "abc", 3));
	private[0] = 'P';
	shared[PAGE + 1] = 'S';
	CHECK(pread(fd, buf, 3, PAGE) == 3 && !memcmp(buf, "aSc", 3) && private[0] == 'P');
	OK(msync(shared, 2 * PAGE, MS_SYNC));
	CHECK(shared[2 * PAGE + 100] == 0); /* the rest of the last page */
	CHECK(touch(shared + 3 * PAGE, 0) == SIGBUS);
	OK(ftruncate(fd, PAGE));
	CHECK(touch(shared + PAGE, 0) == SIGBUS);
	OK(ftruncate(fd, 4 * PAGE));
	CHECK(touch(shared + 3 * PAGE, 1) == 0 && shared[PAGE + 1] == 0);
	IN_CHILD(shared[5] = 'C');
	CHECK(shared[5] == 'C');
	grown = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	CHECK(grown[5] == 'C' && pwrite(fd, "far", 3, 2 * PAGE) == 3);
	grown = OK(mremap(grown, PAGE, 3 * PAGE, MREMAP_MAYMOVE));
	CHECK(grown[5] == 'C' && !memcmp(grown + 2 * PAGE, "far", 3));
	grown[2 * PAGE] = 'c';
	CHECK(pread(fd, buf, 3, 2 * PAGE) == 3 && !memcmp(buf, "car", 3));
	OK(munmap(grown, 3 * PAGE));
	close(fd); /* a mapping holds the file */
	CHECK(touch(shared, 1) == 0);
	fd = OK(open("/etc/passwd", O_RDONLY));
	FAILS(EACCES, mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	private = OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
	private[0] = '!';
	FAILS(EINVAL, mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 100));
	close(fd);
}

static void test_execute(void)
{
	static const unsigned char code_[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 }; /* mov $42,%eax; ret */
	char *map = OK(mmap(NULL, PAGE, RW, ANON, -1, 0));
	int (*function)(void);

	memcpy(map, code_, sizeof(code_));
	memcpy(&function, &map, sizeof(map));
	if (!sigsetjmp(out, 1)) {
		function();
		CHECK(!"executed a page without PROT_EXEC");
	}
	CHECK(code == SEGV_ACCERR);
	OK(mprotect(map, PAGE, PROT_READ | PROT_EXEC));
	CHECK(function() == 42);
	OK(mprotect(map, PAGE, RW | PROT_EXEC));
	map[1] = 43;
	CHECK(function() == 43);
}

static void test_bad_addresses(void)
{
	char *hole = OK(mmap(NULL, 2 * PAGE, RW, ANON, -1, 0));
	struct iovec iov[2] = { { hole, PAGE }, { hole + PAGE, PAGE } };
	int fd = OK(open("/dev/zero", O_RDWR)), pipes[2];

	OK(munmap(hole + PAGE, PAGE));
	FAILS(EFAULT, read(fd, hole + PAGE, 10));
	FAILS(EFAULT, read(fd, (void *)-4096, 10));
	FAILS(EFAULT, open((void *)8, O_RDONLY));
	FAILS(EFAULT, syscall(SYS_pipe, 16L));
	OK(pipe(pipes));
	FAILS(EFAULT, write(pipes[1], hole + PAGE, 1));
	CHECK(write(pipes[1], hole + PAGE - 10, 20) <= 10);
	CHECK(readv(fd, iov, 2) >= PAGE);
	OK(mprotect(hole, PAGE, PROT_READ));
	FAILS(EFAULT, read(fd, hole, 10));
}

static void test_many_maps(void)
{
	char *base = OK(mmap(NULL, 2000 * PAGE, RW, ANON, -1, 0));

	for (int i = 0; i < 2000; i += 2)
		OK(mprotect(base + i * PAGE, PAGE, PROT_READ));
	for (int i = 1; i < 2000; i += 2)
		base[i * PAGE] = 1;
	IN_CHILD(for (int i = 1; i < 2000; i += 2) CHECK(base[i * PAGE] == 1));
	OK(mprotect(base, 2000 * PAGE, RW));
	OK(munmap(base, 2000 * PAGE));
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	OK(sigaction(SIGSEGV, &sa, NULL));
	OK(sigaction(SIGBUS, &sa, NULL));
	test_sanitizer_layout();
	test_anonymous();
	test_placement();
	test_mremap();
	test_brk();
	test_advice();
	test_sync();
	test_file();
	test_execute();
	test_bad_addresses();
	test_many_maps();
	return 0;
}
