/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_guest.h: the guest's end of the ring, for tests of the PV call server. The test process
 * becomes a small container: a root file system of its own on tmpfs, with guest-side mounts (markers)
 * on /proc, /dev and /run/guest, and a network namespace with a loopback interface.
 */
#ifndef CALLGATE_TEST_FAKE_GUEST_H
#define CALLGATE_TEST_FAKE_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "call/server.h"
#include "layout.h"
#include "pvcall.h"
#include "ring.h"

struct guest {
	u8 *ring;
	struct ring_header *hdr;
	struct pv_server *srv;
	pthread_mutex_t produce;
	int chan; /* receiving end */
	int chan_out; /* the server's end */
	int ended; /* futex: set by poweroff, panic and protocol errors */
	int wait_status;
	char reason[256]; /* of a protocol error */
	char panic[256];
	char log[256];
	void (*on_log)(struct guest *g); /* runs on the server thread */
	u32 done_event, exited_event; /* of the latest callback */
	int done_result, exited_status, ndone, nexited;
	char done_text[256];
};

/* A pseudo-terminal, opened while there was a /dev. */
extern int test_tty;
/* The detached procfs that the server uses. */
extern int test_procfs;

/* A folder of the host that is to be seen as /keep; NULL: none. Before container_setup(). */
extern const char *test_keep;
/* The guest's processes; as it is, number 1 is the test itself. Before guest_setup(). */
extern pid_t (*test_host_pid)(void *ctx, u32 pid);

/* Stream sockets have data rings. Before guest_setup(). */
extern bool test_data_rings;

/* Once for the process. Needs root. */
int container_setup(void **state);
/* For each test. */
int guest_setup(void **state);
int guest_teardown(void **state);

static inline u8 *guest_buf(struct guest *g, u32 slot)
{
	return g->ring + RING_DATA_OFF + (size_t)slot * RING_BUF_SIZE;
}

/* Issue a request in a slot; wait for its answer. */
void guest_issue(struct guest *g, u32 slot, struct pv_request *req);
struct pv_response guest_wait(struct guest *g, u32 slot);
struct pv_response guest_call(struct guest *g, u32 slot, struct pv_request *req);
/* Waits until the server has ended the VM; false after 5 s. */
bool guest_ended(struct guest *g);
/* Takes the next message off the donation channel; the descriptor, or -1 if there is none. */
int guest_take(struct guest *g, struct pv_donation *what);

/* Slot 0, one path, no credentials; fields of `req` that matter may be set before. */
s32 path_call(struct guest *g, u32 cmd, const char *path, struct pv_req_path more);
s32 path2_call(struct guest *g, u32 cmd, const char *path, const char *path2,
	       struct pv_req_path more);
s32 handle_call(struct guest *g, u32 cmd, struct pv_req_handle more);
s32 sock_call(struct guest *g, u32 cmd, struct pv_req_sock more);
s32 ctl_call(struct guest *g, u32 cmd, struct pv_req_ctl more);
void release(struct guest *g, u32 id);
/* PV_OPEN, and take the donation if there is one: its descriptor, else -1. */
int open_file(struct guest *g, u32 id, const char *path, u32 flags, u32 mode, s32 *ret);
/* The answer to slot 0's latest call. */
struct pv_response last_response(struct guest *g);
/* PV_CROSS to this path? */
void assert_crosses(struct guest *g, s32 ret, const char *path);

/* In the container's file system, from outside of the server. */
void put_file(const char *path, const char *text);

#endif
