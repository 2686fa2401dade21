/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a pseudo terminal: termios in its two forms, what is fixed in it, window size. */
#include "check.h"
#include <asm/ioctls.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

/* The C library has no names for the form of System V. */
struct old_termio {
	unsigned short iflag, oflag, cflag, lflag;
	unsigned char line, cc[8];
};

static int open_pty(int *master)
{
	int off = 0;

	*master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(*master, TIOCSPTLCK, &off));
	return OK(ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

static void test_old_form(int tty)
{
	struct old_termio old;
	struct termios now;

	OK(ioctl(tty, TCGETA, &old));
	OK(tcgetattr(tty, &now));
	CHECK(old.lflag == (unsigned short)now.c_lflag && old.cc[VINTR] == now.c_cc[VINTR]);
	old.lflag &= ~ECHO;
	old.cc[VINTR] = 'q';
	OK(ioctl(tty, TCSETA, &old));
	OK(tcgetattr(tty, &now));
	CHECK(!(now.c_lflag & ECHO) && now.c_cc[VINTR] == 'q' && now.c_cc[VSTART] == 17);
	old.lflag |= ECHO;
	/* Nobody reads at the other end: the terminal has sent what it has handed over. */
	CHECK(write(tty, "output", 6) == 6);
	OK(ioctl(tty, TCSETAW, &old));
	OK(ioctl(tty, TCSETAF, &old));
	OK(tcgetattr(tty, &now));
	CHECK(now.c_lflag & ECHO);
	FAILS(EFAULT, ioctl(tty, TCGETA, 1));
	FAILS(EFAULT, ioctl(tty, TCSETA, 1));
}

static void test_fixed(int tty)
{
	struct termios fixed, now;

	OK(ioctl(tty, TIOCGLCKTRMIOS, &fixed));
	CHECK(!fixed.c_lflag && !fixed.c_cc[VINTR]);
	fixed.c_lflag = ECHO;
	fixed.c_cc[VINTR] = 1;
	if (ioctl(tty, TIOCSLCKTRMIOS, &fixed) == -1) {
		CHECK(errno == EPERM); /* without CAP_SYS_ADMIN */
		return;
	}
	OK(tcgetattr(tty, &now));
	now.c_lflag &= ~(ECHO | ICANON);
	now.c_cc[VINTR]++;
	now.c_cc[VEOF]++;
	OK(tcsetattr(tty, TCSANOW, &now));
	now.c_lflag |= ECHO;
	now.c_cc[VINTR]--;
	struct termios got;
	OK(tcgetattr(tty, &got));
	CHECK((got.c_lflag & ECHO) && !(got.c_lflag & ICANON));
	CHECK(got.c_cc[VINTR] == now.c_cc[VINTR] && got.c_cc[VEOF] == now.c_cc[VEOF]);
}

static void test_size(int master, int tty)
{
	struct winsize size = { 10, 20, 30, 40 }, got;

	OK(ioctl(master, TIOCSWINSZ, &size));
	OK(ioctl(tty, TIOCGWINSZ, &got));
	CHECK(!memcmp(&size, &got, sizeof(got)));
}

static void test_others(int master, int tty)
{
	int ends[2], n;

	CHECK(isatty(tty) && isatty(master));
	OK(pipe(ends));
	FAILS(ENOTTY, ioctl(ends[0], TCGETA, &(struct old_termio){ 0 }));
	FAILS(EBADF, ioctl(-1, TCGETA, 0));
	CHECK(write(master, "ab\n", 3) == 3);
	for (int tries = 0; OK(ioctl(tty, FIONREAD, &n)) == 0 && n != 3; tries++) {
		CHECK(tries < 500);
		pause_ms(10);
	}
	OK(tcflush(tty, TCIFLUSH));
	OK(ioctl(tty, FIONREAD, &n));
	CHECK(n == 0);
	FAILS(EINVAL, ioctl(tty, TCFLSH, 77));
}

int main(void)
{
	int master, tty = open_pty(&master);

	test_others(master, tty);
	test_old_form(tty);
	test_size(master, tty);
	test_fixed(tty);
	return 0;
}
