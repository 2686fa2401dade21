/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/mm against a model of pages, and the rules of the man pages one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "harness.h"
#include "../../../kernel/mm/internal.h"

#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define BASE  0x100000000ULL
#define PAGES 96
#define END   (BASE + PAGES * PAGE_SIZE)

static struct mm *mm(void)
{
	return current->mm;
}

/* ---- the model: what each page of [BASE, END) should be ---- */

struct model_page {
	bool mapped, shared;
	u8 prot;
	u32 object; /* shared: which mapping, */
	u32 index;  /* and which page of it */
	u64 content;
};

static struct model_page model[PAGES];
static u32 seed = 1, next_object;

static u32 rnd(u32 limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static bool same_vma(u32 a, u32 b)
{
	const struct model_page *p = &model[a], *q = &model[b];

	if (!p->mapped || !q->mapped || p->shared != q->shared || p->prot != q->prot)
		return false;
	return !p->shared || (p->object == q->object && q->index - p->index == b - a);
}

/* Pages from `at` on that are one mapping. */
static u32 run_length(u32 at)
{
	u32 n = 1;

	if (!model[at].mapped)
		return 0;
	while (at + n < PAGES && same_vma(at, at + n) && same_vma(at + n - 1, at + n))
		n++;
	return n;
}

static bool is_free(u32 at, u32 n)
{
	for (u32 i = at; i < at + n; i++) {
		if (i >= PAGES || model[i].mapped)
			return false;
	}
	return true;
}

static bool is_mapped(u32 at, u32 n)
{
	for (u32 i = at; i < at + n; i++) {
		if (!model[i].mapped)
			return false;
	}
	return true;
}

static uaddr_t page(u32 i)
{
	return BASE + i * PAGE_SIZE;
}

/* Shared pages with the same identity have the same content: mremap of length 0 makes such twins. */
static void set_content(u32 at, u64 val)
{
	for (u32 i = 0; i < PAGES; i++) {
		if (i == at ||
		    (model[at].shared && model[i].mapped && model[i].shared &&
		     model[i].object == model[at].object && model[i].index == model[at].index))
			model[i].content = val;
	}
}

/* What the object's page holds, if another mapping knows; else it was never written. */
static u64 twin_content(u32 object, u32 index, u64 otherwise)
{
	for (u32 i = 0; i < PAGES; i++) {
		if (model[i].mapped && model[i].shared && model[i].object == object &&
		    model[i].index == index)
			return model[i].content;
	}
	return otherwise;
}

/* ---- comparing ---- */

static void check_vmas(void)
{
	const struct mm *m = mm();
	struct vma_iter it = {0};
	const struct vma *v;
	u64 total = 0, end = 0;
	u32 n = 0;

	while ((v = vma_next(m, &it))) {
		CHECK(v->start < v->end && !(v->start & ~PAGE_MASK) && !(v->end & ~PAGE_MASK));
		CHECK(end <= v->start);
		end = v->end;
		n++;
		total += v->flags & VMA_KERNEL ? 0 : vma_len(v) / PAGE_SIZE;
	}
	CHECK_EQ(m->total_pages, total);
	CHECK_EQ(m->nvmas, n);
}

static void check_page(u32 i)
{
	struct vma *v = vma_find(mm(), page(i));
	u64 content;

	CHECK_EQ(v != NULL, model[i].mapped);
	CHECK_EQ(stub_page_prot(page(i)), model[i].mapped ? model[i].prot : -1);
	if (!v)
		return;
	CHECK_EQ(v->prot, model[i].prot);
	CHECK_EQ(!!(v->flags & MAP_SHARED), model[i].shared);
	if (!(v->prot & PROT_READ))
		return;
	CHECK(stub_load(page(i), &content, sizeof(content)));
	CHECK_EQ(content, model[i].content);
}

/* One mapping in the model is one in the list: neighbours were joined. */
static void check_joined(u32 i)
{
	if (i && same_vma(i - 1, i))
		CHECK(vma_find(mm(), page(i - 1)) == vma_find(mm(), page(i)));
}

static void check_all(void)
{
	check_vmas();
	for (u32 i = 0; i < PAGES; i++) {
		check_page(i);
		check_joined(i);
	}
}

/* ---- operations ---- */

static void model_map(u32 at, u32 n, bool shared, u32 prot)
{
	next_object++;
	for (u32 i = 0; i < n; i++)
		model[at + i] = (struct model_page){
			true, shared, (u8)prot, shared ? next_object : 0, shared ? i : 0, 0};
}

static void do_map(void)
{
	static const u32 prots[] = {PROT_NONE, PROT_READ, RW, RW, RW, PROT_READ | PROT_EXEC};
	u32 at = rnd(PAGES), n = 1 + rnd(12), prot = prots[rnd(6)];
	bool shared = rnd(3) == 0;
	u32 how = rnd(4), flags = MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);
	s64 got;

	if (at + n > PAGES)
		n = PAGES - at;
	if (how == 0)
		flags |= MAP_FIXED;
	else if (how == 1)
		flags |= MAP_FIXED_NOREPLACE;
	got = sc(__NR_mmap, how == 3 ? 0 : page(at), n * PAGE_SIZE - rnd(4000), prot, flags, -1, 0);
	if (how == 1 && !is_free(at, n)) {
		CHECK_EQ(got, -EEXIST);
		return;
	}
	CHECK(got > 0 && !(got & 4095));
	if (how <= 1 || (how == 2 && is_free(at, n)))
		CHECK_EQ(got, page(at));
	if ((u64)got < BASE || (u64)got >= END) { /* no room for it here */
		CHECK_EQ(sc(__NR_munmap, got, n * PAGE_SIZE), 0);
		return;
	}
	at = (u32)(((u64)got - BASE) / PAGE_SIZE);
	CHECK(how == 0 || is_free(at, n));
	model_map(at, n, shared, prot);
}

static void do_unmap(void)
{
	u32 at = rnd(PAGES), n = 1 + rnd(10);

	if (at + n > PAGES)
		n = PAGES - at;
	CHECK_EQ(sc(__NR_munmap, page(at), n * PAGE_SIZE), 0);
	memset(&model[at], 0, n * sizeof(model[0]));
}

static void do_protect(void)
{
	static const u32 prots[] = {PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC};
	u32 at = rnd(PAGES), n = 1 + rnd(10), prot = prots[rnd(4)];
	long got;

	if (at + n > PAGES)
		n = PAGES - at;
	got = sc(__NR_mprotect, page(at), n * PAGE_SIZE, prot);
	CHECK_EQ(got, is_mapped(at, n) ? 0 : -ENOMEM);
	for (u32 i = at; i < at + n && model[i].mapped; i++)
		model[i].prot = (u8)prot;
}

static void do_write(void)
{
	u32 at = rnd(PAGES);
	u64 val = seed;
	bool ok = model[at].mapped && model[at].prot & PROT_WRITE;

	CHECK_EQ(stub_store(page(at), &val, sizeof(val)), ok);
	if (ok)
		set_content(at, val);
}

static void do_dontneed(void)
{
	u32 at = rnd(PAGES), n = 1 + rnd(8);

	if (at + n > PAGES)
		n = PAGES - at;
	CHECK_EQ(sc(__NR_madvise, page(at), n * PAGE_SIZE, MADV_DONTNEED),
		 is_mapped(at, n) ? 0 : -ENOMEM);
	for (u32 i = at; i < at + n; i++) {
		if (!model[i].shared)
			model[i].content = 0;
	}
}

/* Pages [from, from+n) appear at `to`, longer or shorter; what they were stays with DONTUNMAP. */
static void model_move(u32 from, u32 old_n, u32 to, u32 new_n, bool keep)
{
	struct model_page src[PAGES];
	struct model_page first = model[from];

	memcpy(src, &model[from], old_n * sizeof(src[0]));
	for (u32 i = 0; i < old_n; i++) {
		if (!keep)
			model[from + i] = (struct model_page){0};
		else if (!model[from + i].shared)
			model[from + i].content = 0;
	}
	for (u32 i = 0; i < new_n; i++) {
		struct model_page p = first;

		p.index = first.shared ? first.index + i : 0;
		p.content = i < old_n  ? src[i].content
			    : p.shared ? twin_content(p.object, p.index, 0)
				       : 0;
		model[to + i] = p;
	}
}

/* The part that grew may have been written earlier and unmapped: shared objects keep that. Avoid
 * it. */
static bool shared_growth(u32 from, u32 old_n, u32 new_n)
{
	return model[from].mapped && model[from].shared && new_n > old_n;
}

/* What mremap is asked for, in pages of the arena. */
struct remap_op {
	u32 from, old_n, new_n, to, flags;
	u32 run; /* length of the mapping from `from` on */
	s64 got;
};

static void shrink_source(const struct remap_op *o)
{
	memset(&model[o->from + o->new_n], 0, (o->old_n - o->new_n) * sizeof(model[0]));
}

static void check_fixed(struct remap_op *o)
{
	if (o->from + o->old_n > o->to && o->to + o->new_n > o->from) {
		CHECK_EQ(o->got, -EINVAL);
		return;
	}
	if (o->old_n > o->new_n) { /* the tail goes first, whatever happens next */
		shrink_source(o);
		o->old_n = o->new_n;
	}
	CHECK_EQ(o->got, o->run < o->old_n ? -EFAULT : (s64)page(o->to));
	if (o->got > 0)
		model_move(o->from, o->old_n, o->to, o->new_n, false);
}

static void check_moved(const struct remap_op *o)
{
	u32 at;

	CHECK(o->got > 0);
	if ((u64)o->got < BASE) { /* no room for it here */
		CHECK_EQ(sc(__NR_munmap, o->got, o->new_n * PAGE_SIZE), 0);
		memset(&model[o->from], 0, o->old_n * sizeof(model[0]));
		return;
	}
	at = (u32)(((u64)o->got - BASE) / PAGE_SIZE);
	CHECK(is_free(at, o->new_n));
	model_move(o->from, o->old_n, at, o->new_n, false);
}

static void check_grown(const struct remap_op *o)
{
	if (o->run < o->old_n) {
		CHECK_EQ(o->got, -EFAULT);
	} else if (o->run == o->old_n && is_free(o->from + o->old_n, o->new_n - o->old_n)) {
		CHECK_EQ(o->got, page(o->from));
		model_move(o->from, o->old_n, o->from, o->new_n, false);
	} else if (!(o->flags & MREMAP_MAYMOVE)) {
		CHECK_EQ(o->got, -ENOMEM);
	} else {
		check_moved(o);
	}
}

static void do_remap(void)
{
	struct remap_op o = {
		.from = rnd(PAGES), .old_n = 1 + rnd(8), .new_n = 1 + rnd(8), .to = rnd(PAGES)};

	o.flags = rnd(3) == 0 ? MREMAP_MAYMOVE | MREMAP_FIXED : rnd(2) ? MREMAP_MAYMOVE : 0;
	if (o.from + o.old_n > PAGES || o.to + o.new_n > PAGES ||
	    shared_growth(o.from, o.old_n, o.new_n))
		return;
	o.run = run_length(o.from);
	o.got = sc(__NR_mremap, page(o.from), o.old_n * PAGE_SIZE, o.new_n * PAGE_SIZE, o.flags,
		   page(o.to));
	if (o.flags & MREMAP_FIXED) {
		check_fixed(&o);
	} else if (o.old_n >= o.new_n) {
		CHECK_EQ(o.got, model[o.from].mapped ? (s64)page(o.from) : -EFAULT);
		if (model[o.from].mapped)
			shrink_source(&o);
	} else {
		check_grown(&o);
	}
}

VM_TEST(model_check)
{
	mm()->mmap_base = END;
	/* Nothing grows out of the arena. */
	CHECK_EQ(sc(__NR_mmap, END, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 END);
	for (int i = 0; i < 6000; i++) {
		switch (rnd(8)) {
		case 0:
		case 1:
			do_map();
			break;
		case 2:
			do_unmap();
			break;
		case 3:
			do_protect();
			break;
		case 4:
			do_dontneed();
			break;
		case 5:
			do_remap();
			break;
		default:
			do_write();
		}
		check_all();
	}
}

/* ---- rules, one by one ---- */

VM_TEST(mmap_errors)
{
	CHECK_EQ(sc(__NR_mmap, 0, 0, RW, ANON, -1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mmap, 0, 4096, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mmap, 0, 4096, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mmap, 0, 4096, RW, MAP_PRIVATE, -1, 0), -EBADF);
	CHECK_EQ(sc(__NR_mmap, 0, 4096, RW, ANON, -1, 100), -EINVAL);
	CHECK_EQ(sc(__NR_mmap, BASE + 1, 4096, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mmap, 0, ~0ULL, RW, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(sc(__NR_mmap, 0, 1ULL << 47, RW, ANON, -1, 0), -ENOMEM);
	CHECK_EQ(sc(__NR_mmap, USER_END, 4096, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_EQ(sc(__NR_mmap, KHEAP_BASE, 4096, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_EQ(sc(__NR_mmap, 0, 4096, RW, ANON | MAP_FIXED, -1, 0), -EPERM);
	CHECK_EQ(sc(__NR_munmap, BASE + 1, 4096), -EINVAL);
	CHECK_EQ(sc(__NR_munmap, BASE, 0), -EINVAL);
	CHECK_EQ(sc(__NR_munmap, KHEAP_BASE, 4096), -EINVAL);
	CHECK_EQ(sc(__NR_munmap, 0, ~0ULL), -EINVAL);
	CHECK_EQ(sc(__NR_munmap, 0, 4096), 0);
	CHECK_EQ(sc(__NR_mprotect, BASE, 4096, RW), -ENOMEM);
	CHECK_EQ(sc(__NR_mprotect, BASE + 1, 4096, RW), -EINVAL);
	CHECK_EQ(sc(__NR_mprotect, BASE, 4096, 0x100), -EINVAL);
	CHECK_EQ(sc(__NR_mprotect, BASE, 0, RW), 0);
}

VM_TEST(mmap_low)
{
	s64 got = sc(__NR_mmap, 0, 4096, RW, ANON | MAP_32BIT, -1, 0);

	CHECK(got > 0 && got < 0x80000000LL);
	CHECK_EQ(sc(__NR_mmap, 0, 1ULL << 31, RW, ANON | MAP_32BIT, -1, 0), -ENOMEM);
}

/* Longer than one call of the machine may be: reservations of sanitizers and language runtimes. */
VM_TEST(mmap_huge)
{
	u64 len = 14ULL << 40;
	s64 got = sc(__NR_mmap, 0, len, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	CHECK(got > 0);
	CHECK_EQ(sc(__NR_mprotect, got + (1LL << 40) - 4096, 8192, RW), 0);
	poke32((u64)got + (1ULL << 40), 7);
	CHECK_EQ(sc(__NR_munmap, got, len), 0);
	CHECK_EQ(stub_page_prot((u64)got), -1);
	CHECK_EQ(stub_page_prot((u64)got + len - 4096), -1);
}

VM_TEST(mmap_zero_device)
{
	int fd = (int)sc(__NR_openat, AT_FDCWD, ustr("/dev/zero"), O_RDWR, 0);
	s64 got;

	CHECK(fd >= 0);
	got = sc(__NR_mmap, 0, 8192, RW, MAP_PRIVATE, fd, 0);
	CHECK(got > 0);
	CHECK_EQ(peek32((u64)got + 4096), 0);
	poke32((u64)got, 5);
	CHECK_EQ(peek32((u64)got), 5);
}

static int map_of(int fd, u32 prot, u32 flags, uaddr_t *at)
{
	s64 got = sc(__NR_mmap, 0, 8192, prot, flags, fd, 0);

	*at = (uaddr_t)got;
	return got < 0 ? (int)got : 0;
}

VM_TEST(mmap_files)
{
	int fd = (int)sc(__NR_openat, AT_FDCWD, ustr("/file"), O_RDWR | O_CREAT, 0644);
	int ro = (int)sc(__NR_openat, AT_FDCWD, ustr("/file"), O_RDONLY, 0);
	int wo = (int)sc(__NR_openat, AT_FDCWD, ustr("/file"), O_WRONLY, 0);
	int dir = (int)sc(__NR_openat, AT_FDCWD, ustr("/"), O_RDONLY | O_DIRECTORY, 0);
	uaddr_t shared, private, at;

	CHECK(fd >= 0 && ro >= 0 && wo >= 0 && dir >= 0);
	CHECK_EQ(sc(__NR_ftruncate, fd, 4096), 0);
	CHECK_EQ(sc(__NR_write, fd, ustr("hello"), 5), 5);
	CHECK_EQ(map_of(fd, RW, MAP_SHARED, &shared), 0);
	CHECK_EQ(map_of(ro, RW, MAP_PRIVATE, &private), 0);
	CHECK(ueq(shared, "hello") && ueq(private, "hello"));
	poke(shared, "J", 1);
	poke(private + 1, "u", 1);
	CHECK(ueq(shared, "Jello"));
	CHECK_EQ(sc(__NR_pread64, fd, at = ualloc(16), 5, 0), 5);
	CHECK(ueq(at, "Jello"));
	CHECK(!stub_load(shared + 4096, &at, 4)); /* behind the end of the file */
	CHECK_EQ(map_of(ro, RW, MAP_SHARED, &at), -EACCES);
	CHECK_EQ(map_of(wo, PROT_READ, MAP_SHARED, &at), -EACCES);
	CHECK_EQ(map_of(wo, PROT_READ, MAP_PRIVATE, &at), -EACCES);
	CHECK_EQ(map_of(dir, PROT_READ, MAP_PRIVATE, &at), -ENODEV);
	CHECK_EQ(map_of(ro, PROT_READ, MAP_SHARED, &at), 0);
	CHECK_EQ(sc(__NR_mprotect, at, 4096, RW), -EACCES);
	CHECK_EQ(sc(__NR_close, fd), 0);
	CHECK(ueq(shared, "Jello")); /* the mapping holds the file */
	CHECK_EQ(sc(__NR_munmap, shared, 8192), 0);
}

VM_TEST(mremap_errors)
{
	uaddr_t at = ualloc(3 * 4096);

	CHECK_EQ(sc(__NR_mremap, at + 1, 4096, 8192, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 4096, 0, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 4096, 8192, 8), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 4096, 8192, MREMAP_FIXED, BASE), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 0, 8192, MREMAP_MAYMOVE), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, BASE, 4096, 8192, MREMAP_MAYMOVE), -EFAULT);
	CHECK_EQ(sc(__NR_mremap, at, 4096, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, at + 4096),
		 -EINVAL);
	CHECK_EQ(sc(__NR_mremap, at, 4096, ~0ULL, MREMAP_MAYMOVE), -EINVAL);
}

VM_TEST(mremap_special)
{
	uaddr_t at = ualloc(8192), shared;
	s64 got;

	poke32(at, 11);
	got = sc(__NR_mremap, at, 8192, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	CHECK(got > 0 && (u64)got != at);
	CHECK_EQ(peek32((u64)got), 11);
	CHECK_EQ(peek32(at), 0);
	shared = (u64)sc(__NR_mmap, 0, 8192, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	poke32(shared + 4096, 12);
	got = sc(__NR_mremap, shared, 0, 8192, MREMAP_MAYMOVE); /* a second view */
	CHECK(got > 0 && (u64)got != shared);
	CHECK_EQ(peek32((u64)got + 4096), 12);
	poke32((u64)got, 13);
	CHECK_EQ(peek32(shared), 13);
}

VM_TEST(brk_moves)
{
	u64 start = (u64)sc(__NR_brk, 0), at;

	CHECK(start);
	CHECK_EQ(sc(__NR_brk, start + 10000), start + 10000);
	poke32(start + 9996, 3);
	CHECK_EQ(stub_page_prot(start + 3 * 4096), -1);
	CHECK_EQ(sc(__NR_brk, start - 1), start + 10000);
	CHECK_EQ(sc(__NR_brk, USER_END + 4096), start + 10000);
	CHECK_EQ(sc(__NR_brk, start + 100), start + 100);
	CHECK_EQ(stub_page_prot(start + 4096), -1);
	CHECK_EQ(sc(__NR_brk, start + 10000), start + 10000);
	CHECK_EQ(peek32(start + 9996), 0);
	at = PAGE_ALIGN(start + 20000);
	CHECK_EQ(sc(__NR_mmap, at, 4096, RW, ANON | MAP_FIXED, -1, 0), at);
	CHECK_EQ(sc(__NR_brk, at + 4096), start + 10000); /* in the way */
	CHECK_EQ(sc(__NR_brk, start), start);
	check_vmas();
}

static void set_limit(int resource, u64 value)
{
	u64 lim[2] = {value, ~0ULL};

	CHECK_EQ(sc(__NR_setrlimit, resource, uput(lim, sizeof(lim))), 0);
}

VM_TEST(limits)
{
	uaddr_t at;

	set_limit(RLIMIT_AS, ~0ULL); /* the harness has its memory for small things now */
	set_limit(RLIMIT_AS, (mm()->total_pages + 4) * PAGE_SIZE);
	CHECK_EQ(sc(__NR_mmap, 0, 5 * 4096, RW, ANON, -1, 0), -ENOMEM);
	CHECK(sc(__NR_mmap, 0, 4 * 4096, RW, ANON, -1, 0) > 0);
	set_limit(RLIMIT_AS, ~0ULL);
	set_limit(RLIMIT_DATA, (mm()->data_pages + 4) * PAGE_SIZE);
	CHECK_EQ(sc(__NR_mmap, 0, 5 * 4096, RW, ANON, -1, 0), -ENOMEM);
	at = (u64)sc(__NR_mmap, 0, 5 * 4096, PROT_READ, ANON, -1, 0);
	CHECK_EQ(sc(__NR_mprotect, at, 5 * 4096, RW), -ENOMEM);
	CHECK_EQ(sc(__NR_mprotect, at, 4 * 4096, RW), 0);
}

VM_TEST(memory_locks)
{
	uaddr_t at = ualloc(16 * 4096);

	CHECK_EQ(sc(__NR_mlock, at, 4096), 0);
	CHECK_EQ(sc(__NR_mlock, at + 100, 4096), 0);
	CHECK_EQ(mm()->locked_pages, 2);
	CHECK_EQ(sc(__NR_madvise, at, 8192, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(sc(__NR_munlock, at, 4096), 0);
	CHECK_EQ(mm()->locked_pages, 1);
	CHECK_EQ(sc(__NR_mlock, BASE, 4096), -ENOMEM);
	CHECK_EQ(sc(__NR_mlockall, 0), -EINVAL);
	CHECK_EQ(sc(__NR_mlockall, 3), 0);
	CHECK_EQ(mm()->locked_pages, mm()->total_pages);
	ualloc(4096);
	CHECK_EQ(mm()->locked_pages, mm()->total_pages);
	CHECK_EQ(sc(__NR_munlockall), 0);
	CHECK_EQ(mm()->locked_pages, 0);
	check_vmas();
}

VM_TEST(mincore_pages)
{
	uaddr_t at = ualloc(4 * 4096), vec = ualloc(4096), file;
	int fd = (int)sc(__NR_memfd_create, ustr("name"), 0);
	u8 got[4];

	poke32(at + 4096, 1);
	CHECK_EQ(sc(__NR_mincore, at, 4 * 4096, vec), 0);
	peek(vec, got, 4);
	CHECK(!got[0] && got[1] == 1 && !got[2]);
	CHECK_EQ(sc(__NR_mincore, at + 1, 4096, vec), -EINVAL);
	/* of a file: all of it */
	CHECK_EQ(sc(__NR_ftruncate, fd, 8192), 0);
	CHECK_EQ(map_of(fd, RW, MAP_PRIVATE, &file), 0);
	CHECK_EQ(sc(__NR_mincore, file, 8192, vec), 0);
	peek(vec, got, 2);
	CHECK(got[0] == 1 && got[1] == 1);
	CHECK_EQ(sc(__NR_mincore, BASE, 4096, vec), -ENOMEM);
	CHECK_EQ(sc(__NR_mincore, at, 4096, BASE), -EFAULT);
}

VM_TEST(memfd)
{
	int fd = (int)sc(__NR_memfd_create, ustr("name"), 0);
	uaddr_t at;

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_ftruncate, fd, 8192), 0);
	CHECK_EQ(map_of(fd, RW, MAP_SHARED, &at), 0);
	poke32(at + 4096, 77);
	CHECK_EQ(sc(__NR_pread64, fd, at, 4, 4096), 4);
	CHECK_EQ(peek32(at), 77);
	CHECK_EQ(sc(__NR_memfd_create, ustr("name"), 0x100), -EINVAL);
	CHECK_EQ(sc(__NR_memfd_create, BASE, 0), -EFAULT);
}

static int synced, sync_error;

static int count_sync(struct file *f, bool data_only)
{
	CHECK(data_only);
	synced++;
	return sync_error;
}

/* What a call came to: its result, and as many files were written. */
static void check_msync(uaddr_t at, u64 len, int flags, long expected, int files)
{
	synced = 0;
	CHECK_EQ(sc(__NR_msync, at, len, flags), expected);
	CHECK_EQ(synced, files);
}

/* MS_SYNC writes the files that are mapped shared, also those that nobody has open any more; there is nothing else to do. */
VM_TEST(msync_files)
{
	int fd = (int)sc(__NR_memfd_create, ustr("name"), 0);
	struct file_ops ops;
	struct file *f;
	uaddr_t at, private;

	CHECK_EQ(sc(__NR_ftruncate, fd, 16384), 0);
	CHECK_EQ(map_of(fd, RW, MAP_SHARED, &at), 0);
	CHECK_EQ(map_of(fd, RW, MAP_PRIVATE, &private), 0);
	f = vma_find(mm(), at)->file;
	ops = *f->ops;
	ops.fsync = count_sync;
	f->ops = &ops;
	CHECK_EQ(sc(__NR_close, fd), 0);
	check_msync(at, 8192, MS_SYNC, 0, 1);
	check_msync(at, 8192, MS_SYNC | MS_INVALIDATE, 0, 1);
	check_msync(at, 8192, MS_ASYNC, 0, 0);
	check_msync(at, 8192, 0, 0, 0);
	check_msync(private, 8192, MS_SYNC, 0, 0);
	sync_error = -EIO;
	check_msync(at, 8192, MS_SYNC, -EIO, 1);
	sync_error = 0;
	CHECK_EQ(sc(__NR_mlock, at, 4096), 0);
	check_msync(at, 8192, MS_SYNC, 0, 2);
	check_msync(at, 8192, MS_SYNC | MS_INVALIDATE, -EBUSY, 0);
	CHECK_EQ(sc(__NR_munmap, private, 8192), 0);
	CHECK_EQ(sc(__NR_munmap, at, 4096), 0);
	check_msync(at, 8192, MS_SYNC, -ENOMEM, 1);
	CHECK_EQ(sc(__NR_munmap, at + 4096, 4096), 0);
}

static uaddr_t fork_dont, fork_wipe, fork_copy, fork_shared;

static int fork_child(void *arg)
{
	CHECK_EQ(stub_page_prot(fork_dont), -1);
	CHECK_EQ(peek32(fork_wipe), 0);
	CHECK_EQ(peek32(fork_copy), 3);
	poke32(fork_copy, 30);
	poke32(fork_shared, 40);
	check_vmas();
	return 5;
}

VM_TEST(fork_memory)
{
	long pid;

	fork_dont = ualloc(4096), fork_wipe = ualloc(4096), fork_copy = ualloc(4096);
	fork_shared = (u64)sc(__NR_mmap, 0, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(sc(__NR_madvise, fork_dont, 4096, MADV_DONTFORK), 0);
	CHECK_EQ(sc(__NR_madvise, fork_wipe, 4096, MADV_WIPEONFORK), 0);
	CHECK_EQ(sc(__NR_madvise, fork_shared, 4096, MADV_WIPEONFORK), -EINVAL);
	poke32(fork_dont, 1);
	poke32(fork_wipe, 2);
	poke32(fork_copy, 3);
	poke32(fork_shared, 4);
	pid = fork_run(fork_child, NULL);
	CHECK(pid > 0);
	CHECK_EQ(wait_status(pid), 5 << 8);
	CHECK_EQ(peek32(fork_dont), 1);
	CHECK_EQ(peek32(fork_wipe), 2);
	CHECK_EQ(peek32(fork_copy), 3);
	CHECK_EQ(peek32(fork_shared), 40);
}

static int look(void *arg)
{
	CHECK_EQ(peek32(fork_dont), 1);
	CHECK_EQ(peek32(fork_wipe), 2);
	return 0;
}

/* Who shares the memory has all of it, be it a process or a thread. */
VM_TEST(shared_memory)
{
	void stub_next_child(int (*fn)(void *arg), void *arg);

	fork_dont = ualloc(4096), fork_wipe = ualloc(4096);
	CHECK_EQ(sc(__NR_madvise, fork_dont, 4096, MADV_DONTFORK), 0);
	CHECK_EQ(sc(__NR_madvise, fork_wipe, 4096, MADV_WIPEONFORK), 0);
	poke32(fork_dont, 1);
	poke32(fork_wipe, 2);
	CHECK_EQ(wait_status(vfork_run(look, NULL)), 0);
	stub_next_child(look, NULL);
	CHECK_EQ(wait_status(sc(__NR_clone, 0x100 | 17 /* CLONE_VM, SIGCHLD */,
				ualloc(65536) + 65536 - 64)),
		 0);
	look(NULL);
}

VM_TEST(futex_keys)
{
	uaddr_t private = ualloc(8192);
	uaddr_t shared = (u64)sc(__NR_mmap, 0, 8192, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uaddr_t twin = (u64)sc(__NR_mremap, shared, 0, 8192, MREMAP_MAYMOVE);
	struct futex_key a, b;

	CHECK_EQ(mm_futex_key(mm(), private + 4, &a), 0);
	CHECK(a.a == mm()->id && a.b == private + 4);
	CHECK_EQ(mm_futex_key(mm(), shared + 4100, &a), 0);
	CHECK_EQ(mm_futex_key(mm(), twin + 4100, &b), 0);
	CHECK(!memcmp(&a, &b, sizeof(a)));
	CHECK_EQ(mm_futex_key(mm(), shared + 4, &b), 0);
	CHECK(memcmp(&a, &b, sizeof(a)));
	CHECK_EQ(mm_futex_key(mm(), BASE, &b), -EFAULT);
}

VM_TEST(machine_pages)
{
	uaddr_t code = ualloc(65536), page_at = 0;

	/* Beside the highest mapping, whose page tables are there anyway; then anywhere that a jump reaches. */
	for (u32 i = 0; i < 8; i++)
		CHECK_EQ(mm_trampoline_page(mm(), code + 100), mm()->mmap_base + 4096 * (i + 1));
	page_at = mm_trampoline_page(mm(), code + 100);
	CHECK(page_at && page_at < code && code - page_at < 0x60000000);
	CHECK_EQ(sc(__NR_munmap, page_at, 4096), -EINVAL);
	CHECK_EQ(sc(__NR_mprotect, page_at, 4096, RW), -EACCES);
	CHECK_EQ(sc(__NR_mmap, page_at, 4096, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	check_vmas();
}

/* ---- many mappings: a space without a machine behind it, against a table of pages ---- */

#define MANY 12000u

static u8 many[MANY]; /* 0: free; protection + 1, and whether it grows */
static struct vma listed[MANY];
static u32 nlisted;

static struct vma many_vma(u32 at, u32 n, u8 what)
{
	return (struct vma){.start = page(at), .end = page(at + n), .prot = (what - 1u) & 7,
			    .flags = MAP_PRIVATE | (what & 0x80 ? MAP_GROWSDOWN : 0)};
}

static void many_check(struct mm *m)
{
	struct vma_iter it = {0};
	const struct vma *v;
	u32 at = 0;

	for (nlisted = 0; (v = vma_next(m, &it)); nlisted++) {
		listed[nlisted] = *v;
		for (; at < MANY && page(at) < v->start; at++)
			CHECK(!many[at]);
		CHECK(page(at) == v->start);
		for (; at < MANY && page(at) < v->end; at++)
			CHECK(many[at] && v->prot == ((many[at] - 1u) & 7) && vma_find(m, page(at)) == v);
	}
	for (; at < MANY; at++)
		CHECK(!many[at]);
	CHECK_EQ(nlisted, m->nvmas);
	CHECK(m->nleaves <= nlisted / 4 + 2);
	for (u32 i = 0; i < m->nleaves; i++)
		CHECK(m->leaves[i].n && m->leaves[i].n <= VMA_LEAF);
}

/* As it is defined: from above, one after the other. */
static uaddr_t gap_one_by_one(u64 len, uaddr_t low, uaddr_t high)
{
	u32 i = 0;

	while (i < nlisted && listed[i].end <= high)
		i++;
	if (i < nlisted)
		high = min(high, vma_guarded_start(&listed[i]));
	for (; high >= low && high - low >= len; i--) {
		if (!i || listed[i - 1].end <= high - len)
			return high - len;
		high = min(high, vma_guarded_start(&listed[i - 1]));
	}
	return 0;
}

static void many_gaps(struct mm *m)
{
	for (u32 i = 0; i < 40; i++) {
		u64 len = (1 + rnd(i & 1 ? 8 : 700)) * PAGE_SIZE;
		uaddr_t high = page(rnd(MANY)), low = page(rnd(MANY / 4));

		CHECK_EQ(vma_gap_below(m, len, low, high), gap_one_by_one(len, low, high));
	}
}

static void many_change(struct mm *m, u32 at, u32 n, u8 what)
{
	struct dead_files dead = {0};
	struct vma v = many_vma(at, n, what);

	CHECK_EQ(vma_reserve(m, 3), 0);
	CHECK_EQ(vma_remove(m, v.start, v.end, &dead), 0);
	if (what)
		vma_insert(m, &v);
	memset(many + at, what, n);
}

static void many_protect(struct mm *m, u32 at, u32 n, u8 what)
{
	CHECK_EQ(vma_reserve(m, 2), 0);
	vma_split(m, page(at));
	vma_split(m, page(at + n));
	vma_set_prot(m, page(at), page(at + n), (what - 1u) & 7);
	vma_merge(m, page(at), page(at + n));
	for (u32 i = at; i < at + n; i++)
		many[i] = many[i] ? (many[i] & 0x80) | what : 0;
}

/* growing: some of them keep what is below them free. */
static void many_steps(struct mm *m, u32 steps, bool growing)
{
	for (u32 i = 0; i < steps; i++) {
		u32 n = 1 + rnd(i % 500 ? 6 : 2000), at = rnd(MANY - n), kind = rnd(6);
		u8 what = (u8)((1 + rnd(8)) | (growing && !rnd(60) ? 0x80 : 0));

		if (kind == 5)
			many_protect(m, at, n, (u8)(1 + rnd(8)));
		else
			many_change(m, at, n, kind < 3 ? 0 : what);
		if (i % 400)
			continue;
		many_check(m);
		many_gaps(m);
	}
}

/* Between single pages: nothing has room for three but where one has just gone. */
static void many_holes(struct mm *m)
{
	u64 len = 3 * PAGE_SIZE;

	for (u32 i = 0; i < 1000; i++) {
		u32 at = 2 + 2 * rnd(MANY / 2 - 2);

		CHECK_EQ(vma_gap_below(m, len, BASE, page(MANY)), 0);
		many_change(m, at, 1, 0);
		CHECK_EQ(vma_gap_below(m, len, BASE, page(MANY)), page(at - 1));
		many_change(m, at, 1, 1 + (u8)rnd(8));
	}
}

VM_TEST(many_mappings)
{
	struct mm *m = mm_new(), *copy;

	memset(many, 0, sizeof(many));
	for (u32 i = 0; i < MANY - 1; i += 2) /* each apart from the next */
		many_change(m, MANY - 2 - i, 1, 1 + (i & 2));
	many_check(m);
	many_gaps(m);
	CHECK_EQ(m->nvmas, MANY / 2);
	many_holes(m);
	many_steps(m, 6000, false);
	many_steps(m, 6000, true);
	copy = mm_copy(m);
	mm_put(m);
	many_check(copy);
	many_gaps(copy);
	many_change(copy, 0, MANY, 0);
	CHECK_EQ(copy->nvmas + copy->nleaves, 0);
	CHECK_EQ(vma_gap_below(copy, PAGE_SIZE, BASE, END), END - PAGE_SIZE);
	mm_put(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_check),
		cmocka_unit_test(mmap_errors),
		cmocka_unit_test(mmap_low),
		cmocka_unit_test(mmap_huge),
		cmocka_unit_test(mmap_zero_device),
		cmocka_unit_test(mmap_files),
		cmocka_unit_test(mremap_errors),
		cmocka_unit_test(mremap_special),
		cmocka_unit_test(brk_moves),
		cmocka_unit_test(limits),
		cmocka_unit_test(memory_locks),
		cmocka_unit_test(mincore_pages),
		cmocka_unit_test(msync_files),
		cmocka_unit_test(memfd),
		cmocka_unit_test(fork_memory),
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(futex_keys),
		cmocka_unit_test(machine_pages),
		cmocka_unit_test(many_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
