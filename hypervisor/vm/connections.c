// SPDX-License-Identifier: Apache-2.0
#include "vm/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vm/policy_log.h"

#define PAGE 1000       /* connections in one answer */
#define QUEUE_MAX 10000 /* events that have not been sent */

int connections_init(struct connection_log *log, const char *container)
{
	*log = (struct connection_log){ .container = container, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	pthread_mutex_init(&log->lock, NULL);
	log->queue = json_array();
	return log->fd < 0 || !log->queue ? -ENOMEM : 0;
}

/* ---- one of them ---- */

static const char *protocol(const struct pv_connection *c, char *room, size_t size)
{
	const char *name = c->domain == AF_UNIX ? "unix" : c->type == SOCK_STREAM ? "tcp" : c->protocol == IPPROTO_UDP ? "udp" :
			   c->protocol == IPPROTO_ICMP || c->protocol == IPPROTO_ICMPV6 ? "icmp" :
			   c->type == SOCK_RAW ? "raw" : "other";

	snprintf(room, size, "%s%s", name, c->domain == AF_INET6 ? "6" : "");
	return room;
}

static const char *state(const struct pv_connection *c)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "established", [TCP_SYN_SENT] = "syn-sent", [TCP_SYN_RECV] = "syn-received",
		[TCP_FIN_WAIT1] = "fin-wait-1",	   [TCP_FIN_WAIT2] = "fin-wait-2", [TCP_TIME_WAIT] = "time-wait",
		[TCP_CLOSE] = "closed",		   [TCP_CLOSE_WAIT] = "close-wait", [TCP_LAST_ACK] = "last-ack",
		[TCP_LISTEN] = "listening",	   [TCP_CLOSING] = "closing",
	};

	if (c->domain == AF_UNIX && c->state != TCP_LISTEN)
		return c->state == TCP_ESTABLISHED ? "connected" : "unconnected";
	if (c->domain != AF_UNIX && c->type != SOCK_STREAM)
		return c->remote.ss_family ? "connected" : "unconnected";
	return c->state > 0 && (size_t)c->state < sizeof(names) / sizeof(names[0]) && names[c->state] ? names[c->state]
												     : "unknown";
}

/* "[::1]:80"; NULL: none */
static json_t *address(const struct sockaddr_storage *s)
{
	const struct sockaddr_in *in = (const void *)s;
	const struct sockaddr_in6 *in6 = (const void *)s;
	char text[INET6_ADDRSTRLEN];

	if (s->ss_family == AF_INET)
		return json_sprintf("%s:%d", inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)), ntohs(in->sin_port));
	if (s->ss_family == AF_INET6)
		return json_sprintf("[%s]:%d", inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)),
				    ntohs(in6->sin6_port));
	return NULL;
}

static json_t *describe(const struct pv_connection *c)
{
	char room[16];
	json_t *o = json_pack("{sssisissss so* so* sf}", "program", c->info->program, "pid", (int)c->info->pid, "uid",
			      (int)c->info->uid, "protocol", protocol(c, room, sizeof(room)), "state", state(c), "local",
			      address(&c->local), "remote", address(&c->remote), "age", (double)(c->age / 1000000) / 1e3);

	if (c->path)
		json_object_set_new(o, c->path_is_local ? "local" : "remote",
				    json_string(c->path) ?: json_string("(not UTF-8)"));
	json_object_set_new(o, "accepted", json_boolean(c->info->accepted));
	if (c->domain != AF_UNIX && c->type == SOCK_STREAM && c->state != TCP_LISTEN) {
		json_object_set_new(o, "received", json_integer((json_int_t)c->received));
		json_object_set_new(o, "sent", json_integer((json_int_t)c->sent));
	}
	return o;
}

/* ---- all of them ---- */

static void add_row(void *rows, const struct pv_connection *c)
{
	json_array_append_new(rows, describe(c));
}

void connections_list(struct connection_log *log, struct control_client *client, json_t *request)
{
	json_int_t from = json_integer_value(json_object_get(request, "from"));
	json_t *rows = json_array();
	u32 next;

	next = pv_server_connections(log->server, from > 0 && from < MAX_HANDLES ? (u32)from : 0, PAGE, add_row, rows);
	control_answer(client, json_pack("{sosI}", "connections", rows, "next", (json_int_t)next));
}

/* ---- events ---- */

/* The event is taken over. */
static void note(struct connection_log *log, const char *type, json_t *data)
{
	uint64_t one = 1;

	pthread_mutex_lock(&log->lock);
	if (log->watched && json_array_size(log->queue) < QUEUE_MAX)
		json_array_append_new(log->queue, json_pack("{ssso}", "type", type, "data", json_incref(data)));
	else
		log->lost += log->watched;
	pthread_mutex_unlock(&log->lock);
	json_decref(data);
	if (write(log->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		abort();
}

void connections_note(struct connection_log *log, enum connection_event what, const struct pv_connection *c)
{
	static const char *const names[] = { "opened", "accepted", "listening", "closed" };
	json_t *data = describe(c);
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_object_set_new(data, "event", json_string(names[what]));
	json_object_set_new(data, "time", json_string(when));
	note(log, "connection", data);
}

void connections_note_policy(struct connection_log *log, const struct policy_event *event)
{
	bool watched;

	pthread_mutex_lock(&log->lock);
	watched = log->watched;
	pthread_mutex_unlock(&log->lock);
	if (watched)
		note(log, "policy", policy_log_json(event, log->container));
}

static void send_all(struct connection_log *log, json_t *message)
{
	for (unsigned int i = 0; i < CONNECTION_WATCHERS; i++)
		if (log->watchers[i])
			control_send(log->watchers[i], json_incref(message));
	json_decref(message);
}

void connections_take(struct connection_log *log)
{
	uint64_t count;
	unsigned int lost;
	json_t *events, *e;
	size_t i;

	if (read(log->fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&log->lock);
	events = log->queue;
	log->queue = json_array();
	lost = log->lost;
	log->lost = 0;
	pthread_mutex_unlock(&log->lock);
	json_array_foreach(events, i, e)
		send_all(log, json_incref(e));
	if (lost)
		send_all(log, json_pack("{sss{si}}", "type", "lost", "data", "events", (int)lost));
	json_decref(events);
}

/* ---- who watches ---- */

static void set_watched(struct connection_log *log)
{
	bool watched = false;

	for (unsigned int i = 0; i < CONNECTION_WATCHERS; i++)
		watched |= log->watchers[i] != NULL;
	pthread_mutex_lock(&log->lock);
	log->watched = watched;
	pthread_mutex_unlock(&log->lock);
	pv_server_watch_connections(log->server, watched);
}

/* A place among the watchers is what a client is known by when it has gone. */
struct place {
	struct connection_log *log;
	unsigned int i;
};

static void hung_up(void *arg)
{
	struct place *place = arg;

	place->log->watchers[place->i] = NULL;
	set_watched(place->log);
	free(place);
}

void connections_watch(struct connection_log *log, struct control_client *client)
{
	struct place *place;
	unsigned int i = 0;

	if (control_engaged(client))
		return;
	while (i < CONNECTION_WATCHERS && log->watchers[i])
		i++;
	place = i < CONNECTION_WATCHERS ? malloc(sizeof(*place)) : NULL;
	if (!place) {
		control_fail(client, EAGAIN, "too many watch the connections of this container");
		return;
	}
	*place = (struct place){ log, i };
	log->watchers[i] = client;
	control_on_hangup(client, hung_up, place);
	set_watched(log);
	control_answer(client, json_pack("{si}", "result", 0));
}
