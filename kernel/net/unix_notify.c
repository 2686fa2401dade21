/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's $NOTIFY_SOCKET (sd_notify(3)): a datagram socket that nobody reads. What is sent to it goes to
 * the hypervisor; descriptors that come along are closed, for which a sender of BARRIER=1 waits.
 */
#include "fs.h"
#include "pv_ctl.h"
#include "ring.h"
#include "task.h"
#include "unix.h"

long unix_notify(const void *text, size_t len)
{
	return pv_ctl_call(PV_NOTIFY, 0, current->proc->pid, text, len);
}

/* Anybody in the container may send. */
static int bind_open(struct unix_sock *u, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct fs_ctx *fs = current->fs;
	u32 umask = fs->umask;
	int err;

	strlcpy(un.sun_path, path, sizeof(un.sun_path));
	fs->umask = 0;
	err = unix_bind(&u->sk, &un, sizeof(un));
	fs->umask = umask;
	return err;
}

void unix_notify_boot(void)
{
	const struct boot_info *b = mc_boot_info();
	const char *path = (const char *)b + b->notify;
	struct unix_sock *u = b->notify ? unix_new(SOCK_DGRAM) : NULL;
	int err;

	if (!u)
		return;
	u->notify = true;
	err = bind_open(u, path);
	if (err)
		printk(LOG_WARN, "cannot make the notify socket %s: %d", path, err);
}
