// SPDX-License-Identifier: Apache-2.0
/* Spaces: the host's memory manager does the work. Also access to user memory. */
#include <asm/mman.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "hostcall.h"

/* Patched code there is to go, or to be written to: jumps and what they lead to are one piece. */
static void code_changes(uaddr_t addr, u64 len, bool goes)
{
	pv_patch_change(addr, len, goes);
	pv_text_change(addr, len, goes);
}

int mc_map(uaddr_t addr, u64 len, int prot, int flags, u32 handle, u64 off)
{
	int fd = -1;
	long r;

	code_changes(addr, len, true);
	flags = (flags & (MAP_PRIVATE | MAP_SHARED | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED)) | MAP_FIXED;
	if (handle) {
		fd = pv_fd(handle);
		if (fd < 0)
			return fd;
		if (prot == (PROT_READ | PROT_EXEC) && (flags & MAP_PRIVATE))
			return pv_text_map(addr, len, flags, handle, off);
	} else {
		flags |= MAP_ANONYMOUS;
	}
	r = hostcall(mmap, addr, len, prot, flags, fd, off);
	return r < 0 ? (int)r : 0;
}

int mc_unmap(uaddr_t addr, u64 len)
{
	code_changes(addr, len, true);
	return (int)hostcall(munmap, addr, len);
}

int mc_protect(uaddr_t addr, u64 len, int prot)
{
	if (prot != (PROT_READ | PROT_EXEC))
		code_changes(addr, len, false);
	return (int)hostcall(mprotect, addr, len, prot);
}


int mc_move(uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags)
{
	long r;

	code_changes(from, old_len, false);
	if (to != from)
		code_changes(to, new_len, true);
	if (to == from && !flags)
		r = hostcall(mremap, from, old_len, new_len, 0, 0);
	else
		r = hostcall(mremap, from, old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
	return r < 0 ? (int)r : 0;
}

int mc_advise(uaddr_t addr, u64 len, int advice)
{
	/* Pages with patched call sites are anonymous on the host: to drop them would lose the code. */
	if ((advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE) && pv_patched_in(addr, len))
		return 0;
	return (int)hostcall(madvise, addr, len, advice);
}

uaddr_t mc_vdso(void) { return PRIV->vdso; }

/* A vfork child must leave its parent's space alone: the host gives it a new one with a new image of the kernel. */
static void renew_by_exec(struct pv_thread *t) __attribute__((noreturn));
static void renew_by_exec(struct pv_thread *t)
{
	static const char room[] = { [0 ... ARGS_ROOM - 2] = ' ', [ARGS_ROOM - 1] = 0 };
	struct { void *handler; u64 flags; void *restorer; u64 mask; } ignore = { .handler = (void *)1 };
	char hex[20], *argv[] = { (char *)room, hex, NULL };
	long r;

	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)(u64)t);
	pv_handle_exec_save(t);
	/* The host resets handlers: a kick at the wrong moment would end the process. Ignored stays ignored. */
	hostcall(rt_sigaction, SIG_KICK, &ignore, 0, 8);
	r = hostcall(execveat, KFD_IMAGE, EMPTY_PATH, argv, argv + 2, AT_EMPTY_PATH);
	panic("execveat of the guest kernel image: %ld", r);
}

void mc_space_renew(void (*resume)(void *arg), void *arg)
{
	struct pv_thread *t = pv_self();
	long r;

	t->resume = resume;
	t->resume_arg = arg;
	if (t->shared_space)
		renew_by_exec(t);
	r = hostcall(munmap, USER_START, USER_END - USER_START);
	if (r < 0)
		panic("cannot clear the user half: %ld", r);
	pv_patch_reset();
	pv_handle_sweep();
	pv_run_on_empty_stack(resume, arg);
}

/* ---- user access ---- */

static bool user_ok(uaddr_t addr, size_t len)
{
	return addr < USER_END && len <= USER_END - addr;
}

int mc_copy_from_user(void *to, uaddr_t from, size_t len)
{
	return user_ok(from, len) ? (int)pv_ucopy(to, (const void *)from, len) : -EFAULT;
}

/* The vdso is outside the user half, but user code may read it. */
int mc_copy_to_user(uaddr_t to, const void *from, size_t len)
{
	return user_ok(to, len) ? (int)pv_ucopy((void *)to, from, len) : -EFAULT;
}

s64 mc_strncpy_from_user(char *to, uaddr_t from, size_t size)
{
	size_t room = size;
	s64 n;

	if (!user_ok(from, 1))
		return -EFAULT;
	if (room > USER_END - from)
		room = USER_END - from;
	n = pv_ustrncpy(to, from, room);
	if (n < 0)
		return n;
	if ((size_t)n < room)
		return n;
	return room < size ? -EFAULT : -ENAMETOOLONG;
}

int mc_clear_user(uaddr_t to, size_t len)
{
	return user_ok(to, len) ? (int)pv_uclear((void *)to, 0, len) : -EFAULT;
}

int mc_user_cmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old)
{
	return user_ok(addr, 4) ? (int)pv_ucmpxchg(addr, expect, val, old) : -EFAULT;
}

int mc_user_load(uaddr_t addr, u32 *val)
{
	return user_ok(addr, 4) ? (int)pv_uload(addr, val) : -EFAULT;
}

static s64 space_io(u32 cmd, struct task *t, uaddr_t addr, void *buf, size_t len)
{
	struct pv_slot s;
	size_t done = 0;
	s64 r = 0;

	mc_pv_get(&s);
	while (done < len) {
		u32 n = (u32)min(len - done, (size_t)RING_BUF_SIZE);

		s.req.cmd = cmd;
		s.req.u.ctl = (struct pv_req_ctl){ .arg = addr + done, .len = n, .pid = pv_of(t)->host_tid };
		if (cmd == PV_MEM_WRITE)
			memcpy(s.buf, (char *)buf + done, n);
		r = mc_pv_call(&s);
		if (r <= 0 || r > n)
			break;
		if (cmd == PV_MEM_READ)
			memcpy((char *)buf + done, s.buf, (size_t)r);
		done += (size_t)r;
	}
	mc_pv_put(&s);
	return done ? (s64)done : r;
}

s64 mc_space_read(struct task *t, uaddr_t addr, void *buf, size_t len)
{
	if (!user_ok(addr, len))
		return -EFAULT;
	return space_io(PV_MEM_READ, t, addr, buf, len);
}

s64 mc_space_write(struct task *t, uaddr_t addr, const void *buf, size_t len)
{
	if (!user_ok(addr, len))
		return -EFAULT;
	return space_io(PV_MEM_WRITE, t, addr, (void *)(u64)buf, len);
}

s64 pv_own_write(uaddr_t addr, const void *buf, size_t len)
{
	return space_io(PV_MEM_WRITE, mc_current(), addr, (void *)(u64)buf, len);
}

int mc_resident(uaddr_t addr, u64 len, u8 *vec)
{
	struct pv_slot s;
	s64 r = 0;

	mc_pv_get(&s);
	for (u64 at = 0, n; at < len / PAGE_SIZE && r >= 0; at += n) {
		n = min(len / PAGE_SIZE - at, (u64)PV_RESIDENT_MAX);
		s.req.cmd = PV_RESIDENT;
		s.req.u.ctl = (struct pv_req_ctl){ .arg = addr + at * PAGE_SIZE, .len = (u32)n, .pid = pv_self()->host_tid };
		r = mc_pv_call(&s);
		if (r >= 0)
			memcpy(vec + at, s.buf, n);
	}
	mc_pv_put(&s);
	return (int)min(r, (s64)0);
}

int mc_usage(struct task *t, struct pv_proc_stat *st)
{
	struct pv_slot s;
	s64 r;

	if (!pv_of(t)->host_tid)
		return -ESRCH;
	mc_pv_get(&s);
	s.req.cmd = PV_PROC_STAT;
	s.req.u.ctl = (struct pv_req_ctl){ .pid = pv_of(t)->host_tid };
	r = mc_pv_call(&s);
	if (r >= 0)
		memcpy(st, s.buf, sizeof(*st));
	mc_pv_put(&s);
	return (int)min(r, (s64)0);
}
