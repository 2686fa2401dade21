/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls by exit of the kvm machine (abi/kvm.h), without /dev/kvm: an input is a sequence of calls, each of them a byte for its
 * number, one that is not used, two of length (little endian), and as many bytes over what the call page has behind its header.
 * Nothing but answers and the end of the VM may come of it. Needs root: it becomes a container of its own.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit/hypervisor/fake_guest.h"
#include "fuzz.h"
#include "kvm/kvm_guest.h"
#include "kvm/kvm_impl.h"

#define CALLS_MAX 24
#define FILE_MAX (4u << 20)
#define RAM (64ULL << 20)
#define VM_FD 1000000 /* there is none */

/* The handles that calls can count on. */
enum { H_FILE = 1, H_DIR, H_TCP, H_MEMFD, H_WATCH, H_UDP, H_INOTIFY };

static struct kvm_guest vm;

/* KVM takes all that it is told. */
int __real_ioctl(int fd, unsigned long cmd, void *arg);
int __wrap_ioctl(int fd, unsigned long cmd, void *arg);
int __wrap_ioctl(int fd, unsigned long cmd, void *arg)
{
	return fd == VM_FD ? 0 : __real_ioctl(fd, cmd, arg);
}

int vcpu_start(struct vcpu *c)
{
	return 0;
}

void kvm_guest_notify(struct kvm_guest *g)
{
}

static pid_t no_process(void *ctx, u32 pid)
{
	return 0;
}

static void make_handles(struct guest *g)
{
	struct pv_request udp = { .cmd = PV_SOCKET, .u.socket = { .id = H_UDP, .domain = 2, .type = 2 } };
	struct pv_request tcp = { .cmd = PV_SOCKET, .u.socket = { .id = H_TCP, .domain = 2, .type = 1 } };
	struct pv_donation what;
	int fd;
	s32 ret;

	close(open_file(g, H_FILE, "/tmp/file", 0102 /* O_RDWR | O_CREAT */, 0600, &ret));
	open_file(g, H_DIR, "/", 0200000 /* O_DIRECTORY */, 0, &ret);
	guest_call(g, 0, &tcp);
	guest_call(g, 0, &udp);
	handle_call(g, PV_MEMFD, (struct pv_req_handle){ .id = H_MEMFD, .len = 8192 });
	handle_call(g, PV_WATCH, (struct pv_req_handle){ .id = H_WATCH });
	handle_call(g, PV_INOTIFY, (struct pv_req_handle){ .id = H_INOTIFY });
	while ((fd = guest_take(g, &what)) >= 0)
		close(fd);
}

static void make_vm(struct guest *g)
{
	struct error err = { 0 };
	struct vcpu *c = &vm.cpus[0];

	memset(&vm, 0, sizeof(vm));
	vm.vm_fd = VM_FD;
	vm.ncpus = 1;
	vm.server = g->srv;
	vm.ready_epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_mutex_init(&vm.serve_lock, NULL);
	pthread_mutex_init(&vm.ready_lock, NULL);
	window_init(&vm.window);
	if (memory_make(&vm, g->ring, RAM, &err))
		abort();
	c->guest = &vm;
	c->stats.fd = -1;
	for (int k = 0; k < KVM_STATS; k++)
		c->stats.at[k] = -1;
	c->call = (struct kvm_call *)(vm.slots[SLOT_LOW].at + KVM_CALLS_GPA);
}

/* One call off the input; false: that was all, or the VM has ended. */
static bool make_call(const u8 **data, size_t *left)
{
	struct kvm_call *k = vm.cpus[0].call;
	const char *why = NULL;
	size_t len;
	u32 nr;

	if (*left < 4)
		return false;
	nr = (*data)[0];
	len = (*data)[2] | (size_t)(*data)[3] << 8;
	*data += 4;
	*left -= 4;
	len = len < *left ? len : *left;
	memcpy(&k->u, *data, len < sizeof(k->u) ? len : sizeof(k->u));
	*data += len;
	*left -= len;
	if (nr == KVM_CALL_PV) /* fuzz_call.c's */
		return true;
	if (serve_call(&vm.cpus[0], nr, &why))
		return true;
	if (!why && nr != KVM_CALL_PANIC)
		abort();
	return false;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit files = { FILE_MAX, FILE_MAX };
	sigset_t too_large;

	sigemptyset(&too_large); /* as threads of virtual CPUs do; libFuzzer would catch it */
	sigaddset(&too_large, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &too_large, NULL);
	setrlimit(RLIMIT_FSIZE, &files);
	test_host_pid = no_process;
	test_keep = getenv("CALLGATE_FUZZ_KEEP"); /* libFuzzer's files: its own root changes, too */
	return container_setup(NULL);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct guest *g;
	void *state;

	guest_setup(&state);
	g = state;
	make_handles(g);
	make_vm(g);
	for (int i = 0; i < CALLS_MAX && make_call(&data, &size); i++)
		;
	window_free(&vm);
	memory_free(&vm);
	close(vm.ready_epoll);
	guest_teardown(&state);
	return 0;
}
