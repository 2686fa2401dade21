// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's own mappings, which the hypervisor has made: pages below stacks are taken out of them, and all of them are
 * looked at before the first process runs. None may be writable and executable, or be there for user code.
 */
#include "kvm_impl.h"

#define TOP 3
#define KERNEL_FIRST 256 /* entry of the top level */
#define PTE_LARGE 0x80ULL

static u64 *low_table(u64 entry) { return (u64 *)(KVM_LOWMEM + (entry & PTE_ADDR)); }
static u32 shift(int level) { return (u32)(12 + 9 * level); }

void guard_page(const void *page)
{
	u64 *t = low_table(KVM_TABLES_GPA), va = (u64)page;
	int level;

	for (level = TOP; level > 0; level--) {
		u64 e = t[va >> shift(level) & 511];

		if (!(e & PTE_P) || e & PTE_LARGE)
			panic("a guard page at %#llx, which is not mapped as a page", (unsigned long long)va);
		t = low_table(e);
	}
	t[va >> 12 & 511] = 0;
	__asm__ volatile("invlpg (%0)" ::"r"(page) : "memory");
}

/* rights: of the levels above, PTE_W | PTE_U as they are, PTE_NX if one of them has it. How many mappings there are. */
static u32 check_table(const u64 *t, int level, u64 va, u64 rights)
{
	u32 i, n = 0;

	for (i = level == TOP ? KERNEL_FIRST : 0; i < 512; i++) {
		u64 e = t[i], r = (rights & e & (PTE_W | PTE_U)) | ((rights | e) & PTE_NX), at = va + ((u64)i << shift(level));

		if (!(e & PTE_P))
			continue;
		if (level && !(e & PTE_LARGE)) {
			n += check_table(low_table(e), level - 1, at, r);
			continue;
		}
		if (r & PTE_U || (r & (PTE_W | PTE_NX)) == PTE_W)
			panic("the kernel's mapping at %#llx (%#llx) is writable and executable, or user code's",
			      (unsigned long long)at, (unsigned long long)e);
		n++;
	}
	return n;
}

void kernel_map_check(void)
{
	u32 n = check_table(low_table(KVM_TABLES_GPA), TOP, 0xffff000000000000, PTE_W | PTE_U);

	printk(LOG_DEBUG, "%u mappings of the kernel, none writable and executable;%s%s%s", n, cpu_has_cr4(CR4_SMEP) ? " SMEP" : "",
	       cpu_has_cr4(CR4_SMAP) ? " SMAP" : "", cpu_has_cr4(CR4_UMIP) ? " UMIP" : "");
}
