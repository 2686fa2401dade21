/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals: the line discipline, the two ends' lives, job control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>

#include "fs.h"
#include "harness.h"

#define CWD ((u64)(s64)AT_FDCWD)

struct pair {
	long master, slave;
	uaddr_t buf;
};

static struct pair pty(void)
{
	u32 zero = 0, n;
	char name[32];
	struct pair p;

	CHECK_EQ(mount_add("/dev/pts", "devpts", "devpts", 0, "ptmxmode=0666,mode=0620,gid=5"), 0);
	p.master = sc(__NR_openat, CWD, ustr("/dev/ptmx"), O_RDWR | O_NOCTTY);
	CHECK(p.master >= 0);
	p.buf = ualloc(8192);
	CHECK_EQ(sc(__NR_ioctl, p.master, TIOCSPTLCK, uput(&zero, 4)), 0);
	CHECK_EQ(sc(__NR_ioctl, p.master, TIOCGPTN, p.buf), 0);
	n = peek32(p.buf);
	snprintf(name, sizeof(name), "/dev/pts/%u", n);
	p.slave = sc(__NR_openat, CWD, ustr(name), O_RDWR | O_NOCTTY);
	CHECK(p.slave >= 0);
	CHECK_EQ(sc(__NR_fcntl, p.master, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(sc(__NR_fcntl, p.slave, F_SETFL, O_NONBLOCK), 0);
	return p;
}

static void put(long fd, const char *text)
{
	CHECK_EQ(sc(__NR_write, fd, ustr(text), strlen(text)), strlen(text));
}

/* One read gives exactly this text. */
static void expect(struct pair *p, long fd, const char *text)
{
	CHECK_EQ(sc(__NR_read, fd, p->buf, 8192), strlen(text));
	CHECK(ueq(p->buf, text));
}

static void set_flags(struct pair *p, u32 off, u32 on)
{
	struct termios t;

	CHECK_EQ(sc(__NR_ioctl, p->slave, TCGETS, p->buf), 0);
	peek(p->buf, &t, sizeof(t));
	t.c_lflag = (t.c_lflag & ~off) | on;
	CHECK_EQ(sc(__NR_ioctl, p->slave, TCSETS, uput(&t, sizeof(t))), 0);
}

VM_TEST(lines)
{
	struct pair p = pty();

	put(p.master, "ab");
	CHECK_EQ(sc(__NR_read, p.slave, p.buf, 10), -EAGAIN);
	put(p.master, "c\177d\nnext\n");
	expect(&p, p.slave, "abd\n");
	CHECK_EQ(sc(__NR_read, p.slave, p.buf, 2), 2);
	CHECK(ueq(p.buf, "ne"));
	expect(&p, p.slave, "xt\n");
	expect(&p, p.master, "abc\b \bd\r\nnext\r\n");
	put(p.master, "one two\027\025x\n"); /* a word, a line erased */
	expect(&p, p.slave, "x\n");
	put(p.master, "half\004");
	expect(&p, p.slave, "half");
	put(p.master, "\004");
	CHECK_EQ(sc(__NR_read, p.slave, p.buf, 10), 0); /* end of file */
	put(p.master, "\026\003\n"); /* a literal ^C */
	expect(&p, p.slave, "\003\n");
}

VM_TEST(raw)
{
	struct pair p = pty();

	put(p.slave, "a\tb\n");
	expect(&p, p.master, "a\tb\r\n");
	set_flags(&p, ICANON | ECHO | ISIG, 0);
	put(p.master, "x\003");
	expect(&p, p.slave, "x\003");
	CHECK_EQ(sc(__NR_read, p.master, p.buf, 10), -EAGAIN);
	put(p.master, "pending");
	set_flags(&p, 0, ICANON);
	expect(&p, p.slave, "pending");
	CHECK_EQ(sc(__NR_ioctl, p.slave, TCFLSH, 3), -EINVAL);
}

/* More than either queue holds. */
VM_TEST(full)
{
	struct pair p = pty();
	uaddr_t big = ualloc(65536);
	long n, sum = 0;

	set_flags(&p, ICANON | ECHO, 0);
	n = sc(__NR_write, p.slave, big, 65536);
	CHECK(n > 1000 && n < 65536);
	CHECK_EQ(sc(__NR_write, p.slave, big, 10), -EAGAIN);
	while (sc(__NR_read, p.master, p.buf, 1000) > 0)
		sum += 1;
	CHECK(sum > 10);
	put(p.slave, "room");
	n = sc(__NR_write, p.master, big, 65536);
	CHECK(n > 1000 && n < 65536);
	sum = 0;
	for (long r; (r = sc(__NR_read, p.slave, p.buf, 999)) > 0;)
		sum += r;
	CHECK_EQ(sum, n);
}

VM_TEST(ends)
{
	struct pair p = pty();

	put(p.slave, "last words");
	CHECK_EQ(sc(__NR_close, p.slave), 0);
	expect(&p, p.master, "last words");
	CHECK_EQ(sc(__NR_read, p.master, p.buf, 10), -EIO);
	p.slave = sc(__NR_ioctl, p.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(p.slave >= 0);
	CHECK_EQ(sc(__NR_read, p.master, p.buf, 10), -EAGAIN);
	CHECK_EQ(sc(__NR_close, p.master), 0);
	CHECK_EQ(sc(__NR_read, p.slave, p.buf, 10), 0);
	CHECK_EQ(sc(__NR_write, p.slave, p.buf, 1), -EIO);
	CHECK_EQ(sc(__NR_openat, CWD, ustr("/dev/pts/0"), O_RDWR), -ENOENT);
}

static int session_on(void *arg)
{
	struct pair *p = arg;
	u32 pgrp;

	CHECK_EQ(sc(__NR_close, p->master), 0);
	CHECK(sc(__NR_setsid) > 0);
	CHECK_EQ(sc(__NR_openat, CWD, ustr("/dev/tty"), O_RDWR), -ENXIO);
	CHECK_EQ(sc(__NR_ioctl, p->slave, TIOCSCTTY, 0), 0);
	CHECK(sc(__NR_openat, CWD, ustr("/dev/tty"), O_RDWR) >= 0);
	CHECK_EQ(sc(__NR_ioctl, p->slave, TIOCGPGRP, p->buf), 0);
	pgrp = peek32(p->buf);
	CHECK_EQ(pgrp, sc(__NR_getpid));
	put(p->slave, "up");
	for (;;)
		sleep_ms(1000);
}

VM_TEST(control)
{
	struct pair p = pty();
	long pid = fork_run(session_on, &p);

	while (sc(__NR_read, p.master, p.buf, 2) != 2)
		sleep_ms(1);
	put(p.master, "\003");
	CHECK_EQ(wait_status(pid), SIGINT);
	pid = fork_run(session_on, &p);
	while (sc(__NR_read, p.master, p.buf, 2) != 2 || !ueq(p.buf, "up"))
		sleep_ms(1);
	CHECK_EQ(sc(__NR_close, p.master), 0);
	CHECK_EQ(wait_status(pid), SIGHUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(raw),	    cmocka_unit_test(full),
		cmocka_unit_test(ends),	 cmocka_unit_test(control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
