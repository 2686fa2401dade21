// SPDX-License-Identifier: Apache-2.0
/*
 * Debug registers. The processor's are the host's: here a task that has some in use runs in single
 * steps, and the kernel looks after each of them whether a watched place has changed, or an address is reached. That is slow,
 * but far less so than a debugger that steps.
 *
 * What reads cannot be seen so: watching for them is refused.
 */
#include "impl.h"

#include "layout.h"

#define DR_STATUS 6
#define DR_CONTROL 7
#define DR_STEP 0x4000ULL
#define DR7_FIXED 0x400ULL

enum { BREAK_EXECUTE, BREAK_WRITE, BREAK_IO, BREAK_ACCESS };

static bool enabled(u64 control, int i) { return control >> (2 * i) & 3; }
static int kind(u64 control, int i) { return (int)(control >> (16 + 4 * i) & 3); }

static u64 length(u64 control, int i)
{
	static const u8 lengths[] = { 1, 2, 8, 4 };

	return lengths[control >> (18 + 4 * i) & 3];
}

static u64 look(struct task *t, int i, bool own)
{
	u64 value = 0, n = length(t->ptrace.debug[DR_CONTROL], i);

	if (own)
		mc_copy_from_user(&value, t->ptrace.debug[i], n);
	else
		ptrace_memory(t, t->ptrace.debug[i], &value, n, false);
	return value;
}

static int check_control(const struct task *t, u64 control)
{
	for (int i = 0; i < DEBUG_ADDRESSES; i++) {
		int k = kind(control, i);

		if (!enabled(control, i))
			continue;
		if (k == BREAK_IO || (k == BREAK_EXECUTE && length(control, i) != 1))
			return -EINVAL;
		if (k == BREAK_ACCESS)
			return -EOPNOTSUPP;
		if (t->ptrace.debug[i] & (length(control, i) - 1))
			return -EINVAL;
	}
	return 0;
}

static int set_control(struct task *t, u64 control)
{
	struct ptrace *pt = &t->ptrace;
	int err = check_control(t, control);

	if (err)
		return err;
	pt->debug[DR_CONTROL] = control;
	pt->slow &= ~PT_WATCH;
	for (int i = 0; i < DEBUG_ADDRESSES; i++) {
		if (!enabled(control, i))
			continue;
		pt->slow |= PT_WATCH;
		pt->watched[i] = look(t, i, false);
	}
	return 0;
}

int watch_set(struct task *t, int reg, u64 value)
{
	struct ptrace *pt = &t->ptrace;

	if (reg == 4 || reg == 5)
		return -EIO;
	if (reg == DR_CONTROL)
		return set_control(t, value & ~DR7_FIXED);
	if (reg < DEBUG_ADDRESSES && value >= USER_END)
		return -EINVAL;
	pt->debug[reg] = value;
	if (reg < DEBUG_ADDRESSES && enabled(pt->debug[DR_CONTROL], reg))
		pt->watched[reg] = look(t, reg, false);
	return 0;
}

static bool hit(struct task *t, int i)
{
	struct ptrace *pt = &t->ptrace;
	u64 now;

	if (kind(pt->debug[DR_CONTROL], i) == BREAK_EXECUTE)
		return mc_regs(t)->rip == pt->debug[i];
	now = look(t, i, true);
	if (now == pt->watched[i])
		return false;
	pt->watched[i] = now;
	return true;
}

enum watch_result watch_look(struct task *t, uaddr_t *addr)
{
	struct ptrace *pt = &t->ptrace;
	u64 status = 0;

	for (int i = DEBUG_ADDRESSES - 1; i >= 0; i--)
		if (enabled(pt->debug[DR_CONTROL], i) && hit(t, i)) {
			status |= 1ULL << i;
			*addr = pt->debug[i];
		}
	if (!status)
		return WATCH_NOTHING;
	if (pt->slow & PT_STEP)
		status |= DR_STEP;
	pt->debug[DR_STATUS] = status;
	return WATCH_HIT;
}
