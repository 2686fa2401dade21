/* SPDX-License-Identifier: Apache-2.0 */
/* Generated files: every one of them can be read, whole and in pieces, while processes come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "harness.h"
#include "seq.h"

#define CWD ((u64)(s64)AT_FDCWD)
#define ROOM 65536

struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

enum { TYPE_DIR = 4, TYPE_FILE = 8, TYPE_LINK = 10 };

static long open_file(const char *path, u32 flags)
{
	return sc(__NR_openat, CWD, ustr(path), flags, 0);
}

/* The text of a file, read `piece` bytes at a time; -errno, or its length. */
static long slurp(const char *path, char *text, size_t room, size_t piece)
{
	static uaddr_t buf;
	long fd = open_file(path, O_RDONLY), n;
	size_t len = 0;

	if (!buf)
		buf = ualloc(ROOM);
	if (fd < 0)
		return fd;
	while ((n = sc(__NR_read, fd, buf, piece)) > 0 && len + (size_t)n < room) {
		peek(buf, text + len, (size_t)n);
		len += (size_t)n;
	}
	text[len] = '\0';
	sc(__NR_close, fd);
	return n < 0 ? n : (long)len;
}

static bool has(const char *path, const char *what)
{
	static char text[ROOM];

	return slurp(path, text, sizeof(text), 4096) >= 0 && strstr(text, what);
}

static void visit_tree(const char *dir, int depth);

static void visit(const char *dir, const struct dirent64 *d, int depth)
{
	static char text[4 * ROOM];
	char path[512];
	uaddr_t target;
	long n;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, d->name);
	if (d->type == TYPE_DIR) {
		visit_tree(path, depth + 1);
		return;
	}
	if (d->type == TYPE_LINK) {
		target = ualloc(4096);
		n = sc(__NR_readlink, ustr(path), target, 4096);
		if (n <= 0 && n != -ENOENT && n != -ESRCH)
			check_failed(path, 0, "can be read", n, 1);
		return;
	}
	CHECK_EQ(d->type, TYPE_FILE);
	n = slurp(path, text, sizeof(text), 4096);
	/* Labels, without a security module; mounts of a process that has gone. */
	if (n == -EINVAL && (strstr(path, "/attr/") || strstr(path, "/mount")))
		return;
	/* Memory at address 0; files of network namespaces that the host lacks. */
	if (n < 0 && n != -EIO && n != -ENOENT && n != -ESRCH && n != -EPERM)
		check_failed(path, 0, "can be read", n, 0);
}

static void visit_tree(const char *dir, int depth)
{
	char *buf = kmalloc(ROOM);
	uaddr_t ubuf = ualloc(4096);
	long fd = open_file(dir, O_RDONLY | O_DIRECTORY), n = 0;

	if (fd == -ENOENT || fd == -ESRCH) { /* a process that has gone */
		kfree(buf);
		return;
	}
	CHECK(fd >= 0 && depth < 12);
	while ((n = sc(__NR_getdents64, fd, ubuf, 1024)) > 0) {
		peek(ubuf, buf, (size_t)n);
		for (long at = 0; at < n; at += ((struct dirent64 *)(buf + at))->reclen)
			visit(dir, (struct dirent64 *)(buf + at), depth);
	}
	CHECK(n == 0 || n == -ENOENT);
	sc(__NR_close, fd);
	kfree(buf);
}

VM_TEST(every_file_can_be_read)
{
	visit_tree("/proc", 0);
}

static int come_and_go(void *arg)
{
	return 0;
}

static int churn(void *arg)
{
	for (int i = 0; i < 100; i++)
		wait_status(fork_run(come_and_go, NULL));
	return 0;
}

VM_TEST(files_of_processes_that_go)
{
	long pid = fork_run(churn, NULL);

	for (int i = 0; i < 3; i++)
		visit_tree("/proc", 0);
	CHECK_EQ(wait_status(pid), 0);
}

VM_TEST(text_is_made_anew_from_the_start)
{
	uaddr_t buf = ualloc(4096);
	long fd = open_file("/proc/sys/kernel/random/uuid", O_RDONLY);
	char one[64] = "", two[64] = "";

	CHECK_EQ(sc(__NR_read, fd, buf, 64), 37);
	peek(buf, one, 37);
	CHECK_EQ(sc(__NR_read, fd, buf, 64), 0);
	CHECK_EQ(sc(__NR_pread64, fd, buf, 10, 20), 10); /* the same text: no new one is made */
	CHECK(ueq(buf, (one[30] = '\0', one + 20)));
	CHECK_EQ(sc(__NR_lseek, fd, 0, SEEK_SET), 0);
	CHECK_EQ(sc(__NR_read, fd, buf, 64), 37);
	peek(buf, two, 37);
	CHECK(strncmp(one, two, 30) && one[14] == '4' && two[14] == '4');
	CHECK_EQ(sc(__NR_lseek, fd, -1, SEEK_SET), -EINVAL);
}

VM_TEST(pieces_make_the_whole)
{
	static char whole[ROOM], pieces[ROOM];

	CHECK(slurp("/proc/self/limits", whole, sizeof(whole), 4096) > 500);
	CHECK(slurp("/proc/self/limits", pieces, sizeof(pieces), 7) > 500);
	CHECK(!strcmp(whole, pieces));
}

static int child_of_two(void *arg)
{
	CHECK(has("/proc/self/status", "\nPid:\t2\n") && has("/proc/self/status", "\nPPid:\t1\n"));
	CHECK(has("/proc/self/stat", "2 (") && has("/proc/1/status", "\nPid:\t1\n"));
	sc(__NR_prctl, 15 /* PR_SET_NAME */, ustr("a) name"));
	CHECK(has("/proc/self/stat", "2 (a) name) R 1 "));
	CHECK(has("/proc/2/comm", "a) name\n"));
	return 0;
}

VM_TEST(processes_have_their_own)
{
	CHECK_EQ(wait_status(fork_run(child_of_two, NULL)), 0);
	CHECK_EQ(open_file("/proc/2/stat", O_RDONLY), -ENOENT);
	CHECK_EQ(open_file("/proc/02/stat", O_RDONLY), -ENOENT);
	CHECK_EQ(open_file("/proc/1x", O_RDONLY), -ENOENT);
}

static int end(void *arg)
{
	return 3;
}

VM_TEST(zombies_are_shown)
{
	long pid = fork_run(end, NULL);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	EVENTUALLY(has(path, ") Z 1 "));
	snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	CHECK_EQ(slurp(path, (char[16]){ 0 }, 16, 8), 0);
	CHECK_EQ(wait_status(pid), 3 << 8);
	CHECK_EQ(open_file(path, O_RDONLY), -ENOENT);
}

VM_TEST(an_old_directory_of_a_reused_pid_is_empty)
{
	long pid = fork_run(end, NULL);
	char path[64];
	long dir;

	snprintf(path, sizeof(path), "/proc/%ld", pid);
	dir = open_file(path, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	wait_status(pid);
	CHECK_EQ(sc(__NR_openat, dir, ustr("stat"), O_RDONLY, 0), -ENOENT);
	CHECK_EQ(sc(__NR_getdents64, dir, ualloc(4096), 4096), -ENOENT);
}

VM_TEST(descriptors_are_links)
{
	uaddr_t text = ualloc(4096), fds = ualloc(8);
	int pipe[2];
	char path[64];
	long again;

	CHECK_EQ(sc(__NR_pipe2, fds, 0), 0);
	peek(fds, pipe, sizeof(pipe));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe[0]);
	CHECK(sc(__NR_readlink, ustr(path), text, 4096) > 7 && ueq(text, "pipe:["));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe[1]);
	again = open_file(path, O_WRONLY);
	CHECK(again > pipe[1]);
	CHECK_EQ(sc(__NR_write, again, ustr("x"), 1), 1);
	CHECK_EQ(sc(__NR_read, pipe[0], text, 10), 1);
	CHECK_EQ(open_file("/proc/self/fd/999", O_RDONLY), -ENOENT);
}

VM_TEST(values_that_can_be_set)
{
	long fd = open_file("/proc/sys/vm/overcommit_memory", O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_write, fd, ustr("1\n"), 2), 2);
	CHECK_EQ(sc(__NR_write, fd, ustr("3\n"), 2), -EINVAL);
	CHECK_EQ(sc(__NR_write, fd, ustr("x"), 1), -EINVAL);
	CHECK(has("/proc/sys/vm/overcommit_memory", "1\n"));
	CHECK_EQ(open_file("/proc/version", O_WRONLY), -EACCES);
	fd = open_file("/proc/self/comm", O_WRONLY);
	CHECK_EQ(sc(__NR_write, fd, ustr("a very long name for it\n"), 24), 24);
	CHECK(has("/proc/self/comm", "a very long nam\n"));
}

VM_TEST(memory_is_a_file)
{
	uaddr_t buf = ualloc(4096), there = ustr("here I am");
	long fd = open_file("/proc/self/mem", O_RDWR);

	CHECK_EQ(sc(__NR_pread64, fd, buf, 9, there), 9);
	CHECK(ueq(buf, "here I am"));
	CHECK_EQ(sc(__NR_pread64, fd, buf, 9, 0), -EIO);
}

/* ---- the buffer ---- */

static void seq_grows(void **state)
{
	struct seq m = { 0 };

	for (int i = 0; i < 1000; i++)
		seq_printf(&m, "%d,", i);
	assert_int_equal(m.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_false(m.failed);
	assert_memory_equal(m.buf + m.len - 4, "999,", 4);
	seq_free(&m);
	assert_null(m.buf);
}

static void seq_escapes(void **state)
{
	struct seq m = { 0 };

	seq_escape(&m, "a b\\c\n", " \n");
	seq_putc(&m, '\0');
	assert_string_equal(m.buf, "a\\040b\\134c\\012");
	m.len = 0;
	seq_puts(&m, "x");
	seq_pad(&m, 0, 5);
	seq_putc(&m, '\0');
	assert_string_equal(m.buf, "x    ");
	seq_free(&m);
}

VM_TEST(text_buffer)
{
	seq_grows(NULL);
	seq_escapes(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_can_be_read),
		cmocka_unit_test(files_of_processes_that_go),
		cmocka_unit_test(text_is_made_anew_from_the_start),
		cmocka_unit_test(pieces_make_the_whole),
		cmocka_unit_test(processes_have_their_own),
		cmocka_unit_test(zombies_are_shown),
		cmocka_unit_test(an_old_directory_of_a_reused_pid_is_empty),
		cmocka_unit_test(descriptors_are_links),
		cmocka_unit_test(values_that_can_be_set),
		cmocka_unit_test(memory_is_a_file),
		cmocka_unit_test(text_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
