/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's end of the ring, and the numbers of handles. */
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stub_impl.h"

static pthread_mutex_t slot_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slot_free = PTHREAD_COND_INITIALIZER;
static u64 slots_used;

/* Descriptors by handle; 0: not fetched. Number 0 stands for none. */
static pthread_mutex_t handle_lock = PTHREAD_MUTEX_INITIALIZER;
static int fds[MAX_HANDLES];
static bool in_use[MAX_HANDLES];
static u32 next_handle = 16; /* those below are given out at boot */

static pthread_mutex_t donation_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t donation_taken = PTHREAD_COND_INITIALIZER;
static u32 next_donation = 1;

void mc_pv_get(struct pv_slot *s)
{
	pthread_mutex_lock(&slot_lock);
	while (!~slots_used)
		pthread_cond_wait(&slot_free, &slot_lock);
	s->index = (u32)__builtin_ctzll(~slots_used);
	slots_used |= 1ULL << s->index;
	pthread_mutex_unlock(&slot_lock);
	memset(&s->req, 0, sizeof(s->req));
	s->buf = (u8 *)stub_ring + RING_DATA_OFF + (size_t)s->index * RING_BUF_SIZE;
}

void mc_pv_put(struct pv_slot *s)
{
	pthread_mutex_lock(&slot_lock);
	STUB_CHECK(slots_used & 1ULL << s->index);
	slots_used &= ~(1ULL << s->index);
	pthread_cond_signal(&slot_free);
	pthread_mutex_unlock(&slot_lock);
}

static void submit(const struct pv_slot *s)
{
	struct ring_header *r = stub_ring;
	u32 prod, one = 1;

	pthread_mutex_lock(&slot_lock);
	__atomic_store_n(&r->state[s->index], SLOT_SLEEPING, __ATOMIC_RELAXED);
	prod = r->req_prod;
	r->requests[prod % RING_SLOTS] = s->req;
	__atomic_store_n(&r->req_prod, prod + 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&slot_lock);
	if (__atomic_compare_exchange_n(&r->sleeping, &one, 0, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		syscall(SYS_futex, &r->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static u32 new_handle(const struct pv_request *r)
{
	switch (r->cmd) {
	case PV_SOCKET:
		return (u32)r->u.socket.id;
	case PV_ACCEPT:
		return (u32)r->u.accept.id_new;
	case PV_OPEN:
	case PV_UNIX_CONNECT:
	case PV_UNIX_BIND:
		return (u32)r->u.path.arg;
	default:
		return r->u.handle.id;
	}
}

void mc_pv_start(struct pv_slot *s)
{
	mc_of(stub_self()->task)->pv_calls++;
	s->req.req_id = s->index;
	submit(s);
}

bool mc_pv_wait(struct pv_slot *s, const u32 *word, u32 seen)
{
	u32 *state = &stub_ring->state[s->index];

	(void)word;
	(void)seen;
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != SLOT_DONE)
		syscall(SYS_futex, state, FUTEX_WAIT, SLOT_SLEEPING, NULL, NULL, 0);
	return true;
}

s64 mc_pv_finish(struct pv_slot *s)
{
	mc_pv_wait(s, NULL, 0);
	s->rsp = stub_ring->responses[s->index];
	return s->rsp.ret;
}

s64 mc_pv_call(struct pv_slot *s)
{
	mc_pv_start(s);
	mc_pv_finish(s);
	if (s->rsp.donation)
		stub_take_donation(new_handle(&s->req), s->rsp.donation);
	return s->rsp.ret;
}

/* ---- handles ---- */

u32 mc_handle_alloc(void)
{
	u32 found = 0;

	pthread_mutex_lock(&handle_lock);
	for (u32 i = 0; i < MAX_HANDLES && !found; i++) {
		u32 h = next_handle++;

		if (next_handle == MAX_HANDLES)
			next_handle = 16;
		if (!in_use[h])
			found = h;
	}
	if (found)
		in_use[found] = true;
	pthread_mutex_unlock(&handle_lock);
	return found;
}

static s64 handle_call(u32 cmd, u32 handle)
{
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = cmd;
	if (cmd == PV_RELEASE)
		s.req.u.release.id = handle;
	else
		s.req.u.handle.id = handle;
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}

bool mc_handle_here(u32 handle)
{
	return handle;
}

void mc_handle_bring(u32 handle)
{
	(void)handle;
}

void mc_handle_release(u32 handle)
{
	int fd;

	STUB_CHECK(handle && handle < MAX_HANDLES);
	pthread_mutex_lock(&handle_lock);
	STUB_CHECK(in_use[handle] || handle < 16);
	fd = fds[handle];
	fds[handle] = 0;
	pthread_mutex_unlock(&handle_lock);
	if (fd)
		close(fd);
	handle_call(PV_RELEASE, handle);
	pthread_mutex_lock(&handle_lock);
	in_use[handle] = false;
	pthread_mutex_unlock(&handle_lock);
}

struct donation {
	u32 sequence, handle;
};

static int receive(struct donation *d)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {d, sizeof(*d)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int fd;

	STUB_CHECK(recvmsg(stub_channel, &msg, MSG_CMSG_CLOEXEC) == sizeof(*d));
	STUB_CHECK(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* Messages are taken in the order of their numbers, each by the call that it answers. */
void stub_take_donation(u32 handle, u32 sequence)
{
	struct donation d;
	int fd, old;

	pthread_mutex_lock(&donation_lock);
	while (next_donation != sequence)
		pthread_cond_wait(&donation_taken, &donation_lock);
	fd = receive(&d);
	STUB_CHECK(d.sequence == sequence && d.handle == handle);
	next_donation++;
	pthread_cond_broadcast(&donation_taken);
	pthread_mutex_unlock(&donation_lock);
	pthread_mutex_lock(&handle_lock);
	old = fds[handle];
	fds[handle] = fd;
	pthread_mutex_unlock(&handle_lock);
	if (old)
		close(old);
}

int stub_fd(u32 handle)
{
	s64 ret;

	if (!handle || handle >= MAX_HANDLES)
		return -EBADF;
	if (!__atomic_load_n(&fds[handle], __ATOMIC_ACQUIRE)) {
		ret = handle_call(PV_DONATE, handle);
		if (ret < 0)
			return (int)ret;
	}
	return __atomic_load_n(&fds[handle], __ATOMIC_ACQUIRE);
}
