/* SPDX-License-Identifier: Apache-2.0 */
/* All streams: their table, their thread, and the requests that begin and end them. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "call/sock.h"
#include "call/stream_impl.h"

#define BATCH 64
#define DEAD_MAX 64u
#define GIVE_UP_NS (60 * 1000000000ULL) /* a peer that takes nothing for so long gets a reset */
#define STOP_NS 1000000000ULL

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void wake_thread(struct streams *st)
{
	u64 one = 1;

	(void)!write(st->wake_fd, &one, sizeof(one));
}

/* ---- the table; lock held ---- */

static void watch(struct streams *st, struct stream *s)
{
	u32 want = s->gone ? 0 : stream_wants(s);
	struct epoll_event e = { .events = want, .data.ptr = s };
	int op = !s->watched ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (want == s->watched)
		return;
	if (epoll_ctl(st->epoll_fd, op, s->h->fd, &e) < 0)
		s->in_done = s->out_done = true;
	s->watched = want;
}

static void unlink_stream(struct streams *st, struct stream *s)
{
	struct stream **p = &st->list;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
}

/* Nobody finds it any more. */
static void forget(struct streams *st, struct stream *s)
{
	s->gone = true;
	watch(st, s);
	if (s->ref) {
		st->by_ref[s->ref] = NULL;
		stream_leave_ring(s);
	}
	if (s->h->stream == s)
		s->h->stream = NULL;
	unlink_stream(st, s);
	st->nrests -= s->rest != NULL;
}

/* Events that name it may have been fetched: it is freed by the thread that would look at them. */
static void retire(struct streams *st, struct stream *s)
{
	handle_put(s->h);
	s->next = st->dead;
	st->dead = s;
	if (++st->ndead == DEAD_MAX)
		wake_thread(st);
}

static void bury(struct streams *st, struct stream *s)
{
	forget(st, s);
	retire(st, s);
}

static void free_dead(struct streams *st)
{
	while (st->dead) {
		struct stream *s = st->dead;

		st->dead = s->next;
		free(s->rest);
		free(s);
	}
	st->ndead = 0;
}

/* All is sent, or never will be. */
static void finish_rest(struct streams *st, struct stream *s, bool lost)
{
	struct linger at_once = { 0, 0 };

	/* The close must not hold up this thread. */
	setsockopt(s->h->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	s->h->reset = lost;
	sock_release(s->h);
	bury(st, s);
}

/* The next time to look, in ms, for epoll_wait(). */
static int check_rests(struct streams *st)
{
	struct stream *next;
	u64 now = now_ns();
	int wait = -1;

	for (struct stream *s = st->nrests ? st->list : NULL; s; s = next) {
		next = s->next;
		if (!s->rest)
			continue;
		if (s->out_done)
			finish_rest(st, s, false);
		else if (now > s->give_up)
			finish_rest(st, s, true);
		else
			wait = 1000;
	}
	return wait;
}

/* ---- the thread ---- */

static void take_wake(struct streams *st)
{
	u64 n;

	(void)!read(st->wake_fd, &n, sizeof(n));
}

static void serve_events(struct streams *st, const struct epoll_event *ready, int n)
{
	for (int i = 0; i < n; i++) {
		struct stream *s = ready[i].data.ptr;

		if (!s) {
			take_wake(st);
		} else if (!s->gone) {
			stream_ready(s, ready[i].events);
			watch(st, s);
		}
	}
}

static void *streams_main(void *arg)
{
	struct streams *st = arg;
	struct epoll_event ready[BATCH];
	int wait = -1;

	pthread_setname_np(pthread_self(), "pv-streams");
	while (!__atomic_load_n(&st->stopping, __ATOMIC_SEQ_CST)) {
		int n = epoll_wait(st->epoll_fd, ready, BATCH, wait);

		pthread_mutex_lock(&st->lock);
		serve_events(st, ready, n);
		wait = check_rests(st);
		free_dead(st);
		pthread_mutex_unlock(&st->lock);
	}
	return NULL;
}

int streams_start(struct pv_server *srv)
{
	struct streams *st = &srv->streams;
	struct epoll_event wake = { .events = EPOLLIN };

	if (!srv->cfg.data_rings)
		return 0;
	pthread_mutex_init(&st->lock, NULL);
	st->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	st->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (st->epoll_fd < 0 || st->wake_fd < 0 ||
	    epoll_ctl(st->epoll_fd, EPOLL_CTL_ADD, st->wake_fd, &wake) < 0)
		return -errno;
	st->srv = srv;
	st->running = pthread_create(&st->thread, NULL, streams_main, st) == 0;
	return st->running ? 0 : -EAGAIN;
}

/* The host would deliver what a process had sent before its end: so must we. */
static void flush_all(struct streams *st)
{
	u64 until = now_ns() + STOP_NS;
	bool more = true;

	while (more && now_ns() < until) {
		more = false;
		for (struct stream *s = st->list; s; s = s->next) {
			if (s->rest)
				stream_ready(s, 0);
			else if (s->kind == STREAM_CONNECTED && !s->h->reset)
				stream_pump_out(s);
			more = more || (stream_wants(s) & EPOLLOUT);
		}
		if (more)
			poll(NULL, 0, 10);
	}
}

void streams_stop(struct pv_server *srv)
{
	struct streams *st = &srv->streams;

	if (!st->srv)
		return;
	__atomic_store_n(&st->stopping, true, __ATOMIC_SEQ_CST);
	wake_thread(st);
	if (st->running)
		pthread_join(st->thread, NULL);
	pthread_mutex_lock(&st->lock);
	flush_all(st);
	while (st->list)
		bury(st, st->list);
	free_dead(st);
	pthread_mutex_unlock(&st->lock);
	close(st->epoll_fd);
	close(st->wake_fd);
	st->wake_fd = -1; /* a worker may still be lingering */
}

/* ---- the guest's bells ---- */

bool streams_pending(struct pv_server *srv)
{
	return srv->streams.srv &&
	       __atomic_load_n(&srv->ring->host_bells, __ATOMIC_ACQUIRE) != srv->streams.bells;
}

static void serve_word(struct streams *st, u32 word, u32 bits)
{
	for (; bits; bits &= bits - 1) {
		struct stream *s = st->by_ref[word * 32 + (u32)__builtin_ctz(bits)];

		if (s) {
			stream_rung(s);
			watch(st, s);
		}
	}
}

void streams_serve(struct pv_server *srv)
{
	struct streams *st = &srv->streams;
	u32 *work = srv->ring->host_work;

	st->bells = __atomic_load_n(&srv->ring->host_bells, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&st->lock);
	for (u32 i = 0; i < DATA_RINGS / 32; i++) {
		if (__atomic_load_n(&work[i], __ATOMIC_RELAXED))
			serve_word(st, i, __atomic_exchange_n(&work[i], 0, __ATOMIC_SEQ_CST));
	}
	pthread_mutex_unlock(&st->lock);
}

/* ---- requests ---- */

int stream_decode_ref(struct call *c, const struct pv_handle *h, u32 ref, u32 evtchn)
{
	struct streams *st = &c->srv->streams;
	struct stream *other;
	bool taken;

	if (evtchn)
		return violation(c, "evtchn", "a data ring's bell is its number");
	if (!ref)
		return 0;
	if (!st->srv || (h && !h->is_stream))
		return -EOPNOTSUPP;
	if (ref >= DATA_RINGS)
		return violation(c, "ref", "data ring number out of range");
	pthread_mutex_lock(&st->lock);
	other = st->by_ref[ref];
	taken = other && (!h || other->h != h);
	pthread_mutex_unlock(&st->lock);
	return taken ? violation(c, "ref", "a data ring that is in use") : 0;
}

int stream_attach(struct pv_server *srv, struct pv_handle *h, u32 ref, enum stream_kind kind)
{
	struct streams *st = &srv->streams;
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->srv = srv;
	s->h = handle_ref(h);
	pthread_mutex_lock(&st->lock);
	if (h->stream)
		bury(st, h->stream);
	stream_set_up(s, ref, kind);
	st->by_ref[ref] = s;
	s->next = st->list;
	st->list = s;
	h->stream = s;
	watch(st, s);
	pthread_mutex_unlock(&st->lock);
	return 0;
}

void stream_detach(struct pv_server *srv, struct pv_handle *h)
{
	if (!srv->streams.srv)
		return;
	pthread_mutex_lock(&srv->streams.lock);
	if (h->stream)
		bury(&srv->streams, h->stream);
	pthread_mutex_unlock(&srv->streams.lock);
}

bool stream_shutdown(struct pv_server *srv, struct pv_handle *h, int how)
{
	struct stream *s;
	bool ours;

	if (!srv->streams.srv)
		return false;
	pthread_mutex_lock(&srv->streams.lock);
	s = h->stream;
	ours = s && s->kind == STREAM_CONNECTED && how >= SHUT_RD && how <= SHUT_RDWR &&
	       !(s->in_done && s->out_done); /* then the host says ENOTCONN */
	if (ours && how != SHUT_RD) {
		s->shut = true;
		stream_pump_out(s);
	}
	if (ours && how != SHUT_WR) {
		shutdown(h->fd, SHUT_RD);
		stream_ready(s, 0);
	}
	if (ours)
		watch(&srv->streams, s);
	pthread_mutex_unlock(&srv->streams.lock);
	return ours;
}

/* On a worker, which may wait as long as SO_LINGER says. The stream is known to nobody else. */
static void send_lingering(struct stream *s)
{
	struct linger l = { 0 };
	socklen_t len = sizeof(l);
	struct pollfd p = { .fd = s->h->fd, .events = POLLOUT };
	u64 until;

	getsockopt(s->h->fd, SOL_SOCKET, SO_LINGER, &l, &len);
	until = now_ns() + (u64)l.l_linger * 1000000000u;
	while (!s->out_done && now_ns() < until && !server_stopping(s->srv)) {
		poll(&p, 1, 100);
		stream_ready(s, 0);
	}
}

bool stream_release(struct pv_server *srv, struct pv_handle *h)
{
	struct streams *st = &srv->streams;
	struct stream *s;
	bool keep;

	if (!st->srv)
		return false;
	pthread_mutex_lock(&st->lock);
	s = h->stream;
	keep = s && stream_save_rest(s);
	if (keep) {
		st->nrests++;
		s->give_up = now_ns() + GIVE_UP_NS;
		st->by_ref[s->ref] = NULL;
		stream_leave_ring(s);
	}
	if (keep && h->lingers) {
		forget(st, s);
		pthread_mutex_unlock(&st->lock);
		send_lingering(s);
		pthread_mutex_lock(&st->lock);
		retire(st, s);
		keep = false;
	} else if (keep) {
		watch(st, s);
		wake_thread(st); /* it has to look at the clock now */
	} else if (s) {
		bury(st, s);
	}
	pthread_mutex_unlock(&st->lock);
	return keep;
}
