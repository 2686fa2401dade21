/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

#include "../unit/kernel/calls.h"
#include "../unit/kernel/harness.h"
#include "fs.h"

#define ROOM	 (1u << 20)
#define STUCK_MS 20

void stub_next_child(int (*fn)(void *arg), void *arg);
void stub_any_handler(void (*fn)(int sig, uaddr_t info, uaddr_t context));

static uaddr_t room, room_used;

u32 input_number(struct input *in, unsigned int bytes)
{
	u32 val = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		val |= (u32)*in->at++ << 8 * i;
	return val;
}

u64 input_u64(struct input *in)
{
	u64 low = input_number(in, 4);

	return low | (u64)input_number(in, 4) << 32;
}

u32 input_below(struct input *in, u32 n)
{
	return input_number(in, 1) % n;
}

uaddr_t guest_room(size_t size)
{
	uaddr_t at = room + room_used;

	CHECK(room_used + size <= ROOM);
	room_used += (size + 15) & ~15UL;
	return at;
}

uaddr_t input_piece(struct input *in, size_t max, size_t *len)
{
	size_t n = input_number(in, max > 255 ? 2 : 1);
	uaddr_t at;

	if (n > max)
		n = max;
	if (n > in->left)
		n = in->left;
	if (room_used + n + 32 > ROOM)
		room_used = 0;
	at = guest_room(n + 1);
	poke(at, in->at, n);
	poke(at + n, "", 1);
	in->at += n;
	in->left -= n;
	*len = n;
	return at;
}

uaddr_t input_string(struct input *in)
{
	size_t len;

	return input_piece(in, 255, &len);
}

struct job {
	int (*fn)(struct input *in);
	struct input *in;
};

static int work(void *arg)
{
	struct job *job = arg;

	return job->fn(job->in);
}

/* The first process of a pid namespace: with it all end. */
static int run_namespace(void *arg)
{
	long pid;

	CHECK_EQ(sc(__NR_unshare, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC), 0);
	CHECK_EQ(sc(__NR_mount, ustr("none"), ustr("/tmp"), ustr("tmpfs"), 0, 0), 0);
	pid = fork_run(work, arg);
	CHECK(pid > 0);
	calls_wait_or_kill(pid, STUCK_MS);
	return 0;
}

void guest_child(int (*fn)(struct input *in), struct input *in)
{
	struct job job = {fn, in};
	long pid;

	room_used = 0;
	stub_next_child(run_namespace, &job);
	pid = sc(__NR_clone, CLONE_NEWPID | SIGCHLD, 0);
	CHECK(pid > 0);
	CHECK_EQ(sc(__NR_wait4, pid, 0, 0, 0), pid);
}

static void on_signal(int sig, uaddr_t info, uaddr_t context)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	vm_become();
	stub_any_handler(on_signal);
	CHECK_EQ(mount_add("/dev/pts", "devpts", "devpts", 0, "ptmxmode=0666,mode=0620,gid=5"), 0);
	room = ualloc(ROOM);
	calls_traced = host_setting("FUZZ_TRACE", 0);
	return 0;
}
