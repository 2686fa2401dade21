/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what the hypervisor asks is taken in order, answered once, and its descriptors are taken once. */
#include "fake_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/event.h"

static void assert_violates(struct guest *g, struct pv_request req, const char *why)
{
	guest_issue(g, 0, &req);
	assert_true(guest_ended(g));
	assert_string_equal(g->reason, why);
}

static struct pv_request ctl_request(u32 cmd, u64 event)
{
	struct pv_request r = { .cmd = cmd };

	r.u.ctl.arg = event;
	return r;
}

static struct pv_request take_request(u32 id, u64 event, u64 index)
{
	struct pv_request r = { .cmd = PV_TAKE_FD };

	r.u.handle.id = id;
	r.u.handle.off = event;
	r.u.handle.len = index;
	return r;
}

static s32 done(struct guest *g, u32 event, int result, const char *text)
{
	memcpy(guest_buf(g, 0), text, strlen(text));
	return ctl_call(g, PV_EVENT_DONE,
			(struct pv_req_ctl){ .arg = event, .pid = (u32)result, .len = strlen(text) });
}

static int post_signal(struct guest *g, u32 target, u32 sig)
{
	struct pv_event e = { .kind = PV_EV_SIGNAL, .target = target, .sig = sig };

	return pv_server_post(g->srv, &e, sizeof(e), NULL, 0);
}

static struct pv_event taken(struct guest *g)
{
	struct pv_event e;

	assert_int_equal(ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 }), sizeof(e));
	memcpy(&e, guest_buf(g, 0), sizeof(e));
	return e;
}

static void taken_in_order(void **state)
{
	struct guest *g = *state;
	struct pv_event e;

	assert_int_equal(ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 }), 0);
	assert_int_equal(post_signal(g, 7, 15), 1);
	assert_int_equal(post_signal(g, 8, 9), 2);
	assert_int_equal(g->hdr->events, 2);
	e = taken(g);
	assert_int_equal(e.event, 1);
	assert_int_equal(e.target, 7);
	assert_int_equal(e.sig, 15);
	assert_int_equal(e.size, sizeof(e));
	e = taken(g);
	assert_int_equal(e.event, 2);
	assert_int_equal(ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 }), 0);
	assert_int_equal(done(g, 2, -ESRCH, "no\x1b such"), 0); /* in any order */
	assert_int_equal(g->done_event, 2);
	assert_int_equal(g->done_result, -ESRCH);
	assert_string_equal(g->done_text, "no? such");
	assert_int_equal(done(g, 1, 0, ""), 0);
	assert_int_equal(g->ndone, 2);
}

static void boot_is_answered_once(void **state)
{
	struct guest *g = *state;

	assert_int_equal(done(g, 0, 0, ""), 0);
	assert_int_equal(g->ndone, 1);
	assert_violates(g, ctl_request(PV_EVENT_DONE, 0), "event_done.arg: an answer to no event");
	assert_int_equal(g->ndone, 1);
}

static void answer_to_unknown(void **state)
{
	assert_violates(*state, ctl_request(PV_EVENT_DONE, 1), "event_done.arg: an answer to no event");
}

static void answer_to_huge(void **state)
{
	assert_violates(*state, ctl_request(PV_EVENT_DONE, 1ULL << 32), "event_done.arg: an answer to no event");
}

static void answer_before_taken(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_signal(g, 0, 15), 1);
	assert_violates(g, ctl_request(PV_EVENT_DONE, 1), "event_done.arg: an answer to no event");
}

static void answered_twice(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_signal(g, 0, 15), 1);
	taken(g);
	assert_int_equal(done(g, 1, 0, ""), 0);
	assert_violates(g, ctl_request(PV_EVENT_DONE, 1), "event_done.arg: an answer to no event");
}

static void text_over_buffer(void **state)
{
	struct pv_request r = ctl_request(PV_EVENT_DONE, 0);

	r.u.ctl.len = RING_BUF_SIZE + 1;
	assert_violates(*state, r, "event_done.len: text over the end of the buffer");
}

static void queue_is_bounded(void **state)
{
	struct guest *g = *state;

	for (u32 i = 1; i <= EVENTS_MAX; i++)
		assert_int_equal(post_signal(g, 0, 15), i);
	assert_int_equal(post_signal(g, 0, 15), -EAGAIN);
	taken(g);
	assert_int_equal(post_signal(g, 0, 15), -EAGAIN);
	assert_int_equal(done(g, 1, 0, ""), 0);
	assert_int_equal(post_signal(g, 0, 15), EVENTS_MAX + 1);
}

/* ---- processes ---- */

/* A process event with some descriptors; its number. */
static int post_exec(struct guest *g, const int *fds, unsigned int nfds)
{
	struct {
		struct pv_event e;
		struct boot_process p;
	} blob = { .e = { .kind = PV_EV_EXEC } };

	blob.e.process = offsetof(typeof(blob), p);
	blob.p.uid = 77;
	return pv_server_post(g->srv, &blob.e, sizeof(blob), fds, nfds);
}

static void process_lives(void **state)
{
	struct guest *g = *state;
	const struct pv_event *e = (const void *)guest_buf(g, 0);
	const struct boot_process *p;

	assert_int_equal(post_exec(g, NULL, 0), 1);
	assert_int_equal(ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 }), sizeof(*e) + sizeof(*p));
	p = (const void *)((const char *)e + e->process);
	assert_int_equal(p->uid, 77);
	assert_int_equal(e->size, sizeof(*e) + sizeof(*p));
	assert_int_equal(done(g, 1, 12, ""), 0);
	assert_int_equal(g->done_result, 12);
	assert_int_equal(ctl_call(g, PV_EXITED, (struct pv_req_ctl){ .arg = 1, .pid = 3 << 8 }), 0);
	assert_int_equal(g->exited_event, 1);
	assert_int_equal(g->exited_status, 3 << 8);
	assert_violates(g, ctl_request(PV_EXITED, 1), "exited.arg: the end of a process that does not run");
}

static void running_is_answered_once(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_exec(g, NULL, 0), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_int_equal(done(g, 1, 12, ""), 0);
	assert_violates(g, ctl_request(PV_EVENT_DONE, 1), "event_done.arg: an answer to no event");
}

static void end_before_start(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_exec(g, NULL, 0), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_violates(g, ctl_request(PV_EXITED, 1), "exited.arg: the end of a process that does not run");
}

static void end_of_failed(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_exec(g, NULL, 0), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_int_equal(done(g, 1, -ENOENT, "no program"), 0);
	assert_violates(g, ctl_request(PV_EXITED, 1), "exited.arg: the end of a process that does not run");
}

static void event_too_big(void **state)
{
	struct guest *g = *state;
	struct pv_event e = { .kind = PV_EV_EXEC, .process = 1 };

	assert_int_equal(pv_server_post(g->srv, &e, RING_BUF_SIZE + 1, NULL, 0), -E2BIG);
	assert_int_equal(pv_server_post(g->srv, &e, sizeof(e), NULL, PV_EVENT_FDS + 1), -E2BIG);
	assert_int_equal(g->hdr->events, 0);
}

/* ---- descriptors ---- */

static void take_and_read(struct guest *g, u32 id, u32 event, u32 index, const char *want)
{
	struct pv_request r = take_request(id, event, index);
	struct pv_donation what;
	char got[16] = "";
	int fd;

	assert_int_equal(guest_call(g, 0, &r).ret & O_ACCMODE, O_RDONLY);
	fd = guest_take(g, &what);
	assert_true(fd >= 0);
	assert_int_equal(what.handle, id);
	assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(want));
	assert_string_equal(got, want);
	close(fd);
}

static void descriptors_are_taken(void **state)
{
	struct guest *g = *state;
	int pair[2], pipe_[2], fds[2];
	struct pv_donation what;
	struct pv_request r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(pipe_), 0);
	assert_int_equal(write(pipe_[1], "pipe", 4), 4);
	fds[0] = pair[0];
	fds[1] = pipe_[0];
	assert_int_equal(post_exec(g, fds, 2), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_int_equal(((struct pv_event *)guest_buf(g, 0))->nfds, 2);
	take_and_read(g, 20, 1, 1, "pipe");
	r = take_request(21, 1, 0);
	assert_int_equal(guest_call(g, 0, &r).ret & O_ACCMODE, O_RDWR);
	close(guest_take(g, &what));
	assert_int_equal(what.handle, 21);
	release(g, 21);
	release(g, 20);
	/* The table was the only one to hold it. */
	assert_int_equal(write(pair[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(pair[1]);
	close(pipe_[1]);
	assert_violates(g, take_request(22, 1, 0), "take_fd.len: a descriptor that is not the event's, or not any more");
}

static void those_not_taken_are_closed(void **state)
{
	struct guest *g = *state;
	int pair[2];
	char c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(post_exec(g, &pair[0], 1), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_int_equal(recv(pair[1], &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(done(g, 1, 5, ""), 0);
	assert_int_equal(recv(pair[1], &c, 1, MSG_DONTWAIT), 0);
	close(pair[1]);
	assert_violates(g, take_request(22, 1, 0), "take_fd.len: a descriptor that is not the event's, or not any more");
}

static void take_beyond(void **state)
{
	struct guest *g = *state;

	assert_int_equal(post_exec(g, NULL, 0), 1);
	ctl_call(g, PV_EVENT, (struct pv_req_ctl){ 0 });
	assert_violates(g, take_request(22, 1, 0), "take_fd.len: a descriptor that is not the event's, or not any more");
}

static void take_before_event(void **state)
{
	struct guest *g = *state;
	int fd = open("/etc/passwd", O_RDONLY);

	assert_int_equal(post_exec(g, &fd, 1), 1);
	assert_violates(g, take_request(22, 1, 0), "take_fd.len: a descriptor that is not the event's, or not any more");
}

static void boot_descriptors(void **state)
{
	struct guest *g = *state;
	struct pv_request r = take_request(22, 0, 3);

	assert_int_equal(pv_server_boot_fd(g->srv, 4, open("/etc/passwd", O_RDONLY)), 0);
	assert_int_equal(guest_call(g, 0, &r).ret, -EBADF);
	take_and_read(g, 23, 0, 4, "root:x:0:0\n");
	assert_int_equal(done(g, 0, 0, ""), 0);
	assert_violates(g, take_request(24, 0, 4), "take_fd.len: a descriptor that is not the event's, or not any more");
}

static void directories_stay_outside(void **state)
{
	struct guest *g = *state;
	int dir = open("/etc", O_RDONLY | O_DIRECTORY), name = open("/etc/passwd", O_PATH);

	assert_int_equal(post_exec(g, &dir, 1), -EISDIR);
	assert_int_equal(post_exec(g, &name, 1), -EISDIR);
	assert_int_equal(pv_server_boot_fd(g->srv, 3, dir), -EISDIR);
	assert_int_equal(g->hdr->events, 0);
	close(dir);
	close(name);
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(taken_in_order),
		T(boot_is_answered_once),
		T(answer_to_unknown),
		T(answer_to_huge),
		T(answer_before_taken),
		T(answered_twice),
		T(text_over_buffer),
		T(queue_is_bounded),
		T(process_lives),
		T(running_is_answered_once),
		T(end_before_start),
		T(end_of_failed),
		T(event_too_big),
		T(descriptors_are_taken),
		T(those_not_taken_are_closed),
		T(take_beyond),
		T(take_before_event),
		T(boot_descriptors),
		T(directories_stay_outside),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, container_setup, NULL);
}
