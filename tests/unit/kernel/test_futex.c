/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes: waiting and waking, two-word operations, PI, robust lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#include "harness.h"

#define P FUTEX_PRIVATE_FLAG
#define MSEC 1000000ULL

static uaddr_t relative(u64 ns)
{
	struct __kernel_timespec ts = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };

	return uput(&ts, sizeof(ts));
}

static uaddr_t monotonic_in(u64 ns)
{
	return relative(mc_clock(1) + ns);
}

static uaddr_t word(u32 val)
{
	return uput(&val, sizeof(val));
}

/* ---- a thread that waits once ---- */
struct sleeper {
	uaddr_t addr;
	u32 val, bitset;
	long ret;
	u32 started, done;
};

static int sleep_once(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->started, 1, __ATOMIC_SEQ_CST);
	s->ret = sc(__NR_futex, s->addr, FUTEX_WAIT_BITSET | P, s->val, 0, 0, s->bitset);
	__atomic_store_n(&s->done, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void start(struct sleeper *s, uaddr_t addr, u32 val, u32 bitset)
{
	*s = (struct sleeper){ .addr = addr, .val = val, .bitset = bitset };
	CHECK(thread_run(sleep_once, s) > 0);
	EVENTUALLY(__atomic_load_n(&s->started, __ATOMIC_SEQ_CST));
}

#define DONE(s) __atomic_load_n(&(s)->done, __ATOMIC_SEQ_CST)

VM_TEST(wait_refuses)
{
	uaddr_t w = word(5);

	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT | P, 4, 0), -EAGAIN);
	CHECK_EQ(sc(__NR_futex, w + 1, FUTEX_WAIT | P, 5, 0), -EINVAL);
	CHECK_EQ(sc(__NR_futex, 0x1000, FUTEX_WAIT | P, 5, 0), -EFAULT);
	CHECK_EQ(sc(__NR_futex, 0x1000, FUTEX_WAIT, 5, 0), -EFAULT);
	CHECK_EQ(sc(__NR_futex, ~0UL << 12, FUTEX_WAIT | P, 5, 0), -EFAULT);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT_BITSET | P, 5, 0, 0, 0), -EINVAL);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT | P, 5, relative(5 * MSEC)), -ETIMEDOUT);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT, 5, relative(5 * MSEC)), -ETIMEDOUT);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT_BITSET | P, 5, monotonic_in(5 * MSEC), 0, ~0u),
		 -ETIMEDOUT);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT_BITSET | P | FUTEX_CLOCK_REALTIME, 5, relative(1), 0,
		    ~0u),
		 -ETIMEDOUT);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE | P | FUTEX_CLOCK_REALTIME, 1), -ENOSYS);
	CHECK_EQ(sc(__NR_futex, w, 99, 1), -ENOSYS);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE | P, 1), 0);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE, 1), 0);
}

VM_TEST(wake_counts)
{
	static struct sleeper s[40];
	uaddr_t w = word(0);
	long woken = 0;

	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		start(&s[i], w, 0, 1);
	EVENTUALLY((woken += sc(__NR_futex, w, FUTEX_WAKE | P, 1)) == 1);
	EVENTUALLY((woken += sc(__NR_futex, w, FUTEX_WAKE | P, 1000)) == ARRAY_SIZE(s));
	for (u32 i = 0; i < ARRAY_SIZE(s); i++) {
		EVENTUALLY(DONE(&s[i]));
		CHECK_EQ(s[i].ret, 0);
	}
}

VM_TEST(bitset_selects)
{
	static struct sleeper a, b;
	uaddr_t w = word(0);

	start(&a, w, 0, 1);
	start(&b, w, 0, 2);
	EVENTUALLY(sc(__NR_futex, w, FUTEX_WAKE_BITSET | P, 9, 0, 0, 2) == 1);
	EVENTUALLY(DONE(&b));
	CHECK(!DONE(&a));
	/* Private and shared operations on private memory meet. */
	EVENTUALLY(sc(__NR_futex, w, FUTEX_WAKE, 9) == 1);
	EVENTUALLY(DONE(&a));
}

VM_TEST(requeue_moves)
{
	static struct sleeper s[20];
	uaddr_t w = word(7), w2 = word(0);

	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		start(&s[i], w, 7, 1);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_CMP_REQUEUE | P, 1, 1, w2, 8), -EAGAIN);
	sleep_ms(50);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_CMP_REQUEUE | P, 1, 100, w2, 7), ARRAY_SIZE(s));
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE | P, 100), 0);
	CHECK_EQ(sc(__NR_futex, w2, FUTEX_WAKE | P, 100), ARRAY_SIZE(s) - 1);
	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		EVENTUALLY(DONE(&s[i]));
	CHECK_EQ(sc(__NR_futex, w, FUTEX_REQUEUE | P, -1, 1, w2), -EINVAL);
}

VM_TEST(wake_op_wakes_both)
{
	static struct sleeper a, b;
	uaddr_t w = word(0), w2 = word(3);

	start(&a, w, 0, 1);
	start(&b, w2, 3, 1);
	sleep_ms(50);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE_OP | P, 1, 1, w2,
		    FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_GT, 2)),
		 2);
	CHECK_EQ(peek32(w2), 2);
	EVENTUALLY(DONE(&a) && DONE(&b));
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAKE_OP | P, 1, 1, w2,
		    FUTEX_OP((u32)(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 9)),
		 0);
	CHECK_EQ(peek32(w2), 18);
}

/* ---- a mutex on one futex word (Drepper's), with a counter that only its holder touches ---- */
#define ROUNDS 2000
static uaddr_t lock_word;
static long counter;
static u32 finished;

static u32 user_xchg(uaddr_t at, u32 val)
{
	u32 old = peek32(at), seen;

	while (!mc_user_cmpxchg(at, old, val, &seen) && seen != old)
		old = seen;
	return old;
}

static int contend(void *arg)
{
	u32 seen;

	for (int i = 0; i < ROUNDS; i++) {
		mc_user_cmpxchg(lock_word, 0, 1, &seen);
		if (seen != 0)
			while (user_xchg(lock_word, 2) != 0)
				sc(__NR_futex, lock_word, FUTEX_WAIT | P, 2, 0);
		counter++;
		if (user_xchg(lock_word, 0) == 2)
			sc(__NR_futex, lock_word, FUTEX_WAKE | P, 1);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(contended_mutex)
{
	lock_word = word(0);
	for (int i = 0; i < 8; i++)
		CHECK(thread_run(contend, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 8);
	CHECK_EQ(counter, 8 * ROUNDS);
}

static int contend_pi(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI | P, 0, 0), 0);
		counter++;
		CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_UNLOCK_PI | P, 0), 0);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(contended_pi)
{
	lock_word = word(0);
	for (int i = 0; i < 6; i++)
		CHECK(thread_run(contend_pi, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 6);
	CHECK_EQ(counter, 6 * ROUNDS);
	CHECK_EQ(peek32(lock_word), 0);
}

static int lock_and_exit(void *arg)
{
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI | P, 0, 0), 0);
	__atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 2);
	sleep_ms(100); /* until somebody waits */
	sc(__NR_exit, 0);
	return 0;
}

VM_TEST(pi_rules)
{
	long tid = sc(__NR_gettid);

	lock_word = word(0);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_UNLOCK_PI | P, 0), -EPERM);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_TRYLOCK_PI | P, 0), 0);
	CHECK_EQ(peek32(lock_word), tid);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI | P, 0, 0), -EDEADLK);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_UNLOCK_PI | P, 0), 0);
	CHECK_EQ(peek32(lock_word), 0);
	poke32(lock_word, 12345); /* nobody's */
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI | P, 0, 0), -ESRCH);
	poke32(lock_word, 0);
	/* The owner exits with the lock held: a waiter gets it, marked. */
	CHECK(thread_run(lock_and_exit, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST));
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_TRYLOCK_PI | P, 0), -EAGAIN);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI2 | P, 0, monotonic_in(5 * MSEC)),
		 -ETIMEDOUT);
	__atomic_store_n(&finished, 2, __ATOMIC_SEQ_CST);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_LOCK_PI | P, 0, 0), 0);
	CHECK_EQ(peek32(lock_word) & ~FUTEX_WAITERS, (u32)tid | FUTEX_OWNER_DIED);
}

/* ---- threads that end ---- */

struct robust {
	u64 next, offset, pending;
	u64 node; /* of one lock, whose word follows */
	u32 word, pad;
};

static uaddr_t robust_at;

static int die_holding(void *arg)
{
	u64 node = robust_at + offsetof(struct robust, node);

	poke64(robust_at, node);
	poke64(robust_at + 8, 8); /* from a node to its word */
	poke64(robust_at + 16, 0);
	poke64(node, robust_at);
	poke32(node + 8, (u32)sc(__NR_gettid) | FUTEX_WAITERS);
	CHECK_EQ(sc(__NR_set_robust_list, robust_at, 23), -EINVAL);
	CHECK_EQ(sc(__NR_set_robust_list, robust_at, 24), 0);
	__atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
	sleep_ms(30);
	sc(__NR_exit, 0);
	return 0;
}

VM_TEST(robust_list)
{
	uaddr_t w;
	u32 val;

	robust_at = ualloc(sizeof(struct robust));
	w = robust_at + offsetof(struct robust, word);
	CHECK(thread_run(die_holding, NULL) > 0);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST));
	val = peek32(w);
	CHECK_EQ(sc(__NR_futex, w, FUTEX_WAIT, val, 0), 0);
	CHECK_EQ(peek32(w), FUTEX_WAITERS | FUTEX_OWNER_DIED);
}

static int loop_list(void *arg)
{
	/* A list that never comes back to its head must not keep the thread. */
	poke64(robust_at, robust_at + 64);
	poke64(robust_at + 64, robust_at + 64);
	CHECK_EQ(sc(__NR_set_robust_list, robust_at, 24), 0);
	sc(__NR_set_tid_address, lock_word);
	__atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
	sc(__NR_exit, 0);
	return 0;
}

VM_TEST(clear_child_tid)
{
	u32 tid;

	robust_at = ualloc(4096);
	lock_word = word(77);
	CHECK(thread_run(loop_list, NULL) > 0);
	while ((tid = peek32(lock_word)) != 0)
		sc(__NR_futex, lock_word, FUTEX_WAIT, tid, 0);
}

/* ---- signals, waitv, processes ---- */

static u32 handled;

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
	handled++;
}

static long interrupted_ret;

static int be_interrupted(void *arg)
{
	__atomic_store_n(&finished, (u32)sc(__NR_gettid), __ATOMIC_SEQ_CST);
	interrupted_ret = sc(__NR_futex, lock_word, FUTEX_WAIT | P, 0,
			     arg ? relative(60 * NSEC_PER_SEC) : 0);
	__atomic_store_n(&finished, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static long wait_and_signal(u64 flags, void *timeout)
{
	lock_word = word(0);
	handled = 0;
	handle(SIGUSR1, on_signal, flags);
	CHECK(thread_run(be_interrupted, timeout) > 0);
	EVENTUALLY(__atomic_load_n(&finished, __ATOMIC_SEQ_CST));
	sleep_ms(20);
	CHECK_EQ(sc(__NR_tgkill, sc(__NR_getpid), finished, SIGUSR1), 0);
	EVENTUALLY(handled);
	sleep_ms(20);
	if (__atomic_load_n(&finished, __ATOMIC_SEQ_CST))
		CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_WAKE | P, 1), 1);
	EVENTUALLY(!__atomic_load_n(&finished, __ATOMIC_SEQ_CST));
	return interrupted_ret;
}

VM_TEST(signals_interrupt)
{
	CHECK_EQ(wait_and_signal(0, NULL), -EINTR);
	CHECK_EQ(wait_and_signal(SA_RESTART, NULL), 0);
	/* With a timeout, never restarted after a handler. */
	CHECK_EQ(wait_and_signal(SA_RESTART, &handled), -EINTR);
}

static int wake_second(void *arg)
{
	sleep_ms(30);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_WAKE | P, 1), 1);
	return 0;
}

VM_TEST(waitv)
{
	struct futex_waitv v[3] = { { 0 } };
	uaddr_t at;

	for (int i = 0; i < 3; i++) {
		v[i].uaddr = word(0);
		v[i].flags = FUTEX_32 | P;
	}
	lock_word = v[1].uaddr;
	at = uput(v, sizeof(v));
	CHECK_EQ(sc(__NR_futex_waitv, at, 3, 0, monotonic_in(5 * MSEC), 1), -ETIMEDOUT);
	CHECK_EQ(sc(__NR_futex_waitv, at, 3, 1, 0, 1), -EINVAL);
	poke32(v[2].uaddr, 1);
	CHECK_EQ(sc(__NR_futex_waitv, at, 3, 0, 0, 1), -EAGAIN);
	poke32(v[2].uaddr, 0);
	CHECK(thread_run(wake_second, NULL) > 0);
	CHECK_EQ(sc(__NR_futex_waitv, at, 3, 0, 0, 1), 1);
}

static int child_wakes(void *arg)
{
	sleep_ms(30);
	/* The private word is another one here, though at the same address. */
	CHECK_EQ(sc(__NR_futex, robust_at, FUTEX_WAKE, 1), 0);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_WAKE, 1), 1);
	return 0;
}

VM_TEST(shared_between_processes)
{
	long pid;

	robust_at = word(0);
	lock_word = (uaddr_t)sc(__NR_mmap, 0, 4096, 3, 0x21, -1, 0);
	pid = fork_run(child_wakes, NULL);
	CHECK_EQ(sc(__NR_futex, lock_word, FUTEX_WAIT, 0, 0), 0);
	CHECK_EQ(wait_status(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_refuses),	   cmocka_unit_test(wake_counts),
		cmocka_unit_test(bitset_selects),  cmocka_unit_test(requeue_moves),
		cmocka_unit_test(wake_op_wakes_both), cmocka_unit_test(contended_mutex),
		cmocka_unit_test(contended_pi),	   cmocka_unit_test(pi_rules),
		cmocka_unit_test(robust_list),	   cmocka_unit_test(clear_child_tid),
		cmocka_unit_test(signals_interrupt), cmocka_unit_test(waitv),
		cmocka_unit_test(shared_between_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
