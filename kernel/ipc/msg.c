// SPDX-License-Identifier: Apache-2.0
/* System V message queues: msgget(2), msgop(2), msgctl(2). */
#include "ipc.h"

#include <linux/msg.h>

#include "cred.h"
#include "ipc_show.h"
#include "pid_ns.h"
#include "syscall.h"
#include "user_ns.h"

struct message {
	struct list_head node;
	long type;
	size_t len;
	u8 text[];
};

struct queue {
	struct ipc_object ipc;
	struct list_head messages;
	u64 bytes, count, limit;
	s64 stime, rtime;
	int lspid, lrpid;
};

static void queue_free(struct ipc_object *o)
{
	struct queue *q = (struct queue *)o;
	struct message *msg, *next;

	list_for_each_safe(msg, next, &q->messages, node)
		kfree(msg);
	kfree(q);
}

struct ipc_table msg_table = { .free = queue_free, .most = &ipc_limits.msgmni };

static struct ipc_object *queue_create(const struct ipc_request *r)
{
	struct queue *q = kzalloc(sizeof(*q));

	if (!q)
		return ERR_PTR(-ENOMEM);
	list_init(&q->messages);
	q->limit = (u64)READ_ONCE(ipc_limits.msgmnb);
	return &q->ipc;
}

long sys_msgget(u64 key, u64 flags)
{
	struct ipc_request r = { .key = (u32)key, .flags = (int)flags, .create = queue_create };

	return ipc_get(&msg_table, &r);
}

/* With a reference. */
static struct queue *queue_get(int id, u32 mode)
{
	struct queue *q;

	guard(&msg_table.lock);
	q = (struct queue *)ipc_find(&msg_table, id);
	if (IS_ERR(q))
		return q;
	if (!ipc_allowed(&q->ipc, mode))
		return ERR_PTR(-EACCES);
	ref_get(&q->ipc.ref);
	return q;
}

/* ---- sending ---- */

/* 0: queued; -EAGAIN: no room. */
static long try_send(struct queue *q, struct message *msg)
{
	guard(&msg_table.lock);

	if (q->ipc.removed)
		return -EIDRM;
	if (q->bytes + msg->len > q->limit || q->count + 1 > q->limit)
		return -EAGAIN;
	list_add_tail(&msg->node, &q->messages);
	q->bytes += msg->len;
	q->count++;
	q->stime = ipc_now();
	q->lspid = current->proc->pid;
	waitq_wake_all(&q->ipc.wait, 0);
	return 0;
}

static struct message *read_message(uaddr_t from, size_t len)
{
	struct message *msg = kmalloc(sizeof(*msg) + len);

	if (!msg)
		return ERR_PTR(-ENOMEM);
	msg->len = len;
	if (mc_copy_from_user(&msg->type, from, sizeof(msg->type)) ||
	    mc_copy_from_user(msg->text, from + sizeof(msg->type), len)) {
		kfree(msg);
		return ERR_PTR(-EFAULT);
	}
	if (msg->type < 1) {
		kfree(msg);
		return ERR_PTR(-EINVAL);
	}
	return msg;
}

long sys_msgsnd(u64 id, u64 from, u64 len, u64 flags)
{
	struct message *msg;
	struct queue *q;
	long ret, waited = 0;

	if (len > (u64)READ_ONCE(ipc_limits.msgmax))
		return -EINVAL;
	msg = read_message(from, len);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	q = queue_get((int)id, 0222);
	if (IS_ERR(q)) {
		kfree(msg);
		return PTR_ERR(q);
	}
	ret = try_send(q, msg);
	if (ret == -EAGAIN && !(flags & IPC_NOWAIT))
		waited = wait_event(&q->ipc.wait, (ret = try_send(q, msg)) != -EAGAIN, MC_FOREVER);
	if (waited)
		ret = -ERESTARTNOHAND;
	if (ret)
		kfree(msg);
	ipc_put(&msg_table, &q->ipc);
	return ret;
}

/* ---- receiving ---- */

struct wanted {
	long type;
	size_t room;
	int flags;
	struct message *got;
};

static bool matches(const struct message *msg, const struct wanted *w)
{
	if (!w->type)
		return true;
	if (w->type < 0)
		return msg->type <= -w->type;
	return (msg->type == w->type) != !!(w->flags & MSG_EXCEPT);
}

/* The first that matches; of several types up to a limit, the lowest. */
static struct message *choose(struct queue *q, const struct wanted *w)
{
	struct message *msg, *best = NULL;

	list_for_each(msg, &q->messages, node) {
		if (!matches(msg, w))
			continue;
		if (w->type >= 0)
			return msg;
		if (!best || msg->type < best->type)
			best = msg;
	}
	return best;
}

static long try_receive(struct queue *q, struct wanted *w)
{
	struct message *msg;

	guard(&msg_table.lock);
	if (q->ipc.removed)
		return -EIDRM;
	msg = choose(q, w);
	if (!msg)
		return -ENOMSG;
	if (msg->len > w->room && !(w->flags & MSG_NOERROR))
		return -E2BIG;
	list_del(&msg->node);
	q->bytes -= msg->len;
	q->count--;
	q->rtime = ipc_now();
	q->lrpid = current->proc->pid;
	w->got = msg;
	waitq_wake_all(&q->ipc.wait, 0);
	return 0;
}

static long give(struct message *msg, uaddr_t to, size_t room)
{
	size_t n = min(msg->len, room);
	bool fault = mc_copy_to_user(to, &msg->type, sizeof(msg->type)) ||
		     mc_copy_to_user(to + sizeof(msg->type), msg->text, n);

	kfree(msg);
	return fault ? -EFAULT : (long)n;
}

long sys_msgrcv(u64 id, u64 to, u64 room, u64 type, u64 flags)
{
	struct wanted w = { .type = (long)type, .room = room, .flags = (int)flags };
	struct queue *q;
	long ret, waited = 0;

	if ((s64)room < 0 || (flags & MSG_COPY))
		return -EINVAL;
	q = queue_get((int)id, 0444);
	if (IS_ERR(q))
		return PTR_ERR(q);
	ret = try_receive(q, &w);
	if (ret == -ENOMSG && !(flags & IPC_NOWAIT))
		waited = wait_event(&q->ipc.wait, (ret = try_receive(q, &w)) != -ENOMSG, MC_FOREVER);
	if (waited)
		ret = -ERESTARTNOHAND;
	ipc_put(&msg_table, &q->ipc);
	return ret ? ret : give(w.got, to, room);
}

/* ---- msgctl ---- */

static void fill(const struct queue *q, struct msqid64_ds *d)
{
	memset(d, 0, sizeof(*d));
	d->msg_perm = ipc_shown_perm(&q->ipc);
	d->msg_stime = q->stime;
	d->msg_rtime = q->rtime;
	d->msg_ctime = q->ipc.ctime;
	d->msg_cbytes = q->bytes;
	d->msg_qnum = q->count;
	d->msg_qbytes = q->limit;
	d->msg_lspid = pid_shown(q->lspid);
	d->msg_lrpid = pid_shown(q->lrpid);
}

static long stat_queue(int id, int cmd, uaddr_t to)
{
	struct msqid64_ds d;
	struct queue *q;
	long ret;

	mutex_lock(&msg_table.lock);
	q = (struct queue *)(cmd == IPC_STAT ? ipc_find(&msg_table, id) : ipc_at(&msg_table, id));
	ret = IS_ERR(q) ? PTR_ERR(q) : 0;
	if (!ret && cmd != MSG_STAT_ANY && !ipc_allowed(&q->ipc, 0444))
		ret = -EACCES;
	if (!ret) {
		fill(q, &d);
		ret = cmd == IPC_STAT ? 0 : q->ipc.id;
	}
	mutex_unlock(&msg_table.lock);
	if (ret >= 0 && mc_copy_to_user(to, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long set_queue(struct queue *q, const struct msqid64_ds *d)
{
	if (d->msg_qbytes > (u64)READ_ONCE(ipc_limits.msgmnb) && !ns_capable(ns_owner(&q->ipc.ns->ns), CAP_SYS_RESOURCE))
		return -EPERM;
	if (ipc_set_perm(&q->ipc, &d->msg_perm))
		return -EINVAL;
	q->limit = d->msg_qbytes;
	waitq_wake_all(&q->ipc.wait, 0);
	return 0;
}

static long change(int id, int cmd, uaddr_t from)
{
	struct msqid64_ds d;
	struct queue *q;
	long ret = 0;

	if (cmd == IPC_SET && mc_copy_from_user(&d, from, sizeof(d)))
		return -EFAULT;
	mutex_lock(&msg_table.lock);
	q = (struct queue *)ipc_find(&msg_table, id);
	if (IS_ERR(q))
		ret = PTR_ERR(q);
	else if (!ipc_owned(&q->ipc))
		ret = -EPERM;
	else if (cmd == IPC_SET)
		ret = set_queue(q, &d);
	else
		ipc_remove(&msg_table, &q->ipc);
	mutex_unlock(&msg_table.lock);
	if (!ret && cmd == IPC_RMID)
		ipc_put(&msg_table, &q->ipc);
	return ret;
}

static long show_info(int cmd, uaddr_t to)
{
	struct msginfo i = { .msgmax = (int)ipc_limits.msgmax, .msgmnb = (int)ipc_limits.msgmnb,
			     .msgmni = (int)ipc_limits.msgmni,
			     .msgssz = MSGSSZ, .msgseg = 0xffff, .msgmap = MSGMAP,
			     .msgpool = MSGPOOL, .msgtql = MSGTQL };
	long highest;

	mutex_lock(&msg_table.lock);
	highest = ipc_highest(&msg_table);
	if (cmd == MSG_INFO) {
		i.msgpool = (int)msg_table.used;
		i.msgmap = i.msgtql = 0;
		for (u32 n = 0; n < msg_table.top; n++) {
			struct queue *q = (struct queue *)msg_table.slot[n];

			i.msgmap += q ? (int)q->count : 0;
			i.msgtql += q ? (int)q->bytes : 0;
		}
	}
	mutex_unlock(&msg_table.lock);
	return mc_copy_to_user(to, &i, sizeof(i)) ? -EFAULT : highest;
}

long sys_msgctl(u64 id, u64 cmd_arg, u64 buf)
{
	int cmd = (int)cmd_arg & ~IPC_64;

	switch (cmd) {
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return stat_queue((int)id, cmd, buf);
	case IPC_SET:
	case IPC_RMID:
		return change((int)id, cmd, buf);
	case IPC_INFO:
	case MSG_INFO:
		return show_info(cmd, buf);
	}
	return -EINVAL;
}

void ipc_show_msg(struct seq *m)
{
	guard(&msg_table.lock);

	for (u32 i = 0; i < msg_table.top; i++) {
		struct queue *q = (struct queue *)msg_table.slot[i];

		if (q && ipc_visible(&q->ipc))
			seq_printf(m, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lu %10lu %10lu\n",
				   q->ipc.perm.key, q->ipc.id, q->ipc.perm.mode, q->bytes, q->count,
				   pid_shown(q->lspid), pid_shown(q->lrpid), show_uid(q->ipc.perm.uid),
				   show_gid(q->ipc.perm.gid), show_uid(q->ipc.perm.cuid), show_gid(q->ipc.perm.cgid), q->stime, q->rtime,
				   q->ipc.ctime);
	}
}
