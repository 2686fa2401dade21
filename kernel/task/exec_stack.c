/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stack of a program, as the System V ABI for x86-64 and Linux lay it out. From the top:
 * 8 zero bytes, the file name, environment strings, argument strings, the platform's name, 16
 * random bytes, then the auxiliary vector, the environment's and the arguments' pointers, and argc,
 * where rsp points.
 */
#include <linux/auxvec.h>
#include <linux/mman.h>

#include "exec.h"
#include "user_ns.h"
#include "ring.h"

#define STACK_UNLIMITED	  (64ULL << 20)
#define STACK_SLACK	  (128ULL << 10) /* at least so much besides the strings */
#define STACK_RANDOM	  (1ULL << 34)
#define MMAP_RANDOM_PAGES (1ULL << 26) /* all mappings stay near USER_END: ThreadSanitizer looks for them there */
#define GAP_MIN		  (128ULL << 20) /* between the top of the stack and the mappings */
#define HUGE_PAGE	  (2ULL << 20)
#define SIGFRAME_ROOM	  1024 /* of a signal frame without FPU state */
#define PLATFORM	  "x86_64"
#define AT_MINSIGSTKSZ_NR 51

static u64 random_below(const struct exec *x, u64 limit)
{
	return x->randomize ? random_u64() % limit : 0;
}

static u64 stack_size(const struct exec *x)
{
	u64 limit = min(rlimit(RLIMIT_STACK), STACK_UNLIMITED);
	u64 need = x->strings.len + (x->strings.argc + x->strings.envc) * sizeof(u64) + STACK_SLACK;

	return PAGE_ALIGN(max(limit, need));
}

/*
 * One mapping of the size that the stack may have. The host may back a whole aligned 2 MiB of it by
 * a huge page, which would have to be cleared first: its top must not be one.
 */
int exec_stack_map(struct exec *x)
{
	struct mm *mm = x->mm;
	u64 size = stack_size(x), gap;
	uaddr_t top = USER_END - HUGE_PAGE - (random_below(x, STACK_RANDOM) & PAGE_MASK);
	u32 prot = PROT_READ | PROT_WRITE | (x->prog.elf.exec_stack ? PROT_EXEC : 0);
	s64 ret;

	top = (top & ~(HUGE_PAGE - 1)) + HUGE_PAGE / 2 + (top & (HUGE_PAGE / 2 - 1) & PAGE_MASK);
	mm->stack_top = top;
	gap = max(size, GAP_MIN);
	mm->mmap_base = PAGE_ALIGN(top - gap) - random_below(x, MMAP_RANDOM_PAGES) * PAGE_SIZE;
	ret = mm_map(mm, top - size, size, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | MAP_GROWSDOWN, NULL,
		     0, "[stack]");
	return ret < 0 ? (int)ret : 0;
}

static void cpuid(u32 leaf, u32 *regs)
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(0));
}

/* CPUID feature bits as the processor gives them. In a VM CPUID is slow: ask once. */
static u32 hwcap(void)
{
	static u32 known;
	u32 regs[4];

	if (!READ_ONCE(known)) {
		cpuid(1, regs);
		WRITE_ONCE(known, regs[3]);
	}
	return known;
}

static void aux(struct mm *mm, u64 type, u64 val)
{
	mm->auxv[mm->auxv_len++] = type;
	mm->auxv[mm->auxv_len++] = val;
}

static void aux_image(struct exec *x)
{
	const struct exec_file *f = &x->prog;
	struct mm *mm = x->mm;

	aux(mm, AT_PHDR, f->elf.phdr_vaddr ? f->base + f->elf.phdr_vaddr : 0);
	aux(mm, AT_PHENT, ELF_PHENT);
	aux(mm, AT_PHNUM, f->elf.phnum);
	aux(mm, AT_BASE, x->interp.file ? x->interp.base : 0);
	aux(mm, AT_FLAGS, 0);
	aux(mm, AT_ENTRY, f->base + f->elf.entry);
}

static void aux_cred(struct exec *x)
{
	const struct cred *c = x->cred;

	aux(x->mm, AT_UID, show_uid(c->uid));
	aux(x->mm, AT_EUID, show_uid(c->euid));
	aux(x->mm, AT_GID, show_gid(c->gid));
	aux(x->mm, AT_EGID, show_gid(c->egid));
	aux(x->mm, AT_SECURE, x->secure);
}

/* AT_RSEQ_* are left out: the C library then makes no use of rseq, which is not offered. */
static void make_auxv(struct exec *x, uaddr_t platform, uaddr_t random, uaddr_t execfn)
{
	const struct boot_info *boot = mc_boot_info();
	struct mm *mm = x->mm;

	mm->auxv_len = 0;
	if (boot->vdso_ok && mc_vdso())
		aux(mm, AT_SYSINFO_EHDR, mc_vdso());
	aux(mm, AT_MINSIGSTKSZ_NR, (mc_fpu_size() + SIGFRAME_ROOM + 63) & ~63ULL);
	aux(mm, AT_HWCAP, hwcap());
	aux(mm, AT_PAGESZ, PAGE_SIZE);
	aux(mm, AT_CLKTCK, HZ);
	aux_image(x);
	aux_cred(x);
	aux(mm, AT_RANDOM, random);
	aux(mm, AT_HWCAP2, 0); /* no FSGSBASE: gs may be the machine's */
	aux(mm, AT_EXECFN, execfn);
	aux(mm, AT_PLATFORM, platform);
	aux(mm, AT_NULL, 0);
	BUG_ON((size_t)mm->auxv_len > ARRAY_SIZE(mm->auxv));
}

/* `count` pointers to the strings that begin at *text, and a NULL. */
static u64 *put_pointers(u64 *to, u32 count, const char **text, uaddr_t *at)
{
	while (count--) {
		size_t n = strlen(*text) + 1;

		*to++ = *at;
		*at += n;
		*text += n;
	}
	*to++ = 0;
	return to;
}

/* argc, pointers, auxiliary vector: everything that is numbers. */
static int put_table(struct exec *x, uaddr_t below)
{
	const struct exec_strings *s = &x->strings;
	struct mm *mm = x->mm;
	size_t n = 1 + s->argc + 1 + s->envc + 1 + (size_t)mm->auxv_len;
	const char *text = s->block;
	uaddr_t at = mm->arg_start;
	u64 *table __kfree = kmalloc(n * sizeof(u64)), *p = table;

	if (!table)
		return -ENOMEM;
	*p++ = s->argc;
	p = put_pointers(p, s->argc, &text, &at);
	p = put_pointers(p, s->envc, &text, &at);
	memcpy(p, mm->auxv, (size_t)mm->auxv_len * sizeof(u64));
	x->sp = (below - n * sizeof(u64)) & ~15ULL;
	return mc_copy_to_user(x->sp, table, n * sizeof(u64));
}

int exec_stack(struct exec *x)
{
	const struct exec_strings *s = &x->strings;
	struct mm *mm = x->mm;
	uaddr_t strings, platform, random;

	strings = mm->stack_top - sizeof(u64) - s->len;
	mm->arg_start = strings;
	mm->arg_end = mm->env_start = strings + s->env_off;
	mm->env_end = strings + s->name_off;
	platform = (strings - random_below(x, 8192) - sizeof(PLATFORM)) & ~15ULL;
	random = platform - sizeof(x->random);
	random_bytes(x->random, sizeof(x->random));
	make_auxv(x, platform, random, strings + s->name_off);
	if (mc_copy_to_user(strings, s->block, s->len) ||
	    mc_copy_to_user(platform, PLATFORM, sizeof(PLATFORM)) ||
	    mc_copy_to_user(random, x->random, sizeof(x->random)))
		return -EFAULT;
	return put_table(x, random);
}
