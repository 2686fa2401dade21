// SPDX-License-Identifier: Apache-2.0
/* Small calls: system information, randomness, per-process switches. */
#include "syscall.h"

#include <asm/prctl.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/time.h>

#include "hoststat.h"
#include "ktime.h"
#include "layout.h"
#include "pid_ns.h"
#include "sched.h"
#include "user_ns.h"

long sys_sysinfo(u64 to)
{
	struct sysinfo info = { .mem_unit = 1 };
	struct pv_host_stat st;

	host_stat(&st);
	info.uptime = (s64)(clock_read(CLOCK_BOOTTIME) / NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		info.loads[i] = st.load[i];
	info.totalram = st.mem_total;
	info.freeram = st.mem_free;
	info.totalswap = st.swap_total;
	info.freeswap = st.swap_free;
	info.procs = (u16)min(task_count(), 0xffffu);
	return mc_copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

#define RANDOM_CHUNK 256

long sys_getrandom(u64 to, u64 len, u64 flags)
{
	u8 chunk[RANDOM_CHUNK];
	size_t done = 0;

	if ((u32)flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (((u32)flags & GRND_RANDOM) && ((u32)flags & GRND_INSECURE))
		return -EINVAL;
	len = min(len, (u64)0x7fffffff);
	while (done < len) {
		size_t n = min(len - done, sizeof(chunk));

		random_bytes(chunk, n);
		if (mc_copy_to_user(to + done, chunk, n))
			return done ? (long)done : -EFAULT;
		done += n;
		/* Up to 256 bytes are never cut short: getrandom(2). */
		if (done < len && task_work_pending())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	barrier();
	return (long)done;
}

long sys_personality(u64 value)
{
	struct process *p = current->proc;
	u32 was = p->personality;

	if ((u32)value != 0xffffffff)
		p->personality = (u32)value;
	return was;
}

/* gs is the guest kernel's own on machines without hardware virtualization: it cannot be given away. */
long sys_arch_prctl(u64 op, u64 addr)
{
	u64 base;

	switch ((int)op) {
	case ARCH_SET_FS:
		if (addr >= USER_END)
			return -EPERM;
		mc_set_fsbase(addr);
		return 0;
	case ARCH_GET_FS:
		base = mc_get_fsbase();
		break;
	case ARCH_SET_GS:
		return -EPERM;
	case ARCH_GET_GS:
		base = 0;
		break;
	default:
		return -EINVAL;
	}
	return mc_copy_to_user(addr, &base, sizeof(base)) ? -EFAULT : 0;
}

/* Where the machine does not know: one that the thread may use. The vdso, where there is one, knows better. */
static u32 some_cpu(void)
{
	u32 i, n = 0;
	u64 mask[16];

	task_cpu_mask(current, mask);
	for (i = 0; i < ARRAY_SIZE(mask); i++)
		for (u64 left = mask[i]; left; left &= left - 1)
			n++;
	n = (u32)current->tid % n;
	for (i = 0;; i++)
		if (mask[i / 64] >> (i % 64) & 1 && !n--)
			return i;
}

long sys_getcpu(u64 cpu_to, u64 node_to, u64 unused)
{
	int known = mc_cpu();
	u32 cpu = known < 0 ? some_cpu() : (u32)known, node = 0;

	if (cpu_to && mc_copy_to_user(cpu_to, &cpu, sizeof(cpu)))
		return -EFAULT;
	if (node_to && mc_copy_to_user(node_to, &node, sizeof(node)))
		return -EFAULT;
	return 0;
}

enum { SYSLOG_CLOSE = 0, SYSLOG_OPEN = 1, SYSLOG_READ = 2, SYSLOG_SIZE_BUFFER = 10 };

/* The guest kernel's messages go to the hypervisor's log: inside, the buffer is empty. */
long sys_syslog(u64 type_arg, u64 buf, u64 len)
{
	int type = (int)type_arg;

	if (!capable(CAP_SYSLOG))
		return -EPERM;
	if (type < SYSLOG_CLOSE || type > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	return 0;
}

#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_RESTART 0x01234567
#define REBOOT_RESTART2 0xa1b2c3d4
#define REBOOT_HALT 0xcdef0123
#define REBOOT_POWER_OFF 0x4321fedc

static bool reboot_magic2(u32 magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

/* As in a pid namespace of Linux: init ends as if by SIGHUP (restart) or SIGINT, reboot(2). */
long sys_reboot(u64 magic1, u64 magic2, u64 cmd, u64 arg)
{
	if (!ns_capable(ns_owner(&task_pid_ns(current)->ns), CAP_SYS_BOOT))
		return -EPERM;
	if ((u32)magic1 != REBOOT_MAGIC1 || !reboot_magic2((u32)magic2))
		return -EINVAL;
	switch ((u32)cmd) {
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
		pid_ns_reboot(SIGHUP);
		return 0;
	case REBOOT_HALT:
	case REBOOT_POWER_OFF:
		pid_ns_reboot(SIGINT);
		return 0;
	}
	return -EINVAL;
}

long sys_vhangup(void)
{
	return capable(CAP_SYS_TTY_CONFIG) ? 0 : -EPERM;
}

/* Calls that administer the machine, or reach under its hood: nobody in a container may. */
long sys_refused(void)
{
	return -EPERM;
}
