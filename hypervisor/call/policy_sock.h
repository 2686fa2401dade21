/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_sock.h: where socket calls meet the policies in force. Each returns 0, or -errno as the policy says, and has
 * told the log. Without a policy they cost a look at a pointer.
 *
 * That this is enough rests on abi/hypercalls.def: no host call of a guest process names an address, so what a donated
 * descriptor sends goes where a PV call has connected it to.
 */
#ifndef CALLGATE_CALL_POLICY_SOCK_H
#define CALLGATE_CALL_POLICY_SOCK_H

#include "call/call.h"
#include "call/policy.h"

/* What the log is told. */
struct policy_event {
	const struct policy *policy;
	const struct policy_rule *rule; /* NULL: the default */
	struct policy_query query;
	bool denied; /* else only noted: audit, learn */
	bool no_address; /* a raw socket that was not made */
	u32 pid; /* in the guest, by the guest's word */
};

/* A new socket. Only raw ones are refused: they take in whatever arrives. */
int policy_check_socket(struct call *c, u32 type, u32 protocol, u32 pid);
/*
 * A destination: of connect, or of a datagram. The wildcard, by which the host means loopback or whatever the socket
 * is bound to, is replaced by loopback: what is used is what was checked.
 */
int policy_check_destination(struct call *c, u8 *addr, u32 len, u32 pid);
/* An address of its own, where others can reach it. */
int policy_check_bind(struct call *c, const u8 *addr, u32 len, u32 pid);
int policy_check_listen(struct call *c, u32 pid);
/* A unix socket outside the guest, by the container's name of it. */
int policy_check_unix(struct call *c, enum policy_operation operation, const char *path, u32 pid);
/* A datagram has come in, and is in private memory. */
void policy_see_datagram(struct call *c, const void *from, u32 from_len, const u8 *data, size_t len);
/* Do they want to see datagrams at all? */
bool policy_sees_datagrams(const struct call *c);
/* Options that would lead a packet elsewhere than its address says. */
int policy_check_option(struct call *c, u32 level, u32 name);

#endif
