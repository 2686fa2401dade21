/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files.
 *
 * Memory of struct file is only ever used for struct file again, and `ref` of a free one is
 * 0: so fd_get() may try to take a reference to a file that another thread is closing,
 * and find out afterwards whether it is still the one it meant.
 */
#include "epoll.h"
#include "hostfs.h"
#include "leases.h"
#include "mounts.h"
#include "pipe.h"
#include "vfs_impl.h"

static struct mutex cache_lock;
static struct file *cache; /* free ones, linked by priv */

static struct file *cache_take(void)
{
	struct file *f;

	guard(&cache_lock);
	f = cache;
	if (f)
		cache = f->priv;
	return f;
}

static void cache_give(struct file *f)
{
	guard(&cache_lock);
	f->priv = cache;
	cache = f;
}

struct file *file_new(const struct file_ops *ops, u32 flags, u32 mode)
{
	struct file *f = cache_take();

	if (f)
		memset(&f->mode, 0, sizeof(*f) - offsetof(struct file, mode)); /* all but ref */
	else
		f = kzalloc(sizeof(*f));
	if (!f)
		return NULL;
	f->ops = ops;
	f->flags = flags;
	f->mode = mode;
	list_init(&f->epitems);
	__atomic_store_n(&f->ref.n, 1, __ATOMIC_RELEASE);
	return f;
}

struct file *file_get(struct file *f)
{
	ref_get(&f->ref);
	return f;
}

static void file_free(struct file *f)
{
	if (f->mode & FMODE_LOCKED) {
		locks_release_file(f);
		leases_release_file(f);
		dnotify_close(f, NULL);
	}
	if (!list_empty(&f->epitems))
		eventpoll_release(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_MOUNTED)
		__atomic_sub_fetch(&f->mnt->writers, 1, __ATOMIC_RELEASE);
	mount_put(f->mnt);
	inode_put(f->inode);
	kfree(f->name);
	cache_give(f);
}

void file_set_mount(struct file *f, struct mount *mnt)
{
	f->mnt = mount_get(mnt);
	if (!mnt || !(f->mode & FMODE_WRITE) || !S_ISREG(f->inode->mode))
		return;
	f->mode |= FMODE_MOUNTED;
	__atomic_add_fetch(&mnt->writers, 1, __ATOMIC_ACQUIRE);
}

void file_put(struct file *f)
{
	if (f && ref_put(&f->ref))
		file_free(f);
}

const struct file_ops path_file_ops = {};

char *file_text(struct file *f)
{
	struct path p = {.mnt = f->mnt, .inode = f->inode, .name = f->name};

	if (f->inode && inode_is_host(f->inode) && !f->inode->handle && !f->name)
		return kstrdup("(unknown)");
	return f->inode ? path_text(&p) : kstrdup(f->name ? f->name : "(unknown)");
}

void files_text(struct file *const *f, char **texts, u32 n)
{
	u32 handles[HOST_PATHS] = {0};

	for (u32 i = 0; i < n; i++)
		handles[i] = f[i]->inode && inode_is_host(f[i]->inode) ? f[i]->inode->handle : 0;
	host_paths_of(handles, texts, n);
	for (u32 i = 0; i < n; i++) {
		struct path p = {.mnt = f[i]->mnt, .inode = f[i]->inode, .name = f[i]->name};

		texts[i] = texts[i] ? path_text_at(&p, texts[i]) : file_text(f[i]);
	}
}

int file_path(struct file *f, struct path *out)
{
	if (!f->inode)
		return -ENOENT;
	out->mnt = mount_get(f->mnt);
	out->inode = inode_get(f->inode);
	out->name = f->name ? kstrdup(f->name) : NULL;
	return 0;
}

u32 file_mount_flags(struct file *f)
{
	if (f->inode && inode_is_host(f->inode))
		return f->inode->mnt_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	return f->mnt ? f->mnt->flags : 0;
}

void file_identity(struct file *f, u64 *a, u64 *b)
{
	struct inode *i = f->inode;

	*a = 0;
	*b = (u64)f;
	if (!i)
		return;
	*a = i->dev;
	*b = i->ino;
}

/* ---- files without a name ---- */

static const struct inode_ops anon_inode_ops = {};

struct file *anon_file_numbered(const char *kind, u64 ino, const struct file_ops *ops, u32 flags, u32 fmode,
				u32 inode_mode, void *priv)
{
	struct file *f = file_new(ops, flags, fmode);

	if (!f)
		return NULL;
	f->inode = inode_new(&anon_inode_ops, NULL, inode_mode);
	if (f->inode && ino)
		f->inode->ino = ino;
	if (f->inode)
		f->name = S_ISFIFO(inode_mode) || S_ISSOCK(inode_mode)
				  ? kasprintf("%s:[%llu]", kind, (unsigned long long)f->inode->ino)
				  : kasprintf("anon_inode:[%s]", kind);
	if (!f->name) {
		f->ops = NULL; /* priv stays the caller's */
		file_put(f);
		return NULL;
	}
	f->priv = priv;
	return f;
}

struct file *anon_file(const char *kind, const struct file_ops *ops, u32 flags, u32 fmode,
		       u32 inode_mode, void *priv)
{
	return anon_file_numbered(kind, 0, ops, flags, fmode, inode_mode, priv);
}
