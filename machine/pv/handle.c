// SPDX-License-Identifier: Apache-2.0
/*
 * Handles and donated descriptors. Handle h is host descriptor KFD_DONATED + h in every
 * process that has it. A process that lacks it (PRIV->present) fetches it by PV_DONATE.
 * A number is used again after its release; its generation tells old copies from new.
 */
#include <linux/fcntl.h>
#include <linux/socket.h>

#include "hostcall.h"

static struct mutex handle_lock __attribute__((section(".data.hot")));
/* The first ones lie together: what a new process touches of three tables would be three faults. */
static struct handles {
	u64 used, lazy;     /* bit per handle; lazy: its release may wait */
	u32 generation[64]; /* odd: in use */
} *handles;
static u32 first_free __attribute__((section(".data.hot")));
static u32 next_sequence __attribute__((section(".data.hot"))) = 1; /* of the donation channel; futex */
static u32 sequence_waiters __attribute__((section(".data.hot")));

static void tables_init(void)
{
	if (handles)
		return;
	/* The heap is sparse: only what is used is touched. */
	handles = pv_arena_alloc(MAX_HANDLES / 64 * sizeof(*handles));
	BUG_ON(!handles);
}

static u32 find_free(void)
{
	u32 w;

	for (w = first_free / 64; w < MAX_HANDLES / 64; w++) {
		if (w == 0)
			handles[0].used |= 0xffff; /* 0 is the root; 1..15 are given out at boot */
		if (~handles[w].used)
			return w * 64 + (u32)__builtin_ctzll(~handles[w].used);
	}
	return 0;
}

u32 mc_handle_alloc(void)
{
	u32 h;

	guard(&handle_lock);
	tables_init();
	h = find_free();
	if (!h)
		return 0;
	handles[h / 64].used |= 1ULL << (h % 64);
	handles[h / 64].lazy &= ~(1ULL << (h % 64));
	first_free = h;
	handles[h / 64].generation[h % 64]++;
	return h;
}

static void number_free(u32 h)
{
	guard(&handle_lock);
	handles[h / 64].generation[h % 64]++;
	handles[h / 64].used &= ~(1ULL << (h % 64));
	if (h < first_free)
		first_free = h;
}

/* Boot handles were not allocated by mc_handle_alloc: their generation is 0. Count from 1 to tell "have" from "have not". */
static u32 gen_of(u32 h) { return handles ? handles[h / 64].generation[h % 64] + 1 : 1; }

bool pv_handle_present(u32 h) { return h < PRIV->present_end && PRIV->present[h] == gen_of(h); }

static void set_present(u32 h, u32 gen)
{
	PRIV->present[h] = gen;
	if (h >= PRIV->present_end)
		PRIV->present_end = h + 1;
}

/*
 * Releases that may wait: nobody can tell when a file is closed that was opened for reading only, and
 * never locked, while nobody watches files. They go to the hypervisor by the dozen, or before
 * a call that removes a name.
 */
#define LAZY_MAX (1 + PV_RELEASE_MORE)
static u32 lazy[LAZY_MAX] __attribute__((section(".data.hot")));
static u32 nlazy __attribute__((section(".data.hot")));
static bool lazy_off;

static void release_now(const u32 *h, u32 n)
{
	struct pv_slot s;
	u32 i;

	mc_pv_get(&s);
	s.req.cmd = PV_RELEASE;
	s.req.u.release = (struct pv_req_xen_release){ .id = h[0], .count = (u8)(n - 1) };
	memcpy(s.req.u.release.more, h + 1, (n - 1) * sizeof(*h));
	mc_pv_call(&s);
	mc_pv_put(&s);
	mutex_lock(&handle_lock);
	tables_init();
	mutex_unlock(&handle_lock);
	for (i = 0; i < n; i++)
		number_free(h[i]);
}

/* The numbers stay in use until then. Their count; `to` holds LAZY_MAX. */
static u32 take_lazy(u32 *to)
{
	u32 n = nlazy;

	memcpy(to, lazy, n * sizeof(*to));
	nlazy = 0;
	return n;
}

static bool postpone(u32 h)
{
	u32 list[LAZY_MAX], n = 0;

	mutex_lock(&handle_lock);
	if (lazy_off || !handles || !(handles[h / 64].lazy >> (h % 64) & 1)) {
		mutex_unlock(&handle_lock);
		return false;
	}
	lazy[nlazy++] = h;
	if (nlazy == LAZY_MAX)
		n = take_lazy(list);
	mutex_unlock(&handle_lock);
	if (n)
		release_now(list, n);
	return true;
}

static void flush_lazy(void)
{
	u32 list[LAZY_MAX], n;

	if (!READ_ONCE(nlazy))
		return;
	mutex_lock(&handle_lock);
	n = take_lazy(list);
	mutex_unlock(&handle_lock);
	if (n)
		release_now(list, n);
}

static void set_lazy(u32 h, bool on)
{
	u64 bit = 1ULL << (h % 64);

	guard(&handle_lock);
	if (h >= MAX_HANDLES || !handles)
		return;
	if (on)
		handles[h / 64].lazy |= bit;
	else
		handles[h / 64].lazy &= ~bit;
}

void pv_handle_before(const struct pv_request *r)
{
	switch (r->cmd) {
	case PV_FLOCK:
	case PV_LOCK:
		set_lazy(r->u.handle.id, false);
		break;
	case PV_INOTIFY:
		lazy_off = true;
		flush_lazy();
		break;
	case PV_UNLINK:
	case PV_RENAME:
	case PV_STATFS:
		flush_lazy();
		break;
	default:
		break;
	}
}

void pv_handle_opened(const struct pv_request *r)
{
	if ((r->u.path.flags & O_ACCMODE) == O_RDONLY)
		set_lazy((u32)r->u.path.arg, true);
}

void mc_handle_release(u32 h)
{
	if (pv_handle_present(h)) {
		hostcall(close, KFD_DONATED + h);
		PRIV->present[h] = 0;
	}
	if (!postpone(h))
		release_now(&h, 1);
}

struct donation {
	u32 sequence, handle;
};

/* The descriptor; negative: the host process may have no more of them. */
static int receive(struct donation *d)
{
	u64 control[4] = { 0 };
	struct mc_iovec iov = { (u64)d, sizeof(*d) };
	struct {
		void *name;
		u32 namelen, pad;
		struct mc_iovec *iov;
		u64 niov;
		void *control;
		u64 controllen;
		u32 flags, pad2;
	} msg = { .iov = &iov, .niov = 1, .control = control, .controllen = 24 };
	long r;

	do {
		r = hostcall(recvmsg, KFD_CHAN, &msg, 0);
	} while (r == -EINTR);
	/* struct cmsghdr: u64 len, int level, int type, then the descriptor */
	if (r == sizeof(*d) && !msg.controllen)
		return -EMFILE;
	if (r != sizeof(*d) || msg.controllen < 20)
		panic("donation channel: recvmsg %ld, control %llu", r, (unsigned long long)msg.controllen);
	return (int)(u32)control[2];
}

/* Messages come in sequence; take ours when its turn has come. */
void pv_handle_take(u32 h, u32 sequence)
{
	struct donation d;
	u32 now;
	int fd;

	__atomic_fetch_add(&sequence_waiters, 1, __ATOMIC_SEQ_CST);
	while ((now = __atomic_load_n(&next_sequence, __ATOMIC_SEQ_CST)) != sequence)
		mc_lock_wait(&next_sequence, now);
	__atomic_fetch_sub(&sequence_waiters, 1, __ATOMIC_SEQ_CST);
	fd = receive(&d);
	BUG_ON(d.sequence != sequence || d.handle != h || h >= MAX_HANDLES);
	__atomic_store_n(&next_sequence, sequence + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&sequence_waiters, __ATOMIC_SEQ_CST))
		mc_lock_wake(&next_sequence, RING_SLOTS);
	if (fd < 0)
		return;
	if (hostcall(dup3, fd, KFD_DONATED + h, 0) >= 0)
		set_present(h, gen_of(h));
	hostcall(close, fd);
}

/* Not inline: pv_fd() of a handle that is here has nothing to save on the stack. */
static __attribute__((noinline)) int handle_fetch(u32 h)
{
	struct pv_slot s;
	s64 r;

	mc_pv_get(&s);
	s.req.cmd = PV_DONATE;
	s.req.u.handle = (struct pv_req_handle){ .id = h };
	r = mc_pv_call(&s);
	mc_pv_put(&s);
	if (r < 0)
		return (int)r;
	/* Else the host's limit for this process, which an ordinary user may be unable to raise. */
	return pv_handle_present(h) ? (int)(KFD_DONATED + h) : -EMFILE;
}

/* Each process of the host has its own descriptors, and those of its parent at the time of the fork. */
bool mc_handle_here(u32 h) { return pv_handle_present(h); }

void mc_handle_bring(u32 h) { pv_fd(h); }

int pv_fd(u32 h)
{
	if (unlikely(!h || h >= MAX_HANDLES))
		return -EBADF;
	return likely(pv_handle_present(h)) ? (int)(KFD_DONATED + h) : handle_fetch(h);
}

/* ---- exec ---- */

void pv_handle_exec_save(struct pv_thread *t)
{
	t->npresent = PRIV->present_end;
	t->present = NULL;
	if (!t->npresent)
		return;
	t->present = kmalloc(t->npresent * sizeof(u32));
	BUG_ON(!t->present);
	memcpy(t->present, PRIV->present, t->npresent * sizeof(u32));
}

void pv_handle_exec_restore(struct pv_thread *t)
{
	if (t->present)
		memcpy(PRIV->present, t->present, t->npresent * sizeof(u32));
	PRIV->present_end = t->npresent;
	kfree(t->present);
	t->present = NULL;
	pv_handle_sweep();
}

/* Copies of handles that others released since: nobody can use them, but they keep files and ports open. */
void pv_handle_sweep(void)
{
	u32 h;

	for (h = 1; h < PRIV->present_end; h++) {
		if (PRIV->present[h] && PRIV->present[h] != gen_of(h)) {
			hostcall(close, KFD_DONATED + h);
			PRIV->present[h] = 0;
		}
	}
}
