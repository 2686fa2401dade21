/* SPDX-License-Identifier: Apache-2.0 */
/* poll and epoll over guest objects and handles of the host, apart and together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/time_types.h>

#include "harness.h"
#include "socket.h"

#define ET ((u32)EPOLLET)
#define ONESHOT ((u32)EPOLLONESHOT)

static int ep;
static uaddr_t events;

static int eventfd(void)
{
	return (int)sc(__NR_eventfd2, 0, O_NONBLOCK);
}

static void signal_eventfd(int fd, u64 n)
{
	CHECK_EQ(sc(__NR_write, fd, uput(&n, 8), 8), 8);
}

static void drain_eventfd(int fd)
{
	CHECK_EQ(sc(__NR_read, fd, ualloc(8), 8), 8);
}

static long ctl(int op, int fd, u32 want, u64 data)
{
	struct epoll_event ev = { want, data };

	return sc(__NR_epoll_ctl, ep, op, fd, uput(&ev, sizeof(ev)));
}

static void new_epoll(void)
{
	ep = (int)sc(__NR_epoll_create1, 0);
	CHECK(ep >= 0);
	events = ualloc(100 * sizeof(struct epoll_event));
}

static struct epoll_event event(int i)
{
	struct epoll_event ev;

	peek(events + i * sizeof(ev), &ev, sizeof(ev));
	return ev;
}

#define WAIT(ms) sc(__NR_epoll_wait, ep, events, 100, ms)
/* Exactly one event: this. */
#define EXPECT(ms, want, tag)                                                                      \
	do {                                                                                       \
		CHECK_EQ(WAIT(ms), 1);                                                             \
		CHECK_EQ(event(0).events, want);                                                   \
		CHECK_EQ(event(0).data, tag);                                                      \
	} while (0)

/* ---- sockets of the host: a connected pair over the loopback interface ---- */

static u16 big_endian(u16 n)
{
	return (u16)(n << 8 | n >> 8);
}

static int listener(uaddr_t addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	int l = (int)sc(__NR_socket, AF_INET, SOCK_STREAM, 0);

	CHECK(l >= 0);
	poke(addr, &in, sizeof(in));
	CHECK_EQ(sc(__NR_bind, l, addr, sizeof(in)), 0);
	CHECK_EQ(sc(__NR_listen, l, 5), 0);
	CHECK_EQ(sc(__NR_getsockname, l, addr, uput(&(u32){ sizeof(in) }, 4)), 0);
	peek(addr, &in, sizeof(in));
	CHECK(big_endian(in.sin_port) > 0);
	return l;
}

static void tcp_pair(int *a, int *b)
{
	uaddr_t addr = ualloc(16);
	int l = listener(addr);

	*a = (int)sc(__NR_socket, AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(sc(__NR_connect, *a, addr, 16), 0);
	*b = (int)sc(__NR_accept, l, 0, 0);
	CHECK(*b >= 0);
	sc(__NR_close, l);
}

static void put(int fd)
{
	CHECK_EQ(sc(__NR_write, fd, ustr("x"), 1), 1);
}

static void get(int fd)
{
	CHECK_EQ(sc(__NR_read, fd, ualloc(8), 1), 1);
}

static int put_later(void *arg)
{
	sleep_ms(40);
	put((int)(u64)arg);
	return 0;
}

static int signal_later(void *arg)
{
	sleep_ms(40);
	signal_eventfd((int)(u64)arg, 1);
	return 0;
}

/* ---- guest objects ---- */

VM_TEST(level_edge_oneshot)
{
	int fd = eventfd();

	new_epoll();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 1), -EEXIST);
	CHECK_EQ(WAIT(0), 0);
	signal_eventfd(fd, 1);
	EXPECT(0, EPOLLIN, 1);
	EXPECT(0, EPOLLIN, 1);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, fd, EPOLLIN | ET, 2), 0);
	EXPECT(0, EPOLLIN, 2);
	CHECK_EQ(WAIT(0), 0);
	signal_eventfd(fd, 1);
	EXPECT(0, EPOLLIN, 2);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, fd, EPOLLIN | ONESHOT, 3), 0);
	EXPECT(0, EPOLLIN, 3);
	signal_eventfd(fd, 1);
	CHECK_EQ(WAIT(0), 0);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 4), 0);
	EXPECT(0, EPOLLIN | EPOLLOUT, 4);
	CHECK_EQ(ctl(EPOLL_CTL_DEL, fd, 0, 0), 0);
	CHECK_EQ(ctl(EPOLL_CTL_DEL, fd, 0, 0), -ENOENT);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, fd, 0, 0), -ENOENT);
	CHECK_EQ(WAIT(10), 0);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, 99, EPOLLIN, 0), -EBADF);
	CHECK_EQ(ctl(9, fd, EPOLLIN, 0), -EINVAL);
	CHECK_EQ(sc(__NR_epoll_wait, fd, events, 1, 0), -EINVAL);
	CHECK_EQ(WAIT(0), 0);
}

VM_TEST(fair_and_bounded)
{
	int fd[10];
	u32 seen = 0;

	new_epoll();
	for (int i = 0; i < 10; i++) {
		fd[i] = eventfd();
		signal_eventfd(fd[i], 1);
		CHECK_EQ(ctl(EPOLL_CTL_ADD, fd[i], EPOLLIN, i), 0);
	}
	/* Three at a time, all come to their turn though all stay ready. */
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(sc(__NR_epoll_wait, ep, events, 3, 0), 3);
		for (int k = 0; k < 3; k++)
			seen |= 1u << event(k).data;
	}
	CHECK_EQ(seen, 0x3ff);
	CHECK_EQ(WAIT(0), 10);
}

VM_TEST(dup_and_close)
{
	int fd = eventfd(), copy = (int)sc(__NR_dup, fd);

	new_epoll();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, copy, EPOLLIN, 2), 0);
	signal_eventfd(fd, 1);
	CHECK_EQ(WAIT(0), 2);
	sc(__NR_close, fd); /* the file lives on in copy, and with it both items */
	CHECK_EQ(WAIT(0), 2);
	CHECK_EQ(ctl(EPOLL_CTL_DEL, copy, 0, 0), 0);
	EXPECT(0, EPOLLIN, 1);
	sc(__NR_close, copy);
	CHECK_EQ(WAIT(0), 0);
	/* The epoll goes first. */
	fd = eventfd();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	sc(__NR_close, ep);
	signal_eventfd(fd, 1);
	sc(__NR_close, fd);
}

VM_TEST(loops_and_depth)
{
	int e[8];

	for (int i = 0; i < 8; i++)
		e[i] = (int)sc(__NR_epoll_create1, 0);
	for (int i = 0; i < 4; i++) {
		ep = e[i];
		CHECK_EQ(ctl(EPOLL_CTL_ADD, e[i + 1], EPOLLIN, 0), 0);
	}
	ep = e[4];
	CHECK_EQ(ctl(EPOLL_CTL_ADD, e[0], EPOLLIN, 0), -ELOOP);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, e[5], EPOLLIN, 0), -ELOOP); /* too deep from above */
	ep = e[5];
	CHECK_EQ(ctl(EPOLL_CTL_ADD, e[0], EPOLLIN, 0), -ELOOP); /* and from below */
}

VM_TEST(nested)
{
	int outer, inner, fd = eventfd();

	new_epoll();
	inner = ep;
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	new_epoll();
	outer = ep;
	CHECK_EQ(ctl(EPOLL_CTL_ADD, inner, EPOLLIN, 2), 0);
	CHECK_EQ(WAIT(0), 0);
	CHECK(thread_run(signal_later, (void *)(u64)fd) > 0);
	EXPECT(5000, EPOLLIN, 2);
	ep = inner;
	EXPECT(0, EPOLLIN, 1);
	drain_eventfd(fd);
	ep = outer;
	CHECK_EQ(WAIT(0), 0);
	sc(__NR_close, inner);
	CHECK_EQ(WAIT(0), 0);
}

/* ---- the host ---- */

VM_TEST(host_handles)
{
	int a, b, copy;

	tcp_pair(&a, &b);
	new_epoll();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN | EPOLLRDHUP, 1), 0);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), -EEXIST);
	CHECK_EQ(WAIT(0), 0);
	CHECK_EQ(WAIT(20), 0);
	CHECK(thread_run(put_later, (void *)(u64)b) > 0);
	EXPECT(5000, EPOLLIN, 1);
	EXPECT(0, EPOLLIN, 1);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, a, EPOLLIN | EPOLLOUT | ET, 2), 0);
	EXPECT(0, EPOLLIN | EPOLLOUT, 2);
	CHECK_EQ(WAIT(0), 0);
	get(a);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, a, EPOLLIN, 3), 0);
	/* The same file under another number: one handle, two items. */
	copy = (int)sc(__NR_dup, a);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, copy, EPOLLIN | EPOLLOUT, 4), 0);
	EXPECT(0, EPOLLOUT, 4);
	put(b);
	EVENTUALLY(WAIT(0) == 2);
	CHECK_EQ(ctl(EPOLL_CTL_DEL, a, 0, 0), 0);
	EXPECT(0, EPOLLIN | EPOLLOUT, 4);
	sc(__NR_close, b);
	CHECK_EQ(ctl(EPOLL_CTL_MOD, copy, EPOLLIN | EPOLLRDHUP, 5), 0);
	EVENTUALLY(WAIT(0) == 1 && event(0).events == (EPOLLIN | EPOLLRDHUP));
	sc(__NR_close, a);
	sc(__NR_close, copy);
	CHECK_EQ(WAIT(0), 0);
}

VM_TEST(both_kinds)
{
	int fd = eventfd(), a, b;

	tcp_pair(&a, &b);
	new_epoll();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	CHECK_EQ(WAIT(10), 0);
	CHECK(thread_run(signal_later, (void *)(u64)fd) > 0);
	EXPECT(5000, EPOLLIN, 2);
	drain_eventfd(fd);
	CHECK(thread_run(put_later, (void *)(u64)b) > 0);
	EXPECT(5000, EPOLLIN, 1);
	signal_eventfd(fd, 1);
	CHECK_EQ(WAIT(0), 2);
}

static int wait_forever(void *arg)
{
	uaddr_t ev = ualloc(sizeof(struct epoll_event));

	CHECK_EQ(sc(__NR_epoll_wait, ep, ev, 1, -1), 1);
	__atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* A thread that sleeps on guest objects alone must notice the first handle of the host. */
VM_TEST(host_handle_comes_later)
{
	static int done;
	int a, b, inner, outer;

	tcp_pair(&a, &b);
	put(b);
	new_epoll();
	CHECK(thread_run(wait_forever, &done) > 0);
	sleep_ms(30);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	EVENTUALLY(__atomic_load_n(&done, __ATOMIC_SEQ_CST));
	/* The same through an outer epoll. */
	done = 0;
	new_epoll();
	inner = ep;
	new_epoll();
	outer = ep;
	CHECK_EQ(ctl(EPOLL_CTL_ADD, inner, EPOLLIN, 1), 0);
	CHECK(thread_run(wait_forever, &done) > 0);
	sleep_ms(30);
	ep = inner;
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	EVENTUALLY(__atomic_load_n(&done, __ATOMIC_SEQ_CST));
	ep = outer;
	get(a);
	EVENTUALLY(WAIT(0) == 0);
	CHECK(thread_run(put_later, (void *)(u64)b) > 0);
	EXPECT(5000, EPOLLIN, 1);
}

VM_TEST(poll_both_kinds)
{
	int fd = eventfd(), a, b;
	struct pollfd p[3];
	uaddr_t at;

	tcp_pair(&a, &b);
	new_epoll();
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	p[0] = (struct pollfd){ fd, POLLIN, 0 };
	p[1] = (struct pollfd){ a, POLLIN, 0 };
	p[2] = (struct pollfd){ ep, POLLIN, 0 };
	at = uput(p, sizeof(p));
	CHECK_EQ(sc(__NR_poll, at, 3, 0), 0);
	CHECK_EQ(sc(__NR_poll, at, 3, 20), 0);
	CHECK(thread_run(signal_later, (void *)(u64)fd) > 0);
	CHECK_EQ(sc(__NR_poll, at, 3, 5000), 1);
	peek(at, p, sizeof(p));
	CHECK(p[0].revents == POLLIN && !p[1].revents && !p[2].revents);
	drain_eventfd(fd);
	CHECK(thread_run(put_later, (void *)(u64)b) > 0);
	CHECK_EQ(sc(__NR_poll, at, 3, 5000), 2);
	peek(at, p, sizeof(p));
	CHECK(!p[0].revents && p[1].revents == POLLIN && p[2].revents == POLLIN);
}

/* ---- many threads ---- */

#define ROUNDS 3000
static u32 taken, sum;

static int consume(void *arg)
{
	uaddr_t ev = ualloc(16 * sizeof(struct epoll_event)), val = ualloc(8);
	u32 mine;

	do {
		long n = sc(__NR_epoll_wait, ep, ev, 4, -1);

		CHECK(n > 0);
		for (long i = 0; i < n; i++) {
			struct epoll_event e;

			peek(ev + i * sizeof(e), &e, sizeof(e));
			if (sc(__NR_read, e.data, val, 8) == 8)
				__atomic_add_fetch(&sum, (u32)peek64(val), __ATOMIC_SEQ_CST);
		}
		mine = __atomic_load_n(&sum, __ATOMIC_SEQ_CST);
	} while (mine < ROUNDS);
	__atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void produce(u32 flags)
{
	int fd[4];

	new_epoll();
	taken = sum = 0;
	for (int i = 0; i < 4; i++) {
		fd[i] = eventfd();
		CHECK_EQ(ctl(EPOLL_CTL_ADD, fd[i], EPOLLIN | flags, fd[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK(thread_run(consume, NULL) > 0);
	for (u32 i = 0; i < ROUNDS; i++)
		signal_eventfd(fd[i % 4], 1);
	EVENTUALLY(__atomic_load_n(&sum, __ATOMIC_SEQ_CST) == ROUNDS);
	/* All counted: now wake those that still sleep. */
	for (int i = 0; __atomic_load_n(&taken, __ATOMIC_SEQ_CST) < 3; i++) {
		signal_eventfd(fd[i % 4], 1);
		sleep_ms(1);
	}
}

VM_TEST(no_wakeup_is_lost)
{
	produce(0);
	produce(ET);
}

static int close_and_open(void *arg)
{
	for (int i = 0; i < 300; i++) {
		int fd = eventfd();

		CHECK_EQ(ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 7), 0);
		signal_eventfd(fd, 1);
		sc(__NR_close, fd);
	}
	__atomic_store_n(&taken, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Items go while another thread collects them. */
VM_TEST(close_races_with_wait)
{
	new_epoll();
	taken = 0;
	CHECK(thread_run(close_and_open, NULL) > 0);
	while (!__atomic_load_n(&taken, __ATOMIC_SEQ_CST))
		CHECK(WAIT(1) >= 0);
	CHECK_EQ(WAIT(0), 0);
}

static u32 handled;

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
	__atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static int kill_later(void *arg)
{
	sleep_ms(40);
	sc(__NR_tgkill, sc(__NR_getpid), (u64)arg, SIGUSR1);
	return 0;
}

VM_TEST(signals_and_masks)
{
	struct __kernel_timespec ts = { 5, 0 };
	u64 block = 1ULL << (SIGUSR1 - 1), none = 0;
	u64 me = (u64)sc(__NR_gettid);
	uaddr_t at = uput(&ts, sizeof(ts));
	int a, b;

	handle(SIGUSR1, on_signal, 0x10000000 /* SA_RESTART: not for these calls */);
	new_epoll();
	CHECK(thread_run(kill_later, (void *)me) > 0);
	CHECK_EQ(WAIT(-1), -EINTR);
	tcp_pair(&a, &b);
	CHECK_EQ(ctl(EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	CHECK(thread_run(kill_later, (void *)me) > 0);
	CHECK_EQ(WAIT(-1), -EINTR);
	CHECK_EQ(handled, 2);
	CHECK_EQ(sc(__NR_rt_sigprocmask, 0, uput(&block, 8), 0, 8), 0);
	CHECK_EQ(sc(__NR_tgkill, sc(__NR_getpid), me, SIGUSR1), 0);
	CHECK_EQ(WAIT(20), 0);
	CHECK_EQ(sc(__NR_epoll_pwait, ep, events, 1, -1, uput(&none, 8), 8), -EINTR);
	CHECK_EQ(handled, 3);
	CHECK_EQ(sc(__NR_tgkill, sc(__NR_getpid), me, SIGUSR1), 0);
	CHECK_EQ(sc(__NR_ppoll, 0, 0, at, uput(&none, 8), 8), -EINTR);
	CHECK(peek64(at) >= 4 && peek64(at) < 6); /* what was left of the time */
	CHECK_EQ(handled, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_edge_oneshot),
		cmocka_unit_test(fair_and_bounded),
		cmocka_unit_test(dup_and_close),
		cmocka_unit_test(loops_and_depth),
		cmocka_unit_test(nested),
		cmocka_unit_test(host_handles),
		cmocka_unit_test(both_kinds),
		cmocka_unit_test(host_handle_comes_later),
		cmocka_unit_test(poll_both_kinds),
		cmocka_unit_test(no_wakeup_is_lost),
		cmocka_unit_test(close_races_with_wait),
		cmocka_unit_test(signals_and_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
