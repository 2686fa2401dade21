/* SPDX-License-Identifier: Apache-2.0 */
/* Core files (core(5)): who leaves one, what its notes say, and which memory is in it. */
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PAGE 4096

static char data[PAGE] = "written data";
static char *left_out, *shared;
static int *nowhere = (int *)24;

static void *wait_for_ever(void *arg)
{
	*(volatile int *)arg = 1;
	for (;;)
		pause();
	return arg;
}

static void limit(rlim_t soft)
{
	struct rlimit r = { soft, RLIM_INFINITY };

	getrlimit(RLIMIT_CORE, &r);
	CHECK(r.rlim_max == RLIM_INFINITY || r.rlim_max >= soft);
	r.rlim_cur = soft;
	OK(setrlimit(RLIMIT_CORE, &r));
}

static void set_filter(const char *text)
{
	int fd = OK(open("/proc/self/coredump_filter", O_WRONLY));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void crash(const char *filter)
{
	volatile int started = 0;
	pthread_t t;

	limit(64 << 20);
	set_filter(filter);
	OK(pthread_create(&t, NULL, wait_for_ever, (void *)&started));
	while (!started)
		pause_ms(1);
	strcpy(data, "changed data");
	**(volatile int *volatile *)&nowhere = 1;
	_exit(1);
}

/* The wait status of a child that does this. */
static int status_of(void (*run)(const char *), const char *arg)
{
	pid_t pid = OK(fork());
	int status;

	if (!pid) {
		run(arg);
		_exit(1);
	}
	CHECK(OK(waitpid(pid, &status, 0)) == pid);
	return status;
}

/* ---- reading it ---- */

struct core {
	char *map;
	size_t size;
	const Elf64_Ehdr *h;
	const Elf64_Phdr *p;
};

static struct core load(void)
{
	struct core c;
	struct stat st;
	int fd = OK(open("core", O_RDONLY));

	OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_size > PAGE);
	c.size = (size_t)st.st_size;
	c.map = mmap(NULL, c.size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(c.map != MAP_FAILED);
	close(fd);
	c.h = (const Elf64_Ehdr *)c.map;
	c.p = (const Elf64_Phdr *)(c.map + c.h->e_phoff);
	CHECK(!memcmp(c.h->e_ident, ELFMAG, SELFMAG) && c.h->e_type == ET_CORE && c.h->e_machine == EM_X86_64);
	return c;
}

/* Notes of a type; *first: the first one's contents. */
static int notes(const struct core *c, unsigned type, const char **first, size_t *size)
{
	const char *at = c->map + c->p[0].p_offset, *end = at + c->p[0].p_filesz;
	int n = 0;

	CHECK(c->p[0].p_type == PT_NOTE);
	while (at < end) {
		const Elf64_Nhdr *h = (const Elf64_Nhdr *)at;
		const char *text = at + sizeof(*h) + ((h->n_namesz + 3) & ~3u);

		if (h->n_type == type && !n++) {
			*first = text;
			*size = h->n_descsz;
		}
		at = text + ((h->n_descsz + 3) & ~3u);
	}
	CHECK(at == end);
	return n;
}

/* What the core file has of an address; NULL: nothing. */
static const char *memory(const struct core *c, const void *addr)
{
	for (int i = 1; i < c->h->e_phnum; i++) {
		const Elf64_Phdr *p = &c->p[i];
		size_t off = (size_t)addr - p->p_vaddr;

		CHECK(p->p_type == PT_LOAD && p->p_offset + p->p_filesz <= c->size);
		if ((size_t)addr >= p->p_vaddr && off < p->p_filesz)
			return c->map + p->p_offset + off;
	}
	return NULL;
}

static void check_notes(const struct core *c)
{
	const char *text;
	size_t size;
	siginfo_t *info;

	CHECK(notes(c, NT_PRSTATUS, &text, &size) == 2 && size == sizeof(struct elf_prstatus));
	CHECK(((struct elf_prstatus *)text)->pr_cursig == SIGSEGV);
	CHECK(notes(c, NT_FPREGSET, &text, &size) == 2 && size == 512);
	CHECK(notes(c, NT_PRPSINFO, &text, &size) == 1 && size == sizeof(struct elf_prpsinfo));
	CHECK(!strncmp(((struct elf_prpsinfo *)text)->pr_fname, "core_file", 9));
	CHECK(notes(c, NT_SIGINFO, &text, &size) == 1 && size == sizeof(siginfo_t));
	info = (siginfo_t *)text;
	CHECK(info->si_signo == SIGSEGV && info->si_code == SEGV_MAPERR && info->si_addr == (void *)24);
	CHECK(notes(c, NT_AUXV, &text, &size) == 1 && size % 16 == 0);
	CHECK(notes(c, NT_FILE, &text, &size) == 1 && ((long *)text)[1] == PAGE && ((long *)text)[0] >= 3);
}

static void check_memory(const struct core *c, int with_shared)
{
	const char *text = memory(c, data);

	CHECK(text && !strcmp(text, "changed data"));
	CHECK(!memory(c, left_out));
	text = memory(c, shared);
	CHECK(with_shared ? text && !strcmp(text, "shared") : !text);
	CHECK(memory(c, &c)); /* its stack was where ours is */
}

static void dumped(const char *filter, int with_shared)
{
	int status = status_of(crash, filter);
	struct core c;

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	c = load();
	check_notes(&c);
	check_memory(&c, with_shared);
	munmap(c.map, c.size);
	OK(unlink("core"));
}

/* ---- who leaves none ---- */

static void kill_by(const char *text)
{
	limit(64 << 20);
	if (!strcmp(text, "term"))
		raise(SIGTERM);
	if (!strcmp(text, "undumpable"))
		OK(prctl(PR_SET_DUMPABLE, 0));
	if (!strcmp(text, "limit"))
		limit(0);
	abort();
}

static void not_dumped(const char *text, int sig)
{
	int status = status_of(kill_by, text);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == sig && !WCOREDUMP(status));
	FAILS(ENOENT, access("core", F_OK));
}

/* Elsewhere a core file may go to a program, or bear another name. */
static int plain_pattern(void)
{
	char text[128] = "";
	int fd = OK(open("/proc/sys/kernel/core_pattern", O_RDONLY));

	OK(read(fd, text, sizeof(text) - 1));
	close(fd);
	fd = OK(open("/proc/sys/kernel/core_uses_pid", O_RDONLY));
	OK(read(fd, text + 100, 1));
	close(fd);
	return !strcmp(text, "core\n") && text[100] == '0';
}

int main(void)
{
	char place[] = "core-test-XXXXXX";

	if (!plain_pattern())
		return 0;
	CHECK(mkdtemp(place));
	OK(chdir(place));
	left_out = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(left_out != MAP_FAILED && shared != MAP_FAILED);
	strcpy(left_out, "secret");
	strcpy(shared, "shared");
	OK(madvise(left_out, PAGE, MADV_DONTDUMP));
	dumped("0x33", 1);
	dumped("0x31", 0);
	not_dumped("term", SIGTERM);
	not_dumped("undumpable", SIGABRT);
	not_dumped("limit", SIGABRT);
	OK(chdir(".."));
	OK(rmdir(place));
	return 0;
}
