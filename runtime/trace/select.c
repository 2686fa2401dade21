// SPDX-License-Identifier: Apache-2.0
#include "trace/select.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/syscall_names.h"

static const struct {
	const char *name;
	unsigned int set;
} sets[] = {
	{ "all", ~0u },
	{ "none", 0 },
	{ "file", TRACE_SET_FILE },
	{ "desc", TRACE_SET_DESC },
	{ "memory", TRACE_SET_MEMORY },
	{ "process", TRACE_SET_PROCESS },
	{ "signal", TRACE_SET_SIGNAL },
	{ "network", TRACE_SET_NETWORK },
	{ "net", TRACE_SET_NETWORK },
	{ "ipc", TRACE_SET_IPC },
	{ "creds", TRACE_SET_CREDS },
	{ "clock", TRACE_SET_CLOCK },
};

static bool add_set(const char *name, bool *wanted)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (strcmp(sets[i].name, name))
			continue;
		for (int nr = 0; nr < COUNTED_CALLS; nr++)
			wanted[nr] |= sets[i].set == ~0u || (trace_calls[nr].sets & sets[i].set);
		return true;
	}
	return false;
}

static bool add_call(const char *name, bool *wanted)
{
	for (int nr = 0; nr < COUNTED_CALLS; nr++) {
		if (strcmp(syscall_name(nr), name))
			continue;
		wanted[nr] = true;
		return true;
	}
	return false;
}

int trace_select(const char *text, bool wanted[COUNTED_CALLS], struct error *err)
{
	cleanup_free char *words = NULL;
	char *at = NULL;
	bool inverted;

	if (!strncmp(text, "trace=", strlen("trace=")))
		text += strlen("trace=");
	inverted = *text == '!';
	words = strdup(text + inverted);
	if (!words)
		return error_set(err, ENOMEM, "no memory");
	memset(wanted, 0, COUNTED_CALLS * sizeof(*wanted));
	for (char *word = strtok_r(words, ",", &at); word; word = strtok_r(NULL, ",", &at)) {
		bool set = *word == '%';

		/* a set's name may go without its %; "open" and "close" are calls */
		if (!add_set(word + set, wanted) && (set || !add_call(word, wanted)))
			return error_set(err, EINVAL, "-e: '%s' is neither a system call nor a set of them", word);
	}
	for (int nr = 0; nr < COUNTED_CALLS; nr++)
		wanted[nr] ^= inverted;
	return 0;
}
