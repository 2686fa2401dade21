/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for requests. Waking a sleeping server costs the guest 5 us, and 50 us where the server's
 * CPU is idle in a VM; polling costs CPU time that the guest may need. So the server polls for a
 * short while after work, and only as long as requests have lately been arriving that soon. Who shares our CPU can't
 * call while we poll.
 */
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call/server_impl.h"

#define SPIN_NS 40000u
#define WAKE_NS 60000u /* what a wake adds to the gap that we see after a sleep */
#define SCORE_MAX 8
/* A container that starts asks for one thing after the other, at distances that a sleep would double. */
#define START_NS 600000u
#define START_GAP_NS 100000u
#define PAUSES_PER_LOOK 16

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

bool ring_pending(struct pv_server *srv)
{
	return __atomic_load_n(&srv->ring->req_prod, __ATOMIC_ACQUIRE) != srv->consumed;
}

static bool ready(struct pv_server *srv)
{
	return ring_pending(srv) || streams_pending(srv) || server_stopping(srv);
}

static void futex_wait(u32 *word, u32 val)
{
	syscall(SYS_futex, word, FUTEX_WAIT, val, NULL, NULL, 0);
}

void futex_wake(u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void ring_wake_server(struct pv_server *srv)
{
	__atomic_store_n(&srv->ring->sleeping, 0, __ATOMIC_SEQ_CST);
	futex_wake(&srv->ring->sleeping);
}

static void rate(struct spinner *s, bool soon)
{
	if (soon && s->score < SCORE_MAX)
		s->score++;
	else if (!soon && s->score > -SCORE_MAX)
		s->score--;
}

static bool spin(struct pv_server *srv, u64 until)
{
	do {
		for (int i = 0; i < PAUSES_PER_LOOK; i++) {
			if (ready(srv))
				return true;
			__builtin_ia32_pause();
		}
	} while (now_ns() < until);
	return false;
}

static void sleep_until_ready(struct pv_server *srv)
{
	u32 *sleeping = &srv->ring->sleeping;

	while (!ready(srv)) {
		/*
		 * The guest advances req_prod and then looks at sleeping; we do both in the other
		 * order.
		 */
		__atomic_store_n(sleeping, 1, __ATOMIC_SEQ_CST);
		if (ready(srv))
			break;
		futex_wait(sleeping, 1);
	}
	__atomic_store_n(sleeping, 0, __ATOMIC_RELAXED);
}

void wait_init(struct spinner *s)
{
	cpu_set_t set;

	s->allowed = sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
	s->start_left = s->allowed ? START_NS : 0;
}


static bool spin_at_start(struct pv_server *srv, u64 start)
{
	struct spinner *s = &srv->spinner;
	u64 most = s->start_left < START_GAP_NS ? s->start_left : START_GAP_NS;
	bool found = spin(srv, start + most);
	u64 spent = now_ns() - start;

	s->start_left -= spent < s->start_left ? spent : s->start_left;
	return found;
}

void wait_for_request(struct pv_server *srv)
{
	struct spinner *s = &srv->spinner;
	u64 start;
	bool poll;

	if (ready(srv))
		return;
	start = now_ns();
	poll = s->allowed && !place_shared(srv);
	if (poll && s->start_left && spin_at_start(srv, start))
		return;
	if (poll && s->score > 0 && spin(srv, start + SPIN_NS)) {
		rate(s, true);
		return;
	}
	sleep_until_ready(srv);
	rate(s, now_ns() - start < SPIN_NS + WAKE_NS);
}
