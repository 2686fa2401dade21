/* SPDX-License-Identifier: Apache-2.0 */
/* Names: what walks, makes, mounts and looks at them, by the steps of an input, each with strings of it. */
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "../unit/kernel/harness.h"
#include "guest.h"

#define ROOM 4200u

static void names(struct input *in, u32 what)
{
	uaddr_t a = input_string(in), b = input_string(in);

	switch (what) {
	case 0:
		sc(__NR_rename, a, b);
		return;
	case 1:
		sc(__NR_link, a, b);
		return;
	case 2:
	case 3:
		sc(__NR_symlink, a, b);
		return;
	case 4:
		sc(__NR_renameat2, AT_FDCWD, a, AT_FDCWD, b, input_below(in, 8));
		return;
	case 5:
		sc(__NR_pivot_root, a, b);
		return;
	case 6:
		sc(__NR_setxattr, a, b, guest_room(64), input_number(in, 1) % 64, input_below(in, 4));
		return;
	default:
		sc(__NR_getxattr, a, b, guest_room(ROOM), input_number(in, 2) % ROOM);
	}
}

static void name(struct input *in, u32 what)
{
	uaddr_t a = input_string(in);
	u64 how[3];

	switch (what) {
	case 0:
		sc(__NR_open, a, O_NONBLOCK | O_NOCTTY | (input_number(in, 3) & 0x7fffff), 0644);
		return;
	case 1:
		sc(__NR_mkdir, a, 0755);
		return;
	case 2:
		sc(__NR_unlinkat, AT_FDCWD, a, input_number(in, 1) & 1 ? AT_REMOVEDIR : 0);
		return;
	case 3:
		sc(__NR_readlink, a, guest_room(ROOM), input_number(in, 2) % ROOM);
		return;
	case 4:
		sc(__NR_chdir, a);
		sc(__NR_getcwd, guest_room(ROOM), input_number(in, 2) % ROOM);
		return;
	case 5:
		how[0] = O_NONBLOCK | (input_number(in, 3) & 0x7fffff);
		how[1] = 0;
		how[2] = input_number(in, 1);
		sc(__NR_openat2, input_below(in, 8), a, uput(how, sizeof(how)), sizeof(how));
		return;
	case 6:
		sc(__NR_umount2, a, input_below(in, 16));
		return;
	case 7:
		sc(__NR_chroot, a);
		return;
	case 8:
		sc(__NR_mknod, a, 0644 | input_number(in, 1) % 16 << 12, input_number(in, 2));
		return;
	default:
		sc(__NR_statx, AT_FDCWD, a, input_number(in, 2), 0xfff, guest_room(256));
	}
}

static void mount(struct input *in)
{
	static const u32 flags[] = {0, 4096 /* MS_BIND */, 4096 | 32 | 1, 16384 /* MS_REC */ | 4096, 1 << 18, 1 << 19, 1 << 20,
				    8192 /* MS_MOVE */, 32 /* MS_REMOUNT */, 1, 1 << 17};
	uaddr_t source = input_string(in), target = input_string(in), type = input_string(in), data = input_string(in);

	sc(__NR_mount, source, target, type, flags[input_below(in, ARRAY_SIZE(flags))], data);
}

static int use_names(struct input *in)
{
	sc(__NR_chdir, ustr("/tmp"));
	for (int i = 0; i < 100 && in->left; i++) {
		u32 what = input_below(in, 20);

		if (what < 8)
			names(in, what);
		else if (what < 18)
			name(in, what - 8);
		else
			mount(in);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	guest_child(use_names, &in);
	return 0;
}
