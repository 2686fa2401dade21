// SPDX-License-Identifier: Apache-2.0
/* Four levels of page tables. Those of the user half stay until their space ends. */
#include "kvm_impl.h"

#define LEVELS 4
#define KERNEL_FIRST 256 /* entry of the top level */
#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A)

static u64 *table(u64 gpa) { return direct(gpa); }
static u64 span(int level) { return PAGE_SIZE << (9 * level); } /* of an entry; level 0: a page */
static u32 index(uaddr_t addr, int level) { return (addr >> (12 + 9 * level)) & 511; }

u64 *pte_find(u64 pml4, uaddr_t addr)
{
	u64 *t = table(pml4);
	int level;

	for (level = LEVELS - 1; level > 0; level--) {
		u64 e = READ_ONCE(t[index(addr, level)]);

		if (!(e & PTE_P))
			return NULL;
		t = table(e & PTE_ADDR);
	}
	return &t[index(addr, 0)];
}

u64 *pte_make(u64 pml4, uaddr_t addr)
{
	u64 *t = table(pml4), gpa;
	int level;

	for (level = LEVELS - 1; level > 0; level--) {
		u64 *e = &t[index(addr, level)];

		if (!(*e & PTE_P)) {
			gpa = frame_alloc_table();
			if (!gpa)
				return NULL;
			WRITE_ONCE(*e, gpa | TABLE_BITS);
		}
		t = table(*e & PTE_ADDR);
	}
	return &t[index(addr, 0)];
}

uaddr_t pte_next(u64 pml4, uaddr_t addr, uaddr_t end)
{
	while (addr < end) {
		u64 *t = table(pml4);
		int level;

		for (level = LEVELS - 1; level > 0; level--) {
			u64 e = t[index(addr, level)];

			if (!(e & PTE_P))
				break;
			t = table(e & PTE_ADDR);
		}
		if (!level)
			return addr;
		addr = (addr & ~(span(level) - 1)) + span(level);
	}
	return end;
}

u64 tables_new(void)
{
	const u64 *kernel = (const u64 *)(KVM_LOWMEM + KVM_TABLES_GPA);
	u64 gpa = frame_alloc_table();

	if (gpa)
		memcpy(table(gpa) + KERNEL_FIRST, kernel + KERNEL_FIRST, (512 - KERNEL_FIRST) * sizeof(u64));
	return gpa;
}

static void free_level(u64 gpa, int level, u32 n)
{
	u64 *t = table(gpa);
	u32 i;

	for (i = 0; level && i < n; i++) {
		if (t[i] & PTE_P)
			free_level(t[i] & PTE_ADDR, level - 1, 512);
	}
	frame_put(gpa);
}

void tables_free(u64 pml4) { free_level(pml4, LEVELS - 1, KERNEL_FIRST); }
