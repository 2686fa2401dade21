/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls with interesting arguments: whatever they answer, the kernel must not crash,
 * touch memory that is not its own, hang, or lose count. Processes of a few hundred calls each are
 * made with seeds in sequence and killed when they get nowhere, so that calls which block or end
 * them do no harm.
 *
 * FUZZ_SEED, FUZZ_PROCESSES, FUZZ_CALLS and FUZZ_TRACE=1 in the environment: more, or one case
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "calls.h"
#include "fuzz_shapes.h"
#include "harness.h"
#include "syscall.h"
#include "task.h"

#define STUCK_MS 300

void stub_any_handler(void (*fn)(int sig, uaddr_t info, uaddr_t context));

static long calls;

static int make_calls(void *arg)
{
	for (long i = 0; i < calls; i++)
		calls_make_one(arg);
	return 0;
}

static int fuzz_process(void *arg)
{
	struct calls f;

	calls_setup(&f, (u64)arg);
	return make_calls(&f);
}

/* Two threads share everything: what one frees the other may use. */
static int fuzz_threads(void *arg)
{
	static struct calls f[2];

	calls_setup(&f[0], (u64)arg);
	calls_setup(&f[1], (u64)arg + 1000000);
	thread_run(make_calls, &f[1]);
	return make_calls(&f[0]);
}

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
}

static void fuzz(int (*fn)(void *arg))
{
	long seed = host_setting("FUZZ_SEED", 1), processes = host_setting("FUZZ_PROCESSES", 40);

	calls_traced = host_setting("FUZZ_TRACE", 0);
	calls = host_setting("FUZZ_CALLS", 150);
	stub_any_handler(on_signal);
	for (long i = 0; i < processes; i++) {
		long pid = fork_run(fn, (void *)(seed + i));

		CHECK(pid > 0);
		calls_wait_or_kill(pid, STUCK_MS);
		calls_reap();
	}
}

VM_TEST(fuzz_one_thread)
{
	fuzz(fuzz_process);
}

VM_TEST(fuzz_two_threads)
{
	fuzz(fuzz_threads);
}

/* The fuzzer knows what each call takes: one that is new is not left out. */
static void fuzz_knows_every_call(void **state)
{
	for (u32 nr = 0; nr < SYSCALL_TABLE_SIZE; nr++) {
		const struct syscall_desc *call = &syscall_table[nr];

		if (!call->fn || nr == __NR_exit || nr == __NR_exit_group || nr == __NR_reboot)
			continue;
		if (strlen(shapes[nr] ? shapes[nr] : "") != call->nargs)
			fail_msg("fuzz_shapes.h: %s has %u arguments", call->name, call->nargs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fuzz_knows_every_call),
		cmocka_unit_test(fuzz_one_thread),
		cmocka_unit_test(fuzz_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
