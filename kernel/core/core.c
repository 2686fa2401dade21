// SPDX-License-Identifier: Apache-2.0
/*
 * The course of a core dump. The thread that is killed by the signal has all others exit; each stops
 * at the begin of that, with its state saved, until the file is written.
 */
#include "impl.h"

#include "../signal/sig.h"

#define DUMPS                                                                                      \
	(SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGBUS) |   \
	 SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ) | SIGBIT(SIGSYS))
#define DUMPED 0x80 /* WCOREDUMP() */
#define MAX_SEGMENTS 0xff00u /* what fits into an ELF header */

static void core_put(struct core *c)
{
	if (ref_put(&c->ref))
		kfree(c);
}

/* ---- threads ---- */

static void thread_save(struct core_thread *me, struct task *t)
{
	me->task = t;
	me->fsbase = mc_get_fsbase();
	me->fpu_room = kzalloc(mc_fpu_size() + 64);
	if (!me->fpu_room)
		return;
	me->fpu = (u8 *)(((u64)me->fpu_room + 63) & ~63ULL);
	mc_fpu_get(me->fpu);
}

static struct core *core_join(struct task *t)
{
	struct core *c;

	guard(&tasklist_lock);
	t->core_passed = true;
	c = t->proc->core;
	if (!c || c->dumper == t)
		return NULL;
	ref_get(&c->ref);
	return c;
}

void core_task_exit(struct task *t)
{
	struct core *c = core_join(t);
	struct core_thread me = { 0 };

	if (likely(!c))
		return;
	thread_save(&me, t);
	mutex_lock(&tasklist_lock);
	me.next = c->threads->next;
	c->threads->next = &me;
	c->missing--;
	wake_task(c->dumper);
	mutex_unlock(&tasklist_lock);
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE))
		mc_park_killable(MC_FOREVER);
	kfree(me.fpu_room);
	core_put(c);
}

void core_abort(struct process *p)
{
	if (p->core)
		WRITE_ONCE(p->core->aborted, true);
}

/* All others are to exit. False: the process is exiting, or executing a program. */
static bool others_exit(struct core *c)
{
	struct task *me = current, *t;
	struct process *p = me->proc;

	defer_wakes();
	guard(&tasklist_lock);
	if (p->group_exiting || p->exec_waiter)
		return false;
	p->group_exiting = true;
	p->exit_code = c->sig;
	p->core = c;
	p->flags &= ~(PROC_STOPPED | PROC_STOPPING | PROC_STOP_DEQUEUED);
	list_for_each(t, &p->threads, thread_node) {
		if (t == me)
			continue;
		c->missing += !t->core_passed;
		work_set(t, WORK_EXIT);
		kick_task(t);
		wake_task(t);
	}
	return true;
}

static void await_others(struct core *c)
{
	while (READ_ONCE(c->missing))
		mc_park_killable(MC_FOREVER);
}

static void others_go(struct core *c)
{
	struct process *p = current->proc;
	struct task *t;

	defer_wakes();
	guard(&tasklist_lock);
	p->core = NULL;
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	list_for_each(t, &p->threads, thread_node)
		if (t != current)
			wake_task(t);
}

/* ---- the file ---- */

static void emit_header(struct core_file *o, u32 segments)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (u16)(segments + 1),
	};

	core_emit(o, &h, sizeof(h));
}

static void emit_segment_headers(struct core_file *o, const struct core_segments *s, u64 off)
{
	for (u32 i = 0; i < s->n; i++) {
		const struct core_segment *seg = &s->seg[i];
		Elf64_Phdr h = {
			.p_type = PT_LOAD,
			.p_flags = (seg->prot & 1 ? PF_R : 0u) | (seg->prot & 2 ? PF_W : 0u) |
				   (seg->prot & 4 ? PF_X : 0u),
			.p_offset = off,
			.p_vaddr = seg->start,
			.p_filesz = seg->size,
			.p_memsz = seg->end - seg->start,
			.p_align = PAGE_SIZE,
		};

		core_emit(o, &h, sizeof(h));
		off += seg->size;
	}
}

static void emit_all(struct core_file *o, const struct seq *notes, const struct core_segments *s)
{
	u64 headers = sizeof(Elf64_Ehdr) + (s->n + 1) * sizeof(Elf64_Phdr);
	u64 data = PAGE_ALIGN(headers + notes->len);
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = headers, .p_filesz = notes->len };

	emit_header(o, s->n);
	core_emit(o, &note, sizeof(note));
	emit_segment_headers(o, s, data);
	core_emit(o, notes->buf, notes->len);
	core_skip(o, data - headers - notes->len);
	for (u32 i = 0; i < s->n; i++)
		core_emit_memory(o, &s->seg[i]);
}

static bool write_file(struct core *c)
{
	struct core_segments s = { 0 };
	struct seq notes = { 0 };
	struct core_file out;
	bool ok = false;

	if (core_file_open(&out, c))
		return false;
	if (!segments_take(&s)) {
		s.n = min(s.n, MAX_SEGMENTS);
		notes_make(&notes, c, &s);
		if (!notes.failed)
			emit_all(&out, &notes, &s);
		ok = !notes.failed;
	}
	ok = core_file_close(&out) && ok;
	segments_free(&s);
	seq_free(&notes);
	return ok;
}

/* ---- */

static bool wanted(const struct task *t, int sig)
{
	return sig_in(sig, DUMPS) && t->proc->dumpable && rlimit(RLIMIT_CORE) >= PAGE_SIZE;
}

static struct core *core_new(int sig, const siginfo_t *info)
{
	struct core *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref);
	c->dumper = current;
	c->sig = sig;
	c->info = *info;
	return c;
}

/* Nothing interrupts what follows: signals are blocked, and those that can't be are let go. */
static bool dump(struct core *c, struct core_thread *me)
{
	bool ok;

	thread_save(me, current);
	c->threads = me;
	if (!others_exit(c))
		return false;
	current->blocked = ~0ULL;
	await_others(c);
	mc_code_original(true);
	ok = write_file(c);
	others_go(c);
	return ok;
}

int core_dump(int sig, const siginfo_t *info)
{
	struct core_thread me = { 0 };
	struct core *c;
	bool ok;

	if (!wanted(current, sig))
		return sig;
	c = core_new(sig, info);
	if (!c)
		return sig;
	ok = dump(c, &me);
	kfree(me.fpu_room);
	core_put(c);
	if (!ok)
		return sig;
	guard(&tasklist_lock);
	current->proc->exit_code |= DUMPED;
	return sig | DUMPED;
}
