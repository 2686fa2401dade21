// SPDX-License-Identifier: Apache-2.0
/*
 * ftrace-reader INSTANCE: names, a line each, the functions that the function tracer of an instance of tracefs reports, when it does so
 * for the first time, after "ready"; until its input ends. What hardware interrupts do is left out.
 */
#include <errno.h>
#include <linux/types.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kbuffer.h>
#include <tracefs.h>

#define IN_HARDIRQ 0x08 /* TRACE_FLAG_HARDIRQ of the kernel's include/linux/trace_events.h */
#define INTERVAL 50 /* ms between two looks at the buffers */
#define PAGES 1024 /* at most of a processor at a time */
#define SLOTS (1u << 18) /* more than a kernel has functions */

struct reader {
	unsigned long long seen[SLOTS]; /* addresses, 0: free */
	struct tep_handle *tep;
	struct tep_event *function;
	struct tep_format_field *ip, *flags;
	struct kbuffer *page;
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

static void take(struct reader *r, void *data)
{
	unsigned long long type = tep_read_number(r->tep, data, 2), ip, flags;

	if (type != (unsigned long long)r->function->id || tep_read_number_field(r->ip, data, &ip) ||
	    tep_read_number_field(r->flags, data, &flags))
		return;
	if (!(flags & IN_HARDIRQ) && !seen_before(r, ip)) {
		const char *name = tep_find_function(r->tep, ip);

		if (name)
			puts(name);
	}
}

/* What a processor's buffer has now. Each read takes a page out, so there is an end to it only if this is faster than who writes. */
static bool take_pages(struct reader *r, struct tracefs_cpu *cpu)
{
	static char page[1 << 16];
	unsigned long long when;
	int size;

	for (int i = 0; i < PAGES && (size = tracefs_cpu_read(cpu, page, true)) > 0; i++) {
		kbuffer_load_subbuffer(r->page, page);
		for (void *data = kbuffer_read_event(r->page, &when); data; data = kbuffer_next_event(r->page, &when))
			take(r, data);
	}
	return size >= 0 || errno == EAGAIN;
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

static bool prepare(struct reader *r)
{
	r->tep = tracefs_local_events_system(NULL, (const char *[]) { "ftrace", NULL });
	r->function = r->tep ? tep_find_event_by_name(r->tep, "ftrace", "function") : NULL;
	if (!r->function)
		return false;
	r->ip = tep_find_field(r->function, "ip");
	r->flags = tep_find_common_field(r->function, "common_flags");
	r->page = kbuffer_alloc(KBUFFER_LSIZE_SAME_AS_HOST, KBUFFER_ENDIAN_SAME_AS_HOST);
	tep_parse_kallsyms(r->tep, read_kallsyms());
	return r->ip && r->flags && r->page;
}

int main(int argc, char **argv)
{
	static struct reader reader;
	static struct tracefs_cpu *cpus[1024];
	struct tracefs_instance *instance;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int ended, count = (int)sysconf(_SC_NPROCESSORS_CONF);

	if (argc != 2) {
		fputs("usage: ftrace-reader INSTANCE\n", stderr);
		return 2;
	}
	instance = tracefs_instance_alloc(NULL, argv[1]);
	if (!instance || !prepare(&reader)) {
		fprintf(stderr, "ftrace-reader: %s: not an instance of a mounted tracefs\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < count && i < 1024; i++)
		cpus[i] = tracefs_cpu_open(instance, i, true);
	puts("ready");
	do {
		fflush(stdout);
		ended = poll(&input, 1, INTERVAL);
		for (int i = 0; i < count && i < 1024; i++)
			if (cpus[i] && !take_pages(&reader, cpus[i])) {
				perror("ftrace-reader: trace_pipe_raw");
				return 1;
			}
	} while (ended == 0);
	return fflush(stdout) ? 1 : 0;
}
