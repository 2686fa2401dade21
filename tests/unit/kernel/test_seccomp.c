/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF machine against random programs, and the life of filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "harness.h"
#include "seccomp.h"
#include "task.h"

#define LOAD(off) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define MAX_LEN 40

static u64 seed;

static u32 rnd(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 16) % below;
}

/* Codes that the checker may know, and some that it must not. */
static u16 random_code(void)
{
	static const u16 codes[] = {
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM,
		BPF_ST, BPF_STX, BPF_LD | BPF_W | BPF_LEN, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_JMP | BPF_JA,
		BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGT | BPF_X, BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JSET,
		BPF_ALU | BPF_ADD, BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_MUL, BPF_ALU | BPF_DIV | BPF_X,
		BPF_ALU | BPF_AND, BPF_ALU | BPF_OR | BPF_X, BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH, BPF_ALU | BPF_NEG,
		BPF_ALU | BPF_XOR, BPF_RET | BPF_K, BPF_RET | BPF_A,
	};

	return rnd(100) ? codes[rnd(ARRAY_SIZE(codes))] : (u16)rnd(0x10000);
}

/* On the heap and of the exact size: the sanitizer sees every step outside. */
static struct sock_filter *random_program(u32 len)
{
	struct sock_filter *f = kmalloc(len * sizeof(*f));

	for (u32 i = 0; i < len; i++) {
		f[i].code = random_code();
		f[i].jt = (u8)rnd(rnd(20) ? 4 : 256);
		f[i].jf = (u8)rnd(rnd(20) ? 4 : 256);
		f[i].k = rnd(4) ? rnd(17) * (rnd(3) ? 4 : 1) : rnd(2) ? 0x7fff0000u : rnd(0xffffffffu);
		if (BPF_CLASS(f[i].code) == BPF_ST || BPF_CLASS(f[i].code) == BPF_STX || f[i].code == (BPF_LD | BPF_MEM))
			f[i].k = rnd(rnd(30) ? 2 : 18);
		if (f[i].code == (BPF_JMP | BPF_JA))
			f[i].k = rnd(5);
	}
	if (rnd(50))
		f[len - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rnd(2) ? SECCOMP_RET_ALLOW : rnd(0xffffffffu));
	return f;
}

static void random_data(struct seccomp_data *d, u32 nr)
{
	*d = (struct seccomp_data){ .nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = seed };
	for (int i = 0; i < 6; i++)
		d->args[i] = rnd(3) ? rnd(40) : seed;
}

/* Whatever passes the check ends, stays inside, and keeps the promise of "always". */
VM_TEST(random_programs)
{
	u32 accepted = 0, always = 0;

	seed = (u64)host_setting("CALLGATE_FUZZ_SEED", 4711) | 1;
	for (long n = host_setting("CALLGATE_FUZZ_BPF", 60000); n > 0; n--) {
		u32 len = 1 + rnd(MAX_LEN), nr = rnd(40);
		struct sock_filter *f = random_program(len);
		struct seccomp_data d;

		if (!bpf_check(f, len)) {
			bool allowed = bpf_always_allows(f, nr, AUDIT_ARCH_X86_64);

			accepted++;
			always += allowed;
			for (int i = 0; i < 4; i++) {
				u32 result;

				random_data(&d, nr);
				result = bpf_run(f, &d);
				CHECK(!allowed || (result & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW);
			}
		}
		kfree(f);
	}
	CHECK(accepted > 100 && always > 20);
}

static void check_bytes(const u8 *bytes, u32 len)
{
	struct sock_filter *f = kmalloc(len * sizeof(*f));

	memcpy(f, bytes, len * sizeof(*f));
	bpf_check(f, len);
	kfree(f);
}

VM_TEST(random_bytes_are_no_program)
{
	u8 bytes[8 * sizeof(struct sock_filter)];

	seed = 99;
	for (int n = 0; n < 20000; n++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (u8)rnd(256);
		check_bytes(bytes, 1 + rnd(8));
	}
	CHECK_EQ(bpf_check(NULL, 0), -EINVAL);
}

/* On one of two ways to the load the word was not written. */
VM_TEST(memory_has_to_be_written_on_every_way)
{
	struct sock_filter f[] = {
		LOAD(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LD | BPF_MEM, 2),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	CHECK_EQ(bpf_check(f, ARRAY_SIZE(f)), -EINVAL);
	f[1].jf = 0;
	CHECK_EQ(bpf_check(f, ARRAY_SIZE(f)), 0);
}

/* ---- filters of tasks ---- */

static long attach_flags(int nr, u32 action, u64 flags)
{
	struct sock_filter f[] = {
		LOAD(offsetof(struct seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (u32)nr, 0, 1), RETURN(action),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(f), .filter = (void *)uput(f, sizeof(f)) };

	return sc(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, uput(&prog, sizeof(prog)));
}

static long attach(int nr, u32 action) { return attach_flags(nr, action, 0); }

VM_TEST(what_is_always_allowed_is_not_asked_again)
{
	struct seccomp *s;

	CHECK_EQ(sc(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1), 0);
	CHECK_EQ(attach(__NR_getppid, SECCOMP_RET_ERRNO | 5), 0);
	CHECK_EQ(attach(__NR_getpgid, SECCOMP_RET_ERRNO | 6), 0);
	s = current->seccomp;
	CHECK(s->depth == 2 && ref_read(&s->ref) == 1 && ref_read(&s->prev->ref) == 1);
	CHECK(!seccomp_always_allows(s, __NR_getppid) && !seccomp_always_allows(s, __NR_getpgid));
	CHECK(seccomp_always_allows(s, __NR_getpid) && seccomp_always_allows(s->prev, __NR_getpgid));
	CHECK(!seccomp_always_allows(s, COUNTED_CALLS) && !seccomp_always_allows(s, ~0ULL));
	CHECK_EQ(sc(__NR_getppid), -5);
	CHECK_EQ(sc(__NR_getpgid, 0), -6);
	CHECK_EQ(sc(100000), -ENOSYS);
}

static int child_has_it(void *arg)
{
	CHECK_EQ(sc(__NR_getppid), -5);
	CHECK_EQ(attach(__NR_getsid, SECCOMP_RET_ERRNO | 7), 0);
	CHECK_EQ(sc(__NR_getsid, 0), -7);
	return 0;
}

VM_TEST(children_share_filters_and_give_them_back)
{
	CHECK_EQ(attach(__NR_getppid, SECCOMP_RET_ERRNO | 5), 0);
	CHECK_EQ(wait_status(fork_run(child_has_it, NULL)), 0);
	CHECK_EQ(wait_status(vfork_run(child_has_it, NULL)), 0);
	EVENTUALLY(ref_read(&current->seccomp->ref) == 1);
	CHECK(sc(__NR_getsid, 0) >= 0);
}

static u32 stage;

static int synced_thread(void *arg)
{
	while (READ_ONCE(stage) == 0)
		sleep_ms(1);
	CHECK_EQ(sc(__NR_getppid), -5);
	CHECK_EQ(sc(__NR_prctl, PR_GET_NO_NEW_PRIVS), 1);
	WRITE_ONCE(stage, 2);
	return 0;
}

VM_TEST(other_threads_follow)
{
	stage = 0;
	CHECK(thread_run(synced_thread, NULL) > 0);
	CHECK_EQ(sc(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1), 0);
	CHECK_EQ(attach_flags(__NR_getppid, SECCOMP_RET_ERRNO | 5, SECCOMP_FILTER_FLAG_TSYNC), 0);
	WRITE_ONCE(stage, 1);
	EVENTUALLY(READ_ONCE(stage) == 2);
	EVENTUALLY(ref_read(&current->seccomp->ref) == 1);
}

static int strict_child(void *arg)
{
	CHECK_EQ(sc(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
	sc(__NR_getpid);
	return 1;
}

static int killed_child(void *arg)
{
	CHECK_EQ(attach(__NR_getpid, SECCOMP_RET_KILL_PROCESS), 0);
	sc(__NR_getpid);
	return 1;
}

VM_TEST(deaths)
{
	CHECK_EQ(wait_status(fork_run(strict_child, NULL)), SIGKILL);
	CHECK_EQ(wait_status(fork_run(killed_child, NULL)), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(random_bytes_are_no_program),
		cmocka_unit_test(memory_has_to_be_written_on_every_way),
		cmocka_unit_test(what_is_always_allowed_is_not_asked_again),
		cmocka_unit_test(children_share_filters_and_give_them_back),
		cmocka_unit_test(other_threads_follow),
		cmocka_unit_test(deaths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
