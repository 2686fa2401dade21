/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes of guest file systems: life, permission, attributes. */
#include "fsnotify.h"
#include "hostfs.h"
#include "user_ns.h"
#include "vfs_impl.h"

#define ANON_DEV 0x3ffffu /* minor of major 0: pipes, sockets, anonymous inodes */

static u64 last_ino = 0x1000;

u64 inode_next_ino(void)
{
	return __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
}

static void set_now(struct inode *i)
{
	u64 now = mc_clock(0 /* CLOCK_REALTIME */);

	i->ctime.sec = now / NSEC_PER_SEC;
	i->ctime.nsec = now % NSEC_PER_SEC;
}

void inode_init(struct inode *i, const struct inode_ops *ops, struct mount *mnt, u32 mode)
{
	ref_init(&i->ref);
	i->ops = ops;
	i->mnt = mnt;
	i->dev = mnt ? mnt->dev : 0;
	i->mode = mode;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->ino = inode_next_ino();
	set_now(i);
	i->atime.sec = i->mtime.sec = i->ctime.sec;
	i->atime.nsec = i->mtime.nsec = i->ctime.nsec;
}

struct inode *inode_new(const struct inode_ops *ops, struct mount *mnt, u32 mode)
{
	struct inode *i = kzalloc(sizeof(*i));

	if (i)
		inode_init(i, ops, mnt, mode);
	return i;
}

void inode_own(struct inode *i)
{
	i->uid = current->cred->fsuid;
	i->gid = current->cred->fsgid;
}

struct inode *inode_get(struct inode *i)
{
	ref_get(&i->ref);
	return i;
}

void inode_put(struct inode *i)
{
	if (!i || !ref_put(&i->ref))
		return;
	if (i->ops->release)
		i->ops->release(i);
	else
		kfree(i);
}

void inode_touch(struct inode *i, u32 attrs)
{
	if (attrs & ATTR_MTIME) {
		set_now(i);
		i->mtime.sec = i->ctime.sec;
		i->mtime.nsec = i->ctime.nsec;
	} else if (!attrs) {
		set_now(i);
	}
}

bool inode_owner_or_capable(const struct inode *i)
{
	return current->cred->fsuid == i->uid || capable_inode(i, CAP_FOWNER);
}

int inode_permission(struct inode *i, int mask)
{
	const struct cred *c = current->cred;
	u32 bits = i->mode;

	if (c->fsuid == i->uid)
		bits >>= 6;
	else if (cred_in_group(c, i->gid))
		bits >>= 3;
	if (((u32)mask & ~bits & 7) == 0)
		return 0;
	if (S_ISDIR(i->mode) && !(mask & MAY_WRITE) && capable_inode(i, CAP_DAC_READ_SEARCH))
		return 0;
	if (mask == MAY_READ && capable_inode(i, CAP_DAC_READ_SEARCH))
		return 0;
	if ((S_ISDIR(i->mode) || !(mask & MAY_EXEC) || (i->mode & 0111)) &&
	    capable_inode(i, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

void inode_getattr(struct inode *i, struct statx *st)
{
	memset(st, 0, sizeof(*st));
	st->stx_mask = STATX_BASIC_STATS;
	st->stx_blksize = 4096;
	st->stx_nlink = i->nlink;
	st->stx_uid = i->uid;
	st->stx_gid = i->gid;
	st->stx_mode = i->mode;
	st->stx_ino = i->ino;
	st->stx_size = i->size;
	st->stx_blocks = (i->size + 511) / 512;
	st->stx_atime.tv_sec = i->atime.sec;
	st->stx_atime.tv_nsec = i->atime.nsec;
	st->stx_mtime.tv_sec = i->mtime.sec;
	st->stx_mtime.tv_nsec = i->mtime.nsec;
	st->stx_ctime.tv_sec = i->ctime.sec;
	st->stx_ctime.tv_nsec = i->ctime.nsec;
	st->stx_rdev_major = i->rdev >> 32;
	st->stx_rdev_minor = (u32)i->rdev;
	if (inode_is_host(i)) {
		st->stx_dev_major = i->dev >> 32;
		st->stx_dev_minor = (u32)i->dev;
	} else {
		st->stx_dev_minor = i->dev ? (u32)i->dev : ANON_DEV;
	}
	if (i->ops->getattr)
		i->ops->getattr(i, st);
}

void inode_set_fields(struct inode *i, const struct iattr *a)
{
	if (a->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_ATIME) {
		i->atime.sec = a->atime.sec;
		i->atime.nsec = a->atime.nsec;
	}
	if (a->valid & ATTR_MTIME) {
		i->mtime.sec = a->mtime.sec;
		i->mtime.nsec = a->mtime.nsec;
	}
	inode_touch(i, 0);
}

int inode_setattr(struct inode *i, const struct iattr *a)
{
	int r = 0;

	if (i->ops->setattr)
		r = i->ops->setattr(i, a);
	else
		inode_set_fields(i, a);
	if (!r)
		fsnotify_inode(i, a->valid & ATTR_SIZE ? IN_MODIFY : IN_ATTRIB);
	return r;
}
