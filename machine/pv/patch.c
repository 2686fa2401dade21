// SPDX-License-Identifier: Apache-2.0
/*
 * Call site patching: `mov $nr,%eax; syscall` becomes `jmp trampoline; syscall`, and the trampoline
 * loads the number and the return address and jumps into the kernel: no trap, no host call. Other instructions
 * before the syscall serve as well (`xor %eax,%eax` in read). One that is too short for
 * that jump gets a short one into the padding behind the function, where the long one is.
 *
 * A site is patched when it has trapped a few times (hot_sites.c: a process that makes a call once pays nothing). Which
 * bytes are that instruction, and which are padding, is decided by a disassembler in the hypervisor (PV_DECODE). The
 * syscall instruction stays: a jump straight to it still traps, and a restarted call re-executes it.
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

#include "patch.h"

#define NOP 0x90
#define PATCH_LEN 5
#define SLOT_LEN 32
#define SLOTS (PAGE_SIZE / SLOT_LEN)
#define NR_RT_SIGRETURN 15
#define REACH 0x70000000LL

/*
 * Verdicts of the decoder, shared by all processes: the same library is decoded once. One word
 * each, so that it is read and written in one piece: the upper bits of the code's hash, and the verdict.
 */
#define VERDICTS 1024
#define VERDICT_BITS 23
static u64 verdicts[VERDICTS] BSS_SITES;

static u64 verdict_pack(const struct verdict *v)
{
	return v->kind | v->len << 2 | v->hole << 6 | v->hole_len << 14 | v->disp << 19;
}

static struct verdict verdict_unpack(u64 w)
{
	return (struct verdict){ .kind = w & 3, .len = w >> 2 & 15, .hole = w >> 6 & 255, .hole_len = w >> 14 & 31,
				 .disp = w >> 19 & 15 };
}

/* at: offset of the syscall instruction in the code */
static struct verdict ask_decoder(const u8 *code, u32 len, u32 at)
{
	struct verdict v = { .kind = PV_SITE_NONE };
	const struct pv_site *site;
	struct pv_slot s;

	mc_pv_get(&s);
	memcpy(s.buf, code, len);
	s.req.cmd = PV_DECODE;
	s.req.u.ctl = (struct pv_req_ctl){ .arg = at, .len = len };
	site = (const struct pv_site *)s.buf;
	if (mc_pv_call(&s) >= 0 && (site->kind == PV_SITE_MOV || site->kind == PV_SITE_PREV) &&
	    site->patch_len <= INSN_MAX)
		v = (struct verdict){ site->kind, site->patch_len, site->hole ? site->hole - at : 0, site->hole_len, 0 };
	if (v.kind == PV_SITE_PREV && site->nr < v.len)
		v.disp = site->nr;
	if (v.disp && v.disp + 4 > v.len)
		v.kind = PV_SITE_NONE;
	mc_pv_put(&s);
	return v;
}

static struct verdict judge(const u8 *code, u32 len, u32 at)
{
	u64 key = hash_bytes(code, len) & ~((1ULL << VERDICT_BITS) - 1), have;
	u64 *slot = &verdicts[(key >> VERDICT_BITS) % VERDICTS];
	struct verdict v;

	have = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (have && (have & ~((1ULL << VERDICT_BITS) - 1)) == key)
		return verdict_unpack(have);
	v = ask_decoder(code, len, at);
	__atomic_store_n(slot, key | verdict_pack(&v), __ATOMIC_RELAXED);
	return v;
}

/* Is the number in the instruction the one that was called with? It is, unless somebody jumped to the syscall. */
static bool number_fits(const u8 *code, u32 at, const struct verdict *v, u64 nr)
{
	u32 imm;

	if (v->kind != PV_SITE_MOV)
		return nr != NR_RT_SIGRETURN; /* unwinders know signal frames by the bytes of that site */
	memcpy(&imm, code + at - 4, 4);
	return imm == nr;
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

bool pv_patch_adapt(u8 *insn, u32 disp, uaddr_t from, uaddr_t to)
{
	s64 wide;
	s32 d;

	memcpy(&d, insn + disp, 4);
	wide = d + (s64)(from - to);
	d = (s32)wide;
	memcpy(insn + disp, &d, 4);
	return d == wide;
}

/* the replaced instruction; movabs $ret,%rcx; movabs $entry,%r11; jmp *%r11 */
static void write_slot(u8 *p, const u8 *insn, u32 len, u64 ret)
{
	u64 entry = (u64)pv_syscall_entry;

	memcpy(p, insn, len);
	p += len;
	p[0] = 0x48;
	p[1] = 0xb9;
	memcpy(p + 2, &ret, 8);
	p[10] = 0x49;
	p[11] = 0xbb;
	memcpy(p + 12, &entry, 8);
	p[20] = 0x41;
	p[21] = 0xff;
	p[22] = 0xe3;
}

static uaddr_t new_slot(uaddr_t site, const struct verdict *v, const u8 *code)
{
	struct pv_private *p = PRIV;
	bool fresh = !p->patch_tramp || p->patch_slots == SLOTS || !reaches(site, p->patch_tramp);
	u8 insn[INSN_MAX];
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
	memcpy(insn, code, v->len);
	if (v->disp && !pv_patch_adapt(insn, v->disp, site - v->len, slot))
		return 0;
	write_slot((u8 *)p->patch_scratch + p->patch_slots * SLOT_LEN, insn, v->len, site + 2);
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

/*
 * A jump in place of `len` bytes at `off`. Nobody executes the rest of them; but whoever decodes the code around here, for
 * the next site, must find whole instructions.
 */
static void write_jump(u8 *page, u32 off, u32 len, uaddr_t from, uaddr_t to)
{
	s32 rel = (s32)(to - (from + PATCH_LEN));

	memset(page + off, NOP, len);
	page[off] = JMP_REL32;
	memcpy(page + off + 1, &rel, 4);
}

void pv_patch_write(u8 *copy, uaddr_t site, const struct verdict *v, uaddr_t slot)
{
	u32 off = (u32)(site & (PAGE_SIZE - 1)), from = off - v->len, hole = off + v->hole;

	if (!v->hole) {
		write_jump(copy, from, v->len, site - v->len, slot);
		return;
	}
	write_jump(copy, hole, v->hole_len, site + v->hole, slot);
	memset(copy + from, NOP, v->len);
	copy[from] = JMP_REL8;
	copy[from + 1] = (u8)(hole - (from + 2));
}

/* From the copy of the page, before it is changed. */
static void remember_site(uaddr_t site, const struct verdict *v)
{
	const u8 *copy = (const u8 *)PRIV->patch_scratch + (site & (PAGE_SIZE - 1));
	struct patch_undo *u = &PRIV->patch_log[PRIV->patch_nlog++];

	*u = (struct patch_undo){ .site = site, .len = (u8)v->len, .hole = (u8)v->hole, .hole_len = (u8)v->hole_len };
	memcpy(u->insn, copy - v->len, v->len);
	if (v->hole)
		memcpy(u->padding, copy + v->hole, v->hole_len);
}

static bool replace(uaddr_t site, const u8 *insn, const struct verdict *v)
{
	uaddr_t page = site & PAGE_MASK, slot = new_slot(site, v, insn);

	if (!slot || !kernel_code_lock(page, PAGE_SIZE))
		return false;
	if (!scratch_begin(page, false)) {
		kernel_code_unlock();
		return false;
	}
	remember_site(site, v);
	pv_patch_write((u8 *)PRIV->patch_scratch, site, v, slot);
	if (scratch_commit(page))
		remember_page(page);
	else
		PRIV->patch_nlog--;
	kernel_code_unlock();
	return true;
}

static bool look(uaddr_t site, struct window *w)
{
	u32 off = (u32)(site & (PAGE_SIZE - 1)), behind = min((u32)WINDOW_BEHIND, (u32)PAGE_SIZE - off);

	if (behind < 2 || PRIV->patch_npages == PATCH_PAGES || PRIV->patch_nlog == PATCH_LOG)
		return false;
	w->at = WINDOW;
	/* The decoder may see the page before; what is replaced must lie in one. */
	if (mc_copy_from_user(w->code, site - w->at, w->at + behind)) {
		w->at = min(w->at, off);
		if (w->at < 32 || mc_copy_from_user(w->code, site - w->at, w->at + behind))
			return false;
	}
	w->len = w->at + behind;
	return w->code[w->at] == 0x0f && w->code[w->at + 1] == 0x05;
}

bool pv_patch_judge(uaddr_t site, u64 nr, const struct window *w, struct verdict *v)
{
	*v = judge(w->code, w->len, w->at);
	return v->kind != PV_SITE_NONE && v->len <= (site & (PAGE_SIZE - 1)) && number_fits(w->code, w->at, v, nr);
}

static bool patch(uaddr_t site, u64 nr, const struct window *w)
{
	struct verdict v;

	if (!pv_patch_judge(site, nr, w, &v) || !replace(site, w->code + w->at - v.len, &v))
		return false;
	__atomic_fetch_add(&COUNTERS->patched, 1, __ATOMIC_RELAXED);
	return true;
}

static void patch_and_tell(uaddr_t site, u64 nr)
{
	struct pv_wish wish = { .family = PRIV->patch_family, .site = site, .nr = nr };
	struct window w;

	if (!look(site, &w))
		return;
	wish.hash = hash_bytes(w.code, w.len);
	if (patch(site, nr, &w))
		pv_wish_add(&wish);
}

void pv_patch_consider(struct pt_regs *regs)
{
	uaddr_t site = regs->rip - 2;

	if (site >= USER_END || !pv_site_trapped(site))
		return;
	if (!mutex_trylock(&PRIV->patch_lock)) { /* another thread's site: this one's turn comes with its next trap */
		pv_site_again(site);
		return;
	}
	if (!PRIV->patch_off)
		patch_and_tell(site, regs->orig_rax);
	mutex_unlock(&PRIV->patch_lock);
}

/* What was found worth it in a process of the same family, if the code is the same here. */
static void grant(const struct pv_wish *wish)
{
	struct window w;

	if (look(wish->site, &w) && hash_bytes(w.code, w.len) == wish->hash)
		patch(wish->site, wish->nr, &w);
}

void pv_patch_wishes(void)
{
	struct pv_wish list[PV_WISHES];
	u32 n = pv_wishes_take(list);

	if (!n || !mutex_trylock(&PRIV->patch_lock))
		return;
	for (u32 i = 0; i < n && !PRIV->patch_off; i++)
		grant(&list[i]);
	mutex_unlock(&PRIV->patch_lock);
}

/* ---- undoing it, for debuggers ---- */

static void restore_site(u8 *copy, const struct patch_undo *u)
{
	u8 *at = copy + (u->site & (PAGE_SIZE - 1)), *jump = at - u->len;

	if (*jump != JMP_REL32 && *jump != JMP_REL8) /* something else has been mapped there */
		return;
	memcpy(jump, u->insn, u->len);
	if (u->hole)
		memcpy(at + u->hole, u->padding, u->hole_len);
}

/* Whoever is in a trampoline goes on in it: those pages stay. With the lock of the kernel's address space. */
static void restore_page(uaddr_t page)
{
	if (!scratch_begin(page, false))
		return;
	for (u32 i = 0; i < PRIV->patch_nlog; i++)
		if ((PRIV->patch_log[i].site & PAGE_MASK) == page)
			restore_site((u8 *)PRIV->patch_scratch, &PRIV->patch_log[i]);
	scratch_commit(page);
}

/* With the lock of the address space, which `patch_pages` is changed with, and patch_lock if they stay. */
static void restore_pages(uaddr_t addr, u64 len, bool gone)
{
	for (u32 i = PRIV->patch_npages; i--;) {
		if (PRIV->patch_pages[i] - addr >= len)
			continue;
		if (!gone)
			restore_page(PRIV->patch_pages[i]);
		PRIV->patch_pages[i] = PRIV->patch_pages[--PRIV->patch_npages];
	}
}

/* If another thread is about to patch some of it, that keeps its jumps. */
void pv_patch_change(uaddr_t addr, u64 len, bool goes)
{
	if (!pv_patched_in(addr, len))
		return;
	if (goes) {
		restore_pages(addr, len, true);
	} else if (mutex_trylock(&PRIV->patch_lock)) {
		restore_pages(addr, len, false);
		mutex_unlock(&PRIV->patch_lock);
	}
}

void mc_code_original(bool original)
{
	struct pv_private *p = PRIV;

	if (p->patch_off == original)
		return;
	mutex_lock(&p->patch_lock);
	p->patch_off = original;
	if (original) {
		pv_text_original();
		for (u32 i = p->patch_npages; i--;) {
			uaddr_t page = p->patch_pages[i];

			if (!kernel_code_lock(page, PAGE_SIZE))
				continue;
			restore_pages(page, PAGE_SIZE, false);
			kernel_code_unlock();
		}
		p->patch_nlog = 0;
	}
	p->patch_family = 0;
	mutex_unlock(&p->patch_lock);
}

void pv_patch_reset(void)
{
	struct pv_private *p = PRIV;

	p->patch_slots = 0;
	p->patch_tramp = p->patch_scratch = 0;
	p->patch_npages = 0;
	p->patch_nlog = 0;
	p->ntext_maps = 0;
	p->patch_off = false;
	p->patch_family = 0;
}

bool pv_patched_in(uaddr_t addr, u64 len)
{
	u32 i;

	for (i = 0; i < PRIV->patch_npages; i++)
		if (PRIV->patch_pages[i] - addr < len)
			return true;
	return false;
}
