// SPDX-License-Identifier: Apache-2.0
/* callgate trace: what system calls a container makes. The guest kernel tells; nothing is stopped for it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/syscall_names.h"
#include "trace/reader.h"
#include "trace/select.h"

#define DEFAULT_STRINGS 32
#define PIPE_BYTES (1 << 20)

enum { OPT_NO_LOSS = CHAR_MAX + 1 };

static const struct option options[] = {
	{ "expr", required_argument, NULL, 'e' },
	{ "summary", no_argument, NULL, 'c' },
	{ "pid", required_argument, NULL, 'p' },
	{ "output", required_argument, NULL, 'o' },
	{ "string-limit", required_argument, NULL, 's' },
	{ "timestamps", no_argument, NULL, 't' },
	{ "time-spent", no_argument, NULL, 'T' },
	{ "no-loss", no_argument, NULL, OPT_NO_LOSS },
	{ 0 },
};

struct tracing {
	const char *id;
	const char *output;
	bool summary, no_loss;
	bool selected;
	bool wanted[COUNTED_CALLS];
	long pid, strings;
	int control, signals;
	struct trace_reader reader;
};

/* ---- options ---- */

static int read_number(const char *option, const char *text, long max, long *value, struct error *err)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	if (errno || end == text || *end || *value < 0 || *value > max)
		return error_set(err, EINVAL, "%s: '%s' is not a number from 0 to %ld", option, text, max);
	return 0;
}

static int take_option(struct tracing *t, int c, struct error *err)
{
	switch (c) {
	case 'e':
		t->selected = true;
		return trace_select(optarg, t->wanted, err);
	case 'c':
		t->summary = true;
		return 0;
	case 'p':
		return read_number("--pid", optarg, INT_MAX, &t->pid, err);
	case 'o':
		t->output = optarg;
		return 0;
	case 's':
		return read_number("--string-limit", optarg, TRACE_STRING_MAX, &t->strings, err);
	case 't':
		t->reader.style.stamps = true;
		return 0;
	case 'T':
		t->reader.style.times = true;
		return 0;
	case OPT_NO_LOSS:
		t->no_loss = true;
		return 0;
	default:
		return -err->code;
	}
}

/* ---- start ---- */

static json_t *request(const struct tracing *t)
{
	json_t *r = json_pack("{sssbsbsbsbsIsI}", "cmd", "trace", "records", !t->summary, "sums", t->summary, "wait",
			      t->no_loss, "clock", t->reader.style.stamps || t->reader.style.times, "pid", (json_int_t)t->pid, "strings", (json_int_t)t->strings);
	json_t *calls = t->selected ? json_array() : NULL;

	for (int nr = 0; calls && nr < COUNTED_CALLS; nr++)
		if (t->wanted[nr])
			json_array_append_new(calls, json_integer(nr));
	if (calls)
		json_object_set_new(r, "calls", calls);
	return r;
}

static int ask(struct tracing *t, struct error *err)
{
	int fds[2] = { -1, -1 }, ret;
	json_t *reply;

	if (!t->summary && pipe2(fds, O_CLOEXEC))
		return error_errno(err, errno, "pipe");
	t->reader.fd = fds[0];
	if (fds[1] >= 0)
		(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* if the user may: else it is smaller */
	ret = control_request(t->control, request(t), &fds[1], t->summary ? 0 : 1, err);
	if (fds[1] >= 0)
		close(fds[1]);
	reply = ret ? NULL : control_reply(t->control, err);
	json_decref(reply);
	return reply ? 0 : -err->code;
}

static long long clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int prepare(struct tracing *t, struct error *err)
{
	sigset_t set;

	t->reader.out = t->output ? fopen(t->output, "we") : stdout;
	if (!t->reader.out)
		return error_errno(err, errno, "%s", t->output);
	t->reader.style.clock_offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	t->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return t->signals < 0 ? error_errno(err, errno, "signals") : 0;
}

/* ---- until the end ---- */

/* The rest of what is on its way; the hypervisor has closed the other end. */
static int drain(struct tracing *t, struct error *err)
{
	int ret = 1;

	while (ret > 0)
		ret = trace_read(&t->reader, err);
	trace_show_sleepers(&t->reader, true);
	return ret;
}

/* The last word of the hypervisor: counts, or why it is over. */
static json_t *stop(struct tracing *t, bool ask_for_it, struct error *err)
{
	if (ask_for_it && control_request(t->control, json_pack("{ss}", "cmd", "trace-stop"), NULL, 0, err))
		return NULL;
	if (!t->summary && drain(t, err))
		return NULL;
	return control_reply(t->control, err);
}

/* What has ended the trace is told by the hypervisor in any case. */
static json_t *follow(struct tracing *t, struct error *err)
{
	struct pollfd fds[] = { { .fd = t->signals, .events = POLLIN },
				{ .fd = t->control, .events = POLLIN },
				{ .fd = t->summary ? -1 : t->reader.fd, .events = POLLIN } };

	for (;;) {
		if (poll(fds, 3, trace_timeout_ms(&t->reader)) < 0)
			continue;
		trace_show_sleepers(&t->reader, false);
		if (fds[2].revents) {
			int ret = trace_read(&t->reader, err);

			if (ret < 0)
				return NULL;
			if (!ret)
				return stop(t, false, err);
			if (fflush(t->reader.out))
				return stop(t, true, err);
		}
		if (fds[0].revents)
			return stop(t, true, err);
		if (fds[1].revents && !fds[2].revents)
			return stop(t, false, err);
	}
}

/* ---- summary ---- */

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int by_time(const void *a, const void *b)
{
	long long x = number(*(json_t *const *)a, "time"), y = number(*(json_t *const *)b, "time");

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_row(FILE *out, const json_t *s, long long all, const char *name)
{
	long long time = number(s, "time"), calls = number(s, "calls");

	fprintf(out, "%6.2f %11.6f %11.3f %9lld %9lld %9lld %10lld %s\n",
		all ? 100.0 * (double)time / (double)all : 0, (double)time / 1e9,
		calls ? (double)time / (double)calls / 1e3 : 0, calls, number(s, "errors"), number(s, "pvCalls"),
		number(s, "hostCalls"), name);
}

static json_t *total(json_t **rows, size_t n)
{
	static const char *const keys[] = { "time", "calls", "errors", "pvCalls", "hostCalls" };
	json_t *sum = json_object();

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		long long all = 0;

		for (size_t i = 0; i < n; i++)
			all += number(rows[i], keys[k]);
		json_object_set_new(sum, keys[k], json_integer(all));
	}
	return sum;
}

static void print_summary(FILE *out, const json_t *reply)
{
	static const char line[] = "------ ----------- ----------- --------- --------- --------- ---------- "
				   "----------------";
	const json_t *sums = json_object_get(reply, "sums");
	size_t n = json_array_size(sums);
	cleanup_free json_t **rows = calloc(n + 1, sizeof(json_t *));
	cleanup(control_unref) json_t *all = NULL;

	for (size_t i = 0; rows && i < n; i++)
		rows[i] = json_array_get(sums, i);
	if (!rows)
		return;
	qsort(rows, n, sizeof(json_t *), by_time);
	all = total(rows, n);
	fprintf(out, "%6s %11s %11s %9s %9s %9s %10s %s\n%s\n", "% time", "seconds", "usecs/call", "calls", "errors",
		"PV calls", "host calls", "system call", line);
	for (size_t i = 0; i < n; i++)
		print_row(out, rows[i], number(all, "time"), syscall_name((int)number(rows[i], "nr")));
	fprintf(out, "%s\n", line);
	print_row(out, all, number(all, "time"), "total");
}

static void print_losses(FILE *out, const json_t *reply)
{
	if (json_is_true(json_object_get(reply, "cut")))
		fputs("--- the end is missing: nobody read it in time ---\n", out);
	if (number(reply, "lost"))
		fprintf(out, "--- %lld records were lost in all ---\n", number(reply, "lost"));
}

static int run(struct tracing *t, struct error *err)
{
	int ret = prepare(t, err);
	json_t *reply;

	if (!ret)
		ret = ask(t, err);
	if (!ret)
		fprintf(stderr, "tracing %s\n", t->id);
	reply = ret ? NULL : follow(t, err);
	if (!reply)
		return -err->code;
	if (t->summary)
		print_summary(t->reader.out, reply);
	else
		print_losses(t->reader.out, reply);
	json_decref(reply);
	if (fflush(t->reader.out))
		return error_errno(err, errno, "%s", t->output ? t->output : "standard output");
	return 0;
}

int cmd_trace(const struct globals *globals, int argc, char **argv, struct error *err)
{
	static struct tracing t = { .strings = DEFAULT_STRINGS };
	int c, ret = 0;

	while (!ret && (c = cmd_option(argc, argv, options, err)) != -1)
		ret = take_option(&t, c, err);
	if (!ret)
		ret = cmd_check_args(argc, argv, 1, 1, err);
	if (ret)
		return ret;
	t.id = argv[optind];
	t.control = control_connect(globals->root, t.id, err);
	return t.control < 0 ? -err->code : run(&t, err);
}
