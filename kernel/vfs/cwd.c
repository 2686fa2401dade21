/* SPDX-License-Identifier: Apache-2.0 */
/* Working directory, root directory, umask. */
#include "cred.h"
#include "hostfs.h"
#include "mounts.h"
#include "syscall.h"
#include "user_ns.h"
#include "vfs_impl.h"

struct fs_ctx *fs_ctx_get(struct fs_ctx *f)
{
	ref_get(&f->ref);
	return f;
}

struct fs_ctx *fs_ctx_copy(struct fs_ctx *f)
{
	struct fs_ctx *copy = kzalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	ref_init(&copy->ref);
	guard(&f->lock);
	path_copy(&copy->cwd, &f->cwd);
	path_copy(&copy->root, &f->root);
	copy->mnt_ns = mnt_ns_get(f->mnt_ns);
	copy->umask = f->umask;
	return copy;
}

void fs_ctx_put(struct fs_ctx *f)
{
	if (!f || !ref_put(&f->ref))
		return;
	path_put(&f->cwd);
	path_put(&f->root);
	mnt_ns_put(f->mnt_ns);
	kfree(f);
}

/* The place in its file system; kmalloc'ed. */
static char *place_text(const struct path *p)
{
	char *text = NULL;

	if (p->inode && inode_is_host(p->inode))
		text = p->inode->handle ? host_path_of(p->inode->handle) : p->name ? NULL : kstrdup("/");
	if (text && !IS_ERR(text))
		return text;
	return kstrdup(p->name ? p->name : "");
}

/* Takes over the place. */
static char *seen_text(struct path *p, char *place, bool *reached)
{
	struct path root = {};
	char *text;

	*reached = true;
	if (!place || !p->mnt || (*place && *place != '/')) {
		return place && !*place ? (kfree(place), kstrdup("/")) : place;
	}
	mutex_lock(&current->fs->lock);
	path_copy(&root, &current->fs->root);
	mutex_unlock(&current->fs->lock);
	text = mount_path(p->mnt, place, &root, reached);
	path_put(&root);
	kfree(place);
	return text;
}

char *path_text_at(struct path *p, char *place)
{
	bool reached;

	return seen_text(p, place, &reached);
}

char *path_text(struct path *p)
{
	return path_text_at(p, place_text(p));
}

/* Takes over what `to` holds. */
static void set_path(struct path *which, struct path *to)
{
	struct fs_ctx *fs = current->fs;
	struct path old;

	mutex_lock(&fs->lock);
	old = *which;
	*which = *to;
	mutex_unlock(&fs->lock);
	path_put(&old);
}

/* A directory that the caller may enter; O_PATH opening has checked the walk but not the directory
 * itself. */
static int check_dir(struct file *f, struct path *out)
{
	struct inode *i = f->inode;
	int r;

	if (!i || !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (!inode_is_host(i)) {
		r = inode_permission(i, MAY_EXEC);
	} else {
		struct name n;

		name_file(&n, f);
		n.host = true;
		n.dir = i->handle;
		r = host_simple(&n, PV_ACCESS, 0, 1 /* X_OK */, 0);
	}
	return r ? r : file_path(f, out);
}

static int find_dir(uaddr_t upath, struct path *out)
{
	char *path __name = getname(upath);
	struct file *f;
	int r;

	if (IS_ERR(path))
		return PTR_ERR(path);
	f = vfs_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = check_dir(f, out);
	file_put(f);
	return r;
}

int vfs_chdir(const char *path)
{
	struct file *f = vfs_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	struct path to = {};
	int r;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	r = check_dir(f, &to);
	if (!r)
		set_path(&current->fs->cwd, &to);
	file_put(f);
	return r;
}

long sys_chdir(u64 path)
{
	struct path to = {};
	int r = find_dir(path, &to);

	if (!r)
		set_path(&current->fs->cwd, &to);
	return r;
}

long sys_fchdir(u64 fd)
{
	struct file *f __file = fd_get((int)fd);
	struct path to = {};
	int r;

	if (!f)
		return -EBADF;
	r = check_dir(f, &to);
	if (!r)
		set_path(&current->fs->cwd, &to);
	return r;
}

long sys_chroot(u64 path)
{
	struct path to = {};
	int r = find_dir(path, &to);

	if (r)
		return r;
	if (!capable_here(CAP_SYS_CHROOT)) {
		path_put(&to);
		return -EPERM;
	}
	if (inode_is_host(to.inode) && !to.name) {
		to.name = place_text(&to);
		to.mnt = mount_settle(to.mnt, to.name ? to.name : "");
	}
	set_path(&current->fs->root, &to);
	return 0;
}

long sys_getcwd(u64 to, u64 size)
{
	struct fs_ctx *fs = current->fs;
	struct path cwd;
	bool reached;
	char *text;
	long r;
	size_t len;

	mutex_lock(&fs->lock);
	path_copy(&cwd, &fs->cwd);
	mutex_unlock(&fs->lock);
	text = seen_text(&cwd, place_text(&cwd), &reached);
	path_put(&cwd);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (!reached || (len > 10 && !strcmp(text + len - 10, " (deleted)")))
		r = -ENOENT;
	else if (len + 1 > size)
		r = -ERANGE;
	else
		r = mc_copy_to_user(to, text, len + 1) ? -EFAULT : (long)len + 1;
	kfree(text);
	return r;
}

long sys_umask(u64 mask)
{
	struct fs_ctx *fs = current->fs;
	u32 old = READ_ONCE(fs->umask), new = (u32)mask & 0777;

	if (ref_read(&fs->ref) > 1) /* a task that shares it may change it now */
		return __atomic_exchange_n(&fs->umask, new, __ATOMIC_RELAXED);
	WRITE_ONCE(fs->umask, new);
	return old;
}
