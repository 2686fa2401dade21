// SPDX-License-Identifier: Apache-2.0
/*
 * What cpuid answers. In a VM each one traps to the hypervisor below, 1 to 20 us, and every start of a glibc program executes 70 of them. Those
 * that text_image.c has put jumps in place of come here; what the processor answered once is known from then on.
 *
 * Only leaves of which it is known what they depend on: not the ones that are not listed, none on processors with different kinds of
 * cores, none beyond the last one that there is (what these answer may be any other leaf's). Where the number of the CPU is a
 * part of the answer it is known for each CPU.
 */
#include "hostcall.h"

#define ROWS 96
#define CPUS 512
#define EXTENDED 0x80000000u
#define HYBRID 0x8000u /* leaf 7, edx */
#define CPUNODE_SEG 0x7b /* the limit of this segment is what the vdso's getcpu reads */

struct leaf {
	u32 eax, ebx, ecx, edx;
};

static struct row {
	u32 leaf, sub;
	struct leaf is;
} rows[ROWS];
static u32 nrows;
static struct mutex rows_lock; /* of who adds one */
static u64 apic_of_1[CPUS], apic_of_b[CPUS]; /* ids of CPUs as these leaves have them, and a bit that says that it is known */
#define KNOWN (1ULL << 32)

enum kind { REAL, SAME, SAME_ALL, CPU_1, CPU_B }; /* execute it; the same on all CPUs, for each subleaf or for all; with an id */

static enum kind kind_of(u32 leaf)
{
	switch (leaf) {
	case 0: case 2: case 0x15: case 0x16: case 0x19:
		return SAME_ALL;
	case 4: case 7: case 0xd: case 0x14: case 0x24:
		return SAME;
	case 1:
		return CPU_1;
	case 0xb: case 0x1f:
		return CPU_B;
	case 0x8000001d:
		return SAME;
	}
	return leaf >= EXTENDED && leaf <= EXTENDED + 8 ? SAME_ALL : REAL;
}

static struct leaf execute(u32 leaf, u32 sub)
{
	struct leaf l = { leaf, 0, sub, 0 };

	__atomic_fetch_add(&COUNTERS->cpuid_executed, 1, __ATOMIC_RELAXED);
	__asm__ volatile("cpuid" : "+a"(l.eax), "=b"(l.ebx), "+c"(l.ecx), "=d"(l.edx));
	return l;
}

/* ~0: not known. */
static u32 cpu_now(void)
{
	u32 limit = ~0u;

	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(CPUNODE_SEG) : "cc");
	return limit == ~0u ? ~0u : limit & 0xfff;
}

static const struct leaf *find(u32 leaf, u32 sub)
{
	u32 n = __atomic_load_n(&nrows, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		if (rows[i].leaf == leaf && rows[i].sub == sub)
			return &rows[i].is;
	return NULL;
}

/* NULL: no room. */
static const struct leaf *add(u32 leaf, u32 sub, const struct leaf *is)
{
	const struct leaf *l;

	guard(&rows_lock);
	l = find(leaf, sub);
	if (l || nrows == ROWS)
		return l;
	rows[nrows] = (struct row){ leaf, sub, *is };
	l = &rows[nrows].is;
	__atomic_store_n(&nrows, nrows + 1, __ATOMIC_RELEASE);
	return l;
}

static const struct leaf *learn(u32 leaf, u32 sub)
{
	const struct leaf *l = find(leaf, sub);
	struct leaf is;

	if (l || READ_ONCE(nrows) == ROWS)
		return l;
	is = execute(leaf, sub);
	return add(leaf, sub, &is);
}

/* The id of the CPU that this runs on. A thread may be moved at any time, so it is asked twice. */
static bool apic_id(u32 leaf, u32 *id)
{
	u64 *ids = leaf == 1 ? apic_of_1 : apic_of_b, is;
	u32 cpu = cpu_now();
	struct leaf a, b;

	if (cpu >= CPUS)
		return false;
	is = __atomic_load_n(&ids[cpu], __ATOMIC_RELAXED);
	if (!is) {
		a = execute(leaf, 0);
		if (cpu_now() != cpu)
			return false;
		b = execute(leaf, 0);
		if (cpu_now() != cpu || memcmp(&a, &b, sizeof(a)))
			return false;
		add(leaf, 0, &b);
		is = KNOWN | (leaf == 1 ? b.ebx >> 24 : b.edx);
		__atomic_store_n(&ids[cpu], is, __ATOMIC_RELAXED);
	}
	*id = (u32)is;
	return true;
}

static bool exists(u32 leaf)
{
	const struct leaf *seven, *last = learn(leaf & EXTENDED, 0), *basic = learn(0, 0);

	if (!basic || !last || leaf > last->eax)
		return false;
	if (basic->eax < 7)
		return true;
	seven = learn(7, 0);
	return seven && !(seven->edx & HYBRID);
}

static bool known(u32 leaf, u32 sub, struct leaf *out)
{
	enum kind kind = kind_of(leaf);
	const struct leaf *l;
	u32 id = 0;

	if (kind == REAL || !exists(leaf) || (kind >= CPU_1 && !apic_id(leaf, &id)))
		return false;
	l = learn(leaf, kind == SAME || kind == CPU_B ? sub : 0);
	if (!l)
		return false;
	*out = *l;
	if (kind == CPU_1)
		out->ebx = (l->ebx & 0xffffff) | id << 24;
	if (kind == CPU_B)
		out->edx = id;
	return true;
}

void pv_cpuid(struct pt_regs *regs)
{
	u32 leaf = (u32)regs->rax, sub = (u32)regs->rcx;
	struct leaf l;

	if (known(leaf, sub, &l))
		__atomic_fetch_add(&COUNTERS->cpuid_served, 1, __ATOMIC_RELAXED);
	else
		l = execute(leaf, sub);
	regs->rax = l.eax;
	regs->rbx = l.ebx;
	regs->rcx = l.ecx;
	regs->rdx = l.edx;
}
