// SPDX-License-Identifier: Apache-2.0
#include "trace/words.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "trace_calls.h"

struct word {
	uint64_t value;
	const char *name;
};

#define W(name) { name, #name }
#define END { 0, NULL }

static const struct word open_words[] = { W(O_CREAT), W(O_EXCL), W(O_NOCTTY), W(O_TRUNC), W(O_APPEND), W(O_NONBLOCK),
					  W(O_SYNC), W(O_DSYNC), W(O_DIRECT), { 0100000, "O_LARGEFILE" },
					  { O_TMPFILE, "O_TMPFILE" }, W(O_DIRECTORY), W(O_NOFOLLOW), W(O_NOATIME),
					  W(O_CLOEXEC), W(O_PATH), END };
static const struct word at_words[] = { W(AT_SYMLINK_NOFOLLOW), { AT_REMOVEDIR, "AT_REMOVEDIR" }, W(AT_SYMLINK_FOLLOW),
					W(AT_NO_AUTOMOUNT), W(AT_EMPTY_PATH), END };
static const struct word access_words[] = { { 1, "X_OK" }, { 2, "W_OK" }, { 4, "R_OK" }, END };
static const struct word prot_words[] = { W(PROT_READ), W(PROT_WRITE), W(PROT_EXEC), END };
static const struct word map_words[] = { W(MAP_SHARED), W(MAP_PRIVATE), W(MAP_FIXED), W(MAP_ANONYMOUS), W(MAP_NORESERVE),
					 W(MAP_POPULATE), W(MAP_STACK), W(MAP_LOCKED), W(MAP_GROWSDOWN),
					 W(MAP_FIXED_NOREPLACE), { MAP_DENYWRITE, "MAP_DENYWRITE" }, END };
static const struct word msg_words[] = { W(MSG_OOB), W(MSG_PEEK), W(MSG_DONTROUTE), W(MSG_TRUNC), W(MSG_DONTWAIT),
					 W(MSG_WAITALL), W(MSG_NOSIGNAL), W(MSG_MORE), W(MSG_ERRQUEUE),
					 W(MSG_CMSG_CLOEXEC), END };
static const struct word clone_words[] = { W(CLONE_VM), W(CLONE_FS), W(CLONE_FILES), W(CLONE_SIGHAND), W(CLONE_VFORK),
					   W(CLONE_PARENT), W(CLONE_THREAD), W(CLONE_SYSVSEM), W(CLONE_SETTLS),
					   W(CLONE_PARENT_SETTID), W(CLONE_CHILD_CLEARTID), W(CLONE_CHILD_SETTID),
					   W(CLONE_NEWNS), W(CLONE_NEWUSER), W(CLONE_NEWPID), W(CLONE_NEWNET), END };
static const struct word poll_words[] = { W(POLLIN), W(POLLPRI), W(POLLOUT), W(POLLERR), W(POLLHUP), W(POLLNVAL),
					  { 0x2000, "POLLRDHUP" }, END };
static const struct word whence_words[] = { W(SEEK_SET), W(SEEK_CUR), W(SEEK_END), W(SEEK_DATA), W(SEEK_HOLE), END };
static const struct word family_words[] = { W(AF_UNIX), W(AF_INET), W(AF_INET6), W(AF_NETLINK), W(AF_PACKET), END };
static const struct word type_words[] = { W(SOCK_STREAM), W(SOCK_DGRAM), W(SOCK_RAW), W(SOCK_SEQPACKET), END };
static const struct word type_flags[] = { W(SOCK_CLOEXEC), W(SOCK_NONBLOCK), END };
static const struct word futex_words[] = { W(FUTEX_WAIT), W(FUTEX_WAKE), W(FUTEX_REQUEUE), W(FUTEX_CMP_REQUEUE),
					   W(FUTEX_WAKE_OP), W(FUTEX_LOCK_PI), W(FUTEX_UNLOCK_PI), W(FUTEX_WAIT_BITSET),
					   W(FUTEX_WAKE_BITSET), END };
static const struct word futex_flags[] = { W(FUTEX_PRIVATE_FLAG), W(FUTEX_CLOCK_REALTIME), END };
static const struct word fcntl_words[] = { W(F_DUPFD), W(F_GETFD), W(F_SETFD), W(F_GETFL), W(F_SETFL), W(F_GETLK),
					   W(F_SETLK), W(F_SETLKW), W(F_DUPFD_CLOEXEC), W(F_GETPIPE_SZ),
					   W(F_SETPIPE_SZ), W(F_ADD_SEALS), W(F_GET_SEALS), W(F_OFD_GETLK),
					   W(F_OFD_SETLK), W(F_OFD_SETLKW), END };
static const struct word epoll_words[] = { W(EPOLL_CTL_ADD), W(EPOLL_CTL_DEL), W(EPOLL_CTL_MOD), END };

static const char *name_of(const struct word *words, uint64_t value)
{
	for (; words->name; words++) {
		if (words->value == value)
			return words->name;
	}
	return NULL;
}

static void one_of(FILE *out, const struct word *words, uint64_t value)
{
	const char *name = name_of(words, value);

	if (name)
		fputs(name, out);
	else
		fprintf(out, "%#llx", (unsigned long long)value);
}

/* The bits' names, behind what is there already (`joint`: "|" or ""); then what has no name. */
static void bits(FILE *out, const struct word *words, uint64_t value, const char *joint)
{
	bool first = !*joint;

	for (; words->name; words++) {
		if ((value & words->value) != words->value)
			continue;
		fprintf(out, "%s%s", first ? "" : "|", words->name);
		value &= ~words->value;
		first = false;
	}
	if (value || first)
		fprintf(out, value ? "%s%#llx" : "%s%llu", first ? "" : "|", (unsigned long long)value);
}

/* One of the first, with flags of the second. */
static void joined(FILE *out, const struct word *words, const struct word *flags, uint64_t value)
{
	uint64_t mask = 0;

	for (const struct word *f = flags; f->name; f++)
		mask |= f->value;
	one_of(out, words, value & ~mask);
	if (value & mask)
		bits(out, flags, value & mask, "|");
}

static void open_flags(FILE *out, uint64_t value)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

	fputs(modes[value & O_ACCMODE], out);
	if (value & ~(uint64_t)O_ACCMODE)
		bits(out, open_words, value & ~(uint64_t)O_ACCMODE, "|");
}

/* The low byte of clone's flags is the child's signal at its end. */
static void clone_flags(FILE *out, uint64_t value)
{
	uint64_t flags = value & ~0xffULL;

	if (flags)
		bits(out, clone_words, flags, "");
	if (value & 0xff) {
		fputs(flags ? "|" : "", out);
		trace_signal_name(out, value & 0xff);
	}
	if (!value)
		fputs("0", out);
}

void trace_poll_words(FILE *out, uint64_t events)
{
	bits(out, poll_words, events, "");
}

void trace_signal_name(FILE *out, uint64_t sig)
{
	const char *name = sig < 32 ? sigabbrev_np((int)sig) : NULL;

	if (name)
		fprintf(out, "SIG%s", name);
	else if (sig >= 32 && sig <= 64)
		fprintf(out, "SIGRT_%d", (int)sig - 32);
	else
		fprintf(out, "%d", (int)sig);
}

static const struct {
	int kind;
	const struct word *one, *bits; /* either, or both */
} tables[] = {
	{ TRACE_ARG_AT, NULL, at_words },	  { TRACE_ARG_PROT, NULL, prot_words },
	{ TRACE_ARG_MAP, NULL, map_words },	  { TRACE_ARG_MSG, NULL, msg_words },
	{ TRACE_ARG_WHENCE, whence_words, NULL }, { TRACE_ARG_FAMILY, family_words, NULL },
	{ TRACE_ARG_FCNTL, fcntl_words, NULL },	  { TRACE_ARG_EPOLL, epoll_words, NULL },
	{ TRACE_ARG_SOCKTYPE, type_words, type_flags }, { TRACE_ARG_FUTEX, futex_words, futex_flags },
};

static bool from_table(FILE *out, int kind, uint64_t value)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].kind != kind)
			continue;
		if (tables[i].one && tables[i].bits)
			joined(out, tables[i].one, tables[i].bits, value);
		else if (tables[i].one)
			one_of(out, tables[i].one, value);
		else
			bits(out, tables[i].bits, value, "");
		return true;
	}
	return false;
}

bool trace_words(FILE *out, int kind, uint64_t value)
{
	value = (uint32_t)value;
	if (kind == TRACE_ARG_OPEN)
		open_flags(out, value);
	else if (kind == TRACE_ARG_CLONE)
		clone_flags(out, value);
	else if (kind == TRACE_ARG_ACCESS && !value)
		fputs("F_OK", out);
	else if (kind == TRACE_ARG_ACCESS)
		bits(out, access_words, value, "");
	else if (kind == TRACE_ARG_PROT && !value)
		fputs("PROT_NONE", out);
	else if (kind == TRACE_ARG_SIG)
		trace_signal_name(out, value);
	else
		return from_table(out, kind, value);
	return true;
}

void trace_quote(FILE *out, const void *bytes, size_t n, bool cut)
{
	static const char escapes[] = "\aa\bb\tt\nn\vv\ff\rr\"\"\\\\";
	const unsigned char *p = bytes;

	fputc('"', out);
	for (size_t i = 0; i < n; i++) {
		const char *e = NULL;

		for (const char *k = escapes; *k && !e; k += 2)
			e = (unsigned char)*k == p[i] ? k + 1 : NULL;
		if (e)
			fprintf(out, "\\%c", *e);
		else if (p[i] >= ' ' && p[i] < 127)
			fputc(p[i], out);
		else
			fprintf(out, i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '7' ? "\\%03o" : "\\%o", p[i]);
	}
	fputs(cut ? "\"..." : "\"", out);
}
