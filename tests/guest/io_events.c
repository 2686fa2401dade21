/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd and timerfd. */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static void test_eventfd(void)
{
	int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	uint64_t value = 4;

	CHECK(write(fd, &value, 8) == 8);
	CHECK(read(fd, &value, 8) == 8 && value == 7);
	FAILS(EAGAIN, read(fd, &value, 8));
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	value = UINT64_MAX;
	FAILS(EINVAL, write(fd, &value, 8));
	value--;
	CHECK(write(fd, &value, 8) == 8);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	value = 1;
	FAILS(EAGAIN, write(fd, &value, 8));
	FAILS(EINVAL, read(fd, &value, 4));
	close(fd);
	fd = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	for (int i = 0; i < 2; i++)
		CHECK(read(fd, &value, 8) == 8 && value == 1);
	FAILS(EAGAIN, read(fd, &value, 8));
	close(fd);
}

static void test_eventfd_between(void)
{
	int fd = OK(eventfd(0, 0));
	uint64_t value;
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 200; i++) {
			value = 1;
			CHECK(write(fd, &value, 8) == 8);
		}
		_exit(0);
	}
	for (uint64_t sum = 0; sum < 200; sum += value)
		CHECK(read(fd, &value, 8) == 8);
	CHECK(reap(child) == 0);
	close(fd);
}

static void test_timerfd(void)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct itimerspec spec = { { 0, 10000000 }, { 0, 20000000 } }, old;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	double start = now();
	uint64_t ticks;

	FAILS(EAGAIN, read(fd, &ticks, 8));
	OK(timerfd_settime(fd, 0, &spec, NULL));
	OK(timerfd_gettime(fd, &old));
	CHECK(old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec <= 20000000 && old.it_value.tv_nsec);
	CHECK(poll(&p, 1, 5000) == 1 && now() - start >= 0.0195);
	CHECK(read(fd, &ticks, 8) == 8 && ticks >= 1);
	pause_ms(55);
	CHECK(read(fd, &ticks, 8) == 8 && ticks >= 5);
	spec = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	OK(timerfd_settime(fd, 0, &spec, &old));
	CHECK(poll(&p, 1, 20) == 0);
	clock_gettime(CLOCK_MONOTONIC, &spec.it_value);
	spec.it_value.tv_sec -= 1; /* in the past: at once */
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
	CHECK(poll(&p, 1, 1000) == 1 && read(fd, &ticks, 8) == 8 && ticks == 1);
	FAILS(EINVAL, timerfd_create(99, 0));
	close(fd);
	fd = OK(timerfd_create(CLOCK_REALTIME, 0));
	spec = (struct itimerspec){ { 0, 0 }, { 0, 15000000 } };
	OK(timerfd_settime(fd, 0, &spec, NULL));
	CHECK(read(fd, &ticks, 8) == 8 && ticks == 1); /* blocks */
	close(fd);
}

int main(void)
{
	test_eventfd();
	test_eventfd_between();
	test_timerfd();
	return 0;
}
