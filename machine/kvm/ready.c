// SPDX-License-Identifier: Apache-2.0
/*
 * Readiness of handles. Who waits is on a list by handle before he asks the hypervisor, which looks, and watches those
 * that are not ready. It tells by struct kvm_ready and KVM_VEC_EVENT; everybody who waits for that handle then asks again.
 */
#include <asm/poll.h>

#include "kvm_impl.h"

#define BUCKETS 256
static struct ready_wait *buckets[BUCKETS];
static struct spinlock lock;

void ready_begin(struct ready_wait *w, u32 handle)
{
	struct ready_wait **b = &buckets[handle % BUCKETS];

	w->thread = self();
	w->handle = handle;
	spin_lock(&lock);
	w->next = *b;
	*b = w;
	spin_unlock(&lock);
}

void ready_end(struct ready_wait *w)
{
	struct ready_wait **b = &buckets[w->handle % BUCKETS];

	spin_lock(&lock);
	while (*b != w)
		b = &(*b)->next;
	*b = w->next;
	spin_unlock(&lock);
}

static void is_ready(u32 handle)
{
	struct ready_wait *w;

	spin_lock(&lock);
	for (w = buckets[handle % BUCKETS]; w; w = w->next) {
		if (w->handle == handle)
			sched_wake(w->thread, TOKEN_READY);
	}
	spin_unlock(&lock);
}

static void take_word(u32 i)
{
	u32 bits = __atomic_exchange_n(&READY->handles[i], 0, __ATOMIC_SEQ_CST);

	for (; bits; bits &= bits - 1)
		is_ready(i * 32 + (u32)__builtin_ctz(bits));
}

void ready_take(void)
{
	u32 i, bits;

	for (i = 0; i < ARRAY_SIZE(READY->words); i++) {
		if (!READ_ONCE(READY->words[i]))
			continue;
		bits = __atomic_exchange_n(&READY->words[i], 0, __ATOMIC_SEQ_CST);
		for (; bits; bits &= bits - 1)
			take_word(i * 32 + (u32)__builtin_ctz(bits));
	}
}

/* Up to KVM_POLL_MAX of them. Number ready. */
static int ask_some(struct pollfd *fds, u32 n, bool arm)
{
	struct kvm_call *k = call_begin();
	u32 i;
	s64 r;

	k->u.poll.n = n;
	k->u.poll.arm = arm;
	for (i = 0; i < n; i++)
		k->u.poll.fds[i] = (struct kvm_poll){ .handle = (u32)fds[i].fd, .events = (u16)fds[i].events };
	r = call_make(KVM_CALL_POLL);
	for (i = 0; r >= 0 && i < n; i++)
		fds[i].revents = (short)k->u.poll.fds[i].revents;
	return (int)r;
}

static int ask(struct pollfd *fds, int n, bool arm)
{
	int ready = 0, r, i, some;

	for (i = 0; i < n; i += some) {
		some = min(n - i, KVM_POLL_MAX);
		r = ask_some(fds + i, (u32)some, arm && !ready);
		if (r < 0)
			return r;
		ready += r;
	}
	return ready;
}

/* What was told of this handle since it was armed; once. */
static u16 told(const struct pollfd *p)
{
	u16 came = __atomic_exchange_n(&READY->events[p->fd], 0, __ATOMIC_SEQ_CST);

	return came & ((u16)p->events | POLLERR | POLLHUP);
}

static int take_told(struct pollfd *fds, int n)
{
	int i, ready = 0;

	for (i = 0; i < n; i++) {
		fds[i].revents = (short)told(&fds[i]);
		ready += fds[i].revents != 0;
	}
	return ready;
}

static int wait_for(struct pollfd *fds, int n, u64 deadline)
{
	int r, woken;

	for (;;) {
		take_told(fds, n);
		r = ask(fds, n, true);
		if (r)
			return r;
		woken = sched_park(TOKEN_UNPARK | TOKEN_READY, deadline, true);
		if (woken == (int)TOKEN_READY && (r = take_told(fds, n)))
			return r;
		if (woken < 0 && woken != -ETIMEDOUT)
			return woken;
		if (woken == -ETIMEDOUT || woken == 0 || woken & (int)TOKEN_UNPARK) {
			r = ask(fds, n, false);
			return r || woken != -ETIMEDOUT ? r : woken;
		}
	}
}

#define ON_STACK 8

int mc_poll(struct pollfd *fds, int n, u64 deadline)
{
	struct ready_wait few[ON_STACK], *w = few;
	int i, r;

	if (!deadline)
		return ask(fds, n, false);
	if (n > ON_STACK)
		w = kmalloc((size_t)n * sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		ready_begin(&w[i], (u32)fds[i].fd);
	r = wait_for(fds, n, deadline);
	for (i = 0; i < n; i++)
		ready_end(&w[i]);
	if (w != few)
		kfree(w);
	return r;
}

int ready_wait(u32 handle, u32 events, u64 deadline)
{
	struct pollfd p = { .fd = (int)handle, .events = (short)events };

	return mc_poll(&p, 1, deadline);
}

static int collect(u32 watch, struct mc_event *out, int max, bool arm)
{
	struct kvm_call *k = call_begin();
	int n, i;

	k->u.watch.watch = watch;
	k->u.watch.arg = (u64)min(max, KVM_EVENTS_MAX);
	k->u.watch.op = arm;
	n = (int)call_make(KVM_CALL_EVENTS);
	for (i = 0; i < n; i++)
		out[i] = (struct mc_event){ .events = k->u.events[i].events, .data = k->u.events[i].data };
	return n;
}

static int watch_wait(u32 watch, struct mc_event *out, int max, u64 deadline)
{
	int n, woken;

	for (;;) {
		n = collect(watch, out, max, true);
		if (n)
			return n;
		woken = sched_park(TOKEN_UNPARK | TOKEN_READY, deadline, true);
		if (woken == (int)TOKEN_READY)
			continue;
		n = woken == -EINTR ? 0 : collect(watch, out, max, false);
		return n || woken > 0 ? n : woken;
	}
}

int mc_watch_wait(u32 watch, struct mc_event *out, int max, u64 deadline)
{
	struct ready_wait w;
	int n;

	if (!deadline)
		return collect(watch, out, max, false);
	ready_begin(&w, watch);
	n = watch_wait(watch, out, max, deadline);
	ready_end(&w);
	return n;
}
