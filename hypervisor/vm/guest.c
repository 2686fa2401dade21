// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"
#include "lib/cleanup.h"
#include "kvm/kvm_guest.h"
#include "vm/guest.h"
#include "vm/jail.h"

#define START_TIMEOUT_MS 10000

static const char *const images[] = { [MACHINE_PV] = "guest-pv.elf", [MACHINE_KVM] = "guest-kvm.elf" };

/* Beside the program, or where it is installed. */
static int open_image(const char *name)
{
	char exe[PATH_MAX], path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int fd = -1;

	if (n > 0) {
		exe[n] = '\0';
		snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(exe, '/') - exe), exe, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		snprintf(path, sizeof(path), CALLGATE_LIBEXECDIR "/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

int guest_open_image(struct guest *g, enum machine machine, struct error *err)
{
	g->machine = machine;
	g->pidfd = g->notify_fd = g->chan_fd = g->kvm_fd = g->vm_fd = -1;
	g->image_fd = open_image(images[machine]);
	if (g->image_fd < 0)
		return error_errno(err, errno, "guest kernel image %s (beside the program, or in " CALLGATE_LIBEXECDIR ")",
				   images[machine]);
	if (machine == MACHINE_KVM)
		g->kvm_fd = kvm_open(err);
	return machine == MACHINE_KVM && g->kvm_fd < 0 ? -err->code : 0;
}

int guest_make_vm(struct guest *g, struct error *err)
{
	if (g->machine == MACHINE_KVM)
		g->vm_fd = kvm_vm_make(g->kvm_fd, err);
	return g->machine == MACHINE_KVM && g->vm_fd < 0 ? -err->code : 0;
}

static int shared_memory(const char *name, size_t size, struct error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return error_errno(err, errno, "memory of the VM (%s)", name);
	return fd;
}

static int make_ring(struct guest *g, struct error *err)
{
	void *ring;

	g->ring_fd = shared_memory("callgate-ring", RING_SIZE, err);
	if (g->ring_fd < 0)
		return -err->code;
	ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, g->ring_fd, 0);
	if (ring == MAP_FAILED)
		return error_errno(err, errno, "ring");
	g->ring = ring;
	g->ring->magic = RING_MAGIC;
	g->ring->version = RING_VERSION;
	return 0;
}

int guest_make_memory(struct guest *g, struct error *err)
{
	int chan[2], ret = make_ring(g, err);

	if (ret || g->machine == MACHINE_KVM)
		return ret;
	g->mem_fd = shared_memory("callgate-guest", KDATA_MAX + KHEAP_MAX + KARENA_MAX, err);
	if (g->mem_fd < 0)
		return -err->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, chan))
		return error_errno(err, errno, "donation channel");
	g->chan_fd = chan[0];
	g->chan_guest_fd = chan[1];
	return 0;
}

static long futex(uint32_t *word, int op, uint32_t val, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, val, timeout, NULL, 0);
}

static int vm0_ended(struct guest *g)
{
	struct pollfd p = { .fd = g->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* What vm0's early exit statuses mean (machine/pv/boot.c, jail.c). */
static const char *start_failure(int status)
{
	static const char *const words[] = {
		[JAIL_EXIT_MOUNT - JAIL_EXIT_FIRST] = "cannot make an empty mount namespace",
		[JAIL_EXIT_USER - JAIL_EXIT_FIRST] = "cannot make a user namespace",
		[JAIL_EXIT_FDS - JAIL_EXIT_FIRST] = "cannot pass descriptors",
		[JAIL_EXIT_PRIVILEGES - JAIL_EXIT_FIRST] = "cannot drop privileges",
		[JAIL_EXIT_EXEC - JAIL_EXIT_FIRST] = "cannot execute the guest kernel image",
		[JAIL_EXIT_NAMESPACES - JAIL_EXIT_FIRST] = "cannot make the namespaces of its jail",
		[120 - JAIL_EXIT_FIRST] = "the guest kernel cannot map its memory",
		[121 - JAIL_EXIT_FIRST] = "the guest kernel cannot write its memory",
		[122 - JAIL_EXIT_FIRST] = "the seccomp filter was refused",
		[123 - JAIL_EXIT_FIRST] = "the CPU or host kernel lacks FSGSBASE",
	};
	int code = WIFEXITED(status) ? WEXITSTATUS(status) - JAIL_EXIT_FIRST : -1;

	if (code >= 0 && code < (int)(sizeof(words) / sizeof(words[0])) && words[code])
		return words[code];
	return "it ended unexpectedly";
}

static int start_error(struct guest *g, struct error *err)
{
	int status = guest_kill(g);

	return error_set(err, EIO, "cannot start the VM: %s (wait status %#x)", start_failure(status), status);
}

/* vm0 has installed its filter: take the listener that reports forbidden host calls. */
static int take_listener(struct guest *g, struct error *err)
{
	struct timespec slice = { .tv_nsec = 20 * 1000 * 1000 };
	uint32_t fd;
	int i;

	for (i = 0; !(fd = __atomic_load_n(&g->ring->listener_fd, __ATOMIC_ACQUIRE)); i++) {
		if (vm0_ended(g) || i > START_TIMEOUT_MS / 20)
			return start_error(g, err);
		futex(&g->ring->listener_fd, FUTEX_WAIT, 0, &slice);
	}
	g->notify_fd = (int)syscall(SYS_pidfd_getfd, g->pidfd, (int)fd - 1, 0);
	if (g->notify_fd < 0) {
		error_errno(err, errno, "seccomp listener of the VM");
		guest_kill(g);
		return -err->code;
	}
	return 0;
}

int guest_spawn(struct guest *g, uid_t user, int keep, struct error *err)
{
	struct jail_fds fds = { g->image_fd, g->mem_fd, g->ring_fd, g->chan_guest_fd };

	if (g->machine == MACHINE_KVM)
		return 0;
	g->vm0 = jail_spawn(&fds, user, keep, &g->pidfd);
	if (g->vm0 < 0)
		return error_errno(err, -g->vm0, "cannot start the VM's first process");
	close(g->chan_guest_fd);
	close(g->image_fd);
	close(g->mem_fd);
	return 0;
}

int guest_start(struct guest *g, struct error *err)
{
	const struct boot_info *boot = (const struct boot_info *)((const char *)g->ring + RING_BOOT_OFF);

	if (g->machine == MACHINE_KVM)
		return kvm_guest_new(&g->kvm, g->kvm_fd, g->vm_fd, g->image_fd, g->ring, boot->ncpus, boot->mem_total, err);
	return take_listener(g, err);
}

int guest_release(struct guest *g, struct pv_server *server, void (*on_end)(void *ctx, const char *why), void *ctx,
		  struct error *err)
{
	if (g->kvm)
		return kvm_guest_run(g->kvm, server, on_end, ctx, err);
	__atomic_store_n(&g->ring->listener_fd, 0xffffffffu, __ATOMIC_RELEASE);
	futex(&g->ring->listener_fd, FUTEX_WAKE, 1, NULL);
	return 0;
}

/* vm0 is pid 1 of the VM's pid namespace: the host kernel lets it become a zombie only when all others are dead. */
void guest_stop(struct guest *g)
{
	siginfo_t info;

	if (g->kvm)
		kvm_guest_stop(g->kvm);
	if (g->vm0 <= 0)
		return;
	kill(g->vm0, SIGKILL);
	while (waitid(P_PID, (id_t)g->vm0, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
}

int guest_kill(struct guest *g)
{
	int status = -1;

	guest_stop(g);
	if (g->kvm)
		kvm_guest_free(g->kvm);
	g->kvm = NULL;
	if (g->vm0 <= 0)
		return -1;
	while (waitpid(g->vm0, &status, 0) < 0 && errno == EINTR)
		;
	g->vm0 = 0;
	return status;
}
