/* SPDX-License-Identifier: Apache-2.0 */
/* ioctl on host files: terminal settings, flags of files, clones. The hypervisor has its own list. */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fs.h>

#include "hostfs.h"
#include "names.h"
#include "vfs_impl.h"

#define IN    1u /* the argument is read */
#define OUT   2u /* ... and written */
#define VALUE 4u /* it is a number, not an address */

static const struct known {
	u32 cmd;
	u16 size;
	u16 how;
} known[] = {
	{TCGETS, sizeof(struct termios), OUT},
	{TCSETS, sizeof(struct termios), IN},
	{TCSETSW, sizeof(struct termios), IN},
	{TCSETSF, sizeof(struct termios), IN},
	{TCGETS2, sizeof(struct termios2), OUT},
	{TCSETS2, sizeof(struct termios2), IN},
	{TCSETSW2, sizeof(struct termios2), IN},
	{TCSETSF2, sizeof(struct termios2), IN},
	{TIOCGWINSZ, sizeof(struct winsize), OUT},
	{TIOCSWINSZ, sizeof(struct winsize), IN},
	{TIOCOUTQ, sizeof(int), OUT},
	{FIONREAD, sizeof(int), OUT},
	{TCSBRK, sizeof(u64), VALUE},
	{TCXONC, sizeof(u64), VALUE},
	{TCFLSH, sizeof(u64), VALUE},
	{TCSBRKP, sizeof(u64), VALUE},
	{FS_IOC_GETFLAGS, sizeof(int), OUT},
	{FS_IOC_FSGETXATTR, sizeof(struct fsxattr), OUT},
	{FIGETBSZ, sizeof(int), OUT},
	{BLKGETSIZE64, sizeof(u64), OUT},
	{BLKGETSIZE, sizeof(u64), OUT},
	{BLKSSZGET, sizeof(int), OUT},
	{BLKPBSZGET, sizeof(int), OUT},
	{BLKBSZGET, sizeof(int), OUT},
	{BLKROGET, sizeof(int), OUT},
	{BLKRAGET, sizeof(u64), OUT},
	{BLKIOMIN, sizeof(int), OUT},
	{BLKIOOPT, sizeof(int), OUT},
	{BLKALIGNOFF, sizeof(int), OUT},
	{BLKROTATIONAL, sizeof(u16), OUT},
	{BLKDISCARDZEROES, sizeof(int), OUT},
};

static const struct known *find(u32 cmd)
{
	for (u32 i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].cmd == cmd)
			return &known[i];
	return NULL;
}

static s64 forward(u32 handle, const struct known *k, u64 arg)
{
	struct pv_slot s;
	s64 r = 0;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_IOCTL;
	s.req.u.handle.id = handle;
	s.req.u.handle.flags = k->cmd;
	s.req.u.handle.len = k->size;
	memset(s.buf, 0, k->size);
	if (k->how & VALUE)
		memcpy(s.buf, &arg, k->size);
	else if (k->how & IN)
		r = mc_copy_from_user(s.buf, arg, k->size);
	names_changing(false); /* attributes of files, too */
	if (!r)
		r = mc_pv_call(&s);
	names_changed(false);
	stat_runs_changed();
	if (r >= 0 && (k->how & OUT) && mc_copy_to_user(arg, s.buf, k->size))
		r = -EFAULT;
	mc_pv_put(&s);
	return r;
}

static bool is_terminal(struct file *f)
{
	u8 buf[sizeof(struct termios)];
	struct pv_slot s;
	s64 r;

	if (!S_ISCHR(f->inode->mode))
		return false;
	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_IOCTL;
	s.req.u.handle.id = f->handle;
	s.req.u.handle.flags = TCGETS;
	s.req.u.handle.len = sizeof(buf);
	r = mc_pv_call(&s);
	mc_pv_put(&s);
	return r >= 0;
}

/* Somebody else's terminal, handed in as a descriptor: there is no job control on it here. */
static s64 foreign_terminal(struct file *f, u32 cmd)
{
	if (!is_terminal(f))
		return -ENOTTY;
	return cmd == TIOCSPGRP || cmd == TIOCGPGRP || cmd == TIOCGSID ? -ENOTTY : 0;
}

s64 hostfs_ioctl(struct file *f, u32 cmd, u64 arg)
{
	const struct known *k = find(cmd);

	switch (cmd) {
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
	case TIOCSCTTY:
	case TIOCNOTTY:
		return foreign_terminal(f, cmd);
	}
	return k && f->handle ? forward(f->handle, k, arg) : -ENOTTY;
}
