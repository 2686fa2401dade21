// SPDX-License-Identifier: Apache-2.0
/* process_vm_readv, process_vm_writev: between the caller's memory and another process', in pages. */
#include "syscall.h"

#include <linux/mman.h>

#include "cred.h"
#include "mm.h"
#include "pid_ns.h"
#include "task.h"
#include "user_ns.h"

#define MAX_PIECES 1024

struct pieces {
	struct mc_iovec *iov;
	u32 n, at;
	u64 skip; /* bytes of iov[at] that are done */
};

static long import(struct pieces *p, uaddr_t from, u64 n)
{
	if (n > MAX_PIECES)
		return -EINVAL;
	*p = (struct pieces){ .iov = kmalloc((n + 1) * sizeof(*p->iov)), .n = (u32)n };
	if (!p->iov)
		return -ENOMEM;
	return mc_copy_from_user(p->iov, from, n * sizeof(*p->iov)) ? -EFAULT : 0;
}

/* Bytes that the next piece still has; 0: no more. */
static u64 left(struct pieces *p)
{
	while (p->at < p->n && p->iov[p->at].len == p->skip) {
		p->at++;
		p->skip = 0;
	}
	return p->at < p->n ? p->iov[p->at].len - p->skip : 0;
}

static uaddr_t address(const struct pieces *p)
{
	return p->iov[p->at].base + p->skip;
}

/* The lock is what keeps the task while the machine moves the bytes. */
static s64 transfer(int pid, uaddr_t at, void *buf, size_t n, bool writes)
{
	struct task *t;

	guard(&tasklist_lock);
	t = find_vtask(pid);
	if (!t || !t->mm)
		return -ESRCH;
	if (!ptrace_may_attach(t, PTRACE_ACCESS_REAL))
		return -EPERM;
	return writes ? mc_space_write(t, at, buf, n) : mc_space_read(t, at, buf, n);
}

/* The machine writes where a debugger may; this call only where the process itself could. */
static bool page_allows(int pid, uaddr_t at, bool writes)
{
	struct mm *mm = NULL;
	struct task *t;
	struct vma *v;
	bool ok;

	mutex_lock(&tasklist_lock);
	t = find_vtask(pid);
	if (t && t->mm)
		mm = mm_get(t->mm);
	mutex_unlock(&tasklist_lock);
	if (!mm)
		return true; /* transfer() has the right error */
	mutex_lock(&mm->lock);
	v = vma_find(mm, at);
	ok = v && (v->prot & (writes ? PROT_WRITE : PROT_READ));
	mutex_unlock(&mm->lock);
	mm_put(mm);
	return ok;
}

static s64 move(int pid, struct pieces *local, struct pieces *remote, u8 *page, bool writes)
{
	u64 n = min(left(local), left(remote));
	s64 ret;

	n = min(n, (u64)(PAGE_SIZE - (address(remote) & ~PAGE_MASK)));
	if (writes && mc_copy_from_user(page, address(local), n))
		return -EFAULT;
	if (!page_allows(pid, address(remote), writes))
		return -EFAULT;
	ret = transfer(pid, address(remote), page, n, writes);
	if (ret <= 0)
		return ret ? ret : -EFAULT;
	if (!writes && mc_copy_to_user(address(local), page, (size_t)ret))
		return -EFAULT;
	local->skip += (u64)ret;
	remote->skip += (u64)ret;
	return ret;
}

static long process_vm(int pid, u64 liov, u64 ln, u64 riov, u64 rn, u64 flags, bool writes)
{
	struct pieces local = { 0 }, remote = { 0 };
	u8 *page __kfree = kmalloc(PAGE_SIZE);
	s64 done = 0, n = 0;
	long err = flags ? -EINVAL : page ? 0 : -ENOMEM;

	if (!err)
		err = import(&local, liov, ln);
	if (!err)
		err = import(&remote, riov, rn);
	while (!err && left(&local) && left(&remote)) {
		n = move(pid, &local, &remote, page, writes);
		if (n < 0)
			break;
		done += n;
	}
	kfree(local.iov);
	kfree(remote.iov);
	if (err)
		return err;
	return done ? done : min(n, (s64)0);
}

long sys_process_vm_readv(u64 pid, u64 liov, u64 ln, u64 riov, u64 rn, u64 flags)
{
	return process_vm((int)pid, liov, ln, riov, rn, flags, false);
}

long sys_process_vm_writev(u64 pid, u64 liov, u64 ln, u64 riov, u64 rn, u64 flags)
{
	return process_vm((int)pid, liov, ln, riov, rn, flags, true);
}
