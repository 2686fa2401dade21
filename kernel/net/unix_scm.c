/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages of unix sockets: SCM_RIGHTS and SCM_CREDENTIALS.
 *
 * A socket can be sent to itself, and then nothing but its own queue holds it. Such cycles are not
 * collected; what bounds them is Linux' own limit on the descriptors that a user has in flight.
 */
#include "cred.h"
#include "pid_ns.h"
#include "task.h"
#include "unix.h"
#include "user_ns.h"

#define USER_BUCKETS 64u

static u32 inflight[USER_BUCKETS]; /* by user; users that share a bucket share the limit */

static u32 *inflight_of(u32 uid)
{
	return &inflight[hash_u64(uid) % USER_BUCKETS];
}

static int inflight_add(struct scm_files *files)
{
	u32 *count = inflight_of(files->uid);
	bool too_many = __atomic_load_n(count, __ATOMIC_RELAXED) > rlimit(RLIMIT_NOFILE);

	if (too_many && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	__atomic_fetch_add(count, files->n, __ATOMIC_RELAXED);
	return 0;
}

static void free_uncounted(struct scm_files *files)
{
	for (int i = 0; i < files->n; i++)
		file_put(files->file[i]);
	kfree(files);
}

static void inflight_del(struct scm_files *files)
{
	__atomic_fetch_sub(inflight_of(files->uid), files->n, __ATOMIC_RELAXED);
}

/*
 * The last reference to a socket may be in a packet, whose queue may hold the last reference to
 * another, and so on: one caller at a time drops them in a loop, so that the stack does not
 * grow with the chain.
 */
static struct mutex doomed_lock;
static struct scm_files *doomed;
static bool dropping;

static struct scm_files *next_doomed(void)
{
	struct scm_files *files;

	guard(&doomed_lock);
	files = doomed;
	if (files)
		doomed = files->next;
	else
		dropping = false;
	return files;
}

void scm_files_free(struct scm_files *files)
{
	if (!files)
		return;
	inflight_del(files);
	{
		guard(&doomed_lock);
		files->next = doomed;
		doomed = files;
		if (dropping)
			return;
		dropping = true;
	}
	while ((files = next_doomed()))
		free_uncounted(files);
}

/* ---- sending ---- */

/* Add the descriptors of one message to *files. */
static int add_files(struct scm_files **files, const u8 *data, u32 len)
{
	int n = len / sizeof(int), have = *files ? (*files)->n : 0, fd;
	struct scm_files *all;

	if (n + have > SCM_MAX_FD)
		return -EINVAL;
	if (!n)
		return 0;
	all = krealloc(*files, sizeof(*all) + (have + n) * sizeof(struct file *));
	if (!all)
		return -ENOMEM;
	*files = all;
	all->n = have;
	all->uid = current->cred->uid;
	for (int i = 0; i < n; i++) {
		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		all->file[all->n] = fd_get(fd);
		if (!all->file[all->n])
			return -EBADF;
		all->n++;
	}
	return 0;
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == a || id == b || id == c;
}

/* What a process may claim to be: unix(7). In *cred are the kernel's numbers. */
static int take_cred(struct ucred *cred, const u8 *data, u32 len)
{
	const struct cred *c = current->cred;

	if (len != sizeof(*cred))
		return -EINVAL;
	memcpy(cred, data, sizeof(*cred));
	if ((int)cred->pid != current->proc->vpid && !ns_capable(ns_owner(&task_pid_ns(current)->ns), CAP_SYS_ADMIN))
		return -EPERM;
	cred->pid = pid_unshown((int)cred->pid);
	if (!take_uid(cred->uid, &cred->uid) || !take_gid(cred->gid, &cred->gid))
		return -EINVAL;
	if (!one_of(cred->uid, c->uid, c->euid, c->suid) && !capable_here(CAP_SETUID))
		return -EPERM;
	if (!one_of(cred->gid, c->gid, c->egid, c->sgid) && !capable_here(CAP_SETGID))
		return -EPERM;
	return 0;
}

static int parse_control(struct msg *m, struct ucred *cred, struct scm_files **files)
{
	struct cmsghdr hdr;
	const u8 *data;
	u32 at = 0, len;
	int err;

	while (msg_next_cmsg(m, &at, &hdr, &data, &len, &err)) {
		if (hdr.level != SOL_SOCKET)
			continue;
		if (hdr.type == SCM_RIGHTS)
			err = add_files(files, data, len);
		else if (hdr.type == SCM_CREDENTIALS)
			err = take_cred(cred, data, len);
		else
			err = -EINVAL;
		if (err)
			return err;
	}
	return err;
}

int scm_send(struct unix_sock *u, struct msg *m, struct ucred *cred, struct scm_files **files)
{
	int err = 0;

	*files = NULL;
	*cred = (struct ucred){ current->proc->pid, current->cred->uid, current->cred->gid };
	if (m->ctl_len)
		err = parse_control(m, cred, files);
	if (!err && *files)
		err = inflight_add(*files);
	if (err && *files) {
		free_uncounted(*files);
		*files = NULL;
	}
	return err;
}

/* ---- receiving ---- */

void scm_receive_cred(struct unix_sock *u, struct msg *m, const struct ucred *cred)
{
	if (u->passcred) {
		const struct ucred shown = unix_show_cred(cred);

		msg_put_cmsg(m, SOL_SOCKET, SCM_CREDENTIALS, &shown, sizeof(shown));
	}
}

/* As the two options want it; on this architecture their old and new forms are the same. */
void scm_receive_time(struct unix_sock *u, struct msg *m, u64 ns)
{
	s64 stamp[2];

	if (!ns) /* it came before the option was set */
		ns = mc_clock(0 /* CLOCK_REALTIME */);
	stamp[0] = (s64)(ns / NSEC_PER_SEC);
	stamp[1] = (s64)(ns % NSEC_PER_SEC);
	if (u->stamps == SO_TIMESTAMP_OLD || u->stamps == SO_TIMESTAMP_NEW)
		stamp[1] /= 1000;
	msg_put_cmsg(m, SOL_SOCKET, u->stamps, stamp, sizeof(stamp)); /* SCM_ names have the options' numbers */
}

/* How many descriptors the receiver has room for. */
static int files_room(const struct msg *m)
{
	u64 left = m->uctl_room - m->uctl_used;

	return left < sizeof(struct cmsghdr) ? 0 : (left - sizeof(struct cmsghdr)) / sizeof(int);
}

void scm_receive_files(struct msg *m, struct scm_files *files, bool peek)
{
	int fds[SCM_MAX_FD], room = files_room(m), n = 0;

	for (; n < files->n && n < room; n++) {
		fds[n] = fd_install(file_get(files->file[n]), m->flags & MSG_CMSG_CLOEXEC);
		if (fds[n] < 0)
			break;
	}
	if (n)
		msg_put_cmsg(m, SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof(int));
	if (n < files->n)
		m->out_flags |= MSG_CTRUNC;
	if (!peek)
		scm_files_free(files);
}
