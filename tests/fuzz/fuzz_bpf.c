/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of seccomp(2): what the checker lets pass ends in the interpreter, reads what is there, and keeps the promise of
 * bpf_always_allows(). An input is a struct seccomp_data, then the instructions.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "../unit/kernel/harness.h"
#include "guest.h"
#include "seccomp.h"

static void run(struct sock_filter *insns, struct seccomp_data *d)
{
	u32 result = bpf_run(insns, d);

	CHECK_EQ(bpf_run(insns, d), result);
	d->arch = AUDIT_ARCH_X86_64;
	if (bpf_always_allows(insns, (u32)d->nr, d->arch))
		CHECK_EQ(bpf_run(insns, d) & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct seccomp_data *d = kmalloc(sizeof(*d));
	size_t n = size > sizeof(*d) ? (size - sizeof(*d)) / sizeof(struct sock_filter) : 0;
	struct sock_filter *insns = n ? kmalloc(n * sizeof(*insns)) : NULL;

	CHECK(d && (insns || !n));
	if (n) {
		memcpy(d, data, sizeof(*d));
		memcpy(insns, data + sizeof(*d), n * sizeof(*insns));
		if (!bpf_check(insns, (u32)n))
			run(insns, d);
	}
	kfree(insns);
	kfree(d);
	return 0;
}
