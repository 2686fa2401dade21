// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/cmd.h"
#include "launch/signal.h"
#include "lib/cleanup.h"
#include "oci/state.h"

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ 0 },
};

/* "RTMIN", "RTMIN+3", "RTMAX-2"; -1: it is none of these. */
static int realtime_signal(const char *name)
{
	bool from_max = !strncasecmp(name, "RTMAX", 5);
	char *end;
	long n;

	if (!from_max && strncasecmp(name, "RTMIN", 5))
		return -1;
	name += 5;
	if (!*name)
		return from_max ? SIGRTMAX : SIGRTMIN;
	if (*name != (from_max ? '-' : '+') || !isdigit((unsigned char)name[1]))
		return -1;
	n = strtol(name + 1, &end, 10);
	if (*end || n > SIGRTMAX - SIGRTMIN)
		return -1;
	return from_max ? SIGRTMAX - (int)n : SIGRTMIN + (int)n;
}

static int parse_signal(const char *text, int *out, struct error *err)
{
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	char *end;
	long n = strtol(text, &end, 10);

	if (isdigit((unsigned char)text[0]) && !*end) {
		if (n > SIGRTMAX) /* 0 only asks whether it runs */
			return error_set(err, EINVAL, "unknown signal \"%s\"", text);
		*out = (int)n;
		return 0;
	}
	*out = realtime_signal(name);
	for (int sig = 1; *out < 0 && sig < SIGRTMIN; sig++) {
		const char *known = sigabbrev_np(sig);

		if (known && !strcasecmp(known, name))
			*out = sig;
	}
	return *out < 0 ? error_set(err, EINVAL, "unknown signal \"%s\"", text) : 0;
}

int cmd_kill(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	bool all = false;
	int sig = SIGTERM;
	int ret;
	int c;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		all = true;
	}
	ret = cmd_check_args(argc, argv, 1, 2, err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (!ret && argc - optind == 2)
		ret = parse_signal(argv[optind + 1], &sig, err);
	return ret ? ret : container_signal(globals->root, &state, sig, all, err);
}
