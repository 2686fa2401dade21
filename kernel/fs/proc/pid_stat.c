// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/stat, statm, status: proc(5). */
#include "proc.h"
#include "time_ns.h"
#include "user_ns.h"

#include <linux/sched.h>


/* What Linux shows as the priority: 20 + nice, or -1 - the real-time priority. */
static int priority(const struct task_sched *s)
{
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	return realtime ? -1 - s->priority : 20 + s->nice;
}

static void stat_identity(struct seq *m, const struct snap *s)
{
	seq_printf(m, "%d (%s) %c %d %d %d %d %d %u", s->tid, s->comm, s->state, s->ppid, s->pgrp,
		   s->sid, s->tty_nr, s->tpgid, 4194304u /* PF_RANDOMIZE, which all have */);
}

static void stat_times(struct seq *m, const struct snap *s)
{
	/* minflt cminflt majflt cmajflt */
	seq_printf(m, " %lu 0 %lu 0", s->host.minflt, s->host.majflt);
	seq_printf(m, " %lu %lu %lu %lu", TICKS(s->utime), TICKS(s->stime), TICKS(s->cutime),
		   TICKS(s->cstime));
	seq_printf(m, " %d %d %d 0 %lu", priority(&s->sched), s->sched.nice, s->nthreads,
		   TICKS(s->start + (u64)clock_offset(CLOCK_BOOTTIME)));
}

static void stat_memory(struct seq *m, const struct snap *s, const struct mm_sizes *z, bool inside)
{
	const struct mm *mm = s->mm;

	seq_printf(m, " %lu %lu %lu", z->total << PAGE_SHIFT, z->rss, s->rss_limit);
	/* startcode endcode startstack are for who may ptrace; kstkesp kstkeip are 0 for everybody. */
	if (mm && inside)
		seq_printf(m, " %lu %lu %lu 0 0", mm->code_start, mm->code_end, mm->stack_top);
	else
		seq_printf(m, " %d %d 0 0 0", !!mm, !!mm);
}

static void stat_signals(struct seq *m, const struct snap *s)
{
	const u64 low = 0x7fffffff; /* an old interface: 31 bits */

	seq_printf(m, " %lu %lu %lu %lu", s->pending & low, s->blocked & low, s->ignored & low,
		   s->caught & low);
	/* wchan nswap cnswap */
	seq_printf(m, " %d 0 0 %d", s->state == 'S', s->exit_signal);
	/* processor rt_priority policy delayacct_blkio guest_time cguest_time */
	seq_printf(m, " 0 %d %d 0 0 0", s->sched.priority, s->sched.policy);
}

static void stat_areas(struct seq *m, const struct snap *s, bool inside)
{
	const struct mm *mm = s->mm;

	if (mm && inside)
		seq_printf(m, " %lu %lu %lu %lu %lu %lu %lu %d\n", mm->data_start,
			   mm->data_end, mm->brk_start, mm->arg_start, mm->arg_end, mm->env_start,
			   mm->env_end, s->exit_code);
	else
		seq_puts(m, " 0 0 0 0 0 0 0 0\n");
}

int pid_stat(struct seq *m, const struct pseudo_ctx *c)
{
	bool inside = !proc_may_access(c);
	struct mm_sizes z;
	struct snap s;
	int err = snap_take(c, &s);

	if (err)
		return err;
	mm_sizes(s.mm, &s.host, &z);
	stat_identity(m, &s);
	stat_times(m, &s);
	stat_memory(m, &s, &z, inside);
	stat_signals(m, &s);
	stat_areas(m, &s, inside);
	snap_drop(&s);
	return 0;
}

int pid_statm(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_ANYONE);
	struct pv_proc_stat host;
	struct mm_sizes z;

	if (IS_ERR(mm))
		mm = NULL; /* a zombie has a statm of zeros */
	host_proc_stat(c, &host);
	mm_sizes(mm, &host, &z);
	seq_printf(m, "%lu %lu %lu %lu 0 %lu 0\n", z.total, z.rss, z.rss_file + z.rss_shmem,
		   z.text, z.data + z.stack);
	if (mm)
		mm_put(mm);
	return 0;
}

static const char *state_word(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'T':
		return "stopped";
	case 't':
		return "tracing stop";
	case 'Z':
		return "zombie";
	case 'X':
		return "dead";
	}
	return "sleeping";
}

static void status_identity(struct seq *m, const struct snap *s, int tgid)
{
	seq_puts(m, "Name:\t");
	seq_escape(m, s->comm, "\n");
	seq_printf(m, "\nUmask:\t%04o\n", s->umask);
	seq_printf(m, "State:\t%c (%s)\n", s->state, state_word(s->state));
	seq_printf(m, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", tgid, s->tid,
		   s->ppid, s->tracer);
}

static void status_ids(struct seq *m, const struct snap *s)
{
	const struct cred zombie = { .uid = s->zombie_uid, .euid = s->zombie_uid,
				     .suid = s->zombie_uid, .fsuid = s->zombie_uid,
				     .gid = s->zombie_gid, .egid = s->zombie_gid,
				     .sgid = s->zombie_gid, .fsgid = s->zombie_gid };
	const struct cred *c = s->cred ? s->cred : &zombie;

	seq_printf(m, "Uid:\t%u\t%u\t%u\t%u\n", show_uid(c->uid), show_uid(c->euid),
		   show_uid(c->suid), show_uid(c->fsuid));
	seq_printf(m, "Gid:\t%u\t%u\t%u\t%u\n", show_gid(c->gid), show_gid(c->egid),
		   show_gid(c->sgid), show_gid(c->fsgid));
}

static void status_groups(struct seq *m, const struct snap *s)
{
	seq_printf(m, "FDSize:\t%u\nGroups:\t", s->fdsize);
	for (u32 i = 0; s->cred && i < s->cred->ngroups; i++)
		seq_printf(m, i ? " %u" : "%u", show_gid(s->cred->groups[i]));
	seq_puts(m, " \n"); /* Linux has a blank at the end of the groups, also if there are none */
}

/* A number for each namespace from the reader's procfs down to the process' own; 0 where it cannot be seen. */
static void show_levels(struct seq *m, const char *what, const struct pid_numbers *n, int global,
			const struct pid_numbers *own, const struct pid_ns *from)
{
	int last = own ? own->ns->level : 0;

	seq_printf(m, "%s:\t%d", what, pid_number_in(n, global, from));
	for (int level = from->level; level < last; level++)
		seq_printf(m, "\t%d", pid_number_in(n, global, own->at[level].ns));
	seq_putc(m, '\n');
}

static void status_levels(struct seq *m, const struct pseudo_ctx *c)
{
	const struct pid_ns *pids = proc_pids(c);
	const struct pid_numbers *own;
	struct process *p;
	struct task *t;

	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return;
	own = p->numbers;
	show_levels(m, "NStgid", own, p->pid, own, pids);
	show_levels(m, "NSpid", t ? t->numbers : own, t ? t->tid : p->pid, own, pids);
	if (p->pgrp && p->session) {
		show_levels(m, "NSpgid", p->pgrp->numbers, p->pgrp->id, own, pids);
		show_levels(m, "NSsid", p->session->numbers, p->session->id, own, pids);
	}
}

static void status_memory(struct seq *m, const struct mm_sizes *z)
{
	seq_printf(m, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\n", PAGES_KB(z->total),
		   PAGES_KB(z->total));
	seq_printf(m, "VmLck:\t%8lu kB\nVmPin:\t%8u kB\n", PAGES_KB(z->locked), 0);
	seq_printf(m, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", PAGES_KB(z->rss), PAGES_KB(z->rss));
	seq_printf(m, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		   PAGES_KB(z->rss - z->rss_file - z->rss_shmem), PAGES_KB(z->rss_file),
		   PAGES_KB(z->rss_shmem));
	seq_printf(m, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n",
		   PAGES_KB(z->data), PAGES_KB(z->stack), PAGES_KB(z->text), PAGES_KB(z->lib));
	/* Of a page table, one page in 512 is near enough. */
	seq_printf(m, "VmPTE:\t%8lu kB\nVmSwap:\t%8u kB\nHugetlbPages:\t%8u kB\n",
		   PAGES_KB(z->rss / 512 + 4), 0, 0);
	seq_puts(m, "CoreDumping:\t0\n");
}

static void status_signals(struct seq *m, const struct snap *s)
{
	seq_printf(m, "THP_enabled:\t%d\nThreads:\t%d\n", !s->thp_disabled, s->nthreads);
	seq_printf(m, "SigQ:\t%u/%lu\n", s->nqueued, s->sig_limit);
	seq_printf(m, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s->pending,
		   s->shared, s->blocked);
	seq_printf(m, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s->ignored, s->caught);
}

static void status_caps(struct seq *m, const struct snap *s)
{
	const struct cred *c = s->cred;
	static const struct cred none;

	c = c ? c : &none;
	seq_printf(m, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", c->cap_inheritable,
		   c->cap_permitted, c->cap_effective);
	seq_printf(m, "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n", c->cap_bounding,
		   c->cap_ambient, c->no_new_privs);
	seq_printf(m, "Seccomp:\t%d\nSeccomp_filters:\t%u\n", s->seccomp_mode, s->seccomp_filters);
	seq_puts(m, "Speculation_Store_Bypass:\tvulnerable\n"
		    "SpeculationIndirectBranch:\tconditional enabled\n");
}

/* Words of 32 bits, most significant first, like Linux' %*pb of as many bits as there are CPUs. */
static void show_mask(struct seq *m, const u64 *mask, int words)
{
	bool started = false;

	for (int i = words * 2 - 1; i >= 0; i--) {
		u32 w = (u32)(mask[i / 2] >> (i % 2 * 32));

		if (!started && !w && i)
			continue;
		seq_printf(m, started ? ",%08x" : "%x", w);
		started = true;
	}
}

static bool cpu_in(const u64 *mask, int i)
{
	return i < 1024 && (mask[i / 64] >> (i % 64) & 1);
}

static void show_list(struct seq *m, const u64 *mask)
{
	const char *comma = "";

	for (int i = 0; i < 1024; i++) {
		int first = i;

		if (!cpu_in(mask, i))
			continue;
		while (cpu_in(mask, i + 1))
			i++;
		seq_printf(m, first == i ? "%s%d" : "%s%d-%d", comma, first, i);
		comma = ",";
	}
}

static void status_placement(struct seq *m, const struct snap *s)
{
	seq_puts(m, "Cpus_allowed:\t");
	show_mask(m, s->cpus, 16);
	seq_puts(m, "\nCpus_allowed_list:\t");
	show_list(m, s->cpus);
	seq_puts(m, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	seq_printf(m, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t0\n",
		   s->switches);
}

int pid_status(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm_sizes z;
	struct snap s;
	int err = snap_take(c, &s);

	if (err)
		return err;
	status_identity(m, &s, s.pid);
	status_ids(m, &s);
	status_groups(m, &s);
	status_levels(m, c);
	if (s.mm) {
		mm_sizes(s.mm, &s.host, &z);
		status_memory(m, &z);
	}
	status_signals(m, &s);
	status_caps(m, &s);
	status_placement(m, &s);
	snap_drop(&s);
	return 0;
}
