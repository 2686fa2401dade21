/* SPDX-License-Identifier: Apache-2.0 */
/* Data rings: the guest's end is written here by hand, the other end of each connection is a socket of the test's. */
#include "fake_guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE DATA_RING_SIZE
#define PATIENCE_MS 10000

/* ---- the ring ---- */

static struct data_ring *ring_of(struct guest *g, u32 ref)
{
	return (struct data_ring *)(g->ring + DATA_RINGS_OFF + (size_t)ref * DATA_RING_STRIDE);
}

static u8 *bytes(struct data_ring *r, bool out)
{
	return (u8 *)r + 0x1000 + (out ? SIZE : 0);
}

static void bell(struct guest *g, u32 ref)
{
	__atomic_fetch_or(&g->hdr->host_work[ref / 32], 1u << (ref % 32), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&g->hdr->host_bells, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&g->hdr->sleeping, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &g->hdr->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Waits for a word of the ring to have, or not to have, a value. */
static u32 await(const void *word, u32 val, bool same)
{
	u64 until = now_ms() + PATIENCE_MS;
	u32 now;

	while (((now = __atomic_load_n((const u32 *)word, __ATOMIC_ACQUIRE)) == val) != same) {
		assert_true(now_ms() < until);
		poll(NULL, 0, 1);
	}
	return now;
}

static void write_ring(struct guest *g, u32 ref, const u8 *from, u32 len)
{
	struct data_ring *r = ring_of(g, ref);

	assert_true(len <= SIZE - (r->out_prod - r->out_cons));
	for (u32 i = 0; i < len; i++)
		bytes(r, true)[(r->out_prod + i) % SIZE] = from[i];
	__atomic_store_n(&r->out_prod, r->out_prod + len, __ATOMIC_RELEASE);
	bell(g, ref);
}

static void read_ring(struct guest *g, u32 ref, u8 *to, u32 len)
{
	struct data_ring *r = ring_of(g, ref);
	u64 until = now_ms() + PATIENCE_MS;

	while (__atomic_load_n(&r->in_prod, __ATOMIC_ACQUIRE) - r->in_cons < len) {
		assert_true(now_ms() < until);
		poll(NULL, 0, 1);
	}
	for (u32 i = 0; i < len; i++)
		to[i] = bytes(r, false)[(r->in_cons + i) % SIZE];
	__atomic_store_n(&r->in_cons, r->in_cons + len, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&r->in_full, 0, __ATOMIC_SEQ_CST))
		bell(g, ref);
}

/* ---- sockets ---- */

static struct pv_request request(u32 cmd)
{
	return (struct pv_request){ .cmd = cmd };
}

static void new_socket(struct guest *g, u64 id, u32 type)
{
	struct pv_request r = request(PV_SOCKET);

	r.u.socket = (struct pv_req_xen_socket){ .id = id, .domain = AF_INET, .type = type };
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
}

static int host_listener(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

static struct pv_request connect_request(u64 id, const struct sockaddr_in *a, u32 ref)
{
	struct pv_request r = request(PV_CONNECT);

	r.u.connect = (struct pv_req_xen_connect){ .id = id, .len = sizeof(*a), .ref = ref };
	memcpy(r.u.connect.addr, a, sizeof(*a));
	return r;
}

/* Handle 1 with ring 1; the other end. */
static int connected(struct guest *g)
{
	struct sockaddr_in a;
	int server = host_listener(&a), fd;
	struct pv_request r = connect_request(1, &a, 1);
	s32 ret;

	new_socket(g, 1, SOCK_STREAM);
	assert_int_equal(last_response(g).donation, 0);
	ret = guest_call(g, 0, &r).ret;
	assert_true(ret == 0 || ret == -EINPROGRESS);
	await(&ring_of(g, 1)->out_error, 0, true);
	fd = accept(server, NULL, NULL);
	close(server);
	assert_true(fd >= 0);
	return fd;
}

static void shut(struct guest *g, u32 id, u32 how)
{
	assert_int_equal(sock_call(g, PV_SHUTDOWN, (struct pv_req_sock){ .id = id, .name = how }), 0);
}

static void receive(int fd, u8 *to, size_t len)
{
	assert_int_equal(recv(fd, to, len, MSG_WAITALL), len);
}

/* ---- tests ---- */

static void fill(u8 *p, size_t len, u32 seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (u8)(seed = seed * 1103515245 + 12345);
}

static void bytes_both_ways(void **state)
{
	static u8 sent[3 * SIZE], got[3 * SIZE];
	struct guest *g = *state;
	int fd = connected(g);

	assert_int_equal(ring_of(g, 1)->ring_order, DATA_RING_ORDER);
	fill(sent, sizeof(sent), 1);
	/* Odd pieces: they cross the end of the ring at odd places. */
	for (u32 at = 0, n; at < sizeof(sent); at += n) {
		n = sizeof(sent) - at < 20001 ? sizeof(sent) - at : 20001;
		write_ring(g, 1, sent + at, n);
		receive(fd, got + at, n);
		assert_int_equal(await(&ring_of(g, 1)->out_cons, at + n, true), at + n);
	}
	assert_memory_equal(sent, got, sizeof(sent));
	memset(got, 0, sizeof(got));
	for (u32 at = 0, n; at < sizeof(sent); at += n) {
		n = sizeof(sent) - at < 20001 ? sizeof(sent) - at : 20001;
		assert_int_equal(send(fd, sent + at, n, 0), n);
		read_ring(g, 1, got + at, n);
	}
	assert_memory_equal(sent, got, sizeof(sent));
	close(fd);
}

/* More than the ring and the sockets hold: both sides have to wait for each other. */
static void full_rings(void **state)
{
	enum { TOTAL = 16 << 20 };
	static u8 chunk[SIZE], got[SIZE];
	struct guest *g = *state;
	struct data_ring *r;
	int fd = connected(g);
	u32 done = 0;

	r = ring_of(g, 1);
	fill(chunk, sizeof(chunk), 2);
	/* Out, until nothing moves any more; then the peer reads. */
	for (u64 quiet = now_ms(); now_ms() - quiet < 300;) {
		u32 room = SIZE - (r->out_prod - __atomic_load_n(&r->out_cons, __ATOMIC_SEQ_CST));

		__atomic_store_n(&r->out_full, 1, __ATOMIC_SEQ_CST);
		if (!room || done + room > TOTAL)
			continue;
		write_ring(g, 1, chunk, room);
		done += room;
		quiet = now_ms();
	}
	assert_true(r->out_full && done < TOTAL);
	for (u32 left = done, n; left; left -= n) {
		n = left < sizeof(got) ? left : sizeof(got);
		receive(fd, got, n);
	}
	assert_int_equal(await(&r->out_full, 0, true), 0);
	assert_true(__atomic_load_n(&g->hdr->guest_work[0], __ATOMIC_SEQ_CST) & 2);
	/* In: the ring fills, the hypervisor says that it waits, and goes on when there is room. */
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(send(fd, chunk, sizeof(chunk), 0), sizeof(chunk));
	await(&r->in_full, 1, true);
	assert_int_equal(r->in_prod - r->in_cons, SIZE);
	for (u32 i = 0; i < 3; i++) {
		read_ring(g, 1, got, sizeof(got));
		assert_memory_equal(got, chunk, sizeof(got));
	}
	close(fd);
}

static void ends(void **state)
{
	struct guest *g = *state;
	int fd = connected(g);
	struct data_ring *r = ring_of(g, 1);
	u8 got[16];

	send(fd, "last", 4, 0);
	shutdown(fd, SHUT_WR);
	assert_int_equal((s32)await(&r->in_error, 0, false), -ENOTCONN);
	read_ring(g, 1, got, 4);
	assert_memory_equal(got, "last", 4);
	/* The other half is open still, until all that was written before shutdown() is there. */
	write_ring(g, 1, (const u8 *)"reply", 5);
	shut(g, 1, SHUT_WR);
	assert_int_equal(recv(fd, got, 16, MSG_WAITALL), 5);
	assert_int_equal(sock_call(g, PV_SHUTDOWN, (struct pv_req_sock){ .id = 1, .name = SHUT_WR }), -ENOTCONN);
	close(fd);
}

static void resets(void **state)
{
	struct linger l = { 1, 0 };
	struct guest *g = *state;
	int fd = connected(g);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	assert_int_equal((s32)await(&ring_of(g, 1)->in_error, 0, false), -ECONNRESET);
	assert_int_equal((s32)await(&ring_of(g, 1)->out_error, 0, false), -ECONNRESET);
}

static void refused(void **state)
{
	struct guest *g = *state;
	struct sockaddr_in a;
	struct pv_request r;
	int server = host_listener(&a), fd;
	s32 ret;

	close(server);
	new_socket(g, 1, SOCK_STREAM);
	r = connect_request(1, &a, 1);
	ret = guest_call(g, 0, &r).ret;
	if (ret == -EINPROGRESS)
		ret = (s32)await(&ring_of(g, 1)->out_error, (u32)-EINPROGRESS, false);
	assert_int_equal(ret, -ECONNREFUSED);
	/* The socket may try elsewhere, by the same ring. */
	server = host_listener(&a);
	r = connect_request(1, &a, 1);
	ret = guest_call(g, 0, &r).ret;
	assert_true(ret == 0 || ret == -EINPROGRESS);
	await(&ring_of(g, 1)->out_error, 0, true);
	fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	close(server);
}

/* What was written before the socket was released arrives, and the ring is free at once. */
static void release_with_data(void **state)
{
	static u8 sent[SIZE], got[SIZE];
	struct guest *g = *state;
	struct data_ring *r = ring_of(g, 1);
	int fd = connected(g);
	u32 total = 0;

	fill(sent, sizeof(sent), 3);
	for (u64 quiet = now_ms(); now_ms() - quiet < 300;) {
		u32 room = SIZE - (r->out_prod - __atomic_load_n(&r->out_cons, __ATOMIC_SEQ_CST));

		if (room < SIZE)
			continue;
		write_ring(g, 1, sent, SIZE);
		total += SIZE;
		quiet = now_ms();
	}
	release(g, 1);
	memset(bytes(r, true), 0xee, SIZE);
	for (u32 at = 0; at < total; at += SIZE) {
		receive(fd, got, SIZE);
		assert_memory_equal(got, sent, SIZE);
	}
	assert_int_equal(recv(fd, got, 1, 0), 0);
	close(fd);
	close(connected(g)); /* handle and ring again */
}

/* The same when the whole VM ends. */
static void stop_with_data(void **state)
{
	struct guest *g = *state;
	int fd = connected(g);
	u8 got[8];

	write_ring(g, 1, (const u8 *)"farewell", 8);
	guest_teardown(state);
	receive(fd, got, 8);
	assert_memory_equal(got, "farewell", 8);
	assert_int_equal(recv(fd, got, 1, 0), 0);
	close(fd);
	guest_setup(state);
}

static int dial(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	return fd;
}

static s32 accept_one(struct guest *g, u32 id, u32 ref, u32 *val)
{
	struct pv_request r = request(PV_ACCEPT);
	struct pv_response rsp;

	r.u.accept = (struct pv_req_xen_accept){ .id = 1, .id_new = id, .ref = ref };
	rsp = guest_call(g, 0, &r);
	*val = rsp.val;
	return rsp.ret;
}

static struct sockaddr_in guest_listener(struct guest *g)
{
	struct pv_request r = request(PV_BIND);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	new_socket(g, 1, SOCK_STREAM);
	r.u.bind = (struct pv_req_xen_bind){ .id = 1, .len = sizeof(a) };
	memcpy(r.u.bind.addr, &a, sizeof(a));
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
	r = request(PV_LISTEN);
	r.u.listen = (struct pv_req_xen_listen){ .id = 1, .backlog = 5, .ref = 1 };
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
	assert_true(sock_call(g, PV_GETSOCKNAME, (struct pv_req_sock){ .id = 1, .len = 64 }) > 0);
	memcpy(&a, guest_buf(g, 0), sizeof(a));
	return a;
}

static void tells_of_connections(void **state)
{
	struct guest *g = *state;
	struct sockaddr_in a = guest_listener(g);
	struct data_ring *r = ring_of(g, 1);
	u32 val = 0;
	int one, two, three;
	u8 got[4];

	assert_int_equal(r->in_prod, 0);
	one = dial(&a);
	await(&r->in_prod, 1, true);
	two = dial(&a);
	assert_int_equal(accept_one(g, 2, 2, &val), 0);
	assert_int_equal(val, sizeof(a));
	assert_int_equal(accept_one(g, 3, 3, &val), 0);
	assert_int_equal(val, sizeof(a) | PV_ACCEPTED_LAST);
	assert_int_equal(accept_one(g, 4, 4, &val), -EAGAIN);
	__atomic_store_n(&r->in_cons, 1, __ATOMIC_RELEASE);
	bell(g, 1);
	send(two, "ping", 4, 0);
	read_ring(g, 3, got, 4);
	assert_int_equal(r->in_prod, 1);
	three = dial(&a);
	await(&r->in_prod, 2, true);
	close(one);
	close(two);
	close(three);
}

/* ---- what ends the VM ---- */

static void assert_reason(struct guest *g, const char *why)
{
	assert_true(guest_ended(g));
	assert_string_equal(g->reason, why);
}

static void too_much_produced(void **state)
{
	struct guest *g = *state;
	int fd = connected(g);

	__atomic_store_n(&ring_of(g, 1)->out_prod, SIZE + 1, __ATOMIC_RELEASE);
	bell(g, 1);
	assert_reason(g, "data ring 1: out_prod: index out of range");
	close(fd);
}

static void produced_backwards(void **state)
{
	struct guest *g = *state;
	int fd = connected(g);

	__atomic_store_n(&ring_of(g, 1)->out_prod, ~0u, __ATOMIC_RELEASE);
	bell(g, 1);
	assert_reason(g, "data ring 1: out_prod: index out of range");
	close(fd);
}

static void consumed_what_is_not_there(void **state)
{
	struct guest *g = *state;
	int fd = connected(g);

	__atomic_store_n(&ring_of(g, 1)->in_cons, 1, __ATOMIC_RELEASE);
	send(fd, "x", 1, 0); /* in_prod is 0 still, when it looks */
	assert_reason(g, "data ring 1: in_cons: index out of range");
	close(fd);
}

static void accepted_what_is_not_there(void **state)
{
	struct guest *g = *state;

	guest_listener(g);
	__atomic_store_n(&ring_of(g, 1)->in_cons, 7, __ATOMIC_RELEASE);
	bell(g, 1);
	assert_reason(g, "data ring 1: in_cons: index out of range");
}

static void bad_ref(struct guest *g, u32 ref, u32 evtchn, const char *why)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = 1 };
	struct pv_request r = connect_request(2, &a, ref);

	new_socket(g, 2, SOCK_STREAM);
	r.u.connect.evtchn = evtchn;
	guest_issue(g, 0, &r);
	assert_reason(g, why);
}

static void ref_out_of_range(void **state)
{
	bad_ref(*state, DATA_RINGS, 0, "connect.ref: data ring number out of range");
}

static void ref_in_use(void **state)
{
	int fd = connected(*state);

	bad_ref(*state, 1, 0, "connect.ref: a data ring that is in use");
	close(fd);
}

static void event_channel(void **state)
{
	bad_ref(*state, 1, 5, "connect.evtchn: a data ring's bell is its number");
}

/* ---- what is refused ---- */

static void not_for_datagrams(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = 1 };
	struct pv_request r = connect_request(1, &a, 1);
	struct guest *g = *state;

	new_socket(g, 1, SOCK_DGRAM);
	assert_int_equal(guest_call(g, 0, &r).ret, -EOPNOTSUPP);
}

static void never_donated(void **state)
{
	struct guest *g = *state;

	new_socket(g, 1, SOCK_STREAM);
	assert_int_equal(handle_call(g, PV_DONATE, (struct pv_req_handle){ .id = 1 }), -EOPNOTSUPP);
}

static void bells_of_no_ring(void **state)
{
	struct guest *g = *state;

	memset(g->hdr->host_work, 0xff, sizeof(g->hdr->host_work));
	__atomic_fetch_add(&g->hdr->host_bells, 12345, __ATOMIC_SEQ_CST);
	bell(g, 0);
	new_socket(g, 1, SOCK_STREAM);
	assert_false(g->ended);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bytes_both_ways),
		T(full_rings),
		T(ends),
		T(resets),
		T(refused),
		T(release_with_data),
		T(stop_with_data),
		T(tells_of_connections),
		T(too_much_produced),
		T(produced_backwards),
		T(consumed_what_is_not_there),
		T(accepted_what_is_not_there),
		T(ref_out_of_range),
		T(ref_in_use),
		T(event_channel),
		T(not_for_datagrams),
		T(never_donated),
		T(bells_of_no_ring),
	};

	test_data_rings = true;
	return cmocka_run_group_tests(tests, container_setup, NULL);
}
