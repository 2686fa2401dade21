// SPDX-License-Identifier: Apache-2.0
/*
 * containerd: tables at the end of config.toml, between two marker comments. A table may be
 * added at the end of any TOML file, so that nothing of the rest needs to be understood but the
 * version, which names the plugin. containerd itself reads the new file before it takes the old
 * one's place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engines/engines.h"
#include "lib/cleanup.h"

#define NEW_FILE "version = 2\n"

/* What matters of a file, all of it outside our markers. */
struct outline {
	int version;        /* 1 if the file names none */
	bool systemd;       /* runc is told to use systemd for cgroups */
	bool name_taken;    /* another has made a runtime of that name */
	const char *begin;  /* our part, with its markers; NULL: there is none */
	const char *end;
};

static size_t line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return n + (line[n] == '\n');
}

/* Does an odd number of triple quotes on the line open or close a string of several lines? */
static bool toggles_string(const char *line, size_t n)
{
	bool odd = false;

	for (size_t i = 0; i + 3 <= n; i++) {
		if (strncmp(line + i, "\"\"\"", 3) && strncmp(line + i, "'''", 3))
			continue;
		odd = !odd;
		i += 2;
	}
	return odd;
}

/* "key = value": what stands behind the equals sign, or NULL */
static const char *value_of(const char *line, const char *key)
{
	line += strspn(line, " \t");
	if (strncmp(line, key, strlen(key)))
		return NULL;
	line += strlen(key);
	line += strspn(line, " \t");
	return *line == '=' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

static void look_at(struct outline *o, const struct registration *reg, const char *line, size_t n,
		    bool *in_table)
{
	const char *table = arena_printf(reg->arena, "runtimes.%s", reg->name);
	const char *quoted = arena_printf(reg->arena, "runtimes.\"%s\"", reg->name);
	const char *text = arena_printf(reg->arena, "%.*s", (int)n, line);
	const char *value;
	const char *name;

	if (line[strspn(line, " \t")] == '[') {
		*in_table = true;
		name = strstr(text, table) ? strstr(text, table) + strlen(table)
		       : strstr(text, quoted) ? strstr(text, quoted) + strlen(quoted) : "";
		o->name_taken |= *name == ']' || *name == '.';
	}
	value = value_of(text, "version");
	if (value && !*in_table)
		o->version = atoi(value);
	value = value_of(text, "SystemdCgroup");
	if (value && !strncmp(value, "true", 4))
		o->systemd = true;
}

static const char *marker(const struct registration *reg, const char *which)
{
	return arena_printf(reg->arena, "# %s %s: made by \"callgate install\", removed by "
			    "\"callgate uninstall\"\n", which, reg->name);
}

static int outline(const struct registration *reg, const char *path, const char *text,
		   struct outline *o, struct error *err)
{
	const char *begin = marker(reg, "BEGIN");
	const char *end = marker(reg, "END");
	bool in_table = false;
	bool in_string = false;
	size_t n;

	for (const char *line = text; *line; line += n) {
		n = line_length(line);
		if (!strncmp(line, begin, strlen(begin)) && !o->begin) {
			o->begin = line;
		} else if (!strncmp(line, end, strlen(end)) && o->begin && !o->end) {
			o->end = line + n;
		} else if (!o->begin || o->end) {
			if (!in_string)
				look_at(o, reg, line, n, &in_table);
			if (toggles_string(line, n))
				in_string = !in_string;
		}
	}
	if (o->begin && !o->end)
		return error_set(err, EINVAL, "%s: the line '%.*s' is missing; nothing was changed",
				 path, (int)strlen(end) - 1, end);
	return 0;
}

/* The only arguments that containerd has settings for. */
static int options(const struct registration *reg, bool systemd, const char **text,
		   struct error *err)
{
	const char *root = NULL;

	for (size_t i = 0; i < reg->nargs; i++) {
		if (!strcmp(reg->args[i], "--systemd-cgroup"))
			systemd = true;
		else if (!strncmp(reg->args[i], "--root=", 7))
			root = reg->args[i] + 7;
		else
			return error_set(err, ENOTSUP, "containerd: its configuration has no place "
					 "for the runtime argument %s", reg->args[i]);
	}
	*text = arena_printf(reg->arena, "BinaryName = \"%s\"\n%s%s%s%s", reg->program,
			     systemd ? "SystemdCgroup = true\n" : "", root ? "Root = \"" : "",
			     root ?: "", root ? "\"\n" : "");
	return 0;
}

static int block(const struct registration *reg, const struct outline *o, const char **text,
		 struct error *err)
{
	const char *plugin = o->version == 2 ? "io.containerd.grpc.v1.cri"
					     : "io.containerd.cri.v1.runtime";
	const char *settings = NULL;
	int ret = options(reg, o->systemd, &settings, err);

	if (ret)
		return ret;
	*text = arena_printf(reg->arena,
			     "%s[plugins.\"%s\".containerd.runtimes.%s]\n"
			     "runtime_type = \"io.containerd.runc.v2\"\n"
			     "[plugins.\"%s\".containerd.runtimes.%s.options]\n%s%s",
			     marker(reg, "BEGIN"), plugin, reg->name, plugin, reg->name, settings,
			     marker(reg, "END"));
	return 0;
}

static int check_outline(const struct registration *reg, const char *path,
			 const struct outline *o, struct error *err)
{
	if (o->version != 2 && o->version != 3)
		return error_set(err, ENOTSUP, "%s: version %d of the format; 2 or 3 is needed: see "
				 "containerd config migrate; nothing was changed", path, o->version);
	if (o->name_taken)
		return error_set(err, EEXIST, "%s: a runtime %s is there already, not made by "
				 "callgate install; nothing was changed", path, reg->name);
	return 0;
}

int containerd_edit(const struct registration *reg, const char *path, const char *old,
		    const char **new, struct error *err)
{
	const char *text = old ?: NEW_FILE;
	struct outline o = { .version = 1 };
	const char *ours = "";
	size_t before;
	int ret = outline(reg, path, text, &o, err);

	*new = old;
	if (!ret && !reg->remove) {
		ret = check_outline(reg, path, &o, err);
		if (!ret)
			ret = block(reg, &o, &ours, err);
	}
	if (ret || (reg->remove && !o.begin))
		return ret;
	before = o.begin ? (size_t)(o.begin - text) : strlen(text);
	*new = arena_printf(reg->arena, "%.*s%s%s%s", (int)before, text,
			    !o.begin && before && text[before - 1] != '\n' ? "\n" : "", ours,
			    o.end ?: "");
	if (reg->remove && !strcmp(*new, NEW_FILE))
		*new = NULL; /* nothing is left but what we began with */
	return 0;
}

static _Noreturn void dump_config(const char *path, int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execlp("containerd", "containerd", "--config", path, "config", "dump", NULL);
	_exit(errno == ENOENT ? 0 : 126); /* containerd may be elsewhere, or not be here yet */
}

int containerd_verify(const char *path, struct error *err)
{
	cleanup_file FILE *output = tmpfile();
	char line[512] = "";
	int status = -1;
	pid_t pid;

	if (!output)
		return error_errno(err, errno, "temporary file");
	pid = fork();
	if (!pid)
		dump_config(path, fileno(output));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return error_errno(err, errno, "containerd config dump");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	rewind(output);
	while (fgets(line, sizeof(line), output))
		; /* the last line says why */
	line[strcspn(line, "\n")] = '\0';
	return error_set(err, EINVAL, "containerd does not accept the file with callgate in it: %s; "
			 "nothing was changed", line);
}
