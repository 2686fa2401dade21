/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, process groups and the terminal that controls them. */
#include "check.h"
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static void test_ids(void)
{
	IN_CHILD({
		CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
		FAILS(EPERM, setsid());
		FAILS(EPERM, setpgid(0, 1));
		IN_CHILD({
			CHECK(getsid(0) == getppid() && getpgid(0) == getppid());
			OK(setpgid(0, 0));
			CHECK(getpgrp() == getpid());
		});
		FAILS(ENXIO, open("/dev/tty", O_RDWR));
	});
	FAILS(ESRCH, getpgid(0x3fffff));
}

static void test_terminal(void)
{
	struct winsize size = { .ws_row = 30, .ws_col = 90 };
	struct termios mode;
	int master, slave, status;
	char name[64], buf[64];
	pid_t child;

	OK(openpty(&master, &slave, name, NULL, &size));
	CHECK(isatty(slave) && isatty(master) && !strncmp(name, "/dev/pts/", 9));
	CHECK(write(master, "line\n", 5) == 5);
	CHECK(read(slave, buf, sizeof(buf)) == 5 && !memcmp(buf, "line\n", 5));
	CHECK(read(master, buf, sizeof(buf)) == 6 && !memcmp(buf, "line\r\n", 6)); /* echo */
	OK(tcgetattr(slave, &mode));
	CHECK(mode.c_lflag & ICANON);
	mode.c_lflag &= ~(ICANON | ECHO);
	OK(tcsetattr(slave, TCSANOW, &mode));
	CHECK(write(master, "x", 1) == 1 && read(slave, buf, sizeof(buf)) == 1);
	mode.c_lflag |= ICANON | ECHO | ISIG;
	OK(tcsetattr(slave, TCSANOW, &mode));
	memset(&size, 0, sizeof(size));
	OK(ioctl(slave, TIOCGWINSZ, &size));
	CHECK(size.ws_row == 30 && size.ws_col == 90);

	child = fork();
	if (!child) {
		setsid();
		OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK(tcgetpgrp(slave) == getpid());
		close(OK(open("/dev/tty", O_RDWR)));
		CHECK(write(slave, "ready", 5) == 5);
		for (;;)
			pause();
	}
	while (read(master, buf, sizeof(buf)) != 5)
		;
	CHECK(write(master, "\003", 1) == 1); /* control-C */
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	close(slave);
	close(master);
}

static volatile sig_atomic_t resized;

static void on_resize(int sig)
{
	resized = sig;
}

static void test_hangup_and_resize(void)
{
	struct winsize size = { .ws_row = 10, .ws_col = 20 };
	int master, status;
	char buf[64];
	pid_t child = OK(forkpty(&master, NULL, NULL, NULL));

	if (!child) {
		signal(SIGWINCH, on_resize);
		CHECK(write(1, "up", 2) == 2);
		while (!resized)
			pause_ms(5);
		OK(ioctl(0, TIOCGWINSZ, &size));
		CHECK(size.ws_row == 10);
		CHECK(write(1, "ok", 2) == 2);
		for (;;)
			pause();
	}
	CHECK(read(master, buf, 2) == 2);
	OK(ioctl(master, TIOCSWINSZ, &size));
	CHECK(read(master, buf, 2) == 2 && buf[0] == 'o');
	close(master);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

int main(void)
{
	test_ids();
	test_terminal();
	test_hangup_and_resize();
	return 0;
}
