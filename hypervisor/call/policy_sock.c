/* SPDX-License-Identifier: Apache-2.0 */
#include "call/policy_sock.h"

#include <errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "call/policy_names.h"
#include "call/program.h"
#include "call/server_impl.h"

#define DNS_PORT 53

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

static void tell(struct call *c, const struct policy_event *event)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	if (cfg->policy_event)
		cfg->policy_event(cfg->ctx, event);
}

/* A policy has said no: what comes of it. */
static int denied(struct call *c, struct policy_event *event)
{
	event->denied = event->policy->mode == POLICY_ENFORCE;
	tell(c, event);
	return event->denied ? -event->policy->refuse : 0;
}

static const struct policy_program *program_of(const struct call *c)
{
	return c->program ? &c->program->is : NULL;
}

static u64 seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec;
}

/* All policies have to agree; each that does not has its say in the log. */
static int decide(struct call *c, struct policy_query *query, u32 pid)
{
	const struct policies *all = c->srv->cfg.policies;
	int ret = 0;

	query->program = program_of(c);
	query->names = c->srv->names;
	query->now = c->srv->names ? seconds() : 0;
	for (size_t i = 0; i < all->n; i++) {
		struct policy_verdict verdict = policy_decide(all->v[i], query);
		struct policy_event event = {
			.policy = all->v[i], .rule = verdict.rule, .query = *query, .pid = pid
		};
		int no = verdict.allow ? 0 : denied(c, &event);

		ret = ret ? ret : no;
	}
	return ret;
}

static bool in_force(const struct call *c)
{
	return c->srv->cfg.policies && c->srv->cfg.policies->n;
}

static enum policy_protocol protocol_of(int type, int protocol)
{
	if (type == SOCK_STREAM)
		return POLICY_TCP;
	if (type == SOCK_RAW)
		return POLICY_RAW;
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? POLICY_ICMP : POLICY_UDP;
}

/* As the host knows it: nothing of this is the guest's word. */
static int protocol_of_handle(const struct pv_handle *h, enum policy_protocol *out)
{
	int type = 0, protocol = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(h->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(h->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0)
		return -errno;
	*out = protocol_of(type, protocol);
	return 0;
}

int policy_check_socket(struct call *c, u32 type, u32 protocol, u32 pid)
{
	const struct policies *all = c->srv->cfg.policies;
	int ret = 0;

	if (!in_force(c) || type != SOCK_RAW)
		return 0;
	for (size_t i = 0; i < all->n; i++) {
		struct policy_event event = { .policy = all->v[i],
					      .query = { POLICY_CONNECT, POLICY_RAW, .program = program_of(c) },
					      .no_address = true,
					      .pid = pid };
		/* IPPROTO_RAW: the header, and with it the true destination, is the guest's. */
		bool may = protocol != IPPROTO_RAW && policy_conceivable(all->v[i], POLICY_CONNECT, POLICY_RAW);
		int no = may ? 0 : denied(c, &event);

		ret = ret ? ret : no;
	}
	return ret;
}

/* ---- who a UDP server may answer ---- */

#define PEERS 64

struct policy_peers {
	pthread_mutex_t lock;
	u32 next;
	struct {
		struct policy_address address;
		u16 port; /* 0: not in use */
	} v[PEERS];
};

/* The socket has a port that a rule lets it have. */
static void serve_peers(struct pv_handle *h)
{
	struct policy_peers *peers = calloc(1, sizeof(*peers)), *none = NULL;

	if (!peers)
		return;
	pthread_mutex_init(&peers->lock, NULL);
	if (!__atomic_compare_exchange_n(&h->peers, &none, peers, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		free(peers);
}

static bool peer_known(struct pv_handle *h, const struct policy_address *address, u16 port)
{
	struct policy_peers *peers = __atomic_load_n(&h->peers, __ATOMIC_ACQUIRE);
	bool known = false;

	if (!peers || !port)
		return false;
	pthread_mutex_lock(&peers->lock);
	for (u32 i = 0; i < PEERS && !known; i++)
		known = peers->v[i].port == port &&
			!memcmp(&peers->v[i].address, address, sizeof(*address));
	pthread_mutex_unlock(&peers->lock);
	return known;
}

static void note_peer(struct pv_handle *h, const struct policy_address *address, u16 port)
{
	struct policy_peers *peers = __atomic_load_n(&h->peers, __ATOMIC_ACQUIRE);

	if (!peers || peer_known(h, address, port))
		return;
	pthread_mutex_lock(&peers->lock);
	peers->v[peers->next % PEERS].address = *address;
	peers->v[peers->next++ % PEERS].port = port;
	pthread_mutex_unlock(&peers->lock);
}

bool policy_sees_datagrams(const struct call *c)
{
	return c->srv->names || __atomic_load_n(&c->h->peers, __ATOMIC_ACQUIRE);
}

void policy_see_datagram(struct call *c, const void *from, u32 from_len, const u8 *data, size_t len)
{
	enum policy_protocol protocol = POLICY_TCP;
	struct policy_address address;
	u16 port;

	if (policy_address_of(from, from_len, &address, &port) < 0 || protocol_of_handle(c->h, &protocol) < 0 ||
	    protocol != POLICY_UDP)
		return;
	note_peer(c->h, &address, port);
	if (c->srv->names && port == DNS_PORT)
		policy_names_see(c->srv->names, c->srv->cfg.policies, &address, data, len, seconds());
}

/* ---- what is asked for ---- */

/* The host takes :: for loopback, and 0.0.0.0 for it or for the address that the socket is bound to. */
static void name_loopback(u8 *addr, struct policy_address *address)
{
	struct sockaddr_in6 *in6 = (void *)addr;
	struct sockaddr_in *in = (void *)addr;
	static const u8 zero[16];

	if (policy_is_v4(address) && !memcmp(address->b + 12, zero, 4)) {
		u8 *to = in->sin_family == AF_INET ? (u8 *)&in->sin_addr : in6->sin6_addr.s6_addr + 12;

		memcpy(to, (const u8[4]){ 127, 0, 0, 1 }, 4);
		memcpy(address->b + 12, to, 4);
	} else if (!memcmp(address->b, zero, sizeof(zero))) {
		in6->sin6_addr.s6_addr[15] = 1;
		address->b[15] = 1;
	}
}

int policy_check_destination(struct call *c, u8 *addr, u32 len, u32 pid)
{
	struct policy_query query = { .operation = POLICY_CONNECT };
	const struct sockaddr *sa = (const void *)addr;
	int ret;

	if (!in_force(c) || c->h->kind != HANDLE_SOCKET)
		return 0;
	/* It only dissolves a connection; of a datagram the host would take it for an address. */
	if (sa->sa_family == AF_UNSPEC)
		return c->req.cmd == PV_CONNECT ? 0 : -EAFNOSUPPORT;
	ret = policy_address_of(addr, len, &query.address, &query.port);
	if (!ret)
		ret = protocol_of_handle(c->h, &query.protocol);
	if (ret < 0)
		return ret;
	name_loopback(addr, &query.address);
	if (query.protocol != POLICY_TCP && query.protocol != POLICY_UDP)
		query.port = 0;
	if (c->req.cmd == PV_SENDTO && peer_known(c->h, &query.address, query.port))
		return 0;
	return decide(c, &query, pid);
}

int policy_check_bind(struct call *c, const u8 *addr, u32 len, u32 pid)
{
	struct policy_query query = { .operation = POLICY_LISTEN };
	int ret;

	if (!in_force(c) || c->h->kind != HANDLE_SOCKET)
		return 0;
	ret = policy_address_of(addr, len, &query.address, &query.port);
	if (!ret)
		ret = protocol_of_handle(c->h, &query.protocol);
	if (ret < 0)
		return ret;
	/*
	 * A port that the host chooses: UDP sockets that send have one anyhow, those of TCP are seen again when
	 * they listen. Protocols without ports receive by being there.
	 */
	if (!query.port || (query.protocol != POLICY_TCP && query.protocol != POLICY_UDP))
		return 0;
	ret = decide(c, &query, pid);
	if (!ret && query.protocol == POLICY_UDP)
		serve_peers(c->h);
	return ret;
}

int policy_check_listen(struct call *c, u32 pid)
{
	struct policy_query query = { .operation = POLICY_LISTEN };
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int ret;

	if (!in_force(c) || c->h->kind != HANDLE_SOCKET)
		return 0;
	if (getsockname(c->h->fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	ret = policy_address_of(&addr, len, &query.address, &query.port);
	if (!ret)
		ret = protocol_of_handle(c->h, &query.protocol);
	return ret < 0 ? ret : decide(c, &query, pid);
}

int policy_check_unix(struct call *c, enum policy_operation operation, const char *path, u32 pid)
{
	struct policy_query query = { .operation = operation, .protocol = POLICY_UNIX, .path = path };

	return in_force(c) ? decide(c, &query, pid) : 0;
}

/* sock_opt.c lets most of these pass nowhere: here is the list of those that never may under a policy. */
int policy_check_option(struct call *c, u32 level, u32 name)
{
	static const struct {
		u32 level, name;
	} leading_astray[] = {
		{ IPPROTO_IP, IP_HDRINCL },	{ IPPROTO_IP, IP_OPTIONS },
		{ IPPROTO_IPV6, IPV6_HDRINCL }, { IPPROTO_IPV6, IPV6_RTHDR },
		{ IPPROTO_IPV6, IPV6_2292RTHDR }, { IPPROTO_IPV6, IPV6_2292PKTOPTIONS },
		{ IPPROTO_IPV6, IPV6_FLOWLABEL_MGR }, { IPPROTO_IPV6, IPV6_FLOWINFO_SEND },
	};

	for (size_t i = 0; in_force(c) && i < sizeof(leading_astray) / sizeof(leading_astray[0]); i++)
		if (leading_astray[i].level == level && leading_astray[i].name == name)
			return -EPERM;
	return 0;
}
