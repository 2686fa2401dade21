// SPDX-License-Identifier: Apache-2.0
#include "cmd/ps_guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "launch/control_client.h"
#include "lib/cleanup.h"

#define PTS_MAJOR 136
#define NS 1000000000ULL

bool ps_is_inside(const struct container_state *state)
{
	return state->machine && !strcmp(state->machine, machine_name(MACHINE_KVM));
}

static unsigned long long now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (unsigned long long)ts.tv_sec * NS + (unsigned long long)ts.tv_nsec;
}

static void format_tty(char *out, size_t size, unsigned int number)
{
	if (number >> 8 == PTS_MAJOR)
		snprintf(out, size, "pts/%u", number & 0xff);
	else
		snprintf(out, size, "?");
}

/* The time of day; the date of what is older than a day. */
static void format_start(char *out, size_t size, unsigned long long age)
{
	time_t start = (time_t)((now_ns(CLOCK_REALTIME) - age) / NS);
	struct tm tm = { 0 };

	localtime_r(&start, &tm);
	strftime(out, size, age < 86400 * NS ? "%H:%M" : "%b%d", &tm);
}

/* A line of the guest's (PV_EV_PROCESSES in pvcall.h): its word, for display only. */
static void print_line(const char *line)
{
	unsigned long long start, cpu, now = now_ns(CLOCK_BOOTTIME), age, s;
	char tty[16], since[16];
	unsigned int uid, number;
	int pid, parent, at = 0;

	if (sscanf(line, "%d %d %u %u %llu %llu %n", &pid, &parent, &uid, &number, &start, &cpu, &at) != 6 || !at)
		return;
	age = now > start ? now - start : 1;
	s = cpu / NS;
	format_tty(tty, sizeof(tty), number);
	format_start(since, sizeof(since), age);
	printf("%-8u %7d %7d %2llu %-5s %-8s %02llu:%02llu:%02llu %s\n", uid, pid, parent, cpu / (age / 100 + 1), since,
	       tty, s / 3600, s / 60 % 60, s % 60, line + at);
}

static void print_lines(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_line(line);
}

/* The process that was shown last, if there are more; 0: those were all; or -errno. */
static json_int_t print_page(const struct globals *globals, const char *id, json_int_t after, struct error *err)
{
	cleanup(control_unref) json_t *reply = control_ask(
		globals->root, id, json_pack("{sssI}", "cmd", "processes", "after", after), err);
	const char *text = json_string_value(json_object_get(reply, "text"));
	cleanup_free char *copy = text ? strdup(text) : NULL;
	json_int_t next = json_integer_value(json_object_get(reply, "next"));

	if (!reply)
		return -err->code;
	if (!copy || (next && next <= after))
		return error_set(err, EPROTO, "the guest kernel's list of processes is none");
	print_lines(copy);
	return next;
}

int ps_inside_table(const struct globals *globals, const struct container_state *state, char **options, struct error *err)
{
	json_int_t after = 0;

	for (; *options; options++)
		if (strcmp(*options, "-ef") && strcmp(*options, "-e") && strcmp(*options, "-f"))
			return error_set(err, ENOTSUP, "ps: %s: the processes are inside a VM: only -ef is there", *options);
	if (state_status(globals->root, state) == STATUS_PAUSED)
		return error_set(err, EBUSY, "the container is paused: nothing in its VM can answer");
	puts("UID          PID    PPID  C STIME TTY          TIME CMD");
	if (!state_alive(state))
		return 0;
	do {
		after = print_page(globals, state->id, after, err);
	} while (after > 0);
	return (int)after;
}
