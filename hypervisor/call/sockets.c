/* SPDX-License-Identifier: Apache-2.0 */
#include "call/sockets.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call/server_impl.h"

/* Those of <netinet/tcp.h>, whose struct tcp_info is too old */
#define STATE_ESTABLISHED 1
#define STATE_CLOSE 7
#define STATE_LISTEN 10

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* ---- who ---- */

static void copy_printable(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n && from[i]; i++)
		*to++ = from[i] >= ' ' && from[i] < 127 ? from[i] : '?';
	*to = '\0';
}

void socket_describe(struct call *c, u32 id, u32 pid, bool accepted, size_t who_at)
{
	struct pv_handle *h = handle_get(&c->srv->handles, id);
	struct sock_info *info = NULL;
	struct pv_who who = { 0 };
	size_t len;

	if (h) {
		fetch(&who, c->buf + who_at, sizeof(who));
		if (who.magic != PV_WHO_MAGIC)
			memset(&who, 0, sizeof(who));
		len = strnlen(who.program, sizeof(who.program));
		info = calloc(1, sizeof(*info) + len + 1);
	}
	if (info) {
		info->since = now_ns();
		info->pid = pid;
		info->accepted = accepted;
		info->uid = who.uid;
		copy_printable(info->program, who.program, len);
		__atomic_store_n(&h->info, info, __ATOMIC_RELEASE);
	}
	if (h)
		handle_put(h);
}

/* ---- what ---- */

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	getsockopt(fd, SOL_SOCKET, name, &value, &len);
	return value;
}

/* As states of TCP, where there is one that means the same. */
static void look_at_unix(struct pv_connection *c, const struct pv_handle *h)
{
	c->path = h->unix_path;
	c->path_is_local = h->unix_bound || c->info->accepted;
	c->state = STATE_CLOSE;
	if (option(h->fd, SO_ACCEPTCONN))
		c->state = STATE_LISTEN;
	else if (!h->unix_bound)
		c->state = STATE_ESTABLISHED;
}

static void look_at_tcp(struct pv_connection *c, int fd)
{
	struct tcp_info tcp = { 0 };
	socklen_t len = sizeof(tcp);

	if (c->type != SOCK_STREAM || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len))
		return;
	c->state = tcp.tcpi_state;
	c->received = tcp.tcpi_bytes_received;
	c->sent = tcp.tcpi_bytes_acked;
}

static void look_at(struct pv_connection *c, u32 id, const struct pv_handle *h, const struct sock_info *info)
{
	socklen_t local = sizeof(c->local), remote = sizeof(c->remote);

	memset(c, 0, sizeof(*c));
	c->handle = id;
	c->info = info;
	c->age = now_ns() - info->since;
	c->domain = option(h->fd, SO_DOMAIN);
	c->type = option(h->fd, SO_TYPE);
	c->protocol = option(h->fd, SO_PROTOCOL);
	if (h->unix_path) {
		look_at_unix(c, h);
		return;
	}
	if (getsockname(h->fd, (struct sockaddr *)&c->local, &local))
		c->local.ss_family = 0;
	if (getpeername(h->fd, (struct sockaddr *)&c->remote, &remote))
		c->remote.ss_family = 0;
	look_at_tcp(c, h->fd);
}

static const struct sock_info *info_of(const struct pv_handle *h)
{
	return __atomic_load_n(&h->info, __ATOMIC_ACQUIRE);
}

/* ---- all of them ---- */

static bool is_socket(struct pv_server *srv, u32 id, struct pv_handle **out)
{
	struct pv_handle *h = handle_get(&srv->handles, id);

	if (h && h->kind == HANDLE_SOCKET && info_of(h)) {
		*out = h;
		return true;
	}
	if (h)
		handle_put(h);
	return false;
}

u32 pv_server_connections(struct pv_server *server, u32 from, unsigned int most,
			  void (*fn)(void *arg, const struct pv_connection *c), void *arg)
{
	for (u32 id = from ? from : 1; id < MAX_HANDLES; id++) {
		struct pv_connection c;
		struct pv_handle *h;

		if (id % HANDLE_CHUNK == 0 || id == from || id == 1) {
			id = handles_next_chunk(&server->handles, id);
			if (id >= MAX_HANDLES)
				break;
		}
		if (!is_socket(server, id, &h))
			continue;
		if (!most--) {
			handle_put(h);
			return id;
		}
		look_at(&c, id, h, info_of(h));
		fn(arg, &c);
		handle_put(h);
	}
	return 0;
}

/* ---- events ---- */

void pv_server_watch_connections(struct pv_server *server, bool wanted)
{
	__atomic_store_n(&server->watch_connections, wanted, __ATOMIC_RELAXED);
}

void socket_event(struct call *c, const struct pv_handle *h, enum connection_event what)
{
	const struct pv_server_config *cfg = &c->srv->cfg;
	const struct sock_info *info = info_of(h);
	struct pv_connection now;

	if (!__atomic_load_n(&c->srv->watch_connections, __ATOMIC_RELAXED) || !info || !cfg->connection_event)
		return;
	look_at(&now, 0, h, info);
	if (what != CONNECTION_CLOSED || now.remote.ss_family || now.path || now.state == STATE_LISTEN || now.received || now.sent)
		cfg->connection_event(cfg->ctx, what, &now);
}
