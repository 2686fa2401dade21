/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of hypervisor/kvm/. */
#ifndef CALLGATE_KVM_IMPL_H
#define CALLGATE_KVM_IMPL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "call/server_impl.h"
#include "kvm.h"
#include "kvm/kvm_guest.h"

/* A piece of guest-physical memory. */
struct slot {
	u64 gpa, size;
	u8 *at; /* mapped here; guest-writable: never trusted */
};
enum { SLOT_LOW, SLOT_RING, SLOT_HEAP, SLOT_RAM, SLOT_WINDOW, SLOTS };

#define LOADED_MAX 8

/* What is mapped into the window: a piece of a file. */
struct window_object {
	struct window_object *next;
	u64 off, len; /* in the window */
	u64 file_off;
	struct pv_handle *handle;
};

struct window {
	pthread_mutex_t lock;
	struct window_object *objects; /* by their place */
};

/* What KVM counts, as it is documented in Linux' Documentation/virt/kvm/api.rst. Exits that have no count of their own are the rest. */
enum kvm_stat { KVM_STAT_EXITS, KVM_STAT_IO, KVM_STAT_HALT, KVM_STAT_FAULT, KVM_STAT_HOST, KVM_STAT_WINDOW, KVM_STATS };

struct kvm_counts {
	u64 calls[KVM_CALLS];  /* by exit to this program */
	u64 kicks;
	u64 timers, eois, ipis; /* the guest's word */
	s64 stats[KVM_STATS];  /* -1: the host's KVM does not count it */
};

/* From the making of the VM to the first instruction of user code. */
struct kvm_boot {
	struct kvm_counts counts;
	u64 touched; /* bytes of guest-physical memory, but for files */
	bool prefaulted; /* what a start uses was in KVM's tables before */
};

/* Where KVM's own counts of a vCPU are: their places behind its descriptor. -1: it has no such count. */
struct kvm_stats {
	int fd;
	s64 at[KVM_STATS];
};

/* A vCPU's state, for who asks what it does: look.c. */
struct vcpu_look {
	bool asked; /* atomic */
	bool told;  /* under look_lock, as what follows */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state apic;
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;
};

struct vcpu {
	struct kvm_guest *guest;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	struct kvm_call *call; /* guest-writable */
	pthread_t thread;
	bool started;
	struct caller me;
	u64 calls[KVM_CALLS]; /* exits that this program saw; only its thread counts */
	u64 kicks;            /* signals */
	struct kvm_stats stats;
	u32 serving;          /* the call that is being served, 0: none; for display */
	struct vcpu_look look;
};

struct kvm_guest {
	int vm_fd;
	size_t run_size;
	struct slot slots[SLOTS];
	struct kvm_extent loaded[LOADED_MAX]; /* page tables and segments of the image, less those that are zeros */
	u32 nloaded;
	unsigned int ncpus;
	struct vcpu cpus[KVM_MAX_CPUS];
	struct pv_server *server;
	pthread_mutex_t serve_lock; /* whoever takes requests from the ring */
	struct window window;
	/* readiness: an epoll instance of all handles that are watched for, and a thread that waits for it */
	int ready_epoll, stop_event;
	pthread_mutex_t ready_lock;
	u16 armed[MAX_HANDLES]; /* under ready_lock: what somebody waits for, by handle */
	pthread_t ready_thread;
	bool ready_started;
	pthread_mutex_t look_lock;
	pthread_cond_t look_told;
	bool stopping; /* atomic */
	bool has_booted; /* atomic: `boot` is complete */
	struct kvm_boot boot;
	void (*on_end)(void *ctx, const char *why);
	void *ctx;
};

/* Others may read it meanwhile. */
static inline void count(u64 *n) { __atomic_store_n(n, *n + 1, __ATOMIC_RELAXED); }

/* memory.c */
int memory_make(struct kvm_guest *g, void *ring, u64 ram, struct error *err);
int memory_load(struct kvm_guest *g, int image_fd, u64 *entry, struct error *err);
void memory_free(struct kvm_guest *g);
/* [gpa, gpa+len) as it is mapped here; NULL: it is not all in one slot. */
void *memory_at(struct kvm_guest *g, u64 gpa, u64 len);
/* Memory that the guest does not need. False: it is not its to give. */
bool memory_give(struct kvm_guest *g, u64 gpa, u64 len);
/* How much of a slot the host has made pages for, up to `most` bytes of it. */
u64 memory_touched(const struct slot *s, u64 from, u64 most);
/* counts.c */
void counts_open(struct vcpu *c);
void counts_close(struct vcpu *c);
s64 counts_booted(struct kvm_guest *g);
const char *counts_call_name(u32 nr); /* NULL: there is no such call */
/* look.c */
void look_init(struct kvm_guest *g);
void look_signal(sigset_t *set); /* vCPUs take it, too */
void look_tell(struct vcpu *c);
/* vcpu.c */
int vcpu_make(struct kvm_guest *g, unsigned int id, int kvm_fd, u64 entry, struct error *err);
int vcpu_start(struct vcpu *c);
void vcpu_free(struct vcpu *c);
/* vcpu_state.c */
int vcpu_set_state(struct vcpu *c, int kvm_fd, u64 entry);
/* prefault.c: by the first vCPU's thread, before it runs and has its filter */
void vcpu_prefault(struct vcpu *c);
/* calls.c: one call of the vCPU. False: the VM has to end; *why. */
bool serve_call(struct vcpu *c, u32 nr, const char **why);
/* window.c */
void window_init(struct window *w);
struct window_place {
	u64 file_off, len; /* in: what is wanted; out: what is there */
	bool write;        /* the same */
	bool whole;	   /* in: all of the file, unless it is large */
	u64 off, pages;    /* out: where in the window; how many pages there are */
};
s64 window_map(struct kvm_guest *g, struct pv_handle *h, struct window_place *p);
/* What lies at `from` once more, with another length. */
s64 window_map_again(struct kvm_guest *g, u64 from, struct window_place *p);
s64 window_unmap(struct kvm_guest *g, u64 off);
s64 window_pages(struct kvm_guest *g, u64 off);
s64 window_punch(struct kvm_guest *g, u64 off, u64 from, u64 len);
bool window_shrunk(struct kvm_guest *g);
void window_free(struct kvm_guest *g);
/* ready.c */
int ready_start(struct kvm_guest *g);
void ready_stop(struct kvm_guest *g);
int ready_arm(struct kvm_guest *g, u32 handle, int fd, u32 events);

#endif
