// SPDX-License-Identifier: Apache-2.0
/*
 * The processes of a guest are host processes: children of vm0, the hypervisor's only lasting child. The host's
 * ps shows them; who asks for JSON filters its own ps by their numbers (docker top). Those of a VM are not: for them
 * the host has the hypervisor alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ps_guest.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "oci/state.h"

struct pair {
	pid_t pid, parent;
};

struct pairs {
	struct pair *v;
	size_t n, room;
	bool inside; /* a VM */
};

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ 0 },
};

/* Field 4 of /proc/PID/stat; 0 if it has ended. */
static pid_t parent_of(pid_t pid)
{
	cleanup_free char *text = NULL;
	struct error ignored;
	char path[64], state;
	size_t size;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs_read_file(path, 65536, &text, &size, &ignored))
		return 0;
	/* the name before it may have any character in it */
	if (!strrchr(text, ')') || sscanf(strrchr(text, ')'), ") %c %d", &state, &parent) != 2 || state == 'Z')
		return 0;
	return parent;
}

static int list_processes(struct pairs *out, struct error *err)
{
	cleanup_dir DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return error_errno(err, errno, "/proc");
	while ((entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);
		pid_t parent = pid > 0 ? parent_of(pid) : 0;

		if (parent <= 0)
			continue;
		if (out->n == out->room) {
			out->room = out->room * 2 + 256;
			out->v = realloc(out->v, out->room * sizeof(*out->v));
			if (!out->v)
				abort();
		}
		out->v[out->n++] = (struct pair){ pid, parent };
	}
	return 0;
}

static bool is_child_of(const struct pairs *all, pid_t pid, pid_t parent)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].pid == pid)
			return all->v[i].parent == parent;
	}
	return false;
}

static bool is_guest(const struct pairs *all, pid_t pid, pid_t hypervisor)
{
	if (all->inside)
		return pid == hypervisor;
	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].pid == pid)
			return is_child_of(all, all->v[i].parent, hypervisor);
	}
	return false;
}

static int print_json(const struct pairs *all, pid_t hypervisor)
{
	json_t *list = json_array();
	size_t n;

	for (size_t i = 0; i < all->n; i++) {
		if (hypervisor && is_guest(all, all->v[i].pid, hypervisor))
			json_array_append_new(list, json_integer(all->v[i].pid));
	}
	n = json_array_size(list);
	if (n)
		json_dumpf(list, stdout, JSON_COMPACT);
	puts(n ? "" : "null");
	json_decref(list);
	return 0;
}

/* Where ps has its column PID: the number of words in front of it; -1: it has none. */
static int pid_column(char *title)
{
	char *save = NULL;
	int n = 0;

	for (char *word = strtok_r(title, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save), n++) {
		if (!strcmp(word, "PID"))
			return n;
	}
	return -1;
}

static pid_t pid_in(const char *line, int column)
{
	const char *p = line + strspn(line, " \t");

	while (column-- > 0) {
		p += strcspn(p, " \t");
		p += strspn(p, " \t");
	}
	return atoi(p);
}

/* Runs the host's ps; its output, or NULL. */
static FILE *start_ps(char **argv, pid_t *pid, struct error *err)
{
	int pipes[2];
	FILE *f;

	if (pipe2(pipes, O_CLOEXEC)) {
		error_errno(err, errno, "ps");
		return NULL;
	}
	fflush(NULL);
	*pid = fork();
	if (!*pid) {
		dup2(pipes[1], STDOUT_FILENO);
		execvp("ps", argv);
		_exit(127);
	}
	close(pipes[1]);
	f = fdopen(pipes[0], "r");
	if (*pid < 0 || !f) {
		error_errno(err, errno, "ps");
		if (f)
			fclose(f);
		else
			close(pipes[0]);
		return NULL;
	}
	return f;
}

static int filter(FILE *f, const struct pairs *all, pid_t hypervisor, struct error *err)
{
	cleanup_free char *line = NULL, *title = NULL;
	size_t room = 0;
	int column;

	if (getline(&line, &room, f) < 0)
		return error_set(err, EINVAL, "ps said nothing");
	fputs(line, stdout);
	title = strdup(line);
	column = pid_column(title);
	if (column < 0)
		return error_set(err, EINVAL, "ps: with these options it shows no column PID");
	while (getline(&line, &room, f) >= 0) {
		if (hypervisor && is_guest(all, pid_in(line, column), hypervisor))
			fputs(line, stdout);
	}
	return 0;
}

static int print_table(const struct pairs *all, pid_t hypervisor, char **argv, struct error *err)
{
	cleanup_file FILE *f = NULL;
	int status = 0, ret;
	pid_t pid;

	f = start_ps(argv, &pid, err);
	if (!f)
		return -err->code;
	ret = filter(f, all, hypervisor, err);
	while (fgetc(f) != EOF)
		;
	if (waitpid(pid, &status, 0) == pid && status)
		return error_set(err, EINVAL, "ps: exit status %d", WEXITSTATUS(status));
	return ret;
}

static int parse(bool *json, int argc, char **argv, struct error *err)
{
	int c;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		*json = !strcmp(optarg, "json");
		if (!*json && strcmp(optarg, "table"))
			return error_set(err, EINVAL, "invalid format option");
	}
	return cmd_check_args(argc, argv, 1, 1 << 20, err);
}

int cmd_ps(const struct globals *globals, int argc, char **argv, struct error *err)
{
	static char name[] = "ps", all_full[] = "-ef";
	cleanup(arena_free) struct arena arena = { 0 };
	char *usual[] = { name, all_full, NULL };
	struct container_state state;
	struct pairs all = { 0 };
	bool json = false;
	int ret = parse(&json, argc, argv, err);

	if (!ret)
		ret = state_check_id(argv[optind], err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (!ret)
		ret = list_processes(&all, err);
	if (ret)
		return ret;
	if (!state_alive(&state))
		state.init.pid = 0;
	all.inside = ps_is_inside(&state);
	/* the ID's place is the program's name: ps options come behind it */
	argv[optind] = name;
	if (json)
		ret = print_json(&all, state.init.pid);
	else if (all.inside)
		ret = ps_inside_table(globals, &state, argv + optind + 1, err);
	else
		ret = print_table(&all, state.init.pid, optind + 1 < argc ? argv + optind : usual, err);
	free(all.v);
	return ret;
}
