// SPDX-License-Identifier: Apache-2.0
/* Clocks: the host's vdso, found in the image that the host maps into every process; host calls for CPU time. */
#include <linux/elf.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "hostcall.h"

struct vdso_dyn {
	const Elf64_Sym *symtab;
	const char *strtab;
	u32 nsyms;
};

static bool vdso_dynamic(u64 base, struct vdso_dyn *d)
{
	const Elf64_Ehdr *eh = (const void *)base;
	const Elf64_Phdr *ph = (const void *)(base + eh->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	u64 bias = base;
	int i;

	for (i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			bias = base + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_offset);
	}
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			d->symtab = (const void *)(bias + dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_STRTAB)
			d->strtab = (const void *)(bias + dyn->d_un.d_ptr);
	}
	/* The number of symbols is not in the dynamic section; the string table follows the symbol table in the vdso. */
	if (d->symtab && d->strtab > (const char *)d->symtab)
		d->nsyms = (u32)(((const char *)d->strtab - (const char *)d->symtab) / (long)sizeof(Elf64_Sym));
	return d->nsyms != 0;
}

void pv_clock_setup(u64 vdso)
{
	struct vdso_dyn d = { 0 };
	u32 i;

	PRIV->vdso = vdso;
	if (!vdso || !vdso_dynamic(vdso, &d))
		return;
	for (i = 0; i < d.nsyms; i++)
		if (!strcmp(d.strtab + d.symtab[i].st_name, "__vdso_clock_gettime"))
			PRIV->vdso_gettime = (void *)(vdso + d.symtab[i].st_value);
}

static bool in_vdso(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
	       clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

static u64 gettime(int clock)
{
	struct __kernel_timespec ts = { 0 };
	long r = -ENOSYS;

	if (PRIV->vdso_gettime && in_vdso(clock))
		r = PRIV->vdso_gettime(clock, &ts);
	if (r)
		hostcall(clock_gettime, clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

u64 mc_clock(int clock) { return gettime(clock); }

/* Clock ids of other threads and processes: clock_getcpuclockid(3). The host does not tell user from system time here. */
void mc_cpu_time(struct task *t, bool process, u64 *user, u64 *sys)
{
	struct pv_thread *pt = pv_of(t);
	int id = process ? (int)(~pt->host_pid << 3 | 2) : (int)(~pt->host_tid << 3 | 6);

	*sys = 0;
	*user = 0;
	if (pt == pv_self())
		id = process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID;
	if (pt->host_tid)
		*user = gettime(id);
}
