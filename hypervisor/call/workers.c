/* SPDX-License-Identifier: Apache-2.0 */
#include "call/workers.h"

#include <time.h>

#include "call/server_impl.h"

#define STOP_WAIT_SEC 1

void workers_init(struct workers *w)
{
	pthread_condattr_t attr;

	*w = (struct workers){ 0 };
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_cond_init(&w->gone, &attr);
	pthread_condattr_destroy(&attr);
}

/* The next call, or NULL: end this thread. */
static struct call *take(struct workers *w)
{
	struct call *c = NULL;

	pthread_mutex_lock(&w->lock);
	w->idle++;
	while (!w->first && !w->stopping)
		pthread_cond_wait(&w->work, &w->lock);
	w->idle--;
	if (!w->stopping) {
		c = w->first;
		w->first = c->next;
		w->queued--;
	}
	pthread_mutex_unlock(&w->lock);
	return c;
}

static void *worker_main(void *arg)
{
	struct pv_server *srv = arg;
	struct workers *w = &srv->workers;
	struct caller me;
	struct call *c;

	pthread_setname_np(pthread_self(), "pv-worker");
	if (caller_init(&me, srv) < 0)
		serve_violation(srv, "a server thread cannot be set up");
	while ((c = take(w)))
		serve_perform(c, &me);
	caller_exit(&me);
	pthread_mutex_lock(&w->lock);
	w->threads--;
	pthread_cond_signal(&w->gone);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Signals are blocked in the creating thread, and so in the new one. */
static int start_thread(struct pv_server *srv)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, worker_main, srv);
	pthread_attr_destroy(&attr);
	return -ret;
}

int workers_submit(struct pv_server *srv, struct call *c)
{
	struct workers *w = &srv->workers;
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	/* Every queued call must have a thread: one that waits must not hold up another. */
	if (w->queued >= w->idle && w->threads < RING_SLOTS) {
		ret = start_thread(srv);
		w->threads += ret == 0;
	}
	if (ret < 0 && w->threads > 0)
		ret = 0;
	if (ret == 0) {
		c->next = NULL;
		if (w->first)
			w->last->next = c;
		else
			w->first = c;
		w->last = c;
		w->queued++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

bool workers_stop(struct workers *w)
{
	struct timespec until;
	bool done;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_WAIT_SEC;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->work);
	while (w->threads > 0 && ret == 0)
		ret = pthread_cond_timedwait(&w->gone, &w->lock, &until);
	done = w->threads == 0;
	pthread_mutex_unlock(&w->lock);
	return done;
}
