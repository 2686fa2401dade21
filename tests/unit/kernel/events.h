/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's side of events, for tests: posts them, and waits for what the guest says. */
#ifndef TEST_EVENTS_H
#define TEST_EVENTS_H

#include "harness.h"
#include "pvcall.h"
#include "ring.h"

/* From stub_server.h and stub.h. */
u32 stub_post(const struct pv_event *event, size_t size, const int *fds, unsigned int nfds);
int stub_answer(u32 event, const char **text);
int stub_exit_status(u32 event);
bool stub_has_exited(u32 event);

/* Start vm0. What processes that are added do in user mode: fn, which gets their argv[1] (a number, or 0). */
void events_begin(int (*fn)(int what));

struct want {
	const char *argv[6];
	const char *env[4];
	const char *cwd;
	u32 uid, terminal;
	u64 caps;
	const int *fds;
	u32 nfds;
};
/* Posts PV_EV_EXEC of it; its number. */
u32 post_exec(const struct want *w);
u32 post_signal(u32 target, int sig);
u32 post_tty_signal(u32 target, int sig);
/* The same, and waits for the answer. */
int exec_and_wait(const struct want *w, const char **text);
int signal_and_wait(u32 target, int sig);

/* The host's descriptors (harness_host.c). */
int host_pipe(int *ends);
int host_pty(int *master, int *slave);
int host_dup(int fd);
void host_close(int fd);
long host_read(int fd, void *buf, size_t n);
long host_write(int fd, const void *buf, size_t n);

#endif
