/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: fs/pty.c (the two ends), fs/tty_ldisc.c (the line discipline), fs/tty_ioctl.c,
 * fs/tty_job.c (who is in the foreground), fs/devpts.c (their names).
 */
#ifndef PTY_H
#define PTY_H

#include <asm/termbits.h>
#include <asm/termios.h>

#include "fs.h"

#define TTY_IN 4096u   /* bytes typed and not read yet; as in Linux */
#define TTY_OUT 16384u /* bytes written and not taken by the master yet */
#define PTS_MAJOR 136u

/* head and tail count bytes since the beginning; a byte lives at position % size. */
struct tty {
	refcount_t ref;    /* open ends; the session whose terminal it is */
	int index;
	struct mutex lock; /* everything below */
	struct termios2 t;
	struct termios fixed; /* bits and characters that stay as they are: TIOCSLCKTRMIOS */
	struct winsize size;

	u8 in[TTY_IN];
	u64 line_end[TTY_IN / 64]; /* a bit: this byte ends a line. A 0 so marked is end of file */
	u32 in_head, in_tail;
	u32 canon; /* canonical mode: the line that is being edited begins here */
	bool literal; /* VLNEXT was typed */
	u8 *out;
	u32 out_head, out_tail;
	u32 column;
	bool stopped; /* VSTOP */

	bool master_open, locked, exclusive;
	u32 slaves, slave_opens;
	struct waitq readable;   /* the slave: bytes in `in`; hangup */
	struct waitq writable;   /* the slave: room in `out` */
	struct waitq m_readable; /* the master: bytes in `out` */
	struct waitq m_writable; /* the master: room in `in` */

	int pgrp; /* foreground */
	struct session *session; /* not counted; tasklist_lock */
	struct inode *inode; /* of the slave's name */

	/* A terminal of the host (fs/dev_tty.c); of the above only ref, index, pgrp, session, inode and t.c_lflag & TOSTOP are in use. */
	struct inode *host; /* keeps the handle; NULL: a terminal of the guest's */
	u32 event; /* that it came with */
	struct list_head host_node;
	struct tty *next_dead;
};

/* pty.c */
extern const struct file_ops pty_master_ops, pty_slave_ops;
static inline struct tty *tty_of(struct file *f) { return f->priv; }
struct tty *tty_get(struct tty *tty);
void tty_put(struct tty *tty);
int pty_open_controlling(struct file *f); /* /dev/tty */
int pty_open_slave(struct tty *tty, struct file *f);

/* tty_ldisc.c; lock held. */
void ldisc_input(struct tty *tty, u8 c);        /* a byte typed */
bool ldisc_output(struct tty *tty, u8 c);       /* a byte written; false: no room */
bool ldisc_readable(const struct tty *tty);
size_t ldisc_read(struct tty *tty, u8 *to, size_t n); /* up to a line in canonical mode */
bool ldisc_at_eof(struct tty *tty);             /* takes an end of file mark that is next */
void ldisc_flush_in(struct tty *tty);
void ldisc_flush_out(struct tty *tty);
void ldisc_changed(struct tty *tty, u32 old_lflag); /* ICANON was switched */
static inline u32 tty_in_used(const struct tty *t) { return t->in_tail - t->in_head; }
static inline u32 tty_out_used(const struct tty *t) { return t->out_tail - t->out_head; }

/* tty_ioctl.c */
s64 tty_ioctl(struct file *f, u32 cmd, u64 arg);
bool tty_changes(u32 cmd); /* an ioctl that stops a background process */

/* tty_job.c */
void tty_signal(struct tty *tty, int sig); /* to the foreground group */
long tty_check_background(struct tty *tty, int sig); /* SIGTTIN, SIGTTOU. 0, -EIO, -ERESTARTSYS */
long tty_check_io(struct tty *tty, bool write); /* the same for reads, and for writes if they stop (TOSTOP) */
void tty_hangup(struct tty *tty);          /* the master is gone */
void tty_open_controls(struct tty *tty);   /* opening without O_NOCTTY may make it the controlling terminal */
bool tty_is_job_ioctl(u32 cmd);
s64 tty_job_ioctl(struct tty *tty, u32 cmd, u64 arg); /* one of these; else -ENOTTY */

/* devpts.c */
int pts_add(struct tty *tty); /* gives it an index and a name */
void pts_remove(struct tty *tty);
struct tty *pts_find(int index); /* with a reference */

#endif
