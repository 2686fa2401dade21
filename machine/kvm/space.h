/* SPDX-License-Identifier: Apache-2.0 */
/* Address spaces: regions, the objects that they show, and the pages that are there. */
#ifndef KVM_SPACE_H
#define KVM_SPACE_H

#include "kvm_impl.h"

#define PTE_SAVED 0x200ULL /* in an entry that is not present: the page is there, but may not be used now */

/* What several regions may show. Private anonymous memory has none. */
struct object {
	u32 refs;
	bool file;
	bool writable;
	u32 handle; /* file: of which it is known, for whoever maps it next; see object_file() */
	struct object *next;
	u64 first; /* file: the place in it of what is mapped here */
	u64 gpa;   /* file: where it lies in the window */
	u64 pages; /* file: how much of it there was, from its first page on, when last looked at */
	u64 limit; /* file: how many pages are mapped, whether there or not */
	struct mutex lock;
	u32 nchunks; /* anonymous and shared: frames by number */
	u64 **chunks;
};
#define CHUNK_PAGES 512u

struct region {
	struct tree_node node; /* key: the first address */
	uaddr_t end;
	int prot;
	bool shared, not_forked, wiped;
	struct object *object;
	u64 off; /* of the first address, in the object */
};

struct space {
	u32 refs;
	struct mutex lock;
	struct tree_node *regions;
	u64 pml4;
	u64 frames, mapped; /* pages that are there: of its own or shared memory; of files */
	u64 faults;
};

static inline uaddr_t region_start(const struct region *r) { return r->node.key; }
static inline struct region *of_node(struct tree_node *n) { return n ? container_of(n, struct region, node) : NULL; }

struct region *region_at(struct space *s, uaddr_t addr);   /* that holds it, or NULL */
struct region *region_from(struct space *s, uaddr_t addr); /* the first that ends behind it, or NULL */
bool region_split(struct space *s, uaddr_t addr);          /* so that none crosses it; false: no memory */
struct region *region_copy(const struct region *r);
void region_add(struct space *s, struct region *r);
void region_delete(struct space *s, struct region *r);
bool regions_cover(struct space *s, uaddr_t from, uaddr_t to);
/* Pages out of the tables, and given back once no CPU uses them any more. Lock held. */
void space_count(struct space *s, u64 entry, int n); /* n of such entries more, or less */
void zap(struct space *s, uaddr_t from, uaddr_t to);
void zap_mapped(struct space *s, uaddr_t from, uaddr_t to); /* only pages of files */
int populate(struct space *s, uaddr_t from, uaddr_t to);
/* object.c */
struct object *object_shared(u64 len);
struct object *object_file(u32 handle, u64 off, u64 len, bool write, int *err); /* `first` may be less than off */
/* The same file from the same place on, mapped to hold len bytes. NULL: *err */
struct object *object_larger(const struct object *o, u64 len, int *err);
struct object *object_get(struct object *o);
void object_put(struct object *o);
void object_look(struct object *o); /* a file: how large it is now */
u64 object_page(struct object *o, u64 off, int *err); /* its page; a frame is held. 0: err = -ENOMEM or -EFAULT (behind the end) */

#endif
