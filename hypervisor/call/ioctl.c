/* SPDX-License-Identifier: Apache-2.0 */
/* PV_IOCTL: an allow-list. No request in it has a pointer inside its argument. */
#include <asm/termbits.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "call/file.h"
#include "call/server_impl.h"

#define IN 1u
#define OUT 2u
#define BYVALUE 4u /* the argument itself is an integer, 8 bytes in the buffer */
#define BLOCKS 8u

#define TTY KIND(STREAM)
#define SOCK (KIND(SOCKET) | KIND(NETLINK))
#define DATA (KIND(FILE) | KIND(MEMFD) | KIND(STREAM) | KIND(SOCKET) | KIND(INOTIFY))
#define BLOCK KIND(BLOCKDEV) /* only what tells of it */
#define FS (KIND(FILE) | KIND(DIR))

static const struct ioctl_rule {
	u32 request;
	u32 size;
	u32 dir;
	u32 kinds;
} rules[] = {
	{ TCGETS, sizeof(struct termios), OUT, TTY },
	{ TCSETS, sizeof(struct termios), IN, TTY },
	{ TCSETSW, sizeof(struct termios), IN | BLOCKS, TTY },
	{ TCSETSF, sizeof(struct termios), IN | BLOCKS, TTY },
	{ TCGETS2, sizeof(struct termios2), OUT, TTY },
	{ TCSETS2, sizeof(struct termios2), IN, TTY },
	{ TCSETSW2, sizeof(struct termios2), IN | BLOCKS, TTY },
	{ TCSETSF2, sizeof(struct termios2), IN | BLOCKS, TTY },
	{ TCFLSH, 8, IN | BYVALUE, TTY },
	{ TCXONC, 8, IN | BYVALUE, TTY },
	{ TCSBRK, 8, IN | BYVALUE | BLOCKS, TTY },
	{ TCSBRKP, 8, IN | BYVALUE | BLOCKS, TTY },
	{ TIOCGWINSZ, sizeof(struct winsize), OUT, TTY },
	{ TIOCSWINSZ, sizeof(struct winsize), IN, TTY },
	{ FIONREAD, sizeof(int), OUT, DATA },
	{ TIOCOUTQ, sizeof(int), OUT, DATA },
	{ SIOCATMARK, sizeof(int), OUT, SOCK },
	{ SIOCGSTAMP_OLD, sizeof(struct timeval), OUT, SOCK },
	{ SIOCGSTAMPNS_OLD, sizeof(struct timespec), OUT, SOCK },
	{ (u32)SIOCGSTAMP_NEW, 16, OUT, SOCK },
	{ (u32)SIOCGSTAMPNS_NEW, 16, OUT, SOCK },
	{ SIOCGIFNAME, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFINDEX, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFFLAGS, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFADDR, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFDSTADDR, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFBRDADDR, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFNETMASK, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFMETRIC, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFMTU, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFHWADDR, sizeof(struct ifreq), IN | OUT, SOCK },
	{ SIOCGIFTXQLEN, sizeof(struct ifreq), IN | OUT, SOCK },
	{ FS_IOC_GETFLAGS, sizeof(int), OUT, FS },
	{ FS_IOC_FSGETXATTR, sizeof(struct fsxattr), OUT, FS },
	{ FIGETBSZ, sizeof(int), OUT, FS },
	{ BLKGETSIZE64, sizeof(u64), OUT, BLOCK },
	{ BLKGETSIZE, sizeof(u64), OUT, BLOCK },
	{ BLKSSZGET, sizeof(int), OUT, BLOCK },
	{ BLKPBSZGET, sizeof(int), OUT, BLOCK },
	{ BLKBSZGET, sizeof(int), OUT, BLOCK },
	{ BLKROGET, sizeof(int), OUT, BLOCK },
	{ BLKRAGET, sizeof(u64), OUT, BLOCK },
	{ BLKIOMIN, sizeof(int), OUT, BLOCK },
	{ BLKIOOPT, sizeof(int), OUT, BLOCK },
	{ BLKALIGNOFF, sizeof(int), OUT, BLOCK },
	{ BLKROTATIONAL, sizeof(u16), OUT, BLOCK },
	{ BLKDISCARDZEROES, sizeof(int), OUT, BLOCK },
};

static const struct ioctl_rule *find(u32 request, u32 kind)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].request == request && (rules[i].kinds & (1u << kind)))
			return &rules[i];
	}
	return NULL;
}

int ioctl_decode(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	const struct ioctl_rule *rule;
	int ret = decode_handle(c, "id", r->id, KINDS_ANY, &c->h);

	if (ret == 0)
		ret = decode_cred(c, r->cred);
	if (ret == 0)
		ret = decode_len(c, "len", r->len);
	if (ret < 0)
		return ret;
	if (r->flags == SIOCGIFCONF)
		return (1u << c->h->kind) & SOCK ? 0 : -ENOTTY;
	rule = find(r->flags, c->h->kind);
	if (!rule)
		return -ENOTTY;
	if (r->len < rule->size)
		return violation(c, "len", "ioctl argument too short");
	c->blocks = rule->dir & BLOCKS;
	return 0;
}

/* struct ifconf holds a pointer: the buffer is its array, len its room. ret = bytes used. */
static int ifconf(struct call *c)
{
	struct ifreq list[256];
	struct ifconf conf = { .ifc_len = sizeof(list), .ifc_req = list };

	if (c->req.u.handle.len < sizeof(list))
		conf.ifc_len = (int)c->req.u.handle.len;
	if (ioctl(c->h->fd, SIOCGIFCONF, &conf) < 0)
		return -errno;
	/* cppcheck-suppress uninitvar ; the host fills it */
	memcpy(c->buf, list, conf.ifc_len);
	return conf.ifc_len;
}

int ioctl_perform(struct call *c)
{
	const struct ioctl_rule *rule = find(c->req.u.handle.flags, c->h->kind);
	u8 arg[64] = { 0 };
	u64 value;
	int ret;

	_Static_assert(sizeof(struct ifreq) <= sizeof(arg), "room for every argument");
	if (!rule)
		return ifconf(c);
	if (rule->dir & IN)
		fetch(arg, c->buf, rule->size);
	memcpy(&value, arg, sizeof(value));
	if (rule->dir & BYVALUE)
		ret = ioctl(c->h->fd, rule->request, value);
	else
		ret = ioctl(c->h->fd, rule->request, arg);
	if (ret < 0)
		return -errno;
	if (rule->dir & OUT)
		memcpy(c->buf, arg, rule->size);
	return ret;
}
