// SPDX-License-Identifier: Apache-2.0
/* /proc's own files about time, load and CPUs: stat, uptime, loadavg, version, devices ... */
#include "proc.h"

#include <linux/time.h>

#include "hoststat.h"
#include "ktime.h"
#include "ring.h"
#include "sched.h"
#include "uts.h"

struct idle {
	u64 user, sys, idle; /* ns, of all CPUs together since the guest started */
};

/* The guest's first process started when the guest did. */
static void idle_times(struct idle *i)
{
	u64 up = mc_clock(CLOCK_BOOTTIME) - init_process->start_time;
	u64 all = up * cpu_count();

	cpu_times(&i->user, &i->sys);
	i->idle = all - min(all, i->user + i->sys);
}

static void stat_line(struct seq *m, const char *name, const struct idle *i, u32 share)
{
	seq_printf(m, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, TICKS(i->user / share),
		   TICKS(i->sys / share), TICKS(i->idle / share));
}

int proc_stat(struct seq *m, const struct pseudo_ctx *c)
{
	u64 now = mc_clock(CLOCK_REALTIME) / NSEC_PER_SEC;
	u64 up = clock_read(CLOCK_BOOTTIME) / NSEC_PER_SEC;
	struct idle i;
	char name[16];

	idle_times(&i);
	stat_line(m, "cpu ", &i, 1);
	/* Which of them did the work is the host's knowledge: show each its share. */
	for (u32 cpu = 0; cpu < cpu_count(); cpu++) {
		snprintf(name, sizeof(name), "cpu%u", cpu);
		stat_line(m, name, &i, cpu_count());
	}
	seq_printf(m, "intr 0\nctxt 0\nbtime %lu\n", now - up);
	seq_printf(m, "processes %d\nprocs_running 1\nprocs_blocked 0\n", pid_last());
	seq_puts(m, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

/* What CLOCK_BOOTTIME says, and start times count from. */
int proc_uptime(struct seq *m, const struct pseudo_ctx *c)
{
	const u64 centi = NSEC_PER_SEC / 100;
	u64 up = clock_read(CLOCK_BOOTTIME) / centi, idle;
	struct idle i;

	idle_times(&i);
	idle = i.idle / centi;
	seq_printf(m, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

int proc_loadavg(struct seq *m, const struct pseudo_ctx *c)
{
	struct pv_host_stat st;
	u32 tasks;

	host_stat(&st);
	for (int i = 0; i < 3; i++)
		seq_printf(m, "%lu.%02lu ", st.load[i] >> 16, (st.load[i] & 0xffff) * 100 >> 16);
	mutex_lock(&tasklist_lock);
	tasks = task_count();
	mutex_unlock(&tasklist_lock);
	seq_printf(m, "1/%u %d\n", tasks, pid_last());
	return 0;
}

int proc_version(struct seq *m, const struct pseudo_ctx *c)
{
	struct new_utsname u;

	uts_get(&u);
	seq_printf(m, "%s version %s (callgate@callgate) (gcc %s) %s\n", u.sysname, u.release,
		   __VERSION__, u.version);
	return 0;
}

int proc_cmdline(struct seq *m, const struct pseudo_ctx *c)
{
	const struct boot_info *b = mc_boot_info();

	seq_puts(m, "callgate");
	if (b->id)
		seq_printf(m, " id=%s", (const char *)b + b->id);
	seq_putc(m, '\n');
	return 0;
}

int proc_devices(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, "Character devices:\n"
		    "  1 mem\n"
		    "  5 /dev/tty\n"
		    "  5 /dev/console\n"
		    "  5 /dev/ptmx\n"
		    " 10 misc\n"
		    "136 pts\n"
		    "\n"
		    "Block devices:\n");
	return 0;
}

int proc_misc(struct seq *m, const struct pseudo_ctx *c)
{
	return 0;
}

int proc_interrupts(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, "           ");
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		seq_printf(m, "CPU%-8u", cpu);
	seq_putc(m, '\n');
	return 0;
}
