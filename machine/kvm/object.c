// SPDX-License-Identifier: Apache-2.0
/* What regions show: files of the host, in the window; and anonymous memory that processes share. */
#include "space.h"

static struct object *object_new(bool file)
{
	struct object *o = kzalloc(sizeof(*o));

	if (o) {
		o->refs = 1;
		o->file = file;
	}
	return o;
}

struct object *object_shared(u64 len)
{
	struct object *o = object_new(false);

	if (!o)
		return NULL;
	o->nchunks = (u32)((len / PAGE_SIZE + CHUNK_PAGES - 1) / CHUNK_PAGES);
	o->chunks = kzalloc(o->nchunks * sizeof(*o->chunks));
	if (o->chunks)
		return o;
	kfree(o);
	return NULL;
}

/* What the call page names, by KVM_CALL_MAP or KVM_CALL_LARGER. */
static struct object *object_mapped(u32 call, u64 len, int *err)
{
	struct object *o = object_new(true);
	struct kvm_call *k = call_begin();
	s64 r;

	*err = -ENOMEM;
	if (!o)
		return NULL;
	k->u.map.len = len;
	r = call_make(call);
	if (r < 0) {
		*err = (int)r;
		kfree(o);
		return NULL;
	}
	o->gpa = k->u.map.gpa;
	o->first = k->u.map.off;
	o->pages = k->u.map.size;
	o->limit = k->u.map.len / PAGE_SIZE;
	o->writable = k->u.map.flags & KVM_MAP_WRITE;
	return o;
}

struct object *object_larger(const struct object *old, u64 len, int *err)
{
	struct kvm_call *k = call_begin();

	k->u.map.gpa = old->gpa;
	k->u.map.flags = old->writable ? KVM_MAP_WRITE : 0;
	return object_mapped(KVM_CALL_LARGER, len, err);
}

/*
 * ---- files that are mapped to be read, by handle: the segments of a program are one piece of the window, which stays until
 * the handle is released, and with it what KVM knows of its pages ----
 */

static struct object *by_handle[256];
static struct spinlock by_handle_lock;

static struct object **bucket(u32 handle) { return &by_handle[handle % ARRAY_SIZE(by_handle)]; }

static struct object *find_mapped(u32 handle, u64 off, u64 len)
{
	struct object *o;

	spin_lock(&by_handle_lock);
	for (o = *bucket(handle); o; o = o->next)
		if (o->handle == handle && off >= o->first && off + len <= o->first + o->limit * PAGE_SIZE)
			break;
	object_get(o);
	spin_unlock(&by_handle_lock);
	return o;
}

static void remember(struct object *o, u32 handle)
{
	object_get(o);
	o->handle = handle;
	spin_lock(&by_handle_lock);
	o->next = *bucket(handle);
	*bucket(handle) = o;
	spin_unlock(&by_handle_lock);
}

static struct object *take_mapped(u32 handle)
{
	struct object **at, *o;

	spin_lock(&by_handle_lock);
	for (at = bucket(handle); *at && (*at)->handle != handle; at = &(*at)->next)
		;
	o = *at;
	if (o)
		*at = o->next;
	spin_unlock(&by_handle_lock);
	return o;
}

void objects_forget(u32 handle)
{
	struct object *o;

	while ((o = take_mapped(handle)))
		object_put(o);
}

struct object *object_file(u32 handle, u64 off, u64 len, bool write, int *err)
{
	struct object *o = write ? NULL : find_mapped(handle, off, len);
	struct kvm_call *k = call_begin();

	if (o)
		return o;
	k->u.map.handle = handle;
	k->u.map.flags = write ? KVM_MAP_WRITE : KVM_MAP_WHOLE;
	k->u.map.off = off;
	o = object_mapped(KVM_CALL_MAP, len, err);
	if (o && !write)
		remember(o, handle);
	return o;
}

s64 object_read(u32 handle, void *buf, size_t len, u64 off)
{
	u64 from = off & PAGE_MASK, end;
	s64 n = -EAGAIN;
	int err;
	struct object *o = object_file(handle, from, PAGE_ALIGN(off + len) - from, false, &err);

	if (!o)
		return n;
	if (off + len > o->first + READ_ONCE(o->pages) * PAGE_SIZE)
		object_look(o); /* it may have grown */
	end = min(o->first + READ_ONCE(o->pages) * PAGE_SIZE, off + len);
	if (end > off && !kvm_wcopy(buf, direct(o->gpa + (off - o->first)), end - off))
		n = (s64)(end - off);
	object_put(o);
	return n;
}

struct object *object_get(struct object *o)
{
	if (o)
		__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

static void free_chunks(struct object *o)
{
	u32 c, i;

	for (c = 0; c < o->nchunks; c++) {
		for (i = 0; o->chunks[c] && i < CHUNK_PAGES; i++) {
			if (o->chunks[c][i])
				frame_put(o->chunks[c][i]);
		}
		kfree(o->chunks[c]);
	}
	kfree(o->chunks);
}

void object_put(struct object *o)
{
	struct kvm_call *k;

	if (!o || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (o->file) {
		k = call_begin();
		k->u.map.gpa = o->gpa;
		call_make(KVM_CALL_UNMAP);
	} else {
		free_chunks(o);
	}
	kfree(o);
}

void object_look(struct object *o)
{
	struct kvm_call *k = call_begin();
	s64 r;

	k->u.map.gpa = o->gpa;
	r = call_make(KVM_CALL_SIZE);
	WRITE_ONCE(o->pages, r > 0 ? (u64)r : 0);
}

static u64 file_page(struct object *o, u64 off, int *err)
{
	if (off / PAGE_SIZE >= READ_ONCE(o->pages) && off / PAGE_SIZE < o->limit)
		object_look(o);
	*err = -EFAULT;
	return off / PAGE_SIZE < min(READ_ONCE(o->pages), o->limit) ? o->gpa + off : 0;
}

static u64 shared_page(struct object *o, u64 off, int *err)
{
	u64 n = off / PAGE_SIZE, **chunk, *page;

	*err = -EFAULT;
	if (n / CHUNK_PAGES >= o->nchunks)
		return 0;
	*err = -ENOMEM;
	guard(&o->lock);
	chunk = &o->chunks[n / CHUNK_PAGES];
	if (!*chunk)
		*chunk = kzalloc(CHUNK_PAGES * sizeof(u64));
	if (!*chunk)
		return 0;
	page = &(*chunk)[n % CHUNK_PAGES];
	if (!*page)
		*page = frame_alloc();
	if (*page)
		frame_get(*page);
	return *page;
}

u64 object_page(struct object *o, u64 off, int *err)
{
	return o->file ? file_page(o, off, err) : shared_page(o, off, err);
}
