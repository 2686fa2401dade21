/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, FIFOs, splice: what one thread sees, and that no byte or wake-up is lost between many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/fcntl.h>

#include "harness.h"

#define MEGA (1 << 20)

static int rd, wr;

static void make(u32 flags)
{
	uaddr_t fds = ualloc(8);

	CHECK_EQ(sc(__NR_pipe2, fds, flags), 0);
	rd = (int)peek32(fds);
	wr = (int)peek32(fds + 4);
}

static void close_both(void)
{
	sc(__NR_close, rd);
	sc(__NR_close, wr);
}

static int queued(void)
{
	uaddr_t n = ualloc(4);

	CHECK_EQ(sc(__NR_ioctl, rd, FIONREAD, n), 0);
	return (int)peek32(n);
}

static u32 poll_one(int fd, u32 events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };
	uaddr_t at = uput(&p, sizeof(p));

	CHECK(sc(__NR_poll, at, 1, 0) >= 0);
	peek(at, &p, sizeof(p));
	return (u16)p.revents;
}

VM_TEST(bytes_in_order)
{
	uaddr_t buf = ualloc(8192);

	make(0);
	CHECK_EQ(sc(__NR_write, wr, ustr("hello"), 5), 5);
	CHECK_EQ(sc(__NR_write, wr, ustr(" pipe"), 5), 5);
	CHECK_EQ(queued(), 10);
	CHECK_EQ(sc(__NR_read, rd, buf, 3), 3);
	CHECK(ueq(buf, "hel"));
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 7);
	CHECK(ueq(buf, "lo pipe"));
	CHECK_EQ(sc(__NR_read, rd, buf, 0), 0);
	CHECK_EQ(sc(__NR_write, rd, buf, 1), -EBADF);
	CHECK_EQ(sc(__NR_read, wr, buf, 1), -EBADF);
	CHECK_EQ(sc(__NR_lseek, rd, 0, 0), -ESPIPE);
	CHECK_EQ(sc(__NR_pread64, rd, buf, 1, 0), -ESPIPE);
	CHECK_EQ(sc(__NR_write, wr, 0x10, 5), -EFAULT);
	CHECK_EQ(sc(__NR_write, wr, buf, 5), 5);
	CHECK_EQ(sc(__NR_read, rd, 0x10, 5), -EFAULT);
	CHECK_EQ(queued(), 5); /* not lost */
	CHECK_EQ(sc(__NR_close, wr), 0);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 5);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 0);
}

VM_TEST(no_readers)
{
	make(0);
	handle(SIGPIPE, NULL, 0);
	sc(__NR_rt_sigaction, SIGPIPE, uput(&(u64[4]){ 1 }, 32), 0, 8); /* SIG_IGN */
	sc(__NR_close, rd);
	CHECK_EQ(sc(__NR_write, wr, ustr("x"), 1), -EPIPE);
	CHECK_EQ(poll_one(wr, POLLOUT), POLLOUT | POLLERR);
}

static int dies_by_sigpipe(void *arg)
{
	sc(__NR_close, rd);
	sc(__NR_write, wr, ustr("x"), 1);
	return 0;
}

VM_TEST(sigpipe_kills)
{
	make(0);
	sc(__NR_close, rd);
	CHECK_EQ(wait_status(fork_run(dies_by_sigpipe, NULL)), SIGPIPE);
}

VM_TEST(full_and_nonblocking)
{
	uaddr_t buf = ualloc(MEGA);

	make(O_NONBLOCK);
	CHECK_EQ(sc(__NR_read, rd, buf, 1), -EAGAIN);
	CHECK_EQ(poll_one(rd, POLLIN), 0);
	CHECK_EQ(poll_one(wr, POLLOUT), POLLOUT);
	CHECK_EQ(sc(__NR_write, wr, buf, MEGA), 65536);
	CHECK_EQ(sc(__NR_write, wr, buf, 1), -EAGAIN);
	CHECK_EQ(poll_one(wr, POLLOUT), 0);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 100);
	CHECK_EQ(sc(__NR_write, wr, buf, 101), -EAGAIN); /* up to PIPE_BUF all or nothing */
	CHECK_EQ(poll_one(wr, POLLOUT), 0);
	CHECK_EQ(sc(__NR_write, wr, buf, 5000), 100); /* above: what fits */
	CHECK_EQ(sc(__NR_read, rd, buf, 4096), 4096);
	CHECK_EQ(poll_one(wr, POLLOUT), POLLOUT);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETPIPE_SZ, 4096), -EBUSY);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETPIPE_SZ, 100000), 131072);
	CHECK_EQ(sc(__NR_fcntl, rd, F_GETPIPE_SZ), 131072);
	CHECK_EQ(sc(__NR_write, wr, buf, MEGA), 65536 + 4096);
	CHECK_EQ(sc(__NR_read, rd, buf, MEGA), 131072);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(sc(__NR_write, wr, buf, MEGA), 4096);
	sc(__NR_close, wr);
	CHECK_EQ(poll_one(rd, POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(sc(__NR_read, rd, buf, MEGA), 4096);
	CHECK_EQ(poll_one(rd, POLLIN), POLLHUP);
}

VM_TEST(packets)
{
	uaddr_t buf = ualloc(65536);

	make(O_DIRECT | O_NONBLOCK);
	CHECK_EQ(sc(__NR_write, wr, ustr("first"), 5), 5);
	CHECK_EQ(sc(__NR_write, wr, ustr("second"), 6), 6);
	CHECK_EQ(sc(__NR_write, wr, buf, 5000), 5000); /* two packets */
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 5);
	CHECK_EQ(sc(__NR_read, rd, buf, 3), 3); /* the rest of it is lost */
	CHECK_EQ(sc(__NR_read, rd, buf, 65536), 4096);
	CHECK_EQ(sc(__NR_read, rd, buf, 65536), 904);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETFL, 0), 0);
	CHECK_EQ(sc(__NR_write, wr, buf, 10), 10);
	CHECK_EQ(sc(__NR_write, wr, buf, 10), 10);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETFL, O_DIRECT), 0);
	CHECK_EQ(sc(__NR_write, wr, buf, 7), 7);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 20);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 7);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), -EAGAIN);
}

/* ---- many threads ---- */

#define STREAM (3 << 20)

/* Byte i of the stream: distinguishes positions well enough to see a shift or a gap. */
static u8 pattern(u64 i)
{
	return (u8)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static u32 next_random(u32 *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static int write_stream(void *arg)
{
	static u8 data[100000];
	uaddr_t buf = ualloc(sizeof(data));
	u32 seed = 5, big = *(u32 *)arg;

	for (u64 at = 0; at < STREAM;) {
		u32 n = 1 + next_random(&seed) % big;
		long done;

		n = min((u64)n, STREAM - at);
		for (u32 i = 0; i < n; i++)
			data[i] = pattern(at + i);
		poke(buf, data, n);
		done = sc(__NR_write, wr, buf, n);
		CHECK_EQ(done, n);
		at += n;
	}
	CHECK_EQ(sc(__NR_close, wr), 0);
	return 0;
}

static void read_stream(u32 big)
{
	static u8 data[100000];
	uaddr_t buf = ualloc(sizeof(data));
	u32 seed = 77;
	u64 at = 0;
	long n;

	while ((n = sc(__NR_read, rd, buf, 1 + next_random(&seed) % big)) > 0) {
		peek(buf, data, n);
		for (long i = 0; i < n; i++, at++)
			CHECK(data[i] == pattern(at));
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, STREAM);
}

VM_TEST(stream_between_threads)
{
	static u32 sizes[][2] = {
		{ 100000, 100000 }, { 100000, 3000 }, { 3000, 100000 }, { 5000, 4000 }
	};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		make(0);
		CHECK(thread_run(write_stream, &sizes[i][0]) > 0);
		read_stream(sizes[i][1]);
		sc(__NR_close, rd);
	}
}

static u32 writers_left;

/* Records of 16 bytes: all equal to the writer's letter. */
static int write_records(void *arg)
{
	u8 record[16];
	uaddr_t buf;

	for (u32 i = 0; i < sizeof(record); i++)
		record[i] = (u8)(u64)arg;
	buf = uput(record, sizeof(record));
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(sc(__NR_write, wr, buf, sizeof(record)), sizeof(record));
	if (__atomic_sub_fetch(&writers_left, 1, __ATOMIC_SEQ_CST) == 0)
		sc(__NR_close, wr);
	return 0;
}

static u32 records_seen, readers_left;

static int read_records(void *arg)
{
	uaddr_t buf = ualloc(16);
	u8 record[16];
	long n;

	while ((n = sc(__NR_read, rd, buf, sizeof(record))) > 0) {
		CHECK_EQ(n, sizeof(record));
		peek(buf, record, sizeof(record));
		for (u32 i = 1; i < sizeof(record); i++)
			CHECK_EQ(record[i], record[0]);
		__atomic_add_fetch(&records_seen, 1, __ATOMIC_SEQ_CST);
	}
	CHECK_EQ(n, 0);
	__atomic_sub_fetch(&readers_left, 1, __ATOMIC_SEQ_CST);
	return 0;
}

VM_TEST(many_readers_and_writers)
{
	make(0);
	CHECK_EQ(sc(__NR_fcntl, wr, F_SETPIPE_SZ, 4096), 4096);
	writers_left = 4;
	readers_left = 3;
	for (u64 i = 0; i < 3; i++)
		CHECK(thread_run(read_records, NULL) > 0);
	for (u64 i = 0; i < 4; i++)
		CHECK(thread_run(write_records, (void *)('a' + i)) > 0);
	EVENTUALLY(!__atomic_load_n(&readers_left, __ATOMIC_SEQ_CST));
	CHECK_EQ(records_seen, 20000);
}

static int echo(void *arg)
{
	int *fds = arg;
	uaddr_t buf = ualloc(1);

	while (sc(__NR_read, fds[0], buf, 1) == 1)
		CHECK_EQ(sc(__NR_write, fds[1], buf, 1), 1);
	sc(__NR_close, fds[1]);
	return 0;
}

VM_TEST(ping_pong)
{
	static int fds[2];
	int out, in;
	uaddr_t buf = ualloc(1);

	make(0);
	out = wr;
	fds[0] = rd;
	make(0);
	in = rd;
	fds[1] = wr;
	CHECK(thread_run(echo, fds) > 0);
	for (int i = 0; i < 3000; i++) {
		CHECK_EQ(sc(__NR_write, out, buf, 1), 1);
		CHECK_EQ(sc(__NR_read, in, buf, 1), 1);
	}
	sc(__NR_close, out);
	CHECK_EQ(sc(__NR_read, in, buf, 1), 0);
}

static int close_later(void *arg)
{
	sleep_ms(30);
	sc(__NR_close, *(int *)arg);
	return 0;
}

VM_TEST(the_other_end_closes)
{
	uaddr_t buf = ualloc(MEGA);

	make(0);
	CHECK(thread_run(close_later, &wr) > 0);
	CHECK_EQ(sc(__NR_read, rd, buf, 1), 0);
	make(0);
	sc(__NR_rt_sigaction, SIGPIPE, uput(&(u64[4]){ 1 }, 32), 0, 8);
	CHECK(thread_run(close_later, &rd) > 0);
	CHECK_EQ(sc(__NR_write, wr, buf, MEGA), 65536); /* what was written until then */
	CHECK_EQ(sc(__NR_write, wr, buf, MEGA), -EPIPE);
}

/* ---- FIFOs ---- */

static int open_fifo_later(void *arg)
{
	sleep_ms(30);
	wr = (int)sc(__NR_open, ustr("/tmp/fifo"), O_WRONLY);
	return wr >= 0 ? 0 : 1;
}

VM_TEST(fifo)
{
	uaddr_t buf = ualloc(100);
	int again;

	CHECK_EQ(sc(__NR_mknod, ustr("/tmp/fifo"), 0010600 /* a FIFO */, 0), 0);
	CHECK_EQ(sc(__NR_open, ustr("/tmp/fifo"), O_WRONLY | O_NONBLOCK), -ENXIO);
	rd = (int)sc(__NR_open, ustr("/tmp/fifo"), O_RDONLY | O_NONBLOCK);
	CHECK(rd >= 0);
	CHECK_EQ(poll_one(rd, POLLIN), 0); /* nobody has written yet */
	CHECK_EQ(sc(__NR_read, rd, buf, 1), 0);
	wr = (int)sc(__NR_open, ustr("/tmp/fifo"), O_WRONLY | O_NONBLOCK);
	CHECK(wr >= 0);
	CHECK_EQ(sc(__NR_read, rd, buf, 1), -EAGAIN);
	CHECK_EQ(sc(__NR_write, wr, ustr("abc"), 3), 3);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 3);
	sc(__NR_close, wr);
	CHECK_EQ(poll_one(rd, POLLIN), POLLHUP);
	sc(__NR_close, rd);
	wr = -1;
	CHECK(thread_run(open_fifo_later, NULL) > 0);
	rd = (int)sc(__NR_open, ustr("/tmp/fifo"), O_RDONLY);
	CHECK(rd >= 0);
	EVENTUALLY(__atomic_load_n(&wr, __ATOMIC_SEQ_CST) >= 0);
	again = (int)sc(__NR_open, ustr("/tmp/fifo"), O_RDWR);
	CHECK(again >= 0);
	CHECK_EQ(sc(__NR_write, again, ustr("xyz"), 3), 3);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 3);
}

VM_TEST(opened_by_proc)
{
	char path[32];
	int copy;
	uaddr_t buf = ualloc(100);

	make(0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rd);
	copy = (int)sc(__NR_open, ustr(path), O_RDONLY);
	CHECK(copy >= 0 && copy != rd);
	CHECK_EQ(sc(__NR_write, wr, ustr("abc"), 3), 3);
	CHECK_EQ(sc(__NR_read, copy, buf, 100), 3);
	sc(__NR_close, wr);
	CHECK_EQ(sc(__NR_read, copy, buf, 100), 0);
	/* The write end by the same inode, while a reader is there. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rd);
	wr = (int)sc(__NR_open, ustr(path), O_WRONLY);
	CHECK(wr >= 0);
	CHECK_EQ(sc(__NR_write, wr, ustr("abc"), 3), 3);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 3);
}

/* ---- splice ---- */

VM_TEST(splice_tee)
{
	uaddr_t buf = ualloc(8192), off = ualloc(8);
	int rd1, wr1, file;

	make(O_NONBLOCK);
	rd1 = rd;
	wr1 = wr;
	make(O_NONBLOCK);
	CHECK_EQ(sc(__NR_write, wr1, ustr("hello splice"), 12), 12);
	CHECK_EQ(sc(__NR_tee, rd1, wr, 5, 0), 5);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 5);
	CHECK(ueq(buf, "hello"));
	file = (int)sc(__NR_open, ustr("/tmp/file"), O_RDWR | O_CREAT, 0600);
	CHECK(file >= 0);
	CHECK_EQ(sc(__NR_splice, rd1, 0, file, 0, 5, 0), 5);
	CHECK_EQ(sc(__NR_splice, rd1, 0, file, 0, 100, 0), 7);
	CHECK_EQ(sc(__NR_splice, rd1, 0, file, 0, 100, 0), -EAGAIN);
	CHECK_EQ(sc(__NR_pread64, file, buf, 100, 0), 12);
	CHECK(ueq(buf, "hello splice"));
	poke64(off, 6);
	CHECK_EQ(sc(__NR_splice, file, off, wr, 0, 100, 0), 6);
	CHECK_EQ(peek64(off), 12);
	CHECK_EQ(sc(__NR_splice, file, off, wr, 0, 100, 0), 0);
	CHECK_EQ(sc(__NR_read, rd, buf, 100), 6);
	CHECK(ueq(buf, "splice"));
	CHECK_EQ(sc(__NR_splice, rd, 0, wr, 0, 1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_splice, file, 0, file, 0, 1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_splice, rd1, off, file, 0, 1, 0), -ESPIPE);
	CHECK_EQ(sc(__NR_vmsplice, wr, uput(&(u64[2]){ buf, 6 }, 16), 1, 0), 6);
	CHECK_EQ(queued(), 6);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_order),
		cmocka_unit_test(no_readers),
		cmocka_unit_test(sigpipe_kills),
		cmocka_unit_test(full_and_nonblocking),
		cmocka_unit_test(packets),
		cmocka_unit_test(stream_between_threads),
		cmocka_unit_test(many_readers_and_writers),
		cmocka_unit_test(ping_pong),
		cmocka_unit_test(the_other_end_closes),
		cmocka_unit_test(fifo),
		cmocka_unit_test(opened_by_proc),
		cmocka_unit_test(splice_tee),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
