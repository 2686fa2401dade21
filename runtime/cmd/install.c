// SPDX-License-Identifier: Apache-2.0
/* callgate install and uninstall: registration with Docker, Podman, containerd and CRI-O. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "engines/engines.h"
#include "lib/cleanup.h"

enum {
	OPT_NAME = CHAR_MAX + 1,
	OPT_RUNTIME_ARGS,
	OPT_DESTDIR,
	OPT_DRY_RUN,
	OPT_ENGINE, /* and those behind it: the engines, in the order of their table */
};

static const struct option options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "runtime-args", required_argument, NULL, OPT_RUNTIME_ARGS },
	{ "destdir", required_argument, NULL, OPT_DESTDIR },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "docker", no_argument, NULL, OPT_ENGINE },
	{ "podman", no_argument, NULL, OPT_ENGINE + 1 },
	{ "containerd", no_argument, NULL, OPT_ENGINE + 2 },
	{ "crio", no_argument, NULL, OPT_ENGINE + 3 },
	{ 0 },
};

struct install {
	struct registration reg;
	unsigned chosen; /* a bit for each engine; 0: those that are there */
	struct arena arena;
};

static void install_free(struct install *in)
{
	arena_free(&in->arena);
}

static int check_name(const char *name, struct error *err)
{
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return error_set(err, EINVAL, "--name: only letters, digits, - and _");
	}
	if (!*name || !strcmp(name, "runc") || !strcmp(name, "crun"))
		return error_set(err, EINVAL, "--name: '%s' is not free", name);
	return 0;
}

static int split_args(struct install *in, const char *text, struct error *err)
{
	char *copy = arena_strdup(&in->arena, text);
	char *save;

	in->reg.args = arena_array(&in->arena, strlen(text) + 1, sizeof(*in->reg.args));
	in->reg.nargs = 0;
	for (char *word = strtok_r(copy, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		if (strpbrk(word, "\"\\"))
			return error_set(err, EINVAL, "--runtime-args: quotes and \\ are not possible");
		in->reg.args[in->reg.nargs++] = word;
	}
	return 0;
}

static int set_destdir(struct install *in, const char *dir, struct error *err)
{
	char *path = realpath(dir, NULL);

	if (!path)
		return error_errno(err, errno, "--destdir %s", dir);
	in->reg.destdir = strcmp(path, "/") ? arena_strdup(&in->arena, path) : "";
	free(path);
	return 0;
}

static int parse(struct install *in, int argc, char **argv, struct error *err)
{
	int ret = 0;
	int c;

	while (!ret && (c = cmd_option(argc, argv, options, err)) != -1) {
		switch (c) {
		case OPT_NAME:
			in->reg.name = optarg;
			break;
		case OPT_RUNTIME_ARGS:
			ret = split_args(in, optarg, err);
			break;
		case OPT_DESTDIR:
			ret = set_destdir(in, optarg, err);
			break;
		case OPT_DRY_RUN:
			in->reg.dry_run = true;
			break;
		case '?':
			return -err->code;
		default:
			in->chosen |= 1u << (c - OPT_ENGINE);
		}
	}
	if (!ret)
		ret = check_name(in->reg.name, err);
	return ret ? ret : cmd_check_args(argc, argv, 0, 0, err);
}

static int find_program(struct install *in, struct error *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return error_errno(err, errno, "/proc/self/exe");
	path[n] = '\0';
	for (const char *p = path; *p; p++) {
		if (*p == '"' || *p == '\\' || iscntrl((unsigned char)*p))
			return error_set(err, EINVAL, "%s: a path with quotes cannot be registered",
					 path);
	}
	in->reg.program = arena_strdup(&in->arena, path);
	return 0;
}

/* What is left to be done by the administrator: nothing is restarted from here. */
static void print_next(const struct install *in, const struct engine *engine)
{
	if (in->reg.dry_run)
		return;
	if (engine->apply)
		printf("%s: now run: %s\n", engine->name, engine->apply);
	if (!in->reg.remove) {
		printf("%s: then: ", engine->name);
		printf(engine->use, in->reg.name);
		putchar('\n');
	}
}

static bool wanted(const struct install *in, size_t i)
{
	if (in->chosen)
		return in->chosen & 1u << i;
	/* an engine may have gone before its configuration */
	return in->reg.remove || engine_present(&engines[i], in->reg.destdir);
}

/* One engine's failure does not keep the others from being done; the first error is told last. */
static int change_all(const struct install *in, struct error *err)
{
	struct error first = { 0 };
	int done = 0;

	for (size_t i = 0; engines[i].name; i++) {
		bool changed;

		if (!wanted(in, i))
			continue;
		done++;
		if (!engine_change(&engines[i], &in->reg, &changed, err)) {
			if (changed)
				print_next(in, &engines[i]);
			continue;
		}
		if (first.code)
			fprintf(stderr, "callgate: %s\n", err->text);
		else
			first = *err;
	}
	fflush(stdout);
	if (first.code) {
		*err = first;
		return -first.code;
	}
	if (!done)
		return error_set(err, ENOENT, "no engine was found: name one, for example --docker");
	return 0;
}

static int install(int argc, char **argv, bool remove, struct error *err)
{
	cleanup(install_free) struct install in = {
		.reg = { .name = "callgate", .destdir = "", .remove = remove },
	};
	int ret;

	in.reg.arena = &in.arena;
	ret = parse(&in, argc, argv, err);
	if (!ret)
		ret = find_program(&in, err);
	return ret ? ret : change_all(&in, err);
}

int cmd_install(const struct globals *globals, int argc, char **argv, struct error *err)
{
	return install(argc, argv, false, err);
}

int cmd_uninstall(const struct globals *globals, int argc, char **argv, struct error *err)
{
	return install(argc, argv, true, err);
}
