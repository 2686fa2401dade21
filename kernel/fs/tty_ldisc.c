/* SPDX-License-Identifier: Apache-2.0 */
/* The line discipline of pseudo-terminals: termios(3)'s input and output processing. */
#include <asm/signal.h>
#include <linux/poll.h>

#include "pty.h"

#define L(t, flag) ((t)->t.c_lflag & (flag))
#define I(t, flag) ((t)->t.c_iflag & (flag))
#define DISABLED   0 /* _POSIX_VDISABLE */

static bool is_cc(const struct tty *t, u8 c, int which)
{
	return t->t.c_cc[which] != DISABLED && c == t->t.c_cc[which];
}

/* ---- output ---- */

static bool out_room(const struct tty *t, u32 n)
{
	return TTY_OUT - tty_out_used(t) >= n;
}

static void out_byte(struct tty *t, u8 c)
{
	t->out[t->out_tail++ % TTY_OUT] = c;
}

static bool out_newline(struct tty *t)
{
	bool cr = t->t.c_oflag & ONLCR;

	if (!out_room(t, 2))
		return false;
	if (cr)
		out_byte(t, '\r');
	if (cr || (t->t.c_oflag & ONLRET))
		t->column = 0;
	out_byte(t, '\n');
	return true;
}

static bool out_tab(struct tty *t)
{
	u32 n = 8 - t->column % 8;

	if ((t->t.c_oflag & TABDLY) != XTABS) {
		out_byte(t, '\t');
	} else {
		if (!out_room(t, n))
			return false;
		for (u32 i = 0; i < n; i++)
			out_byte(t, ' ');
	}
	t->column += n;
	return true;
}

static bool out_return(struct tty *t)
{
	if ((t->t.c_oflag & ONOCR) && !t->column)
		return true;
	if (t->t.c_oflag & OCRNL)
		return out_newline(t);
	t->column = 0;
	out_byte(t, '\r');
	return true;
}

bool ldisc_output(struct tty *t, u8 c)
{
	if (!out_room(t, 1))
		return false;
	if (!(t->t.c_oflag & OPOST)) {
		out_byte(t, c);
		return true;
	}
	switch (c) {
	case '\n':
		return out_newline(t);
	case '\r':
		return out_return(t);
	case '\t':
		return out_tab(t);
	case '\b':
		t->column -= !!t->column;
		break;
	default:
		t->column += c >= ' ';
		if ((t->t.c_oflag & OLCUC) && c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
	}
	out_byte(t, c);
	return true;
}

/* ---- echo ---- */

static bool is_control(u8 c)
{
	return c < ' ' || c == 0x7f;
}

static void echo(struct tty *t, u8 c)
{
	if (!L(t, ECHO) && !(c == '\n' && L(t, ECHONL) && L(t, ICANON)))
		return;
	if (is_control(c) && L(t, ECHOCTL) && c != '\n' && c != '\t') {
		ldisc_output(t, '^');
		ldisc_output(t, c ^ 0x40);
		return;
	}
	ldisc_output(t, c);
}

/* Columns that the echo of c took. */
static u32 width(const struct tty *t, u8 c)
{
	if (is_control(c))
		return L(t, ECHOCTL) ? 2 : 0;
	return (c & 0xc0) == 0x80 && I(t, IUTF8) ? 0 : 1;
}

static void echo_erase(struct tty *t, u8 c)
{
	if (!L(t, ECHO))
		return;
	if (!L(t, ECHOE)) {
		echo(t, t->t.c_cc[VERASE]);
		return;
	}
	for (u32 n = width(t, c); n; n--) {
		ldisc_output(t, '\b');
		ldisc_output(t, ' ');
		ldisc_output(t, '\b');
	}
}

/* ---- the input queue ---- */

static void mark(struct tty *t, u32 at, bool on)
{
	u32 n = at % TTY_IN;

	if (on)
		t->line_end[n / 64] |= 1ULL << (n % 64);
	else
		t->line_end[n / 64] &= ~(1ULL << (n % 64));
}

static bool marked(const struct tty *t, u32 at)
{
	u32 n = at % TTY_IN;

	return t->line_end[n / 64] >> (n % 64) & 1;
}

static bool put(struct tty *t, u8 c, bool ends_line)
{
	/* The last byte is kept for the end of a line that is too long. */
	if (tty_in_used(t) >= TTY_IN - (L(t, ICANON) && !ends_line))
		return false;
	mark(t, t->in_tail, ends_line);
	t->in[t->in_tail++ % TTY_IN] = c;
	if (ends_line || !L(t, ICANON)) {
		t->canon = t->in_tail;
		waitq_wake_all(&t->readable, POLLIN | POLLRDNORM);
	}
	return true;
}

void ldisc_flush_in(struct tty *t)
{
	t->in_head = t->canon = t->in_tail;
	waitq_wake_all(&t->m_writable, POLLOUT | POLLWRNORM);
}

void ldisc_flush_out(struct tty *t)
{
	t->out_head = t->out_tail;
	waitq_wake_all(&t->writable, POLLOUT | POLLWRNORM);
}

void ldisc_changed(struct tty *t, u32 old_lflag)
{
	if (!((t->t.c_lflag ^ old_lflag) & ICANON))
		return;
	/* What is there can be read at once, in either mode. */
	if (L(t, ICANON) && t->in_tail != t->in_head)
		mark(t, t->in_tail - 1, true);
	t->canon = t->in_tail;
	waitq_wake_all(&t->readable, POLLIN | POLLRDNORM);
}

/* ---- editing a line ---- */

static u8 last(const struct tty *t)
{
	return t->in[(t->in_tail - 1) % TTY_IN];
}

static void erase_char(struct tty *t)
{
	u8 c;

	do {
		if (t->in_tail == t->canon)
			return;
		c = last(t);
		t->in_tail--;
		echo_erase(t, c);
	} while (I(t, IUTF8) && (c & 0xc0) == 0x80);
}

static bool is_word(u8 c)
{
	return c > ' ' && c != 0x7f;
}

static void erase_word(struct tty *t)
{
	while (t->in_tail != t->canon && !is_word(last(t)))
		erase_char(t);
	while (t->in_tail != t->canon && is_word(last(t)))
		erase_char(t);
}

static void erase_line(struct tty *t)
{
	bool visibly = L(t, ECHOK) && L(t, ECHOKE) && L(t, ECHOE);

	if (visibly) {
		while (t->in_tail != t->canon)
			erase_char(t);
		return;
	}
	t->in_tail = t->canon;
	echo(t, t->t.c_cc[VKILL]);
	if (L(t, ECHOK))
		ldisc_output(t, '\n');
}

static void reprint(struct tty *t)
{
	echo(t, t->t.c_cc[VREPRINT]);
	ldisc_output(t, '\n');
	for (u32 at = t->canon; at != t->in_tail; at++)
		echo(t, t->in[at % TTY_IN]);
}

/* True: c was an editing character. */
static bool edit(struct tty *t, u8 c)
{
	if (is_cc(t, c, VERASE))
		erase_char(t);
	else if (is_cc(t, c, VKILL))
		erase_line(t);
	else if (is_cc(t, c, VWERASE) && L(t, IEXTEN))
		erase_word(t);
	else if (is_cc(t, c, VREPRINT) && L(t, IEXTEN) && L(t, ECHO))
		reprint(t);
	else if (is_cc(t, c, VEOF))
		put(t, 0, true);
	else
		return false;
	return true;
}

/* ---- a byte typed ---- */

static bool signals(struct tty *t, u8 c)
{
	int sig;

	if (is_cc(t, c, VINTR))
		sig = SIGINT;
	else if (is_cc(t, c, VQUIT))
		sig = SIGQUIT;
	else if (is_cc(t, c, VSUSP))
		sig = SIGTSTP;
	else
		return false;
	if (!L(t, NOFLSH)) {
		ldisc_flush_in(t);
		ldisc_flush_out(t);
	}
	echo(t, c);
	tty_signal(t, sig);
	return true;
}

static bool flow_control(struct tty *t, u8 c)
{
	if (is_cc(t, c, VSTOP)) {
		t->stopped = true;
		return true;
	}
	if (t->stopped && (is_cc(t, c, VSTART) || I(t, IXANY))) {
		t->stopped = false;
		waitq_wake_all(&t->m_readable, POLLIN | POLLRDNORM);
	}
	return is_cc(t, c, VSTART);
}

/* -1: the byte is dropped. */
static int translate(struct tty *t, u8 c)
{
	if (I(t, ISTRIP))
		c &= 0x7f;
	if (c == '\r') {
		if (I(t, IGNCR))
			return -1;
		return I(t, ICRNL) ? '\n' : '\r';
	}
	if (c == '\n' && I(t, INLCR))
		return '\r';
	if (I(t, IUCLC) && L(t, IEXTEN) && c >= 'A' && c <= 'Z')
		return c + 'a' - 'A';
	return c;
}

static void typed(struct tty *t, u8 c)
{
	bool ends = L(t, ICANON) &&
		    (c == '\n' || is_cc(t, c, VEOL) || (is_cc(t, c, VEOL2) && L(t, IEXTEN)));

	if (put(t, c, ends))
		echo(t, c);
	else if (I(t, IMAXBEL))
		ldisc_output(t, 7);
}

void ldisc_input(struct tty *t, u8 raw)
{
	int c;

	if (t->literal) {
		t->literal = false;
		if (put(t, raw, false))
			echo(t, raw);
		return;
	}
	if (I(t, IXON) && flow_control(t, raw))
		return;
	if (L(t, ISIG) && signals(t, raw))
		return;
	c = translate(t, raw);
	if (c < 0)
		return;
	if (L(t, ICANON) && L(t, IEXTEN) && is_cc(t, c, VLNEXT)) {
		t->literal = true;
		return;
	}
	if (!L(t, ICANON) || !edit(t, c))
		typed(t, c);
}

/* ---- reading ---- */

bool ldisc_readable(const struct tty *t)
{
	u32 min = L(t, ICANON) || t->t.c_cc[VTIME] ? 1 : max((u8)1, t->t.c_cc[VMIN]);

	return L(t, ICANON) ? t->canon != t->in_head : tty_in_used(t) >= min;
}

bool ldisc_at_eof(struct tty *t)
{
	if (!L(t, ICANON) || t->canon == t->in_head)
		return false;
	if (!marked(t, t->in_head) || t->in[t->in_head % TTY_IN])
		return false;
	t->in_head++;
	return true;
}

size_t ldisc_read(struct tty *t, u8 *to, size_t n)
{
	u32 end = L(t, ICANON) ? t->canon : t->in_tail;
	size_t done = 0;

	while (done < n && t->in_head != end) {
		bool ends_line = L(t, ICANON) && marked(t, t->in_head);
		u8 c = t->in[t->in_head++ % TTY_IN];

		if (!ends_line || c)
			to[done++] = c;
		if (ends_line)
			break;
	}
	waitq_wake_all(&t->m_writable, POLLOUT | POLLWRNORM);
	return done;
}
