/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_ring.h: what guest calls did, told by the guest kernel: for `callgate trace`.
 *
 * It lies in the memory of ring.h, at RING_TRACE_OFF. The hypervisor sets what is wanted, then
 * guest_counters.tracing; the guest appends records to a ring of bytes, which the hypervisor passes on as they are to
 * whoever asked: it looks at nothing but `head`, read once, of which it only believes what the ring can hold. The
 * reader of the records believes none of them either.
 *
 * A record that finds no room is counted, and the next one says how many there were; with TRACE_WAIT the
 * call waits for room instead.
 *
 * Calls that concern nobody but their task may leave short records (trace_short) with the guest for a while: `waiting`. They are appended
 * before the next other record of that task; or when `drain` is counted up, with which comes a kick: then `drained` follows.
 */
#ifndef CALLGATE_TRACE_RING_H
#define CALLGATE_TRACE_RING_H

#include "ring.h"

#define RING_TRACE_OFF 0x2e0000u
#define RING_TRACE_DATA_OFF 0x300000u
#define TRACE_DATA_SIZE 0x100000u /* a power of two */

_Static_assert(RING_TRACE_DATA_OFF + TRACE_DATA_SIZE <= RING_DATA_OFF, "the trace overlaps the buffers");
_Static_assert(RING_BOOT_OFF + RING_BOOT_MAX <= RING_TRACE_OFF, "the trace overlaps boot_info");

/* trace_header.flags */
#define TRACE_RECORDS 1u /* a record for each call */
#define TRACE_SUMS 2u    /* trace_header.sums */
#define TRACE_WAIT 4u    /* for room in the ring */
#define TRACE_CLOCK 8u   /* start and time are wanted: else they are 0 */

#define TRACE_STRING_MAX 256u /* bytes of a buffer or string that a record has at most */
#define TRACE_RECORD_MAX 2048u

struct trace_sum {
	u64 calls, errors;
	u64 time; /* ns, from call to result */
	u64 host_calls, pv_calls;
};

struct trace_header {
	/* Written by the hypervisor. */
	u32 flags;
	s32 pid;         /* only this process; 0: all */
	u32 string_size; /* at most TRACE_STRING_MAX */
	u32 tail;        /* bytes taken */
	u32 session;     /* counts traces: what is left from an earlier one is nothing to this one */
	u32 drain;       /* counts wishes to have all records */
	u64 wanted[COUNTED_CALLS / 64]; /* by number of the call */
	/* Written by the guest. */
	u32 head __attribute__((aligned(64))); /* bytes written; goes round at 2^32 */
	u32 lost;                              /* records, so far */
	u32 waiting;                           /* 1: records have been left with the guest, perhaps */
	u32 drained;                           /* the last `drain` that was met */
	struct trace_sum sums[COUNTED_CALLS];
};

_Static_assert(RING_TRACE_OFF + sizeof(struct trace_header) <= RING_TRACE_DATA_OFF, "sums overlap records");

enum trace_type {
	TRACE_CALL = 1,
	TRACE_SIGNAL = 2, /* nr = signal, delivered to a handler */
	TRACE_EXITED = 3, /* the process ended: result = its wait status */
	TRACE_SHORT = 5, /* struct trace_short */
	TRACE_STARTED = 4, /* a call is going to sleep: what is known of it. Its TRACE_CALL follows when it ends */
};

#define TRACE_NO_RESULT 1u /* trace_record.flags: a call that does not return */

struct trace_record {
	u32 size; /* with data, a multiple of 8 */
	u16 type;
	u16 nr;
	s32 pid, tid;
	u32 lost;  /* records that found no room before this one, since the one before */
	u32 flags;
	u64 start; /* ns, CLOCK_MONOTONIC of the host */
	u64 time;  /* ns that it took */
	u64 args[6];
	s64 result;
	u32 host_calls, pv_calls;
	u8 data[]; /* struct trace_item with its bytes, again and again, each from a multiple of 4 on */
};

/* A call without host calls and PV calls, whose arguments point to nothing that is shown. */
struct trace_short {
	u32 size; /* with arguments: as many as there is room for, 6 at most */
	u16 type;
	u16 nr;
	s32 tid;
	u32 lost;
	s64 result;
	u64 args[];
};

/* What an argument points to. */
struct trace_item {
	u8 arg;
	u8 flags; /* TRACE_CUT */
	u16 len;
};
#define TRACE_CUT 1u /* there was more of it */
#define TRACE_NO_ARG 0xff /* fills up */

#endif
