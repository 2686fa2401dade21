/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h: the memory that guest and hypervisor share to exchange PV calls.
 *
 * The region is one memory object of RING_SIZE bytes:
 *
 *   0                  struct ring_header   indices, doorbell, responses
 *   RING_COUNTERS_OFF  struct guest_counters   written by the guest, shown by `callgate debug`
 *   RING_BOOT_OFF      struct boot_info     written by the hypervisor; on pv the filter before the rest
 *   RING_TRACE_OFF     struct trace_header  and its records (trace_ring.h)
 *   RING_DATA_OFF      RING_SLOTS buffers of RING_BUF_SIZE bytes
 *   DATA_RINGS_OFF     DATA_RINGS data rings (number 0 is none), of DATA_RING_STRIDE bytes
 *
 * A call owns one slot, number 0 .. RING_SLOTS-1, which is its req_id: its data
 * buffer is buffer number req_id, its response is responses[req_id]. The guest
 * fills the buffer, writes the request to requests[req_prod % RING_SLOTS] and
 * publishes it by advancing req_prod (release). There can never be more
 * requests than slots, so the request ring cannot overflow.
 *
 * The hypervisor copies a request once, decodes the copy, acts, writes the
 * response and stores SLOT_DONE to state[req_id] (release); if the previous
 * value was SLOT_SLEEPING it wakes the futex state[req_id].
 *
 * Doorbell: before it sleeps the hypervisor stores 1 to `sleeping`, re-reads
 * req_prod, and waits on the futex `sleeping` while it is 1. A guest that has advanced
 * req_prod and then (after a full fence) reads sleeping == 1 stores 0 and wakes that futex.
 *
 * Data rings carry the bytes of stream sockets where descriptors are not donated (RING_F_DATA_RINGS). Whoever has
 * moved an index sets the ring's bit in the other side's `work`; if it was not set already, it counts the other
 * side's `bells` up and wakes who sleeps: the hypervisor as above, the guest on the futex `guest_bells`. The other
 * side clears the bit before it looks at the ring. docs/pvcalls.md has the rest.
 *
 * Nothing here is trusted by the hypervisor: the indices are read once, ranges are
 * bounded by RING_SLOTS, and its own position in the ring is private.
 */
#ifndef CALLGATE_RING_H
#define CALLGATE_RING_H

#include "pvcall.h"
#include "types.h"

#define RING_MAGIC 0x43474154u /* "CGAT" */
#define RING_VERSION 2u

#define RING_SLOTS 64u
#define RING_BUF_SIZE 0x20000u /* 128 KiB */
#define RING_COUNTERS_OFF 0x4000u
#define RING_BOOT_OFF 0x10000u
#define RING_BOOT_MAX 0x200000u
#define RING_DATA_OFF 0x400000u

/* Xen's ring_order: pages of both directions together, as a power of two. Each direction has half of them. */
#define DATA_RING_ORDER 4u
#define DATA_RING_SIZE (1u << (DATA_RING_ORDER + 12 - 1))
#define DATA_RING_STRIDE (0x1000u + 2 * DATA_RING_SIZE)
#define DATA_RINGS 2048u
#define DATA_RINGS_OFF (RING_DATA_OFF + RING_SLOTS * RING_BUF_SIZE)
#define RING_SIZE (DATA_RINGS_OFF + DATA_RINGS * DATA_RING_STRIDE)

/* ring_header.features: stream sockets have no donated descriptors, but data rings. */
#define RING_F_DATA_RINGS 1u

/* state[]: who owns a slot's response. */
enum slot_state {
	SLOT_FREE = 0,     /* not in use, or the guest has not issued it yet */
	SLOT_PENDING = 1,  /* issued; the guest polls */
	SLOT_SLEEPING = 2, /* issued; the guest sleeps on the futex state[req_id] */
	SLOT_DONE = 3,     /* the response is complete */
};

/*
 * The first page of a data ring: Xen's struct pvcalls_data_intf, with two words of ours in its padding. Behind it
 * lie DATA_RING_SIZE bytes from the network (in), then as many to it (out). The indices run freely; the byte of index
 * i is at i % DATA_RING_SIZE. The side that consumes never passes prod, the one that produces never passes cons + size.
 */
#define DATA_RING_URGENT 0x100u
struct data_ring {
	u32 in_cons;  /* guest */
	u32 in_prod;  /* hypervisor */
	s32 in_error; /* hypervisor: 0, -ENOTCONN at the end of the stream, or why there will be no more bytes */
	u32 in_full;  /* 1: the hypervisor waits for room, and wants the bell when in_cons has moved */
	/*
	 * Ours. Urgent data: each that comes is counted, and told at once; its byte is in_urgent's low one with DATA_RING_URGENT,
	 * else it lies in the stream (SO_OOBINLINE). Reads stop at the mark, index in_mark, of that number in_marks.
	 */
	u32 in_urgents; /* hypervisor */
	u32 in_urgent;  /* hypervisor */
	u32 in_marks;   /* hypervisor */
	u32 in_mark;    /* hypervisor */
	u8 pad1[32];
	u32 out_cons;  /* hypervisor */
	u32 out_prod;  /* guest */
	s32 out_error; /* hypervisor: why no more bytes are taken; -EINPROGRESS until the connection is made */
	u32 out_full;  /* 1: the guest waits for room, and wants the bell when out_cons has moved */
	u8 pad2[48];
	u32 ring_order; /* hypervisor: DATA_RING_ORDER */
	u32 ref[];      /* Xen's grants of the data pages: unused, they lie behind this page */
};
_Static_assert(__builtin_offsetof(struct data_ring, out_cons) == 64, "Xen's layout");
_Static_assert(__builtin_offsetof(struct data_ring, ring_order) == 128, "Xen's layout");

struct ring_header {
	u32 magic;
	u32 version;
	u32 features; /* RING_F_*, set by the hypervisor */
	/*
	 * Futex. vm0 stores the number of its seccomp listener, plus 1; the hypervisor takes a copy
	 * of that descriptor and stores 0xffffffff, upon which vm0 closes it and starts the guest.
	 */
	u32 listener_fd;
	u64 pad2;
	/* Counts up for each event that the hypervisor has posted (PV_EVENT); vm0 is kicked as well. */
	u32 events;
	u32 pad1;
	u32 pad0[8];

	/* Written by the guest. */
	u32 req_prod __attribute__((aligned(64)));
	u32 caller_cpu; /* the host's CPU, plus 1, of who advanced it last; 0: not known. A hint */
	/* Futex. 1: the hypervisor sleeps and wants the doorbell. */
	u32 sleeping __attribute__((aligned(64)));
	u32 server_cpu; /* written by the hypervisor: the CPU, plus 1, on which it took the last request. A hint */
	u32 state[RING_SLOTS] __attribute__((aligned(64)));
	struct pv_response responses[RING_SLOTS] __attribute__((aligned(64)));
	struct pv_request requests[RING_SLOTS] __attribute__((aligned(64)));

	/* Data rings, a bit for each in `work`: see above. */
	u32 host_bells __attribute__((aligned(64))); /* counted up by the guest */
	u32 host_work[DATA_RINGS / 32];
	u32 guest_bells __attribute__((aligned(64))); /* futex; counted up by the hypervisor */
	u32 guest_work[DATA_RINGS / 32];
};

_Static_assert(sizeof(struct ring_header) <= RING_COUNTERS_OFF, "header overlaps counters");

#define COUNTED_CALLS 512
#define COUNTED_ROWS 16
#define ROW_HOSTCALLS COUNTED_CALLS /* of a row: host calls made while serving its calls */
#define ROW_WORDS (COUNTED_CALLS + 16)
struct guest_counters {
	u32 calls[COUNTED_CALLS];   /* guest calls entered, by number; without those of `rows` */
	u32 missing[COUNTED_CALLS]; /* ... of these answered ENOSYS */
	u32 hostcalls[COUNTED_CALLS]; /* host calls made while serving them; without those of `rows` */
	u32 pvcalls[COUNTED_CALLS];  /* PV calls made while serving them */
	u32 traps;                   /* guest calls that arrived by SIGSYS */
	u32 patched;                 /* call sites patched */
	u32 cpuid_served, cpuid_executed; /* cpuid instructions: answered from what is known; executed by the guest kernel */
	u32 tracing;                 /* written by the hypervisor: not 0 while somebody traces (trace_ring.h) */
	u32 rows[COUNTED_ROWS][ROW_WORDS]; /* more guest calls: of tasks that make many, each row of one at a time */
};

_Static_assert(RING_COUNTERS_OFF + sizeof(struct guest_counters) <= RING_BOOT_OFF, "counters overlap");

/*
 * What the guest kernel is told at boot. Strings are offsets from the start of
 * this structure to NUL-terminated strings within `size`; 0 means none.
 */
struct boot_mount {
	u32 target;  /* absolute path in the container */
	u32 type;    /* "proc", "sysfs", "devtmpfs", "tmpfs", "devpts", "mqueue", "cgroup", "bind", "masked", "readonly"; "host": the hypervisor mounted it, for mountinfo only */
	u32 options; /* comma separated, may be 0 */
	u32 flags;   /* MS_* of the mount(2) man page that matter: MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, and those of access times for mountinfo */
	u32 handle;  /* "bind" below a guest-side mount: the PV handle of its root; else 0 */
	u32 host_major, host_minor; /* device number of the marker on the host side */
	u32 source, fstype;         /* as mountinfo shows them; may be 0 */
	u32 pad;
};

struct boot_rlimit {
	u32 resource; /* RLIMIT_* */
	u32 pad;
	u64 soft, hard;
};

/* A program to run: the container's first, or a further one (PV_EV_EXEC). Offsets as above. */
#define BOOT_MAX_GROUPS 1024
struct boot_process {
	u32 argc, argv; /* argv: offset of an array of argc u32 string offsets */
	u32 envc, envp;
	u32 cwd;
	u32 uid, gid, umask, ngroups;
	u32 groups[BOOT_MAX_GROUPS];
	u32 no_new_privs;
	u32 terminal;   /* descriptors 0 to 2 are one terminal, which becomes the controlling one */
	u32 nfds;       /* descriptors from 0 on: 3 and those to preserve */
	u32 oom_score_adj;
	u32 nrlimits;
	u32 rlimits;    /* offset of struct boot_rlimit[nrlimits] */
	u32 sched_policy, sched_priority; /* SCHED_*: as the guest's calls report them; the host's part is done */
	s32 sched_nice;
	u32 sched_reset; /* SCHED_FLAG_RESET_ON_FORK */
	u32 ioprio;      /* 0: none set */
	u32 personality;
	u32 pad;
	u64 cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
};

/* One extent of a user namespace's uid_map or gid_map. */
struct boot_idmap {
	u32 inside, outside, count;
};

/* linux.devices: a node below /dev. */
struct boot_device {
	u32 path;
	u32 mode; /* with the type: S_IFCHR, S_IFBLK, S_IFIFO */
	u32 major, minor;
	u32 uid, gid;
	u32 from_host; /* 1: opened by PV_DEVICE of its number; 0: the guest kernel's own */
	u32 pad;
};

struct boot_info {
	u32 size;     /* bytes, with all strings */
	u32 ncpus;    /* CPUs that the container may use */
	u64 mem_limit; /* bytes, for meminfo; 0 = none */
	u64 mem_total; /* bytes of memory of the host */
	u8 seed[64];  /* random bytes */
	struct boot_process process; /* guest pid 1 */
	u32 hostname, domainname;
	u32 id;       /* container ID, for messages */
	u32 nmounts;
	u32 mounts;   /* offset of struct boot_mount[nmounts] */
	u32 stdio[3]; /* PV handles of descriptors 0, 1, 2; 0 = closed */
	u32 vdso_ok;  /* the host's vdso may be given to guest processes */
	u32 debug;    /* log level */
	u32 filter;   /* offset of the struct sock_filter array of the hypercall table */
	u32 filter_len; /* instructions */
	u32 no_patch; /* 1: never patch call sites */
	u32 host_release; /* the host's uname release, for messages only */
	u32 seccomp;     /* offset of the struct sock_filter array for guest calls (linux.seccomp); 0: none */
	u32 seccomp_len; /* instructions */
	u32 seccomp_flags; /* SECCOMP_FILTER_FLAG_* */
	u32 wait_start;  /* 1: pid 1 waits for PV_EV_START before it executes its program */
	u32 sysctls, nsysctls; /* offset of an array of nsysctls pairs of u32 string offsets: name, value. Set by the guest kernel */
	u32 uid_map, nuid_map; /* offset of struct boot_idmap[nuid_map]: the ids there are; 0 of them: all, as they are */
	u32 gid_map, ngid_map;
	u32 setgroups_denied;  /* 1: the host allows no setgroups() in this user namespace */
	u32 devices, ndevices; /* offset of struct boot_device[ndevices] */
	u32 notify;   /* path of a datagram socket to make, whose messages go to PV_NOTIFY; 0: none */
	u32 dgrams_by_call; /* 1: datagrams are to be received by PV_RECVFROM, for policies to see */
	u32 exec_ids; /* 1: programs are to be registered by PV_EXEC_ID */
	u32 unix_mounts; /* not 0: some mounts have unix sockets that are the host's: PV_UNIX_CONNECT, PV_UNIX_BIND */
};

#endif
