/* SPDX-License-Identifier: Apache-2.0 */
/* The first process: found at boot, executed when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/signal.h>

#include "events.h"
#include "programs.h"
#include "task.h"

static void files(void)
{
	put_program("prog", 0755);
	host_file("garbage", "this is not a program", 21, 0755);
}

static int user_code(int what)
{
	sleep_ms(100000);
	return 0;
}

static int post(u32 kind)
{
	struct pv_event e = {.kind = kind};

	return stub_answer(stub_post(&e, sizeof(e), NULL, 0), NULL);
}

static const char *const prog[] = {"/prog", NULL};
static const char *const garbage[] = {"/garbage", NULL};
static const char *const missing[] = {"/missing", NULL};

/* The stub's first image does nothing and exits with 0. */
static void starts(void)
{
	const char *text;

	CHECK_EQ(stub_answer(0, &text), 0);
	events_begin(user_code);
	CHECK_EQ(post(PV_EV_START), 0);
}

static void waits_for_start(void **state)
{
	vm_boot(prog, true, starts, 0);
}

static void nothing(void)
{
}

static void starts_at_once(void **state)
{
	vm_boot(prog, false, nothing, 0);
}

static void killed(void)
{
	CHECK_EQ(stub_answer(0, NULL), 0);
	events_begin(user_code);
	CHECK_EQ(signal_and_wait(0, SIGWINCH), 0); /* has no effect */
	CHECK_EQ(signal_and_wait(0, SIGTSTP), 0);
	CHECK_EQ(signal_and_wait(0, SIGTERM), 0);
}

static void killed_before_start(void **state)
{
	vm_boot(prog, true, killed, 128 + SIGTERM);
}

static void killed_by_all(void)
{
	CHECK_EQ(stub_answer(0, NULL), 0);
	events_begin(user_code);
	CHECK_EQ(signal_and_wait(PV_TO_ALL, SIGKILL), 0);
}

static void killed_with_all(void **state)
{
	vm_boot(prog, true, killed_by_all, 128 + SIGKILL);
}

/* A program that cannot be executed shows only at the start; that is the container's own end. */
static void starts_garbage(void)
{
	struct pv_event e = {.kind = PV_EV_START};

	CHECK_EQ(stub_answer(0, NULL), 0);
	events_begin(user_code);
	stub_post(&e, sizeof(e), NULL, 0);
}

static void exec_fails_at_start(void **state)
{
	vm_boot(garbage, true, starts_garbage, 255);
}

/* One that is not there ends the boot: the hypervisor has the reason. */
static void missing_program(void **state)
{
	vm_boot(missing, true, nothing, 128 + (-ENOENT & 0x7f));
}

/* A process may be added before the first one is started. */
static void adds_first(void)
{
	struct want w = {.argv = {"/prog", "1"}};
	u32 e;

	CHECK_EQ(stub_answer(0, NULL), 0);
	events_begin(user_code);
	e = post_exec(&w);
	CHECK(stub_answer(e, NULL) > 1);
	CHECK_EQ(signal_and_wait(e, SIGKILL), 0);
	CHECK_EQ(stub_exit_status(e), SIGKILL);
	CHECK_EQ(post(PV_EV_START), 0);
}

static void process_before_start(void **state)
{
	vm_boot(prog, true, adds_first, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_start),     cmocka_unit_test(starts_at_once),
		cmocka_unit_test(killed_before_start), cmocka_unit_test(killed_with_all),
		cmocka_unit_test(exec_fails_at_start), cmocka_unit_test(missing_program),
		cmocka_unit_test(process_before_start),
	};

	host_files_on_boot(files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
