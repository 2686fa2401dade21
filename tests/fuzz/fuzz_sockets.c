/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: addresses, options, control data and netlink messages as the guest kernel takes them apart, and behind it the
 * hypervisor. The first byte of an input says whether there is a network namespace of its own.
 */
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/sched.h>

#include "../unit/kernel/harness.h"
#include "guest.h"

#define SOCKETS	 6
#define NONBLOCK O_NONBLOCK
#define ROOM	 512u
#define DONTWAIT 0x40

static const struct {
	int domain, type, protocol;
} kinds[] = {
	{1, 1, 0},  {1, 2, 0},	 {1, 5, 0},  {2, 1, 0},	 {2, 2, 0},  {2, 2, IPPROTO_ICMP}, {10, 1, 0},
	{10, 2, 0}, {10, 2, 58}, {16, 3, 0}, {16, 3, 4}, {16, 2, 15}, {17, 3, 0},	   {2, 3, 1},
};

static const int levels[] = {0, 1, 6, 17, 41, 58, 136, 255, 270};

struct message { /* struct msghdr */
	u64 name;
	u32 name_len, pad;
	u64 iov, iov_len, control, control_len;
	s32 flags, pad2;
};

static void message(struct input *in, long fd, bool receive)
{
	struct message m = {0};
	size_t name_len, len;
	u64 iov[2];

	m.name = input_piece(in, 255, &name_len);
	m.control = input_piece(in, 255, (size_t *)&m.control_len);
	iov[0] = input_piece(in, 255, &len);
	iov[1] = len;
	m.name_len = (u32)name_len;
	m.iov = uput(iov, sizeof(iov));
	m.iov_len = 1;
	sc(receive ? __NR_recvmsg : __NR_sendmsg, fd, uput(&m, sizeof(m)), DONTWAIT | input_number(in, 2));
}

static void option(struct input *in, long fd, bool set)
{
	int level = levels[input_below(in, ARRAY_SIZE(levels))], name = (int)input_number(in, 1);
	size_t len;
	uaddr_t at = input_piece(in, 255, &len);

	if (set)
		sc(__NR_setsockopt, fd, level, name, at, len);
	else
		sc(__NR_getsockopt, fd, level, name, at, uput(&(u32){(u32)len}, 4));
}

static void name_of(struct input *in, long fd, long call)
{
	uaddr_t at = guest_room(ROOM);
	u32 len = input_number(in, 1);

	sc(call, fd, at, uput(&len, 4));
}

static void step(struct input *in, const long *fds)
{
	u32 what = input_number(in, 1);
	long fd = fds[what % SOCKETS];
	size_t len;
	uaddr_t at;

	switch (input_below(in, 11)) {
	case 0:
	case 1:
		at = input_piece(in, 255, &len);
		sc(what & 64 ? __NR_bind : __NR_connect, fd, at, len);
		return;
	case 2:
		option(in, fd, true);
		return;
	case 3:
		option(in, fd, false);
		return;
	case 4:
		message(in, fd, false);
		return;
	case 5:
		message(in, fd, true);
		return;
	case 6:
		sc(__NR_listen, fd, input_number(in, 1));
		return;
	case 7:
		sc(__NR_accept4, fd, guest_room(ROOM), uput(&(u32){input_number(in, 1)}, 4), NONBLOCK);
		return;
	case 8:
		name_of(in, fd, what & 64 ? __NR_getsockname : __NR_getpeername);
		return;
	case 9:
		at = input_piece(in, 255, &len);
		sc(__NR_ioctl, fd, 0x8900 + input_number(in, 1), at);
		return;
	default:
		sc(__NR_shutdown, fd, input_below(in, 4));
	}
}

static int use_sockets(struct input *in)
{
	long fds[SOCKETS];

	if (input_number(in, 1) & 1)
		CHECK_EQ(sc(__NR_unshare, CLONE_NEWNET), 0);
	for (u32 i = 0; i < SOCKETS; i++) {
		u32 kind = input_below(in, ARRAY_SIZE(kinds));

		fds[i] = sc(__NR_socket, kinds[kind].domain, kinds[kind].type | NONBLOCK, kinds[kind].protocol);
	}
	for (int i = 0; i < 100 && in->left; i++)
		step(in, fds);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	guest_child(use_sockets, &in);
	return 0;
}
