/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of a whole directory in one PV call (PV_DIRSTAT), for a task that asks for one file's after another's: find,
 * du, git status. The answer is used while the hypervisor still writes it: it looks at the next files while the task is busy
 * with those before. A task that asks for what it has read in directories is ahead by one more call: the names are looked at
 * as soon as it has read them (PV_NAMESTAT). What the answers say is used only
 *  - for files in the container's root mount: what is shared with others is asked for each time,
 *  - by the task that asked, while its calls are nothing but stats in this directory, and such as bring no news (brought_pass):
 *    it has heard of nobody meanwhile,
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
#define WALKS 2u /* directories that were read, and whose files were then asked for, before the next one is looked at ahead */
#define UNDER_WAY_MAX 8u /* calls: each holds a slot until its task makes a further call */

struct stat_run {
	struct inode *base; /* reference; NULL: the container's root */
	u32 cred;
	u32 gen;
	u64 asked, until;
	s64 from, next; /* cookies */
	bool end;
	bool under_way; /* the answer is still being written: `records` are in the slot */
	u32 count, hits, misses;
	u8 *records;
	size_t size, at; /* at: of the next record that is not in the index */
	struct pv_slot slot;
	u16 index[INDEX]; /* where records are, in units of 8 bytes; 0: none */
	char prefix[PREFIX_MAX];
	u32 prefix_len;
};

bool stat_runs_live __attribute__((section(".data.hot")));
static u32 generation;
static u32 under_way;
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

static struct pv_dirstat_progress *progress(const struct stat_run *run)
{
	return (struct pv_dirstat_progress *)(run->slot.buf + PV_DIRSTAT_ROOM);
}

/* The answer's time and length; not positive: none. */
static s64 call_finish(struct stat_run *run)
{
	s64 len = mc_pv_finish(&run->slot);

	__atomic_sub_fetch(&under_way, 1, __ATOMIC_RELAXED);
	run->under_way = false;
	return len == PV_CROSS || len < (s64)sizeof(struct pv_dirstat_head) || len > (s64)RING_BUF_SIZE ? 0 : len;
}

static void forget(struct stat_run *run)
{
	if (run->under_way) {
		__atomic_store_n(&progress(run)->stop, 1, __ATOMIC_RELAXED);
		call_finish(run);
		host_end(&run->slot);
	} else {
		kfree(run->records);
	}
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
	bool waits = run->under_way && !run->count; /* for the first record, which is yet to be made */

	return run->gen == __atomic_load_n(&generation, __ATOMIC_SEQ_CST) && !READ_ONCE(stopped) && (waits || now() < run->until);
}

static const struct pv_dirstat *record_at(const struct stat_run *run, size_t at)
{
	const struct pv_dirstat *d = (const void *)(run->records + at);

	if (at + sizeof(*d) > run->size || d->size % 8 || at + d->size > run->size)
		return NULL;
	return sizeof(*d) + d->name_len + (d->known ? PV_STATX_SIZE : 0) <= d->size ? d : NULL;
}

static void index_up_to(struct stat_run *run, u32 count)
{
	const struct pv_dirstat *d;
	u32 slot;

	for (count = min(count, ENTRIES_MAX); run->count < count; run->count++, run->at += d->size) {
		d = record_at(run, run->at);
		if (!d)
			return;
		slot = (u32)hash_bytes(d->name, d->name_len) % INDEX;
		while (run->index[slot])
			slot = (slot + 1) % INDEX;
		run->index[slot] = (u16)(run->at / 8);
	}
}

/* The hypervisor has looked later than we have asked, where it has the same clock. */
static void note_time(struct stat_run *run, u64 time)
{
	run->until = (time > run->asked && time < now() ? time : run->asked) + RUN_NS;
}

/* All is there: the slot is given back. */
static void take_records(struct stat_run *run)
{
	s64 len = call_finish(run);
	struct pv_dirstat_head head;

	run->records = len ? kmalloc((size_t)len) : NULL;
	if (run->records) {
		memcpy(&head, run->slot.buf, sizeof(head));
		memcpy(run->records, run->slot.buf, (size_t)len);
		run->size = (size_t)len;
		run->next = head.next;
		run->end |= head.end;
		note_time(run, head.time);
		index_up_to(run, head.count);
	}
	host_end(&run->slot);
}

/* More of the records, or the end of the call. */
static void follow(struct stat_run *run)
{
	const struct pv_dirstat_progress *pr = progress(run);
	u32 count;

	if (mc_pv_wait(&run->slot, &pr->count, run->count)) {
		take_records(run);
		return;
	}
	count = __atomic_load_n(&pr->count, __ATOMIC_ACQUIRE);
	if (!run->count)
		note_time(run, pr->time);
	index_up_to(run, count);
}

static const struct pv_dirstat *lookup_known(const struct stat_run *run, const struct place *p, u32 hash)
{
	u32 slot = hash % INDEX;

	for (; run->index[slot]; slot = (slot + 1) % INDEX) {
		const struct pv_dirstat *d = (const void *)(run->records + run->index[slot] * 8UL);

		if (d->name_len == p->last_len && !memcmp(d->name, p->last, p->last_len))
			return d;
	}
	return NULL;
}

static const struct pv_dirstat *lookup(struct stat_run *run, const struct place *p)
{
	u32 hash = (u32)hash_bytes(p->last, p->last_len);
	const struct pv_dirstat *d = lookup_known(run, p, hash);

	while (!d && run->under_way) {
		follow(run);
		d = run->records ? lookup_known(run, p, hash) : NULL;
	}
	return d;
}

/* ---- asking ---- */

/* What will be known from the next call on. */
static void begin(struct stat_run *run, const struct place *p, s64 from)
{
	forget(run);
	memcpy(run->prefix, p->prefix, p->prefix_len);
	run->prefix[p->prefix_len] = '\0';
	run->prefix_len = (u32)p->prefix_len;
	run->base = p->base ? inode_get(p->base) : NULL;
	run->cred = p->cred;
	run->from = from;
	run->end = false;
	run->count = run->hits = run->misses = 0;
	run->at = sizeof(struct pv_dirstat_head);
	memset(run->index, 0, sizeof(run->index));
	__atomic_store_n(&stat_runs_live, true, __ATOMIC_SEQ_CST);
	run->gen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
	run->asked = now();
	run->until = run->asked + RUN_NS;
}

/* The request is in the slot, which from now on is the run's. */
static void start(struct stat_run *run)
{
	*progress(run) = (struct pv_dirstat_progress){0};
	run->records = run->slot.buf;
	run->size = PV_DIRSTAT_ROOM;
	run->under_way = true;
	mc_pv_start(&run->slot);
	if (__atomic_add_fetch(&under_way, 1, __ATOMIC_RELAXED) > UNDER_WAY_MAX)
		take_records(run);
}

static void ask(struct stat_run *run, const struct name *n, const struct place *p, s64 from)
{
	struct name dir = *n;

	begin(run, p, from);
	dir.text = run->prefix;
	dir.flags = 0;
	host_begin(&run->slot, PV_DIRSTAT, &dir);
	run->slot.req.u.path.mode = ENTRIES_MAX;
	run->slot.req.u.path.arg = (u64)from;
	start(run);
}

/* It was of no use: next time it takes more to be asked. */
static void give_up(struct stat_seq *seq)
{
	forget(seq->run);
	seq->patience = min(seq->patience * 4, PATIENCE_MAX);
}

static bool was_useful(const struct stat_run *run)
{
	return run->hits > run->count / 4;
}

static struct stat_run *run_of(struct stat_seq *seq)
{
	if (!seq->run)
		seq->run = kzalloc(sizeof(*seq->run));
	return seq->run;
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
	run = run_of(seq);
	if (run)
		ask(run, n, p, from);
	return run;
}

static const struct pv_dirstat *find(struct stat_seq *seq, const struct name *n, const struct place *p)
{
	struct stat_run *run = current_run(seq, n, p);
	const struct pv_dirstat *d;

	if (!run)
		return NULL;
	d = lookup(run, p);
	if (!d && run->count && !run->end && run->hits >= run->count / 2) {
		ask(run, n, p, run->next);
		d = lookup(run, p);
	}
	if (d)
		run->hits++;
	else if (!run->count || ++run->misses > run->hits + 8)
		give_up(seq);
	return d;
}

/* Has the last directory been worth its call, or would it have been? */
static void settle(struct stat_seq *seq)
{
	bool known = seq->run && seq->run->records;

	if (known ? was_useful(seq->run) : seq->length >= 4 * PATIENCE) {
		seq->patience = max(seq->patience / 4, PATIENCE);
	} else if (known) {
		seq->patience = min(seq->patience * 4, PATIENCE_MAX);
		seq->walks = 0;
	}
	if (known)
		forget(seq->run);
}

void stat_run_pass(void)
{
	struct stat_seq *seq = &current->stat_seq;

	if (seq->call + 1 == current->ncalls)
		seq->call++;
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
	if (++seq->length == PATIENCE)
		seq->walks = key == seq->listed ? min(seq->walks + 1, WALKS) : 0;
	return seq->length > seq->patience;
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

/* ---- ahead ---- */

/* The first of the names in the slot, as many as one call takes: their bytes. */
static u32 first_names(struct stat_run *run, const struct pv_slot *s, s64 len)
{
	const struct {
		u64 ino;
		s64 off;
		u16 reclen;
	} __attribute__((packed)) *d;
	u32 at = 0, n;

	for (n = 0; at < len && n < ENTRIES_MAX; n++, at += d->reclen) {
		d = (const void *)(s->buf + at);
		if (d->reclen < sizeof(*d) || at + d->reclen > min((u64)len, (u64)PV_NAMESTAT_MAX))
			break;
		run->next = d->off;
	}
	return at;
}

/* Is a further answer worth it that is begun before anybody asks? */
static bool walks(struct stat_seq *seq, const struct file *f, u64 key)
{
	seq->listed = key;
	return seq->walks == WALKS && f->inode->in_root && !READ_ONCE(stopped) && current->proc &&
	       __atomic_load_n(&under_way, __ATOMIC_RELAXED) < UNDER_WAY_MAX;
}

bool stat_run_ahead(const struct file *f, struct pv_slot *s, s64 len, s64 from, bool all)
{
	struct place p = {.base = f->inode, .prefix = "", .cred = cred_pv_id()};
	struct stat_seq *seq = &current->stat_seq;
	struct stat_run *run;
	u32 bytes;

	if (!walks(seq, f, key_of(&p)) || !run_of(seq))
		return false;
	settle(seq);
	run = seq->run;
	begin(run, &p, from);
	bytes = first_names(run, s, len);
	run->end = all && bytes == len;
	memset(&s->req.u, 0, sizeof(s->req.u));
	s->req.cmd = PV_NAMESTAT;
	s->req.u.path = (struct pv_req_path){
		.dir = f->handle, .cred = p.cred, .flags = PV_AT_EMPTY, .mode = ENTRIES_MAX, .arg = bytes, .pid = current->proc->pid};
	run->slot = *s;
	start(run);
	seq->key = seq->listed;
	seq->call = current->ncalls;
	seq->length = seq->patience = PATIENCE;
	return true;
}
