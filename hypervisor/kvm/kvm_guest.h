/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_guest.h: the VM of the kvm machine (abi/kvm.h). vCPUs are threads of the hypervisor; each serves the calls that
 * its vCPU makes.
 */
#ifndef CALLGATE_KVM_GUEST_H
#define CALLGATE_KVM_GUEST_H

#include <jansson.h>

#include "lib/error.h"
#include "types.h"

struct pv_server;
struct kvm_guest;

/*
 * The host's KVM, if it is one that can be used (probe.c); before the container's root is entered. A descriptor, or
 * -errno with what is missing.
 */
int must_check kvm_open(struct error *err);
/*
 * The VM itself, still empty. Before the container's cgroup is entered: until Linux 6.13 a thread of the kernel comes
 * with it (kvm-nx-lpage-recovery) that stays where it is made, and a cgroup with such a thread never is "frozen".
 */
int must_check kvm_vm_make(int kvm_fd, struct error *err);
/*
 * Fills it: memory, with the kernel of the image in it, and ncpus vCPUs. ring is RING_SIZE bytes, mapped here, with
 * boot_info in place. Takes over the descriptors. In the container's cgroup: what it touches is charged there.
 */
int must_check kvm_guest_new(struct kvm_guest **out, int kvm_fd, int vm_fd, int image_fd, void *ring, unsigned int ncpus,
			     u64 ram, struct error *err);
/* Lets it run: the server is ready. on_end is called, by a vCPU's thread, when the VM can't go on. */
int must_check kvm_guest_run(struct kvm_guest *g, struct pv_server *server,
			     void (*on_end)(void *ctx, const char *why), void *ctx, struct error *err);
/* Something has been posted or answered. Any thread. */
void kvm_guest_notify(struct kvm_guest *g);
/* No vCPU runs, and no thread of it is left. */
void kvm_guest_stop(struct kvm_guest *g);
void kvm_guest_free(struct kvm_guest *g);

/*
 * How often its virtual CPUs have left the guest: {"call":{"pv":1, ...},"kvm":{"exits":1, ...},"kicks":0,"apic":{"timer":0, ...}}, and the same
 * of its start as "boot", with the bytes of memory that it took, "touched". Any thread.
 */
json_t *kvm_guest_exits(const struct kvm_guest *g);
/* What its virtual CPUs do at this moment, and where its memory is, for people: {"text":"..."}. The main thread. */
json_t *kvm_guest_look(struct kvm_guest *g);

#endif
