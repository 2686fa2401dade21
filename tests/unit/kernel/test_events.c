/* SPDX-License-Identifier: Apache-2.0 */
/* What the hypervisor asks of the running guest: further processes, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/fcntl.h>

#include "cred.h"
#include "events.h"
#include "programs.h"
#include "task.h"

/* ---- files ---- */

static void files(void)
{
	put_program("prog", 0755);
	put_program("private", 0700);
	put_program("plain", 0644);
	host_file("garbage", "this is not a program", 21, 0755);
	host_file("lost", "#!/missing\n", 11, 0755);
}

/* ---- what the added processes do ---- */

enum { NOTHING, SLEEP, IDENTITY, WRITE, ORPHAN, STARTS, ENVIRONMENT };

static int sleeper(void *arg)
{
	sleep_ms(100000);
	return 0;
}

/* As nobody's child, and leader of everything. */
static int identity(void)
{
	long pid = sc(__NR_getpid);

	CHECK_EQ(sc(__NR_getppid), 0);
	CHECK_EQ(sc(__NR_getsid, 0), pid);
	CHECK_EQ(sc(__NR_getpgrp), pid);
	CHECK_EQ(sc(__NR_getuid), 77);
	CHECK_EQ(sc(__NR_getgid), 77);
	CHECK_EQ(sc(__NR_umask, 0), 027);
	CHECK(current->cred->cap_effective == 0);
	CHECK_EQ(sc(__NR_fcntl, 0, F_GETFD), -EBADF);
	return 42;
}

/* How descriptors 0, 1 and 3 came. */
static int descriptors(void)
{
	uaddr_t buf = ualloc(64);

	CHECK_EQ(sc(__NR_fcntl, 0, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(sc(__NR_fcntl, 1, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_EQ(sc(__NR_read, 0, buf, 64), 5);
	CHECK_EQ(sc(__NR_write, 1, buf, 5), 5);
	CHECK_EQ(sc(__NR_write, 2, buf, 5), -EBADF);
	return 0;
}

static bool on_stack(const char *text)
{
	u64 sp = mc_regs(current)->rsp, argc = peek64(sp);

	for (u64 at = sp + (argc + 2) * 8; peek64(at); at += 8)
		if (ueq(peek64(at), text))
			return true;
	return false;
}

static int environment(void)
{
	uaddr_t buf = ualloc(64);

	CHECK(on_stack("HOME=/"));
	CHECK(on_stack("A=1"));
	CHECK_EQ(sc(__NR_getcwd, buf, 64), 5);
	CHECK(ueq(buf, "/tmp"));
	return 0;
}

static int user_code(int what)
{
	switch (what) {
	case SLEEP:
		return sleeper(NULL);
	case IDENTITY:
		return identity();
	case WRITE:
		return descriptors();
	case ORPHAN:
		return fork_run(sleeper, NULL) > 0 ? 0 : 1;
	case STARTS:
		CHECK(wait_status(fork_run(NULL, NULL)) == 0);
		return 7;
	case ENVIRONMENT:
		return environment();
	default:
		return 0;
	}
}

static struct want want(const char *path, const char *what)
{
	return (struct want){.argv = {path, what}};
}

/* ---- tests ---- */

VM_TEST(runs_as_asked)
{
	struct want w = want("/prog", "2");
	u32 e;

	events_begin(user_code);
	w.uid = 77;
	e = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK_EQ(stub_exit_status(e), 42 << 8);
	CHECK_EQ(sc(__NR_wait4, -1, 0, 0, 0), -ECHILD); /* it was not ours */
}

VM_TEST(environment_and_directory)
{
	struct want w = want("prog", "6");
	u32 e;

	events_begin(user_code);
	w.env[0] = "A=1";
	w.env[1] = "PATH=/nowhere:/";
	w.cwd = "/tmp";
	e = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK_EQ(stub_exit_status(e), 0);
}

VM_TEST(has_children)
{
	struct want w = want("/prog", "5");
	u32 e;

	events_begin(user_code);
	e = post_exec(&w);
	CHECK_EQ(stub_exit_status(e), 7 << 8);
}

VM_TEST(many_at_once)
{
	struct want w = want("/prog", "0");
	u32 e[40];

	events_begin(user_code);
	for (u32 i = 0; i < ARRAY_SIZE(e); i++)
		e[i] = post_exec(&w);
	for (u32 i = 0; i < ARRAY_SIZE(e); i++) {
		CHECK(stub_answer(e[i], NULL) > 1);
		CHECK_EQ(stub_exit_status(e[i]), 0);
	}
}

static void fails(const struct want *w, int err, const char *why)
{
	const char *text = "";

	CHECK_EQ(exec_and_wait(w, &text), err);
	if (strcmp(text, why))
		check_failed(__FILE__, __LINE__, text, err, err);
}

VM_TEST(says_what_is_wrong)
{
	struct want w = want("/missing", "0");

	events_begin(user_code);
	fails(&w, -ENOENT, "exec: \"/missing\": no such file or directory");
	w.argv[0] = "missing";
	fails(&w, -ENOENT, "exec: \"missing\": executable file not found in $PATH");
	w.argv[0] = "/plain";
	fails(&w, -EACCES, "exec: \"/plain\": permission denied");
	w.argv[0] = "/garbage";
	fails(&w, -ENOEXEC, "exec /garbage: exec format error");
	w.argv[0] = "/lost";
	fails(&w, -ENOENT, "exec /lost: no such file or directory");
	w.argv[0] = "/prog";
	w.cwd = "/x";
	fails(&w, -ENOENT, "chdir to cwd (\"/x\") set in config.json failed: no such file or directory");
	w.cwd = "/prog";
	fails(&w, -ENOTDIR, "chdir to cwd (\"/prog\") set in config.json failed: not a directory");
	w.cwd = NULL;
	w.argv[0] = "/private";
	w.uid = 77;
	fails(&w, -EACCES, "exec: \"/private\": permission denied");
	w.argv[0] = NULL;
	fails(&w, -ENOENT, "exec: \"\": executable file not found in $PATH");
}

VM_TEST(signals_reach_it)
{
	struct want w = want("/prog", "1");
	u32 e, f;

	events_begin(user_code);
	e = post_exec(&w);
	f = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK(stub_answer(f, NULL) > 1);
	CHECK_EQ(signal_and_wait(e, 28 /* SIGWINCH: ignored */), 0);
	CHECK(!stub_has_exited(e));
	CHECK_EQ(signal_and_wait(e, 15), 0);
	CHECK_EQ(stub_exit_status(e), 15);
	CHECK(!stub_has_exited(f));
	CHECK_EQ(signal_and_wait(f, 9), 0);
	CHECK_EQ(stub_exit_status(f), 9);
	CHECK_EQ(signal_and_wait(f, 9), -ESRCH);
	CHECK_EQ(signal_and_wait(12345, 9), -ESRCH);
	CHECK_EQ(signal_and_wait(f, 0), -EINVAL);
	CHECK_EQ(signal_and_wait(f, 65), -EINVAL);
}

/* Whenever the signal comes, there is one answer to each, and one end. */
VM_TEST(killed_while_starting)
{
	struct want w = want("/prog", "1");

	events_begin(user_code);
	for (int i = 0; i < 30; i++) {
		u32 e = post_exec(&w), s = post_signal(e, i % 2 ? 9 : 15);

		CHECK_EQ(stub_answer(s, NULL), 0);
		if (stub_answer(e, NULL) > 0)
			CHECK_EQ(stub_exit_status(e), i % 2 ? 9 : 15);
	}
}

static int unwanted;

static void note(int sig, uaddr_t info, uaddr_t context)
{
	unwanted = sig;
}

VM_TEST(pid_1_is_safe)
{
	events_begin(user_code);
	CHECK_EQ(signal_and_wait(0, 15), 0);
	sleep_ms(20);
	handle(10, note, 0);
	CHECK_EQ(signal_and_wait(0, 10), 0);
	EVENTUALLY(unwanted == 10);
}

static void killed_vm(void)
{
	events_begin(user_code);
	post_signal(0, 9);
	sleep_ms(100000);
}

static void pid_1_is_killed_from_outside(void **state)
{
	vm_run(killed_vm, 128 + 9);
}

VM_TEST(signal_to_all)
{
	struct want w = want("/prog", "1");
	long child;
	u32 e;

	events_begin(user_code);
	child = fork_run(sleeper, NULL);
	e = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK_EQ(signal_and_wait(PV_TO_ALL, 15), 0); /* but for pid 1, which has no handler */
	CHECK_EQ(stub_exit_status(e), 15);
	CHECK_EQ(wait_status(child), 15);
}

VM_TEST(orphans_go_to_pid_1)
{
	struct want w = want("/prog", "4");
	u32 e;
	int pid;

	events_begin(user_code);
	e = post_exec(&w);
	pid = stub_answer(e, NULL);
	CHECK(pid > 1);
	CHECK_EQ(stub_exit_status(e), 0);
	CHECK_EQ(sc(__NR_kill, pid, 0), -ESRCH);
	CHECK_EQ(sc(__NR_kill, pid + 1, 9), 0);
	CHECK_EQ(wait_status(pid + 1), 9);
}

VM_TEST(descriptors_arrive)
{
	struct want w = want("/prog", "3");
	int in[2], out[2], fds[2];
	char buf[16];
	u32 e;

	events_begin(user_code);
	CHECK(!host_pipe(in) && !host_pipe(out));
	CHECK_EQ(host_write(in[1], "hello", 5), 5);
	fds[0] = in[0];
	fds[1] = out[1];
	w.fds = fds;
	w.nfds = 2;
	e = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK_EQ(stub_exit_status(e), 0);
	CHECK_EQ(host_read(out[0], buf, sizeof(buf)), 5);
	CHECK_EQ(host_read(out[0], buf, sizeof(buf)), 0); /* nobody holds the other end */
}

/* nproc, meminfo and the cgroup view are those of the latest limits. */
VM_TEST(limits_change)
{
	struct pv_event e = {.kind = PV_EV_LIMITS, .ncpus = 1, .mem_limit = 64 << 20};
	uaddr_t buf = ualloc(4096);

	events_begin(user_code);
	CHECK_EQ(sc(__NR_sched_getaffinity, 0, 128, buf), 8);
	CHECK_EQ(peek64(buf), 3);
	CHECK_EQ(sc(__NR_sched_setaffinity, 0, 8, uput(&(u64){2}, 8)), 0);
	CHECK_EQ(stub_affinity(current), 2);
	CHECK_EQ(sc(__NR_getcpu, buf, 0, 0), 0);
	CHECK_EQ((u32)peek64(buf), 1);
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), NULL), 0);
	CHECK_EQ(sc(__NR_sched_getaffinity, 0, 128, buf), 8);
	CHECK_EQ(peek64(buf), 1);
	CHECK_EQ(sc(__NR_read, sc(__NR_openat, -100, ustr("/proc/meminfo"), O_RDONLY), buf, 4096) > 0, 1);
	CHECK(ueq(buf, "MemTotal:          65536 kB"));
	CHECK(sc(__NR_read, sc(__NR_openat, -100, ustr("/sys/devices/system/cpu/online"), O_RDONLY), buf, 9) > 0);
	CHECK(ueq(buf, "0\n"));
	e.ncpus = 3;
	e.mem_limit = 0;
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), NULL), 0);
	CHECK_EQ(sc(__NR_sched_getaffinity, 0, 128, buf), 8);
	CHECK_EQ(peek64(buf), 2); /* what was asked for */
	CHECK_EQ(sc(__NR_read, sc(__NR_openat, -100, ustr("/proc/meminfo"), O_RDONLY), buf, 4096) > 0, 1);
	CHECK(!ueq(buf, "MemTotal:          65536 kB"));
}

static struct pv_event list_after(u32 pid) { return (struct pv_event){.kind = PV_EV_PROCESSES, .target = pid}; }

/* One process after the other, and in pages if they are many. */
VM_TEST(processes_are_listed)
{
	struct want w = want("/prog", "1");
	struct pv_event e = list_after(0);
	int next, lines = 0, pages = 0;
	char line[32], word[200];
	const char *text;

	w.uid = 77;
	events_begin(user_code);
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), &text), 0);
	CHECK(!strncmp(text, "1 0 0 0 ", 8) && strchr(text, '\n')[1] == '\0');
	snprintf(line, sizeof(line), "%d 0 77 0 ", exec_and_wait(&w, NULL));
	e = list_after(1);
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), &text), 0);
	CHECK(!strncmp(text, line, strlen(line)) && strstr(text, " /prog 1\n"));
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	word[9] = '\n';
	w.argv[2] = word;
	for (int i = 0; i < 40; i++)
		CHECK(exec_and_wait(&w, NULL) > 1);
	for (next = 0; next || !pages; pages++) {
		e = list_after((u32)next);
		next = stub_answer(stub_post(&e, sizeof(e), NULL, 0), &text);
		for (const char *p = text; (p = strchr(p, '\n')); p++)
			lines++;
	}
	CHECK_EQ(lines, 42);
	CHECK(pages > 2);
}

VM_TEST(unknown_events)
{
	struct pv_event e = {.kind = 99};

	events_begin(user_code);
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), NULL), -EINVAL);
	e.kind = PV_EV_START;
	CHECK_EQ(stub_answer(stub_post(&e, sizeof(e), NULL, 0), NULL), -EALREADY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_as_asked),
		cmocka_unit_test(environment_and_directory),
		cmocka_unit_test(has_children),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(signals_reach_it),
		cmocka_unit_test(killed_while_starting),
		cmocka_unit_test(pid_1_is_safe),
		cmocka_unit_test(pid_1_is_killed_from_outside),
		cmocka_unit_test(signal_to_all),
		cmocka_unit_test(orphans_go_to_pid_1),
		cmocka_unit_test(descriptors_arrive),
		cmocka_unit_test(limits_change),
		cmocka_unit_test(processes_are_listed),
		cmocka_unit_test(unknown_events),
	};

	host_files_on_boot(files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
