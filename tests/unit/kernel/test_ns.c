/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces under sanitizers: references and numbers, also where things go wrong or end at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

#include "harness.h"
#include "pid_ns.h"
#include "user_ns.h"

#define EXITED(code) ((code) << 8)

static long write_file(const char *name, const char *text)
{
	long fd = sc(__NR_open, ustr(name), O_WRONLY), n;

	CHECK(fd >= 0);
	n = sc(__NR_write, fd, ustr(text), strlen(text));
	sc(__NR_close, fd);
	return n;
}

void stub_next_child(int (*fn)(void *arg), void *arg); /* of the stub machine */

static long clone_run(u64 flags, int (*fn)(void *arg), void *arg)
{
	stub_next_child(fn, arg);
	return sc(__NR_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int sleep_forever(void *arg)
{
	for (;;)
		sleep_ms(10000);
	return 0;
}

/* ---- user ---- */

static long write_of(long pid, const char *file, const char *text)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%ld/%s", pid, file);
	return write_file(name, text);
}

/* fn runs in a user namespace with these maps; its exit code. */
static int in_user_ns(const char *uids, const char *gids, int (*fn)(void *arg))
{
	long pid = clone_run(CLONE_NEWUSER, fn, NULL);

	CHECK(pid > 0);
	CHECK_EQ(write_of(pid, "gid_map", gids), (long)strlen(gids));
	CHECK_EQ(write_of(pid, "uid_map", uids), (long)strlen(uids));
	return wait_status(pid) >> 8;
}

static void await_map(void)
{
	EVENTUALLY(sc(__NR_getuid) != OVERFLOW_ID);
}

static int check_ids(void *arg)
{
	struct user_ns *u = current_user_ns();

	await_map();
	CHECK(u != &init_user_ns && user_ns_parent(u) == &init_user_ns && u->level == 1);
	CHECK_EQ(sc(__NR_getuid), 0);
	CHECK_EQ(sc(__NR_getgid), 5);
	CHECK_EQ(make_kuid(u, 9), 9);
	CHECK_EQ(make_kuid(u, 10), NO_ID);
	CHECK_EQ(make_kuid(u, 24), 104);
	CHECK_EQ(from_kuid(u, 102), 22);
	CHECK_EQ(from_kuid(u, 105), NO_ID);
	CHECK_EQ(make_kuid(u, NO_ID), NO_ID);
	CHECK_EQ(sc(__NR_setuid, 22), 0);
	CHECK_EQ(current->cred->uid, 102);
	CHECK_EQ(current->cred->cap_effective, 0);
	CHECK_EQ(sc(__NR_setuid, 25), -EINVAL);
	return 4;
}

VM_TEST(ids_are_mapped)
{
	CHECK_EQ(in_user_ns("0 0 10\n20 100 5", "5 0 1", check_ids), 4);
}

VM_TEST(maps_are_checked)
{
	static const char *const bad[] = {
		"\n", "0", "0 0", "0 0 0", "-1 0 1", "0 0 1 1", "0 0 1x", "x 0 1", "0 0 4294967296", "4294967295 0 1",
		"4294967290 0 10", "0 4294967290 10", "0 0 2\n1 5 1", "0 0 2\n5 1 1", "0 0 1\n\n",
	};
	static char many[ID_MAP_MAX * 16];
	long pid = clone_run(CLONE_NEWUSER, sleep_forever, NULL);
	size_t len = 0;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(write_of(pid, "uid_map", bad[i]), -EINVAL);
	for (u32 i = 0; i <= ID_MAP_MAX; i++)
		len += (size_t)snprintf(many + len, sizeof(many) - len, "%u %u 1\n", i, i);
	CHECK(len < 4096);
	CHECK_EQ(write_of(pid, "uid_map", many), -EINVAL);
	*strrchr(many, '\n') = '\0';
	*strrchr(many, '\n') = '\0';
	CHECK_EQ(write_of(pid, "uid_map", many), (long)strlen(many));
	CHECK_EQ(write_of(pid, "uid_map", "0 0 1"), -EPERM);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
}

/* A map of a namespace within one: each extent in one extent of the parent's. */
static int map_deeper(void *arg)
{
	long pid;

	await_map();
	pid = clone_run(CLONE_NEWUSER, sleep_forever, NULL);
	CHECK_EQ(write_of(pid, "uid_map", "0 5 10"), -EPERM); /* in two of them */
	CHECK_EQ(write_of(pid, "uid_map", "0 30 1"), -EPERM); /* in none */
	CHECK_EQ(write_of(pid, "uid_map", "7 12 3"), 6);
	CHECK_EQ(make_kuid(find_vtask((int)pid)->cred->user_ns, 8), 103);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(sc(__NR_unshare, CLONE_NEWUSER), 0);
	CHECK_EQ(write_file("/proc/self/uid_map", "7 12 3"), -EPERM); /* the parent's powers are gone */
	CHECK_EQ(write_file("/proc/self/uid_map", "7 0 1"), 5);
	CHECK_EQ(sc(__NR_getuid), 7);
	return 8;
}

VM_TEST(maps_of_maps)
{
	CHECK_EQ(in_user_ns("0 0 10\n10 100 10", "0 0 10", map_deeper), 8);
}

static int deeper(void *arg)
{
	return sc(__NR_unshare, CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP) == -ENOSPC;
}

static int to_the_ground(void *arg)
{
	int n = 0;

	while (!sc(__NR_unshare, CLONE_NEWUSER | CLONE_NEWUTS)) {
		if (!n)
			CHECK_EQ(write_file("/proc/self/setgroups", "deny"), 4);
		CHECK_EQ(write_file("/proc/self/uid_map", "0 0 1"), 5);
		CHECK_EQ(write_file("/proc/self/gid_map", "0 0 1"), 5);
		n++;
	}
	CHECK_EQ(wait_status(fork_run(deeper, NULL)), EXITED(1));
	return n;
}

VM_TEST(depth_and_references)
{
	u64 before = 0;

	for (int round = 0; round < 4; round++) {
		CHECK_EQ(wait_status(fork_run(to_the_ground, NULL)), EXITED(USER_NS_DEPTH + 1));
		if (!round)
			before = kheap_bytes();
	}
	/* Each is some hundred bytes: a hundred that stay would be seen. Who has exited gives up its own a moment later. */
	EVENTUALLY(kheap_bytes() < before + 8192);
}

/* ---- pid ---- */

static int tree(void *arg)
{
	long depth = (long)arg;

	CHECK(sc(__NR_getpid) > 1);
	if (depth) {
		fork_run(tree, (void *)(depth - 1));
		fork_run(tree, (void *)(depth - 1));
	}
	return sleep_forever(NULL);
}

static int plant_and_go(void *arg)
{
	CHECK_EQ(sc(__NR_getpid), 1);
	fork_run(tree, (void *)3);
	if ((long)arg & 1)
		sleep_ms(2);
	return 7;
}

VM_TEST(first_process_takes_all_along)
{
	u32 before = process_count();

	for (long round = 0; round < 10; round++) {
		CHECK_EQ(wait_status(clone_run(CLONE_NEWPID, plant_and_go, (void *)round)), EXITED(7));
		CHECK_EQ(process_count(), before);
	}
}

static int plant_and_stay(void *arg)
{
	fork_run(tree, (void *)2);
	CHECK_EQ(sc(__NR_kill, 1, SIGKILL), 0); /* to no effect from inside */
	return sleep_forever(NULL);
}

VM_TEST(killed_from_outside)
{
	long pid = clone_run(CLONE_NEWPID, plant_and_stay, NULL);

	sleep_ms(5);
	CHECK_EQ(sc(__NR_kill, pid, SIGTERM), 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(process_count(), 1);
}

/* Each level is the child of the one before, and tells by its exit code how many are below. */
static int one_deeper(void *arg)
{
	long child;

	CHECK_EQ(sc(__NR_getpid), 1);
	child = clone_run(CLONE_NEWPID, one_deeper, NULL);
	return child == -ENOSPC ? 1 : 1 + (wait_status(child) >> 8);
}

VM_TEST(pid_depth)
{
	CHECK_EQ(wait_status(clone_run(CLONE_NEWPID, one_deeper, NULL)), EXITED(PID_NS_DEPTH));
}

static int thread_in_ns(void *arg)
{
	CHECK_EQ(sc(__NR_gettid), 2);
	return 0;
}

static int own_number(void *arg)
{
	return (int)sc(__NR_getpid);
}

static int with_a_thread(void *arg)
{
	CHECK_EQ(thread_run(thread_in_ns, NULL), 2);
	EVENTUALLY(sc(__NR_tgkill, 1, 2, 0) == -ESRCH);
	CHECK_EQ(wait_status(fork_run(own_number, NULL)), EXITED(3));
	return 5;
}

VM_TEST(numbers_of_threads)
{
	CHECK_EQ(wait_status(clone_run(CLONE_NEWPID, with_a_thread, NULL)), EXITED(5));
}

static int lead_and_go(void *arg)
{
	sc(__NR_setsid);
	fork_run(sleep_forever, NULL);
	return 0;
}

static int group_without_leader(void *arg)
{
	CHECK_EQ(fork_run(lead_and_go, NULL), 2);
	CHECK_EQ(wait_status(2), EXITED(0));
	CHECK_EQ(sc(__NR_getpgid, 3), 2);
	CHECK_EQ(sc(__NR_getsid, 3), 2);
	CHECK_EQ(sc(__NR_kill, -2, SIGKILL), 0);
	CHECK_EQ(wait_status(3), SIGKILL);
	CHECK_EQ(sc(__NR_kill, -2, 0), -ESRCH);
	return 6;
}

/* Groups and sessions keep a number when its process is gone. */
VM_TEST(numbers_of_groups)
{
	CHECK_EQ(wait_status(clone_run(CLONE_NEWPID, group_without_leader, NULL)), EXITED(6));
}

static int unshare_pids(void *arg)
{
	CHECK_EQ(sc(__NR_unshare, CLONE_NEWPID), 0);
	CHECK_EQ(sc(__NR_unshare, CLONE_NEWPID), -EINVAL);
	CHECK_EQ(wait_status(fork_run(own_number, NULL)), EXITED(1));
	CHECK_EQ(fork_run(own_number, NULL), -ENOMEM);
	return 9;
}

VM_TEST(after_the_end)
{
	CHECK_EQ(wait_status(fork_run(unshare_pids, NULL)), EXITED(9));
}

/* ---- setns ---- */

static int enter(void *arg)
{
	CHECK_EQ(sc(__NR_setns, (long)arg, CLONE_NEWPID), 0);
	CHECK_EQ(wait_status(fork_run(own_number, NULL)), EXITED(2));
	CHECK_EQ(wait_status(fork_run(own_number, NULL)), EXITED(3));
	return 0;
}

VM_TEST(enter_by_file)
{
	long fd, pid = clone_run(CLONE_NEWPID | CLONE_NEWUTS, sleep_forever, NULL);
	char name[64];

	snprintf(name, sizeof(name), "/proc/%ld/ns/pid", pid);
	fd = sc(__NR_open, ustr(name), O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_setns, fd, CLONE_NEWUTS), -EINVAL);
	CHECK_EQ(sc(__NR_setns, 999, 0), -EBADF);
	CHECK_EQ(wait_status(fork_run(enter, (void *)fd)), EXITED(0));
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(wait_status(fork_run(unshare_pids, NULL)), EXITED(9));
	CHECK_EQ(sc(__NR_close, fd), 0);
}

/* ---- time ---- */

static u64 monotonic_seconds(void)
{
	uaddr_t ts = ualloc(16);

	CHECK_EQ(sc(__NR_clock_gettime, CLOCK_MONOTONIC, ts), 0);
	return peek64(ts);
}

static int in_times_of_its_own(void *arg)
{
	return monotonic_seconds() >= 1000000 && sc(__NR_unshare, CLONE_NEWTIME) == 0 &&
	       write_file("/proc/self/timens_offsets", "monotonic 0 0") == 13 && monotonic_seconds() >= 1000000;
}

static int make_times(void *arg)
{
	CHECK_EQ(sc(__NR_unshare, CLONE_NEWTIME), 0);
	CHECK_EQ(write_file("/proc/self/timens_offsets", "monotonic 1000000 0"), 19);
	CHECK(monotonic_seconds() < 1000000);
	CHECK_EQ(wait_status(fork_run(in_times_of_its_own, NULL)), EXITED(1));
	return write_file("/proc/self/timens_offsets", "monotonic 0 0") == -EACCES;
}

VM_TEST(times_and_references)
{
	u64 before = 0;

	for (int round = 0; round < 200; round++) {
		CHECK_EQ(wait_status(fork_run(make_times, NULL)), EXITED(1));
		if (round == 9)
			before = kheap_bytes();
	}
	CHECK(kheap_bytes() < before + 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_mapped),
		cmocka_unit_test(maps_are_checked),
		cmocka_unit_test(maps_of_maps),
		cmocka_unit_test(depth_and_references),
		cmocka_unit_test(first_process_takes_all_along),
		cmocka_unit_test(killed_from_outside),
		cmocka_unit_test(pid_depth),
		cmocka_unit_test(numbers_of_threads),
		cmocka_unit_test(numbers_of_groups),
		cmocka_unit_test(after_the_end),
		cmocka_unit_test(enter_by_file),
		cmocka_unit_test(times_and_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
