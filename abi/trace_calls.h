/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_calls.h: what the arguments of system calls are, for the guest kernel, which copies what they point to, and for
 * `callgate trace`, which shows them. The table is made of kernel/sys/trace.tbl and kernel/sys/syscalls.tbl by
 * tools/gentrace.py, which takes the words of its lines from here.
 */
#ifndef CALLGATE_TRACE_CALLS_H
#define CALLGATE_TRACE_CALLS_H

#include "ring.h"

enum trace_arg {
	TRACE_ARG_HEX,
	TRACE_ARG_PTR,
	TRACE_ARG_INT,
	TRACE_ARG_UINT,
	TRACE_ARG_INT64,
	TRACE_ARG_SIZE,
	TRACE_ARG_MODE,
	TRACE_ARG_FD,
	TRACE_ARG_DIRFD,
	TRACE_ARG_OPEN,
	TRACE_ARG_AT,
	TRACE_ARG_ACCESS,
	TRACE_ARG_PROT,
	TRACE_ARG_MAP,
	TRACE_ARG_SIG,
	TRACE_ARG_WHENCE,
	TRACE_ARG_FAMILY,
	TRACE_ARG_SOCKTYPE,
	TRACE_ARG_MSG,
	TRACE_ARG_CLONE,
	TRACE_ARG_FUTEX,
	TRACE_ARG_FCNTL,
	TRACE_ARG_EPOLL,
	/* What these point to is copied before the call ... */
	TRACE_ARG_PATH,
	TRACE_ARG_STR,
	TRACE_ARG_ARGV,
	TRACE_ARG_IN,      /* as many bytes as the next argument says */
	TRACE_ARG_ADDR_IN, /* the same */
	TRACE_ARG_IOV_IN,  /* as many struct iovec as the next argument says */
	TRACE_ARG_MSG_IN,  /* struct msghdr */
	TRACE_ARG_TS,      /* struct timespec */
	/* ... and of these after it, if it did not fail. */
	TRACE_ARG_OUT, /* as many bytes as the result says */
	TRACE_ARG_CSTR,
	TRACE_ARG_ADDR_OUT, /* the next argument points to its length */
	TRACE_ARG_IOV_OUT,
	TRACE_ARG_MSG_OUT,
	TRACE_ARG_PAIR, /* int[2] */
	TRACE_ARG_STAT,  /* struct stat */
	TRACE_ARG_STATUS, /* of wait */
	TRACE_ARG_POLLFDS, /* as many as the next argument says */
};

#define TRACE_SET_FILE 1u
#define TRACE_SET_DESC 2u
#define TRACE_SET_MEMORY 4u
#define TRACE_SET_PROCESS 8u
#define TRACE_SET_SIGNAL 16u
#define TRACE_SET_NETWORK 32u
#define TRACE_SET_IPC 64u
#define TRACE_SET_CREDS 128u
#define TRACE_SET_CLOCK 256u

struct trace_call {
	u16 sets;
	u8 nargs;
	u8 args[6]; /* enum trace_arg */
};

extern const struct trace_call trace_calls[COUNTED_CALLS];

#endif
