// SPDX-License-Identifier: Apache-2.0
/* What is around: security modules, the state folder, what rootless containers need, engines. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/check.h"
#include "engines/engines.h"
#include "lib/cleanup.h"
#include "lib/fs.h"

/* The value of a small file without its line's end; "" if there is none. */
static void read_line(const char *path, char *line, size_t size)
{
	cleanup_free char *text = NULL;
	struct error err;
	size_t n;

	line[0] = '\0';
	if (fs_read_file(path, 65536, &text, &n, &err))
		return;
	snprintf(line, size, "%s", text);
	line[strcspn(line, "\n")] = '\0';
}

void check_security(struct report *r)
{
	char line[256];

	read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof(line));
	if (!strcmp(line, "3"))
		report(r, "yama", CHECK_MISSING, "set kernel.yama.ptrace_scope to 2 or less (needs a reboot)",
		       "forbids the hypervisor to read the memory of its guest");
	read_line("/sys/kernel/security/lsm", line, sizeof(line));
	report(r, "security modules", CHECK_OK, NULL, "%s", line[0] ? line : "none can be seen");
	if (!geteuid())
		return;
	read_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", line, sizeof(line));
	if (!strcmp(line, "1"))
		report(r, "apparmor", CHECK_WARNING,
		       "give callgate a profile with userns, or set "
		       "kernel.apparmor_restrict_unprivileged_userns to 0",
		       "restricts user namespaces of ordinary users");
}

/* The state folder is made when it is needed: what counts is the first folder above it that exists. */
void check_state_folder(struct report *r)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s", r->root);
	while (access(path, F_OK) && errno == ENOENT && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	if (!access(path, W_OK | X_OK))
		report(r, "state folder", CHECK_OK, NULL, "%s can be written", r->root);
	else
		report(r, "state folder", CHECK_MISSING, "choose another with --root", "%s: %s", path,
		       strerrordesc_np(errno));
}

static bool has_sub_ids(const char *file, const char *user)
{
	cleanup_free char *text = NULL;
	struct error err;
	size_t size;
	size_t n = strlen(user);

	if (fs_read_file(file, 1 << 20, &text, &size, &err))
		return false;
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!*user ? strchr(line, ':') != NULL : !strncmp(line, user, n) && line[n] == ':')
			return true;
	}
	return false;
}

static bool is_helper(const char *program)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/usr/bin/%s", program);
	return !access(path, X_OK);
}

/* For root it is enough that some user could. */
void check_rootless(struct report *r)
{
	enum check_status lacking = geteuid() ? CHECK_MISSING : CHECK_WARNING;
	struct passwd *pw = geteuid() ? getpwuid(geteuid()) : NULL;
	const char *user = pw ? pw->pw_name : "";

	if (!is_helper("newuidmap") || !is_helper("newgidmap"))
		report(r, "rootless", lacking, "install newuidmap and newgidmap (Debian: uidmap)",
		       "mappings of more than one user are not possible");
	else if (!has_sub_ids("/etc/subuid", user) || !has_sub_ids("/etc/subgid", user))
		report(r, "rootless", lacking, "usermod --add-subuids 100000-165535 "
		       "--add-subgids 100000-165535 USER",
		       "no range of users in /etc/subuid and /etc/subgid for %s",
		       *user ? user : "anyone");
	else
		report(r, "rootless", CHECK_OK, NULL, "newuidmap, newgidmap, and ranges of users");
}

static void arena_done(struct arena *arena)
{
	arena_free(arena);
}

void check_engines(struct report *r)
{
	cleanup(arena_done) struct arena arena = { 0 };
	struct registration reg = { .name = "callgate", .program = "", .destdir = "",
				    .arena = &arena };
	bool any = false;

	for (const struct engine *e = engines; e->name; e++) {
		struct error err;
		int ret;

		if (!engine_present(e, ""))
			continue;
		any = true;
		ret = engine_registered(e, &reg, &err);
		if (ret > 0)
			report(r, e->name, CHECK_OK, NULL, "callgate is registered");
		else
			report(r, e->name, CHECK_WARNING,
			       arena_printf(&arena, "callgate install --%s", e->name), "%s",
			       ret ? err.text : "callgate is not registered");
	}
	if (!any)
		report(r, "engines", CHECK_OK, NULL, "none of docker, podman, containerd, crio is here");
}
