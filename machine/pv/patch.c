// SPDX-License-Identifier: Apache-2.0
/*
 * Call site patching: `mov $nr,%eax; syscall` becomes `jmp trampoline; syscall`, and the trampoline
 * loads the number and the return address and jumps into the kernel: no trap, no host call.
 *
 * A site is patched when it has trapped a few times (a process that makes a call once pays nothing). That
 * the five bytes really are that instruction is decided by a disassembler in the hypervisor (PV_DECODE). The syscall
 * instruction stays: a jump straight to it still traps, and a restarted call re-executes it.
 *
 * W^X and threads: a page is never writable while it is executable. The new page
 * is built aside, made executable, and moved over the old one by mremap, which replaces it
 * in one step: other threads run the old code or the new. The page table change interrupts every CPU
 * that runs this space, which serialises their instruction fetch.
 *
 * Where anything is unusual (page borders, shared or writable text, no room for a trampoline within reach)
 * the site stays unpatched: slower, never wrong.
 */
#include <asm/mman.h>
#include <linux/mman.h>

#include "hostcall.h"

#define MOV_EAX 0xb8
#define JMP_REL32 0xe9
#define PATCH_LEN 5
#define SLOT_LEN 32
#define SLOTS (PAGE_SIZE / SLOT_LEN)
#define TRAPS_BEFORE_PATCH 3
#define WINDOW 128 /* bytes of code before the site that the decoder sees */
#define REACH 0x70000000LL

/* Verdicts of the decoder, shared by all processes: the same library is decoded once. */
#define VERDICTS 1024
static struct {
	u64 key;
	u32 kind;
} verdicts[VERDICTS];

static bool worth_it(uaddr_t site)
{
	u32 i = (u32)(hash_u64(site) % PATCH_COUNTS);

	if (PRIV->patch_counts[i].site != (u32)site) {
		PRIV->patch_counts[i].site = (u32)site;
		PRIV->patch_counts[i].n = 0;
	}
	return ++PRIV->patch_counts[i].n == TRAPS_BEFORE_PATCH;
}

static u32 ask_decoder(const u8 *code, u32 len)
{
	struct pv_slot s;
	u32 kind = PV_SITE_NONE;

	mc_pv_get(&s);
	memcpy(s.buf, code, len + 2);
	s.req.cmd = PV_DECODE;
	s.req.u.ctl = (struct pv_req_ctl){ .arg = len, .len = len + 2 };
	if (mc_pv_call(&s) >= 0)
		kind = ((struct pv_site *)s.buf)->kind;
	mc_pv_put(&s);
	return kind;
}

/* code: `len` bytes up to the syscall instruction, and that. */
static bool is_mov_site(const u8 *code, u32 len, u64 nr)
{
	u64 key = hash_bytes(code, len) | 1;
	u32 i = (u32)(key >> 1) % VERDICTS, imm;

	memcpy(&imm, code + len - 4, 4);
	if (code[len] != 0x0f || code[len + 1] != 0x05 || code[len - PATCH_LEN] != MOV_EAX || imm != nr || nr >= 512)
		return false;
	if (__atomic_load_n(&verdicts[i].key, __ATOMIC_ACQUIRE) == key)
		return verdicts[i].kind == PV_SITE_MOV;
	verdicts[i].kind = ask_decoder(code, len);
	__atomic_store_n(&verdicts[i].key, key, __ATOMIC_RELEASE);
	return verdicts[i].kind == PV_SITE_MOV;
}

/* Build the successor of the page at `page` in the scratch page; `fresh`: from nothing. */
static bool scratch_begin(uaddr_t page, bool fresh)
{
	long r = hostcall(mmap, PRIV->patch_scratch, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (r < 0)
		return false;
	return fresh || !pv_ucopy((void *)PRIV->patch_scratch, (void *)page, PAGE_SIZE);
}

static bool scratch_commit(uaddr_t page)
{
	return hostcall(mprotect, PRIV->patch_scratch, PAGE_SIZE, PROT_READ | PROT_EXEC) == 0 &&
	       hostcall(mremap, PRIV->patch_scratch, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page) >= 0;
}

static bool reaches(uaddr_t from, uaddr_t to)
{
	s64 d = (s64)(to - from);

	return d > -REACH && d < REACH;
}

/* mov $nr,%eax; movabs $ret,%rcx; movabs $entry,%r11; jmp *%r11 */
static void write_slot(u8 *p, u32 nr, u64 ret)
{
	u64 entry = (u64)pv_syscall_entry;

	p[0] = MOV_EAX;
	memcpy(p + 1, &nr, 4);
	p[5] = 0x48;
	p[6] = 0xb9;
	memcpy(p + 7, &ret, 8);
	p[15] = 0x49;
	p[16] = 0xbb;
	memcpy(p + 17, &entry, 8);
	p[25] = 0x41;
	p[26] = 0xff;
	p[27] = 0xe3;
}

static uaddr_t new_slot(uaddr_t site, u32 nr)
{
	struct pv_private *p = PRIV;
	bool fresh = !p->patch_tramp || p->patch_slots == SLOTS || !reaches(site, p->patch_tramp);
	uaddr_t slot;

	if (fresh) {
		uaddr_t page = kernel_code_page(site);

		if (!page)
			return 0;
		p->patch_tramp = page;
		p->patch_slots = 0;
	}
	if (!p->patch_scratch)
		p->patch_scratch = kernel_code_page(site);
	if (!p->patch_scratch || !scratch_begin(p->patch_tramp, fresh))
		return 0;
	slot = p->patch_tramp + p->patch_slots * SLOT_LEN;
	write_slot((u8 *)p->patch_scratch + p->patch_slots * SLOT_LEN, nr, site + 2);
	if (!scratch_commit(p->patch_tramp))
		return 0;
	p->patch_slots++;
	return slot;
}

static void remember_page(uaddr_t page)
{
	u32 i;

	for (i = 0; i < PRIV->patch_npages; i++)
		if (PRIV->patch_pages[i] == page)
			return;
	PRIV->patch_pages[PRIV->patch_npages++] = page;
}

static bool replace(uaddr_t site, u32 nr)
{
	uaddr_t page = site & PAGE_MASK, slot = new_slot(site, nr), at = site - PATCH_LEN;
	s32 rel;
	u8 *code;

	if (!slot || !kernel_code_lock(page, PAGE_SIZE))
		return false;
	rel = (s32)(slot - site);
	if (!scratch_begin(page, false)) {
		kernel_code_unlock();
		return false;
	}
	code = (u8 *)PRIV->patch_scratch + (at - page);
	code[0] = JMP_REL32;
	memcpy(code + 1, &rel, 4);
	if (scratch_commit(page))
		remember_page(page);
	kernel_code_unlock();
	return true;
}

static void patch(uaddr_t site, u64 nr)
{
	u8 code[WINDOW + 2];
	u32 len = (u32)min((u64)WINDOW, site & (PAGE_SIZE - 1));

	/* The whole pattern must lie in one page, and the decoder must see enough before it. */
	if (len < 32 || (site & (PAGE_SIZE - 1)) > PAGE_SIZE - 2)
		return;
	if (PRIV->patch_npages == PATCH_PAGES || mc_copy_from_user(code, site - len, len + 2))
		return;
	if (is_mov_site(code, len, nr) && replace(site, (u32)nr))
		__atomic_fetch_add(&COUNTERS->patched, 1, __ATOMIC_RELAXED);
}

void pv_patch_consider(struct pt_regs *regs)
{
	uaddr_t site = regs->rip - 2;

	if (site >= USER_END || !worth_it(site))
		return;
	if (!mutex_trylock(&PRIV->patch_lock))
		return;
	patch(site, regs->orig_rax);
	mutex_unlock(&PRIV->patch_lock);
}

void pv_patch_reset(void)
{
	struct pv_private *p = PRIV;

	p->patch_slots = 0;
	p->patch_tramp = p->patch_scratch = 0;
	p->patch_npages = 0;
	memset(p->patch_counts, 0, sizeof(p->patch_counts));
}

bool pv_patched_in(uaddr_t addr, u64 len)
{
	u32 i;

	for (i = 0; i < PRIV->patch_npages; i++)
		if (PRIV->patch_pages[i] - addr < len)
			return true;
	return false;
}
