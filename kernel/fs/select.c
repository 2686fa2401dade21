/* SPDX-License-Identifier: Apache-2.0 */
/* poll, ppoll, select, pselect6: arguments, timeouts, signal masks; the wait itself is poll.c's. */
#include <linux/time.h>

#include "poll_impl.h"
#include "syscall.h"
#include "task.h"

#define INLINE_ITEMS 16
#define POLLIN_SET (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define POLLOUT_SET (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)

/* ---- timeouts ---- */

static u64 deadline_in(u64 sec, u64 nsec)
{
	if (!sec && !nsec)
		return 0;
	if (sec > 1ULL << 33) /* 270 years */
		return MC_FOREVER;
	return mc_clock(CLOCK_MONOTONIC) + sec * NSEC_PER_SEC + nsec;
}

long deadline_from_timespec(uaddr_t uts, u64 *deadline)
{
	struct timespec ts;

	*deadline = MC_FOREVER;
	if (!uts)
		return 0;
	if (mc_copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*deadline = deadline_in(ts.tv_sec, ts.tv_nsec);
	return 0;
}

static u64 time_left(u64 deadline)
{
	u64 now = mc_clock(CLOCK_MONOTONIC);

	return deadline > now ? deadline - now : 0;
}

/* As Linux, a failure to write the rest of the time is no error. */
void deadline_to_timespec(uaddr_t uts, u64 deadline)
{
	u64 left = time_left(deadline);
	struct timespec ts = { .tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC };

	if (uts && deadline != MC_FOREVER)
		(void)mc_copy_to_user(uts, &ts, sizeof(ts));
}

/* ---- poll ---- */

static void item_from_pollfd(struct poll_item *item, const struct pollfd *p)
{
	*item = (struct poll_item){ .fd = p->fd };
	if (p->fd < 0)
		return;
	item->events = (u16)p->events;
	item->file = fd_get_io(p->fd);
	if (!item->file)
		item->revents = POLLNVAL;
}

/* items: room for n, p behind them. */
static long poll_with(struct poll_item *items, struct pollfd *p, uaddr_t ufds, int n, u64 deadline)
{
	long ret;

	if (mc_copy_from_user(p, ufds, n * sizeof(*p)))
		return -EFAULT;
	for (int i = 0; i < n; i++)
		item_from_pollfd(&items[i], &p[i]);
	ret = poll_items(items, n, deadline);
	if (ret < 0)
		return ret;
	for (int i = 0; i < n; i++)
		p[i].revents = items[i].revents;
	return mc_copy_to_user(ufds, p, n * sizeof(*p)) ? -EFAULT : ret;
}

static long do_poll(uaddr_t ufds, u32 n, u64 deadline)
{
	struct {
		struct poll_item items[INLINE_ITEMS];
		struct pollfd p[INLINE_ITEMS];
	} small;
	struct poll_item *items;
	long ret;

	if (n <= INLINE_ITEMS)
		return poll_with(small.items, small.p, ufds, n, deadline);
	if (n > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	items = kmalloc(n * (sizeof(*items) + sizeof(struct pollfd)));
	if (!items)
		return -ENOMEM;
	ret = poll_with(items, (struct pollfd *)(items + n), ufds, n, deadline);
	kfree(items);
	return ret;
}

static long poll_restart(struct restart *r)
{
	long ret = do_poll(r->arg[0], r->arg[1], r->arg[2]);

	return ret == -EINTR ? -ERESTART_RESTARTBLOCK : ret;
}

long sys_poll(u64 ufds, u64 n, u64 timeout_ms)
{
	int ms = (int)timeout_ms;
	u64 deadline = ms < 0 ? MC_FOREVER : deadline_in(ms / 1000, ms % 1000 * NSEC_PER_MSEC);
	long ret = do_poll(ufds, n, deadline);

	if (ret != -EINTR)
		return ret;
	current->restart.fn = poll_restart;
	current->restart.arg[0] = ufds;
	current->restart.arg[1] = n;
	current->restart.arg[2] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long sys_ppoll(u64 ufds, u64 n, u64 uts, u64 sigmask, u64 sigsetsize)
{
	u64 deadline;
	long ret = deadline_from_timespec(uts, &deadline);

	if (ret)
		return ret;
	ret = set_user_sigmask(sigmask, sigsetsize);
	if (ret)
		return ret;
	ret = do_poll(ufds, n, deadline);
	restore_user_sigmask(ret == -EINTR);
	deadline_to_timespec(uts, deadline);
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}

/* ---- select ---- */

enum { SET_IN, SET_OUT, SET_EX, SETS };
static const u32 set_events[SETS] = { POLLIN_SET, POLLOUT_SET, POLLPRI };

struct select_call {
	int n;
	size_t bytes; /* of each bitmap */
	u64 *set[SETS]; /* in one allocation; NULL: not given */
	uaddr_t user[SETS];
	u64 *memory;
};

static long sets_from_user(struct select_call *sc)
{
	sc->bytes = (sc->n + 63) / 64 * sizeof(u64);
	sc->memory = kmalloc(SETS * sc->bytes + 1);
	if (!sc->memory)
		return -ENOMEM;
	for (int s = 0; s < SETS; s++) {
		if (!sc->user[s])
			continue;
		sc->set[s] = sc->memory + s * (sc->bytes / sizeof(u64));
		if (mc_copy_from_user(sc->set[s], sc->user[s], sc->bytes))
			return -EFAULT;
	}
	return 0;
}

static u32 wanted(const struct select_call *sc, int fd)
{
	u32 events = 0;

	for (int s = 0; s < SETS; s++)
		if (sc->set[s] && (sc->set[s][fd / 64] >> (fd % 64) & 1))
			events |= set_events[s];
	return events;
}

static u64 word_wanted(const struct select_call *sc, int word)
{
	u64 all = 0;

	for (int s = 0; s < SETS; s++)
		if (sc->set[s])
			all |= sc->set[s][word];
	return all;
}

static int count_wanted(const struct select_call *sc)
{
	int count = 0;

	for (int fd = 0; fd < sc->n; fd++) {
		if (!word_wanted(sc, fd / 64))
			fd |= 63;
		else
			count += wanted(sc, fd) != 0;
	}
	return count;
}

/* The items of the sets; -EBADF: one is not open. */
static long make_items(const struct select_call *sc, struct poll_item *items)
{
	int k = 0;

	for (int fd = 0; fd < sc->n; fd++) {
		u32 events;

		if (!word_wanted(sc, fd / 64)) {
			fd |= 63;
			continue;
		}
		events = wanted(sc, fd);
		if (!events)
			continue;
		items[k] = (struct poll_item){ .fd = fd, .events = events, .file = fd_get_io(fd) };
		if (!items[k++].file) {
			while (k--)
				file_put(items[k].file);
			return -EBADF;
		}
	}
	return 0;
}

/* The bits that are ready replace the bits asked for. Their number. */
static long set_results(struct select_call *sc, const struct poll_item *items, int n)
{
	long bits = 0;
	u32 asked;

	for (int i = 0; i < n; i++) {
		for (int s = 0; s < SETS; s++) {
			u64 bit = 1ULL << (items[i].fd % 64), *word;

			if (!sc->set[s])
				continue;
			word = &sc->set[s][items[i].fd / 64];
			asked = *word & bit ? set_events[s] : 0;
			*word &= ~bit;
			if (items[i].revents & asked) {
				*word |= bit;
				bits++;
			}
		}
	}
	return bits;
}

static long select_sets(struct select_call *sc, u64 deadline)
{
	int n = count_wanted(sc);
	struct poll_item *items = kmalloc((n ? n : 1) * sizeof(*items));
	long ret;

	if (!items)
		return -ENOMEM;
	ret = make_items(sc, items);
	if (!ret)
		ret = poll_items(items, n, deadline);
	if (ret >= 0)
		ret = set_results(sc, items, n);
	kfree(items);
	for (int s = 0; s < SETS && ret >= 0; s++)
		if (sc->set[s] && mc_copy_to_user(sc->user[s], sc->set[s], sc->bytes))
			ret = -EFAULT;
	return ret;
}

static long do_select(int n, uaddr_t in, uaddr_t out, uaddr_t ex, u64 deadline)
{
	struct select_call sc = { .n = min(n, 1 << 20), .user = { in, out, ex } };
	long ret;

	if (n < 0)
		return -EINVAL;
	ret = sets_from_user(&sc);
	if (!ret)
		ret = select_sets(&sc, deadline);
	kfree(sc.memory);
	return ret;
}

long sys_select(u64 n, u64 in, u64 out, u64 ex, u64 utv)
{
	struct timeval tv;
	u64 deadline = MC_FOREVER, left;
	long ret;

	if (utv) {
		if (mc_copy_from_user(&tv, utv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		deadline =
			deadline_in(tv.tv_sec + tv.tv_usec / 1000000, tv.tv_usec % 1000000 * 1000);
	}
	ret = do_select((int)n, in, out, ex, deadline);
	if (utv && deadline != MC_FOREVER) {
		left = time_left(deadline);
		tv = (struct timeval){ left / NSEC_PER_SEC, left % NSEC_PER_SEC / 1000 };
		(void)mc_copy_to_user(utv, &tv, sizeof(tv));
	}
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}

long sys_pselect6(u64 n, u64 in, u64 out, u64 ex, u64 uts, u64 usig)
{
	struct {
		u64 mask, size;
	} sig = { 0, 0 };
	u64 deadline;
	long ret;

	if (usig && mc_copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	ret = deadline_from_timespec(uts, &deadline);
	if (ret)
		return ret;
	ret = set_user_sigmask(sig.mask, sig.size);
	if (ret)
		return ret;
	ret = do_select((int)n, in, out, ex, deadline);
	restore_user_sigmask(ret == -EINTR);
	deadline_to_timespec(uts, deadline);
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}
