/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are not there: of programs in the folders of PATH, of libraries, of settings. The hypervisor says of which its walk
 * has not left the root mount (PV_ABSENT); these are known for a while, to everybody with the same credentials (names.h).
 *
 * Who has asked for one will ask for those that followed it the last time: when one is no longer known, the next ones are asked
 * for along with it, in one PV call (PV_ABSENT_NAMES).
 */
#include "absent.h"

#include "cred.h"
#include "hostfs.h"
#include "sync.h"
#include "task.h"

#define ENTRIES 512u
#define TEXT_MAX 100u
#define STEPS 60 /* from name to next name, at most */

struct entry {
	u64 key; /* 0: none */
	struct names_moment when;
	u64 dev, ino; /* of the directory that the name begins in; 0: the root */
	u32 cred;
	u32 batch; /* the last one that it was in */
	u16 next; /* what its task asked for next, + 1; 0: nothing yet */
	u8 len;
	bool nofollow; /* a link as the last component is not there, either; else it may be one that leads nowhere */
	bool ahead;    /* it was asked for with another, and has not been of use yet */
	char text[TEXT_MAX];
};

/* All that are linked dynamically begin with the same name: what follows it is known of each. */
#define PROGRAMS 64u

static struct second {
	u32 program;
	u16 name; /* as entry.next */
} seconds[PROGRAMS];

static struct entry entries[ENTRIES] BSS_LARGE;
static struct mutex lock;
static u32 batches;

static bool in_root(const struct name *n)
{
	if (n->tree || n->resolve || n->hops || n->absolute || n->all_powers || path_is_set(&n->root))
		return false;
	if (*n->text == '/')
		return !n->dir;
	return n->base.inode && n->base.inode->in_root && n->dir == n->base.inode->handle;
}

static struct entry *slot_of(const struct absent *a) { return &entries[a->key / 2 % ENTRIES]; }

/* Same directory, same rights: one call can ask for both. */
static bool alike(const struct entry *e, const struct absent *a)
{
	return e->dev == a->dev && e->ino == a->ino && e->cred == a->cred && e->nofollow == a->nofollow;
}

static bool is_entry(const struct entry *e, const struct absent *a)
{
	return e->key == a->key && alike(e, a) && e->len == a->len && !memcmp(e->text, a->text, a->len);
}

static u16 number_of(const struct entry *e) { return (u16)(e - entries + 1); }

/* It follows what its task asked for before. */
static void link_locked(struct entry *e)
{
	struct task *t = current;
	u16 number = number_of(e), last = t->absent_last;

	t->absent_last = number;
	if (!last || last == number)
		return;
	if (t->absent_program)
		seconds[t->absent_program % PROGRAMS] = (struct second){t->absent_program, number};
	else
		entries[last - 1].next = number;
	t->absent_program = 0;
}

/* What followed it the last time, for current who has just asked for it. */
static u16 next_locked(const struct entry *e)
{
	u32 program = current->absent_program;

	if (!program || current->absent_last != number_of(e))
		return e->next;
	return seconds[program % PROGRAMS].program == program ? seconds[program % PROGRAMS].name : 0;
}

void absent_exec(const struct inode *program)
{
	current->absent_program = (u32)hash_u64(program->ino ^ program->dev) | 1;
	current->absent_last = 0;
}

/* ---- many at once ---- */

struct batch {
	u32 count, len;
	u64 keys[PV_ABSENT_NAMES_MAX];
	u16 which[PV_ABSENT_NAMES_MAX];
	char text[PV_PATH_MAX];
};

static bool add_locked(struct batch *b, struct entry *e)
{
	if (b->len + e->len + 1u > sizeof(b->text) - 1 || b->count == PV_ABSENT_NAMES_MAX)
		return false;
	if (b->count)
		b->text[b->len++] = '\n';
	memcpy(b->text + b->len, e->text, e->len);
	b->len += e->len;
	b->keys[b->count] = e->key;
	b->which[b->count++] = (u16)(e - entries);
	e->batch = batches;
	return true;
}

/*
 * The name, and those that followed it the last time. What was asked for ahead in vain is not asked for again; but `late` (0: none) is a
 * batch whose answers came true, and were too old then.
 */
static void gather_locked(struct batch *b, struct entry *e, const struct absent *a, u32 late)
{
	u32 prior;

	batches++;
	b->count = b->len = 0;
	add_locked(b, e);
	for (int i = 0; i < STEPS && next_locked(e); i++) {
		e = &entries[next_locked(e) - 1];
		prior = e->batch;
		if (!e->key || prior == batches)
			return;
		if (alike(e, a) && (!e->ahead || prior == late) && !names_hold(&e->when) && !add_locked(b, e))
			return;
	}
}

static bool ask(const struct absent *a, const struct name *n, struct batch *b)
{
	struct name many = *n;
	struct pv_slot s;
	s64 r;

	b->text[b->len] = '\0';
	many.text = b->text;
	many.flags = a->nofollow ? NAME_NOFOLLOW : 0;
	host_begin(&s, PV_ABSENT_NAMES, &many);
	r = mc_pv_call(&s);
	host_end(&s);
	if (r < 0)
		return false;
	guard(&lock);
	for (u32 i = 0; i < b->count; i++) {
		struct entry *e = &entries[b->which[i]];

		if (e->key != b->keys[i])
			continue;
		e->when = a->when;
		e->ahead = i > 0;
		if (!(r >> i & 1))
			e->key = 0;
	}
	return r & 1;
}

/* ---- one ---- */

static void describe(struct absent *a, const struct name *n, bool nofollow)
{
	const struct inode *base = *n->text == '/' ? NULL : n->base.inode;

	a->text = n->text;
	a->nofollow = nofollow;
	a->cred = cred_pv_id();
	a->dev = base ? base->dev : 0;
	a->ino = base ? base->ino : 0;
	a->key = (hash_bytes(a->text, a->len) ^ hash_u64(a->ino ^ (u64)a->cred << 48 ^ (u64)nofollow << 47)) | 1;
	a->when = names_moment();
}

/* 1: it is absent; 0: nothing is known. -EAGAIN: b is to be asked for. */
static int look(const struct absent *a, struct batch *b)
{
	struct entry *e = slot_of(a);
	u32 late;

	guard(&lock);
	if (!is_entry(e, a))
		return 0;
	link_locked(e);
	late = e->ahead ? e->batch : 0;
	e->ahead = false;
	if (names_hold(&e->when))
		return 1;
	if (!b)
		return 0;
	gather_locked(b, e, a, late);
	return -EAGAIN;
}

bool absent_known(struct absent *a, const struct name *n, bool nofollow)
{
	struct batch *b;
	int r;

	a->key = 0;
	a->len = strlen(n->text);
	if (!a->len || a->len > TEXT_MAX || !in_root(n))
		return false;
	describe(a, n, nofollow);
	if (likely(READ_ONCE(slot_of(a)->key) != a->key))
		return false;
	b = kmalloc(sizeof(*b));
	r = look(a, b);
	if (r == -EAGAIN)
		r = ask(a, n, b);
	kfree(b);
	return r;
}

void absent_found(const struct absent *a, const struct pv_slot *s)
{
	struct entry *e = slot_of(a);

	if (!a->key || s->rsp.ret != -ENOENT || !(s->rsp.flags & PV_ABSENT) || strchr(a->text, '\n'))
		return;
	guard(&lock);
	if (!is_entry(e, a))
		*e = (struct entry){.key = a->key, .dev = a->dev, .ino = a->ino, .cred = a->cred, .nofollow = a->nofollow, .len = (u8)a->len};
	memcpy(e->text, a->text, a->len);
	e->when = a->when;
	e->ahead = false;
	link_locked(e);
}
