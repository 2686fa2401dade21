/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated address spaces: a sorted list of regions, and the pages that were touched. A private
 * page belongs to its space (fork copies it); a shared one to its object: a file's page of the
 * host, or an anonymous one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stub_impl.h"

#define BUCKETS 512

/* What a region shows: a file (fd), or shared anonymous memory (fd -1). Private anonymous memory
 * has none. */
struct object {
	int refs;
	int fd;
	u64 dev, ino; /* identity of shared pages; anonymous: 0 and a number */
};

struct region {
	struct region *next;
	uaddr_t start, end;
	int prot;
	bool shared;
	struct object *object;
	u64 off;
};

struct pte {
	struct pte *next;
	u64 page; /* address / PAGE */
	u8 *data;
};

struct space {
	int refs;
	pthread_mutex_t lock;
	struct region *regions;
	struct pte *ptes[BUCKETS];
};

/* Pages of shared objects, for all spaces. They stay until the process ends. */
struct shared_page {
	struct shared_page *next;
	u64 dev, ino, index;
	u8 *data;
};
static struct shared_page *shared_pages[BUCKETS];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static u64 next_anonymous;

/* ---- objects ---- */

static struct object *object_new(int fd)
{
	struct object *o = calloc(1, sizeof(*o));
	struct stat st;

	STUB_CHECK(o);
	o->refs = 1;
	o->fd = fd < 0 ? -1 : dup(fd);
	if (fd < 0) {
		o->ino = __atomic_add_fetch(&next_anonymous, 1, __ATOMIC_RELAXED);
		return o;
	}
	STUB_CHECK(o->fd >= 0 && fstat(fd, &st) == 0);
	o->dev = st.st_dev;
	o->ino = st.st_ino;
	return o;
}

static struct object *object_get(struct object *o)
{
	if (o)
		__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

static void object_put(struct object *o)
{
	if (!o || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (o->fd >= 0)
		close(o->fd);
	free(o);
}

static bool within_file(const struct object *o, u64 off)
{
	struct stat st;

	return fstat(o->fd, &st) == 0 && off < (u64)st.st_size;
}

static u8 *shared_data(const struct object *o, u64 off)
{
	int flags = o->fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	u8 *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, o->fd, o->fd < 0 ? 0 : (off_t)off);

	if (p == MAP_FAILED)
		p = mmap(NULL, PAGE, PROT_READ, flags, o->fd, (off_t)off);
	STUB_CHECK(p != MAP_FAILED);
	return p;
}

static u8 *shared_page(const struct object *o, u64 off)
{
	u64 index = off / PAGE;
	struct shared_page **bucket = &shared_pages[(o->ino * 31 + index) % BUCKETS], *p;

	if (o->fd >= 0 && !within_file(o, off))
		return NULL;
	pthread_mutex_lock(&shared_lock);
	for (p = *bucket; p; p = p->next) {
		if (p->dev == o->dev && p->ino == o->ino && p->index == index)
			break;
	}
	if (!p) {
		p = calloc(1, sizeof(*p));
		STUB_CHECK(p);
		*p = (struct shared_page){*bucket, o->dev, o->ino, index, shared_data(o, off)};
		*bucket = p;
	}
	pthread_mutex_unlock(&shared_lock);
	return p->data;
}

/* ---- pages ---- */

static struct pte **pte_bucket(struct space *s, u64 page)
{
	return &s->ptes[page % BUCKETS];
}

static struct pte *pte_find(struct space *s, u64 page)
{
	for (struct pte *p = *pte_bucket(s, page); p; p = p->next) {
		if (p->page == page)
			return p;
	}
	return NULL;
}

static struct pte *pte_add(struct space *s, u64 page)
{
	struct pte *p = malloc(sizeof(*p));

	STUB_CHECK(p);
	p->page = page;
	p->data = calloc(1, PAGE);
	STUB_CHECK(p->data);
	p->next = *pte_bucket(s, page);
	*pte_bucket(s, page) = p;
	return p;
}

/* Take the pages of [start, end) out of the space; as a list, still with their data. */
static struct pte *ptes_take(struct space *s, uaddr_t start, uaddr_t end)
{
	struct pte *taken = NULL;

	for (int i = 0; i < BUCKETS; i++) {
		for (struct pte **at = &s->ptes[i], *p = *at; p; p = *at) {
			if (p->page < start / PAGE || p->page >= end / PAGE) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			p->next = taken;
			taken = p;
		}
	}
	return taken;
}

static void ptes_drop(struct space *s, uaddr_t start, uaddr_t end)
{
	struct pte *p = ptes_take(s, start, end), *next;

	for (; p; p = next) {
		next = p->next;
		free(p->data);
		free(p);
	}
}

/* ---- regions ---- */

static struct region *region_find(struct space *s, uaddr_t addr)
{
	for (struct region *r = s->regions; r && r->start <= addr; r = r->next) {
		if (addr < r->end)
			return r;
	}
	return NULL;
}

static void region_insert(struct space *s, struct region *r)
{
	struct region **at = &s->regions;

	while (*at && (*at)->start < r->start)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
}

static struct region *region_copy(const struct region *r)
{
	struct region *c = malloc(sizeof(*c));

	STUB_CHECK(c);
	*c = *r;
	object_get(c->object);
	return c;
}

static void region_split(struct space *s, uaddr_t addr)
{
	struct region *r = region_find(s, addr), *c;

	if (!r || r->start == addr)
		return;
	c = region_copy(r);
	c->off += addr - r->start;
	c->start = r->end = addr;
	c->next = r->next;
	r->next = c;
}

static void regions_remove(struct space *s, uaddr_t start, uaddr_t end)
{
	region_split(s, start);
	region_split(s, end);
	for (struct region **at = &s->regions, *r = *at; r && r->start < end; r = *at) {
		if (r->start < start) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		object_put(r->object);
		free(r);
	}
}

/* The whole range is covered, and ok() for each region. */
static bool covered(struct space *s, uaddr_t start, uaddr_t end)
{
	while (start < end) {
		struct region *r = region_find(s, start);

		if (!r)
			return false;
		start = r->end;
	}
	return true;
}

/* ---- life ---- */

struct space *space_new(void)
{
	struct space *s = calloc(1, sizeof(*s));

	STUB_CHECK(s);
	s->refs = 1;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

struct space *space_get(struct space *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void space_put(struct space *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	regions_remove(s, 0, ~0ULL);
	ptes_drop(s, 0, ~0ULL);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct space *space_fork(struct space *old)
{
	struct space *s = space_new();

	pthread_mutex_lock(&old->lock);
	for (struct region *r = old->regions; r; r = r->next)
		region_insert(s, region_copy(r));
	for (int i = 0; i < BUCKETS; i++) {
		for (struct pte *p = old->ptes[i]; p; p = p->next)
			memcpy(pte_add(s, p->page)->data, p->data, PAGE);
	}
	pthread_mutex_unlock(&old->lock);
	return s;
}

/* ---- access ---- */

static u8 *private_page(struct space *s, struct region *r, uaddr_t page)
{
	struct pte *p = pte_find(s, page / PAGE);
	u64 off = r->off + (page - r->start);

	if (p)
		return p->data;
	if (r->object && !within_file(r->object, off))
		return NULL;
	p = pte_add(s, page / PAGE);
	if (r->object && pread(r->object->fd, p->data, PAGE, (off_t)off) < 0)
		stub_fail("cannot read a mapped file");
	return p->data;
}

/* The page that holds addr, if it may be used so. The space is locked. */
static u8 *page_at(struct space *s, uaddr_t addr, int prot)
{
	struct region *r = region_find(s, addr);
	uaddr_t page = addr & ~(PAGE - 1);

	if (!r || (r->prot & prot) != prot)
		return NULL;
	if (r->shared)
		return shared_page(r->object, r->off + (page - r->start));
	return private_page(s, r, page);
}

size_t space_copy(struct space *s, uaddr_t addr, void *buf, size_t len, bool write)
{
	size_t done = 0;

	if (addr >= USER_END || len > USER_END - addr || addr < USER_START)
		return 0;
	pthread_mutex_lock(&s->lock);
	while (done < len) {
		u64 in = (addr + done) % PAGE;
		size_t n = len - done < PAGE - in ? len - done : PAGE - in;
		u8 *page = page_at(s, addr + done, write ? PROT_WRITE : PROT_READ);

		if (!page)
			break;
		if (write)
			memcpy(page + in, (u8 *)buf + done, n);
		else
			memcpy((u8 *)buf + done, page + in, n);
		done += n;
	}
	pthread_mutex_unlock(&s->lock);
	return done;
}

s64 space_strncpy(struct space *s, char *to, uaddr_t from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (space_copy(s, from + i, to + i, 1, false) != 1)
			return -EFAULT;
		if (!to[i])
			return (s64)i;
	}
	return (s64)len;
}

int space_cmpxchg(struct space *s, uaddr_t addr, u32 expect, u32 val, u32 *old)
{
	u8 *page;

	if (addr >= USER_END || addr % 4)
		return -EFAULT;
	pthread_mutex_lock(&s->lock);
	page = page_at(s, addr, PROT_READ | PROT_WRITE);
	if (page) {
		*old = expect;
		__atomic_compare_exchange_n((u32 *)(page + addr % PAGE), old, val, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&s->lock);
	return page ? 0 : -EFAULT;
}

/* ---- machine.h ---- */

static struct space *enter(uaddr_t addr, u64 len)
{
	struct space *s = stub_self()->space;

	STUB_CHECK(s && addr % PAGE == 0 && len % PAGE == 0 && len);
	STUB_CHECK(addr >= USER_START && len <= USER_MAX_LEN && addr <= USER_END - len);
	mc_of(stub_self()->task)->host_calls++;
	pthread_mutex_lock(&s->lock);
	return s;
}

static int leave(struct space *s, int ret)
{
	pthread_mutex_unlock(&s->lock);
	return ret;
}

int mc_map(uaddr_t addr, u64 len, int prot, int flags, u32 handle, u64 off)
{
	struct region *r;
	int fd = handle ? stub_fd(handle) : -1;
	struct space *s;

	STUB_CHECK(
		!(flags & ~(MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED)));
	STUB_CHECK(off % PAGE == 0 && !(prot & ~7));
	if (handle && fd < 0)
		return fd;
	s = enter(addr, len);
	regions_remove(s, addr, addr + len);
	ptes_drop(s, addr, addr + len);
	r = calloc(1, sizeof(*r));
	STUB_CHECK(r);
	*r = (struct region){.start = addr, .end = addr + len, .prot = prot, .off = off};
	r->shared = flags & MAP_SHARED;
	if (handle || r->shared)
		r->object = object_new(fd);
	region_insert(s, r);
	return leave(s, 0);
}

int mc_unmap(uaddr_t addr, u64 len)
{
	struct space *s = enter(addr, len);

	regions_remove(s, addr, addr + len);
	ptes_drop(s, addr, addr + len);
	return leave(s, 0);
}

int mc_protect(uaddr_t addr, u64 len, int prot)
{
	struct space *s = enter(addr, len);

	if (!covered(s, addr, addr + len))
		return leave(s, -ENOMEM);
	region_split(s, addr);
	region_split(s, addr + len);
	for (struct region *r = s->regions; r && r->start < addr + len; r = r->next) {
		if (r->start >= addr)
			r->prot = prot;
	}
	return leave(s, 0);
}

static bool overlaps(struct space *s, uaddr_t start, uaddr_t end)
{
	for (struct region *r = s->regions; r && r->start < end; r = r->next) {
		if (r->end > start)
			return true;
	}
	return false;
}

static int resize(struct space *s, uaddr_t from, u64 old_len, u64 new_len)
{
	struct region *c;

	if (new_len <= old_len) {
		regions_remove(s, from + new_len, from + old_len);
		ptes_drop(s, from + new_len, from + old_len);
		return 0;
	}
	if (overlaps(s, from + old_len, from + new_len))
		return -ENOMEM;
	c = region_copy(region_find(s, from + old_len - 1));
	c->off += from + old_len - c->start;
	c->start = from + old_len;
	c->end = from + new_len;
	region_insert(s, c);
	return 0;
}

static void rekey(struct space *s, struct pte *p, uaddr_t from, uaddr_t to, u64 new_len)
{
	struct pte *next;

	for (; p; p = next) {
		next = p->next;
		p->page = p->page - from / PAGE + to / PAGE;
		if (p->page >= (to + new_len) / PAGE) {
			free(p->data);
			free(p);
			continue;
		}
		p->next = *pte_bucket(s, p->page);
		*pte_bucket(s, p->page) = p;
	}
}

static int move(struct space *s, uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags)
{
	struct region *c = region_copy(region_find(s, from));

	c->off += from - c->start;
	c->start = to;
	c->end = to + new_len;
	regions_remove(s, to, to + new_len);
	ptes_drop(s, to, to + new_len);
	rekey(s, ptes_take(s, from, from + old_len), from, to, new_len);
	if (!flags)
		regions_remove(s, from, from + old_len);
	region_insert(s, c);
	return 0;
}

/* The regions of [from, from+len) are one and the same mapping: as the host's mremap wants it. */
static bool one_mapping(struct space *s, uaddr_t from, u64 len)
{
	struct region *r = region_find(s, from);

	while (r && r->end < from + (len ? len : 1)) {
		struct region *n = r->next;

		if (!n || n->start != r->end || n->prot != r->prot || n->shared != r->shared)
			return false;
		if (n->object != r->object &&
		    (!n->object || !r->object || n->object->dev != r->object->dev ||
		     n->object->ino != r->object->ino))
			return false;
		if (r->object && n->off != r->off + (r->end - r->start))
			return false;
		r = n;
	}
	return r != NULL;
}

int mc_move(uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags)
{
	struct space *s = enter(from, old_len ? old_len : PAGE);

	STUB_CHECK(to % PAGE == 0 && new_len % PAGE == 0 && new_len && new_len <= USER_MAX_LEN);
	STUB_CHECK(to >= USER_START && to <= USER_END - new_len);
	if (!one_mapping(s, from, old_len))
		return leave(s, -EFAULT);
	if (to == from && !flags)
		return leave(s, resize(s, from, old_len, new_len));
	STUB_CHECK(to + new_len <= from || from + old_len <= to);
	return leave(s, move(s, from, old_len, to, new_len, flags));
}

int mc_advise(uaddr_t addr, u64 len, int advice)
{
	struct space *s = enter(addr, len);
	bool ok = covered(s, addr, addr + len);

	if (ok && advice == MADV_DONTNEED)
		ptes_drop(s, addr, addr + len);
	return leave(s, ok ? 0 : -ENOMEM);
}

int mc_resident(uaddr_t addr, u64 len, u8 *vec)
{
	struct space *s = enter(addr, len);

	for (u64 i = 0; i < len / PAGE; i++) {
		struct region *r = region_find(s, addr + i * PAGE);

		vec[i] = r && (r->shared || pte_find(s, addr / PAGE + i));
	}
	return leave(s, covered(s, addr, addr + len) ? 0 : -ENOMEM);
}

void mc_code_original(bool original)
{
}

uaddr_t mc_vdso(void)
{
	return 0;
}

int mc_clock_calls(void)
{
	return 0;
}

/* ---- for tests ---- */

int stub_page_prot(uaddr_t addr)
{
	struct space *s = stub_self()->space;
	struct region *r;
	int prot;

	pthread_mutex_lock(&s->lock);
	r = region_find(s, addr);
	prot = r ? r->prot : -1;
	pthread_mutex_unlock(&s->lock);
	return prot;
}

u64 stub_space_pages(void)
{
	struct space *s = stub_self()->space;
	u64 sum = 0;

	pthread_mutex_lock(&s->lock);
	for (struct region *r = s->regions; r; r = r->next)
		sum += (r->end - r->start) / PAGE;
	pthread_mutex_unlock(&s->lock);
	return sum;
}
