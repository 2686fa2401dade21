/* SPDX-License-Identifier: Apache-2.0 */
/* The ring itself: malformed requests end the VM with a reason; slots, donations and control calls.
 */
#include "fake_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call/control.h"

static void assert_violates(struct guest *g, u32 slot, struct pv_request req, const char *why)
{
	guest_issue(g, slot, &req);
	assert_true(guest_ended(g));
	assert_string_equal(g->reason, why);
}

static struct pv_request request(u32 cmd)
{
	return (struct pv_request){ .cmd = cmd };
}

static void unknown_command(void **state)
{
	assert_violates(*state, 0, request(0x7777), "request.cmd: unknown command");
}

static void hole_between_commands(void **state)
{
	assert_violates(*state, 0, request(0x17f), "request.cmd: unknown command");
}

static void slot_out_of_range(void **state)
{
	assert_violates(*state, RING_SLOTS, request(PV_STAT), "request.req_id: slot number out of range");
}

static void index_runs_ahead(void **state)
{
	struct guest *g = *state;

	__atomic_store_n(&g->hdr->req_prod, 1000, __ATOMIC_SEQ_CST);
	assert_violates(g, 0, request(PV_STAT), "ring.req_prod: more requests than slots");
}

static void handle_missing(void **state)
{
	struct pv_request r = request(PV_FSYNC);

	r.u.handle.id = 55;
	assert_violates(*state, 0, r, "fsync.id: a handle that does not exist");
}

static void handle_huge(void **state)
{
	struct pv_request r = request(PV_RELEASE);

	r.u.release.id = 1ULL << 40;
	assert_violates(*state, 0, r, "release.id: handle number out of range");
}

static void handle_truncated_to_valid(void **state)
{
	struct pv_request r = request(PV_LISTEN);

	r.u.listen.id = 1ULL << 32 | 1;
	assert_violates(*state, 0, r, "listen.id: handle number out of range");
}

static void handle_of_wrong_kind(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_LISTEN);

	assert_int_equal(handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = 1 }), 0);
	r.u.listen.id = 1;
	assert_violates(g, 0, r, "listen.id: a handle of the wrong kind");
}

static void number_in_use(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_WATCH);

	assert_int_equal(handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = 1 }), 0);
	r.u.handle.id = 1;
	assert_violates(g, 0, r, "watch.id: a new handle's number is in use");
}

static void path_over_limit(void **state)
{
	struct pv_request r = request(PV_STAT);

	r.u.path.path_len = PV_PATH_MAX + 1;
	assert_violates(*state, 0, r, "stat.path_len: path longer than PV_PATH_MAX");
}

static void path_with_nul(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_STAT);

	memcpy(guest_buf(g, 0), "etc\0passwd", 10);
	r.u.path.path_len = 10;
	assert_violates(g, 0, r, "stat.path: NUL byte in a string");
}

static void xattr_over_buffer(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_SETXATTR);

	memcpy(guest_buf(g, 0), "/tmpuser.x", 10);
	r.u.path.path_len = 4;
	r.u.path.path2_len = 6;
	r.u.path.arg = RING_BUF_SIZE;
	assert_violates(g, 0, r, "setxattr.arg: attribute value over the end of the buffer");
}

static void length_over_buffer(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_READ);

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.handle = (struct pv_req_handle){ .id = 1, .len = RING_BUF_SIZE + 1 };
	assert_violates(g, 0, r, "read.len: length over the buffer");
}

static void unknown_credentials(void **state)
{
	struct pv_request r = request(PV_STAT);

	r.u.path.cred = 12;
	assert_violates(*state, 0, r, "stat.cred: credentials that do not exist");
}

static void address_over_field(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_SOCKET);

	r.u.socket = (struct pv_req_xen_socket){ .id = 1, .domain = 2, .type = 1 };
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
	r = request(PV_BIND);
	r.u.bind.id = 1;
	r.u.bind.len = 200;
	assert_violates(g, 0, r, "bind.len: address longer than its field");
}

/* A call that sleeps in the host: a copy into a pipe that is full. */
static int issue_slow_call(struct guest *g, u32 slot, int pipe_fds[2])
{
	struct pv_request r = request(PV_COPY_RANGE);
	char junk[4096] = { 0 };

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(pipe_fds[1], junk, sizeof(junk)) > 0)
		;
	fcntl(pipe_fds[1], F_SETFL, 0);
	fcntl(pipe_fds[0], F_SETFL, 0);
	assert_int_equal(pv_server_add_handle(g->srv, 2, pipe_fds[1]), 0);
	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.handle =
		(struct pv_req_handle){ .id = 1, .id2 = 2, .len = 11, .off = ~0ULL, .flags = 1 };
	guest_issue(g, slot, &r);
	return pipe_fds[0];
}

static void drain(int fd)
{
	char junk[4096];

	while (read(fd, junk, sizeof(junk)) == sizeof(junk))
		;
	close(fd);
}

static void slow_calls_hold_up_nobody(void **state)
{
	struct guest *g = *state;
	int pipe_fds[2];
	int fd = issue_slow_call(g, 3, pipe_fds);

	assert_int_equal(path_call(g, PV_STAT, "/etc/passwd", (struct pv_req_path){ 0 }), 0);
	release(g, 1);
	assert_int_equal(g->hdr->state[3], SLOT_PENDING);
	drain(fd);
	assert_int_equal(guest_wait(g, 3).ret, 11);
}

static void slot_used_twice(void **state)
{
	struct guest *g = *state;
	int pipe_fds[2];
	int fd = issue_slow_call(g, 3, pipe_fds);

	assert_violates(g, 3, request(PV_STAT), "request.req_id: a request in a slot that is in use");
	drain(fd);
}

static void donations_nobody_takes(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_WATCH);

	for (u32 id = 1; id < 100000 && !g->ended; id++) {
		r.u.handle.id = id;
		guest_issue(g, 0, &r);
		while (!__atomic_load_n(&g->ended, __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&g->hdr->state[0], __ATOMIC_SEQ_CST) != SLOT_DONE)
			sched_yield();
	}
	assert_string_equal(g->reason, "watch.donation: donated descriptors are not taken");
}

static void donations_are_in_order(void **state)
{
	struct guest *g = *state;
	struct pv_donation what;

	for (u32 id = 1; id <= 50; id++) {
		assert_int_equal(handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = id }), 0);
		assert_int_equal(last_response(g).donation, id);
	}
	for (u32 id = 1; id <= 50; id++) {
		close(guest_take(g, &what));
		assert_int_equal(what.sequence, id);
		assert_int_equal(what.handle, id);
	}
	assert_int_equal(handle_call(g, PV_DONATE, (struct pv_req_handle){ .id = 7 }), 0);
	close(guest_take(g, &what));
	assert_int_equal(what.sequence, 51);
	assert_int_equal(what.handle, 7);
}

static void handles_are_reused(void **state)
{
	struct guest *g = *state;
	s32 ret;

	for (int i = 0; i < 1000; i++) {
		int fd = open_file(g, MAX_HANDLES - 1, "/etc/passwd", O_RDONLY, 0, &ret);

		assert_true(fd >= 0);
		close(fd);
		release(g, MAX_HANDLES - 1);
	}
}

static void releases_by_the_dozen(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_RELEASE);

	for (u32 id = 1; id <= 12; id++)
		close(open_file(g, id, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.release.id = 12;
	r.u.release.count = PV_RELEASE_MORE;
	for (u32 i = 0; i < PV_RELEASE_MORE; i++)
		r.u.release.more[i] = i + 1;
	assert_int_equal(guest_call(g, 0, &r).ret, 0);
	for (u32 id = 1; id <= 12; id++)
		close(open_file(g, id, "/etc/passwd", O_RDONLY, 0, NULL));
}

static void too_many_to_release(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_RELEASE);

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.release.id = 1;
	r.u.release.count = PV_RELEASE_MORE + 1;
	assert_violates(g, 0, r, "release.count: too many handles in one release");
}

static void paths_of_too_many(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_PATHS_OF);

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.release.id = 1;
	r.u.release.count = PV_RELEASE_MORE + 1;
	assert_violates(g, 0, r, "paths_of.count: too many handles at once");
}

static void paths_of_what_is_not_open(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_PATHS_OF);

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	r.u.release.id = 1;
	r.u.release.count = 2;
	r.u.release.more[0] = 1;
	r.u.release.more[1] = 9;
	assert_violates(g, 0, r, "paths_of.more: a handle that does not exist");
}

struct caller_thread {
	struct guest *g;
	u32 slot;
	int failed;
};

static void *many_calls(void *arg)
{
	struct caller_thread *t = arg;

	for (int i = 0; i < 500; i++) {
		struct pv_request r = request(PV_STAT);

		memcpy(guest_buf(t->g, t->slot), "/etc/passwd", 11);
		r.u.path.path_len = 11;
		if (i % 10 == 0) {
			r = request(PV_FSYNC);
			r.u.handle.id = 1;
		}
		t->failed += guest_call(t->g, t->slot, &r).ret != 0;
	}
	return NULL;
}

static void all_slots_at_once(void **state)
{
	struct guest *g = *state;
	struct caller_thread threads[RING_SLOTS];
	pthread_t ids[RING_SLOTS];

	close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
	for (u32 i = 0; i < RING_SLOTS; i++) {
		threads[i] = (struct caller_thread){ g, i, 0 };
		pthread_create(&ids[i], NULL, many_calls, &threads[i]);
	}
	for (u32 i = 0; i < RING_SLOTS; i++) {
		pthread_join(ids[i], NULL);
		assert_int_equal(threads[i].failed, 0);
	}
}

static void release_while_in_use(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_FSYNC);

	for (int i = 0; i < 200; i++) {
		close(open_file(g, 1, "/etc/passwd", O_RDONLY, 0, NULL));
		r.u.handle.id = 1;
		guest_issue(g, 1, &r);
		release(g, 1);
		assert_int_equal(guest_wait(g, 1).ret, 0);
	}
}

static void powers_off(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_POWEROFF);

	r.u.ctl.arg = 0x700;
	guest_issue(g, 0, &r);
	assert_true(guest_ended(g));
	assert_int_equal(g->wait_status, 0x700);
}

static void panics_and_logs(void **state)
{
	struct guest *g = *state;
	struct pv_request r = request(PV_PANIC);

	memcpy(guest_buf(g, 0), "a \033[31mline\n", 12);
	assert_int_equal(ctl_call(g, PV_LOG, (struct pv_req_ctl){ .arg = 3, .len = 12 }), 0);
	assert_string_equal(g->log, "3 a ?[31mline\n");
	memcpy(guest_buf(g, 0), "oops", 4);
	r.u.ctl.len = 4;
	guest_issue(g, 0, &r);
	assert_true(guest_ended(g));
	assert_string_equal(g->panic, "oops");
}

static int denied;

static void expect_denied(long ret)
{
	denied += ret == -1 && (errno == EPERM || errno == ENOSYS);
}

static void try_to_leave(struct guest *g)
{
	expect_denied(syscall(SYS_unshare, CLONE_NEWUSER));
	expect_denied(syscall(SYS_unshare, CLONE_FS | CLONE_NEWNS));
	expect_denied(syscall(SYS_execve, "/bin/sh", NULL, NULL));
	expect_denied(syscall(SYS_ptrace, 0, 0, 0, 0));
	expect_denied(syscall(SYS_kill, 1, 0));
	expect_denied(syscall(SYS_mount, "a", "/tmp", "tmpfs", 0, NULL));
	expect_denied(syscall(SYS_clone3, NULL, 0));
	expect_denied(syscall(SYS_clone, CLONE_NEWPID, 0, 0, 0, 0));
	expect_denied((long)mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	expect_denied(syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0));
	expect_denied(syscall(SYS_setns, 0, 0));
	expect_denied(syscall(SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0));
}

static void server_threads_are_confined(void **state)
{
	struct guest *g = *state;

	g->on_log = try_to_leave;
	assert_int_equal(ctl_call(g, PV_LOG, (struct pv_req_ctl){ 0 }), 0);
	assert_int_equal(denied, 12);
}

static void memory_of_processes(void **state)
{
	struct guest *g = *state;
	static char word[16] = "before";
	static const u64 forbidden[] = { USER_END - 1, USER_END, KTEXT_BASE, KDATA_BASE, KWIN_END - 1, 0x7ffffffff000, ~0ull - 1 };

	assert_int_equal(ctl_call(g, PV_MEM_READ,
				  (struct pv_req_ctl){ .pid = 1, .arg = (u64)word, .len = 7 }),
			 7);
	assert_string_equal((char *)guest_buf(g, 0), "before");
	assert_int_equal(
		ctl_call(g, PV_MEM_READ, (struct pv_req_ctl){ .pid = 1, .arg = 8, .len = 7 }),
		-EFAULT);
	assert_int_equal(ctl_call(g, PV_MEM_READ,
				  (struct pv_req_ctl){ .pid = 2, .arg = (u64)word, .len = 7 }),
			 -ESRCH);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++)
		assert_int_equal(ctl_call(g, PV_MEM_WRITE, (struct pv_req_ctl){ .pid = 1, .arg = forbidden[i], .len = 7 }),
				 -EFAULT);
}

static int resident(struct guest *g, u32 pid, u64 addr, u32 pages)
{
	return ctl_call(g, PV_RESIDENT, (struct pv_req_ctl){ .pid = pid, .arg = addr, .len = pages });
}

static void pages_of_processes(void **state)
{
	struct guest *g = *state;
	char *map = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const u64 at = (u64)map;

	assert_true(map != MAP_FAILED);
	madvise(map, 4 * 4096, MADV_NOHUGEPAGE);
	map[4096] = 1;
	memset(guest_buf(g, 0), 7, 5);
	assert_int_equal(resident(g, 1, at, 4), 0);
	assert_memory_equal(guest_buf(g, 0), "\0\1\0\0\7", 5);
	assert_int_equal(resident(g, 1, at, PV_RESIDENT_MAX), 0);
	assert_int_equal(resident(g, 1, 0x7fffffffe000, 1), 0);
	assert_int_equal(resident(g, 1, 0x7fffffffe000, 2), -EFAULT);
	assert_int_equal(resident(g, 1, ~0ull << 12, 1), -EFAULT);
	assert_int_equal(resident(g, 1, at + 1, 1), -EFAULT);
	assert_int_equal(resident(g, 2, at, 1), -ESRCH);
	assert_int_equal(resident(g, 0, at, 1), -ESRCH);
	munmap(map, 4 * 4096);
}

static void too_many_pages(void **state)
{
	struct pv_request r = request(PV_RESIDENT);

	r.u.ctl.len = PV_RESIDENT_MAX + 1;
	assert_violates(*state, 0, r, "resident.len: more pages than one call tells of");
}

static int set_nice(struct guest *g, u32 pid, s64 nice)
{
	return ctl_call(g, PV_NICE, (struct pv_req_ctl){ .pid = pid, .arg = (u64)nice });
}

static void nice_values(void **state)
{
	struct guest *g = *state;
	int own = getpriority(PRIO_PROCESS, 0);

	assert_int_equal(set_nice(g, 1, 19), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)getpid()), 19);
	/* not better than it was */
	assert_int_equal(set_nice(g, 1, -20), 0);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)getpid()), own);
	assert_int_equal(set_nice(g, 2, 19), -ESRCH);
	assert_int_equal(set_nice(g, 0, 19), -ESRCH);
	assert_int_equal(set_nice(g, ~0u, 19), -ESRCH);
	assert_int_equal(set_nice(g, (u32)getppid(), 19), -ESRCH);
}

static int set_mask(struct guest *g, u32 pid, u64 mask, u64 cpus)
{
	memcpy(guest_buf(g, 0), &mask, sizeof(mask));
	return ctl_call(g, PV_AFFINITY, (struct pv_req_ctl){ .pid = pid, .arg = cpus, .len = sizeof(mask) });
}

static void masks(void **state)
{
	struct guest *g = *state;
	cpu_set_t before, now;
	int last = CPU_SETSIZE - 1;
	u64 n;

	assert_int_equal(sched_getaffinity(getpid(), sizeof(before), &before), 0);
	n = (u64)CPU_COUNT(&before);
	if (n > 62) /* one word is enough here */
		return;
	while (!CPU_ISSET(last, &before))
		last--;
	assert_int_equal(set_mask(g, 1, 1ULL << (n - 1), n + 1), 0);
	assert_int_equal(sched_getaffinity(getpid(), sizeof(now), &now), 0);
	assert_true(CPU_COUNT(&now) == 1 && CPU_ISSET(last, &now));
	assert_int_equal(set_mask(g, 1, 1ULL << n, n + 1), -EINVAL);
	assert_int_equal(set_mask(g, 1, 0, n), -EINVAL);
	assert_int_equal(set_mask(g, 1, (1ULL << n) - 1, n), 0);
	assert_int_equal(sched_getaffinity(getpid(), sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&now, &before));
	assert_int_equal(set_mask(g, 2, 1, n), -ESRCH);
	assert_int_equal(set_mask(g, (u32)getppid(), 1, n), -ESRCH);
}

static void no_nice_value(void **state)
{
	struct pv_request r = request(PV_NICE);

	r.u.ctl.pid = 1;
	r.u.ctl.arg = 20;
	assert_violates(*state, 0, r, "nice.arg: no nice value");
}

static void no_mask(void **state)
{
	struct pv_request r = request(PV_AFFINITY);

	r.u.ctl = (struct pv_req_ctl){ .pid = 1, .arg = 1, .len = PV_MASK_MAX + 8 };
	assert_violates(*state, 0, r, "affinity.len: no length of a mask");
}

static void mask_of_more(void **state)
{
	struct pv_request r = request(PV_AFFINITY);

	r.u.ctl = (struct pv_req_ctl){ .pid = 1, .arg = 65, .len = 8 };
	assert_violates(*state, 0, r, "affinity.arg: more CPUs than the mask has");
}

/* In the new pid namespace: number 1, and its child, number 2. */
static int namespace_main(void *arg)
{
	if (fork() == 0)
		arg = NULL;
	for (;;)
		pause();
	return arg != NULL;
}

static void numbers_of_another_namespace(void **state)
{
	static char stack[65536];
	pid_t vm0 = clone(namespace_main, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, NULL);
	pid_t asked, found;
	char name[40];
	int ns;

	assert_true(vm0 > 0);
	snprintf(name, sizeof(name), "%d/ns/pid", vm0);
	ns = openat(test_procfs, name, O_RDONLY | O_CLOEXEC);
	assert_true(ns >= 0);
	assert_int_equal(vm_pid_search(test_procfs, vm0, 1), vm0);
	while ((found = vm_pid_search(test_procfs, vm0, 2)) == 0)
		sched_yield();
	assert_true(found > 0 && found != vm0);
	assert_int_equal(vm_pid_search(test_procfs, vm0, 3), 0);
	asked = vm_pid_ask(ns, 2);
	if (asked != -ENOTTY) {
		assert_int_equal(asked, found);
		assert_int_equal(vm_pid_ask(ns, 1), vm0);
		assert_int_equal(vm_pid_ask(ns, 999), 0);
	}
	close(ns);
	kill(vm0, SIGKILL);
	waitpid(vm0, NULL, 0);
}

static void reads_host_values(void **state)
{
	struct guest *g = *state;
	struct pv_host_stat s;
	s32 n;

	assert_int_equal(ctl_call(g, PV_HOST_STAT, (struct pv_req_ctl){ 0 }), 0);
	memcpy(&s, guest_buf(g, 0), sizeof(s));
	assert_true(s.mem_total > 0 && s.mem_free <= s.mem_total && s.boot_time > 0);
	memcpy(guest_buf(g, 0), "net.ipv4.ip_forward", 19);
	n = ctl_call(g, PV_SYSCTL, (struct pv_req_ctl){ .len = 19 });
	assert_int_equal(n, 2);
	memcpy(guest_buf(g, 0), "kernel.hostname", 15);
	assert_int_equal(ctl_call(g, PV_SYSCTL, (struct pv_req_ctl){ .len = 15 }), -ENOENT);
	memcpy(guest_buf(g, 0), "net/../kernel/hostname", 22);
	assert_true(ctl_call(g, PV_SYSCTL, (struct pv_req_ctl){ .len = 22 }) < 0);
	memcpy(guest_buf(g, 0), "dev", 3);
	n = ctl_call(g, PV_NETFILE, (struct pv_req_ctl){ .len = 3 });
	assert_true(n > 0);
	guest_buf(g, 0)[n] = '\0';
	assert_non_null(strstr((char *)guest_buf(g, 0), "lo:"));
	memcpy(guest_buf(g, 0), "../status", 9);
	assert_int_equal(ctl_call(g, PV_NETFILE, (struct pv_req_ctl){ .len = 9 }), -ENOENT);
	memcpy(guest_buf(g, 0), "box", 3);
	assert_int_equal(ctl_call(g, PV_SETHOSTNAME, (struct pv_req_ctl){ .len = 3 }), -EPERM); /* no right to it was given */
}

static void count_one(void *arg, const struct pv_command_stats *stats)
{
	if (!strcmp(stats->name, "watch"))
		*(u64 *)arg += stats->calls;
}

static void counts_calls(void **state)
{
	struct guest *g = *state;
	u64 n = 0;

	for (u32 id = 1; id <= 3; id++)
		assert_int_equal(handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = id }), 0);
	pv_server_stats(g->srv, count_one, &n);
	assert_int_equal(n, 3);
}

/* Random requests: nothing but answers and protocol errors may come of them. */
static void survives_noise(void **state)
{
	struct guest *g = *state;
	unsigned int seed = 1;

	for (int i = 0; i < 2000; i++) {
		static const u32 bases[] = { 0, 0x100, 0x180, 0x200, 0x300, 0x400 };
		struct pv_request r;

		if (g->ended) {
			guest_teardown(state);
			guest_setup(state);
			g = *state;
		}
		for (size_t b = 0; b < sizeof(r.u.dummy); b++)
			r.u.dummy[b] = rand_r(&seed) % 4 ? 0 : rand_r(&seed);
		r.cmd = bases[rand_r(&seed) % 6] + rand_r(&seed) % 0x18;
		__atomic_store_n(&g->hdr->caller_cpu, (u32)rand_r(&seed) >> rand_r(&seed) % 32, __ATOMIC_RELAXED);
		guest_issue(g, rand_r(&seed) % 4, &r);
		for (int n = 0;
		     n < 1000 && !g->ended &&
		     __atomic_load_n(&g->hdr->state[r.req_id], __ATOMIC_SEQ_CST) != SLOT_DONE;
		     n++)
			sched_yield();
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unknown_command),
		T(hole_between_commands),
		T(slot_out_of_range),
		T(index_runs_ahead),
		T(handle_missing),
		T(handle_huge),
		T(handle_truncated_to_valid),
		T(handle_of_wrong_kind),
		T(number_in_use),
		T(path_over_limit),
		T(path_with_nul),
		T(xattr_over_buffer),
		T(length_over_buffer),
		T(unknown_credentials),
		T(address_over_field),
		T(slow_calls_hold_up_nobody),
		T(slot_used_twice),
		T(donations_nobody_takes),
		T(donations_are_in_order),
		T(handles_are_reused),
		T(releases_by_the_dozen),
		T(too_many_to_release),
		T(paths_of_too_many),
		T(paths_of_what_is_not_open),
		T(all_slots_at_once),
		T(release_while_in_use),
		T(powers_off),
		T(panics_and_logs),
		T(server_threads_are_confined),
		T(memory_of_processes),
		T(pages_of_processes),
		T(too_many_pages),
		T(nice_values),
		T(masks),
		T(no_nice_value),
		T(no_mask),
		T(mask_of_more),
		T(numbers_of_another_namespace),
		T(reads_host_values),
		T(counts_calls),
		T(survives_noise),
	};

	return cmocka_run_group_tests(tests, container_setup, NULL);
}
