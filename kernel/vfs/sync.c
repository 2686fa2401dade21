/* SPDX-License-Identifier: Apache-2.0 */
/* sync(2): the host's file systems that are mounted in the container, each once. */
#include "hostfs.h"
#include "mounts.h"
#include "syscall.h"
#include "vfs_impl.h"

#define SYNC_MAX 64 /* places; what is beyond them the host flushes in its own time */

struct synced {
	char *places[SYNC_MAX];
	u64 devices[SYNC_MAX];
	u32 n, done;
};

/* The places of the host's mounts that the caller can name. */
static void find_places(struct synced *s)
{
	struct mnt_ns *ns = mnt_ns_current();
	struct path root;
	struct mount *m;
	bool reached;

	mutex_lock(&current->fs->lock);
	path_copy(&root, &current->fs->root);
	mutex_unlock(&current->fs->lock);
	mutex_lock(&mounts_lock);
	list_for_each(m, &ns->mounts, node) {
		if (!m->type->host || s->n == SYNC_MAX)
			continue;
		s->places[s->n] = mount_path_locked(m, m->base, &root, &reached);
		if (s->places[s->n] && reached)
			s->n++;
		else
			kfree(s->places[s->n]);
	}
	mutex_unlock(&mounts_lock);
	path_put(&root);
}

static bool is_done(struct synced *s, u64 device)
{
	for (u32 i = 0; i < s->done; i++)
		if (s->devices[i] == device)
			return true;
	s->devices[s->done++] = device;
	return false;
}

/* Of directories only: files that are mounted are on file systems of the host's own, and devices are not to be opened for this. */
static void sync_place(struct synced *s, const char *place)
{
	struct file *f __file = vfs_open(AT_FDCWD, place, O_RDONLY | O_DIRECTORY, 0);
	struct statx st;

	if (IS_ERR(f)) {
		f = NULL;
		return;
	}
	if (!f->handle || !f->inode || !inode_is_host(f->inode) || vfs_fstat(f, &st))
		return;
	if (!is_done(s, (u64)st.stx_dev_major << 32 | st.stx_dev_minor))
		host_handle_call(PV_FSYNC, f->handle, 2, 0, 0);
}

long sys_sync(void)
{
	struct synced *s = kzalloc(sizeof(*s));

	if (!s)
		return 0;
	find_places(s);
	for (u32 i = 0; i < s->n; i++) {
		sync_place(s, s->places[i]);
		kfree(s->places[i]);
	}
	kfree(s);
	return 0;
}
