// SPDX-License-Identifier: Apache-2.0
/* From the machine's first thread to guest pid 1, and the way into every system call. */
#include <asm/unistd.h>

#include "cred.h"
#include "fs.h"
#include "internal.h"
#include "mm.h"
#include "ring.h"
#include "seccomp.h"
#include "socket.h"
#include "syscall.h"
#include "trace_hook.h"

static struct guest_counters *counters; /* set at boot */
static u32 rows_taken;			/* of counters->rows, a bit each */

static const struct boot_info *boot(void) { return mc_boot_info(); }
static const void *boot_at(u32 offset) { return (const char *)boot() + offset; }

void task_boot(void)
{
	struct task *t = task_first();

	counters = mc_counters();
	trace_boot();
	t->cred = cred_boot(&boot()->process);
	t->sighand = kzalloc(sizeof(*t->sighand));
	t->mm = mm_new();
	BUG_ON(!t->cred || !t->sighand || !t->mm);
	ref_init(&t->sighand->ref);
	t->timer_slack = 50000;
	strlcpy(t->comm, "init", sizeof(t->comm));
	rlimits_boot(t->proc, &boot()->process, boot());
	t->proc->oom_score_adj = (int)boot()->process.oom_score_adj;
}

/* The container never ran: the hypervisor reports this text as the reason (a negative status is an errno). */
static void __attribute__((noreturn)) boot_failed(const struct program *p, int err)
{
	printk(LOG_ERR, "%s", p->why ? p->why : "no memory");
	mc_poweroff(err);
}

/* It was started, so it ended: as runc's init, whose own exec has failed. */
static void __attribute__((noreturn)) start_failed(const struct program *p)
{
	struct file *f = fd_get(2);

	if (f && p->why) {
		vfs_write_kernel(f, p->why, strlen(p->why), -1);
		vfs_write_kernel(f, "\n", 1, -1);
	}
	mc_poweroff(255 << 8);
}

/* linux.sysctl: what is no namespace's of the host but this kernel's. */
static int set_sysctls(struct program *p)
{
	const struct boot_info *b = boot();
	const u32 *pair = boot_at(b->sysctls);

	for (u32 i = 0; i < b->nsysctls; i++, pair += 2) {
		int err = sysctl_set(boot_at(pair[0]), boot_at(pair[1]));

		if (err) {
			char *why = reason_text(err);

			p->why = kasprintf("linux.sysctl.%s: %s", (const char *)boot_at(pair[0]), why ? why : "");
			kfree(why);
			return err;
		}
	}
	return 0;
}

void kernel_boot(void)
{
	struct program *p = kzalloc(sizeof(*p));
	int r;

	BUG_ON(!p);
	p->want = &boot()->process;
	p->base = boot();
	task_boot();
	current->proc->program = p;
	vfs_boot();
	unix_notify_boot();
	r = set_sysctls(p);
	if (!r)
		r = program_prepare(p, true);
	if (r)
		boot_failed(p, r);
	agent_answer(0, 0, NULL);
	if (boot()->wait_start)
		agent_await_start(p);
	current->syscall_nr = __NR_execve; /* what booting cost is counted there */
	program_exec(p);
	if (fatal_signal_pending()) /* killed meanwhile: that is how it ends */
		do_group_exit(0);
	start_failed(p);
}

/* ---- system calls ---- */

#define OWN_ROW_AFTER 4096u /* calls */

/* NULL: there is none left. */
static u32 *row_take(void)
{
	u32 taken = READ_ONCE(rows_taken), row;

	while ((row = (u32)__builtin_ctz(~taken)) < COUNTED_ROWS)
		if (__atomic_compare_exchange_n(&rows_taken, &taken, taken | 1u << row, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return counters->rows[row];
	return NULL;
}

void syscall_counts_release(struct task *t)
{
	u32 *row = t->call_counts;

	t->call_counts = NULL;
	if (row)
		__atomic_fetch_and(&rows_taken, ~(1u << ((row - counters->rows[0]) / ROW_WORDS)), __ATOMIC_RELEASE);
}

/* Who makes many calls counts them in a row of its own: a locked instruction takes as long as half of getppid(). */
static void count_shared(struct task *t, u32 nr)
{
	__atomic_fetch_add(&counters->calls[nr], 1, __ATOMIC_RELAXED);
	if (++t->shared_counts == OWN_ROW_AFTER) {
		t->shared_counts = 0;
		t->call_counts = row_take();
	}
}

/* What the running call has cost, exactly; most cost nothing. Exec, which does not return, calls it by itself. */
inline void syscall_account(struct task *t)
{
	u64 host = t->mc.host_calls - t->call_host, pv = t->mc.pv_calls - t->call_pv;

	if (host && likely(t->call_counts))
		WRITE_ONCE(t->call_counts[ROW_HOSTCALLS], t->call_counts[ROW_HOSTCALLS] + (u32)host);
	else if (host)
		__atomic_fetch_add(&counters->hostcalls[t->syscall_nr], (u32)host, __ATOMIC_RELAXED);
	if (pv)
		__atomic_fetch_add(&counters->pvcalls[t->syscall_nr], (u32)pv, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) s64 missing(u32 nr)
{
	if (nr < COUNTED_CALLS)
		__atomic_fetch_add(&mc_counters()->missing[nr], 1, __ATOMIC_RELAXED);
	return -ENOSYS;
}

static s64 syscall_call(const struct pt_regs *r, u32 nr)
{
	if (likely(syscall_table[nr].fn))
		return syscall_table[nr].fn(r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
	return missing(nr);
}

/* A filter has it looked at. A tracer that is asked (SECCOMP_RET_TRACE) may change the number, and ask to see the exit. */
static __attribute__((noinline)) s64 syscall_filtered(struct task *t, struct pt_regs *r)
{
	bool slow = t->ptrace.slow;
	s64 ret;

	if (seccomp_check(r, &ret))
		ret = r->orig_rax < COUNTED_CALLS ? syscall_call(r, (u32)r->orig_rax) : missing(COUNTED_CALLS);
	if (likely(!t->ptrace.tracer))
		return ret;
	mc_regs_changed();
	/* cppcheck-suppress incorrectLogicOperator ; a tracer has come meanwhile */
	return !slow && t->ptrace.slow ? ptrace_syscall_exit(r, ret) : ret;
}

inline s64 syscall_run(struct task *t, struct pt_regs *r)
{
	u32 nr = t->syscall_nr;

	if (unlikely(t->seccomp) && !seccomp_always_allows(t->seccomp, nr))
		return syscall_filtered(t, r);
	return syscall_call(r, nr);
}

s64 syscall_dispatch(struct task *t, struct pt_regs *r)
{
	u64 nr = r->orig_rax;
	s64 ret;

	if (unlikely(nr >= COUNTED_CALLS))
		return t->seccomp && !seccomp_check(r, &ret) ? ret : missing(COUNTED_CALLS);
	if (likely(t->call_counts))
		WRITE_ONCE(t->call_counts[nr], t->call_counts[nr] + 1);
	else
		count_shared(t, (u32)nr);
	t->call_host = t->mc.host_calls;
	t->call_pv = t->mc.pv_calls;
	t->syscall_nr = (u32)nr;
	t->ncalls++;
	ret = unlikely(READ_ONCE(counters->tracing)) ? trace_syscall(t, r) : syscall_run(t, r);
	syscall_account(t);
	/* A late wake-up can interrupt a host call with no work to do: the way out must restart it all the same. */
	if (unlikely(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		__atomic_fetch_or(&t->mc.work, WORK_NOTIFY, __ATOMIC_SEQ_CST);
	return ret;
}

s64 kernel_syscall(struct pt_regs *r)
{
	struct task *t = current;

	return unlikely(READ_ONCE(t->ptrace.slow)) ? ptrace_syscall(r) : syscall_dispatch(t, r);
}

/* ---- for machines that patch code ---- */

uaddr_t kernel_code_page(uaddr_t near)
{
	return mm_trampoline_page(current->mm, near);
}

bool kernel_code_lock(uaddr_t addr, u64 len)
{
	struct mm *mm = current->mm;
	struct vma *v;

	mutex_lock(&mm->lock);
	v = vma_find(mm, addr);
	/* MAP_PRIVATE, PROT_READ | PROT_EXEC */
	if (v && v->end - addr >= len && (v->flags & 3) == 2 && v->prot == 5)
		return true;
	mutex_unlock(&mm->lock);
	return false;
}

void kernel_code_unlock(void) { mutex_unlock(&current->mm->lock); }
