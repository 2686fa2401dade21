// SPDX-License-Identifier: Apache-2.0
/*
 * The window: files of the host, mapped where guest-physical memory shows them. The guest names places by their
 * offset in the window, which are looked up; what it makes of the pages is its own affair.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kvm/kvm_impl.h"

#define PAGE 4096ULL
#define LEN_MAX (1ULL << 36)
#define WHOLE_MAX (64ULL << 20)

void window_init(struct window *w)
{
	pthread_mutex_init(&w->lock, NULL);
}

/* The first gap that is large enough. Lock held. */
static struct window_object **find_gap(struct window *w, u64 len, u64 *off)
{
	struct window_object **at = &w->objects;

	*off = 0;
	while (*at && (*at)->off - *off < len) {
		*off = (*at)->off + (*at)->len;
		at = &(*at)->next;
	}
	return *off + len <= KVM_WINDOW_SIZE ? at : NULL;
}

static struct window_object *find(struct window *w, u64 off)
{
	struct window_object *o = w->objects;

	while (o && o->off != off)
		o = o->next;
	return o;
}

/* How many of the object's pages the file has. */
static u64 pages_of(const struct window_object *o)
{
	struct stat st;
	u64 size;

	if (fstat(o->handle->fd, &st))
		return 0;
	size = S_ISREG(st.st_mode) ? (u64)st.st_size : o->file_off + o->len; /* a device has no end */
	if (size <= o->file_off)
		return 0;
	size = (size - o->file_off + PAGE - 1) / PAGE;
	return size < o->len / PAGE ? size : o->len / PAGE;
}

/* To be written, too, if that was asked for and the file is open so. */
static bool map_file(void *place, const struct window_object *o, int fd, bool *write)
{
	const int flags = MAP_SHARED | MAP_FIXED;

	if (*write && mmap(place, o->len, PROT_READ | PROT_WRITE, flags, fd, (off_t)o->file_off) != MAP_FAILED)
		return true;
	*write = false;
	return mmap(place, o->len, PROT_READ, flags, fd, (off_t)o->file_off) != MAP_FAILED;
}

static void take_whole(const struct pv_handle *h, struct window_place *p)
{
	u64 end = p->file_off + p->len, size;
	struct stat st;

	if (fstat(h->fd, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)WHOLE_MAX || end > WHOLE_MAX)
		return;
	size = ((u64)st.st_size + PAGE - 1) & ~(PAGE - 1);
	p->file_off = 0;
	p->len = end > size ? end : size;
}

s64 window_map(struct kvm_guest *g, struct pv_handle *h, struct window_place *p)
{
	struct window *w = &g->window;
	struct window_object *o, **at;
	void *place;
	s64 ret = 0;

	if (!p->len || p->len > LEN_MAX || p->len % PAGE || p->file_off % PAGE || p->file_off > INT64_MAX - LEN_MAX)
		return -EINVAL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	if (p->whole)
		take_whole(h, p);
	pthread_mutex_lock(&w->lock);
	at = find_gap(w, p->len, &o->off);
	if (!at) {
		pthread_mutex_unlock(&w->lock);
		free(o);
		return -ENOMEM;
	}
	place = g->slots[SLOT_WINDOW].at + o->off;
	o->len = p->len;
	o->file_off = p->file_off;
	if (!map_file(place, o, h->fd, &p->write)) {
		ret = -errno;
		free(o);
	} else {
		o->handle = handle_ref(h);
		o->next = *at;
		*at = o;
		p->off = o->off;
		p->pages = pages_of(o);
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

s64 window_map_again(struct kvm_guest *g, u64 from, struct window_place *p)
{
	struct window *w = &g->window;
	struct pv_handle *h = NULL;
	const struct window_object *o;
	s64 ret;

	pthread_mutex_lock(&w->lock);
	o = find(w, from);
	if (o) {
		h = handle_ref(o->handle);
		p->file_off = o->file_off;
	}
	pthread_mutex_unlock(&w->lock);
	if (!h)
		return -EINVAL;
	ret = window_map(g, h, p);
	handle_put(h);
	return ret;
}

static void clear_place(struct kvm_guest *g, const struct window_object *o)
{
	mmap(g->slots[SLOT_WINDOW].at + o->off, o->len, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

s64 window_unmap(struct kvm_guest *g, u64 off)
{
	struct window *w = &g->window;
	struct window_object **at, *o;

	pthread_mutex_lock(&w->lock);
	for (at = &w->objects; *at && (*at)->off != off; at = &(*at)->next)
		;
	o = *at;
	if (o) {
		*at = o->next;
		clear_place(g, o);
	}
	pthread_mutex_unlock(&w->lock);
	if (!o)
		return -EINVAL;
	handle_put(o->handle);
	free(o);
	return 0;
}

s64 window_pages(struct kvm_guest *g, u64 off)
{
	struct window *w = &g->window;
	const struct window_object *o;
	s64 ret;

	pthread_mutex_lock(&w->lock);
	o = find(w, off);
	ret = o ? (s64)pages_of(o) : -EINVAL;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

s64 window_punch(struct kvm_guest *g, u64 off, u64 from, u64 len)
{
	struct window *w = &g->window;
	const struct window_object *o;
	s64 ret = -EINVAL;

	pthread_mutex_lock(&w->lock);
	o = find(w, off);
	if (o && from <= o->len && len <= o->len - from && from % PAGE == 0) {
		u8 *at = g->slots[SLOT_WINDOW].at + off + from;

		ret = madvise(at, len, MADV_REMOVE);
		if (ret)
			ret = -errno;
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

/* Is there a file that has less pages than are mapped? */
bool window_shrunk(struct kvm_guest *g)
{
	struct window *w = &g->window;
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (const struct window_object *o = w->objects; o && !found; o = o->next)
		found = pages_of(o) * PAGE != o->len;
	pthread_mutex_unlock(&w->lock);
	return found;
}

void window_free(struct kvm_guest *g)
{
	while (g->window.objects)
		window_unmap(g, g->window.objects->off);
}
