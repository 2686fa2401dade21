// SPDX-License-Identifier: Apache-2.0
/*
 * What a thread leaves in user memory at its exit: robust futexes marked FUTEX_OWNER_DIED
 * (linux/Documentation/locking/robust-futex-ABI.rst) and the word of set_tid_address(2).
 * The user may have written anything into these lists: every step is bounded and may fault.
 */
#include "futex.h"

#include "pid_ns.h"
#include "user_ns.h"
#include "syscall.h"

long sys_set_tid_address(u64 addr)
{
	current->clear_child_tid = addr;
	return current->vtid;
}

long sys_set_robust_list(u64 head, u64 len)
{
	struct task *t = current;

	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	t->robust_list = head;
	t->robust_len = len;
	return 0;
}

static int robust_list_of(int tid, uaddr_t *head)
{
	const struct cred *me = current->cred;
	struct task *t;

	guard(&tasklist_lock);
	t = tid ? find_vtask(tid) : current;
	if (!t || !t->cred)
		return -ESRCH;
	if (t->proc != current->proc && me->uid != t->cred->uid && !ns_capable(t->cred->user_ns, CAP_SYS_PTRACE))
		return -EPERM;
	*head = t->robust_list;
	return 0;
}

long sys_get_robust_list(u64 tid, u64 head_to, u64 len_to)
{
	u64 len = sizeof(struct robust_list_head);
	uaddr_t head;
	int err = robust_list_of((int)tid, &head);

	if (err)
		return err;
	if (mc_copy_to_user(len_to, &len, sizeof(len)) ||
	    mc_copy_to_user(head_to, &head, sizeof(head)))
		return -EFAULT;
	return 0;
}

/*
 * The word of a futex that may be t's. Pending: t was about to lock or unlock it. -errno ends the
 * walk.
 */
static int owner_died(struct task *t, uaddr_t addr, bool pi, bool pending)
{
	u32 word, seen;
	int err;

	if (addr & 3)
		return -EINVAL;
	err = mc_user_load(addr, &word);
	/* Unlocked by the dying thread, which had not yet come to wake anybody. */
	if (!err && pending && !pi && !word)
		futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
	for (; !err; word = seen) {
		if ((word & FUTEX_TID_MASK) != (u32)t->vtid)
			return 0;
		err = mc_user_cmpxchg(addr, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen);
		if (!err && seen == word)
			break;
	}
	if (!err && word & FUTEX_WAITERS) {
		if (pi)
			futex_pi_owner_died(addr);
		else
			futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
	}
	return err;
}

/* Bit 0 of a list pointer says that the futex is a PI one. */
static int fetch(uaddr_t from, uaddr_t *entry, bool *pi)
{
	if (mc_copy_from_user(entry, from, sizeof(*entry)))
		return -EFAULT;
	*pi = *entry & 1;
	*entry &= ~1ULL;
	return 0;
}

static void robust_exit(struct task *t)
{
	struct robust_list_head head;
	uaddr_t at = t->robust_list, entry, next, pending;
	bool pi, next_pi, pending_pi;

	if (mc_copy_from_user(&head, at, sizeof(head)) || fetch(at, &entry, &pi))
		return;
	pending = (uaddr_t)head.list_op_pending & ~1ULL;
	pending_pi = (uaddr_t)head.list_op_pending & 1;
	for (int i = 0; entry != at && i < ROBUST_LIST_LIMIT; i++) {
		/* The next pointer first: the futex may be freed once it is marked. */
		int err = fetch(entry, &next, &next_pi);

		if (entry != pending && owner_died(t, entry + (u64)head.futex_offset, pi, false))
			return;
		if (err)
			return;
		entry = next;
		pi = next_pi;
	}
	if (pending)
		owner_died(t, pending + (u64)head.futex_offset, pending_pi, true);
}

static void clear_tid(struct task *t)
{
	u32 zero = 0;

	/*
	 * Only where somebody is left to see it: the memory of a single thread goes away as it is.
	 */
	if (ref_read(&t->mm->ref) > 1 && !mc_copy_to_user(t->clear_child_tid, &zero, sizeof(zero)))
		futex_wake(t->clear_child_tid, true, 1, FUTEX_BITSET_MATCH_ANY);
}

/* By t itself, at exit and exec, while it has its memory. */
void futex_task_exit(struct task *t)
{
	WRITE_ONCE(t->futex_exit, FUTEX_EXITING);
	smp_mb(); /* before owns_pi is read: see check_owner() */
	if (t->robust_list)
		robust_exit(t);
	t->robust_list = 0;
	futex_pi_task_exit(t);
	WRITE_ONCE(t->futex_exit, t->in_exec ? FUTEX_ALIVE : FUTEX_GONE);
	if (t->clear_child_tid)
		clear_tid(t);
	t->clear_child_tid = 0;
}
