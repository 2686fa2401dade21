// SPDX-License-Identifier: Apache-2.0
/* What the arguments of a traced call point to. */
#include "capture.h"

#include <asm/stat.h>
#include <linux/poll.h>
#include <linux/uio.h>

#include "kernel.h"
#include "trace_calls.h"

#define PATH_BYTES 512u /* of a path that are shown */
#define ARGV_WORDS 32
#define IOV_PARTS 16
#define ADDR_BYTES 110u
#define POLLFD_PARTS 8

struct capture {
	struct trace_record *rec;
	u32 strings;
};

/* Room for up to `want` bytes of argument arg, and how many there are; NULL: the record is full. */
static u8 *begin_item(struct capture *c, int arg, u32 want, u32 *room)
{
	struct trace_item item = {.arg = (u8)arg};
	u32 used = c->rec->size + (u32)sizeof(item);
	u8 *at = (u8 *)c->rec + c->rec->size;

	if (used + 8 > TRACE_RECORD_MAX)
		return NULL;
	*room = min(want, TRACE_RECORD_MAX - 8 - used);
	memcpy(at, &item, sizeof(item));
	return at + sizeof(item);
}

static void end_item(struct capture *c, u32 len, bool cut)
{
	u8 *at = (u8 *)c->rec + c->rec->size;
	struct trace_item item;

	memcpy(&item, at, sizeof(item));
	item.len = (u16)len;
	item.flags = cut ? TRACE_CUT : 0;
	memcpy(at, &item, sizeof(item));
	c->rec->size += (u32)sizeof(item) + ((len + 3) & ~3u);
}

static void bytes(struct capture *c, int arg, uaddr_t from, u64 len, u32 most)
{
	u32 room;
	u8 *to = begin_item(c, arg, (u32)min(len, (u64)most), &room);

	if (to && !mc_copy_from_user(to, from, room))
		end_item(c, room, room < len);
}

static void string(struct capture *c, int arg, uaddr_t from, u32 most)
{
	u32 room;
	u8 *to = begin_item(c, arg, most, &room);
	s64 n = to ? mc_strncpy_from_user((char *)to, from, room) : -EFAULT;

	if (n >= 0)
		end_item(c, (u32)n, false);
	else if (n == -ENAMETOOLONG)
		end_item(c, room, true);
}

/* The words, each with its NUL. */
static void words(struct capture *c, int arg, uaddr_t argv)
{
	u32 room, used = 0;
	u8 *to = begin_item(c, arg, PATH_BYTES, &room);
	u64 word = 0;
	s64 n = 0;
	int i;

	if (!to)
		return;
	for (i = 0; i < ARGV_WORDS && used < room; i++) {
		if (mc_copy_from_user(&word, argv + (u64)i * 8, 8) || !word)
			break;
		n = mc_strncpy_from_user((char *)to + used, word, room - used);
		if (n < 0)
			break;
		used += (u32)n + 1;
	}
	end_item(c, min(used, room), n < 0 || i == ARGV_WORDS);
}

/* The first bytes of what the parts hold together; no more than `total` of it counts. */
static void gather(struct capture *c, int arg, uaddr_t iov, u64 parts, u64 total)
{
	u32 room, used = 0;
	u8 *to = begin_item(c, arg, (u32)min((u64)c->strings, total), &room);
	u64 all = 0;
	u64 i;

	if (!to)
		return;
	for (i = 0; i < parts && i < IOV_PARTS; i++) {
		struct iovec v;
		u64 n;

		if (mc_copy_from_user(&v, iov + i * sizeof(v), sizeof(v)))
			return;
		n = min((u64)v.iov_len, total - used);
		n = min(n, (u64)(room - used));
		if (n && mc_copy_from_user(to + used, (uaddr_t)v.iov_base, n))
			return;
		used += (u32)n;
		all += v.iov_len;
	}
	end_item(c, used, used < min(all, total));
}

/* struct msghdr, as programs have it. */
struct user_msg {
	u64 name;
	u32 namelen, pad;
	u64 iov, iovlen, control, controllen;
	u32 flags, pad2;
};

static void message(struct capture *c, int arg, uaddr_t from, u64 total)
{
	struct user_msg m;

	if (!mc_copy_from_user(&m, from, sizeof(m)))
		gather(c, arg, m.iov, m.iovlen, total);
}

static void address_out(struct capture *c, int arg, uaddr_t addr, uaddr_t len_at)
{
	u32 len;

	if (addr && !mc_copy_from_user(&len, len_at, sizeof(len)))
		bytes(c, arg, addr, len, ADDR_BYTES);
}

static void before(struct capture *c, u8 kind, int arg)
{
	const u64 *v = &c->rec->args[arg];

	switch (kind) {
	case TRACE_ARG_PATH:
		string(c, arg, v[0], PATH_BYTES);
		break;
	case TRACE_ARG_STR:
		string(c, arg, v[0], c->strings);
		break;
	case TRACE_ARG_ARGV:
		words(c, arg, v[0]);
		break;
	case TRACE_ARG_IN:
		bytes(c, arg, v[0], v[1], c->strings);
		break;
	case TRACE_ARG_ADDR_IN:
		bytes(c, arg, v[0], (u32)v[1], ADDR_BYTES);
		break;
	case TRACE_ARG_IOV_IN:
		gather(c, arg, v[0], v[1], ~0ULL);
		break;
	case TRACE_ARG_MSG_IN:
		message(c, arg, v[0], ~0ULL);
		break;
	case TRACE_ARG_TS:
		bytes(c, arg, v[0], 16, 16);
		break;
	default:
		break;
	}
}

static void after(struct capture *c, u8 kind, int arg)
{
	const u64 *v = &c->rec->args[arg];
	u64 result = (u64)c->rec->result;

	switch (kind) {
	case TRACE_ARG_OUT:
		bytes(c, arg, v[0], result, c->strings);
		break;
	case TRACE_ARG_CSTR:
		string(c, arg, v[0], PATH_BYTES);
		break;
	case TRACE_ARG_ADDR_OUT:
		address_out(c, arg, v[0], v[1]);
		break;
	case TRACE_ARG_IOV_OUT:
		gather(c, arg, v[0], v[1], result);
		break;
	case TRACE_ARG_MSG_OUT:
		message(c, arg, v[0], result);
		break;
	case TRACE_ARG_PAIR:
		bytes(c, arg, v[0], 8, 8);
		break;
	case TRACE_ARG_STAT:
		bytes(c, arg, v[0], sizeof(struct stat), sizeof(struct stat));
		break;
	case TRACE_ARG_STATUS:
		if (v[0] && result)
			bytes(c, arg, v[0], 4, 4);
		break;
	case TRACE_ARG_POLLFDS:
		bytes(c, arg, v[0], min(v[1], (u64)POLLFD_PARTS) * sizeof(struct pollfd),
		      POLLFD_PARTS * sizeof(struct pollfd));
		break;
	default:
		break;
	}
}

/* Which calls have something to copy, and when: most have nothing, at one end at least. */
#define WHEN_KNOWN 1u
#define WHEN_BEFORE 2u
#define WHEN_AFTER 4u

static u8 when_of_kind(u8 kind)
{
	if (kind >= TRACE_ARG_OUT)
		return WHEN_AFTER;
	return kind >= TRACE_ARG_PATH ? WHEN_BEFORE : 0;
}

static u8 when(u16 nr)
{
	static u8 known[COUNTED_CALLS];
	const struct trace_call *call = &trace_calls[nr];
	u8 all = READ_ONCE(known[nr]);

	if (likely(all))
		return all;
	all = WHEN_KNOWN;
	for (int i = 0; i < call->nargs; i++)
		all |= when_of_kind(call->args[i]);
	WRITE_ONCE(known[nr], all);
	return all;
}

void capture_before(struct trace_record *r, u32 strings)
{
	const struct trace_call *call = &trace_calls[r->nr];
	struct capture c = {r, strings};
	int i;

	if (!(when(r->nr) & WHEN_BEFORE))
		return;
	for (i = 0; i < call->nargs; i++)
		before(&c, call->args[i], i);
}

void capture_after(struct trace_record *r, u32 strings)
{
	const struct trace_call *call = &trace_calls[r->nr];
	struct capture c = {r, strings};
	int i;

	if (r->result < 0 || !(when(r->nr) & WHEN_AFTER))
		return;
	for (i = 0; i < call->nargs; i++)
		after(&c, call->args[i], i);
}
