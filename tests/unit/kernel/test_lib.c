/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/lib: strings, printf against the C library's, the allocator, mutexes, wait queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness.h"
#include "sync.h"
#include "task.h"

/* The C library's, under their own names in spite of rename.h. */
int libc_snprintf(char *buf, size_t size, const char *fmt, ...) __asm__("snprintf") __printf(3, 4);

#define COMPARE(...)                                                                               \
	do {                                                                                       \
		char mine[128], libc[128];                                                         \
		int n_ = snprintf(mine, sizeof(mine), __VA_ARGS__);                                \
		int m_ = libc_snprintf(libc, sizeof(libc), __VA_ARGS__);                           \
		if (strcmp(mine, libc) || n_ != m_)                                                \
			fail_msg("\"%s\" (%d), libc: \"%s\" (%d)", mine, n_, libc, m_);            \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static void compare_signed(long v, int width, int precision)
{
	COMPARE("%d|%i", (int)v, (int)v);
	COMPARE("%ld|%lld|%zd", v, (long long)v, (size_t)v);
	COMPARE("%hd|%hhd", (short)v, (signed char)v);
	COMPARE("%*ld|%-*ld|%0*ld", width, v, width, v, width, v);
	COMPARE("%.*ld|%*.*ld|%-*.*ld", precision, v, width, precision, v, width, precision, v);
	COMPARE("%+ld|% ld|%+0*ld|%0*.*ld", v, v, width, v, width, precision, v);
}

static void compare_unsigned(unsigned long v, int width, int precision)
{
	COMPARE("%u|%lu|%llu", (unsigned int)v, v, (unsigned long long)v);
	COMPARE("%x|%X|%lx|%#lx|%#lX", (unsigned int)v, (unsigned int)v, v, v, v);
	COMPARE("%o|%lo|%#lo|%#.*lo", (unsigned int)v, v, v, precision, v);
	COMPARE("%*lx|%-*lx|%0*lx|%#0*lx|%#*lx", width, v, width, v, width, v, width, v, width, v);
	COMPARE("%.*lx|%*.*lX", precision, v, width, precision, v);
	COMPARE("%hx|%hhx|%hu|%hhu", (unsigned short)v, (unsigned char)v, (unsigned short)v,
		(unsigned char)v);
}

static void printf_numbers(void **state)
{
	static const long values[] = {0,
				      1,
				      -1,
				      7,
				      8,
				      9,
				      10,
				      255,
				      4096,
				      -4096,
				      0x7fffffff,
				      -0x80000000L,
				      0x7fffffffffffffff,
				      (long)0x8000000000000000,
				      123456789012};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		for (int width = -3; width < 26; width += 4) {
			for (int precision = 0; precision < 24; precision += 5) {
				compare_signed(values[i], width, precision);
				compare_unsigned((unsigned long)values[i], width, precision);
			}
		}
	}
}

static void printf_text(void **state)
{
	char small[4];

	COMPARE("%s|%10s|%-10s|%.2s|%10.2s", "abc", "abc", "abc", "abc", "abc");
	COMPARE("%c|%5c|%-5c|%%", 'x', 'y', 'z');
	COMPARE("%.3s", "abcdef");
	COMPARE("%p", (void *)0x1234);
	COMPARE("plain");
	assert_int_equal(snprintf(small, sizeof(small), "%s", "abcdef"), 6);
	assert_string_equal(small, "abc");
	assert_int_equal(snprintf(NULL, 0, "%d", 12345), 5);
	assert_int_equal(snprintf(small, 1, "x"), 1);
	assert_int_equal(small[0], 0);
}

static void moves(void **state)
{
	u8 a[600], b[600];

	for (u32 to = 0; to < 20; to++) {
		for (u32 from = 0; from < 20; from++) {
			for (u32 n = 0; n < 560; n += n < 40 ? 1 : 37) {
				for (u32 i = 0; i < sizeof(a); i++)
					a[i] = b[i] = (u8)(i * 7);
				memmove(a + to, a + from, n);
				for (u32 i = 0; i < sizeof(a); i++) {
					u32 at = i >= to && i < to + n ? i - to + from : i;

					assert_int_equal(a[i], b[at]);
				}
			}
		}
	}
}

static void strings(void **state)
{
	char buf[8];

	assert_int_equal(strlen("abc"), 3);
	assert_int_equal(strnlen("abc", 2), 2);
	assert_true(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && !strcmp("ab", "ab"));
	assert_true(strcmp("\xff", "a") > 0);
	assert_true(!strncmp("abx", "aby", 2) && strncmp("abx", "aby", 3) < 0);
	assert_string_equal(strchr("a/b/c", '/'), "/b/c");
	assert_string_equal(strrchr("a/b/c", '/'), "/c");
	assert_null(strchr("abc", 'x'));
	assert_string_equal(strstr("one two", "two"), "two");
	assert_null(strstr("one", "onex"));
	assert_true(strstarts("prefix", "pre") && !strstarts("pr", "pre"));
	assert_int_equal(strlcpy(buf, "0123456789", sizeof(buf)), 10);
	assert_string_equal(buf, "0123456");
	assert_true(!memcmp("abcdefghij", "abcdefghij", 10) &&
		    memcmp("abcdefghij", "abcdefghik", 10) < 0);
	assert_ptr_equal(memchr(buf, '3', 7), buf + 3);
}

static void numbers(void **state)
{
	const char *end;
	u64 v;

	assert_true(parse_u64("123x", &end, 10, &v) && v == 123 && *end == 'x');
	assert_true(parse_u64("0x1F", &end, 0, &v) && v == 31 && !*end);
	assert_true(parse_u64("0x", &end, 0, &v) && v == 0 && *end == 'x');
	assert_true(parse_u64("017", NULL, 0, &v) && v == 15);
	assert_true(parse_u64("ff", NULL, 16, &v) && v == 255);
	assert_true(parse_u64("18446744073709551615", NULL, 10, &v) && v == ~0ULL);
	assert_false(parse_u64("18446744073709551616", NULL, 10, &v));
	assert_false(parse_u64("", NULL, 10, &v));
	assert_false(parse_u64("x", NULL, 0, &v));
}

/* ---- in a VM: the heap and threads are the machine's ---- */

#define OBJECTS 400
#define ROUNDS	20000

struct object {
	u8 *p;
	u32 size;
	u8 fill;
};

static u32 rnd(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static u32 random_size(u32 *seed)
{
	switch (rnd(seed) % 8) {
	case 0:
		return rnd(seed) % 100000;
	case 1:
		return rnd(seed) % 8192;
	default:
		return rnd(seed) % 500;
	}
}

static void object_check(const struct object *o)
{
	for (u32 i = 0; i<o->size; i += o->size> 256 ? 61 : 1)
		CHECK_EQ(o->p[i], o->fill);
}

static void object_fill(struct object *o, u32 *seed)
{
	o->fill = (u8)rnd(seed);
	memset(o->p, o->fill, o->size);
}

static void object_resize(struct object *o, u32 *seed)
{
	u32 size = random_size(seed), same = min(size, o->size);

	o->p = krealloc(o->p, size);
	CHECK(o->p);
	for (u32 i = 0; i < same; i++)
		CHECK_EQ(o->p[i], o->fill);
	o->size = size;
	object_fill(o, seed);
}

static int allocate(void *arg)
{
	u32 seed = (u32)(u64)arg;
	struct object *objects = kzalloc(OBJECTS * sizeof(*objects));

	for (int i = 0; i < ROUNDS; i++) {
		struct object *o = &objects[rnd(&seed) % OBJECTS];

		if (!o->p) {
			o->size = random_size(&seed);
			o->p = kmalloc(o->size);
			CHECK(o->p && (u64)o->p % 16 == 0);
			CHECK(o->size <= 2048 || (u64)o->p % PAGE_SIZE == 0);
			object_fill(o, &seed);
			continue;
		}
		object_check(o);
		CHECK(ksize(o->p) >= o->size);
		if (rnd(&seed) % 4 == 0) {
			object_resize(o, &seed);
			continue;
		}
		kfree(o->p);
		o->p = NULL;
	}
	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i].p);
	kfree(objects);
	return 0;
}

VM_TEST(allocator)
{
	u64 before;

	allocate((void *)1);
	before = kheap_bytes();
	allocate((void *)1);
	/* Nothing may be lost, but each size class may keep a slab. */
	CHECK(kheap_bytes() <= before + 20 * PAGE_SIZE);
}

static u32 finished;

static int allocate_thread(void *arg)
{
	allocate(arg);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(allocator_threads)
{
	for (u64 i = 1; i <= 4; i++)
		CHECK(thread_run(allocate_thread, (void *)i) > 0);
	EVENTUALLY(READ_ONCE(finished) == 4);
}

static void double_free_vm(void)
{
	char *p = kmalloc(40), *q = kmalloc(40);

	kfree(p);
	kfree(q);
	kfree(p);
}

/* What a free piece has in its second word, a process can put into one that is in use. */
VM_TEST(allocator_forged_mark)
{
	u64 *p = kmalloc(40), *q = kmalloc(40);

	kfree(p);
	q[1] = (u64)q ^ 0x5f7265656650ead5; /* mark_of() of alloc.c */
	kfree(q);
	CHECK(kmalloc(40) == q);
}

static void bad_free_vm(void)
{
	char *p = kmalloc(40);

	kfree(p + 8);
}

VM_TEST(allocator_reuse)
{
	void *a = kmalloc(100), *b, *big = kmalloc(10 * PAGE_SIZE);

	kfree(a);
	b = kmalloc(110);
	CHECK(a == b); /* freed last, used first */
	kfree(b);
	kfree(big);
	CHECK(kmalloc(10 * PAGE_SIZE) == big);
	CHECK(!kmalloc(1ULL << 50));
	CHECK(krealloc(NULL, 10));
	CHECK(ueq(ustr(kstrndup("hello", 4)), "hell"));
}

static struct mutex lock;
static u64 counter;

static int count_thread(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		guard(&lock);
		WRITE_ONCE(counter, READ_ONCE(counter) + 1);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(mutexes)
{
	for (int i = 0; i < 8; i++)
		CHECK(thread_run(count_thread, NULL) > 0);
	EVENTUALLY(READ_ONCE(finished) == 8);
	CHECK_EQ(counter, 8 * 20000);
	CHECK_EQ(lock.state, 0);
}

/* Two threads pass a token by two wait queues: a lost wake-up would hang. */
static struct waitq queues[2] = {WAITQ_INIT(queues[0]), WAITQ_INIT(queues[1])};
static u32 turn;
#define PASSES 5000

static int pass_token(void *arg)
{
	u32 me = (u32)(u64)arg;

	for (int i = 0; i < PASSES; i++) {
		CHECK_EQ(wait_event(&queues[me], READ_ONCE(turn) % 2 == me, MC_FOREVER), 0);
		__atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST);
		waitq_wake_all(&queues[!me], 0);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(wait_queues)
{
	CHECK(thread_run(pass_token, (void *)1) > 0);
	pass_token((void *)0);
	EVENTUALLY(READ_ONCE(finished) == 2);
	CHECK_EQ(turn, 2 * PASSES);
}

VM_TEST(wait_deadline)
{
	u64 start = mc_clock(1);

	CHECK_EQ(wait_event(&queues[0], false, start + 20 * NSEC_PER_MSEC), -ETIMEDOUT);
	CHECK(mc_clock(1) >= start + 20 * NSEC_PER_MSEC);
	CHECK(list_empty(&queues[0].waiters));
}

static u32 woken;

static int exclusive_waiter(void *arg)
{
	struct waiter w = {.exclusive = true};

	waitq_add(&queues[0], &w);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	CHECK_EQ(mc_park(MC_FOREVER), 0);
	waitq_del(&queues[0], &w);
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(wait_exclusive)
{
	for (int i = 0; i < 3; i++)
		CHECK(thread_run(exclusive_waiter, NULL) > 0);
	EVENTUALLY(READ_ONCE(finished) == 3);
	waitq_wake(&queues[0], 0, 1);
	EVENTUALLY(READ_ONCE(woken) == 1);
	sleep_ms(10);
	CHECK_EQ(READ_ONCE(woken), 1);
	waitq_wake(&queues[0], 0, 2);
	EVENTUALLY(READ_ONCE(woken) == 3);
}

VM_TEST(random_numbers)
{
	u8 bytes[4096];
	u32 ones = 0;
	u64 a = random_u64(), b = random_u64();

	CHECK(a != b);
	random_bytes(bytes, sizeof(bytes));
	for (u32 i = 0; i < sizeof(bytes); i++)
		ones += (u32)__builtin_popcount(bytes[i]);
	/* 32768 bits: eight standard deviations to either side. */
	CHECK(ones > 16384 - 8 * 91 && ones < 16384 + 8 * 91);
}

#define ABORTED (-6)

static void double_free(void **state)
{
	vm_run(double_free_vm, ABORTED);
}

static void bad_free(void **state)
{
	vm_run(bad_free_vm, ABORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printf_numbers),
		cmocka_unit_test(printf_text),
		cmocka_unit_test(moves),
		cmocka_unit_test(strings),
		cmocka_unit_test(numbers),
		cmocka_unit_test(allocator),
		cmocka_unit_test(allocator_threads),
		cmocka_unit_test(allocator_forged_mark),
		cmocka_unit_test(allocator_reuse),
		cmocka_unit_test(double_free),
		cmocka_unit_test(bad_free),
		cmocka_unit_test(mutexes),
		cmocka_unit_test(wait_queues),
		cmocka_unit_test(wait_deadline),
		cmocka_unit_test(wait_exclusive),
		cmocka_unit_test(random_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
