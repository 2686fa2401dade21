/* SPDX-License-Identifier: Apache-2.0 */
/* memfd files and seals. */
#include <linux/memfd.h>

#include <linux/mman.h>

#include "memfile.h"
#include "mm.h"
#include "task.h"
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

static bool maps_writable(struct mm *mm, const struct inode *i)
{
	struct vma_iter it = {0};
	const struct vma *v;

	guard(&mm->lock);
	while ((v = vma_next(mm, &it))) {
		if (v->file && v->file->inode == i && v->flags & MAP_SHARED && v->max_prot & PROT_WRITE)
			return true;
	}
	return false;
}

/* The address space of the first process above *pid that has one, with a reference; NULL: no more. */
static struct mm *next_mm(int *pid)
{
	struct task *t;

	guard(&tasklist_lock);
	while ((*pid = next_pid(*pid)))
		list_for_each(t, &find_process(*pid)->threads, thread_node)
			if (t->mm)
				return mm_get(t->mm);
	return NULL;
}

static bool mapped_writable(const struct inode *i)
{
	struct mm *mm;
	bool found;

	for (int pid = 0; (mm = next_mm(&pid));) {
		found = maps_writable(mm, i);
		mm_put(mm);
		if (found)
			return true;
	}
	return false;
}

/*
 * The seal comes first, then the search: who maps at the same time either has its map in the list already
 * or is told by memfile_check_map(), which looks at the seals with its mm's lock held.
 */
static int seal(struct mem_inode *m, u32 seals)
{
	u32 before = m->seals;

	__atomic_store_n(&m->seals, before | seals, __ATOMIC_SEQ_CST);
	if (!(seals & ~before & F_SEAL_WRITE) || !m->mapped || !mapped_writable(&m->i))
		return 0;
	__atomic_store_n(&m->seals, before, __ATOMIC_SEQ_CST);
	return -EBUSY;
}

int memfile_check_map(struct vma *v)
{
	if (!v->file || v->file->ops != &memfile_ops || !(v->flags & MAP_SHARED) || !(v->max_prot & PROT_WRITE) ||
	    !(READ_ONCE(mem_inode(v->file->inode)->seals) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return 0;
	if (v->prot & PROT_WRITE)
		return -EPERM;
	v->max_prot &= ~(u32)PROT_WRITE;
	return 0;
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
	return seal(m, seals);
}
