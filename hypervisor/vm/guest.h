/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of the hypervisor. On the pv machine: vm0, the first host process of a VM, in a jail of its own. On
 * the kvm machine: a VM of the host's KVM (kvm/kvm_guest.h).
 */
#ifndef CALLGATE_VM_GUEST_H
#define CALLGATE_VM_GUEST_H

#include <sys/types.h>

#include "lib/error.h"
#include "ring.h"
#include "vm/machine.h"

struct kvm_guest;
struct pv_server;

struct guest {
	enum machine machine;
	struct kvm_guest *kvm; /* MACHINE_KVM, which uses nothing but image_fd and ring besides */
	int kvm_fd, vm_fd;
	int image_fd;  /* the guest kernel, before container_enter() */
	int mem_fd;    /* kernel data and heap */
	int ring_fd;
	struct ring_header *ring; /* mapped here; guest-writable: never trusted */
	int chan_fd;   /* donated descriptors are sent here */
	int chan_guest_fd;
	pid_t vm0;     /* its pid here */
	int pidfd;
	int notify_fd; /* seccomp: host calls outside the table are reported here */
};

/* Finds and opens the guest kernel image: next to the program, or where it is installed. */
int must_check guest_open_image(struct guest *g, enum machine machine, struct error *err);
/* Of the kvm machine: the VM, empty. Before container_enter(). */
int must_check guest_make_vm(struct guest *g, struct error *err);
/* The memory that hypervisor and guest share. In the container's cgroup: it is charged to the container. */
int must_check guest_make_memory(struct guest *g, struct error *err);
/*
 * pv: vm0, as this user of the host if there is one, on its way to the guest kernel's first instructions, which install the
 * filter of boot_info and wait for guest_release(). keep: see jail_spawn().
 */
int must_check guest_spawn(struct guest *g, uid_t user, int keep, struct error *err);
/* Returns when the guest's filter is in force, before the first guest process. */
int must_check guest_start(struct guest *g, struct error *err);
/* Lets the guest go on: boot_info is written, the PV call server ready. on_end: the VM can't go on (kvm; any thread). */
int must_check guest_release(struct guest *g, struct pv_server *server, void (*on_end)(void *ctx, const char *why),
			     void *ctx, struct error *err);
/* Kills every process of the VM and waits until they are gone. vm0 stays, a zombie: its pid is nobody else's. */
void guest_stop(struct guest *g);
/* The same, and reaps vm0. Its wait status; -1 if unknown. */
int guest_kill(struct guest *g);

#endif
