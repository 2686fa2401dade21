// SPDX-License-Identifier: Apache-2.0
/* Registers of a stopped task, in the forms that ptrace(2) has for them. tasklist_lock held. */
#include "impl.h"

#include <linux/uio.h>

#include "mm.h"

/* Offsets in struct user of sys/user.h. */
#define USER_REGS_SIZE sizeof(struct user_regs)
#define USER_DEBUGREG 848
#define USER_SIZE 912

/* What the tracer may change: CF PF AF ZF SF TF DF OF NT RF AC. */
#define FLAGS_TRACER 0x54dd5ULL

#define FXSAVE_SIZE 512
#define FXSAVE_MXCSR 24
#define FXSAVE_MXCSR_MASK 28
#define XSAVE_XCR0 464 /* Linux' word in the part that is left to software */
#define XSAVE_HDR 512
#define XSAVE_HDR_END 576
#define XSTATE_FP_SSE 3
#define MXCSR_DEFAULT_MASK 0xffbfu

/* ---- general registers ---- */

void regs_read(struct task *t, struct user_regs *u)
{
	memset(u, 0, sizeof(*u));
	u->r = *mc_regs(t);
	u->fs_base = t->ptrace.fsbase;
}

int regs_write(struct task *t, const struct user_regs *u)
{
	struct pt_regs *r = mc_regs(t);
	u64 flags = (r->rflags & ~FLAGS_TRACER) | (u->r.rflags & FLAGS_TRACER);

	if ((u16)u->r.cs != USER_CS || (u16)u->r.ss != USER_DS || u->fs_base >= USER_END || u->gs_base)
		return -EIO;
	*r = u->r;
	r->rflags = flags;
	t->ptrace.fsbase = u->fs_base;
	return 0;
}

long regs_get_all(struct task *t, uaddr_t to)
{
	struct user_regs u;

	regs_read(t, &u);
	return mc_copy_to_user(to, &u, sizeof(u)) ? -EFAULT : 0;
}

long regs_set_all(struct task *t, uaddr_t from)
{
	struct user_regs u;

	if (mc_copy_from_user(&u, from, sizeof(u)))
		return -EFAULT;
	return regs_write(t, &u);
}

static bool is_debug(u64 offset)
{
	return offset >= USER_DEBUGREG && offset < USER_DEBUGREG + 64;
}

long regs_peek_user(struct task *t, u64 offset, u64 *value)
{
	struct user_regs u;

	if (offset & 7 || offset >= USER_SIZE)
		return -EIO;
	*value = 0;
	if (is_debug(offset)) {
		*value = t->ptrace.debug[(offset - USER_DEBUGREG) / 8];
	} else if (offset < USER_REGS_SIZE) {
		regs_read(t, &u);
		memcpy(value, (char *)&u + offset, sizeof(*value));
	}
	return 0;
}

long regs_poke_user(struct task *t, u64 offset, u64 value)
{
	struct user_regs u;

	if (offset & 7 || offset >= USER_SIZE)
		return -EIO;
	if (is_debug(offset))
		return watch_set(t, (int)((offset - USER_DEBUGREG) / 8), value);
	if (offset >= USER_REGS_SIZE)
		return -EIO;
	regs_read(t, &u);
	memcpy((char *)&u + offset, &value, sizeof(value));
	return regs_write(t, &u);
}

/* ---- floating point and vectors ---- */

static size_t xstate_size(void) { return mc_fpu_size() - 4; } /* without the second magic word */

static u32 word_at(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 dword_at(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool mxcsr_valid(const struct task *t, const u8 *image)
{
	u32 mask = word_at(t->ptrace.fpu + FXSAVE_MXCSR_MASK);

	return !(word_at(image + FXSAVE_MXCSR) & ~(mask ? mask : MXCSR_DEFAULT_MASK));
}

/* The processor would refuse, or worse, what is not so. */
static bool xstate_valid(const struct task *t, const u8 *image)
{
	u64 features = dword_at(t->ptrace.fpu + XSAVE_XCR0);

	if (dword_at(image + XSAVE_HDR) & ~features || !mxcsr_valid(t, image))
		return false;
	for (int i = XSAVE_HDR + 8; i < XSAVE_HDR_END; i++)
		if (image[i])
			return false;
	return true;
}

static long fp_write(struct task *t, const u8 *image)
{
	u8 *fpu = t->ptrace.fpu;
	u64 in_use = dword_at(fpu + XSAVE_HDR) | XSTATE_FP_SSE;

	if (!mxcsr_valid(t, image))
		return -EINVAL;
	memcpy(fpu, image, XSAVE_XCR0);
	memcpy(fpu + XSAVE_HDR, &in_use, sizeof(in_use));
	t->ptrace.fpu_changed = true;
	return 0;
}

long regs_get_fp(struct task *t, uaddr_t to)
{
	return mc_copy_to_user(to, t->ptrace.fpu, FXSAVE_SIZE) ? -EFAULT : 0;
}

long regs_set_fp(struct task *t, uaddr_t from)
{
	u8 image[FXSAVE_SIZE];

	return mc_copy_from_user(image, from, sizeof(image)) ? -EFAULT : fp_write(t, image);
}

static long xstate_write(struct task *t, uaddr_t from, size_t len)
{
	u8 *image __kfree = NULL;
	u64 features = dword_at(t->ptrace.fpu + XSAVE_XCR0);

	if (len != xstate_size())
		return -EFAULT;
	image = kmalloc(len);
	if (!image)
		return -ENOMEM;
	if (mc_copy_from_user(image, from, len))
		return -EFAULT;
	if (!xstate_valid(t, image))
		return -EINVAL;
	memcpy(t->ptrace.fpu, image, len);
	memcpy(t->ptrace.fpu + XSAVE_XCR0, &features, sizeof(features));
	t->ptrace.fpu_changed = true;
	return 0;
}

/* ---- register sets ---- */

static long set_general(struct task *t, uaddr_t from, size_t len)
{
	struct user_regs u;

	if (len % 8)
		return -EINVAL;
	regs_read(t, &u);
	if (mc_copy_from_user(&u, from, len))
		return -EFAULT;
	return regs_write(t, &u);
}

static long get_set(struct task *t, u64 type, uaddr_t to, size_t len)
{
	struct user_regs u;

	if (type != NT_PRSTATUS)
		return mc_copy_to_user(to, t->ptrace.fpu, len) ? -EFAULT : 0;
	regs_read(t, &u);
	return mc_copy_to_user(to, &u, len) ? -EFAULT : 0;
}

static long set_set(struct task *t, u64 type, uaddr_t from, size_t len)
{
	if (type == NT_PRSTATUS)
		return set_general(t, from, len);
	if (type == NT_X86_XSTATE)
		return xstate_write(t, from, len);
	return len == FXSAVE_SIZE ? regs_set_fp(t, from) : -EINVAL;
}

static size_t set_size(u64 type)
{
	switch (type) {
	case NT_PRSTATUS:
		return sizeof(struct user_regs);
	case NT_PRFPREG:
		return FXSAVE_SIZE;
	case NT_X86_XSTATE:
		return xstate_size();
	}
	return 0;
}

long regs_regset(struct task *t, u64 type, uaddr_t uiov, bool set)
{
	size_t size = set_size(type);
	struct iovec iov;
	long ret;

	if (mc_copy_from_user(&iov, uiov, sizeof(iov)))
		return -EFAULT;
	if (!size)
		return -EINVAL;
	iov.iov_len = min((size_t)iov.iov_len, size);
	ret = set ? set_set(t, type, (uaddr_t)iov.iov_base, iov.iov_len) :
		    get_set(t, type, (uaddr_t)iov.iov_base, iov.iov_len);
	if (ret)
		return ret;
	return mc_copy_to_user(uiov + offsetof(struct iovec, iov_len), &iov.iov_len, sizeof(iov.iov_len)) ? -EFAULT : 0;
}
