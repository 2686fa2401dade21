/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables.
 *
 * Only tasks that share a table change it, under its lock. Reading needs no lock: arrays that
 * grew out of use are kept until the table dies, and file.c says why a reference may be
 * tried on a file that is being closed. A task whose table nobody shares is the only
 * one who changes it, so for the length of a system call it may even do without a reference.
 */
#include "leases.h"
#include "vfs_impl.h"

#define FIRST_FDS 64u
#define MAX_FDS	  (1u << 20)

struct fdarray {
	u32 size;
	struct fdarray *older;
	struct file **file;
	u64 *used, *cloexec; /* one bit each; a used one without a file is reserved */
};

struct fdtable {
	refcount_t ref;
	struct mutex lock;
	u32 next; /* no free descriptor below */
	struct fdarray *arr;
	struct fdarray first;
	u64 first_used, first_cloexec;
	struct file *first_file[FIRST_FDS];
};

static bool bit(const u64 *map, u32 n)
{
	return map[n / 64] >> (n % 64) & 1;
}
static void bit_put(u64 *map, u32 n, bool on)
{
	if (on)
		map[n / 64] |= 1ULL << (n % 64);
	else
		map[n / 64] &= ~(1ULL << (n % 64));
}

struct fdtable *fdtable_new(void)
{
	struct fdtable *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->first = (struct fdarray){.size = FIRST_FDS,
				    .file = t->first_file,
				    .used = &t->first_used,
				    .cloexec = &t->first_cloexec};
	t->arr = &t->first;
	return t;
}

/* Room for descriptor fd. Lock held (or nobody knows the table yet). */
static int fdtable_grow(struct fdtable *t, u32 fd)
{
	struct fdarray *old = t->arr, *a;
	u32 size = old->size, words;

	if (fd < size)
		return 0;
	if (fd >= MAX_FDS)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	words = size / 64;
	a = kzalloc(sizeof(*a) + size * sizeof(struct file *) + 2 * words * sizeof(u64));
	if (!a)
		return -ENOMEM;
	a->size = size;
	a->older = old;
	a->file = (struct file **)(a + 1);
	a->used = (u64 *)(a->file + size);
	a->cloexec = a->used + words;
	memcpy(a->file, old->file, old->size * sizeof(struct file *));
	memcpy(a->used, old->used, old->size / 8);
	memcpy(a->cloexec, old->cloexec, old->size / 8);
	__atomic_store_n(&t->arr, a, __ATOMIC_RELEASE);
	return 0;
}

static struct file *slot_load(struct fdtable *t, u32 fd)
{
	struct fdarray *a = __atomic_load_n(&t->arr, __ATOMIC_ACQUIRE);

	return fd < a->size ? __atomic_load_n(&a->file[fd], __ATOMIC_ACQUIRE) : NULL;
}

static void slot_store(struct fdtable *t, u32 fd, struct file *f)
{
	__atomic_store_n(&t->arr->file[fd], f, __ATOMIC_RELEASE);
}

/* Frees the number. Lock held. */
static void slot_clear(struct fdtable *t, u32 fd)
{
	slot_store(t, fd, NULL);
	bit_put(t->arr->used, fd, false);
	bit_put(t->arr->cloexec, fd, false);
	t->next = min(t->next, fd);
}

/* ---- finding files ---- */

static struct file *table_get(struct fdtable *t, u32 fd)
{
	for (;;) {
		struct file *f = slot_load(t, fd);

		if (!f)
			return NULL;
		if (!ref_get_unless_zero(&f->ref))
			continue; /* being closed: the slot has changed or is about to */
		if (likely(slot_load(t, fd) == f))
			return f;
		file_put(f);
	}
}

struct fdref fd_borrow(int fd)
{
	struct fdtable *t = current->files;

	if (likely(ref_read(&t->ref) == 1))
		return (struct fdref){slot_load(t, fd), false};
	return (struct fdref){table_get(t, fd), true};
}

struct file *fd_get(int fd)
{
	struct fdtable *t = current->files;
	struct file *f;

	if (ref_read(&t->ref) != 1)
		return table_get(t, fd);
	f = slot_load(t, fd);
	return f ? file_get(f) : NULL;
}

struct file *fd_get_io(int fd)
{
	struct file *f = fd_get(fd);

	if (f && (f->mode & FMODE_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

static struct fdtable *table_of(struct task *t)
{
	struct fdtable *files;

	guard(&tasklist_lock);
	files = t->files;
	return files && ref_get_unless_zero(&files->ref) ? files : NULL;
}

struct file *fdtable_file(struct fdtable *t, int fd)
{
	return table_get(t, fd);
}

int fdtable_next(struct fdtable *t, int from)
{
	struct fdarray *a = __atomic_load_n(&t->arr, __ATOMIC_ACQUIRE);

	for (u32 fd = max(from, 0); fd < a->size; fd++) {
		if (fd % 64 == 0 && !a->used[fd / 64]) {
			fd += 63;
			continue;
		}
		if (slot_load(t, fd))
			return fd;
	}
	return -1;
}

bool fdtable_cloexec(struct fdtable *t, int fd)
{
	guard(&t->lock);

	return (u32)fd < t->arr->size && bit(t->arr->cloexec, fd);
}

struct file *fd_get_of(struct task *t, int fd)
{
	struct fdtable *files = table_of(t);
	struct file *f;

	if (!files)
		return NULL;
	f = fdtable_file(files, fd);
	fdtable_put(files);
	return f;
}

int fd_next(struct task *t, int from)
{
	struct fdtable *files = table_of(t);
	int fd;

	if (!files)
		return -1;
	fd = fdtable_next(files, from);
	fdtable_put(files);
	return fd;
}

bool fd_cloexec_of(struct task *t, int fd)
{
	struct fdtable *files = table_of(t);
	bool on;

	if (!files)
		return false;
	on = fdtable_cloexec(files, fd);
	fdtable_put(files);
	return on;
}

/* ---- new descriptors ---- */

static u32 first_free(const struct fdarray *a, u32 from)
{
	for (u32 w = from / 64; w < a->size / 64; w++) {
		u64 free = ~a->used[w];

		if (w == from / 64)
			free &= ~0ULL << (from % 64);
		if (free)
			return w * 64 + __builtin_ctzll(free);
	}
	return max(a->size, from);
}

/* Lock held. The lowest free number from `from` on. */
static int reserve_locked(struct fdtable *t, u32 from, bool cloexec)
{
	u32 fd = first_free(t->arr, max(from, t->next));
	int r;

	if (fd >= rlimit(RLIMIT_NOFILE))
		return -EMFILE;
	r = fdtable_grow(t, fd);
	if (r)
		return r;
	bit_put(t->arr->used, fd, true);
	bit_put(t->arr->cloexec, fd, cloexec);
	if (from <= t->next)
		t->next = fd + 1;
	return fd;
}

int fd_reserve(bool cloexec)
{
	struct fdtable *t = current->files;

	guard(&t->lock);
	return reserve_locked(t, 0, cloexec);
}

void fd_fill(int fd, struct file *f)
{
	struct fdtable *t = current->files;

	guard(&t->lock);
	slot_store(t, fd, f);
}

void fd_unreserve(int fd)
{
	struct fdtable *t = current->files;

	guard(&t->lock);
	slot_clear(t, fd);
}

static int install_from(struct file *f, u32 from, bool cloexec)
{
	struct fdtable *t = current->files;
	int fd;

	mutex_lock(&t->lock);
	fd = reserve_locked(t, from, cloexec);
	if (fd >= 0)
		slot_store(t, fd, f);
	mutex_unlock(&t->lock);
	if (fd < 0)
		file_put(f);
	return fd;
}

int fd_install(struct file *f, bool cloexec)
{
	return install_from(f, 0, cloexec);
}

static int close_file(struct file *f, struct fdtable *t)
{
	locks_close_posix(f, t);
	if (f->mode & FMODE_LOCKED)
		dnotify_close(f, t);
	if (f->ops && f->ops->flush)
		f->ops->flush(f, t);
	file_put(f);
	return 0;
}

/* Lock held; gives it back. Put f at exactly fd, closing what is there. */
static int replace_locked(struct fdtable *t, u32 fd, struct file *f, bool cloexec)
{
	struct file *old = NULL;
	int r = fdtable_grow(t, fd);

	if (!r) {
		old = slot_load(t, fd);
		if (!old && bit(t->arr->used, fd))
			r = -EBUSY; /* reserved by an open in progress */
	}
	if (!r) {
		bit_put(t->arr->used, fd, true);
		bit_put(t->arr->cloexec, fd, cloexec);
		slot_store(t, fd, f);
	}
	mutex_unlock(&t->lock);
	if (r) {
		file_put(f);
		return r;
	}
	if (old)
		close_file(old, t);
	return fd;
}

int fd_install_at(int fd, struct file *f, bool cloexec, bool exact)
{
	struct fdtable *t = current->files;

	if (!exact)
		return install_from(f, fd, cloexec);
	mutex_lock(&t->lock);
	return replace_locked(t, fd, f, cloexec);
}

/* ---- closing ---- */

static struct file *take_locked(struct fdtable *t, u32 fd)
{
	struct file *f = slot_load(t, fd);

	if (f)
		slot_clear(t, fd);
	return f;
}

bool fdtable_alone(void)
{
	return ref_read(&current->files->ref) == 1;
}

int fd_close(int fd)
{
	struct fdtable *t = current->files;
	struct file *f;

	mutex_lock(&t->lock);
	f = take_locked(t, fd);
	mutex_unlock(&t->lock);
	return f ? close_file(f, t) : -EBADF;
}

int fd_close_range(u32 first, u32 last, bool only_mark)
{
	struct fdtable *t = current->files;
	int fd;

	for (u32 from = first; (fd = fdtable_next(t, from)) >= 0 && (u32)fd <= last;
	     from = fd + 1) {
		if (only_mark)
			fd_set_cloexec(fd, true);
		else
			fd_close(fd);
	}
	return 0;
}

int fd_set_cloexec(int fd, bool on)
{
	struct fdtable *t = current->files;

	guard(&t->lock);
	if (!slot_load(t, fd))
		return -EBADF;
	bit_put(t->arr->cloexec, fd, on);
	return 0;
}

int fd_get_cloexec(int fd)
{
	struct fdtable *t = current->files;

	guard(&t->lock);
	return slot_load(t, fd) ? bit(t->arr->cloexec, fd) : -EBADF;
}

/* ---- tables of tasks ---- */

struct fdtable *fdtable_get(struct fdtable *t)
{
	ref_get(&t->ref);
	return t;
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	struct fdtable *copy = fdtable_new();

	if (!copy)
		return NULL;
	guard(&t->lock);
	if (fdtable_grow(copy, t->arr->size - 1)) {
		kfree(copy);
		return NULL;
	}
	for (u32 fd = 0; fd < t->arr->size; fd++) {
		struct file *f;

		if (fd % 64 == 0 && !t->arr->used[fd / 64]) {
			fd += 63;
			continue;
		}
		f = slot_load(t, fd);
		if (!f)
			continue; /* free, or reserved by another thread's open */
		copy->arr->file[fd] = file_get(f);
		bit_put(copy->arr->used, fd, true);
		bit_put(copy->arr->cloexec, fd, bit(t->arr->cloexec, fd));
	}
	return copy;
}

static void fdtable_free(struct fdtable *t)
{
	struct fdarray *a = t->arr;

	for (int fd = fdtable_next(t, 0); fd >= 0; fd = fdtable_next(t, fd + 1)) {
		struct file *f = slot_load(t, fd);

		slot_clear(t, fd);
		close_file(f, t);
	}
	while (a != &t->first) {
		struct fdarray *older = a->older;

		kfree(a);
		a = older;
	}
	kfree(t);
}

void fdtable_put(struct fdtable *t)
{
	if (t && ref_put(&t->ref))
		fdtable_free(t);
}

int fdtable_unshare(void)
{
	struct fdtable *old = current->files, *copy;

	if (ref_read(&old->ref) == 1)
		return 0;
	copy = fdtable_copy(old);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&tasklist_lock);
	current->files = copy;
	mutex_unlock(&tasklist_lock);
	fdtable_put(old);
	return 0;
}

/* exec: the caller is t. A table shared with other processes is theirs: leave it first. */
void fdtable_close_on_exec(struct task *task)
{
	struct fdtable *t;

	fdtable_unshare();
	t = task->files;
	for (u32 w = 0; w < t->arr->size / 64; w++) {
		u64 set = t->arr->cloexec[w] & t->arr->used[w];

		for (; set; set &= set - 1)
			fd_close(w * 64 + __builtin_ctzll(set));
	}
}
