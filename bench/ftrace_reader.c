// SPDX-License-Identifier: Apache-2.0
/*
 * ftrace-reader INSTANCE: names, a line each, the functions that the function tracer of an instance of tracefs reports, when it does so
 * for the first time; until its input ends. What hardware interrupts do is left out.
 */
#include <linux/types.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tracefs.h>

#define IN_HARDIRQ 0x08 /* TRACE_FLAG_HARDIRQ of the kernel's include/linux/trace_events.h */
#define INTERVAL 50 /* ms between two looks at the buffers */
#define SLOTS (1u << 18) /* more than a kernel has functions */

struct reader {
	unsigned long long seen[SLOTS]; /* addresses, 0: free */
	struct tep_handle *tep;
	struct tep_format_field *ip, *flags;
};

static bool seen_before(struct reader *r, unsigned long long ip)
{
	unsigned int slot = (unsigned int)((ip * 0x9e3779b97f4a7c15ull) >> 46);

	while (r->seen[slot] && r->seen[slot] != ip)
		slot = (slot + 1) % SLOTS;
	if (r->seen[slot])
		return true;
	r->seen[slot] = ip;
	return false;
}

static int take(struct tep_event *event, struct tep_record *record, int cpu, void *context)
{
	struct reader *r = context;
	unsigned long long ip, flags;

	(void)cpu;
	if (strcmp(event->name, "function") != 0)
		return 0;
	if (!r->ip) {
		r->ip = tep_find_field(event, "ip");
		r->flags = tep_find_common_field(event, "common_flags");
	}
	if (tep_read_number_field(r->ip, record->data, &ip) || tep_read_number_field(r->flags, record->data, &flags))
		return 0;
	if (!(flags & IN_HARDIRQ) && !seen_before(r, ip)) {
		const char *name = tep_find_function(r->tep, ip);

		if (name)
			puts(name);
	}
	return 0;
}

static char *read_kallsyms(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char *text = NULL;
	size_t size = 0;

	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		perror("ftrace-reader: /proc/kallsyms");
		exit(1);
	}
	fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	static struct reader reader;
	struct tracefs_instance *instance;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int ended;

	if (argc != 2) {
		fputs("usage: ftrace-reader INSTANCE\n", stderr);
		return 2;
	}
	instance = tracefs_instance_alloc(NULL, argv[1]);
	reader.tep = tracefs_local_events_system(NULL, (const char *[]) { "ftrace", NULL });
	if (!instance || !reader.tep) {
		fprintf(stderr, "ftrace-reader: %s: not an instance of a mounted tracefs\n", argv[1]);
		return 1;
	}
	tep_parse_kallsyms(reader.tep, read_kallsyms());
	do {
		ended = poll(&input, 1, INTERVAL);
		if (tracefs_iterate_raw_events(reader.tep, instance, NULL, 0, take, &reader) < 0) {
			perror("ftrace-reader: trace_pipe_raw");
			return 1;
		}
		fflush(stdout);
	} while (ended == 0);
	return 0;
}
