/* SPDX-License-Identifier: Apache-2.0 */
/* A pseudo-terminal: what is typed, written, read and set, by the steps of an input. Nothing of it sleeps. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>

#include "../unit/kernel/harness.h"
#include "guest.h"

#define READ_MAX 600u

/* Those that wait for the output to be taken are not among them: nobody would. */
static const u32 controls[] = {
	TCSETS, TCSETS2, TCSETA, TCGETS, TCGETS2, TCGETA, TCXONC, TCFLSH, TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP,
	TIOCOUTQ, TIOCSTI, TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCNOTTY, TIOCGETD, TIOCSETD, TIOCGSID, TIOCGPTN, TIOCSPTLCK,
	TIOCGPTLCK, TIOCPKT, TIOCSIG, TIOCLINUX, TIOCGLCKTRMIOS, TIOCSLCKTRMIOS, TIOCCONS, TIOCGEXCL, FIONBIO, TIOCVHANGUP,
};

static void step(struct input *in, const int *fds)
{
	u32 what = input_number(in, 1);
	long fd = fds[what & 1];
	size_t len;
	uaddr_t at;

	switch (what / 2 % 4) {
	case 0:
		at = input_piece(in, 255, &len);
		sc(__NR_write, fd, at, len);
		return;
	case 1:
		sc(__NR_read, fd, guest_room(READ_MAX), input_number(in, 2) % READ_MAX);
		return;
	case 2:
		what = controls[input_below(in, ARRAY_SIZE(controls))];
		at = guest_room(64);
		poke(at, in->at, min(in->left, 64UL));
		sc(__NR_ioctl, fd, what, what == TCFLSH || what == TCXONC ? input_below(in, 5) : at);
		return;
	default: /* the terminal as it is, and one word or character of it otherwise */
		at = guest_room(64);
		if (sc(__NR_ioctl, fd, TCGETS2, at))
			return;
		len = input_below(in, sizeof(struct termios2) / 2);
		poke(at + len * 2, &(u16){(u16)input_number(in, 2)}, 2);
		sc(__NR_ioctl, fd, TCSETS2, at);
	}
}

static int use_terminal(struct input *in)
{
	int fds[2];

	sc(__NR_setsid);
	fds[0] = (int)sc(__NR_open, ustr("/dev/ptmx"), O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
	CHECK(fds[0] >= 0);
	CHECK_EQ(sc(__NR_ioctl, fds[0], TIOCSPTLCK, uput("\0\0\0", 4)), 0);
	fds[1] = (int)sc(__NR_ioctl, fds[0], TIOCGPTPEER, O_RDWR | O_NONBLOCK | (input_number(in, 1) & 1 ? O_NOCTTY : 0));
	CHECK(fds[1] >= 0);
	for (int i = 0; i < 300 && in->left; i++)
		step(in, fds);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	guest_child(use_terminal, &in);
	return 0;
}
