// SPDX-License-Identifier: Apache-2.0
/* User memory of the calling thread; and of others, by their page tables. */
#include "space.h"

static bool user_ok(uaddr_t addr, size_t len)
{
	return addr < USER_END && len <= USER_END - addr;
}

static void open_user(void)
{
	cpu_uaccess(true);
	if (cpu_smap)
		__asm__ volatile("stac");
}

static void close_user(void)
{
	if (cpu_smap)
		__asm__ volatile("clac");
	cpu_uaccess(false);
}

int mc_copy_from_user(void *to, uaddr_t from, size_t len)
{
	long r;

	if (!user_ok(from, len))
		return -EFAULT;
	open_user();
	r = kvm_ucopy(to, (const void *)from, len);
	close_user();
	return (int)r;
}

int mc_copy_to_user(uaddr_t to, const void *from, size_t len)
{
	long r;

	if (!user_ok(to, len))
		return -EFAULT;
	open_user();
	r = kvm_ucopy((void *)to, from, len);
	close_user();
	return (int)r;
}

int mc_clear_user(uaddr_t to, size_t len)
{
	long r;

	if (!user_ok(to, len))
		return -EFAULT;
	open_user();
	r = kvm_uclear((void *)to, 0, len);
	close_user();
	return (int)r;
}

s64 mc_strncpy_from_user(char *to, uaddr_t from, size_t size)
{
	size_t room = size;
	s64 n;

	if (!user_ok(from, 1))
		return -EFAULT;
	if (room > USER_END - from)
		room = USER_END - from;
	open_user();
	n = kvm_ustrncpy(to, from, room);
	close_user();
	if (n < 0 || (size_t)n < room)
		return n;
	return room < size ? -EFAULT : -ENAMETOOLONG;
}

int mc_user_cmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old)
{
	long r;

	if (!user_ok(addr, 4))
		return -EFAULT;
	open_user();
	r = kvm_ucmpxchg(addr, expect, val, old);
	close_user();
	return (int)r;
}

int mc_user_load(uaddr_t addr, u32 *val)
{
	long r;

	if (!user_ok(addr, 4))
		return -EFAULT;
	open_user();
	r = kvm_uload(addr, val);
	close_user();
	return (int)r;
}

/* ---- other spaces ---- */

static s64 space_copy(struct space *s, uaddr_t addr, u8 *buf, size_t len, bool write)
{
	size_t done = 0, n;
	u64 gpa;

	while (done < len) {
		n = min(len - done, (size_t)(PAGE_SIZE - ((addr + done) & ~PAGE_MASK)));
		gpa = page_hold(s, addr + done, write);
		if (!gpa && write)
			gpa = page_hold_forced(s, addr + done);
		if (!gpa)
			break;
		if (write)
			memcpy((u8 *)direct(gpa) + ((addr + done) & ~PAGE_MASK), buf + done, n);
		else
			memcpy(buf + done, (u8 *)direct(gpa) + ((addr + done) & ~PAGE_MASK), n);
		page_drop(gpa);
		done += n;
	}
	return done ? (s64)done : -EFAULT;
}

static struct space *space_of(struct task *task)
{
	struct thread *t = thread_of(task);
	struct space *s;

	spin_lock(&run_lock);
	s = t->space ? space_get(t->space) : NULL;
	spin_unlock(&run_lock);
	return s;
}

static s64 other_space(struct task *t, uaddr_t addr, void *buf, size_t len, bool write)
{
	struct space *s = space_of(t);
	s64 ret;

	if (!s || !user_ok(addr, len)) {
		if (s)
			space_put(s);
		return -EFAULT;
	}
	ret = len ? space_copy(s, addr, buf, len, write) : 0;
	space_put(s);
	return ret;
}

s64 mc_space_read(struct task *t, uaddr_t addr, void *buf, size_t len)
{
	return other_space(t, addr, buf, len, false);
}

s64 mc_space_write(struct task *t, uaddr_t addr, const void *buf, size_t len)
{
	return other_space(t, addr, (void *)(u64)buf, len, true);
}

int mc_usage(struct task *t, struct pv_proc_stat *st)
{
	struct space *s = space_of(t);

	if (!s)
		return -ESRCH;
	*st = (struct pv_proc_stat){ .resident = (s->frames + s->mapped) * PAGE_SIZE, .shared = s->mapped * PAGE_SIZE,
				     .minflt = s->faults, .state = thread_of(t)->on_cpu ? 'R' : 'S' };
	space_put(s);
	return 0;
}
