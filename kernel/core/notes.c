// SPDX-License-Identifier: Apache-2.0
/* The notes of a core file, as Linux' fs/binfmt_elf.c writes them: threads with their registers, the process, its files. */
#include "impl.h"

#include <linux/time.h>

#include "cred.h"
#include "pid_ns.h"

#define FXSAVE_SIZE 512
#define PSARGS 80

/* struct elf_prstatus, struct elf_prpsinfo of Linux' headers for the kernel itself. */
struct prstatus {
	int signo, code, err;
	s16 cursig;
	u64 sigpend, sighold;
	int pid, ppid, pgrp, sid;
	struct __kernel_old_timeval utime, stime, cutime, cstime;
	struct pt_regs regs;
	u64 fs_base, gs_base, ds, es, fs, gs;
	int fpvalid;
};
_Static_assert(sizeof(struct prstatus) == 336, "as Linux");

struct prpsinfo {
	char state, sname, zomb, nice;
	u64 flag;
	u32 uid, gid;
	int pid, ppid, pgrp, sid;
	char fname[16], psargs[PSARGS];
};
_Static_assert(sizeof(struct prpsinfo) == 136, "as Linux");

/* ---- one note ---- */

static void pad(struct seq *m)
{
	while (m->len % 4 && !m->failed)
		seq_putc(m, '\0');
}

static void note(struct seq *m, const char *owner, u32 type, const void *data, size_t n)
{
	Elf64_Nhdr h = { .n_namesz = (u32)strlen(owner) + 1, .n_descsz = (u32)n, .n_type = type };

	seq_write(m, &h, sizeof(h));
	seq_write(m, owner, h.n_namesz);
	pad(m);
	seq_write(m, data, n);
	pad(m);
}

/* ---- threads ---- */

static struct __kernel_old_timeval timeval(u64 ns)
{
	return (struct __kernel_old_timeval){ (long)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC / 1000) };
}

struct ids {
	int ppid, pgrp, sid;
};

static struct ids ids(void)
{
	struct process *p = current->proc;
	struct pid_ns *ns = task_pid_ns(current);

	guard(&tasklist_lock);
	return (struct ids){ p->ppid, p->pgrp ? pgrp_nr(p->pgrp, ns) : 0, p->session ? session_nr(p->session, ns) : 0 };
}

static void thread_notes(struct seq *m, const struct core *c, const struct core_thread *t, const struct ids *who)
{
	struct process *p = current->proc;
	struct prstatus s;
	u64 user = 0, sys = 0;

	memset(&s, 0, sizeof(s));
	mc_cpu_time(t->task, false, &user, &sys);
	s.signo = s.cursig = (s16)c->sig;
	s.sigpend = t->task->pending.set;
	s.sighold = t->task->blocked;
	s.pid = t->task->vtid;
	s.ppid = who->ppid;
	s.pgrp = who->pgrp;
	s.sid = who->sid;
	s.utime = timeval(user);
	s.stime = timeval(sys);
	s.cutime = timeval(p->cutime);
	s.cstime = timeval(p->cstime);
	s.regs = *mc_regs(t->task);
	s.fs_base = t->fsbase;
	s.fpvalid = t->fpu != NULL;
	note(m, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void thread_fpu(struct seq *m, const struct core_thread *t)
{
	if (!t->fpu)
		return;
	note(m, "CORE", NT_PRFPREG, t->fpu, FXSAVE_SIZE);
	note(m, "LINUX", NT_X86_XSTATE, t->fpu, mc_fpu_size() - 4);
}

/* ---- the process ---- */

static void put_args(char *to)
{
	const struct mm *mm = current->mm;
	size_t n = min((size_t)(mm->arg_end - mm->arg_start), (size_t)PSARGS - 1);

	if (mc_copy_from_user(to, mm->arg_start, n))
		return;
	for (size_t i = 0; i < n; i++)
		if (!to[i])
			to[i] = ' ';
}

static void process_note(struct seq *m, const struct ids *who)
{
	const struct task *t = current;
	struct prpsinfo s;

	memset(&s, 0, sizeof(s));
	s.sname = 'R';
	s.nice = (char)t->sched.nice;
	s.uid = t->cred->uid;
	s.gid = t->cred->gid;
	s.pid = t->proc->vpid;
	s.ppid = who->ppid;
	s.pgrp = who->pgrp;
	s.sid = who->sid;
	memcpy(s.fname, t->comm, sizeof(s.fname));
	put_args(s.psargs);
	note(m, "CORE", NT_PRPSINFO, &s, sizeof(s));
}

/* Count, page size; start, end and offset in pages of each; their names. */
static void files_note(struct seq *m, const struct core_segments *segs)
{
	struct seq table = { 0 }, names = { 0 };
	u64 count = 0, page = PAGE_SIZE;

	for (u32 i = 0; i < segs->n; i++)
		count += segs->seg[i].file != NULL;
	seq_write(&table, &count, sizeof(count));
	seq_write(&table, &page, sizeof(page));
	for (u32 i = 0; i < segs->n; i++) {
		const struct core_segment *s = &segs->seg[i];
		u64 row[] = { s->start, s->end, s->off / PAGE_SIZE };
		char *name __kfree = s->file ? file_text(s->file) : NULL;

		if (!s->file)
			continue;
		seq_write(&table, row, sizeof(row));
		seq_write(&names, name ? name : "", name ? strlen(name) + 1 : 1);
	}
	seq_write(&table, names.buf, names.len);
	if (table.failed || names.failed)
		m->failed = true;
	else
		note(m, "CORE", NT_FILE, table.buf, table.len);
	seq_free(&table);
	seq_free(&names);
}

void notes_make(struct seq *m, const struct core *c, const struct core_segments *s)
{
	const struct mm *mm = current->mm;
	struct ids who = ids();

	thread_notes(m, c, c->threads, &who);
	process_note(m, &who);
	note(m, "CORE", NT_SIGINFO, &c->info, sizeof(c->info));
	note(m, "CORE", NT_AUXV, mm->auxv, (size_t)mm->auxv_len * sizeof(u64));
	files_note(m, s);
	thread_fpu(m, c->threads);
	for (const struct core_thread *t = c->threads->next; t; t = t->next) {
		thread_notes(m, c, t, &who);
		thread_fpu(m, t);
	}
}
