// SPDX-License-Identifier: Apache-2.0
/*
 * Records of guest calls, for `callgate trace`: made by the calling task on its way out of the call,
 * written to the ring under one lock. Nobody waits for the reader unless that is asked for.
 */
#include <asm/unistd.h>
#include <linux/time.h>

#include "capture.h"
#include "list.h"
#include "own.h"
#include "sync.h"
#include "trace_hook.h"

static struct guest_counters *counters;
static struct trace_header *head;
static u8 *ring;

/* Of the ring; `told`: how many lost records a record has spoken of. */
static struct mutex lock;
static u32 told;
static struct list_head owns = LIST_HEAD_INIT(owns);

void trace_boot(void)
{
	counters = mc_counters();
	head = mc_trace(&ring);
	trace_own_boot();
}

bool tracing(void) { return READ_ONCE(counters->tracing) != 0; }

/* ---- the ring ---- */

static u64 now(void) { return mc_clock(CLOCK_MONOTONIC); }

static u32 room_locked(void)
{
	u32 used = head->head - __atomic_load_n(&head->tail, __ATOMIC_ACQUIRE);

	return used <= TRACE_DATA_SIZE ? TRACE_DATA_SIZE - used : 0;
}

/* Records that were lost before this one. */
static u32 tell_lost(void)
{
	u32 lost = head->lost - told;

	told = head->lost;
	return lost;
}

static void write_locked(struct trace_record *r)
{
	u32 at = head->head % TRACE_DATA_SIZE;
	u32 first = min(r->size, TRACE_DATA_SIZE - at);

	r->lost = tell_lost();
	memcpy(ring + at, r, first);
	if (first < r->size)
		memcpy(ring, (u8 *)r + first, r->size - first);
	__atomic_store_n(&head->head, head->head + r->size, __ATOMIC_RELEASE);
}

/* ---- short records that wait ---- */

/* The oldest one, of that size: to the ring. */
static void write_own_locked(struct trace_own *o, u32 size)
{
	u32 at = head->head;

	o->words[(o->tail + 1) % OWN_WORDS] |= (u64)tell_lost() << 32;
	for (u32 i = 0; i < size / sizeof(u64); i++, at += sizeof(u64))
		*(u64 *)(ring + at % TRACE_DATA_SIZE) = o->words[(o->tail + i) % OWN_WORDS];
	__atomic_store_n(&o->tail, o->tail + size / (u32)sizeof(u64), __ATOMIC_RELEASE);
	__atomic_store_n(&head->head, at, __ATOMIC_RELEASE);
}

/* All of them at once, if there is room and nothing to tell. */
static void write_owns_locked(struct trace_own *o)
{
	u32 n = __atomic_load_n(&o->head, __ATOMIC_ACQUIRE) - o->tail, at = head->head;

	if (n * sizeof(u64) > room_locked() || head->lost != told)
		return;
	while (n) {
		u32 from = o->tail % OWN_WORDS, to = at % TRACE_DATA_SIZE;
		u32 piece = min(n, OWN_WORDS - from);

		piece = min(piece, (TRACE_DATA_SIZE - to) / (u32)sizeof(u64));
		memcpy(ring + to, o->words + from, piece * sizeof(u64));
		__atomic_store_n(&o->tail, o->tail + piece, __ATOMIC_RELEASE);
		at += piece * (u32)sizeof(u64);
		n -= piece;
	}
	__atomic_store_n(&head->head, at, __ATOMIC_RELEASE);
}

/* False: some still wait for room. `lose`: they don't, they are counted. */
static bool drain_locked(struct trace_own *o, bool lose)
{
	u32 size;

	if (o->session != READ_ONCE(head->session))
		__atomic_store_n(&o->tail, __atomic_load_n(&o->head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	write_owns_locked(o);
	while ((size = trace_own_next(o))) {
		if (size <= room_locked()) {
			write_own_locked(o, size);
			continue;
		}
		if (!lose)
			return false;
		head->lost++;
		__atomic_store_n(&o->tail, o->tail + size / (u32)sizeof(u64), __ATOMIC_RELEASE);
	}
	return true;
}

void trace_drain(void)
{
	u32 wish = __atomic_load_n(&head->drain, __ATOMIC_ACQUIRE);
	struct trace_own *o;
	bool all = true;

	if (likely(wish == READ_ONCE(head->drained)))
		return;
	guard(&lock);
	__atomic_store_n(&head->waiting, 0, __ATOMIC_SEQ_CST);
	list_for_each(o, &owns, node)
		all = drain_locked(o, false) && all;
	if (all)
		__atomic_store_n(&head->drained, wish, __ATOMIC_RELEASE);
	else
		WRITE_ONCE(head->waiting, 1);
}

/* The task's, emptied, and of this trace. NULL: no memory. */
static struct trace_own *own_room(struct task *t)
{
	struct trace_own *o = t->trace_own, *made = NULL;

	if (!o) {
		made = kzalloc(sizeof(*made));
		if (!made)
			return NULL;
	}
	guard(&lock);
	if (made) {
		o = t->trace_own = made;
		list_add(&o->node, &owns);
	}
	drain_locked(o, true);
	o->session = READ_ONCE(head->session);
	return o;
}

static void own_free(struct task *t)
{
	struct trace_own *o = t->trace_own;

	if (!o)
		return;
	mutex_lock(&lock);
	drain_locked(o, true);
	list_del(&o->node);
	t->trace_own = NULL;
	mutex_unlock(&lock);
	kfree(o);
}

static void own_call(struct task *t, const struct pt_regs *regs, s64 result)
{
	struct trace_own *o = t->trace_own;

	if (unlikely(!o || o->session != READ_ONCE(head->session)))
		o = own_room(t);
	if (unlikely(o && !trace_own_add(o, t, regs, result))) {
		o = own_room(t);
		if (o)
			trace_own_add(o, t, regs, result);
	}
	if (!READ_ONCE(head->waiting))
		WRITE_ONCE(head->waiting, 1);
}

/* ---- all records ---- */

/* True: it is written, or counted as lost. */
static bool try_write(struct trace_record *r, bool wait)
{
	struct trace_own *o = current->trace_own;

	guard(&lock);
	if (o && !drain_locked(o, !wait))
		return false;
	if (r->size <= room_locked())
		write_locked(r);
	else if (wait)
		return false;
	else
		head->lost++;
	return true;
}

static void emit(struct trace_record *r)
{
	static const struct trace_item none = {.arg = TRACE_NO_ARG};
	bool wait = head->flags & TRACE_WAIT;

	if (r->size % 8) {
		memcpy((u8 *)r + r->size, &none, sizeof(none));
		r->size += (u32)sizeof(none);
	}
	while (!try_write(r, wait && tracing() && !fatal_signal_pending()))
		mc_park_killable(now() + NSEC_PER_MSEC);
}

/* ---- calls ---- */

static bool wanted(const struct task *t, u32 nr)
{
	s32 pid = READ_ONCE(head->pid);

	return (!pid || pid == t->proc->pid) && (READ_ONCE(head->wanted[nr / 64]) >> (nr % 64) & 1);
}

/*
 * The ring where this call's record is going to be, which the reader's CPU had last: it comes here while the call does its work.
 * Most records take three lines at most; it is no matter if another task's record lies there in the end.
 */
static __attribute__((target("prfchw"))) void fetch_ring(void)
{
	u32 at = READ_ONCE(head->head);

	for (u32 i = 0; i < 3; i++)
		__builtin_prefetch(ring + (at + i * 64) % TRACE_DATA_SIZE, 1);
}

static u32 string_size(void) { return min(READ_ONCE(head->string_size), TRACE_STRING_MAX); }

static void begin(struct trace_record *r, const struct task *t, const struct pt_regs *regs)
{
	*r = (struct trace_record){
		.size = sizeof(*r),
		.type = TRACE_CALL,
		.nr = (u16)t->syscall_nr,
		.pid = t->proc->pid,
		.tid = t->tid,
		.args = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
		.result = -ENOSYS,
	};
	if (head->flags & TRACE_RECORDS) {
		fetch_ring();
		capture_before(r, string_size());
	}
	if (head->flags & (TRACE_SUMS | TRACE_CLOCK))
		r->start = now();
}

static void add_up(const struct trace_record *r)
{
	struct trace_sum *s = &head->sums[r->nr];

	__atomic_fetch_add(&s->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->time, r->time, __ATOMIC_RELAXED);
	if (r->result < 0 && r->result >= -4095)
		__atomic_fetch_add(&s->errors, 1, __ATOMIC_RELAXED);
	if (r->host_calls)
		__atomic_fetch_add(&s->host_calls, r->host_calls, __ATOMIC_RELAXED);
	if (r->pv_calls)
		__atomic_fetch_add(&s->pv_calls, r->pv_calls, __ATOMIC_RELAXED);
}

static void finish(struct trace_record *r, const struct task *t, s64 result)
{
	u32 flags = READ_ONCE(head->flags);

	if (r->start)
		r->time = now() - r->start;
	r->result = result;
	r->host_calls = (u32)(t->mc.host_calls - t->call_host);
	r->pv_calls = (u32)(t->mc.pv_calls - t->call_pv);
	if (flags & TRACE_SUMS)
		add_up(r);
	if (!(flags & TRACE_RECORDS))
		return;
	if (!(r->flags & TRACE_NO_RESULT))
		capture_after(r, string_size());
	emit(r);
}

/* The stack is given up on the way: the record lives elsewhere. */
static s64 trace_execve(struct task *t, struct pt_regs *regs)
{
	struct trace_record *r = kmalloc(TRACE_RECORD_MAX);
	s64 ret;

	if (!r)
		return syscall_run(t, regs);
	begin(r, t, regs);
	t->trace = r;
	ret = syscall_run(t, regs);
	t->trace = NULL;
	finish(r, t, ret);
	kfree(r);
	return ret;
}

void trace_exec(struct task *t)
{
	struct trace_record *r = t->trace;

	if (!r)
		return;
	t->trace = NULL;
	r->pid = t->proc->pid;
	r->tid = t->tid;
	finish(r, t, 0);
	kfree(r);
}

static bool cost_nothing(const struct task *t)
{
	return t->mc.host_calls == t->call_host && t->mc.pv_calls == t->call_pv;
}

static bool ends_thread(u32 nr) { return nr == __NR_exit || nr == __NR_exit_group; }

/* Its record has room for all that it may show. */
static __attribute__((noinline)) s64 trace_large(struct task *t, struct pt_regs *regs)
{
	u64 room[TRACE_RECORD_MAX / sizeof(u64)];
	struct trace_record *r = (struct trace_record *)room;
	u32 nr = t->syscall_nr;
	s64 ret;

	begin(r, t, regs);
	if (ends_thread(nr)) {
		r->flags = TRACE_NO_RESULT;
		finish(r, t, 0);
		return syscall_run(t, regs);
	}
	t->trace_call = r;
	ret = syscall_run(t, regs);
	t->trace_call = NULL;
	finish(r, t, ret);
	return ret;
}

/* It was to have a short one, and cost something. */
static __attribute__((noinline)) void trace_after(struct task *t, struct pt_regs *regs, s64 ret)
{
	struct trace_record r;

	begin(&r, t, regs);
	finish(&r, t, ret);
}

s64 trace_syscall(struct task *t, struct pt_regs *regs)
{
	u32 nr = t->syscall_nr;
	s64 ret;

	if (!wanted(t, nr))
		return syscall_run(t, regs);
	if (trace_is_own(nr) && READ_ONCE(head->flags) == TRACE_RECORDS) {
		ret = syscall_run(t, regs);
		if (likely(cost_nothing(t)))
			own_call(t, regs, ret);
		else
			trace_after(t, regs, ret);
		return ret;
	}
	return nr == __NR_execve || nr == __NR_execveat ? trace_execve(t, regs) : trace_large(t, regs);
}

void trace_may_sleep_task(void) { trace_may_sleep(); }

void trace_sleeps(struct task *t)
{
	struct trace_record *r = t->trace_call;
	u32 size = r->size;

	t->trace_call = NULL;
	if (!(head->flags & TRACE_RECORDS))
		return;
	r->type = TRACE_STARTED;
	emit(r);
	r->type = TRACE_CALL;
	r->size = size;
}

/* ---- what is not a call ---- */

static void tell(const struct task *t, u16 type, u16 nr, s64 result, u64 arg0, u64 arg1)
{
	s32 pid = READ_ONCE(head->pid);
	struct trace_record r = {
		.size = sizeof(r),
		.type = type,
		.nr = nr,
		.pid = t->proc->pid,
		.tid = t->tid,
		.start = head->flags & TRACE_CLOCK ? now() : 0,
		.args = {arg0, arg1},
		.result = result,
	};

	if ((head->flags & TRACE_RECORDS) && (!pid || pid == t->proc->pid))
		emit(&r);
}

static void add_item(struct trace_record *r, int arg, const char *text, size_t len, size_t most)
{
	struct trace_item item = {.arg = (u8)arg, .flags = len > most ? TRACE_CUT : 0, .len = (u16)min(len, most)};

	memcpy((u8 *)r + r->size, &item, sizeof(item));
	memcpy((u8 *)r + r->size + sizeof(item), text, item.len);
	r->size += (u32)sizeof(item) + ((item.len + 3u) & ~3u);
}

void trace_program(struct task *t, const char *filename, const char *argv, size_t len)
{
	u64 room[TRACE_RECORD_MAX / sizeof(u64)];
	struct trace_record *r = (struct trace_record *)room;

	if (!tracing() || !wanted(t, __NR_execve) || !(head->flags & TRACE_RECORDS))
		return;
	*r = (struct trace_record){
		.size = sizeof(*r),
		.type = TRACE_CALL,
		.nr = __NR_execve,
		.pid = t->proc->pid,
		.tid = t->tid,
		.start = head->flags & TRACE_CLOCK ? now() : 0,
	};
	add_item(r, 0, filename, strlen(filename), 512);
	add_item(r, 1, argv, len, 512);
	emit(r);
}

void trace_signal(struct task *t, int sig, int code, int from)
{
	tell(t, TRACE_SIGNAL, (u16)sig, 0, (u64)(s64)code, (u64)(s64)from);
}

void trace_exit(struct task *t, bool last, int wait_status)
{
	kfree(t->trace); /* an exec that failed too late */
	t->trace = NULL;
	t->trace_call = NULL;
	if (last && tracing())
		tell(t, TRACE_EXITED, 0, wait_status, 0, 0);
	own_free(t);
}
