/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is executed often, so that a kernel which rewrites call sites may hand out text in which it has: what
 * the file says is what runs, also after it was changed or replaced, and parts of its text may be unmapped, moved and
 * protected. `text_copies show`: says whether it was executed with a site rewritten.
 */
#include "check.h"
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE 4096
#define RUNS 60
#define CALLS 6 /* in each */
#define REWRITTEN 100

/* The first function of a page: rbx + what the call answers. */
__asm__(".pushsection .text\n.balign 4096\n.type site, @function\nsite:\n"
	"push %rbx\nmov %edi, %ebx\nxor %esi, %esi\nlea 1(%rsi), %edx\nmov %edx, %ecx\nlea (%rcx), %r8d\nlea (%rcx), %r9d\n"
	"lea (%rcx), %r10d\nxor %edi, %edi\nlea (%rcx), %r8d\nlea (%rcx), %r9d\nsite_mov:\n"
	"mov $110, %eax\nsyscall\nadd %ebx, %eax\npop %rbx\nret\n.balign 4096\n.skip 100, 0x90\n.popsection");
long site(int);
extern const unsigned char site_mov[];

struct text {
	unsigned long start, len, off; /* in memory, of whole pages; in the file */
};

static int find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct text *t = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		unsigned long start = (info->dlpi_addr + p->p_vaddr) & ~(PAGE - 1UL);

		if (p->p_type != PT_LOAD || (unsigned long)site - start >= p->p_memsz)
			continue;
		t->start = start;
		t->len = (info->dlpi_addr + p->p_vaddr + p->p_filesz + PAGE - 1 - start) & ~(PAGE - 1UL);
		t->off = p->p_offset & ~(PAGE - 1UL);
	}
	return 1; /* the first one is the program */
}

static struct text own_text(void)
{
	struct text t = { 0 };

	dl_iterate_phdr(find_text, &t);
	CHECK(t.start && t.len >= 2 * PAGE);
	return t;
}

static int rewritten(const unsigned char *mov) { return *mov == 0xe9; }

static void calls_right(long (*call)(int), int expected)
{
	for (int i = 0; i < CALLS; i++)
		CHECK(call(i) == expected + i);
}

/* ---- in the copy of this program that is executed ---- */

/* The text once more, as a library would be mapped. */
static char *map_again(struct text *t, long (**call)(int))
{
	int fd = OK(open("/proc/self/exe", O_RDONLY));
	char *at = OK(mmap(NULL, t->len, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (long)t->off));

	CHECK(!close(fd));
	*call = (long (*)(int))(at + ((unsigned long)site - t->start));
	return at;
}

/* What is left of a mapping goes on working, wherever a kernel may have put what it needs. */
static void parts(int expected)
{
	struct text t = own_text();
	unsigned long last = t.len - PAGE;
	long (*call)(int);
	char *at = map_again(&t, &call);

	calls_right(call, expected);
	CHECK(!munmap(at + last, PAGE));
	calls_right(call, expected);

	at = map_again(&t, &call);
	CHECK(!mprotect(at + last, PAGE, PROT_NONE));
	calls_right(call, expected);

	at = map_again(&t, &call);
	OK(mmap(at + last, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	calls_right(call, expected);

	at = map_again(&t, &call);
	OK(mremap(at + last, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, OK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))));
	calls_right(call, expected);

	at = map_again(&t, &call);
	at = OK(mremap(at, t.len, t.len, MREMAP_MAYMOVE | MREMAP_FIXED, OK(mmap(NULL, t.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))));
	calls_right((long (*)(int))(at + ((unsigned long)site - t.start)), expected);

	map_again(&t, &call);
	CHECK(!madvise((void *)t.start, t.len, MADV_DONTNEED));
	calls_right(site, expected);
}

/* Who makes code writable changes that code, and no other. */
static void written(int expected)
{
	unsigned char *page = (unsigned char *)site, *mov = (unsigned char *)site_mov;

	CHECK(!mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	CHECK(mov[0] == 0xb8);
	mov[1] = SYS_gettid;
	CHECK(!mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	calls_right(site, getpid());
	CHECK(!mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	mov[1] = expected == getpid() ? SYS_getpid : SYS_getppid;
	CHECK(!mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	calls_right(site, expected);
}

static void same_as_file(void)
{
	struct text t = own_text();
	unsigned char there[8];
	int fd = OK(open("/proc/self/exe", O_RDONLY));

	CHECK(pread(fd, there, sizeof(there), (long)(t.off + (unsigned long)site_mov - t.start)) == sizeof(there));
	CHECK(there[0] == 0xb8 && there[5] == 0x0f && there[6] == 0x05);
}

static int child(const char *what, const char *how)
{
	int expected = strcmp(what, "getpid") ? getppid() : getpid(), ready = rewritten(site_mov), status;
	pid_t pid;

	calls_right(site, expected);
	same_as_file();
	if (strcmp(how, "odd"))
		return ready ? REWRITTEN : 0;
	pid = OK(fork());
	if (!pid)
		_exit(site(0) == (strcmp(what, "getpid") ? getppid() : getpid()) ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	parts(expected);
	written(expected);
	return ready ? REWRITTEN : 0;
}

/* ---- */

static int execute(const char *what, const char *how)
{
	pid_t pid = OK(fork());
	int status;

	if (!pid) {
		execl("prog", "prog", "child", what, how, NULL);
		_exit(99);
	}
	status = reap(pid);
	CHECK(status == 0 || status == REWRITTEN);
	return status;
}

/* Until it is executed with its site rewritten: at most so often. */
static int often(const char *what)
{
	int got = 0;

	for (int i = 0; i < RUNS && !got; i++)
		got = execute(what, "plain");
	return got;
}

static void copy_to(const char *name, int nr)
{
	static char buf[1 << 22];
	struct text t = own_text();
	int from = OK(open("/proc/self/exe", O_RDONLY)), to = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	long n, at = (long)(t.off + (unsigned long)site_mov - t.start) + 1;

	n = OK(read(from, buf, sizeof(buf)));
	CHECK(n > at && n < (long)sizeof(buf));
	buf[at] = (char)nr;
	CHECK(write(to, buf, (size_t)n) == n);
	CHECK(!close(from) && !close(to));
}

static void change(int nr)
{
	struct text t = own_text();
	int fd = OK(open("prog", O_WRONLY));
	char byte = (char)nr;

	CHECK(pwrite(fd, &byte, 1, (long)(t.off + (unsigned long)site_mov - t.start) + 1) == 1);
	CHECK(!close(fd));
}

int main(int argc, char **argv)
{
	struct timespec old_enough = { .tv_nsec = 50000000 };
	int ready;

	if (argc > 3 && !strcmp(argv[1], "child"))
		return child(argv[2], argv[3]);
	copy_to("prog", SYS_getppid);
	nanosleep(&old_enough, NULL); /* a file that has just changed may change again unseen */
	ready = often("getppid");
	execute("getppid", "odd");
	change(SYS_getpid);
	execute("getpid", "odd");
	nanosleep(&old_enough, NULL);
	often("getpid");
	execute("getpid", "odd");
	copy_to("new", SYS_getppid);
	OK(rename("new", "prog"));
	execute("getppid", "odd");
	often("getppid");
	CHECK(!unlink("prog"));
	if (argc > 1 && !strcmp(argv[1], "show"))
		printf("%s\n", ready == REWRITTEN ? "rewritten" : "as it is");
	return 0;
}
