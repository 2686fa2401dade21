/* SPDX-License-Identifier: Apache-2.0 */
#include "call/cred.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/handle.h"
#include "call/server_impl.h"

#define CAP_BIT(cap) (1ULL << (cap))

/* What a guest's credentials decide. All else the thread needs for its own work, whoever asks. */
#define GUEST_CAPS                                                                                 \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |           \
	 CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_SETFCAP) |   \
	 CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE) | CAP_BIT(CAP_LEASE) |           \
	 CAP_BIT(CAP_SYS_RESOURCE) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_NET_RAW) |        \
	 CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_NET_BROADCAST))

static struct cred *cred_make(u32 fsuid, u32 fsgid, u64 caps, u32 ngroups, const u32 *groups)
{
	struct cred *c = calloc(1, sizeof(*c) + ngroups * sizeof(u32));

	if (!c)
		return NULL;
	c->refs = 1;
	c->fsuid = fsuid;
	c->fsgid = fsgid;
	c->caps = caps;
	c->ngroups = ngroups;
	if (ngroups)
		memcpy(c->groups, groups, ngroups * sizeof(u32));
	return c;
}

int creds_init(struct cred_table *t)
{
	memset(t->creds, 0, sizeof(t->creds));
	t->creds[0] = cred_make(0, 0, ~0ULL, 0, NULL);
	if (!t->creds[0])
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

void creds_destroy(struct cred_table *t)
{
	for (u32 i = 0; i < PV_MAX_CREDS; i++) {
		if (t->creds[i])
			cred_put(t->creds[i]);
	}
	pthread_mutex_destroy(&t->lock);
}

int cred_new(struct cred_table *t, u32 number, const struct pv_cred *from)
{
	struct cred *c;
	int ret = 0;

	if (number == 0 || number >= PV_MAX_CREDS)
		return -EBADF;
	c = cred_make(from->fsuid, from->fsgid, from->caps, from->ngroups, from->groups);
	if (!c)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	if (t->creds[number])
		ret = -EEXIST;
	else
		t->creds[number] = c;
	pthread_mutex_unlock(&t->lock);
	if (ret < 0)
		cred_put(c);
	return ret;
}

int cred_free(struct cred_table *t, u32 number)
{
	struct cred *c;

	if (number == 0 || number >= PV_MAX_CREDS)
		return -EBADF;
	pthread_mutex_lock(&t->lock);
	c = t->creds[number];
	t->creds[number] = NULL;
	pthread_mutex_unlock(&t->lock);
	if (!c)
		return -EBADF;
	cred_put(c);
	return 0;
}

struct cred *cred_get(struct cred_table *t, u32 number)
{
	struct cred *c;

	if (number >= PV_MAX_CREDS)
		return NULL;
	pthread_mutex_lock(&t->lock);
	c = t->creds[number];
	if (c)
		__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&t->lock);
	return c;
}

void cred_put(struct cred *c)
{
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(c);
}

/* glibc's wrappers change every thread of the process: the calls are made directly. */
static int caps_get(u64 *permitted, u64 *effective)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*permitted = data[0].permitted | (u64)data[1].permitted << 32;
	*effective = data[0].effective | (u64)data[1].effective << 32;
	return 0;
}

static int caps_set(u64 permitted, u64 effective)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (u32)effective, .permitted = (u32)permitted },
		{ .effective = effective >> 32, .permitted = permitted >> 32 },
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* setfsuid and setfsgid only tell the former id: ask again whether the change was made. */
static int set_fsids(u32 fsuid, u32 fsgid)
{
	if (syscall(SYS_setfsgid, fsgid) != (long)fsgid && (u32)syscall(SYS_setfsgid, -1) != fsgid)
		return -EPERM;
	if (syscall(SYS_setfsuid, fsuid) != (long)fsuid && (u32)syscall(SYS_setfsuid, -1) != fsuid)
		return -EPERM;
	return 0;
}

int caller_init(struct caller *me, struct pv_server *srv)
{
	u64 needed = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID);
	int ret;

	memset(me, 0, sizeof(*me));
	me->srv = srv;
	me->euid = geteuid();
	me->egid = getegid();
	/* Root, working directory and umask become this thread's own. */
	if (unshare(CLONE_FS) < 0)
		return -errno;
	umask(0);
	/*
	 * Descriptors are reached by name as "self/fd/N" from here: there is no /proc to go
	 * through.
	 */
	if (fchdir(srv->cfg.procfd) < 0)
		return -errno;
	ret = caps_get(&me->permitted, &me->effective);
	if (ret < 0)
		return ret;
	me->fixed = (me->effective & needed) != needed;
	me->permitted &= ~GUEST_CAPS | srv->cfg.caps;
	me->cred = cred_get(&srv->creds, 0);
	if (me->fixed)
		return 0;
	me->fixed_ids = set_fsids(0, 0) < 0;
	if (syscall(SYS_setgroups, 0, NULL) < 0) {
		if (errno != EPERM)
			return -errno;
		me->fixed_groups = true;
	}
	me->effective = me->permitted;
	return caps_set(me->permitted, me->effective);
}

void caller_exit(struct caller *me)
{
	if (me->root)
		handle_put(me->root);
	if (me->cred)
		cred_put(me->cred);
}

static bool same_groups(const struct cred *a, const struct cred *b)
{
	return a->ngroups == b->ngroups && !memcmp(a->groups, b->groups, a->ngroups * sizeof(u32));
}

static int take_on(struct caller *me, struct cred *next)
{
	u64 want = me->permitted & (~GUEST_CAPS | next->caps);
	bool ids = !me->fixed_ids && (next->fsuid != me->cred->fsuid || next->fsgid != me->cred->fsgid);
	int ret;

	if (!me->fixed_groups && !same_groups(me->cred, next) &&
	    syscall(SYS_setgroups, (size_t)next->ngroups, next->groups) < 0)
		return -errno;
	if (ids) {
		ret = set_fsids(next->fsuid, next->fsgid);
		if (ret < 0)
			return ret;
	}
	/* The host kernel edits the effective set when fsuid becomes or ceases to be 0. */
	if (!ids && want == me->effective)
		return 0;
	me->effective = want;
	return caps_set(me->permitted, want);
}

int caller_become(struct caller *me, struct cred *cred)
{
	struct cred *old = me->cred;
	int ret;

	if (cred == old)
		return 0;
	if (!me->fixed) {
		ret = take_on(me, cred);
		if (ret < 0)
			return ret;
	}
	__atomic_fetch_add(&cred->refs, 1, __ATOMIC_RELAXED);
	me->cred = cred;
	cred_put(old);
	return 0;
}

/* Along with it go fsuid, and the effective capabilities if it is or was 0. */
static int set_euid(uid_t uid)
{
	return syscall(SYS_setresuid, -1, uid, -1) < 0 ? -errno : 0;
}

static int set_egid(gid_t gid)
{
	return syscall(SYS_setresgid, -1, gid, -1) < 0 ? -errno : 0;
}

int caller_be_peer(struct caller *me)
{
	int ret;

	if (me->fixed || me->fixed_ids)
		return 0;
	ret = set_egid(me->cred->fsgid);
	if (!ret)
		ret = set_euid(me->cred->fsuid);
	return ret ? ret : caps_set(me->permitted, me->effective);
}

int caller_be_itself(struct caller *me)
{
	int ret;

	if (me->fixed || me->fixed_ids)
		return 0;
	ret = set_euid(me->euid);
	if (!ret)
		ret = caps_set(me->permitted, me->permitted);
	if (!ret)
		ret = set_egid(me->egid);
	if (!ret)
		ret = set_fsids(me->cred->fsuid, me->cred->fsgid);
	return ret ? ret : caps_set(me->permitted, me->effective);
}

int caller_be_owner(struct caller *me, int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return -errno;
	return me->fixed || me->fixed_ids ? 0 : set_euid(st.st_uid);
}

int caller_be_no_owner(struct caller *me)
{
	int ret;

	if (me->fixed || me->fixed_ids)
		return 0;
	/* Back to what the thread was, with the effective set that was edited. */
	ret = set_euid(me->euid);
	if (!ret)
		ret = set_fsids(me->cred->fsuid, me->cred->fsgid);
	return ret ? ret : caps_set(me->permitted, me->effective);
}

/*
 * No capability opens the memory of guest processes: their user namespace belongs to the user they are on the host,
 * which therefore may do anything there, from outside.
 */
int caller_open_owned(struct caller *me, int dirfd, const char *name, int flags)
{
	int fd, ret = caller_be_owner(me, dirfd, name);

	if (ret < 0)
		return ret;
	fd = openat(dirfd, name, flags | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	ret = caller_be_no_owner(me);
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

int caller_chroot(struct caller *me, struct pv_handle *root)
{
	if (root == me->root)
		return 0;
	if (fchdir(root ? root->fd : me->srv->cfg.rootfd) < 0)
		return -errno;
	if (chroot(".") < 0 || fchdir(me->srv->cfg.procfd) < 0)
		return -errno;
	if (me->root)
		handle_put(me->root);
	me->root = root ? handle_ref(root) : NULL;
	return 0;
}
