// SPDX-License-Identifier: Apache-2.0
/* Nothing in a record is believed: what lies outside it is not looked at, what can't be shown is escaped. */
#include "trace/print.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/syscall_names.h"
#include "trace/words.h"
#include "trace_calls.h"

/* Restarts, which only the guest kernel itself sees. */
#define ERESTART_FIRST 512
#define ERESTART_LAST 516

struct item {
	const uint8_t *bytes;
	size_t len;
	bool cut;
};

/* What argument arg points to; false: nothing was copied. */
static bool find_item(const struct trace_record *r, int arg, struct item *item)
{
	size_t at = sizeof(*r);

	while (at + sizeof(struct trace_item) <= r->size) {
		struct trace_item head;
		const uint8_t *bytes = (const uint8_t *)r + at + sizeof(head);

		memcpy(&head, (const uint8_t *)r + at, sizeof(head));
		at += sizeof(head) + ((head.len + 3u) & ~3u);
		if (at > r->size)
			return false;
		if (head.arg != arg)
			continue;
		*item = (struct item){ bytes, head.len, head.flags & TRACE_CUT };
		return true;
	}
	return false;
}

/* ---- what arguments point to ---- */

static void print_words(FILE *out, const struct item *i)
{
	const char *p = (const char *)i->bytes, *end = p + i->len;
	const char *joint = "";

	fputc('[', out);
	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));

		fputs(joint, out);
		trace_quote(out, p, n, false);
		joint = ", ";
		p += n + 1;
	}
	fputs(i->cut ? ", ...]" : "]", out);
}

static void print_unix(FILE *out, const struct item *i)
{
	size_t head = offsetof(struct sockaddr_un, sun_path), n = i->len - head;
	const char *path = (const char *)i->bytes + head;

	fputs("{AF_UNIX, ", out);
	if (n && !path[0]) {
		fputc('@', out);
		trace_quote(out, path + 1, n - 1, i->cut);
	} else {
		trace_quote(out, path, strnlen(path, n), i->cut);
	}
	fputc('}', out);
}

static void print_address(FILE *out, const struct item *i)
{
	struct sockaddr_storage s = { 0 };
	const struct sockaddr_in *in = (const void *)&s;
	const struct sockaddr_in6 *in6 = (const void *)&s;
	char text[INET6_ADDRSTRLEN];

	memcpy(&s, i->bytes, i->len < sizeof(s) ? i->len : sizeof(s));
	if (s.ss_family == AF_INET && i->len >= sizeof(*in))
		fprintf(out, "{AF_INET, %s:%d}", inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)),
			ntohs(in->sin_port));
	else if (s.ss_family == AF_INET6 && i->len >= sizeof(*in6))
		fprintf(out, "{AF_INET6, [%s]:%d}", inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)),
			ntohs(in6->sin6_port));
	else if (s.ss_family == AF_UNIX && i->len >= sizeof(sa_family_t))
		print_unix(out, i);
	else
		trace_quote(out, i->bytes, i->len, i->cut);
}

static void print_stat(FILE *out, const struct item *i)
{
	static const char *const types[16] = { [1] = "S_IFIFO", [2] = "S_IFCHR", [4] = "S_IFDIR", [6] = "S_IFBLK",
					       [8] = "S_IFREG", [10] = "S_IFLNK", [12] = "S_IFSOCK" };
	struct stat st;
	const char *type;

	if (i->len < sizeof(st)) {
		fputs("{...}", out);
		return;
	}
	memcpy(&st, i->bytes, sizeof(st));
	type = types[(st.st_mode & S_IFMT) >> 12];
	fprintf(out, "{st_mode=%s|%04o, st_size=%lld, ...}", type ? type : "?", st.st_mode & 07777u,
		(long long)st.st_size);
}

static void print_status(FILE *out, int status)
{
	if (WIFEXITED(status)) {
		fprintf(out, "exited %d", WEXITSTATUS(status));
	} else if (WIFSIGNALED(status) || WIFSTOPPED(status)) {
		fputs(WIFSTOPPED(status) ? "stopped " : "killed ", out);
		trace_signal_name(out, (uint64_t)(WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status)));
	} else {
		fprintf(out, "%#x", (unsigned int)status);
	}
}

static void print_pollfds(FILE *out, const struct item *i, uint64_t n)
{
	fputc('[', out);
	for (size_t k = 0; k < i->len / sizeof(struct pollfd); k++) {
		struct pollfd p;

		memcpy(&p, i->bytes + k * sizeof(p), sizeof(p));
		fprintf(out, "%s{fd=%d, events=", k ? ", " : "", p.fd);
		trace_poll_words(out, (uint16_t)p.events);
		if (p.revents) {
			fputs(", revents=", out);
			trace_poll_words(out, (uint16_t)p.revents);
		}
		fputc('}', out);
	}
	fputs(n > i->len / sizeof(struct pollfd) ? ", ...]" : "]", out);
}

static bool print_numbers(FILE *out, int kind, const struct item *i)
{
	int32_t pair[2];
	int64_t ts[2];

	if (kind == TRACE_ARG_PAIR && i->len >= sizeof(pair)) {
		memcpy(pair, i->bytes, sizeof(pair));
		fprintf(out, "[%d, %d]", pair[0], pair[1]);
	} else if (kind == TRACE_ARG_TS && i->len >= sizeof(ts)) {
		memcpy(ts, i->bytes, sizeof(ts));
		fprintf(out, "{%" PRId64 ".%09" PRId64 "}", ts[0], ts[1]);
	} else if (kind == TRACE_ARG_STATUS && i->len >= sizeof(pair[0])) {
		memcpy(pair, i->bytes, sizeof(pair[0]));
		fputc('[', out);
		print_status(out, pair[0]);
		fputc(']', out);
	} else {
		return false;
	}
	return true;
}

static void print_item(FILE *out, const struct trace_record *r, int kind, int arg, const struct item *i)
{
	switch (kind) {
	case TRACE_ARG_ARGV:
		print_words(out, i);
		break;
	case TRACE_ARG_ADDR_IN:
	case TRACE_ARG_ADDR_OUT:
		print_address(out, i);
		break;
	case TRACE_ARG_STAT:
		print_stat(out, i);
		break;
	case TRACE_ARG_POLLFDS:
		print_pollfds(out, i, arg < 5 ? r->args[arg + 1] : 0);
		break;
	case TRACE_ARG_IOV_IN:
	case TRACE_ARG_IOV_OUT:
	case TRACE_ARG_MSG_IN:
	case TRACE_ARG_MSG_OUT:
		fputc('[', out);
		trace_quote(out, i->bytes, i->len, i->cut);
		fputc(']', out);
		break;
	default:
		if (!print_numbers(out, kind, i))
			trace_quote(out, i->bytes, i->len, i->cut);
	}
}

/* ---- arguments ---- */

static void print_number(FILE *out, int kind, uint64_t v)
{
	switch (kind) {
	case TRACE_ARG_DIRFD:
		if ((int32_t)v == AT_FDCWD) {
			fputs("AT_FDCWD", out);
			break;
		}
		/* fall through */
	case TRACE_ARG_FD:
	case TRACE_ARG_INT:
		fprintf(out, "%d", (int32_t)v);
		break;
	case TRACE_ARG_UINT:
		fprintf(out, "%u", (uint32_t)v);
		break;
	case TRACE_ARG_INT64:
		fprintf(out, "%" PRId64, (int64_t)v);
		break;
	case TRACE_ARG_SIZE:
		fprintf(out, "%" PRIu64, v);
		break;
	case TRACE_ARG_MODE:
		fprintf(out, "%04o", (uint32_t)v);
		break;
	case TRACE_ARG_HEX:
		fprintf(out, v ? "%#" PRIx64 : "%" PRIu64, v);
		break;
	default: /* a pointer */
		if (v)
			fprintf(out, "%#" PRIx64, v);
		else
			fputs("NULL", out);
	}
}

/* A mode for no new file means nothing. */
static bool is_meant(const struct trace_record *r, const uint8_t *kinds, int i)
{
	return kinds[i] != TRACE_ARG_MODE || !i || kinds[i - 1] != TRACE_ARG_OPEN ||
	       r->args[i - 1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
}

/* The first argument that the call has filled in, and that could not be shown before: as many as there are, if there is none. */
static int first_answer(const struct trace_record *r)
{
	const struct trace_call *call = &trace_calls[r->nr];
	int i = 0;

	while (i < call->nargs && call->args[i] < TRACE_ARG_OUT)
		i++;
	return i;
}

static void print_args(FILE *out, const struct trace_record *r, int from, int to)
{
	const struct trace_call *call = &trace_calls[r->nr];

	for (int i = from; i < to && i < call->nargs && is_meant(r, call->args, i); i++) {
		int kind = call->args[i];
		struct item item;

		fputs(i > from ? ", " : "", out);
		if (kind >= TRACE_ARG_PATH && find_item(r, i, &item))
			print_item(out, r, kind, i, &item);
		else if (!trace_words(out, kind, r->args[i]))
			print_number(out, kind, r->args[i]);
	}
}

/* ---- lines ---- */

static bool gives_address(int nr)
{
	const char *name = syscall_name(nr);

	return !strcmp(name, "mmap") || !strcmp(name, "mremap") || !strcmp(name, "brk") || !strcmp(name, "shmat");
}

static void print_result(FILE *out, const struct trace_record *r)
{
	int64_t v = r->result;
	const char *name = v < 0 && v >= -4095 ? strerrorname_np((int)-v) : NULL;

	if (r->flags & TRACE_NO_RESULT)
		fputs(" = ?", out);
	else if (v <= -ERESTART_FIRST && v >= -ERESTART_LAST)
		fputs(" = ? (interrupted)", out);
	else if (v < 0 && v >= -4095)
		fprintf(out, " = -1 %s (%s)", name ? name : "?", strerrordesc_np((int)-v) ?: "unknown error");
	else
		fprintf(out, gives_address(r->nr) ? " = %#" PRIx64 : " = %" PRId64, v);
}

static void print_cost(FILE *out, const struct trace_record *r)
{
	if (r->pv_calls || r->host_calls)
		fprintf(out, " {pv %u, host %u}", r->pv_calls, r->host_calls);
}

static void print_call(FILE *out, const struct trace_record *r, enum trace_part part, const struct trace_style *style)
{
	int split = part == TRACE_WHOLE ? 0 : first_answer(r);

	fprintf(out, part == TRACE_RESUMED ? "<... %s resumed>" : "%s(", syscall_name(r->nr));
	if (part == TRACE_UNFINISHED) {
		print_args(out, r, 0, split);
		fputs(split && split < trace_calls[r->nr].nargs ? ", <unfinished ...>" : " <unfinished ...>", out);
		return;
	}
	print_args(out, r, split, trace_calls[r->nr].nargs);
	fputc(')', out);
	print_result(out, r);
	print_cost(out, r);
	if (style->times)
		fprintf(out, " <%" PRIu64 ".%06" PRIu64 ">", r->time / 1000000000u, r->time / 1000 % 1000000);
}

static void print_exited(FILE *out, int status)
{
	if (WIFSIGNALED(status)) {
		fputs("+++ killed by ", out);
		trace_signal_name(out, (uint64_t)WTERMSIG(status));
		fputs(" +++", out);
	} else {
		fprintf(out, "+++ exited with %d +++", WEXITSTATUS(status));
	}
}

static void print_stamp(FILE *out, const struct trace_record *r, const struct trace_style *style)
{
	uint64_t at = r->start + (uint64_t)style->clock_offset;
	time_t seconds = (time_t)(at / 1000000000u);
	struct tm tm = { 0 };

	localtime_r(&seconds, &tm);
	fprintf(out, "%02d:%02d:%02d.%06" PRIu64 " ", tm.tm_hour, tm.tm_min, tm.tm_sec, at / 1000 % 1000000);
}

void trace_print(FILE *out, const struct trace_record *r, enum trace_part part, const struct trace_style *style)
{
	if (r->lost)
		fprintf(out, "--- %u records lost ---\n", r->lost);
	fprintf(out, "%-5d ", r->tid);
	if (style->stamps)
		print_stamp(out, r, style);
	if ((r->type == TRACE_CALL || r->type == TRACE_STARTED) && r->nr < COUNTED_CALLS) {
		print_call(out, r, part, style);
	} else if (r->type == TRACE_SIGNAL) {
		fputs("--- ", out);
		trace_signal_name(out, r->nr);
		fprintf(out, " {si_code=%d, si_pid=%d} ---", (int)r->args[0], (int)r->args[1]);
	} else if (r->type == TRACE_EXITED) {
		print_exited(out, (int)r->result);
	} else {
		fprintf(out, "(record of unknown type %u)", r->type);
	}
	fputc('\n', out);
}
