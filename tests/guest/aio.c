/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous I/O of Linux (io_submit(2) and its kin), by number as libaio does it. */
#include "check.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char data[4096] __attribute__((aligned(4096)));

static long setup(unsigned int n, aio_context_t *ctx) { return syscall(SYS_io_setup, n, ctx); }
static long destroy(aio_context_t ctx) { return syscall(SYS_io_destroy, ctx); }
static long submit(aio_context_t ctx, long n, struct iocb **list) { return syscall(SYS_io_submit, ctx, n, list); }

static long events(aio_context_t ctx, long least, long n, struct io_event *to, struct timespec *timeout)
{
	return syscall(SYS_io_getevents, ctx, least, n, to, timeout);
}

static struct iocb request(int op, int fd, const void *buf, size_t len, long long at)
{
	return (struct iocb){ .aio_data = 77, .aio_lio_opcode = op, .aio_fildes = fd,
			      .aio_buf = (unsigned long)buf, .aio_nbytes = len, .aio_offset = at };
}

/* One request and its result. */
static long one(aio_context_t ctx, struct iocb *cb)
{
	struct io_event event;

	CHECK(submit(ctx, 1, &cb) == 1);
	CHECK(events(ctx, 1, 1, &event, NULL) == 1);
	CHECK(event.obj == (unsigned long)cb && event.data == cb->aio_data && event.res2 == 0);
	return event.res;
}

static void test_contexts(void)
{
	aio_context_t ctx = 0, other = 0;

	FAILS(EINVAL, setup(0, &ctx));
	FAILS(EFAULT, setup(8, NULL));
	ctx = 1;
	FAILS(EINVAL, setup(8, &ctx));
	ctx = 0;
	OK(setup(8, &ctx));
	OK(setup(8, &other));
	CHECK(ctx && other && ctx != other);
	OK(destroy(other));
	FAILS(EINVAL, destroy(other));
	FAILS(EINVAL, destroy(0));
	FAILS(EINVAL, submit(other, 0, NULL));
	FAILS(EINVAL, events(other, 0, 0, NULL, NULL));
	CHECK(submit(ctx, 0, NULL) == 0);
	FAILS(EINVAL, submit(ctx, -1, NULL));
	FAILS(EFAULT, submit(ctx, 1, (struct iocb **)8));
	OK(destroy(ctx));
}

static void test_file(aio_context_t ctx)
{
	int fd = OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	struct iovec two[2] = { { "cd", 2 }, { "ef", 2 } };
	struct iocb cb = request(IOCB_CMD_PWRITE, fd, "ab", 2, 0);
	struct stat st;

	CHECK(one(ctx, &cb) == 2);
	cb = request(IOCB_CMD_PWRITEV, fd, two, 2, 2);
	CHECK(one(ctx, &cb) == 4);
	cb = request(IOCB_CMD_PREAD, fd, data, 100, 1);
	CHECK(one(ctx, &cb) == 5 && !memcmp(data, "bcdef", 5));
	two[0].iov_base = data;
	cb = request(IOCB_CMD_PREADV, fd, two, 1, 0);
	CHECK(one(ctx, &cb) == 2 && !memcmp(data, "ab", 2));
	cb = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	CHECK(one(ctx, &cb) == 0);
	cb = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	CHECK(one(ctx, &cb) == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 0);
	OK(fstat(fd, &st));
	CHECK(st.st_size == 6);
	close(fd);
}

/* What is refused at once, and what is reported with the request's end. */
static void test_errors(aio_context_t ctx)
{
	int fd = OK(open("file", O_RDONLY)), ends[2];
	struct iocb cb = request(IOCB_CMD_PREAD, -1, data, 1, 0), ok = request(IOCB_CMD_PREAD, fd, data, 1, 0);
	struct iocb *list[2] = { &ok, &cb };
	struct io_event event[2];

	FAILS(EBADF, submit(ctx, 1, &(struct iocb *){ &cb }));
	CHECK(submit(ctx, 2, list) == 1); /* the first one is on its way */
	CHECK(events(ctx, 1, 2, event, NULL) == 1 && event[0].res == 1);
	cb = request(99, fd, data, 1, 0);
	FAILS(EINVAL, submit(ctx, 1, &(struct iocb *){ &cb }));
	cb = request(IOCB_CMD_PWRITE, fd, data, 1, 0);
	FAILS(EBADF, submit(ctx, 1, &(struct iocb *){ &cb }));
	cb = request(IOCB_CMD_PREAD, fd, data, 1, 0);
	cb.aio_reserved2 = 1;
	FAILS(EINVAL, submit(ctx, 1, &(struct iocb *){ &cb }));
	cb = request(IOCB_CMD_PREAD, fd, data, -1, 0);
	FAILS(EINVAL, submit(ctx, 1, &(struct iocb *){ &cb }));
	cb = request(IOCB_CMD_PREAD, fd, (void *)8, 1, 0);
	CHECK(one(ctx, &cb) == -EFAULT);
	OK(pipe(ends));
	cb = request(IOCB_CMD_FSYNC, ends[0], NULL, 0, 0);
	CHECK(submit(ctx, 1, &(struct iocb *){ &cb }) == -1 && errno == EINVAL);
	FAILS(EINVAL, syscall(SYS_io_cancel, ctx, &ok, event));
	FAILS(EINVAL, events(ctx, 2, 1, event, NULL));
	CHECK(events(ctx, 0, 1, event, NULL) == 0);
	CHECK(events(ctx, 1, 1, event, &(struct timespec){ 0, 1000000 }) == 0);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void test_eventfd(aio_context_t ctx)
{
	int fd = OK(open("file", O_RDONLY)), efd = OK(eventfd(0, EFD_NONBLOCK));
	struct iocb cb = request(IOCB_CMD_PREAD, fd, data, 1, 0), cb2 = cb, *list[2] = { &cb, &cb2 };
	struct pollfd p = { .fd = efd, .events = POLLIN };
	unsigned long long n;
	struct io_event event[2];

	cb.aio_flags = cb2.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = cb2.aio_resfd = efd;
	CHECK(submit(ctx, 2, list) == 2);
	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(events(ctx, 2, 2, event, NULL) == 2);
	CHECK(read(efd, &n, 8) == 8 && n == 2);
	cb.aio_resfd = fd;
	FAILS(EINVAL, submit(ctx, 1, list));
	close(fd);
	close(efd);
}

/* No more at a time than was asked for; the rest is to be tried again. */
static void test_full(void)
{
	int fd = OK(open("file", O_RDONLY)), sent = 0, got = 0;
	struct iocb cb = request(IOCB_CMD_PREAD, fd, data, 1, 0), *list[1] = { &cb };
	struct io_event event[64];
	aio_context_t ctx = 0;

	OK(setup(1, &ctx));
	while (submit(ctx, 1, list) == 1)
		CHECK(++sent < 100000);
	CHECK(errno == EAGAIN && sent >= 1);
	while (got < sent) {
		long n = OK(events(ctx, 1, 64, event, NULL));

		got += n;
	}
	CHECK(got == sent && submit(ctx, 1, list) == 1);
	OK(destroy(ctx)); /* with one that nobody has asked for */
	close(fd);
}

static aio_context_t shared;

static void *waiter(void *arg)
{
	struct io_event event;

	CHECK(events(shared, 1, 1, &event, NULL) == 1);
	return NULL;
}

/* Threads wait in one context; its end wakes who still waits. */
static void test_threads(void)
{
	int fd = OK(open("file", O_RDONLY));
	struct iocb cb = request(IOCB_CMD_PREAD, fd, data, 1, 0), *list[1] = { &cb };
	pthread_t thread[4];

	OK(setup(16, &shared));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, waiter, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(submit(shared, 1, list) == 1);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	OK(destroy(shared));
	close(fd);
}

/* A context is its process's: a child has none. */
static void test_fork(aio_context_t ctx)
{
	struct io_event event;

	IN_CHILD(FAILS(EINVAL, events(ctx, 0, 1, &event, NULL)));
	CHECK(events(ctx, 0, 1, &event, NULL) == 0);
}

int main(void)
{
	aio_context_t ctx = 0;

	test_contexts();
	OK(setup(32, &ctx));
	test_file(ctx);
	test_errors(ctx);
	test_eventfd(ctx);
	test_full();
	test_threads();
	test_fork(ctx);
	OK(destroy(ctx));
	OK(unlink("file"));
	return 0;
}
