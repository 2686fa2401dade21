/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_GENERIC: the family that tells of families, and that of taskstats, which on Linux is for CAP_NET_ADMIN of the
 * host's own user namespace, so that containers may not ask it.
 */
#include <linux/genetlink.h>
#include <linux/taskstats.h>

#include "isolated_netlink.h"

static const struct family {
	const char *name;
	u16 id;
	u32 version, attributes;
} families[] = {
	{ "nlctrl", GENL_ID_CTRL, 2, CTRL_ATTR_MAX },
	{ TASKSTATS_GENL_NAME, GENL_MIN_ID + 5, TASKSTATS_GENL_VERSION, TASKSTATS_CMD_ATTR_MAX },
};

static const struct family *family_of(u16 id)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].id == id)
			return &families[i];
	return NULL;
}

/* By its name, which has a NUL in `size` bytes. */
static const struct family *family_named(const u8 *name, u32 size)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		u32 len = (u32)strlen(families[i].name) + 1;

		if (size >= len && !memcmp(name, families[i].name, len))
			return &families[i];
	}
	return NULL;
}

static int tell_family(struct nl_sock *n, const struct nlmsghdr *to, u16 flags, const struct family *f)
{
	struct reply *r = reply_new(n, to, GENL_ID_CTRL, flags);
	const struct genlmsghdr g = { .cmd = CTRL_CMD_NEWFAMILY, .version = 2 };
	const u32 header = 0;

	if (!r)
		return -ENOBUFS;
	reply_put(r, &g, sizeof(g));
	reply_put_attr(r, CTRL_ATTR_FAMILY_NAME, f->name, (u16)(strlen(f->name) + 1));
	reply_put_attr(r, CTRL_ATTR_FAMILY_ID, &f->id, sizeof(f->id));
	reply_put_attr(r, CTRL_ATTR_VERSION, &f->version, sizeof(f->version));
	reply_put_attr(r, CTRL_ATTR_HDRSIZE, &header, sizeof(header));
	reply_put_attr(r, CTRL_ATTR_MAXATTR, &f->attributes, sizeof(f->attributes));
	reply_send(n, r);
	return 0;
}

static int tell_families(struct nl_sock *n, const struct nlmsghdr *to)
{
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		int err = tell_family(n, to, NLM_F_MULTI, &families[i]);

		if (err)
			return err;
	}
	return tell_done(n, to);
}

/* The family that attributes mean. Without a name or number: -EINVAL. */
static const struct family *find_family(const u8 *attrs, u32 len)
{
	const struct family *found = ERR_PTR(-EINVAL);

	while (len >= sizeof(struct nlattr)) {
		struct nlattr a;
		u32 size;
		u16 id;

		memcpy(&a, attrs, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len)
			return ERR_PTR(-EINVAL);
		size = a.nla_len - (u32)sizeof(a);
		if (a.nla_type == CTRL_ATTR_FAMILY_NAME)
			found = family_named(attrs + sizeof(a), size);
		if (a.nla_type == CTRL_ATTR_FAMILY_ID && size >= sizeof(id)) {
			memcpy(&id, attrs + sizeof(a), sizeof(id));
			found = family_of(id);
		}
		if (!found)
			return ERR_PTR(-ENOENT);
		attrs += min((u32)NLA_ALIGN(a.nla_len), len);
		len -= min((u32)NLA_ALIGN(a.nla_len), len);
	}
	return found;
}

/* 0 or the error that is told. */
static int check(const struct nlmsghdr *h, const u8 *body, u32 len)
{
	if (!family_of(h->nlmsg_type))
		return -ENOENT;
	if (len < sizeof(struct genlmsghdr))
		return -EINVAL;
	if (h->nlmsg_type != GENL_ID_CTRL)
		return body[0] == TASKSTATS_CMD_GET ? -EPERM : -EOPNOTSUPP;
	return body[0] == CTRL_CMD_GETFAMILY ? 0 : -EOPNOTSUPP;
}

int netlink_generic(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	const struct family *f;
	int err;

	if (h->nlmsg_type < NLMSG_MIN_TYPE || !(h->nlmsg_flags & NLM_F_REQUEST))
		return 0;
	err = check(h, body, len);
	if (!err && (h->nlmsg_flags & NLM_F_DUMP))
		return tell_families(n, h);
	if (!err) {
		f = find_family(body + sizeof(struct genlmsghdr), len - (u32)sizeof(struct genlmsghdr));
		err = IS_ERR(f) ? PTR_ERR(f) : tell_family(n, h, 0, f);
	}
	return err || (h->nlmsg_flags & NLM_F_ACK) ? tell_error(n, h, err) : 0;
}
