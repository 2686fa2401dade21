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

/* The first instructions of clock_gettime in this process's copy of the vdso become the call. From then on the kernel's own reads are host calls. */
int mc_clock_calls(void)
{
	static const u8 code[] = { 0xb8, 228 /* clock_gettime */, 0, 0, 0, 0x0f, 0x05, 0xc3 }; /* mov $228,%eax; syscall; ret */
	void *function = (void *)PRIV->vdso_gettime;
	s64 n;

	if (!function)
		return 0;
	PRIV->vdso_gettime = NULL;
	n = pv_own_write((u64)function, code, sizeof(code));
	if (n == sizeof(code))
		return 0;
	PRIV->vdso_gettime = (long (*)(int, void *))function;
	return n < 0 ? (int)n : -EFAULT;
}

/* The host's clock ids of threads and processes (include/linux/posix-timers.h there); number 0: the caller. */
enum cpu_clock { CPU_PROF, CPU_VIRT, CPU_SCHED }; /* ticks of user and system time, of user time; exact, of both */
#define CPU_THREAD 4

static u64 cpu_time(u32 number, bool process, enum cpu_clock which)
{
	return gettime((int)(~number << 3) | (int)which | (process ? 0 : CPU_THREAD));
}

#define TICK (10 * NSEC_PER_MSEC) /* the host's, or more */

/* As the host itself divides what it knows exactly: by ticks. What runs for less than one is not asked about. */
void mc_cpu_time(struct task *t, bool process, u64 *user, u64 *sys)
{
	struct pv_thread *pt = pv_of(t);
	u32 number = pt == pv_self() ? 0 : process ? pt->host_pid : pt->host_tid;
	u64 ticks, system;

	*sys = 0;
	*user = pt->host_tid ? cpu_time(number, process, CPU_SCHED) : 0;
	if (*user < TICK)
		return;
	ticks = cpu_time(number, process, CPU_PROF) / NSEC_PER_MSEC;
	system = ticks - min(ticks, cpu_time(number, process, CPU_VIRT) / NSEC_PER_MSEC);
	if (ticks)
		*sys = *user / ticks * system;
	*user -= *sys;
}
