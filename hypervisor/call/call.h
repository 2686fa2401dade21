/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h: one PV call on its way through the server.
 *
 * A request is copied once, its decode function checks all of it and takes references to
 * what it names, then its perform function acts on the copy. The only guest
 * memory touched after decoding is the slot's buffer: as the source of data bytes, whose value
 * does not matter to the hypervisor, and as the destination of results.
 */
#ifndef CALLGATE_CALL_CALL_H
#define CALLGATE_CALL_CALL_H

#include <errno.h>
#include <stddef.h>

#include "call/handle.h"
#include "layout.h"
#include "pvcall.h"
#include "ring.h"

struct pv_server;
struct caller;
struct cred;
struct program;

/* perform returns this when the guest must not get an answer (power off, panic). */
#define CALL_NO_ANSWER (-0x10000)

#define CALL_BLOCKS 0x1u /* may sleep in the host: goes to a worker thread */

struct call;

struct pv_command {
	const char *name;
	int (*decode)(struct call *c); /* 0, -errno, or violation() */
	int (*perform)(struct call *c); /* >= 0, -errno, CALL_NO_ANSWER, or violation() */
	u32 flags;
};

struct call {
	struct pv_server *srv;
	struct caller *me; /* the serving thread */
	const struct pv_command *command;
	struct call *next; /* in the workers' queue */
	u8 *buf; /* RING_BUF_SIZE bytes, shared with the guest */
	const char *field, *violation; /* what is wrong with the request, and where; NULL: nothing */
	struct pv_request req;
	struct pv_response rsp;
	bool blocks; /* decode found that this one may sleep */

	/* What decode found; references are dropped by call_end(). */
	struct pv_handle *h, *h2; /* handle calls */
	struct pv_handle *more[PV_RELEASE_MORE];
	struct pv_handle *dir[2]; /* path calls; NULL: the container's root */
	struct pv_handle *root; /* the caller's root directory; NULL: the container's */
	struct cred *cred;
	struct program *program; /* what the caller runs; NULL: not known */
	int dirfd[2];
	char path[2][PV_PATH_MAX + 1];
};

/* The guest broke the protocol: the VM ends, and the reason says which request, which field, and why. */
static inline int violation(struct call *c, const char *field, const char *why)
{
	c->field = field;
	c->violation = why;
	return -EPROTO;
}

const struct pv_command *pv_command_find(u32 cmd);
/* A dense number for statistics; COMMANDS for an unknown command. */
#define COMMANDS 87
u32 command_index(u32 cmd);
const struct pv_command *command_at(u32 index);

/* Copies guest bytes once: the compiler may not fetch them again from the shared buffer. */
void fetch(void *to, const void *shared, size_t len);
/* Fetches len bytes at buffer offset off as a string; refuses embedded NULs. `to` holds len + 1. */
int fetch_string(struct call *c, const char *field, size_t off, size_t len, char *to);
void call_end(struct call *c);

/* Common decoders. `field` is the name that a violation gives. */
int decode_cred(struct call *c, u32 cred);
int decode_program(struct call *c, u32 cred); /* only the part of it that names the program */
int decode_handle(struct call *c, const char *field, u64 id, u32 kinds, struct pv_handle **out);
int decode_new_handle(struct call *c, const char *field, u64 id);
int decode_len(struct call *c, const char *field, u64 len);

/*
 * Enters fd (taken over, also on failure) as the handle the guest chose, donates it if asked.
 * Returns 0 or a failure.
 */
int call_install(struct call *c, u32 id, enum handle_kind kind, int fd, bool donate);
int call_donate(struct call *c, u32 id, int fd);

/* Commands by group; see command.c for their numbers. */
extern const struct pv_command xen_commands[], path_commands[], file_commands[], sock_commands[],
	object_commands[], control_commands[];

#endif
