// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "layout.h"
#include "vm/filter.h"

#define MAP_USER_BITS                                                                              \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED)

enum check_op { CHECK_EQ64 = 1, CHECK_EQ32, CHECK_GE32, CHECK_BITS, CHECK_SET, CHECK_BELOW_HI, CHECK_HI, CHECK_FD };

struct check {
	enum check_op op; /* 0: end of the rule */
	unsigned int arg;
	uint64_t value;
};

#define MAX_CHECKS 8
#define MAX_RULES 6
struct hypercall {
	int nr;
	const char *name, *why;
	struct check rules[MAX_RULES][MAX_CHECKS];
	int nrules;
};

#define HI(v) ((uint64_t)(v) >> 32)
#define EQ(n, v) { CHECK_EQ64, n, v }
#define EQ64(n, v) { CHECK_EQ64, n, v }
#define EQ32(n, v) { CHECK_EQ32, n, v }
#define GE32(n, v) { CHECK_GE32, n, v }
#define BITS(n, m) { CHECK_BITS, n, m }
#define SET(n, m) { CHECK_SET, n, m }
#define USER(n) { CHECK_BELOW_HI, n, HI(USER_END) }
#define LEN(n) { CHECK_BELOW_HI, n, HI(USER_MAX_LEN) + 1 }
#define LEN32(n) { CHECK_HI, n, 0 }
#define KWIN(n) { CHECK_HI, n, HI(KWIN_BASE) }
#define FD(n) { CHECK_FD, n, KFD_DONATED }
#define ANY { 0, 0, 0 }
#define RULE(...) { __VA_ARGS__ }
#define HYPERCALL(call, text, ...)                                                                 \
	{ .nr = SYS_##call, .name = #call, .why = text, .rules = { __VA_ARGS__ },                  \
	  .nrules = sizeof((struct check[][MAX_CHECKS]){ __VA_ARGS__ }) / sizeof(struct check[MAX_CHECKS]) },

static const struct hypercall table[] = {
#include "hypercalls.def"
};
#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

_Static_assert(HI(USER_END) << 32 == USER_END && HI(USER_MAX_LEN) << 32 == USER_MAX_LEN,
	       "the filter compares upper halves");
_Static_assert(HI(KWIN_BASE) == HI(KWIN_END - 1), "the window is one upper half");
_Static_assert(USER_END + USER_MAX_LEN + (1ULL << 32) <= KTEXT_BASE, "a range that starts in the user half can reach the kernel");

unsigned int filter_table_size(void) { return TABLE_SIZE; }

const char *filter_call_name(int nr)
{
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (table[i].nr == nr)
			return table[i].name;
	return NULL;
}

struct program {
	struct sock_filter *insn;
	size_t n, room;
	bool overflow;
};

static size_t emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n == p->room) {
		p->overflow = true;
		return 0;
	}
	p->insn[p->n] = (struct sock_filter){ code, jt, jf, k };
	return p->n++;
}

static void load(struct program *p, size_t offset) { emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
static void load_lo(struct program *p, unsigned int arg) { load(p, offsetof(struct seccomp_data, args) + 8 * arg); }
static void load_hi(struct program *p, unsigned int arg) { load(p, offsetof(struct seccomp_data, args) + 8 * arg + 4); }
static void ret(struct program *p, uint32_t value) { emit(p, BPF_RET | BPF_K, value, 0, 0); }

/* Jumps that leave a rule when its check fails are collected, then pointed at the next rule. */
struct exits {
	size_t at[4 * MAX_CHECKS];
	bool on_true[4 * MAX_CHECKS];
	size_t n;
};

static void fail_unless(struct program *p, struct exits *e, uint16_t jump, uint32_t k)
{
	e->on_true[e->n] = false;
	e->at[e->n++] = emit(p, BPF_JMP | jump | BPF_K, k, 0, 0);
}

static void fail_if(struct program *p, struct exits *e, uint16_t jump, uint32_t k)
{
	e->on_true[e->n] = true;
	e->at[e->n++] = emit(p, BPF_JMP | jump | BPF_K, k, 0, 0);
}

static void emit_check(struct program *p, const struct check *c, struct exits *e)
{
	switch (c->op) {
	case CHECK_EQ64:
		load_lo(p, c->arg);
		fail_unless(p, e, BPF_JEQ, (uint32_t)c->value);
		load_hi(p, c->arg);
		fail_unless(p, e, BPF_JEQ, (uint32_t)(c->value >> 32));
		break;
	case CHECK_EQ32:
		load_lo(p, c->arg);
		fail_unless(p, e, BPF_JEQ, (uint32_t)c->value);
		break;
	case CHECK_GE32:
		load_lo(p, c->arg);
		fail_unless(p, e, BPF_JGE, (uint32_t)c->value);
		break;
	case CHECK_BITS:
		load_lo(p, c->arg);
		fail_if(p, e, BPF_JSET, ~(uint32_t)c->value);
		break;
	case CHECK_SET:
		load_lo(p, c->arg);
		emit(p, BPF_ALU | BPF_AND | BPF_K, (uint32_t)c->value, 0, 0);
		fail_unless(p, e, BPF_JEQ, (uint32_t)c->value);
		break;
	case CHECK_BELOW_HI:
		load_hi(p, c->arg);
		fail_if(p, e, BPF_JGE, (uint32_t)c->value);
		break;
	case CHECK_HI:
		load_hi(p, c->arg);
		fail_unless(p, e, BPF_JEQ, (uint32_t)c->value);
		break;
	case CHECK_FD:
		load_lo(p, c->arg);
		fail_unless(p, e, BPF_JGE, (uint32_t)c->value);
		fail_if(p, e, BPF_JGE, 0x80000000u);
		break;
	}
}

static void patch_exits(struct program *p, const struct exits *e)
{
	for (size_t i = 0; i < e->n && !p->overflow; i++) {
		uint8_t distance = (uint8_t)(p->n - e->at[i] - 1);

		if (e->on_true[i])
			p->insn[e->at[i]].jt = distance;
		else
			p->insn[e->at[i]].jf = distance;
	}
}

static void emit_rules(struct program *p, const struct hypercall *h)
{
	for (int r = 0; r < h->nrules; r++) {
		struct exits e = { .n = 0 };

		for (const struct check *c = h->rules[r]; c->op; c++)
			emit_check(p, c, &e);
		ret(p, SECCOMP_RET_ALLOW);
		patch_exits(p, &e);
	}
	ret(p, SECCOMP_RET_USER_NOTIF);
}

static int by_number(const void *a, const void *b)
{
	return (*(const struct hypercall *const *)a)->nr - (*(const struct hypercall *const *)b)->nr;
}

/* A binary search by jumps: BPF jumps reach 255 instructions, so far ones go through an unconditional jump. */
static void emit_tree(struct program *p, const struct hypercall **h, size_t n)
{
	size_t mid = n / 2, branch, far;

	if (n == 1) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)h[0]->nr, 1, 0);
		ret(p, SECCOMP_RET_USER_NOTIF);
		emit_rules(p, h[0]);
		return;
	}
	branch = emit(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)h[mid]->nr, 0, 1);
	(void)branch;
	far = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(p, h, mid);
	p->insn[far].k = (uint32_t)(p->n - far - 1);
	emit_tree(p, h + mid, n - mid);
}

int filter_build(struct sock_filter *out, size_t room)
{
	struct program p = { .insn = out, .room = room };
	const struct hypercall *sorted[TABLE_SIZE];

	for (size_t i = 0; i < TABLE_SIZE; i++)
		sorted[i] = &table[i];
	qsort(sorted, TABLE_SIZE, sizeof(sorted[0]), by_number);

	load(&p, offsetof(struct seccomp_data, instruction_pointer));
	emit(&p, BPF_ALU | BPF_AND | BPF_K, ~(HOSTCALL_BLOCK_SIZE - 1u), 0, 0);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)HOSTCALL_BLOCK, 1, 0);
	ret(&p, SECCOMP_RET_TRAP);
	load(&p, offsetof(struct seccomp_data, instruction_pointer) + 4);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(HOSTCALL_BLOCK >> 32), 1, 0);
	ret(&p, SECCOMP_RET_TRAP);
	load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	ret(&p, SECCOMP_RET_TRAP);
	load(&p, offsetof(struct seccomp_data, nr));
	emit_tree(&p, sorted, TABLE_SIZE);
	return p.overflow ? -E2BIG : (int)p.n;
}
