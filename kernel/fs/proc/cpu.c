// SPDX-License-Identifier: Apache-2.0
/* /proc/cpuinfo, of what the cpuid instruction says. */
#include "proc.h"

#include <linux/time.h>

#include "cpuflags.h"
#include "sched.h"

struct regs {
	u32 a, b, c, d;
};

static struct regs cpuid(u32 leaf, u32 sub)
{
	struct regs r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}

struct cpu {
	char vendor[13], model[49];
	u32 family, model_nr, stepping, max_leaf, clflush, phys_bits, virt_bits, cache_kb, apicid;
	u64 khz;
};

static void identify(struct cpu *c)
{
	struct regs r = cpuid(0, 0);

	c->max_leaf = r.a;
	memcpy(c->vendor, &r.b, 4);
	memcpy(c->vendor + 4, &r.d, 4);
	memcpy(c->vendor + 8, &r.c, 4);
	r = cpuid(1, 0);
	c->stepping = r.a & 15;
	c->family = r.a >> 8 & 15;
	c->model_nr = r.a >> 4 & 15;
	if (c->family == 6 || c->family == 15)
		c->model_nr |= (r.a >> 16 & 15) << 4;
	if (c->family == 15)
		c->family += r.a >> 20 & 255;
	c->clflush = (r.b >> 8 & 255) * 8;
	c->apicid = r.b >> 24;
}

static void name_model(struct cpu *c)
{
	char text[49] = "";
	const char *start = text;

	if (cpuid(0x80000000, 0).a >= 0x80000004)
		for (u32 i = 0; i < 3; i++) {
			struct regs r = cpuid(0x80000002 + i, 0);

			memcpy(text + 16 * i, &r, 16);
		}
	while (*start == ' ')
		start++;
	strlcpy(c->model, *start ? start : "unknown", sizeof(c->model));
}

/* Size of the highest cache level, from the deterministic cache parameters. */
static u32 last_cache_kb(const struct cpu *c)
{
	u32 leaf = c->vendor[0] == 'A' ? 0x8000001d : 4, kb = 0;

	if (leaf == 4 && c->max_leaf < 4)
		return 0;
	for (u32 i = 0; i < 8; i++) {
		struct regs r = cpuid(leaf, i);
		u64 size;

		if (!(r.a & 31))
			break;
		size = (u64)((r.b >> 22) + 1) * ((r.b >> 12 & 0x3ff) + 1) * ((r.b & 0xfff) + 1) * (r.c + 1);
		kb = (u32)(size >> 10);
	}
	return kb;
}

static u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* By the CPU's own word, or else by comparing two clocks for a millisecond. */
static u64 measure_khz(const struct cpu *c)
{
	u64 start, t0, now;

	if (c->max_leaf >= 0x16) {
		struct regs r = cpuid(0x16, 0);

		if (r.a & 0xffff)
			return (u64)(r.a & 0xffff) * 1000;
	}
	start = mc_clock(CLOCK_MONOTONIC);
	t0 = rdtsc();
	do {
		now = mc_clock(CLOCK_MONOTONIC);
	} while (now - start < NSEC_PER_MSEC);
	return (rdtsc() - t0) * (u64)NSEC_PER_MSEC / (now - start);
}

static void show_flags(struct seq *m)
{
	struct regs leaf1 = cpuid(1, 0), ext1 = cpuid(0x80000001, 0), leaf7 = cpuid(7, 0);
	struct regs xsave = cpuid(0xd, 1), ext8 = cpuid(0x80000008, 0);

	seq_puts(m, "flags\t\t:");
	cpuflags_show(m, cpuflags_1d, leaf1.d);
	cpuflags_show(m, cpuflags_e1d, ext1.d);
	seq_puts(m, " constant_tsc rep_good nopl nonstop_tsc cpuid");
	cpuflags_show(m, cpuflags_1c, leaf1.c);
	cpuflags_show(m, cpuflags_e1c, ext1.c);
	cpuflags_show(m, cpuflags_7b, leaf7.b);
	cpuflags_show(m, cpuflags_da, xsave.a);
	cpuflags_show(m, cpuflags_e8b, ext8.b);
	cpuflags_show(m, cpuflags_7c, leaf7.c);
	cpuflags_show(m, cpuflags_7d, leaf7.d);
	seq_putc(m, '\n');
}

static void show_cpu(struct seq *m, const struct cpu *c, u32 n)
{
	seq_printf(m, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", n, c->vendor, c->family);
	seq_printf(m, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", c->model_nr, c->model,
		   c->stepping);
	seq_printf(m, "microcode\t: 0xffffffff\ncpu MHz\t\t: %lu.%03lu\n", c->khz / 1000, c->khz % 1000);
	if (c->cache_kb)
		seq_printf(m, "cache size\t: %u KB\n", c->cache_kb);
	seq_printf(m, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
		   cpu_count(), n, cpu_count());
	seq_printf(m, "apicid\t\t: %u\ninitial apicid\t: %u\n", n, n);
	seq_printf(m, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		   c->max_leaf);
	show_flags(m);
	seq_printf(m, "bugs\t\t:\nbogomips\t: %lu.%02lu\n", c->khz / 500, c->khz / 5 % 100);
	seq_printf(m, "clflush size\t: %u\ncache_alignment\t: %u\n", c->clflush, c->clflush);
	seq_printf(m, "address sizes\t: %u bits physical, %u bits virtual\n", c->phys_bits,
		   c->virt_bits);
	seq_puts(m, "power management:\n\n");
}

/* The instruction traps in a virtual machine, and costs microseconds: ask once. */
int proc_cpuinfo(struct seq *m, const struct pseudo_ctx *ctx)
{
	static struct mutex lock;
	static struct cpu c;
	struct regs r;

	guard(&lock);
	if (!c.khz) {
		identify(&c);
		name_model(&c);
		r = cpuid(0x80000008, 0);
		c.phys_bits = r.a & 255;
		c.virt_bits = r.a >> 8 & 255;
		c.cache_kb = last_cache_kb(&c);
		c.khz = max(measure_khz(&c), (u64)1);
	}
	for (u32 n = 0; n < cpu_count(); n++)
		show_cpu(m, &c, n);
	return 0;
}
