// SPDX-License-Identifier: Apache-2.0
/* Calls by exit, and what needs little more than one: data, positions, clocks of the host. */
#include <asm/stat.h>

#include "kvm_impl.h"

struct kvm_call *call_begin(void) { return this_cpu()->call; }

s64 call_make(u32 nr)
{
	struct cpu *c = this_cpu();

	c->thread->host_calls++;
	__asm__ volatile("outl %0, %1" ::"a"(nr), "d"((u16)KVM_PORT) : "memory");
	return READ_ONCE(c->call->ret);
}

s64 mc_seek(u32 handle, s64 off, int whence)
{
	struct kvm_call *k = call_begin();

	k->u.seek.handle = handle;
	k->u.seek.off = off;
	k->u.seek.whence = (u32)whence;
	return call_make(KVM_CALL_SEEK);
}

int mc_fstat(u32 handle, struct stat *st)
{
	struct kvm_call *k = call_begin();
	s64 r;

	k->u.seek.handle = handle;
	r = call_make(KVM_CALL_FSTAT);
	if (r == 0)
		memcpy(st, k->u.stat, sizeof(*st));
	return (int)r;
}

int mc_watch_ctl(u32 watch, int op, u32 handle, u32 events, u64 data)
{
	struct kvm_call *k = call_begin();

	k->u.watch.watch = watch;
	k->u.watch.handle = handle;
	k->u.watch.op = (u32)op;
	k->u.watch.events = events;
	k->u.watch.data = data;
	return (int)call_make(KVM_CALL_WATCH);
}
