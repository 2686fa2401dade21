/* SPDX-License-Identifier: Apache-2.0 */
/* Objects without a name: memory, watches, inotify instances. */
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/file.h"
#include "call/server_impl.h"

static int new_decode(struct call *c)
{
	int ret = decode_new_handle(c, "id", c->req.u.handle.id);

	return ret < 0 ? ret : decode_cred(c, c->req.u.handle.cred);
}

static int memfd(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	unsigned int flags = r->flags & (MFD_ALLOW_SEALING | MFD_HUGETLB | 0x3fu << MFD_HUGE_SHIFT);
	int fd = memfd_create("guest", flags | MFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	if (r->len && ftruncate(fd, (off_t)r->len) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	/* The guest decides who may open its objects by name; mode and owner do not matter here. */
	return call_install(c, r->id, HANDLE_MEMFD, fd, true);
}

static int watch_decode(struct call *c)
{
	int ret = new_decode(c);

	if (ret < 0 || !c->req.u.handle.id2)
		return ret;
	return decode_handle(c, "id2", c->req.u.handle.id2, KIND(NETLINK), &c->h);
}

/* With a netlink socket in it from the start: this is not donated, and what watches it gives nothing else away. */
static int watch(struct call *c)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC), ret;

	if (fd >= 0 && c->h && epoll_ctl(fd, EPOLL_CTL_ADD, c->h->fd, &readable) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd < 0 ? -errno : call_install(c, c->req.u.handle.id, HANDLE_WATCH, fd, true);
}

static int inotify(struct call *c)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	return fd < 0 ? -errno : call_install(c, c->req.u.handle.id, HANDLE_INOTIFY, fd, true);
}

static int trunc_decode(struct call *c)
{
	int ret = decode_handle(c, "id", c->req.u.handle.id, KINDS_ANY, &c->h);

	return ret < 0 ? ret : decode_cred(c, c->req.u.handle.cred);
}

static int trunc_obj(struct call *c)
{
	return ftruncate(c->h->fd, (off_t)c->req.u.handle.len) < 0 ? -errno : 0;
}

/* As the container's root: what the guest's user may, the guest kernel has checked at its node. */
static int device_decode(struct call *c)
{
	int ret = decode_new_handle(c, "id", c->req.u.handle.id);

	return ret < 0 ? ret : decode_cred(c, 0);
}

static int device(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;
	const struct pv_req_handle *r = &c->req.u.handle;
	struct stat st;
	int fd;

	if (!cfg->open_device || r->off > UINT32_MAX)
		return -ENXIO;
	fd = cfg->open_device(cfg->ctx, (u32)r->off, (int)r->flags);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -EIO;
	}
	return call_install(c, r->id, S_ISBLK(st.st_mode) ? HANDLE_BLOCKDEV : HANDLE_CHARDEV, fd, true);
}

int inotify_rm_decode(struct call *c)
{
	return decode_handle(c, "id", c->req.u.handle.id, KIND(INOTIFY), &c->h);
}

int inotify_rm(struct call *c)
{
	return inotify_rm_watch(c->h->fd, (int)c->req.u.handle.off) < 0 ? -errno : 0;
}

#define O(cmd) [PV_##cmd - PV_MEMFD]
const struct pv_command object_commands[] = {
	O(MEMFD) = { "memfd", new_decode, memfd, 0 },
	O(WATCH) = { "watch", watch_decode, watch, 0 },
	O(INOTIFY) = { "inotify", new_decode, inotify, 0 },
	O(DEVICE) = { "device", device_decode, device, CALL_BLOCKS },
	O(TRUNC_OBJ) = { "trunc_obj", trunc_decode, trunc_obj, 0 },
};
