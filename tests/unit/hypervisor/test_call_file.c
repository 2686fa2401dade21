/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on open handles and objects. */
#include "fake_guest.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define H(...)                                                                                     \
	(struct pv_req_handle)                                                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define HERE (~0ULL)

static int new_file(struct guest *g, u32 id, const char *path)
{
	int fd = open_file(g, id, path, O_RDWR | O_CREAT | O_TRUNC, 0644, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void reads_and_writes(void **state)
{
	struct guest *g = *state;
	char text[8] = "";
	int fd = new_file(g, 1, "/tmp/rw");

	memcpy(guest_buf(g, 0), "abcdef", 6);
	assert_int_equal(handle_call(g, PV_WRITE, H(.id = 1, .off = 0, .len = 6)), 6);
	assert_int_equal(pread(fd, text, 6, 0), 6);
	assert_string_equal(text, "abcdef");
	assert_int_equal(handle_call(g, PV_READ, H(.id = 1, .off = 2, .len = 100)), 4);
	assert_memory_equal(guest_buf(g, 0), "cdef", 4);
	/* The position is shared with the donated copy. */
	lseek(fd, 5, SEEK_SET);
	assert_int_equal(handle_call(g, PV_READ, H(.id = 1, .off = HERE, .len = 100)), 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 6);
	close(fd);
}

static void syncs_and_allocates(void **state)
{
	struct guest *g = *state;
	struct stat st;

	close(new_file(g, 1, "/tmp/sync"));
	for (u32 flags = 0; flags < 3; flags++)
		assert_int_equal(handle_call(g, PV_FSYNC, H(.id = 1, .flags = flags)), 0);
	assert_int_equal(handle_call(g, PV_FALLOCATE, H(.id = 1, .len = 8192)), 0);
	assert_int_equal(stat("/tmp/sync", &st), 0);
	assert_int_equal(st.st_size, 8192);
	assert_int_equal(handle_call(g, PV_FALLOCATE, H(.id = 1, .off = ~0ULL, .len = 1)), -EINVAL);
	assert_int_equal(handle_call(g, PV_FADVISE, H(.id = 1, .flags = POSIX_FADV_WILLNEED)), 0);
	assert_int_equal(handle_call(g, PV_FADVISE, H(.id = 1, .flags = 99)), -EINVAL);
	assert_int_equal(handle_call(g, PV_TRUNC_OBJ, H(.id = 1, .len = 5)), 0);
}

static void locks_conflict_between_handles(void **state)
{
	struct guest *g = *state;
	struct pv_lock l;

	close(new_file(g, 1, "/tmp/lock"));
	close(new_file(g, 2, "/tmp/lock"));
	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 1, .flags = LOCK_EX)), 0);
	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 2, .flags = LOCK_SH)), -EAGAIN);
	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 1, .flags = LOCK_UN)), 0);
	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 2, .flags = LOCK_SH)), 0);
	assert_int_equal(handle_call(g, PV_LOCK, H(.id = 1, .flags = F_WRLCK, .off = 10, .len = 5)),
			 0);
	assert_int_equal(handle_call(g, PV_LOCK, H(.id = 2, .flags = F_RDLCK, .off = 12, .len = 1)),
			 -EAGAIN);
	assert_int_equal(
		handle_call(g, PV_LOCK, H(.id = 2, .flags = F_RDLCK | PV_LOCK_GET, .len = 100)), 0);
	memcpy(&l, guest_buf(g, 0), sizeof(l));
	assert_int_equal(l.type, F_WRLCK);
	assert_int_equal(l.off, 10);
	assert_int_equal(l.len, 5);
	assert_int_equal(handle_call(g, PV_LOCK, H(.id = 2, .flags = 77)), -EINVAL);
}

/* A stale copy of the descriptor in a guest process keeps no lock. */
static void release_drops_locks(void **state)
{
	struct guest *g = *state;
	int stale = new_file(g, 1, "/tmp/lock2");

	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 1, .flags = LOCK_EX)), 0);
	assert_int_equal(handle_call(g, PV_LOCK, H(.id = 1, .flags = F_WRLCK)), 0);
	release(g, 1);
	close(new_file(g, 2, "/tmp/lock2"));
	assert_int_equal(handle_call(g, PV_FLOCK, H(.id = 2, .flags = LOCK_EX)), 0);
	assert_int_equal(handle_call(g, PV_LOCK, H(.id = 2, .flags = F_WRLCK)), 0);
	close(stale);
}

static void copies_ranges(void **state)
{
	struct guest *g = *state;
	char text[16] = "";
	int fd;

	put_file("/tmp/from", "0123456789");
	close(open_file(g, 1, "/tmp/from", O_RDONLY, 0, NULL));
	fd = new_file(g, 2, "/tmp/to");
	assert_int_equal(
		handle_call(g, PV_COPY_RANGE, H(.id = 1, .id2 = 2, .off = 5, .off2 = 1, .len = 3)),
		3);
	assert_int_equal(
		handle_call(g, PV_COPY_RANGE,
			    H(.id = 1, .id2 = 2, .off = 0, .off2 = HERE, .len = 1, .flags = 1)),
		1);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 4);
	assert_string_equal(text, "0567");
	close(fd);
}

static void flags_are_set(void **state)
{
	struct guest *g = *state;
	int fd = new_file(g, 1, "/tmp/append");

	assert_int_equal(handle_call(g, PV_SETFL, H(.id = 1, .flags = O_APPEND)), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	assert_int_equal(handle_call(g, PV_SETFL, H(.id = 1, .flags = 0)), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_APPEND, 0);
	close(fd);
}

static void terminals_by_ioctl(void **state)
{
	struct guest *g = *state;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios t;

	assert_int_equal(pv_server_add_handle(g->srv, 1, fcntl(test_tty, F_DUPFD_CLOEXEC, 3)), 0);
	memcpy(guest_buf(g, 0), &size, sizeof(size));
	assert_int_equal(
		handle_call(g, PV_IOCTL, H(.id = 1, .flags = TIOCSWINSZ, .len = sizeof(size))), 0);
	assert_int_equal(handle_call(g, PV_IOCTL, H(.id = 1, .flags = TCGETS, .len = sizeof(t))),
			 0);
}

static void ioctls_are_listed(void **state)
{
	struct guest *g = *state;
	int n;

	int pipe_fds[2];

	close(new_file(g, 1, "/tmp/ioctl"));
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(pv_server_add_handle(g->srv, 3, pipe_fds[0]), 0);
	assert_int_equal(write(pipe_fds[1], "abc", 3), 3);
	assert_int_equal(handle_call(g, PV_IOCTL, H(.id = 3, .flags = FIONREAD, .len = 4)), 0);
	memcpy(&n, guest_buf(g, 0), sizeof(n));
	assert_int_equal(n, 3);
	assert_int_equal(handle_call(g, PV_IOCTL, H(.id = 3, .flags = TIOCSTI, .len = 8)), -ENOTTY);
	assert_int_equal(handle_call(g, PV_IOCTL, H(.id = 3, .flags = TCGETS, .len = 64)), -ENOTTY);
	assert_int_equal(handle_call(g, PV_IOCTL, H(.id = 1, .flags = TIOCSPGRP, .len = 8)),
			 -ENOTTY);
	close(pipe_fds[1]);
}

static void streams_do_not_block(void **state)
{
	struct guest *g = *state;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(pv_server_add_handle(g->srv, 3, pipe_fds[0]), 0);
	assert_int_equal(handle_call(g, PV_READ, H(.id = 3, .off = HERE, .len = 10)), -EAGAIN);
	assert_int_equal(write(pipe_fds[1], "abc", 3), 3);
	assert_int_equal(handle_call(g, PV_READ, H(.id = 3, .off = HERE, .len = 10)), 3);
	close(pipe_fds[1]);
	assert_int_equal(handle_call(g, PV_READ, H(.id = 3, .off = HERE, .len = 10)), 0);
}

static void memory_objects(void **state)
{
	struct guest *g = *state;
	struct pv_donation what;
	struct stat st;
	int fd;

	assert_int_equal(handle_call(g, PV_MEMFD, H(.id = 1, .len = 8192)), 0);
	fd = guest_take(g, &what);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	assert_int_equal(handle_call(g, PV_TRUNC_OBJ, H(.id = 1, .len = 4096)), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 4096);
	close(fd);
}

static void watches_are_epolls(void **state)
{
	struct guest *g = *state;
	struct epoll_event ev = { .events = EPOLLIN };
	struct pv_donation what;
	int pipe_fds[2], fd;

	assert_int_equal(handle_call(g, PV_WATCH, H(.id = 1)), 0);
	fd = guest_take(g, &what);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, pipe_fds[0], &ev), 0);
	assert_int_equal(epoll_wait(fd, &ev, 1, 0), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_and_writes),	T(syncs_and_allocates), T(locks_conflict_between_handles),
		T(release_drops_locks), T(copies_ranges),	T(flags_are_set),
		T(terminals_by_ioctl),	T(ioctls_are_listed),	T(streams_do_not_block),
		T(memory_objects),	T(watches_are_epolls),
	};

	return cmocka_run_group_tests(tests, container_setup, NULL);
}
