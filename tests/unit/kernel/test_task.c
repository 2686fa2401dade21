/* SPDX-License-Identifier: Apache-2.0 */
/* fork, exit, wait: the life of processes and threads, and its races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "harness.h"
#include "task.h"

#define EXITED(code) ((code) << 8)

static int exit_with(void *arg)
{
	return (int)(long)arg;
}

static int sleep_forever(void *arg)
{
	for (;;)
		sleep_ms(10000);
	return 0;
}

/* ---- waiting ---- */

VM_TEST(wait_for_child)
{
	long pid = fork_run(exit_with, (void *)42);

	CHECK(pid > 1);
	CHECK_EQ(wait_status(pid), EXITED(42));
	CHECK_EQ(sc(__NR_wait4, pid, 0, 0, 0), -ECHILD);
	CHECK_EQ(sc(__NR_wait4, -1, 0, 0, 0), -ECHILD);
	CHECK_EQ(sc(__NR_wait4, -1, 0, 0x100, 0), -EINVAL);
	CHECK_EQ(process_count(), 1);
}

VM_TEST(wait_killed)
{
	long pid = fork_run(sleep_forever, NULL);

	CHECK_EQ(sc(__NR_wait4, pid, 0, WNOHANG, 0), 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGTERM), 0);
	CHECK_EQ(wait_status(pid), SIGTERM);
	CHECK_EQ(sc(__NR_kill, pid, 0), -ESRCH);
}

VM_TEST(wait_any_order)
{
	long seen[3] = {0}, pids[3];

	for (long i = 0; i < 3; i++)
		pids[i] = fork_run(exit_with, (void *)i);
	for (int n = 0; n < 3; n++) {
		uaddr_t status = ualloc(4);
		long pid = sc(__NR_wait4, -1, status, 0, 0);
		u32 code = peek32(status) >> 8;

		CHECK(code < 3 && pid == pids[code] && !seen[code]);
		seen[code] = 1;
	}
}

VM_TEST(waitid_keeps)
{
	long pid = fork_run(exit_with, (void *)7);
	uaddr_t info = ualloc(sizeof(siginfo_t));

	CHECK_EQ(sc(__NR_waitid, P_PID, pid, info, WEXITED | WNOWAIT, 0), 0);
	CHECK_EQ(peek32(info), SIGCHLD);
	CHECK_EQ(peek32(info + 8), 1); /* CLD_EXITED */
	CHECK_EQ(sc(__NR_waitid, P_PID, pid, info, WEXITED, 0), 0);
	CHECK_EQ(sc(__NR_waitid, P_PID, pid, info, WEXITED, 0), -ECHILD);
	CHECK_EQ(sc(__NR_waitid, P_ALL, 0, info, 0, 0), -EINVAL);
}

VM_TEST(wait_stopped)
{
	long pid = fork_run(sleep_forever, NULL);
	uaddr_t status = ualloc(4);

	CHECK_EQ(sc(__NR_kill, pid, SIGSTOP), 0);
	CHECK_EQ(sc(__NR_wait4, pid, status, WUNTRACED, 0), pid);
	CHECK_EQ(peek32(status), SIGSTOP << 8 | 0x7f);
	CHECK_EQ(sc(__NR_wait4, pid, status, WUNTRACED | WNOHANG, 0), 0); /* reported once */
	CHECK_EQ(sc(__NR_kill, pid, SIGCONT), 0);
	CHECK_EQ(sc(__NR_wait4, pid, status, WCONTINUED, 0), pid);
	CHECK_EQ(peek32(status), 0xffff);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
	CHECK_EQ(wait_status(pid), SIGKILL);
}

VM_TEST(ignored_children)
{
	struct ksigaction ignore = {.handler = 1};
	long pid;

	CHECK_EQ(sc(__NR_rt_sigaction, SIGCHLD, uput(&ignore, sizeof(ignore)), 0, 8), 0);
	pid = fork_run(exit_with, NULL);
	CHECK_EQ(sc(__NR_wait4, pid, 0, 0, 0), -ECHILD); /* waits, then finds nothing */
	CHECK_EQ(process_count(), 1);
}

/* ---- orphans ---- */

static int grandchild_lives(void *arg)
{
	sleep_ms(30);
	return 9;
}

static int leave_orphan(void *arg)
{
	return fork_run(grandchild_lives, NULL) > 0 ? 0 : 1;
}

VM_TEST(orphans_go_to_init)
{
	uaddr_t status = ualloc(4);

	CHECK_EQ(wait_status(fork_run(leave_orphan, NULL)), 0);
	CHECK(sc(__NR_wait4, -1, status, 0, 0) > 0);
	CHECK_EQ(peek32(status), EXITED(9));
	CHECK_EQ(process_count(), 1);
}

static int subreaper(void *arg)
{
	uaddr_t status = ualloc(4);

	CHECK_EQ(sc(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(wait_status(fork_run(leave_orphan, NULL)), 0);
	CHECK(sc(__NR_wait4, -1, status, 0, 0) > 0);
	CHECK_EQ(peek32(status), EXITED(9));
	return 3;
}

VM_TEST(orphans_go_to_subreaper)
{
	CHECK_EQ(wait_status(fork_run(subreaper, NULL)), EXITED(3));
	CHECK_EQ(sc(__NR_wait4, -1, 0, 0, 0), -ECHILD);
}

/* ---- process groups ---- */

static int group_leader(void *arg)
{
	CHECK_EQ(sc(__NR_setpgid, 0, 0), 0);
	CHECK_EQ(sc(__NR_getpgid, 0), sc(__NR_getpid));
	return sleep_forever(NULL);
}

VM_TEST(groups)
{
	long pid = fork_run(group_leader, NULL), other = fork_run(sleep_forever, NULL);

	EVENTUALLY(sc(__NR_getpgid, pid) == pid);
	CHECK_EQ(sc(__NR_setpgid, other, pid), 0);
	CHECK_EQ(sc(__NR_setpgid, other, 12345), -EPERM);
	CHECK_EQ(sc(__NR_kill, -pid, SIGTERM), 0);
	CHECK_EQ(wait_status(pid), SIGTERM);
	CHECK_EQ(wait_status(other), SIGTERM);
	CHECK_EQ(sc(__NR_kill, -pid, 0), -ESRCH);
}

static int new_session(void *arg)
{
	long pid = sc(__NR_getpid);

	CHECK_EQ(sc(__NR_setsid), pid);
	CHECK_EQ(sc(__NR_getsid, 0), pid);
	CHECK_EQ(sc(__NR_setsid), -EPERM);
	return 0;
}

VM_TEST(sessions)
{
	CHECK_EQ(wait_status(fork_run(new_session, NULL)), 0);
}

/* ---- threads ---- */

void stub_next_child(int (*fn)(void *arg), void *arg);

static uaddr_t words;

static int count_in(void *arg)
{
	u32 old = peek32(words), was;

	while (!mc_user_cmpxchg(words, old, old + 1, &was) && was != old)
		old = was;
	return 0;
}

static long clone_tid(u64 flags, int (*fn)(void *), void *arg, uaddr_t parent, uaddr_t child)
{
	stub_next_child(fn, arg);
	return sc(__NR_clone,
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | flags,
		  ualloc(65536) + 65536 - 64, parent, child, 0);
}

VM_TEST(thread_words)
{
	long tid;

	words = ualloc(4096);
	tid = clone_tid(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, count_in,
			NULL, words + 8, words + 16);
	CHECK(tid > 1);
	CHECK_EQ(peek32(words + 8), tid);
	EVENTUALLY(peek32(words) == 1);
	/* Cleared and woken at exit: what pthread_join waits for. */
	while (peek32(words + 16))
		sc(__NR_futex, words + 16, 0, tid, 0);
	EVENTUALLY(task_count() == 1);
}

static int exit_group_in_thread(void *arg)
{
	sleep_ms(2);
	sc(__NR_exit_group, 33);
	return 0;
}

static int many_threads(void *arg)
{
	for (int i = 0; i < 6; i++)
		CHECK(thread_run(sleep_forever, NULL) > 0);
	CHECK(thread_run(exit_group_in_thread, NULL) > 0);
	return sleep_forever(NULL);
}

VM_TEST(group_exit)
{
	for (int i = 0; i < 30; i++)
		CHECK_EQ(wait_status(fork_run(many_threads, NULL)), EXITED(33));
	CHECK_EQ(process_count(), 1);
	CHECK_EQ(task_count(), 1);
}

static int racing_exits(void *arg)
{
	for (int i = 0; i < 5; i++)
		thread_run(i % 2 ? exit_with : exit_group_in_thread, NULL);
	return 33;
}

VM_TEST(racing_group_exits)
{
	for (int i = 0; i < 60; i++) {
		int status = wait_status(fork_run(racing_exits, NULL));

		CHECK(status == EXITED(33) || status == 0);
	}
	CHECK_EQ(task_count(), 1);
}

static int leader_leaves(void *arg)
{
	CHECK(thread_run(exit_group_in_thread, NULL) > 0);
	sc(__NR_exit, 1);
	return 0;
}

VM_TEST(leader_first)
{
	for (int i = 0; i < 30; i++)
		CHECK_EQ(wait_status(fork_run(leader_leaves, NULL)), EXITED(33));
}

VM_TEST(killed_threads)
{
	for (int i = 0; i < 40; i++) {
		long pid = fork_run(many_threads, NULL);
		int status;

		if (i % 4)
			sleep_ms((u64)i % 4);
		CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0);
		status = wait_status(pid);
		CHECK(status == SIGKILL || status == EXITED(33)); /* it may have been faster */
	}
	CHECK_EQ(task_count(), 1);
}

/* ---- vfork ---- */

static int vfork_child(void *arg)
{
	sleep_ms(20);
	poke32(words, 5); /* the parent's memory */
	return 6;
}

VM_TEST(vfork_waits)
{
	long pid;

	words = ualloc(4096);
	pid = vfork_run(vfork_child, NULL);
	CHECK_EQ(peek32(words), 5);
	CHECK_EQ(wait_status(pid), EXITED(6));
}

VM_TEST(clone_errors)
{
	CHECK_EQ(sc(__NR_clone, CLONE_THREAD), -EINVAL);
	CHECK_EQ(sc(__NR_clone, CLONE_SIGHAND), -EINVAL);
	CHECK_EQ(sc(__NR_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD), -EINVAL);
	CHECK_EQ(sc(__NR_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD), -EINVAL);
	CHECK_EQ(sc(__NR_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD), -EINVAL);
	CHECK_EQ(sc(__NR_clone, CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), -EINVAL);
	CHECK_EQ(sc(__NR_clone3, 0, 64), -EFAULT);
	CHECK_EQ(sc(__NR_clone3, 0, 8), -EINVAL);
}

/* ---- many at once ---- */

#define FORKERS 6
#define FORKS	60

static int fork_chain(void *arg)
{
	long depth = (long)arg;

	if (!depth)
		return 1;
	return (wait_status(fork_run(fork_chain, (void *)(depth - 1))) >> 8) + 1;
}

static int fork_many(void *arg)
{
	for (int i = 0; i < FORKS; i++)
		CHECK_EQ(wait_status(fork_run(fork_chain, (void *)3L)), EXITED(4));
	return 0;
}

VM_TEST(forks_at_once)
{
	long pids[FORKERS];
	u64 before;

	CHECK_EQ(wait_status(fork_run(fork_many, NULL)), 0);
	before = kheap_bytes();
	for (int i = 0; i < FORKERS; i++)
		CHECK((pids[i] = fork_run(fork_many, NULL)) > 0);
	for (int i = 0; i < FORKERS; i++)
		CHECK_EQ(wait_status(pids[i]), 0);
	CHECK_EQ(process_count(), 1);
	CHECK_EQ(task_count(), 1);
	CHECK(kheap_bytes() <= before + 64 * PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_for_child),
		cmocka_unit_test(wait_killed),
		cmocka_unit_test(wait_any_order),
		cmocka_unit_test(waitid_keeps),
		cmocka_unit_test(wait_stopped),
		cmocka_unit_test(ignored_children),
		cmocka_unit_test(orphans_go_to_init),
		cmocka_unit_test(orphans_go_to_subreaper),
		cmocka_unit_test(groups),
		cmocka_unit_test(sessions),
		cmocka_unit_test(thread_words),
		cmocka_unit_test(group_exit),
		cmocka_unit_test(racing_group_exits),
		cmocka_unit_test(leader_first),
		cmocka_unit_test(killed_threads),
		cmocka_unit_test(vfork_waits),
		cmocka_unit_test(clone_errors),
		cmocka_unit_test(forks_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
