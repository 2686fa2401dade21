// SPDX-License-Identifier: Apache-2.0
/* Readiness of handles that the guest waits for: one thread, which tells by struct kvm_ready and an interrupt. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "call/confine.h"
#include "kvm/kvm_impl.h"

#define BATCH 64

static void tell(struct kvm_guest *g, u32 handle, u32 events)
{
	struct kvm_ready *r = (struct kvm_ready *)(g->slots[SLOT_LOW].at + KVM_READY_GPA);
	u32 word = handle / 32;

	pthread_mutex_lock(&g->ready_lock);
	g->armed[handle] = 0;
	pthread_mutex_unlock(&g->ready_lock);
	__atomic_store_n(&r->events[handle], (u16)events, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&r->handles[word], 1u << (handle % 32), __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&r->words[word / 32], 1u << (word % 32), __ATOMIC_SEQ_CST);
}

static void *ready_main(void *arg)
{
	struct kvm_guest *g = arg;
	struct epoll_event ev[BATCH];
	int n;

	pthread_setname_np(pthread_self(), "kvm-ready");
	if (confine_thread(false) < 0) {
		g->on_end(g->ctx, "a thread cannot be confined");
		return NULL;
	}
	while (!__atomic_load_n(&g->stopping, __ATOMIC_SEQ_CST)) {
		n = epoll_wait(g->ready_epoll, ev, BATCH, -1);
		for (int i = 0; i < n; i++)
			if (ev[i].data.u32)
				tell(g, ev[i].data.u32, ev[i].events);
		if (n > 0)
			kvm_guest_notify(g);
	}
	return NULL;
}

int ready_start(struct kvm_guest *g)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ret;

	g->ready_epoll = epoll_create1(EPOLL_CLOEXEC);
	g->stop_event = eventfd(0, EFD_CLOEXEC);
	if (g->ready_epoll < 0 || g->stop_event < 0 || epoll_ctl(g->ready_epoll, EPOLL_CTL_ADD, g->stop_event, &ev))
		return -errno;
	ret = pthread_create(&g->ready_thread, NULL, ready_main, g);
	g->ready_started = !ret;
	return -ret;
}

void ready_stop(struct kvm_guest *g)
{
	u64 one = 1;

	if (g->ready_started && write(g->stop_event, &one, sizeof(one)) == sizeof(one))
		pthread_join(g->ready_thread, NULL);
	g->ready_started = false;
	if (g->ready_epoll >= 0)
		close(g->ready_epoll);
	if (g->stop_event >= 0)
		close(g->stop_event);
	g->ready_epoll = g->stop_event = -1;
}

/*
 * One event, then it has to be armed again. Others may wait for the same handle: it is armed for all of them, until one event has
 * come; then each asks anew. A file that can't be watched is always ready: not armed.
 */
int ready_arm(struct kvm_guest *g, u32 handle, int fd, u32 events)
{
	struct epoll_event ev = { .data.u32 = handle };
	int ret;

	pthread_mutex_lock(&g->ready_lock);
	g->armed[handle] |= (u16)events;
	ev.events = g->armed[handle] | EPOLLONESHOT;
	ret = epoll_ctl(g->ready_epoll, EPOLL_CTL_MOD, fd, &ev);
	if (ret && errno == ENOENT)
		ret = epoll_ctl(g->ready_epoll, EPOLL_CTL_ADD, fd, &ev);
	ret = !ret || errno == EPERM ? 0 : -errno;
	pthread_mutex_unlock(&g->ready_lock);
	return ret;
}
