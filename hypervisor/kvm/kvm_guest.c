// SPDX-License-Identifier: Apache-2.0
/* The VM as a whole. */
#include "kvm/kvm_guest.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/kvm_impl.h"

#define MSI_ADDRESS 0xfee00000u
#define TSS_ADDRESS 0xfffbd000u /* three pages that KVM wants for itself on Intel CPUs */
#define WAKE_SIGNAL SIGUSR1

int kvm_vm_make(int kvm_fd, struct error *err)
{
	int fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);

	return fd < 0 ? error_errno(err, errno, "/dev/kvm: cannot make a VM") : fd;
}

static int prepare_vm(struct kvm_guest *g, int kvm_fd, struct error *err)
{
	int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < 0)
		return error_errno(err, errno, "/dev/kvm: size of a virtual CPU");
	g->run_size = (size_t)size;
	if (ioctl(g->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) && errno != EINVAL)
		return error_errno(err, errno, "/dev/kvm: TSS");
	if (ioctl(g->vm_fd, KVM_CREATE_IRQCHIP, 0))
		return error_errno(err, errno, "/dev/kvm: interrupt controllers");
	return 0;
}

int kvm_guest_new(struct kvm_guest **out, int kvm_fd, int vm_fd, int image_fd, void *ring, unsigned int ncpus, u64 ram,
		  struct error *err)
{
	struct kvm_guest *g = calloc(1, sizeof(*g));
	u64 entry = 0;
	int ret;

	if (!g)
		return error_errno(err, ENOMEM, "VM");
	g->vm_fd = vm_fd;
	g->ready_epoll = g->stop_event = -1;
	g->ncpus = ncpus < KVM_MAX_CPUS ? ncpus : KVM_MAX_CPUS;
	pthread_mutex_init(&g->serve_lock, NULL);
	pthread_mutex_init(&g->ready_lock, NULL);
	window_init(&g->window);
	ret = prepare_vm(g, kvm_fd, err);
	if (!ret)
		ret = memory_make(g, ring, ram, err);
	if (!ret)
		ret = memory_load(g, image_fd, &entry, err);
	for (unsigned int i = 0; i < g->ncpus && !ret; i++)
		ret = vcpu_make(g, i, kvm_fd, entry, err);
	close(kvm_fd);
	close(image_fd);
	if (ret) {
		kvm_guest_free(g);
		return ret;
	}
	*out = g;
	return 0;
}

static void wake(int sig)
{
}

int kvm_guest_run(struct kvm_guest *g, struct pv_server *server, void (*on_end)(void *ctx, const char *why), void *ctx,
		  struct error *err)
{
	struct sigaction sa = { .sa_handler = wake };
	sigset_t set, old;
	int ret;

	g->server = server;
	g->on_end = on_end;
	g->ctx = ctx;
	sigaction(WAKE_SIGNAL, &sa, NULL);
	look_init(g);
	/* vCPUs take the signals that end them or ask them; all others are the main thread's */
	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, &old);
	ret = ready_start(g);
	sigdelset(&set, WAKE_SIGNAL);
	look_signal(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	if (!ret)
		ret = vcpu_start(&g->cpus[0]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret ? error_errno(err, -ret, "threads of the VM") : 0;
}

void kvm_guest_notify(struct kvm_guest *g)
{
	struct kvm_msi msi = { .address_lo = MSI_ADDRESS, .data = KVM_VEC_EVENT };

	ioctl(g->vm_fd, KVM_SIGNAL_MSI, &msi);
}

/* A thread that is not in KVM_RUN yet leaves it at once: immediate_exit. */
static void stop_cpu(struct vcpu *c)
{
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(c->thread, WAKE_SIGNAL);
}

void kvm_guest_stop(struct kvm_guest *g)
{
	__atomic_store_n(&g->stopping, true, __ATOMIC_SEQ_CST);
	/* the first one starts the others */
	for (unsigned int i = 0; i < g->ncpus; i++) {
		if (!g->cpus[i].started)
			continue;
		stop_cpu(&g->cpus[i]);
		pthread_join(g->cpus[i].thread, NULL);
		g->cpus[i].started = false;
	}
	ready_stop(g);
}

void kvm_guest_free(struct kvm_guest *g)
{
	for (unsigned int i = 0; i < g->ncpus; i++)
		vcpu_free(&g->cpus[i]);
	window_free(g);
	memory_free(g);
	if (g->vm_fd >= 0)
		close(g->vm_fd);
	free(g);
}
