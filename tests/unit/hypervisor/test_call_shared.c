/* SPDX-License-Identifier: Apache-2.0 */
/* Two at once: requests that meet on one handle, and files that somebody outside holds on to. */
#include "fake_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/server_impl.h"

#define DEVICE_FILE "/etc/passwd"

static int open_device(void *ctx, u32 number, int flags)
{
	return open(DEVICE_FILE, O_RDONLY | O_CLOEXEC);
}

static void wait_until_in_use(struct guest *g, u32 id)
{
	while (!handle_in_use(&g->srv->handles, id))
		sched_yield();
}

/*
 * A guest that releases a device while a worker still opens it: the descriptor's number is free then, and a directory's
 * next, which is nothing to be donated.
 */
static void what_is_released_is_not_donated(void **state)
{
	struct guest *g = *state;
	struct pv_request r = { .cmd = PV_DEVICE };
	struct pv_donation what;
	struct stat st, device;
	s32 ret;
	int fd;

	g->srv->cfg.open_device = open_device;
	r.u.handle.id = 1;
	pthread_mutex_lock(&g->srv->donor.lock);
	guest_issue(g, 1, &r);
	wait_until_in_use(g, 1);
	release(g, 1);
	assert_int_equal(open_file(g, 2, "/dir", O_RDONLY | O_DIRECTORY, 0, &ret), -1);
	assert_int_equal(ret, 0);
	pthread_mutex_unlock(&g->srv->donor.lock);
	assert_int_equal(guest_wait(g, 1).ret, 0);
	fd = guest_take(g, &what);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(stat(DEVICE_FILE, &device), 0);
	assert_int_equal(st.st_ino, device.st_ino);
	close(fd);
}

/* Nobody takes donations any more: the VM ends by that, not by the handle that has gone meanwhile. */
static void what_is_released_is_not_dropped_again(void **state)
{
	struct guest *g = *state;
	struct pv_request r = { .cmd = PV_DEVICE };

	g->srv->cfg.open_device = open_device;
	while (send(g->chan_out, "x", 1, MSG_DONTWAIT) == 1)
		;
	r.u.handle.id = 1;
	pthread_mutex_lock(&g->srv->donor.lock);
	guest_issue(g, 1, &r);
	wait_until_in_use(g, 1);
	release(g, 1);
	pthread_mutex_unlock(&g->srv->donor.lock);
	assert_true(guest_ended(g));
	assert_string_equal(g->reason, "device.donation: donated descriptors are not taken");
}

/* The host lets truncate(2) wait for whoever holds a lease, who has 45 s to give it back. */
static void a_lease_holds_up_nobody_else(void **state)
{
	struct guest *g = *state;
	struct pv_request r = { .cmd = PV_TRUNCATE, .u.path = { .path_len = 10, .arg = 1 } };
	struct stat st;
	int fd;

	put_file("/tmp/lease", "12345");
	fd = open("/tmp/lease", O_RDONLY | O_CLOEXEC);
	signal(SIGIO, SIG_IGN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	memcpy(guest_buf(g, 1), "/tmp/lease", 10);
	guest_issue(g, 1, &r);
	assert_int_equal(path_call(g, PV_STAT, "/etc/passwd", (struct pv_req_path){ 0 }), 0);
	assert_int_equal(__atomic_load_n(&g->hdr->state[1], __ATOMIC_ACQUIRE), SLOT_PENDING);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	assert_int_equal(guest_wait(g, 1).ret, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_released_is_not_donated),
		T(what_is_released_is_not_dropped_again),
		T(a_lease_holds_up_nobody_else),
	};

	return cmocka_run_group_tests(tests, container_setup, NULL);
}
