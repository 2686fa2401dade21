/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PV call server, from a request in the ring to its answer. An input is a sequence of requests, each of them
 * two bytes of length (little endian), a struct pv_request, and as many bytes for the slot's buffer. Nothing
 * but answers and the end of the VM may come of it. Needs root: it becomes a container of its own.
 *
 * One of odd length has stream sockets with data rings. A request FUZZ_RING stands for what a guest does to the
 * ring `req_id`: the bytes go over its first page, and its bell is rung.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../unit/hypervisor/fake_guest.h"
#include "fuzz.h"

#define REQUESTS_MAX 24
#define FILE_MAX (4u << 20) /* bytes of a file or a memory object: fallocate takes what it is given */
#define PATIENCE_MS 2000
#define FUZZ_RING 0x474e4952u

/* The handles that requests can count on: 8 is the first that is free. */
enum { H_FILE = 1, H_DIR, H_TCP, H_NETLINK, H_MEMFD, H_INOTIFY, H_UDP };

/* No process: the only one that there is is the fuzzer itself. */
static pid_t no_process(void *ctx, u32 pid)
{
	return 0;
}

static void take_donations(struct guest *g)
{
	struct pv_donation what;
	int fd;

	while ((fd = guest_take(g, &what)) >= 0)
		close(fd);
}

static void make_socket(struct guest *g, u64 id, u32 domain, u32 type, u32 protocol)
{
	struct pv_request r = { .cmd = PV_SOCKET };

	r.u.socket = (struct pv_req_xen_socket){ .id = id, .domain = domain, .type = type, .protocol = protocol };
	guest_call(g, 0, &r);
}

static void make_handles(struct guest *g)
{
	struct pv_cred cred = { .fsuid = 1000, .fsgid = 1000 };
	s32 ret;

	close(open_file(g, H_FILE, "/tmp/file", 0102 /* O_RDWR | O_CREAT */, 0600, &ret));
	open_file(g, H_DIR, "/", 0200000 /* O_DIRECTORY */, 0, &ret);
	make_socket(g, H_TCP, 2, 1, 0);
	make_socket(g, H_NETLINK, 16, 3, 0);
	handle_call(g, PV_MEMFD, (struct pv_req_handle){ .id = H_MEMFD, .len = 4096 });
	handle_call(g, PV_INOTIFY, (struct pv_req_handle){ .id = H_INOTIFY });
	make_socket(g, H_UDP, 10, 2, 0);
	memcpy(guest_buf(g, 0), &cred, sizeof(cred));
	ctl_call(g, PV_CRED_NEW, (struct pv_req_ctl){ .arg = 1 });
	take_donations(g);
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Some calls sleep in the host, as they should; whoever waits for nothing at all is left behind. */
static bool answered(struct guest *g, u32 slot)
{
	u64 until = now_ms() + PATIENCE_MS;

	while (!__atomic_load_n(&g->ended, __ATOMIC_SEQ_CST)) {
		if (slot < RING_SLOTS && __atomic_load_n(&g->hdr->state[slot], __ATOMIC_ACQUIRE) == SLOT_DONE)
			return true;
		if (now_ms() > until)
			return false;
		sched_yield();
	}
	return false;
}

static void touch_ring(struct guest *g, u32 ref, const u8 *data, size_t len)
{
	struct ring_header *h = g->hdr;

	ref %= DATA_RINGS;
	memcpy(g->ring + DATA_RINGS_OFF + (size_t)ref * DATA_RING_STRIDE, data,
	       len < sizeof(struct data_ring) ? len : sizeof(struct data_ring));
	__atomic_fetch_or(&h->host_work[ref / 32], 1u << (ref % 32), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&h->host_bells, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&h->sleeping, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &h->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* One request off the input; false: that was all, or the VM has ended. */
static bool issue(struct guest *g, const u8 **data, size_t *left)
{
	struct pv_request r;
	size_t len;
	u32 slot;

	if (*left < 2 + sizeof(r))
		return false;
	len = (*data)[0] | (size_t)(*data)[1] << 8;
	memcpy(&r, *data + 2, sizeof(r));
	*data += 2 + sizeof(r);
	*left -= 2 + sizeof(r);
	len = len < *left ? len : *left;
	slot = r.req_id;
	if (r.cmd == FUZZ_RING)
		touch_ring(g, slot, *data, len);
	else if (slot < RING_SLOTS)
		memcpy(guest_buf(g, slot), *data, len);
	*data += len;
	*left -= len;
	if (r.cmd == FUZZ_RING)
		return !g->ended;
	guest_issue(g, slot, &r);
	if (!answered(g, slot))
		return false;
	take_donations(g);
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit files = { FILE_MAX, FILE_MAX };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &files);
	test_host_pid = no_process;
	test_keep = getenv("CALLGATE_FUZZ_KEEP"); /* libFuzzer's files: its own root changes, too */
	return container_setup(NULL);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct guest *g;
	void *state;

	test_data_rings = size & 1;
	guest_setup(&state);
	g = state;
	make_handles(g);
	for (int i = 0; i < REQUESTS_MAX && issue(g, &data, &size); i++)
		;
	if (g->reason[0] && !strstr(g->reason, ": "))
		abort(); /* the VM ended, and nobody says for which field of which request */
	guest_teardown(&state);
	return 0;
}
