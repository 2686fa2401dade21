/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm.h: the kvm machine's virtual hardware, what a vCPU and its hypervisor share: guest-physical memory, and calls
 * by exit. There is no other device. Constants are plain integers: assembler and linker script read them, too.
 *
 * Guest-physical memory is a few slots, whose pages the host makes when they are touched:
 *
 *   KVM_LOW     page tables of the kernel, the call pages, the kernel image
 *   KVM_RING    ring.h
 *   KVM_HEAP    the kernel's heap, and behind it the machine's own tables
 *   KVM_RAM     pages of guest processes
 *   KVM_WINDOW  files of the host: what KVM_CALL_MAP has mapped there. The page cache itself: nothing is copied
 *
 * A vCPU starts in 64-bit mode at the image's entry, with its number in rdi, on page tables that the hypervisor has
 * filled: all of guest-physical memory at KVM_DIRECT (no execution), but for the first GiB; the image at KVM_TEXT with the
 * permissions of its segments; the first KVM_LOWMEM_SIZE bytes (page tables, call pages) at KVM_LOWMEM. Its control registers,
 * local interrupt controller (x2APIC) and what KVM shares with it (struct kvm_call) are set: to write or ask for them leaves the VM.
 *
 * A call: the vCPU fills its call page and writes the command to port KVM_PORT (out, 32 bits). The hypervisor copies
 * what it needs once, acts, and puts the result into `ret`. It may not block longer than the host's file systems do.
 */
#ifndef CALLGATE_KVM_H
#define CALLGATE_KVM_H

#define KVM_MAX_CPUS 64

#define KVM_LOW_GPA 0x0
#define KVM_LOW_SIZE 0x4000000 /* 64 MiB */
#define KVM_TABLES_GPA 0x1000   /* the kernel's page tables: the first is the PML4 */
#define KVM_TABLES_SIZE 0x80000
#define KVM_CALLS_GPA 0x100000  /* KVM_CALL_ROOM for each vCPU */
#define KVM_CALL_ROOM 0x2000
#define KVM_READY_GPA 0x200000  /* struct kvm_ready */
#define KVM_IMAGE_GPA 0x1000000
#define KVM_RING_GPA 0x40000000 /* the second GiB */
#define KVM_HEAP_GPA 0x100000000
#define KVM_ARENA_GPA 0x180000000
#define KVM_ARENA_SIZE 0x80000000
#define KVM_RAM_GPA 0x200000000
#define KVM_RAM_MAX 0x3e00000000
#define KVM_CHUNK 0x200000 /* of KVM_RAM, on the same boundaries in the host's address space: it can be one huge page */
#define KVM_WINDOW_GPA 0x4000000000
#define KVM_WINDOW_SIZE 0x4000000000
#define KVM_PHYS_END 0x8000000000 /* 512 GiB: 39 bits, which every CPU with this kind of virtualization has */

#define KVM_DIRECT 0xffff800000000000
#define KVM_LOWMEM 0xffffff0000000000
#define KVM_LOWMEM_SIZE 0x400000
#define KVM_TEXT 0xffffffff80000000  /* the image's first byte, of KVM_IMAGE_GPA */

#define KVM_PORT 0x0ca1

/*
 * Exception that the hypervisor raises when a page of the window is used that its file does not have any more: the
 * kernel looks at the files' sizes anew. The instruction has had no effect.
 */
#define KVM_VEC_SHRUNK 18

/* Interrupt vectors. */
#define KVM_VEC_TIMER 0x20
#define KVM_VEC_KICK 0x21  /* between vCPUs: look at your work, run queue and TLB */
#define KVM_VEC_EVENT 0x22 /* the hypervisor: PV_EVENT, answers of PV calls, struct kvm_ready */
#define KVM_VEC_PAGE 0x23  /* KVM: a page has been read */
#define KVM_VEC_SPURIOUS 0xff

#ifndef __ASSEMBLER__

#include "layout.h"
#include "types.h"

/* The commands. ret: >= 0, or -errno; a call that no correct kernel makes ends the VM. */
enum kvm_call_nr {
	KVM_CALL_PV = 1,       /* serve the requests of the ring; those that block are answered later, with KVM_VEC_EVENT */
	KVM_CALL_START = 2,    /* by vCPU 0: start the others */
	KVM_CALL_CLOCKS = 3,   /* out: u.clocks */
	KVM_CALL_IO = 4,       /* u.io: preadv2, pwritev2; -EAGAIN instead of blocking */
	KVM_CALL_SEND = 5,     /* u.io; with -EAGAIN, out: off, how long to wait at most (SO_SNDTIMEO, SO_RCVTIMEO), ns; 0: for ever */
	KVM_CALL_RECV = 6,     /* the same; out: addr */
	KVM_CALL_SEEK = 7,     /* u.seek */
	KVM_CALL_FSTAT = 8,    /* u.seek.handle; out: u.stat, struct stat */
	KVM_CALL_POLL = 9,     /* u.poll: what is ready now; if nothing is, and arm is set, KVM_VEC_EVENT when something is */
	KVM_CALL_WATCH = 10,   /* u.watch: epoll_ctl */
	KVM_CALL_EVENTS = 11,  /* u.watch.watch, arg = how many; out: u.events. Never blocks; op = 1: arms, if there are none */
	KVM_CALL_MAP = 12,     /* u.map: map a handle's object into the window; out: u.map.gpa, off, len, size, and KVM_MAP_WRITE in flags if it may be written */
	KVM_CALL_UNMAP = 13,   /* u.map.gpa */
	KVM_CALL_SIZE = 14,    /* u.map.gpa; ret = the object's size now, in pages */
	KVM_CALL_PUNCH = 15,   /* u.map.gpa, off, len: madvise(MADV_REMOVE) */
	KVM_CALL_LARGER = 17,  /* u.map.gpa: map the same object anew, from the same place on, with another len. Else as KVM_CALL_MAP */
	KVM_CALL_PANIC = 16,   /* u.text: the kernel can't even use the ring */
	KVM_CALL_BOOTED = 18,  /* once: the first instruction of user code is next */
	KVM_CALL_GIVE = 19,    /* u.io.n, seg: pieces of KVM_RAM, in units of KVM_CHUNK, that are not used and are zeros when they are again */
	KVM_CALLS              /* how many numbers there are */
};

#define KVM_IO_SEGMENTS 256
struct kvm_extent {
	u64 gpa;
	u64 len;
};
#define KVM_POLL_MAX 512
struct kvm_poll {
	u32 handle;
	u16 events, revents;
};
#define KVM_EVENTS_MAX 64

/* struct pvclock_vcpu_time_info of Linux' arch/x86/include/asm/pvclock-abi.h */
struct kvm_time {
	u32 version, pad;
	u64 tsc, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
};

/* struct kvm_vcpu_pv_apf_data of Linux' arch/x86/include/uapi/asm/kvm_para.h */
struct kvm_apf {
	u32 flags; /* 1: the page fault is one of these */
	u32 token; /* set with the interrupt; cleared by the guest */
	u8 pad[56];
};

struct kvm_call {
	s64 ret;
	u64 timers, eois, kicks; /* exits by writes to the interrupt controller, as the guest counts them: for display only */
	/* What KVM shares with the vCPU, where it has that: the hypervisor has told it before the first instruction. */
	struct kvm_time time;
	struct kvm_apf apf;
	u32 no_eoi;     /* set where an interrupt's end need not be told */
	u32 xsave_size; /* with all that XCR0 has. From the hypervisor, as a guest that asks (cpuid) leaves the VM */
	u64 pad[7];
	union {
		struct {
			u32 handle, flags; /* MC_*; SEND, RECV: MSG_* */
			s64 off;
			u32 n;        /* segments */
			u32 addr_len; /* RECV: room, then length; 0: no address wanted */
			u32 arm;      /* events (poll) that KVM_VEC_EVENT is to tell of if this is -EAGAIN; out: 0, it will not */
			u32 pad;
			u8 addr[128];
			struct kvm_extent seg[KVM_IO_SEGMENTS];
		} io;
		struct {
			u32 handle, whence;
			s64 off;
		} seek;
		struct {
			u32 n, arm;
			struct kvm_poll fds[KVM_POLL_MAX];
		} poll;
		struct {
			u32 watch, handle, op, events;
			u64 data, arg;
		} watch;
		struct {
			u32 handle, flags; /* MAP: KVM_MAP_WRITE, if it can be had; KVM_MAP_WHOLE */
			u64 off, len, gpa, size;
		} map;
		struct {
			u64 now; /* the VM's kvmclock, at which ... */
			u64 clock[12]; /* ... the clocks had these values, by number; ns */
		} clocks;
		struct {
			u64 data;
			u32 events, pad;
		} events[KVM_EVENTS_MAX];
		u8 stat[256];
		char text[4096];
	} u;
};
_Static_assert(sizeof(struct kvm_call) <= KVM_CALL_ROOM, "a call page is too small");
_Static_assert(__builtin_offsetof(struct kvm_call, apf) % 64 == 0, "KVM wants it so");

#define KVM_MAP_WRITE 1u
#define KVM_MAP_WHOLE 2u /* from the file's beginning to its end at least, if it is not large */

/*
 * Handles that are armed and ready, a bit for each: set by the hypervisor, then the bit of the word in `words`; cleared by the
 * guest in the other order. `events` is what they are ready for, and there before the bits.
 */
struct kvm_ready {
	u32 words[MAX_HANDLES / 32 / 32];
	u32 handles[MAX_HANDLES / 32];
	u16 events[MAX_HANDLES];
};
_Static_assert(KVM_READY_GPA + sizeof(struct kvm_ready) <= KVM_LOWMEM_SIZE, "handles that are ready are mapped");

#endif
#endif
