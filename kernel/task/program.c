// SPDX-License-Identifier: Apache-2.0
/*
 * From a struct boot_process to a program that runs: what guest pid 1 has in common with the processes that the
 * hypervisor adds. What can fail says why, in the words of runc, which engines look for.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>

#include "cred.h"
#include "fs.h"
#include "internal.h"
#include "mounts.h"
#include "seccomp.h"

static const char *text_of(const struct program *p, u32 off)
{
	return off ? (const char *)p->base + off : "";
}

/* As strerror(3), of what an exec can meet. */
static const char *reason(int err)
{
	static const struct {
		int err;
		const char *text;
	} known[] = {
		{ENOENT, "no such file or directory"},
		{EACCES, "permission denied"},
		{ENOEXEC, "exec format error"},
		{EPERM, "operation not permitted"},
		{ENOTDIR, "not a directory"},
		{EISDIR, "is a directory"},
		{ELOOP, "too many levels of symbolic links"},
		{E2BIG, "argument list too long"},
		{ENOMEM, "cannot allocate memory"},
		{ETXTBSY, "text file busy"},
		{ENAMETOOLONG, "file name too long"},
		{ELIBBAD, "accessing a corrupted shared library"},
		{EIO, "input/output error"},
		{EAGAIN, "resource temporarily unavailable"},
		{EINVAL, "invalid argument"},
		{ERANGE, "numerical result out of range"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].err == -err)
			return known[i].text;
	return NULL;
}

char *reason_text(int err)
{
	const char *known = reason(err);

	return known ? kstrdup(known) : kasprintf("errno %d", -err);
}

/* ---- arguments and environment ---- */

/* NULL: no memory. Room for one more, which add_home() may need. */
static char **strings(const struct program *p, u32 array, u32 n)
{
	const u32 *offs = (const u32 *)((const char *)p->base + array);
	char **v = kzalloc((n + 2) * sizeof(char *));

	for (u32 i = 0; v && i < n; i++)
		v[i] = kstrdup(text_of(p, offs[i]));
	return v;
}

static bool complete(char **v, u32 n)
{
	for (u32 i = 0; v && i < n; i++)
		if (!v[i])
			return false;
	return v != NULL;
}

static void add_home(struct exec_args *args)
{
	for (int i = 0; i < args->envc; i++)
		if (strstarts(args->envp[i], "HOME="))
			return;
	args->envp[args->envc] = boot_home(current->cred->uid);
	if (args->envp[args->envc])
		args->envc++;
}

static int copy_strings(struct program *p)
{
	struct exec_args *a = &p->args;

	a->argc = (int)p->want->argc;
	a->envc = (int)p->want->envc;
	a->argv = strings(p, p->want->argv, p->want->argc);
	a->envp = strings(p, p->want->envp, p->want->envc);
	return complete(a->argv, p->want->argc) && complete(a->envp, p->want->envc) ? 0 : -ENOMEM;
}

static void strings_drop(char **v, int n)
{
	for (int i = 0; v && i < n; i++)
		kfree(v[i]);
	kfree(v);
}

void program_free(struct program *p)
{
	strings_drop(p->args.argv, p->args.argc);
	strings_drop(p->args.envp, p->args.envc);
	file_put(p->args.file);
	kfree(p->args.filename);
	kfree(p->why);
	kfree(p->event);
	kfree(p);
}

/* ---- where it runs, and as whom ---- */

/* runc makes the first process's working directory, if it is not there. */
static void make_directories(const char *path)
{
	char *part = kstrdup(path);

	for (char *c = part ? part + 1 : NULL; c && *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		vfs_mkdir_kernel(part, 0755);
		*c = '/';
	}
	if (part)
		vfs_mkdir_kernel(part, 0755);
	kfree(part);
}

static int enter_directory(struct program *p, bool first)
{
	const char *cwd = text_of(p, p->want->cwd);
	char *why;
	int r;

	if (!*cwd)
		return 0;
	r = vfs_chdir(cwd);
	if (r == -ENOENT && first) {
		make_directories(cwd);
		r = vfs_chdir(cwd);
	}
	if (!r)
		return 0;
	why = reason_text(r);
	p->why = kasprintf("chdir to cwd (\"%s\") set in config.json failed: %s", cwd, why ? why : "");
	kfree(why);
	return r;
}

static int become(struct cred *c)
{
	if (!c)
		return -ENOMEM;
	cred_install(c);
	return 0;
}

/* The directory and /etc/passwd are root's business; a directory that only the user may enter (NFS) is his. */
static int enter(struct program *p, bool first)
{
	int r = become(cred_root()), dir;

	if (r)
		return r;
	dir = enter_directory(p, first);
	r = become(cred_boot(p->want));
	if (!r && dir == -EACCES) {
		kfree(p->why);
		p->why = NULL;
		dir = enter_directory(p, first);
	}
	return r ? r : dir;
}

/* The hypervisor has asked the host for them: here they are what the process is told. */
static void take_priorities(const struct boot_process *b)
{
	const struct boot_info *boot = mc_boot_info();
	struct task_sched *s = &current->sched;

	s->policy = (int)b->sched_policy;
	s->priority = (int)b->sched_priority;
	s->nice = b->sched_nice;
	s->reset_on_fork = b->sched_reset;
	s->ioprio = b->ioprio;
	current->proc->personality = boot->process.personality; /* the container's */
}

/* ---- the file ---- */

static const char *path_variable(char **envp)
{
	for (int i = 0; envp[i]; i++)
		if (strstarts(envp[i], "PATH="))
			return envp[i] + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static struct file *try_program(struct exec_args *a, char *name)
{
	kfree(a->filename);
	a->filename = name;
	return name ? vfs_open_exec(AT_FDCWD, name, 0) : ERR_PTR(-ENOMEM);
}

/* What a shell would look up: process.args[0] along PATH of process.env, as runc does. */
static struct file *look_up(struct exec_args *a)
{
	const char *path = path_variable(a->envp), *end, *name = a->argv[0];
	struct file *f = ERR_PTR(-ENOENT);
	bool denied = false;

	if (strchr(name, '/'))
		return try_program(a, kstrdup(name));
	for (; *path; path = *end ? end + 1 : end) {
		end = strchr(path, ':');
		if (!end)
			end = path + strlen(path);
		f = try_program(a, kasprintf("%.*s/%s", (int)(end - path), path, name));
		if (!IS_ERR(f))
			return f;
		denied |= PTR_ERR(f) == -EACCES;
	}
	return denied ? ERR_PTR(-EACCES) : f;
}

static int not_found(struct program *p, const char *name, int err)
{
	bool looked_up = err == -ENOENT && !strchr(name, '/');
	char *why = looked_up ? kstrdup("executable file not found in $PATH") : reason_text(err);

	p->why = kasprintf("exec: \"%s\": %s", name, why ? why : "");
	kfree(why);
	return err;
}

static int find(struct program *p)
{
	struct file *f;

	if (!p->args.argc)
		return not_found(p, "", -ENOENT);
	f = look_up(&p->args);
	if (IS_ERR(f))
		return not_found(p, p->args.argv[0], (int)PTR_ERR(f));
	p->args.file = f;
	return 0;
}

int program_prepare(struct program *p, bool first)
{
	static const char name[] = "callgate: init";
	int r = copy_strings(p);

	mc_set_cmdline(name, sizeof(name)); /* until it executes its program */

	if (!r)
		r = enter(p, first);
	if (r)
		return r;
	take_priorities(p->want);
	add_home(&p->args);
	timers_cpu_limit(current->proc);
	return find(p);
}

int program_exec(struct program *p)
{
	int r = seccomp_boot();
	char *why;

	if (!r)
		r = do_execve(&p->args);
	why = fatal_signal_pending() ? kstrdup("killed before it was executed") : reason_text(r);

	p->why = kasprintf("exec %s: %s", p->args.filename, why ? why : "");
	kfree(why);
	return r;
}
