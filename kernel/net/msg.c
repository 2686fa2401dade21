/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: struct msghdr in and out, control messages. */
#include "msg.h"

#define IOV_MAX 1024
#define MAX_RW_COUNT 0x7ffff000ULL

/* heap: the array if it did not fit `fast`; the caller frees it. */
int iov_import(struct uio *u, struct mc_iovec *fast, int nfast, uaddr_t uiov, u64 n,
	       struct mc_iovec **heap)
{
	struct mc_iovec *iov = fast;

	*heap = NULL;
	if (n > IOV_MAX)
		return -EMSGSIZE;
	if (n > (u64)nfast) {
		iov = *heap = kmalloc(n * sizeof(*iov));
		if (!iov)
			return -ENOMEM;
	}
	if (n && mc_copy_from_user(iov, uiov, n * sizeof(*iov)))
		return -EFAULT;
	u->iov = iov;
	u->n = n;
	u->skip = 0;
	u->resid = 0;
	for (u64 i = 0; i < n; i++) {
		if ((s64)iov[i].len < 0)
			return -EINVAL;
		iov[i].len = min(iov[i].len, (u64)(MAX_RW_COUNT - u->resid));
		u->resid += iov[i].len;
	}
	return 0;
}

void msg_init(struct msg *m, u32 flags, bool nonblock)
{
	/* addr is big and set when it is used */
	memset(&m->u, 0, sizeof(m->u));
	m->flags = flags;
	m->u.nowait = nonblock || (flags & MSG_DONTWAIT);
	m->addr_len = 0;
	m->want_addr = false;
	m->ctl = NULL;
	m->ctl_len = 0;
	m->uctl = 0;
	m->uctl_room = m->uctl_used = 0;
	m->out_flags = 0;
}

void msg_one_buffer(struct msg *m, struct mc_iovec *iov, uaddr_t buf, u64 len)
{
	iov->base = buf;
	iov->len = min(len, MAX_RW_COUNT);
	m->u.iov = iov;
	m->u.n = 1;
	m->u.resid = iov->len;
}

int sockaddr_from_user(void *to, uaddr_t addr, u32 len)
{
	if ((int)len < 0 || len > SOCK_ADDR_MAX)
		return -EINVAL;
	return len && mc_copy_from_user(to, addr, len) ? -EFAULT : 0;
}

/* As much as the caller has room for; *ulen gets the whole length. */
int sockaddr_to_user(uaddr_t to, uaddr_t ulen, const void *addr, u32 len)
{
	u32 room;

	if (mc_copy_from_user(&room, ulen, sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	room = min(room, len);
	if (room && mc_copy_to_user(to, addr, room))
		return -EFAULT;
	return mc_copy_to_user(ulen, &len, sizeof(len));
}

static int import_control(struct msg *m, const struct user_msghdr *h)
{
	if (!h->controllen)
		return 0;
	if (h->controllen > SOCK_CTL_MAX)
		return -ENOBUFS;
	m->ctl = kmalloc(h->controllen);
	if (!m->ctl)
		return -ENOBUFS;
	m->ctl_len = h->controllen;
	return mc_copy_from_user(m->ctl, h->control, h->controllen) ? -EFAULT : 0;
}

int msg_import_send(struct msg *m, struct msg_buffers *b, const struct user_msghdr *h)
{
	u32 namelen = min(h->namelen, (u32)SOCK_ADDR_MAX);
	int err;

	if ((int)h->namelen < 0)
		return -EINVAL;
	if (h->name && namelen) {
		err = sockaddr_from_user(m->addr, h->name, namelen);
		if (err)
			return err;
		m->addr_len = namelen;
	}
	err = iov_import(&m->u, b->fast, MSG_FAST_IOV, h->iov, h->iovlen, &b->heap);
	return err ? err : import_control(m, h);
}

int msg_import_recv(struct msg *m, struct msg_buffers *b, const struct user_msghdr *h)
{
	if ((int)h->namelen < 0)
		return -EINVAL;
	m->want_addr = h->name != 0;
	m->uctl = h->control;
	m->uctl_room = h->control ? h->controllen : 0;
	return iov_import(&m->u, b->fast, MSG_FAST_IOV, h->iov, h->iovlen, &b->heap);
}

/* The results of a receive, to the user's struct msghdr at uhdr. */
int msg_export_recv(struct msg *m, const struct user_msghdr *h, uaddr_t uhdr)
{
	u32 flags = m->out_flags | (m->flags & MSG_CMSG_CLOEXEC);
	int err;

	if (h->name) {
		err = sockaddr_to_user(h->name, uhdr + offsetof(struct user_msghdr, namelen),
				       m->addr, m->addr_len);
		if (err)
			return err;
	}
	if (mc_copy_to_user(uhdr + offsetof(struct user_msghdr, controllen), &m->uctl_used,
			    sizeof(u64)))
		return -EFAULT;
	return mc_copy_to_user(uhdr + offsetof(struct user_msghdr, flags), &flags, sizeof(flags));
}

void msg_free(struct msg *m, struct msg_buffers *b)
{
	kfree(b->heap);
	kfree(m->ctl);
}

/* ---- control messages ---- */

void msg_put_cmsg(struct msg *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr hdr = { .len = sizeof(hdr) + len, .level = level, .type = type };
	u64 left = m->uctl_room - m->uctl_used;
	uaddr_t to = m->uctl + m->uctl_used;

	if (left < sizeof(hdr)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (left < hdr.len) {
		m->out_flags |= MSG_CTRUNC;
		hdr.len = left;
	}
	if (mc_copy_to_user(to, &hdr, sizeof(hdr)) ||
	    mc_copy_to_user(to + sizeof(hdr), data, hdr.len - sizeof(hdr)))
		return;
	m->uctl_used += min(CMSG_ALIGN(hdr.len), left);
}

bool msg_next_cmsg(const struct msg *m, u32 *at, struct cmsghdr *hdr, const u8 **data, u32 *len,
		   int *error)
{
	*error = 0;
	if (*at + sizeof(*hdr) > m->ctl_len)
		return false;
	memcpy(hdr, m->ctl + *at, sizeof(*hdr));
	if (hdr->len < sizeof(*hdr) || hdr->len > m->ctl_len - *at) {
		*error = -EINVAL;
		return false;
	}
	*data = m->ctl + *at + sizeof(*hdr);
	*len = hdr->len - sizeof(*hdr);
	*at += CMSG_ALIGN(hdr->len);
	return true;
}
