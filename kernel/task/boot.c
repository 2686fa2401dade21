// SPDX-License-Identifier: Apache-2.0
/* From the machine's first thread to guest pid 1, and the way into every system call. */
#include <asm/unistd.h>

#include "cred.h"
#include "dev.h"
#include "fs.h"
#include "internal.h"
#include "mm.h"
#include "ring.h"
#include "syscall.h"

static struct guest_counters *counters; /* set at boot */

static const struct boot_info *boot(void) { return mc_boot_info(); }
static const char *boot_string(u32 off) { return off ? (const char *)boot() + off : NULL; }

static char **boot_strings(u32 array, u32 n)
{
	const u32 *offs = (const u32 *)((const char *)boot() + array);
	char **v = kmalloc((n + 2) * sizeof(char *)); /* and one that add_home() may add */
	u32 i;

	BUG_ON(!v);
	for (i = 0; i < n; i++)
		v[i] = kstrdup(boot_string(offs[i]));
	v[n] = NULL;
	return v;
}

void task_boot(void)
{
	struct task *t = task_first();

	counters = mc_counters();
	t->cred = cred_boot();
	t->sighand = kzalloc(sizeof(*t->sighand));
	t->mm = mm_new();
	BUG_ON(!t->cred || !t->sighand || !t->mm);
	ref_init(&t->sighand->ref);
	t->timer_slack = 50000;
	strlcpy(t->comm, "init", sizeof(t->comm));
	rlimits_boot(t->proc);
	t->proc->oom_score_adj = (int)boot()->process.oom_score_adj;
}

/* What a shell would look up: process.args[0] along PATH of process.env, as runc does. */
static struct file *find_program(char **argv, char **envp, char **name)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *end;
	struct file *f = ERR_PTR(-ENOENT);
	int i, denied = 0;

	*name = kstrdup(argv[0]);
	if (strchr(argv[0], '/'))
		return vfs_open_exec(AT_FDCWD, argv[0], 0);
	for (i = 0; envp[i]; i++)
		if (strstarts(envp[i], "PATH="))
			path = envp[i] + 5;
	for (; *path; path = *end ? end + 1 : end) {
		end = strchr(path, ':');
		if (!end)
			end = path + strlen(path);
		kfree(*name);
		*name = kasprintf("%.*s/%s", (int)(end - path), path, argv[0]);
		f = vfs_open_exec(AT_FDCWD, *name, 0);
		if (!IS_ERR(f))
			return f;
		denied |= PTR_ERR(f) == -EACCES;
	}
	return denied ? ERR_PTR(-EACCES) : f;
}

/* The container never ran: the hypervisor reports this text as the reason (a negative status is an errno). */
static void __attribute__((noreturn)) exec_failed(const char *name, long err)
{
	const char *why = err == -ENOENT ? "no such file or directory" :
			  err == -EACCES ? "permission denied" :
			  err == -ENOEXEC ? "exec format error" : NULL;

	if (!strchr(name, '/') && err == -ENOENT)
		why = "executable file not found in $PATH";
	if (why)
		printk(LOG_ERR, "exec: \"%s\": %s", name, why);
	else
		printk(LOG_ERR, "exec: \"%s\": error %ld", name, -err);
	mc_poweroff((int)err);
}

static void add_home(struct exec_args *args)
{
	for (int i = 0; i < args->envc; i++)
		if (strstarts(args->envp[i], "HOME="))
			return;
	args->envp[args->envc++] = boot_home(current->cred->uid);
	args->envp[args->envc] = NULL;
}

void kernel_boot(void)
{
	const struct boot_info *b = boot();
	struct exec_args args = { .argc = (int)b->process.argc, .envc = (int)b->process.envc };
	long r;

	task_boot();
	vfs_boot();
	args.argv = boot_strings(b->process.argv, b->process.argc);
	args.envp = boot_strings(b->process.envp, b->process.envc);
	add_home(&args);
	if (!b->process.argc)
		exec_failed("", -ENOENT);
	args.file = find_program(args.argv, args.envp, &args.filename);
	if (IS_ERR(args.file))
		exec_failed(args.argv[0], PTR_ERR(args.file));
	current->syscall_nr = __NR_execve; /* what booting cost is counted there */
	r = do_execve(&args);
	exec_failed(args.argv[0], r);
}

/* ---- system calls ---- */

/* What the running call has cost, exactly; most cost nothing. Exec, which does not return, calls it by itself. */
void syscall_account(struct task *t)
{
	u64 host = t->mc.host_calls - t->call_host, pv = t->mc.pv_calls - t->call_pv;

	if (host)
		__atomic_fetch_add(&counters->hostcalls[t->syscall_nr], (u32)host, __ATOMIC_RELAXED);
	if (pv)
		__atomic_fetch_add(&counters->pvcalls[t->syscall_nr], (u32)pv, __ATOMIC_RELAXED);
}

static s64 missing(u32 nr)
{
	if (nr < COUNTED_CALLS)
		__atomic_fetch_add(&mc_counters()->missing[nr], 1, __ATOMIC_RELAXED);
	return -ENOSYS;
}

s64 kernel_syscall(struct pt_regs *r)
{
	struct task *t = current;
	u64 nr = r->orig_rax;
	s64 ret;

	if (unlikely(nr >= COUNTED_CALLS))
		return missing(COUNTED_CALLS);
	__atomic_fetch_add(&counters->calls[nr], 1, __ATOMIC_RELAXED);
	t->call_host = t->mc.host_calls;
	t->call_pv = t->mc.pv_calls;
	t->syscall_nr = (u32)nr;
	if (likely(syscall_table[nr].fn))
		ret = syscall_table[nr].fn(r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
	else
		ret = missing((u32)nr);
	syscall_account(t);
	/* A late wake-up can interrupt a host call with no work to do: the way out must restart it all the same. */
	if (unlikely(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		__atomic_fetch_or(&t->mc.work, WORK_NOTIFY, __ATOMIC_SEQ_CST);
	return ret;
}

void kernel_host_signal(int sig)
{
	if (!dev_tty_signal(sig))
		send_signal_init(sig);
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
