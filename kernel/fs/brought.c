/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an open brought along. The hypervisor answers an open with the file's attributes, and a small file's with all
 * that it holds and no descriptor. The fstat and the reads that follow at once are answered from that: no host call, no
 * PV call. Anything else that is done with such a file has the machine fetch the descriptor (PV_DONATE), as in a process that
 * lacks one.
 *
 * Why that is a read: nobody can tell it from one that was made a moment earlier. Who reads can't know of a change
 * since the open, because nothing reached it: it has made no system call but those that bring nothing in (task->ncalls
 * counts the others, and signals), shares its memory with no other task, has nothing mapped shared that others may write, and the open is
 * less than a millisecond old. So a change that came before the read, in any order that the caller knows of, came before the open.
 *
 * The file's position is f->pos until the descriptor is needed (brought_settle). Nothing is asked for while somebody in
 * here watches files, nor by programs that do not read what they open; atime is set by the open (PV_WILL_READ).
 */
#include "brought.h"

#include <linux/fadvise.h>
#include <linux/fs.h>

#include "hostfs.h"
#include "kept.h"
#include "mm.h"
#include "task.h"
#include "vfs_impl.h"

#define FRESH_NS 1000000u
#define HABIT 2  /* opens that were, or were not, followed by a read: then the next is expected to be like them */
#define RETRY 16 /* one of so many opens asks again */

struct brought {
	struct task *task;
	u64 call; /* task->ncalls after the open */
	u64 until;
	struct stat st;
	bool whole, used, mapped;
	u32 len;
	u8 data[];
};

/* Not by those of files that only root may write and nobody has open to write: what locales are made of. */
bool mapping_tells(const struct vma *v)
{
	const struct inode *i = v->file ? v->file->inode : NULL;

	return !i || !inode_is_host(i) || (v->file->mode & FMODE_WRITE) || i->uid || (i->mode & 022) || writers_any(i);
}

static bool alone(const struct task *t)
{
	return t->mm && ref_read(&t->mm->ref) == 1 && !t->mm->shared;
}

/* What its opens were followed by, of late. */
static bool reads(const struct task *t) { return t->opens_read >= HABIT; }

static bool asks(struct task *t)
{
	return t->opens_in_vain < HABIT || ++t->opens_in_vain % RETRY == 0;
}

u32 brought_wanted(const struct open_args *a, u64 *now)
{
	u32 plain = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE_64;

	*now = 0;
	if ((a->flags & ~plain) || a->exec || !current->proc || !alone(current) || kept_stopped())
		return 0;
	*now = mc_clock(1 /* CLOCK_MONOTONIC */);
	if (!asks(current))
		return 0;
	return PV_WANT_DATA | (reads(current) ? PV_WILL_READ : 0);
}

static void fill_stat(struct stat *st, const struct pv_file *pf)
{
	*st = (struct stat){
		.st_dev = dev_encode(pf->dev_major, pf->dev_minor),
		.st_ino = pf->ino,
		.st_nlink = pf->nlink,
		.st_mode = pf->mode,
		.st_uid = pf->uid,
		.st_gid = pf->gid,
		.st_rdev = dev_encode(pf->rdev_major, pf->rdev_minor),
		.st_size = (s64)pf->size,
		.st_blksize = pf->blksize,
		.st_blocks = (s64)pf->blocks,
		.st_atime = (u64)pf->atime_sec,
		.st_atime_nsec = pf->atime_nsec,
		.st_mtime = (u64)pf->mtime_sec,
		.st_mtime_nsec = pf->mtime_nsec,
		.st_ctime = (u64)pf->ctime_sec,
		.st_ctime_nsec = pf->ctime_nsec,
	};
}

struct brought *brought_take(const struct pv_file *pf, const u8 *data, u64 now)
{
	u32 len = pf->whole ? min(pf->data_len, PV_DATA_MAX) : 0;
	struct brought *b;

	if (!now || !pf->opened || !S_ISREG(pf->mode))
		return NULL;
	b = kmalloc(sizeof(*b) + len);
	if (!b)
		return NULL;
	b->task = current;
	b->call = current->ncalls;
	b->until = now + FRESH_NS;
	b->whole = pf->whole;
	b->used = b->mapped = false;
	b->len = len;
	fill_stat(&b->st, pf);
	memcpy(b->data, data, len);
	return b;
}

void brought_give(struct file *f, struct brought *b)
{
	if (!b)
		return;
	f->priv = b;
	f->behind = b->whole;
	f->mode |= FMODE_BROUGHT;
}

/* Opens teach what the next ones will be good for. */
static void learn(const struct brought *b)
{
	struct task *t = current;

	if (b->task != t || b->mapped)
		return;
	if (!b->used)
		t->opens_read = 0;
	else if (t->opens_read < HABIT)
		t->opens_read++;
	if (b->whole && b->used)
		t->opens_in_vain = 0;
	else if (b->whole && t->opens_in_vain < HABIT)
		t->opens_in_vain++;
}

void brought_free(struct file *f)
{
	struct brought *b = f->priv;

	learn(b);
	kfree(b);
}

/* It is not closed before it is mapped no more: too late for what is opened next. */
void brought_mapped(struct file *f)
{
	struct brought *b = f->priv;

	guard(&f->lock);
	learn(b);
	b->mapped = true;
}

static struct brought *fresh(const struct file *f)
{
	struct brought *b = f->priv;
	struct task *t = current;

	/* The call under way is counted. */
	if (b->task != t || b->call + 1 != t->ncalls || !alone(t) || mc_clock(1 /* CLOCK_MONOTONIC */) > b->until)
		return NULL;
	return b;
}

void brought_pass(void) { current->ncalls--; }

void brought_pass_fd(void)
{
	if (fdtable_alone())
		brought_pass();
}

int brought_stat(struct file *f, struct stat *st)
{
	struct brought *b = fresh(f);

	if (!b)
		return -EAGAIN;
	*st = b->st;
	brought_pass();
	return 0;
}

s64 brought_read(struct file *f, const struct mc_iovec *iov, s64 off)
{
	struct brought *b = fresh(f);
	u64 at, n = 0;

	((struct brought *)f->priv)->used = true;
	if (!b || !READ_ONCE(f->behind))
		return -EAGAIN;
	guard(&f->lock);
	if (!f->behind)
		return -EAGAIN;
	at = (u64)(off == -1 ? f->pos : off);
	if (at < b->len)
		n = min(iov->len, b->len - at);
	if (n && mc_copy_to_user(iov->base, b->data + at, n))
		return -EAGAIN; /* the host says how far it comes */
	if (off == -1)
		f->pos += (s64)n;
	brought_pass();
	return (s64)n;
}

/* With the file's lock. */
static void settle(struct file *f)
{
	if (f->behind && f->pos) {
		file_moves(f);
		mc_seek(f->handle, f->pos, SEEK_SET);
	}
	f->behind = false;
}

void brought_settle(struct file *f)
{
	if (likely(!READ_ONCE(f->behind)))
		return;
	guard(&f->lock);
	settle(f);
}

s64 brought_seek(struct file *f, s64 off, int whence)
{
	guard(&f->lock);
	if (whence == SEEK_CUR)
		off += f->pos;
	if (!f->behind || (whence != SEEK_SET && whence != SEEK_CUR) || off < 0 || off > 0x7fffffff) {
		settle(f);
		return -EAGAIN;
	}
	f->pos = off;
	if (fresh(f))
		brought_pass();
	return off;
}

bool brought_advice(const struct file *f, int advice)
{
	return READ_ONCE(f->behind) && advice != POSIX_FADV_DONTNEED;
}

s64 host_position(const struct file *f)
{
	return READ_ONCE(f->behind) ? f->pos : mc_seek(f->handle, 0, SEEK_CUR);
}
