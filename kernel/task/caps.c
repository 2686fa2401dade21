// SPDX-License-Identifier: Apache-2.0
/* capget, capset: capabilities(7). What exec makes of capabilities is in caps_exec.c. */
#include "syscall.h"

#include "pid_ns.h"
#include "user_ns.h"

#define CAP_VALID ((1ULL << (CAP_LAST_CAP + 1)) - 1)
#define SUBSET(a, b) (!((a) & ~(b)))

struct user_caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
	u32 words; /* 1 or 2 */
};

/* Reads and checks the header. An unknown version is answered with the one we prefer. */
static long read_header(struct user_caps *u, uaddr_t header)
{
	const u32 preferred = _LINUX_CAPABILITY_VERSION_3;

	memset(u, 0, sizeof(*u));
	if (mc_copy_from_user(&u->head, header, sizeof(u->head)))
		return -EFAULT;
	switch (u->head.version) {
	case _LINUX_CAPABILITY_VERSION_1:
		u->words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		u->words = 2;
		return 0;
	}
	if (mc_copy_to_user(header, &preferred, sizeof(preferred)))
		return -EFAULT;
	return -EINVAL;
}

static struct cred *cred_of_tid(int tid)
{
	struct task *t;

	if (!tid)
		return cred_get(current->cred);
	guard(&tasklist_lock);
	t = find_vtask(tid);
	return t ? cred_get(t->cred) : NULL;
}

long sys_capget(u64 header, u64 data)
{
	struct user_caps u;
	struct cred *c;
	long err = read_header(&u, header);

	if (err)
		return err == -EINVAL && !data ? 0 : err;
	if (u.head.pid < 0)
		return -EINVAL;
	c = cred_of_tid(u.head.pid);
	if (!c)
		return -ESRCH;
	for (u32 i = 0; i < u.words; i++) {
		u.data[i].effective = (u32)(c->cap_effective >> (32 * i));
		u.data[i].permitted = (u32)(c->cap_permitted >> (32 * i));
		u.data[i].inheritable = (u32)(c->cap_inheritable >> (32 * i));
	}
	cred_put(c);
	if (!data)
		return 0;
	return mc_copy_to_user(data, u.data, u.words * sizeof(u.data[0])) ? -EFAULT : 0;
}

static bool capset_allowed(const struct cred *old, u64 effective, u64 permitted, u64 inheritable)
{
	if (!capable_here(CAP_SETPCAP) && !SUBSET(inheritable, old->cap_inheritable | old->cap_permitted))
		return false;
	return SUBSET(inheritable, old->cap_inheritable | old->cap_bounding) &&
	       SUBSET(permitted, old->cap_permitted) && SUBSET(effective, permitted);
}

long sys_capset(u64 header, u64 data)
{
	u64 effective, permitted, inheritable;
	struct user_caps u;
	struct cred *c;
	long err = read_header(&u, header);

	if (err)
		return err;
	if (u.head.pid && u.head.pid != current->vtid)
		return -EPERM;
	if (mc_copy_from_user(u.data, data, u.words * sizeof(u.data[0])))
		return -EFAULT;
	effective = (u.data[0].effective | (u64)u.data[1].effective << 32) & CAP_VALID;
	permitted = (u.data[0].permitted | (u64)u.data[1].permitted << 32) & CAP_VALID;
	inheritable = (u.data[0].inheritable | (u64)u.data[1].inheritable << 32) & CAP_VALID;
	if (!capset_allowed(current->cred, effective, permitted, inheritable))
		return -EPERM;
	c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->cap_effective = effective;
	c->cap_permitted = permitted;
	c->cap_inheritable = inheritable;
	c->cap_ambient &= permitted & inheritable;
	cred_install(c);
	return 0;
}
