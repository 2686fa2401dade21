/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_to_handle_at(2): files of tmpfs have handles, as numbers to compare by. Those of the host have none, as on an overlay:
 * what the host's handles say is not the guest's to know. No handle can be opened.
 */
#include "hostfs.h"
#include "mounts.h"
#include "syscall.h"
#include "tmpfs.h"
#include "vfs_impl.h"

#define HANDLE_MAX 128 /* MAX_HANDLE_SZ */

/* struct file_handle, and the one kind of tmpfs (FILEID_INO32_GEN): numbers are not used again, so generations are 0. */
struct handle {
	u32 bytes;
	s32 type;
	u32 generation, ino[2];
};
#define HANDLE_HEAD offsetof(struct handle, generation)
#define HANDLE_BYTES ((u32)(sizeof(struct handle) - HANDLE_HEAD))

struct found {
	struct handle handle;
	int mount;
};

static s64 host_handle(struct name *n, void *arg)
{
	struct statx x;
	s64 r = hostfs_stat(n, &x);

	return r ? r : -EOPNOTSUPP;
}

static s64 guest_handle(struct name *n, void *arg)
{
	struct found *to = arg;

	if (!tmpfs_owns(n->inode) || !n->mnt)
		return -EOPNOTSUPP;
	to->handle = (struct handle){ HANDLE_BYTES, 1, 0, { (u32)n->inode->ino, (u32)(n->inode->ino >> 32) } };
	to->mount = n->mnt->id;
	return 0;
}

static int find_handle(int dirfd, const char *path, u64 flags, struct found *to)
{
	struct name n;

	if (!*path && (flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
		struct file *f __file = fd_get(dirfd);

		if (!f)
			return -EBADF;
		name_file(&n, f);
		return name_run(&n, host_handle, guest_handle, to);
	}
	name_at(&n, dirfd, path, (flags & AT_SYMLINK_FOLLOW ? 0 : NAME_NOFOLLOW) | (flags & AT_EMPTY_PATH ? NAME_EMPTY : 0));
	return name_run(&n, host_handle, guest_handle, to);
}

long sys_name_to_handle_at(u64 dirfd, u64 upath, u64 uhandle, u64 mount_id, u64 uflags)
{
	u64 flags = (u32)uflags;
	char *path __name = getname_flags(upath, flags);
	struct found found;
	u32 room;
	int r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (flags & ~(u64)(AT_EMPTY_PATH | AT_SYMLINK_FOLLOW))
		return -EINVAL;
	r = find_handle((int)dirfd, path, flags, &found);
	if (r)
		return r;
	if (mc_copy_from_user(&room, uhandle, sizeof(room)))
		return -EFAULT;
	if (room > HANDLE_MAX)
		return -EINVAL;
	if (mc_copy_to_user(mount_id, &found.mount, sizeof(found.mount)) ||
	    mc_copy_to_user(uhandle, &found.handle, room < HANDLE_BYTES ? HANDLE_HEAD : sizeof(found.handle)))
		return -EFAULT;
	return room < HANDLE_BYTES ? -EOVERFLOW : 0;
}
