/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated filter against its table, abi/hypercalls.def, by enumeration: for every number, all combinations of what
 * lies on either side of each bound that the table has, and all that is one bit away from an allowed call. What each check
 * means is written here from the table's own description, on whole arguments; test_filter.c says whether the
 * table is right.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "bpf_machine.h"
#include "layout.h"
#include "vm/filter.h"

#define ARGS 6
#define LAST_NR 600
#define G4 (1ull << 32)
#define VALUES 100

#define MAP_USER_BITS                                                                              \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED)

enum kind { NONE, IS, IS32, LEAST32, WITHIN32, ALL32, BELOW, WINDOW, DESCRIPTOR };

struct check {
	enum kind kind;
	unsigned int arg;
	uint64_t v;
};

#define EQ(n, v) { IS, n, v }
#define EQ64(n, v) { IS, n, v }
#define EQ32(n, v) { IS32, n, v }
#define GE32(n, v) { LEAST32, n, v }
#define BITS(n, m) { WITHIN32, n, m }
#define SET(n, m) { ALL32, n, m }
#define ANY { NONE, 0, 0 }
#define USER(n) { BELOW, n, USER_END }
#define LEN(n) { BELOW, n, USER_MAX_LEN + G4 }
#define LEN32(n) { BELOW, n, G4 }
#define KWIN(n) { WINDOW, n, KWIN_BASE }
#define FD(n) { DESCRIPTOR, n, KFD_DONATED }
#define RULE(...) { __VA_ARGS__ }
#define HYPERCALL(call, text, ...)                                                                 \
	{ SYS_##call, #call, sizeof((struct check[][8]){ __VA_ARGS__ }) / sizeof(struct check[8]), { __VA_ARGS__ } },

static const struct hypercall {
	long nr;
	const char *name;
	size_t nrules;
	struct check rules[6][8];
} table[] = {
#include "hypercalls.def"
};
#define TABLE (sizeof(table) / sizeof(table[0]))

static struct sock_filter program[FILTER_MAX];
static int length;

/* ---- what the table says ---- */

static bool holds(const struct check *c, uint64_t a)
{
	switch (c->kind) {
	case IS:
		return a == c->v;
	case IS32:
		return (uint32_t)a == (uint32_t)c->v;
	case LEAST32:
		return (uint32_t)a >= c->v;
	case WITHIN32:
		return ((uint32_t)a | (uint32_t)c->v) == (uint32_t)c->v;
	case ALL32:
		return ((uint32_t)a & (uint32_t)c->v) == (uint32_t)c->v;
	case BELOW:
		return a < c->v;
	case WINDOW:
		return a / G4 == c->v / G4;
	case DESCRIPTOR:
		return (int32_t)a >= (int32_t)c->v;
	case NONE:
		break;
	}
	return true;
}

static bool rule_allows(const struct check *rule, const uint64_t *a)
{
	for (int i = 0; i < 8; i++)
		if (!holds(&rule[i], a[rule[i].arg]))
			return false;
	return true;
}

static bool allowed(const struct hypercall *call, const uint64_t *a)
{
	for (size_t r = 0; r < call->nrules; r++)
		if (rule_allows(call->rules[r], a))
			return true;
	return false;
}

static bool check_call(const struct hypercall *call, const uint64_t *a)
{
	struct seccomp_data d = { .nr = (int)call->nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = HOSTCALL_BLOCK + 2 };
	bool want = allowed(call, a);
	uint32_t got;

	memcpy(d.args, a, sizeof(d.args));
	got = bpf_machine_run(program, length, &d);
	if (got != (want ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF))
		fail_msg("%s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx): the table says %s, the filter %#x", call->name, a[0], a[1],
			 a[2], a[3], a[4], a[5], want ? "yes" : "no", got);
	return want;
}

/* ---- the values of an argument that make a difference ---- */

struct values {
	uint64_t v[VALUES];
	size_t n;
};

static void add(struct values *s, uint64_t v)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == v)
			return;
	assert_true(s->n < VALUES);
	s->v[s->n++] = v;
}

static void add_around(struct values *s, uint64_t v)
{
	const uint64_t around[] = { v, v - 1, v + 1, v ^ G4, v ^ 1ull << 63 };

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		add(s, around[i]);
}

static void add_check(struct values *s, const struct check *c)
{
	switch (c->kind) {
	case WINDOW:
		add_around(s, c->v / G4 * G4);
		add_around(s, c->v / G4 * G4 + G4);
		return;
	case DESCRIPTOR:
		add(s, 0x7fffffff);
		add(s, 0x80000000);
		break;
	case WITHIN32:
		add(s, ~c->v & -~c->v); /* the lowest bit outside */
		add(s, c->v | 1ull << 31);
		break;
	case ALL32:
		for (uint64_t m = c->v; m; m &= m - 1)
			add(s, c->v & ~(m & -m));
		break;
	default:
		break;
	}
	add_around(s, c->v);
}

/* With flags in several checks: what one wants and another forbids, too. */
static void add_unions(struct values *s)
{
	size_t n = s->n;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (s->v[i] < 1u << 20 && s->v[j] < 1u << 20)
				add(s, s->v[i] | s->v[j]);
}

static void collect(const struct hypercall *call, unsigned int arg, struct values *s)
{
	bool flags = false;

	s->n = 0;
	add(s, 0);
	add(s, ~0ull);
	for (size_t r = 0; r < call->nrules; r++) {
		for (const struct check *c = call->rules[r]; c < call->rules[r] + 8; c++) {
			if (c->kind == NONE || c->arg != arg)
				continue;
			add_check(s, c);
			flags |= c->kind == ALL32;
		}
	}
	if (flags)
		add_unions(s);
}

/* ---- tests ---- */

static void one_bit_away(const struct hypercall *call, const uint64_t *good)
{
	for (int bit = 0; bit < ARGS * 64; bit++) {
		uint64_t a[ARGS];

		memcpy(a, good, sizeof(a));
		a[bit / 64] ^= 1ull << bit % 64;
		check_call(call, a);
	}
}

/* All combinations, as numbers whose digits choose the values. */
static void test_table(void **state)
{
	for (size_t t = 0; t < TABLE; t++) {
		static struct values s[ARGS];
		size_t all = 1, good = 0;

		for (unsigned int i = 0; i < ARGS; i++) {
			collect(&table[t], i, &s[i]);
			all *= s[i].n;
		}
		for (size_t n = 0; n < all; n++) {
			uint64_t a[ARGS];
			size_t rest = n;

			for (int i = 0; i < ARGS; i++) {
				a[i] = s[i].v[rest % s[i].n];
				rest /= s[i].n;
			}
			if (check_call(&table[t], a) && good++ % 1000 == 0)
				one_bit_away(&table[t], a);
		}
		if (!good)
			fail_msg("%s: no combination is allowed", table[t].name);
	}
}

/* A number that is not in the table has nothing to allow it. */
static void test_rest(void **state)
{
	static const uint64_t values[] = { 0, 1, 64, 0x1000, 0x10000, KWIN_BASE, ~0ull };

	for (long nr = -1; nr <= LAST_NR; nr++) {
		const struct hypercall other = { nr, "a call outside the table", 0, { { { NONE, 0, 0 } } } };

		if (filter_call_name((int)nr))
			continue;
		for (size_t i = 0; i < 7 * 7 * 7; i++)
			check_call(&other, (uint64_t[]){ values[i % 7], values[i / 7 % 7], values[i / 49], values[i % 7], values[i / 7 % 7],
							 values[i / 49] });
	}
}

static int setup(void **state)
{
	length = filter_build(program, FILTER_MAX);
	return length > 0 && filter_table_size() == TABLE ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
