/* SPDX-License-Identifier: Apache-2.0 */
/* Copying what a lower layer has to the upper one, before it is changed. */
#include "overlay.h"

#include "hostfs.h"

#define CHUNK 65536u

static bool is_zero(const u64 *p, size_t n)
{
	for (size_t i = 0; i < n / sizeof(*p); i++)
		if (p[i])
			return false;
	return !(n % sizeof(*p));
}

static int copy_chunks(struct file *in, struct file *out, char *buf, u64 *size)
{
	for (*size = 0;;) {
		s64 n = vfs_read_kernel(in, buf, CHUNK, (s64)*size), done = 0;

		if (n <= 0)
			return (int)n;
		if (is_zero((u64 *)buf, (size_t)n))
			done = n;
		while (done < n) {
			s64 w = vfs_write_kernel(out, buf + done, (size_t)(n - done), (s64)*size + done);

			if (w <= 0)
				return w ? (int)w : -EIO;
			done += w;
		}
		*size += (u64)n;
	}
}

static int copy_data(struct inode *from, struct inode *to)
{
	struct file *in = ovl_layer_open(from, O_RDONLY, true), *out;
	struct iattr a = {.valid = ATTR_SIZE};
	char *buf __kfree = kmalloc(CHUNK);
	int r = buf ? 0 : -ENOMEM;

	if (IS_ERR(in))
		return (int)PTR_ERR(in);
	out = inode_open_file(to, NULL, O_WRONLY);
	if (!r && !IS_ERR(out))
		r = copy_chunks(in, out, buf, &a.size);
	file_put(in);
	if (IS_ERR(out))
		return (int)PTR_ERR(out);
	file_put(out);
	return r ? r : to->ops->setattr(to, &a); /* a hole at the end */
}

static void copy_attributes(struct inode *to, const struct statx *st)
{
	to->mode = st->stx_mode;
	to->uid = st->stx_uid;
	to->gid = st->stx_gid;
	to->atime.sec = st->stx_atime.tv_sec;
	to->atime.nsec = st->stx_atime.tv_nsec;
	to->mtime.sec = st->stx_mtime.tv_sec;
	to->mtime.nsec = st->stx_mtime.tv_nsec;
}

/* A name in the upper directory, with the directory's own times as they were. */
static int give_name(struct ovl_inode *o, struct inode *up, const struct statx *st, struct inode **made)
{
	struct inode was = *up;
	size_t len = strlen(o->name);
	char *text __kfree = NULL;
	int r;

	if (S_ISLNK(st->stx_mode)) {
		text = kzalloc(PATH_MAX);
		r = text ? o->i.ops->readlink(&o->i, text, PATH_MAX - 1) : -ENOMEM;
		if (r < 0)
			return r;
	}
	guard(&up->lock);
	if (*made)
		r = up->ops->link(up, o->name, len, *made);
	else if (text)
		r = up->ops->symlink(up, o->name, len, text);
	else
		r = up->ops->create(up, o->name, len, st->stx_mode, o->i.rdev, made);
	if (!r && text)
		r = up->ops->lookup(up, o->name, len, made);
	up->mtime = was.mtime;
	up->ctime = was.ctime;
	return r;
}

/* A regular file appears when it is complete. */
static int make_file(struct inode *dir, struct inode *from, const struct statx *st, bool data, struct inode **made)
{
	int r;

	mutex_lock(&dir->lock);
	r = dir->ops->create(dir, NULL, 0, S_IFREG | 0600, 0, made);
	mutex_unlock(&dir->lock);
	if (!r && data && st->stx_size)
		r = copy_data(from, *made);
	return r ? r : ovl_copy_xattrs(from, *made);
}

/* Its directory is there. */
static int copy_one(struct ovl_inode *o, bool data)
{
	struct inode *made = NULL, *dir = o->gone ? ovl_upper(o->sb->root) : ovl_upper(o->dir);
	struct statx st;
	int r = ovl_layer_stat(o->lower[0], &st);

	if (r)
		return r;
	if (S_ISREG(st.stx_mode))
		r = make_file(dir, o->lower[0], &st, data, &made);
	else if (o->gone)
		r = -EROFS; /* nobody will see it */
	if (!r && !o->gone)
		r = give_name(o, dir, &st, &made);
	if (r) {
		inode_put(made);
		return r;
	}
	copy_attributes(made, &st);
	r = S_ISREG(st.stx_mode) ? 0 : ovl_copy_xattrs(o->lower[0], made);
	if (r)
		printk(LOG_WARN, "overlay: attributes of %s are not all copied: %d\n", o->name, r);
	mem_inode(made)->origin = o->i.ino;
	__atomic_store_n(&o->upper, made, __ATOMIC_RELEASE);
	return 0;
}

int ovl_copy_up(struct ovl_inode *o, bool data)
{
	while (!ovl_upper(o)) {
		struct ovl_inode *top = o;
		int r;

		if (!ovl_upper(o->sb->root))
			return -EROFS;
		while (!top->gone && !ovl_upper(top->dir))
			top = top->dir;
		r = copy_one(top, data || top != o);
		if (r)
			return r;
	}
	return 0;
}
