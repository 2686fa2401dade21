/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals of the host: names, sessions, foreground groups, hang-ups; several at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fcntl.h>

#include "events.h"
#include "fs.h"
#include "programs.h"
#include "task.h"

#define CWD ((u64)(s64)AT_FDCWD)

static void files(void)
{
	put_program("prog", 0755);
}

/* ---- what the processes do ---- */

enum { LOOK, JOBS, SIZE, WAIT, STAYS, TOSTOPS };

static void say(const char *text)
{
	CHECK_EQ(sc(__NR_write, 1, ustr(text), strlen(text)), strlen(text));
}

static bool is_name(const char *link, const char *name)
{
	uaddr_t buf = ualloc(64);

	return sc(__NR_readlink, ustr(link), buf, 64) == (long)strlen(name) && ueq(buf, name);
}

/* The only terminal there is: pts/0, ours. */
static int look(void)
{
	uaddr_t buf = ualloc(64);

	CHECK(is_name("/proc/self/fd/0", "/dev/pts/0"));
	CHECK(is_name("/proc/self/fd/2", "/dev/pts/0"));
	CHECK_EQ(sc(__NR_ioctl, 0, TIOCGPGRP, buf), 0);
	CHECK_EQ(peek32(buf), sc(__NR_getpid));
	CHECK_EQ(sc(__NR_ioctl, 1, TIOCGSID, buf), 0);
	CHECK_EQ(peek32(buf), sc(__NR_getpid));
	CHECK(sc(__NR_openat, CWD, ustr("/dev/tty"), O_RDWR) >= 0);
	CHECK(sc(__NR_openat, CWD, ustr("/dev/pts/0"), O_RDWR) >= 0);
	CHECK_EQ(sc(__NR_openat, CWD, ustr("/dev/pts/1"), O_RDWR), -ENOENT);
	say("hello");
	return 0;
}

static int reads(void *arg)
{
	sc(__NR_setpgid, 0, 0);
	return sc(__NR_read, 0, ualloc(16), 16) == 3 ? 0 : 1;
}

static long wait_any(int pid, uaddr_t status, int options)
{
	return sc(__NR_wait4, pid, status, options, 0);
}

/* A background process that reads is stopped; in the foreground it goes on. */
static int jobs(void)
{
	uaddr_t buf = ualloc(64);
	int child;

	sc(__NR_rt_sigprocmask, 0, uput(&(u64){SIGBIT(SIGTTOU)}, 8), 0, 8);
	child = (int)fork_run(reads, NULL);
	CHECK_EQ(wait_any(child, buf, 2 /* WUNTRACED */), child);
	CHECK_EQ(peek32(buf), SIGTTIN << 8 | 0x7f);
	poke32(buf, (u32)child);
	CHECK_EQ(sc(__NR_ioctl, 0, TIOCSPGRP, buf), 0);
	CHECK_EQ(sc(__NR_kill, child, SIGCONT), 0);
	say("go");
	CHECK_EQ(wait_any(child, buf, 0), child);
	return (int)peek32(buf);
}

static int writes(void *arg)
{
	sc(__NR_setpgid, 0, 0);
	return sc(__NR_write, 1, ustr("abc"), 3) == 3 ? 0 : 1;
}

static int settles(void *arg)
{
	sc(__NR_setpgid, 0, 0);
	return (int)sc(__NR_ioctl, 0, TCSETS, uput(arg, sizeof(struct termios)));
}

/* With TOSTOP a background process is stopped by writes; by changes of settings in any case. */
static int tostop(void)
{
	uaddr_t buf = ualloc(64);
	struct termios t;
	int child;

	CHECK_EQ(sc(__NR_ioctl, 0, TCGETS, buf), 0);
	peek(buf, &t, sizeof(t));
	CHECK_EQ(wait_status(fork_run(writes, NULL)), 0);
	t.c_lflag |= TOSTOP;
	CHECK_EQ(sc(__NR_ioctl, 0, TCSETS, uput(&t, sizeof(t))), 0);
	child = (int)fork_run(writes, NULL);
	CHECK_EQ(wait_any(child, buf, 2 /* WUNTRACED */), child);
	CHECK_EQ(peek32(buf), SIGTTOU << 8 | 0x7f);
	t.c_lflag &= ~(u32)TOSTOP;
	CHECK_EQ(sc(__NR_ioctl, 0, TCSETS, uput(&t, sizeof(t))), 0);
	CHECK_EQ(sc(__NR_kill, child, SIGCONT), 0);
	CHECK_EQ(wait_status(child), 0);
	child = (int)fork_run(settles, &t);
	CHECK_EQ(wait_any(child, buf, 2 /* WUNTRACED */), child);
	CHECK_EQ(peek32(buf), SIGTTOU << 8 | 0x7f);
	return 0;
}

static u32 changes;

static void changed(int sig, uaddr_t info, uaddr_t context)
{
	__atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
}

static int size(void)
{
	handle(SIGWINCH, changed, 0);
	say("ready");
	while (!__atomic_load_n(&changes, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	return 5;
}

static int sleeper(void *arg)
{
	sleep_ms(100000);
	return 0;
}

/* Leaves somebody behind who holds the terminal, but has another session. */
static int daemon_(void *arg)
{
	sc(__NR_setsid);
	return sleeper(NULL);
}

static int leaves_daemon(void)
{
	long child = fork_run(daemon_, NULL);

	while (sc(__NR_getsid, child) != child)
		sleep_ms(1);
	return 0;
}

static int user_code(int what)
{
	switch (what) {
	case LOOK:
		return look();
	case JOBS:
		return jobs();
	case SIZE:
		return size();
	case WAIT:
		say("up");
		return sleeper(NULL);
	case TOSTOPS:
		return tostop();
	case STAYS:
		return leaves_daemon();
	default:
		return 1;
	}
}

/* ---- the outside ---- */

struct terminal {
	int master;
	u32 event;
};

static struct terminal start(const char *what)
{
	struct want w = {.argv = {"/prog", what}, .terminal = 1};
	struct terminal t;
	int slave, fds[3];

	CHECK(!host_pty(&t.master, &slave));
	fds[0] = slave;
	fds[1] = host_dup(slave);
	fds[2] = host_dup(slave);
	w.fds = fds;
	w.nfds = 3;
	t.event = post_exec(&w);
	CHECK(stub_answer(t.event, NULL) > 1);
	return t;
}

static void begin(void)
{
	CHECK_EQ(mount_add("/dev/pts", "devpts", "devpts", 0, "ptmxmode=0666,mode=0620,gid=5"), 0);
	events_begin(user_code);
}

static void expect(const struct terminal *t, const char *text)
{
	char buf[64] = "";
	size_t n = 0;

	while (n < strlen(text)) {
		long r = host_read(t->master, buf + n, sizeof(buf) - 1 - n);

		CHECK(r > 0);
		n += (size_t)r;
	}
	CHECK(!strcmp(buf, text));
}

static bool pts_exists(int n)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	return !sc(__NR_access, ustr(name), 0);
}

VM_TEST(has_name_and_session)
{
	struct terminal t;

	begin();
	for (int i = 0; i < 3; i++) { /* each gets the number of the last one */
		t = start("0");
		expect(&t, "hello");
		CHECK_EQ(stub_exit_status(t.event), 0);
		CHECK(!pts_exists(0));
		host_close(t.master);
	}
}

VM_TEST(several)
{
	struct terminal a, b;
	long pty;

	begin();
	a = start("3");
	b = start("3");
	expect(&a, "up");
	expect(&b, "up");
	CHECK(pts_exists(0) && pts_exists(1));
	pty = sc(__NR_openat, CWD, ustr("/dev/ptmx"), O_RDWR | O_NOCTTY);
	CHECK(pty >= 0 && pts_exists(2)); /* the guest's own are beside them */
	CHECK_EQ(stub_answer(post_tty_signal(b.event, SIGINT), NULL), 0);
	CHECK_EQ(stub_exit_status(b.event), SIGINT);
	CHECK(!stub_has_exited(a.event));
	EVENTUALLY(!pts_exists(1));
	CHECK_EQ(stub_answer(post_tty_signal(b.event, SIGINT), NULL), -ESRCH);
	CHECK_EQ(stub_answer(post_tty_signal(a.event, SIGQUIT), NULL), 0);
	CHECK_EQ(stub_exit_status(a.event) & 0x7f, SIGQUIT);
	CHECK_EQ(stub_answer(post_tty_signal(0, SIGINT), NULL), -ESRCH); /* the container has none */
}

VM_TEST(only_what_terminals_send)
{
	struct terminal t;

	begin();
	t = start("3");
	CHECK_EQ(stub_answer(post_tty_signal(t.event, SIGKILL), NULL), -EINVAL);
	CHECK_EQ(stub_answer(post_tty_signal(t.event, 0), NULL), -EINVAL);
	CHECK_EQ(stub_answer(post_tty_signal(t.event, 200), NULL), -EINVAL);
	CHECK(!stub_has_exited(t.event));
}

VM_TEST(job_control)
{
	struct terminal t;

	begin();
	t = start("1");
	expect(&t, "go");
	CHECK_EQ(host_write(t.master, "ab\n", 3), 3);
	CHECK_EQ(stub_exit_status(t.event), 0);
}

VM_TEST(background_output)
{
	struct terminal t;

	begin();
	t = start("5");
	expect(&t, "abcabc");
	CHECK_EQ(stub_exit_status(t.event), 0);
}

VM_TEST(window_changes)
{
	struct terminal t;

	begin();
	t = start("2");
	expect(&t, "ready");
	CHECK_EQ(stub_answer(post_tty_signal(t.event, SIGWINCH), NULL), 0);
	CHECK_EQ(stub_exit_status(t.event), 5 << 8);
}

VM_TEST(hangs_up)
{
	struct terminal t;

	begin();
	t = start("3");
	expect(&t, "up");
	host_close(t.master);
	CHECK_EQ(stub_answer(post_tty_signal(t.event, SIGHUP), NULL), 0);
	CHECK_EQ(stub_exit_status(t.event), SIGHUP);
	EVENTUALLY(!pts_exists(0));
}

/* The name is taken for as long as somebody has the terminal open. */
VM_TEST(outlives_its_session)
{
	struct terminal t;

	begin();
	t = start("4");
	CHECK_EQ(stub_exit_status(t.event), 0);
	CHECK(pts_exists(0));
	CHECK_EQ(sc(__NR_kill, -1, SIGKILL), 0);
	EVENTUALLY(!pts_exists(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_name_and_session),
		cmocka_unit_test(several),
		cmocka_unit_test(only_what_terminals_send),
		cmocka_unit_test(job_control),
		cmocka_unit_test(background_output),
		cmocka_unit_test(window_changes),
		cmocka_unit_test(hangs_up),
		cmocka_unit_test(outlives_its_session),
	};

	host_files_on_boot(files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
