/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve. Everything that can fail with an errno is done first, into struct exec; then the other
 * threads are killed, the old space is left, and exec_resume() builds the new image. From then on a
 * failure kills.
 */
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/personality.h>

#include "absent.h"
#include "exec.h"
#include "exec_id.h"
#include "internal.h"
#include "kept.h"
#include "syscall.h"
#include "time_ns.h"
#include "trace_hook.h"

#define USER_CS	     0x33
#define USER_DS	     0x2b
#define RFLAGS_START 0x202 /* interrupts on, and the bit that is always set */

static void exec_free(struct exec *x)
{
	strings_free(&x->strings);
	file_put(x->prog.file);
	file_put(x->interp.file);
	file_put(x->script_file);
	exec_id_put(x->exec_id);
	if (x->cred)
		cred_put(x->cred);
	mm_put(x->mm);
	kfree(x->filename);
	kfree(x->script);
	kfree(x);
}

/* Credentials of the program: of the last interpreter if it is a script, whose set-id bits mean
 * nothing. */
static int exec_creds(struct exec *x)
{
	struct file *f = x->prog.file;
	bool nosuid = file_mount_flags(f) & MS_NOSUID || ptrace_unsafe_exec(current);
	struct file_caps fc;
	bool has_caps = !nosuid && file_caps_read(f, &fc);
	struct cred *c;

	c = cred_for_exec(current->cred, f->inode->mode, f->inode->uid, f->inode->gid, nosuid,
			  has_caps ? &fc : NULL, &x->secure);
	if (IS_ERR(c))
		return (int)PTR_ERR(c);
	x->cred = c;
	return 0;
}

static int exec_prepare(struct exec *x)
{
	int ret = exec_open(x);

	if (!ret)
		ret = strings_finish(&x->strings, x->filename);
	if (!ret)
		ret = exec_creds(x);
	if (ret)
		return ret;
	x->mm = mm_new();
	if (!x->mm)
		return -ENOMEM;
	x->mm->exe = file_get(x->prog.file);
	x->exec_id = exec_id_new(x);
	return 0;
}

static void set_personality(struct exec *x, struct process *p)
{
	p->personality &= ~(u32)READ_IMPLIES_EXEC;
	if (x->secure)
		p->personality &= ~(u32)PER_CLEAR_ON_SETID;
	x->randomize = !(p->personality & ADDR_NO_RANDOMIZE);
}

static void set_comm(struct task *t, const char *filename)
{
	const char *slash = strrchr(filename, '/');
	char comm[sizeof(t->comm)] = {0};

	strlcpy(comm, slash ? slash + 1 : filename, sizeof(comm));
	memcpy(t->comm, comm, sizeof(comm));
}

static void set_executes(struct process *p, const char *filename)
{
	size_t len = strlen(filename), room = sizeof(p->executes);

	memset(p->executes, 0, room);
	if (len > room)
		filename += len - room;
	memcpy(p->executes, filename, min(len, room));
}

/* What /proc/pid/cmdline shows if the process does not change it. */
static void set_cmdline(struct process *p, const struct exec_strings *s)
{
	char *text = kmalloc(s->env_off), *old;

	mc_set_cmdline(s->block, s->env_off);
	if (text)
		memcpy(text, s->block, s->env_off);
	mutex_lock(&p->exec_lock);
	old = p->cmdline;
	p->cmdline = text;
	p->cmdline_len = text ? s->env_off : 0;
	mutex_unlock(&p->exec_lock);
	kfree(old);
}

/* What others look at under tasklist_lock: the address space, and what the parent is to be told at
 * exit. */
static void change_mm(struct task *t, struct mm *mm)
{
	struct mm *old;

	mutex_lock(&tasklist_lock);
	old = t->mm;
	t->mm = mm;
	t->proc->exit_signal = SIGCHLD;
	mutex_unlock(&tasklist_lock);
	mm_put(old);
}

static void set_process(struct exec *x)
{
	struct task *t = current;
	struct process *p = t->proc;

	set_personality(x, p);
	set_comm(t, x->filename);
	set_executes(p, x->filename);
	set_cmdline(p, &x->strings);
	if (x->secure)
		t->pdeathsig = 0;
	p->dumpable = !x->secure;
	exec_id_put(p->exec_id);
	p->exec_id = x->exec_id;
	x->exec_id = NULL;
	cred_install(cred_get(x->cred));
	if (x->prog.file->inode)
		absent_exec(x->prog.file->inode);
	t->in_exec = false;
}

static void set_registers(const struct exec *x)
{
	struct pt_regs *regs = current_regs();
	const struct exec_file *f = x->interp.file ? &x->interp : &x->prog;

	*regs = (struct pt_regs){.rip = f->base + f->elf.entry,
				 .rsp = x->sp,
				 .cs = USER_CS,
				 .ss = USER_DS,
				 .rflags = RFLAGS_START,
				 .orig_rax = ~0ULL};
	mc_set_fsbase(0);
	mc_fpu_restore(0);
	mc_regs_changed();
	syscall_account(current);
	if (unlikely(current->trace))
		trace_exec(current);
	else if (!current->proc->did_exec)
		trace_program(current, x->filename, x->strings.block, x->strings.env_off);
	current->proc->did_exec = true;
}

/* In the new space, on an empty kernel stack. */
static void exec_resume(void *arg)
{
	struct exec *x = arg;
	struct task *t = current;
	int ret, old_tid = x->old_tid;

	change_mm(t, mm_get(x->mm));
	set_process(x);
	/* Both are how others learn that the exec went well: what /proc shows is the new image's. */
	task_vfork_release(t);
	fdtable_close_on_exec(t);
	ret = exec_stack_map(x);
	if (!ret)
		ret = exec_load(x);
	if (!ret)
		ret = exec_stack(x);
	if (!ret && unlikely(time_shifted(t->nsproxy)))
		ret = mc_clock_calls();
	if (ret)
		printk(LOG_DEBUG, "exec of %s failed too late: %d", x->filename, ret);
	else
		set_registers(x);
	exec_free(x);
	if (unlikely(t->proc->program))
		program_started(t->proc);
	if (ret)
		do_group_exit(SIGSEGV);
	ptrace_exec(old_tid);
}

/* A program is in the time namespace that its process's children are in. */
static int enter_time(void)
{
	struct nsproxy *p = nsproxy_enter_time(nsproxy_get(current->nsproxy));

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	nsproxy_install(p);
	return 0;
}

/* The point of no return. Frees x if it returns. */
static int exec_commit(struct exec *x)
{
	struct task *t = current;
	int ret;

	t->in_exec = true;
	x->old_tid = ptrace_own_tid();
	ret = kill_other_threads();
	if (!ret && unlikely(nsproxy_time_differs(t->nsproxy)))
		ret = enter_time();
	if (ret) {
		t->in_exec = false;
		exec_free(x);
		return ret;
	}
	futex_task_exit(t); /* while its memory is there */
	t->robust_list = 0;
	t->robust_len = 0;
	t->clear_child_tid = t->set_child_tid = 0;
	signal_exec(t);
	timers_exec(t->proc);
	kept_drop();
	mc_space_renew(exec_resume, x);
}

static int exec_run(struct exec *x)
{
	int ret = exec_prepare(x);

	if (ret) {
		exec_free(x);
		return ret;
	}
	return exec_commit(x);
}

static int add_all(struct exec_strings *s, char **strings, int n, u32 *count)
{
	for (int i = 0; i < n; i++) {
		int ret = strings_add(s, strings[i]);

		if (ret)
			return ret;
		++*count;
	}
	return 0;
}

int do_execve(struct exec_args *args)
{
	struct exec *x = kzalloc(sizeof(*x));
	int ret;

	if (!x)
		return -ENOMEM;
	strings_init(&x->strings);
	x->prog.file = file_get(args->file);
	x->filename = kstrdup(args->filename);
	ret = x->filename ? add_all(&x->strings, args->argv, args->argc, &x->strings.argc)
			  : -ENOMEM;
	x->strings.env_off = x->strings.len;
	if (!ret)
		ret = add_all(&x->strings, args->envp, args->envc, &x->strings.envc);
	if (ret) {
		exec_free(x);
		return ret;
	}
	return exec_run(x);
}

/* What the program is told its file is called. Takes over `path`. */
static char *exec_name(int dirfd, char *path)
{
	char *name;

	if (dirfd == AT_FDCWD || path[0] == '/')
		return path;
	name = path[0] ? kasprintf("/dev/fd/%d/%s", dirfd, path) : kasprintf("/dev/fd/%d", dirfd);
	kfree(path);
	return name;
}

static int exec_args(struct exec *x, int dirfd, uaddr_t upath, uaddr_t argv, uaddr_t envp,
		     u32 flags)
{
	char *path = getname(upath);
	struct file *f;
	int ret;

	if (IS_ERR(path))
		return (int)PTR_ERR(path);
	f = vfs_open_exec(dirfd, path, flags);
	x->filename = exec_name(dirfd, path);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	x->prog.file = f;
	if (!x->filename)
		return -ENOMEM;
	strings_init(&x->strings);
	ret = strings_copy_user(&x->strings, argv, envp);
	return ret;
}

static long exec_user(int dirfd, uaddr_t path, uaddr_t argv, uaddr_t envp, u32 flags)
{
	struct exec *x = kzalloc(sizeof(*x));
	int ret;

	if (!x)
		return -ENOMEM;
	if (unlikely(current->nproc_exceeded)) {
		current->nproc_exceeded = task_over_nproc(current->cred->uid);
		if (current->nproc_exceeded) {
			exec_free(x);
			return -EAGAIN;
		}
	}
	ret = exec_args(x, dirfd, path, argv, envp, flags);
	if (ret) {
		exec_free(x);
		return ret;
	}
	return exec_run(x);
}

long sys_execve(u64 path, u64 argv, u64 envp)
{
	return exec_user(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(u64 dirfd, u64 path, u64 argv, u64 envp, u64 flags)
{
	if ((u32)flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return exec_user((int)dirfd, path, argv, envp, (u32)flags);
}
