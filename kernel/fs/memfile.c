/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in memory. The bytes are in a memory object that the machine reads, writes and maps; size,
 * seals and accounting are here. Writes that change the size exclude each other by inode.lock.
 */
#include <linux/falloc.h>

#include <linux/mman.h>

#include "fsnotify.h"
#include "hostfs.h"
#include "hoststat.h"
#include "memfile.h"
#include "mm.h"
#include "ring.h"
#include "vfs_impl.h"

#include <asm/mman.h>

static s64 move_piece(struct uio *u, u32 handle, s64 off, int flags, u64 *want)
{
	uaddr_t base = u->iov->base + u->skip;

	*want = min(u->iov->len - u->skip, u->resid);
	if (u->kernel)
		return mc_io_kernel(handle, (void *)base, *want, off, flags);
	return mc_io(handle, &(struct mc_iovec){base, *want}, 1, off, flags);
}

s64 uio_handle(struct uio *u, u32 handle, s64 off, int flags)
{
	s64 done = 0;

	while (u->resid) {
		u64 want;
		s64 r = move_piece(u, handle, off + done, flags, &want);

		if (r < 0)
			return done ? done : r;
		done += r;
		u->skip += r;
		u->resid -= r;
		if ((u64)r < want)
			return done;
		if (u->n > 1) {
			u->iov++;
			u->n--;
			u->skip = 0;
		}
	}
	return done;
}

/* ---- the object ---- */

/* Charge the file with `len` bytes, no more and no less. `there`: the memory is in use, whatever the limit says. */
static int charge(struct mem_inode *m, u64 len, bool there)
{
	struct tmpfs *sb = m->sb;
	s64 more;

	if (!sb)
		return 0;
	guard(&sb->lock);
	len = PAGE_ALIGN(len);
	more = (s64)(len - m->charged);
	if (more > 0 && !there && sb->max_bytes && sb->used_bytes + (u64)more > sb->max_bytes)
		return -ENOSPC;
	sb->used_bytes += (u64)more;
	m->charged = len;
	return 0;
}

static int charge_up_to(struct mem_inode *m, u64 end)
{
	return end > m->charged ? charge(m, end, false) : 0;
}

static int make_object(struct inode *i, u64 len)
{
	u32 handle = host_handle_get();
	struct pv_slot s;
	s64 r;

	if (!handle)
		return -ENFILE;
	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_MEMFD;
	s.req.u.handle.id = handle;
	s.req.u.handle.len = len;
	r = mc_pv_call(&s);
	mc_pv_put(&s);
	if (r < 0) {
		host_handle_unused(handle);
		return r;
	}
	__atomic_store_n(&i->handle, handle, __ATOMIC_RELEASE);
	return 0;
}

/* Set-user-ID and file capabilities are for what the file was. */
static void drop_privs(struct mem_inode *m)
{
	if (unlikely(m->i.mode & (S_ISUID | S_ISGID) || m->xattrs))
		memfile_drop_privs(m);
}

int memfile_resize(struct inode *i, u64 len)
{
	struct mem_inode *m = mem_inode(i);
	u64 old = i->size;
	s64 r = 0;

	if (((m->seals & F_SEAL_SHRINK) && len < i->size) ||
	    ((m->seals & F_SEAL_GROW) && len > i->size))
		return -EPERM;
	if ((s64)len < 0)
		return -EFBIG;
	i->size = len;
	if (i->handle)
		r = host_handle_call(PV_TRUNC_OBJ, i->handle, 0, 0, len);
	else if (len)
		r = make_object(i, len);
	if (r < 0) {
		i->size = old;
		return r;
	}
	if (len < m->charged)
		charge(m, len, true);
	drop_privs(m);
	inode_touch(i, ATTR_MTIME);
	return 0;
}

void memfile_free(struct mem_inode *m)
{
	charge(m, 0, true);
	memfile_free_xattrs(m);
	if (m->i.handle)
		mc_handle_release(m->i.handle);
}

int memfile_setattr(struct inode *i, const struct iattr *a)
{
	int r = 0;

	guard(&i->lock);
	if (a->valid & ATTR_SIZE)
		r = memfile_resize(i, a->size);
	if (!r && a->valid & (ATTR_UID | ATTR_GID))
		drop_privs(mem_inode(i));
	if (!r)
		inode_set_fields(i, a);
	return r;
}

/* ---- file operations ---- */

static s64 mem_read(struct file *f, struct uio *u, s64 *pos)
{
	struct inode *i = f->inode;
	u32 handle = __atomic_load_n(&i->handle, __ATOMIC_ACQUIRE);
	s64 r;

	if (!handle)
		return 0;
	r = uio_handle(u, handle, *pos, 0);
	if (r > 0) {
		*pos += r;
		fsnotify_inode(i, IN_ACCESS);
	}
	return r;
}

/* Room for a write at pos; the position it may have. i->lock held. */
static int prepare_write(struct mem_inode *m, struct uio *u, s64 pos)
{
	u64 end = pos + u->resid;
	int r;

	if (m->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (pos < 0 || (s64)end < 0)
		return -EFBIG;
	if (!m->i.handle) {
		r = make_object(&m->i, m->i.size);
		if (r)
			return r;
	}
	if (end > m->i.size && (m->seals & F_SEAL_GROW))
		return -EPERM;
	return charge_up_to(m, end);
}

static s64 write_locked(struct file *f, struct uio *u, s64 *pos)
{
	struct mem_inode *m = mem_inode(f->inode);
	u64 before;
	s64 r;

	guard(&m->i.lock);
	if ((f->flags & O_APPEND) || (u->flags & RWF_APPEND))
		*pos = m->i.size;
	before = m->charged;
	r = prepare_write(m, u, *pos);
	if (r)
		return r;
	r = uio_handle(u, m->i.handle, *pos, MC_WRITE);
	if (r > 0)
		*pos += r;
	/* Charged with all of it; keep what was written. */
	if (m->charged > before)
		charge(m, max(before, r > 0 ? (u64)*pos : 0), true);
	if (r > 0)
		m->i.size = max(m->i.size, (u64)*pos);
	drop_privs(m);
	inode_touch(&m->i, ATTR_MTIME);
	return r;
}

static s64 mem_write(struct file *f, struct uio *u, s64 *pos)
{
	s64 r = u->resid ? write_locked(f, u, pos) : 0;

	if (r > 0)
		fsnotify_inode(f->inode, IN_MODIFY);
	return r;
}

static s64 mem_seek(struct file *f, s64 off, int whence)
{
	s64 r;

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || !f->inode->handle)
		return generic_seek(f, off, whence);
	r = mc_seek(f->inode->handle, off, whence);
	if (r >= 0) {
		guard(&f->lock);
		f->pos = r;
	}
	return r;
}

static int mem_mmap(struct file *f, struct vma *v)
{
	struct inode *i = f->inode;
	bool shared = v->flags & MAP_SHARED;
	int r = 0;

	guard(&i->lock);
	mem_inode(i)->mapped |= shared && (v->max_prot & PROT_WRITE);
	if (shared && (mem_inode(i)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) {
		if (v->prot & PROT_WRITE)
			return -EPERM;
		v->max_prot &= ~(u32)PROT_WRITE;
	}
	if (!i->handle)
		r = make_object(i, i->size);
	f->handle = i->handle;
	return r;
}

static int mem_fsync(struct file *f, bool data_only)
{
	return 0;
}

static int mem_truncate(struct file *f, u64 len)
{
	int r;

	mutex_lock(&f->inode->lock);
	r = memfile_resize(f->inode, len);
	mutex_unlock(&f->inode->lock);
	if (!r)
		fsnotify_inode(f->inode, IN_MODIFY);
	return r;
}

/* Pages that came by a shared map. */
static void charge_mapped(struct mem_inode *m)
{
	struct stat st;

	guard(&m->i.lock);
	if (m->mapped && m->sb && !mc_fstat(m->i.handle, &st) && (u64)st.st_blocks * 512 > m->charged)
		charge(m, (u64)st.st_blocks * 512, true);
}

static void mem_release(struct file *f)
{
	charge_mapped(mem_inode(f->inode));
	fsnotify_inode(f->inode, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}

/*
 * Memory is taken at once: more than there can be would cost the hypervisor's life, not the
 * caller's. A hole only gives back.
 */
static bool too_much(int mode, u64 len)
{
	const struct boot_info *b = mc_boot_info();
	u64 limit = limit_memory();

	return !(mode & FALLOC_FL_PUNCH_HOLE) && len > (limit ? limit : b->mem_total) / 2;
}

static int mem_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	s64 r;

	guard(&i->lock);
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && (mem_inode(i)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return -EPERM;
	if (too_much(mode, len))
		return -ENOSPC;
	r = mode & FALLOC_FL_PUNCH_HOLE ? 0 : charge_up_to(mem_inode(i), off + len);
	if (!r && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->size)
		r = memfile_resize(i, off + len);
	if (r)
		return r;
	if (!i->handle)
		return 0;
	r = host_handle_call(PV_FALLOCATE, i->handle, mode, off, len);
	return r < 0 ? r : 0;
}

const struct file_ops memfile_ops = {
	.release = mem_release,
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
	.mmap = mem_mmap,
	.fsync = mem_fsync,
	.truncate = mem_truncate,
	.fallocate = mem_fallocate,
};

int memfile_open(struct inode *i, struct file *f)
{
	f->ops = &memfile_ops;
	f->handle = i->handle;
	return 0;
}
