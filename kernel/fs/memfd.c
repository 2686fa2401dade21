/* SPDX-License-Identifier: Apache-2.0 */
/* memfd files and seals. */
#include <linux/memfd.h>

#include "memfile.h"
#include "vfs_impl.h"

#define ALL_SEALS                                                                                  \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | 0x20u)

static void memfd_release(struct inode *i)
{
	memfile_free(mem_inode(i));
	kfree(mem_inode(i));
}

static const struct inode_ops memfd_inode_ops = {
	.open = memfile_open,
	.setattr = memfile_setattr,
	.release = memfd_release,
};

struct file *memfd_file(const char *name, u32 flags, u64 size)
{
	struct mem_inode *m = kzalloc(sizeof(*m));
	struct file *f = file_new(&memfile_ops, O_RDWR | O_LARGEFILE_64, FMODE_READ | FMODE_WRITE);
	int r = -ENOMEM;

	if (!m || !f) {
		kfree(m);
		file_put(f);
		return ERR_PTR(-ENOMEM);
	}
	inode_init(&m->i, &memfd_inode_ops, NULL, S_IFREG | 0777);
	m->i.nlink = 0;
	inode_own(&m->i);
	if (!(flags & MFD_ALLOW_SEALING))
		m->seals = F_SEAL_SEAL;
	f->inode = &m->i;
	f->name = kasprintf("/memfd:%s (deleted)", name);
	if (f->name) {
		guard(&m->i.lock);
		r = size ? memfile_resize(&m->i, size) : 0;
	}
	if (!r)
		return f;
	file_put(f);
	return ERR_PTR(r);
}

int memfd_seals(struct file *f, bool add, u32 seals)
{
	struct mem_inode *m;

	if (f->ops != &memfile_ops)
		return -EINVAL;
	m = mem_inode(f->inode);
	guard(&m->i.lock);
	if (!add)
		return m->seals;
	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~ALL_SEALS)
		return -EINVAL;
	if (m->seals & F_SEAL_SEAL)
		return -EPERM;
	m->seals |= seals;
	return 0;
}
