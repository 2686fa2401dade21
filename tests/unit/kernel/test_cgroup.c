/* SPDX-License-Identifier: Apache-2.0 */
/* Files of cgroups made inside: what is written to them, word by word, and what they say then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/fcntl.h>
#include <linux/sched.h>

#include "harness.h"

#define TOP "/tmp/cg"
#define ROOM 4096

/* A hierarchy at TOP with the cgroup x, which has all controllers, and y in it, which has none. */
static void make_tree(void)
{
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP), 0755), 0);
	CHECK_EQ(sc(__NR_mount, ustr("none"), ustr(TOP), ustr("cgroup2"), 0, 0), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP "/x"), 0755), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP "/x/y"), 0755), 0);
}

/* What write(2) returns for all of it. */
static long put_bytes(const char *file, const void *text, size_t len)
{
	long fd = sc(__NR_open, ustr(file), O_WRONLY, 0), n;

	if (fd < 0)
		return fd;
	n = sc(__NR_write, fd, uput(text, len), len);
	CHECK_EQ(sc(__NR_close, fd), 0);
	return n;
}

static long put(const char *file, const char *text)
{
	long n = put_bytes(file, text, strlen(text));

	CHECK(n < 0 || n == (long)strlen(text));
	return n < 0 ? n : 0;
}

static bool says(const char *file, const char *text)
{
	static char got[ROOM];
	uaddr_t room = ualloc(ROOM);
	long fd = sc(__NR_open, ustr(file), O_RDONLY, 0), n;

	CHECK(fd >= 0);
	n = sc(__NR_read, fd, room, ROOM - 1);
	CHECK(n >= 0 && n < ROOM);
	peek(room, got, (size_t)n);
	got[n] = '\0';
	CHECK_EQ(sc(__NR_close, fd), 0);
	if (strcmp(got, text))
		check_failed(__FILE__, __LINE__, got, 0, 1);
	return true;
}

struct attempt {
	const char *text;
	long result;
	const char *then; /* NULL: as before */
};

static void try_all(const char *file, const char *before, const struct attempt *v, size_t n)
{
	CHECK(says(file, before));
	for (size_t i = 0; i < n; i++) {
		long r = put(file, v[i].text);

		if (r != v[i].result)
			check_failed(file, (int)i, v[i].text, r, v[i].result);
		before = v[i].then ? v[i].then : before;
		CHECK(says(file, before));
	}
}

VM_TEST(limits)
{
	static const struct attempt numbers[] = {
		{ "5", 0, "5\n" },	 { " 7 \n", 0, "7\n" },	      { "max\n", 0, "max\n" },	 { "\t\n max ", 0, "max\n" },
		{ "0", 0, "0\n" },	 { "0x10", 0, "16\n" },	      { "010", 0, "8\n" },	 { "2147483647", 0, "2147483647\n" },
		{ "2147483648", -ERANGE, NULL }, { "-1", -ERANGE, NULL },	      { "18446744073709551616", -EINVAL, NULL },
		{ "maximum", -EINVAL, NULL },	 { "ma", -EINVAL, NULL },	      { "1 2", -EINVAL, NULL },	 { "1x", -EINVAL, NULL },
		{ "x", -EINVAL, NULL },	 { "\n", -EINVAL, NULL },	      { "+1", -EINVAL, NULL },	 { "0x", -EINVAL, NULL },
	};

	make_tree();
	try_all(TOP "/x/cgroup.max.depth", "max\n", numbers, ARRAY_SIZE(numbers));
	try_all(TOP "/cgroup.max.descendants", "max\n", numbers, ARRAY_SIZE(numbers));
}

/* They hold. */
VM_TEST(limits_hold)
{
	make_tree();
	CHECK_EQ(put(TOP "/x/cgroup.max.depth", "1"), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP "/x/y/z"), 0755), -EAGAIN);
	CHECK_EQ(put(TOP "/x/cgroup.max.depth", "2"), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP "/x/y/z"), 0755), 0);
	CHECK_EQ(put(TOP "/x/cgroup.max.descendants", "2"), 0);
	CHECK_EQ(sc(__NR_mkdir, ustr(TOP "/x/more"), 0755), -EAGAIN);
	CHECK(says(TOP "/x/cgroup.stat", "nr_descendants 2\nnr_dying_descendants 0\n"));
}

VM_TEST(controllers)
{
	static const struct attempt words[] = {
		{ "+cpu", 0, "cpu\n" },
		{ "+memory  +pids\n", 0, "cpu memory pids\n" },
		{ "-cpu +cpu", 0, NULL },
		{ "+cpu -cpu\t", 0, "memory pids\n" },
		{ "-memory -pids", 0, "" },
		{ " \n", 0, NULL },
		{ "cpu", -EINVAL, NULL },
		{ "+", -EINVAL, NULL },
		{ "-", -EINVAL, NULL },
		{ "+cp", -EINVAL, NULL },
		{ "+cpus", -EINVAL, NULL },
		{ "++cpu", -EINVAL, NULL },
		{ "+cpu,+pids", -EINVAL, NULL },
		{ "+cpu +nothing", -EINVAL, NULL },
		{ "+CPU", -EINVAL, NULL },
	};

	make_tree();
	CHECK_EQ(put(TOP "/x/cgroup.subtree_control", "+cpu"), -ENOENT); /* it has none itself */
	CHECK(says(TOP "/cgroup.controllers", "cpu memory pids\n"));
	/* the processes of the top must be in a child of it first */
	CHECK_EQ(put(TOP "/cgroup.subtree_control", "+cpu"), -EBUSY);
	CHECK_EQ(put(TOP "/x/y/cgroup.procs", "0"), 0);
	CHECK_EQ(put(TOP "/cgroup.subtree_control", "+cpu +memory +pids"), 0);
	try_all(TOP "/x/cgroup.subtree_control", "", words, ARRAY_SIZE(words));
	CHECK_EQ(put(TOP "/x/cgroup.subtree_control", "+pids"), 0);
	CHECK_EQ(put(TOP "/cgroup.subtree_control", "-pids"), -EBUSY); /* a child's children have it */
	CHECK(says(TOP "/x/y/cgroup.controllers", "pids\n"));
}

VM_TEST(resources)
{
	static const struct attempt pids[] = {
		{ "12", 0, "12\n" }, { "max", 0, "max\n" }, { "-1", -EINVAL, NULL }, { "2147483648", -EINVAL, NULL }, { "", -EINVAL, NULL },
	};
	static const struct attempt weight[] = {
		{ "1", 0, "1\n" },    { "10000\n", 0, "10000\n" }, { "0", -ERANGE, NULL }, { "10001", -ERANGE, NULL },
		{ "max", -EINVAL, NULL },   { "5 ", -EINVAL, NULL },
	};
	static const struct attempt memory[] = { { "max\n", 0, NULL }, { "1000000", -EOPNOTSUPP, NULL }, { "x", -EOPNOTSUPP, NULL } };

	make_tree();
	CHECK_EQ(put(TOP "/x/cgroup.procs", "0"), 0);
	CHECK_EQ(put(TOP "/cgroup.subtree_control", "+cpu +memory +pids"), 0);
	try_all(TOP "/x/pids.max", "max\n", pids, ARRAY_SIZE(pids));
	try_all(TOP "/x/cpu.weight", "100\n", weight, ARRAY_SIZE(weight));
	try_all(TOP "/x/memory.max", "max\n", memory, ARRAY_SIZE(memory));
	CHECK_EQ(put(TOP "/x/cpu.max", "max 100000"), 0);
	CHECK_EQ(put(TOP "/x/cpu.max", "50000 100000"), -EOPNOTSUPP);
	CHECK_EQ(put(TOP "/x/pids.max", "1"), 0);
	CHECK_EQ(sc(__NR_fork), -EAGAIN);
	CHECK(says(TOP "/x/pids.events", "max 1\n"));
}

VM_TEST(members)
{
	static const char *const wrong[] = { "-1", "1x", "0x1", "1 1", "\n", "2147483648", "99999999999999999999" };

	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_EQ(put(TOP "/x/cgroup.procs", wrong[i]), -EINVAL);
	CHECK_EQ(put(TOP "/x/cgroup.procs", "4000"), -ESRCH);
	CHECK_EQ(put(TOP "/x/cgroup.procs", " 1\n"), 0);
	CHECK(says(TOP "/x/cgroup.procs", "1\n"));
	CHECK(says(TOP "/cgroup.procs", ""));
	CHECK_EQ(put(TOP "/x/cgroup.threads", "1"), 0);
	CHECK_EQ(put(TOP "/x/y/cgroup.threads", "1"), -EOPNOTSUPP);
	CHECK_EQ(put(TOP "/x/cgroup.kill", "0"), -ERANGE);
	CHECK_EQ(put(TOP "/x/cgroup.kill", "one"), -EINVAL);
	CHECK_EQ(put(TOP "/cgroup.freeze", "1"), -EOPNOTSUPP);
	CHECK_EQ(put(TOP "/x/cgroup.freeze", "2"), -ERANGE);
	CHECK_EQ(put(TOP "/x/cgroup.freeze", "x"), -EINVAL);
	CHECK_EQ(put(TOP "/x/cgroup.type", "threaded"), -EOPNOTSUPP);
	CHECK_EQ(put(TOP "/x/cgroup.type", "domain"), -EINVAL);
}

/* No text: NULs, bytes above 127, more than a file takes. */
VM_TEST(no_texts)
{
	static const char *const files[] = { TOP "/x/cgroup.procs", TOP "/x/cgroup.max.depth",
						    TOP "/x/cgroup.subtree_control", TOP "/x/cgroup.kill" };
	static char many[3 * ROOM];

	make_tree();
	memset(many, ' ', sizeof(many));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CHECK(put_bytes(files[i], "\0+cpu", 5) != 0);
		CHECK(put_bytes(files[i], "\xff\x80", 2) < 0);
		put_bytes(files[i], many, sizeof(many));
	}
	CHECK(says(TOP "/x/cgroup.max.depth", "max\n"));
	CHECK(says(TOP "/x/cgroup.subtree_control", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),    cmocka_unit_test(limits_hold), cmocka_unit_test(controllers),
		cmocka_unit_test(resources), cmocka_unit_test(members),	    cmocka_unit_test(no_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
