// SPDX-License-Identifier: Apache-2.0
/* The root of procfs: fixed files, and a directory for each process. */
#include "proc.h"

#include "ipc_show.h"
#include "user_ns.h"

#define PROC_MAGIC 0x9fa0

/* ---- self, thread-self ---- */

static int show_self(struct seq *m, const struct pseudo_ctx *c)
{
	int pid = process_nr(current->proc, proc_pids(c));

	seq_printf(m, "%d", pid);
	return pid ? 0 : -ENOENT;
}

static int show_thread_self(struct seq *m, const struct pseudo_ctx *c)
{
	int pid = process_nr(current->proc, proc_pids(c));

	seq_printf(m, "%d/task/%d", pid, task_nr(current, proc_pids(c)));
	return pid ? 0 : -ENOENT;
}

/* ---- processes ---- */

/* The number of a thread that is not the first leads to its process, though readdir does not show it. */
static int root_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		       struct pseudo_ctx *child)
{
	int id = pseudo_number(name, len);
	struct process *p;
	struct task *t;

	if (id <= 0)
		return -ENOENT;
	guard(&tasklist_lock);
	id = pid_global_in(proc_pids(dir), id);
	p = find_process(id);
	if (!p) {
		t = find_task(id);
		if (!t)
			return -ENOENT;
		p = t->proc;
	}
	child->e = &pid_root_entry;
	child->pid = p->pid;
	child->start = p->start_time;
	return 0;
}

static bool root_next(const struct pseudo_ctx *dir, u64 *cookie, char name[64],
		      struct pseudo_ctx *child)
{
	struct process *p;
	int pid;

	guard(&tasklist_lock);
	pid = pid_next_in(proc_pids(dir), max((int)*cookie - 1, 0));
	p = pid ? find_process(pid_global_in(proc_pids(dir), pid)) : NULL;
	if (!p)
		return false;
	*cookie = (u64)pid;
	snprintf(name, 64, "%d", pid);
	child->e = &pid_root_entry;
	child->pid = p->pid;
	child->start = p->start_time;
	return true;
}

static const struct pseudo_dir root_dir = { root_lookup, root_next };

/* Of a user namespace; without one of its own, the container's. */
static u32 root_of(const struct id_map *m)
{
	return m->root == NO_ID ? 0 : m->root;
}

static int proc_owner(const struct pseudo_ctx *c, u32 *uid, u32 *gid)
{
	struct process *p;
	struct task *t;

	if (!c->pid)
		return 0;
	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ENOENT;
	/* Who has set-id rights belongs to root, but for the directories themselves: proc(5). */
	if (!t) {
		*uid = p->zombie_uid;
		*gid = p->zombie_gid;
	} else if (p->dumpable || c->e->mode == (S_IFDIR | 0555)) {
		*uid = t->cred->euid;
		*gid = t->cred->egid;
	} else {
		*uid = root_of(&t->cred->user_ns->uid);
		*gid = root_of(&t->cred->user_ns->gid);
	}
	return 0;
}

static const struct pseudo_entry tty_entries[] = {
	PSEUDO_DIR("driver"),
	PSEUDO_TEXT("drivers", "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
			       "/dev/ptmx            /dev/ptmx       5       2 system\n"
			       "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
			       "pty_master           /dev/ptm      128 0-1048575 pty:master\n"),
	{ 0 },
};

static int show_ipc(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, c->e->arg);
	if (c->e->name[0] == 'm')
		ipc_show_msg(m);
	else if (c->e->name[1] == 'e')
		ipc_show_sem(m);
	else
		ipc_show_shm(m);
	return 0;
}

#define IPC(n, head) PSEUDO_FILE(n, 0444, .show = show_ipc, .arg = (head))
static const struct pseudo_entry sysvipc_entries[] = {
	IPC("msg", "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
		   "cgid      stime      rtime      ctime\n"),
	IPC("sem", "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
		   "ctime\n"),
	IPC("shm", "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  "
		   "cuid  cgid      atime      dtime      ctime                   rss                  "
		   "swap\n"),
	{ 0 },
};

#define RO(n, f) PSEUDO_FILE(n, 0444, .show = f)

static const struct pseudo_entry root_entries[] = {
	RO("buddyinfo", proc_buddyinfo),
	PSEUDO_DIR("bus"),
	PSEUDO_TEXT("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
			       "cpuset\t0\t1\t1\ncpu\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n"),
	RO("cmdline", proc_cmdline),
	PSEUDO_EMPTY("consoles"),
	RO("cpuinfo", proc_cpuinfo),
	PSEUDO_EMPTY("crypto"),
	RO("devices", proc_devices),
	PSEUDO_EMPTY("diskstats"),
	PSEUDO_EMPTY("dma"),
	PSEUDO_DIR("driver"),
	PSEUDO_TEXT("execdomains", "0-0\tLinux           \t[kernel]\n"),
	RO("filesystems", proc_filesystems),
	PSEUDO_DIR("fs"),
	RO("interrupts", proc_interrupts),
	PSEUDO_EMPTY("iomem"),
	PSEUDO_EMPTY("ioports"),
	PSEUDO_DIR("irq"),
	RO("loadavg", proc_loadavg),
	PSEUDO_EMPTY("locks"),
	PSEUDO_EMPTY("mdstat"),
	RO("meminfo", proc_meminfo),
	RO("misc", proc_misc),
	PSEUDO_EMPTY("modules"),
	PSEUDO_SYMLINK("mounts", "self/mounts"),
	PSEUDO_SYMLINK("net", "self/net"),
	PSEUDO_TEXT("partitions", "major minor  #blocks  name\n\n"),
	PSEUDO_LINK("self", .show = show_self),
	PSEUDO_EMPTY("softirqs"),
	RO("stat", proc_stat),
	RO("swaps", proc_swaps),
	PSEUDO_DIR("sys", .children = sys_entries),
	PSEUDO_DIR("sysvipc", .children = sysvipc_entries),
	PSEUDO_LINK("thread-self", .show = show_thread_self),
	PSEUDO_DIR("tty", .children = tty_entries),
	RO("uptime", proc_uptime),
	RO("version", proc_version),
	RO("vmstat", proc_vmstat),
	RO("zoneinfo", proc_zoneinfo),
	{ 0 },
};

static const struct pseudo_entry root_entry = {
	.name = "proc", .mode = S_IFDIR | 0555, .children = root_entries, .dir = &root_dir,
};

static const struct pseudo_fs proc_fs_desc = { .root = &root_entry, .owner = proc_owner,
						.of_pid_ns = true };

static int proc_mount(struct mount *m, const char *options, struct inode **root)
{
	return pseudo_mount(m, &proc_fs_desc, root);
}

static struct fs_type proc_type = { .name = "proc", .magic = PROC_MAGIC, .mount = proc_mount };

void proc_init(void)
{
	fs_register(&proc_type);
}
