// SPDX-License-Identifier: Apache-2.0
/*
 * System V shared memory: a segment is a memory object that is mapped like any other file. Each
 * mapping holds a reference to the file, so their number is the number of attaches.
 */
#include "ipc.h"

#include <asm/shmbuf.h>
#include <linux/mman.h>

#include "fs.h"
#include "mm.h"
#include "ipc_show.h"
#include "pid_ns.h"
#include "syscall.h"

/* linux/shm.h wants a C library */
#define SHM_RDONLY 010000
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_STAT_ANY 15
#define SHM_DEST 01000 /* in the mode: will go with its last mapping */

struct shm {
	struct ipc_object ipc;
	struct file *file;
	u64 size;
	s64 atime, dtime;
	int cpid, lpid;
	const struct process *creator; /* while it lives */
	bool attached; /* ever */
};

static u64 total_pages; /* of all segments; atomic */

struct shm_info {
	int used_ids;
	u64 total, resident, swapped, attempts, successes;
};

static u64 pages_of(const struct shm *s)
{
	return PAGE_ALIGN(s->size) >> PAGE_SHIFT;
}

static u64 attaches(const struct shm *s)
{
	return ref_read(&s->file->ref) - 1;
}

static void shm_free(struct ipc_object *o)
{
	struct shm *s = (struct shm *)o;

	__atomic_fetch_sub(&total_pages, pages_of(s), __ATOMIC_RELAXED);
	file_put(s->file);
	kfree(s);
}

/* After IPC_RMID a segment can be attached for as long as somebody else has it: X servers rely on it. */
static bool shm_lingers(struct ipc_object *o)
{
	return attaches((struct shm *)o) > 0;
}

struct ipc_table shm_table = { .free = shm_free, .lingers = shm_lingers, .most = &ipc_limits.shmmni };

/*
 * kernel.shm_rmid_forced: a segment goes with its last mapping, or with its creator if nobody ever attached
 * it. Mappings come and go without a word here, so that is looked after before anything is asked of the
 * table, and when a process has ended.
 */
static void remove_forsaken(void)
{
	if (!READ_ONCE(ipc_limits.shm_rmid_forced))
		return;
	for (u32 i = 0; i < shm_table.top; i++) {
		struct shm *s = (struct shm *)shm_table.slot[i];

		if (!s || attaches(s) || (s->creator && !s->attached && !s->ipc.removed))
			continue;
		ipc_remove(&shm_table, &s->ipc);
		shm_table.slot[i] = NULL;
		shm_table.used--;
		shm_free(&s->ipc);
	}
}

void shm_process_exit(const struct process *p)
{
	if (!READ_ONCE(shm_table.used))
		return;
	guard(&shm_table.lock);
	for (u32 i = 0; i < shm_table.top; i++) {
		struct shm *s = (struct shm *)shm_table.slot[i];

		if (s && s->creator == p)
			s->creator = NULL;
	}
	remove_forsaken();
}

void ipc_limits_changed(void)
{
	guard(&shm_table.lock);
	remove_forsaken();
}

static struct ipc_object *shm_create(const struct ipc_request *r)
{
	u64 pages = PAGE_ALIGN(r->size) >> PAGE_SHIFT;
	u64 most = READ_ONCE(ipc_limits.shmall), total = __atomic_load_n(&total_pages, __ATOMIC_RELAXED);
	struct shm *s;
	struct file *f;

	if (!r->size || r->size > READ_ONCE(ipc_limits.shmmax))
		return ERR_PTR(-EINVAL);
	if (total > most || pages > most - total)
		return ERR_PTR(-ENOSPC);
	s = kzalloc(sizeof(*s));
	f = s ? memfd_file("", 0, PAGE_ALIGN(r->size)) : ERR_PTR(-ENOMEM);
	if (IS_ERR(f)) {
		kfree(s);
		return (void *)f;
	}
	kfree(f->name);
	f->name = kasprintf("/SYSV%08x (deleted)", r->key);
	s->file = f;
	s->size = r->size;
	s->cpid = current->proc->pid;
	s->creator = current->proc;
	__atomic_fetch_add(&total_pages, pages, __ATOMIC_RELAXED);
	return &s->ipc;
}

static long shm_check(struct ipc_object *o, const struct ipc_request *r)
{
	return r->size > ((struct shm *)o)->size ? -EINVAL : 0;
}

long sys_shmget(u64 key, u64 size, u64 flags)
{
	struct ipc_request r = { .key = (u32)key, .flags = (int)flags, .size = size,
				 .create = shm_create, .check = shm_check };

	if (size > USER_MAX_LEN)
		return -EINVAL;
	ipc_limits_changed();
	return ipc_get(&shm_table, &r);
}

/* The segment's file, with a reference, if the caller may attach it so. */
static struct file *attach(int id, u32 mode, u64 *size)
{
	struct shm *s;

	guard(&shm_table.lock);
	remove_forsaken();
	s = (struct shm *)ipc_find(&shm_table, id);
	if (IS_ERR(s))
		return (void *)s;
	if (!ipc_allowed(&s->ipc, mode))
		return ERR_PTR(-EACCES);
	s->atime = ipc_now();
	s->attached = true;
	s->lpid = current->proc->pid;
	*size = s->size;
	return file_get(s->file);
}

long sys_shmat(u64 id, u64 addr, u64 flags)
{
	bool read_only = flags & SHM_RDONLY;
	u32 prot = PROT_READ | (read_only ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
	u32 map = MAP_SHARED;
	struct file *f;
	u64 size = 0;
	s64 ret;

	if ((addr & ~PAGE_MASK) && !(flags & SHM_RND))
		return -EINVAL;
	if (!addr && (flags & SHM_REMAP))
		return -EINVAL;
	addr &= PAGE_MASK;
	if (addr)
		map |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	f = attach((int)id, read_only ? 0444 : 0666, &size);
	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = mm_map(current->mm, addr, PAGE_ALIGN(size), prot, map, f, 0, NULL);
	file_put(f);
	return ret == -EEXIST ? -EINVAL : ret;
}

/* The segment that begins at addr, as far as it is mapped in one piece; 0: there is none. */
static u64 mapped_length(uaddr_t addr, struct file **file)
{
	struct mm *mm = current->mm;
	struct vma *v;
	u64 len = 0;

	guard(&mm->lock);
	v = vma_find(mm, addr);
	if (!v || v->start != addr || v->off || !v->file || !v->file->name ||
	    !strstarts(v->file->name, "/SYSV"))
		return 0;
	*file = v->file; /* to compare with only */
	while (v && v->file == *file && v->off == len) {
		len += v->end - v->start;
		v = vma_find(mm, addr + len);
	}
	return len;
}

long sys_shmdt(u64 addr)
{
	struct file *f = NULL;
	u64 len = addr & ~PAGE_MASK ? 0 : mapped_length(addr, &f);
	int err = len ? mm_unmap(current->mm, addr, len) : -EINVAL;

	if (err)
		return err;
	guard(&shm_table.lock);
	for (u32 i = 0; i < shm_table.top; i++) {
		struct shm *s = (struct shm *)shm_table.slot[i];

		if (s && s->file == f) {
			s->dtime = ipc_now();
			s->lpid = current->proc->pid;
		}
	}
	remove_forsaken();
	return 0;
}

/* ---- shmctl ---- */

static void fill(const struct shm *s, struct shmid64_ds *d)
{
	memset(d, 0, sizeof(*d));
	d->shm_perm = ipc_shown_perm(&s->ipc);
	if (s->ipc.removed)
		d->shm_perm.mode |= SHM_DEST;
	d->shm_segsz = s->size;
	d->shm_atime = s->atime;
	d->shm_dtime = s->dtime;
	d->shm_ctime = s->ipc.ctime;
	d->shm_cpid = pid_shown(s->cpid);
	d->shm_lpid = pid_shown(s->lpid);
	d->shm_nattch = attaches(s);
}

static long stat_segment(int id, int cmd, uaddr_t to)
{
	struct shmid64_ds d;
	struct shm *s;
	long ret;

	mutex_lock(&shm_table.lock);
	s = (struct shm *)(cmd == IPC_STAT ? ipc_find(&shm_table, id) : ipc_at(&shm_table, id));
	ret = IS_ERR(s) ? PTR_ERR(s) : 0;
	if (!ret && cmd != SHM_STAT_ANY && !ipc_allowed(&s->ipc, 0444))
		ret = -EACCES;
	if (!ret) {
		fill(s, &d);
		ret = cmd == IPC_STAT ? 0 : s->ipc.id;
	}
	mutex_unlock(&shm_table.lock);
	if (ret >= 0 && mc_copy_to_user(to, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long change(int id, int cmd, uaddr_t from)
{
	struct shmid64_ds d;
	struct shm *s;
	bool gone = false;
	long ret = 0;

	if (cmd == IPC_SET && mc_copy_from_user(&d, from, sizeof(d)))
		return -EFAULT;
	mutex_lock(&shm_table.lock);
	s = (struct shm *)ipc_find(&shm_table, id);
	if (IS_ERR(s) || !ipc_owned(&s->ipc)) {
		mutex_unlock(&shm_table.lock);
		return IS_ERR(s) ? PTR_ERR(s) : -EPERM;
	}
	if (cmd == IPC_SET) {
		ret = ipc_set_perm(&s->ipc, &d.shm_perm);
	} else if (cmd == IPC_RMID && !s->ipc.removed) {
		ipc_remove(&shm_table, &s->ipc);
		gone = !shm_lingers(&s->ipc);
		if (gone) {
			shm_table.slot[id % IPC_SLOTS] = NULL;
			shm_table.used--;
		}
	}
	mutex_unlock(&shm_table.lock);
	if (gone)
		ipc_put(&shm_table, &s->ipc);
	return ret;
}

static long show_limits(uaddr_t to)
{
	struct shminfo64 i = { .shmmax = ipc_limits.shmmax, .shmmin = 1, .shmall = ipc_limits.shmall,
			       .shmmni = (u64)ipc_limits.shmmni, .shmseg = (u64)ipc_limits.shmmni };

	if (mc_copy_to_user(to, &i, sizeof(i)))
		return -EFAULT;
	guard(&shm_table.lock);
	return ipc_highest(&shm_table);
}

static long show_usage(uaddr_t to)
{
	struct shm_info i = { 0 };
	long highest;

	mutex_lock(&shm_table.lock);
	i.used_ids = (int)shm_table.used;
	i.total = __atomic_load_n(&total_pages, __ATOMIC_RELAXED);
	highest = ipc_highest(&shm_table);
	mutex_unlock(&shm_table.lock);
	i.resident = i.total;
	return mc_copy_to_user(to, &i, sizeof(i)) ? -EFAULT : highest;
}

long sys_shmctl(u64 id, u64 cmd_arg, u64 buf)
{
	int cmd = (int)cmd_arg & ~IPC_64;

	ipc_limits_changed();
	switch (cmd) {
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return stat_segment((int)id, cmd, buf);
	case IPC_RMID:
	case IPC_SET:
	case SHM_LOCK: /* allowed and without effect: the host decides what is swapped */
	case SHM_UNLOCK:
		return change((int)id, cmd, buf);
	case IPC_INFO:
		return show_limits(buf);
	case SHM_INFO:
		return show_usage(buf);
	}
	return -EINVAL;
}

void ipc_show_shm(struct seq *m)
{
	guard(&shm_table.lock);

	remove_forsaken();
	for (u32 i = 0; i < shm_table.top; i++) {
		struct shm *s = (struct shm *)shm_table.slot[i];
		struct shmid64_ds d;

		if (!s || !ipc_visible(&s->ipc))
			continue;
		fill(s, &d);
		seq_printf(m, "%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
			   d.shm_perm.key, s->ipc.id, d.shm_perm.mode, s->size, d.shm_cpid, d.shm_lpid,
			   d.shm_nattch, d.shm_perm.uid, d.shm_perm.gid, d.shm_perm.cuid,
			   d.shm_perm.cgid, d.shm_atime, d.shm_dtime, d.shm_ctime, (u64)PAGE_ALIGN(s->size),
			   0UL);
	}
}
