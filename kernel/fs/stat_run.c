/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of a whole directory in one PV call (PV_DIRSTAT), for a task that asks for one file's after another's: find,
 * du, git status. What they say is used only
 *  - for files in the container's root mount: what is shared with others is asked for each time,
 *  - by the task that asked, while its calls are nothing but stats in this directory: it has heard of nobody meanwhile,
 *  - until anybody in the container makes a call that changes attributes, or reads a file (access times),
 *  - for a millisecond: so late is what the host itself changes in the root file system seen, at most.
 * Nothing is used from the first writable shared mapping of a host file on: it changes files without a call.
 */
#include "stat_run.h"

#include <linux/stat.h>

#include "cred.h"
#include "hostfs.h"
#include "task.h"
#include "vfs_impl.h"

#define PATIENCE 3u
#define PATIENCE_MAX 4096u
#define RUN_NS NSEC_PER_MSEC
#define ENTRIES_MAX 128u
#define INDEX 512u /* a power of two, more than twice as many */
#define PREFIX_MAX 120

struct stat_run {
	struct inode *base; /* reference; NULL: the container's root */
	u32 cred;
	u32 gen;
	u64 until;
	s64 from, next; /* cookies */
	bool end;
	u32 count, hits, misses;
	u8 *records;
	size_t size;
	u16 index[INDEX]; /* where records are, in units of 8 bytes; 0: none */
	char prefix[PREFIX_MAX];
	u32 prefix_len;
};

bool stat_runs_live __attribute__((section(".data.hot")));
static u32 generation;
static bool stopped;

/* First that nobody is to be told, then that something has changed: who begins in between is told once too often. */
void stat_runs_changed_slow(void)
{
	__atomic_store_n(&stat_runs_live, false, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
}

void stat_runs_stop(void)
{
	WRITE_ONCE(stopped, true);
	stat_runs_changed_slow();
}

static u64 now(void) { return mc_clock(1 /* CLOCK_MONOTONIC */); }

/* ---- names ---- */

struct place {
	struct inode *base;
	const char *prefix, *last;
	size_t prefix_len, last_len;
	u32 cred;
};

static bool is_dots(const char *s)
{
	return s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]));
}

static bool split(const struct name *n, struct place *p)
{
	const char *s;

	if (n->tree || n->resolve || n->hops || n->absolute || n->all_powers || path_is_set(&n->root))
		return false;
	if (*n->text == '/' ? n->dir != 0 : !n->base.inode || n->dir != n->base.inode->handle)
		return false;
	*p = (struct place){.base = *n->text == '/' ? NULL : n->base.inode, .prefix = n->text, .last = n->text};
	for (s = n->text; *s; s++)
		if (*s == '/')
			p->last = s + 1;
	p->prefix_len = (size_t)(p->last - n->text);
	p->last_len = (size_t)(s - p->last);
	p->cred = cred_pv_id();
	return p->last_len && p->last_len <= NAME_MAX && p->prefix_len < PREFIX_MAX && !is_dots(p->last);
}

static u64 key_of(const struct place *p)
{
	return hash_bytes(p->prefix, p->prefix_len) ^ hash_u64((u64)p->base ^ (u64)p->cred << 48);
}

/* ---- what is known ---- */

static void forget(struct stat_run *run)
{
	kfree(run->records);
	run->records = NULL;
	inode_put(run->base);
	run->base = NULL;
}

void stat_run_exit(struct task *t)
{
	struct stat_run *run = t->stat_seq.run;

	t->stat_seq.run = NULL;
	if (!run)
		return;
	forget(run);
	kfree(run);
}

static bool is_of(const struct stat_run *run, const struct place *p)
{
	return run->records && run->base == p->base && run->cred == p->cred && run->prefix_len == p->prefix_len &&
	       !memcmp(run->prefix, p->prefix, p->prefix_len);
}

static bool is_valid(const struct stat_run *run)
{
	return run->gen == __atomic_load_n(&generation, __ATOMIC_SEQ_CST) && now() < run->until && !READ_ONCE(stopped);
}

static const struct pv_dirstat *record_at(const struct stat_run *run, size_t at)
{
	const struct pv_dirstat *d = (const void *)(run->records + at);

	if (at + sizeof(*d) > run->size || d->size % 8 || at + d->size > run->size)
		return NULL;
	return sizeof(*d) + d->name_len + (d->known ? PV_STATX_SIZE : 0) <= d->size ? d : NULL;
}

static void make_index(struct stat_run *run)
{
	size_t at = sizeof(struct pv_dirstat_head);
	const struct pv_dirstat *d;
	u32 i, slot;

	memset(run->index, 0, sizeof(run->index));
	for (i = 0; i < run->count; i++, at += d->size) {
		d = record_at(run, at);
		if (!d)
			break;
		slot = (u32)hash_bytes(d->name, d->name_len) % INDEX;
		while (run->index[slot])
			slot = (slot + 1) % INDEX;
		run->index[slot] = (u16)(at / 8);
	}
	run->count = i;
}

static const struct pv_dirstat *lookup(const struct stat_run *run, const struct place *p)
{
	u32 slot = (u32)hash_bytes(p->last, p->last_len) % INDEX;

	for (; run->index[slot]; slot = (slot + 1) % INDEX) {
		const struct pv_dirstat *d = (const void *)(run->records + run->index[slot] * 8UL);

		if (d->name_len == p->last_len && !memcmp(d->name, p->last, p->last_len))
			return d;
	}
	return NULL;
}

/* ---- asking ---- */

static bool take_records(struct stat_run *run, const struct pv_slot *s, s64 len)
{
	struct pv_dirstat_head head;

	if (len < (s64)sizeof(head) || len > (s64)RING_BUF_SIZE)
		return false;
	memcpy(&head, s->buf, sizeof(head));
	run->records = kmalloc((size_t)len);
	if (!run->records)
		return false;
	memcpy(run->records, s->buf, (size_t)len);
	run->size = (size_t)len;
	if (head.time > run->until && head.time < now()) /* else the hypervisor has another clock */
		run->until = head.time;
	run->until += RUN_NS;
	run->next = head.next;
	run->end = head.end;
	run->count = min(head.count, ENTRIES_MAX);
	run->hits = run->misses = 0;
	make_index(run);
	return run->count != 0;
}

static bool ask(struct stat_run *run, const struct name *n, const struct place *p, s64 from)
{
	struct name dir = *n;
	struct pv_slot s;
	bool ok;
	s64 r;

	forget(run);
	memcpy(run->prefix, p->prefix, p->prefix_len);
	run->prefix[p->prefix_len] = '\0';
	run->prefix_len = (u32)p->prefix_len;
	run->base = p->base ? inode_get(p->base) : NULL;
	run->cred = p->cred;
	run->from = from;
	__atomic_store_n(&stat_runs_live, true, __ATOMIC_SEQ_CST);
	run->gen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
	run->until = now(); /* see take_records() */
	dir.text = run->prefix;
	dir.flags = 0;
	host_begin(&s, PV_DIRSTAT, &dir);
	s.req.u.path.mode = ENTRIES_MAX;
	s.req.u.path.arg = (u64)from;
	r = mc_pv_call(&s);
	ok = r != PV_CROSS && take_records(run, &s, r);
	host_end(&s);
	return ok;
}

/* It was of no use: next time it takes more to be asked. */
static void give_up(struct stat_seq *seq)
{
	forget(seq->run);
	seq->patience = min(seq->patience * 4, PATIENCE_MAX);
}

static bool was_useful(const struct stat_run *run)
{
	return run->hits >= run->count / 4;
}

/* What is known of the directory now; NULL: ask for the file. */
static struct stat_run *current_run(struct stat_seq *seq, const struct name *n, const struct place *p)
{
	struct stat_run *run = seq->run;
	s64 from = 0;

	if (run && is_of(run, p)) {
		if (is_valid(run))
			return run;
		if (!was_useful(run)) {
			give_up(seq);
			return NULL;
		}
		from = run->from;
	}
	if (!run)
		run = seq->run = kzalloc(sizeof(*run));
	if (!run)
		return NULL;
	if (ask(run, n, p, from))
		return run;
	give_up(seq);
	return NULL;
}

static const struct pv_dirstat *find(struct stat_seq *seq, const struct name *n, const struct place *p)
{
	struct stat_run *run = current_run(seq, n, p);
	const struct pv_dirstat *d;

	if (!run)
		return NULL;
	d = lookup(run, p);
	if (!d && !run->end && run->hits >= run->count / 2) {
		if (ask(run, n, p, run->next))
			d = lookup(run, p);
		else
			give_up(seq);
	}
	if (d)
		run->hits++;
	else if (run->records && ++run->misses > run->hits + 8)
		give_up(seq);
	return d;
}

/* Has the last directory been worth its call, or would it have been? */
static void settle(struct stat_seq *seq)
{
	bool known = seq->run && seq->run->records;

	if (known ? was_useful(seq->run) : seq->length >= 4 * PATIENCE)
		seq->patience = max(seq->patience / 4, PATIENCE);
	else if (known)
		seq->patience = min(seq->patience * 4, PATIENCE_MAX);
	if (known)
		forget(seq->run);
}

static bool in_sequence(struct task *t, u64 key)
{
	struct stat_seq *seq = &t->stat_seq;
	bool follows = seq->key == key && seq->call + 1 == t->ncalls;

	seq->call = t->ncalls;
	seq->key = key;
	if (!follows) {
		settle(seq);
		seq->length = 0;
	}
	if (!seq->patience)
		seq->patience = PATIENCE;
	return ++seq->length > seq->patience;
}

int stat_run(const struct name *n, struct statx *st)
{
	struct task *t = current;
	const struct pv_dirstat *d;
	struct place p;

	if (READ_ONCE(stopped) || !t->proc || !split(n, &p) || !in_sequence(t, key_of(&p)))
		return 1;
	d = find(&t->stat_seq, n, &p);
	if (!d || !d->known)
		return 1;
	memcpy(st, (const u8 *)d + d->size - PV_STATX_SIZE, sizeof(*st));
	return S_ISLNK(st->stx_mode) && !(n->flags & NAME_NOFOLLOW) ? 1 : 0;
}
