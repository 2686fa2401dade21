// SPDX-License-Identifier: Apache-2.0
/* callgate policy: what the administrator has written, checked and listed. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "policy/learn.h"
#include "policy/policy.h"

static const char *const mode_names[] = { [POLICY_ENFORCE] = "enforce", [POLICY_AUDIT] = "audit",
					  [POLICY_LEARN] = "learn" };

static int check_one(const char *what, struct arena *arena, struct error *err)
{
	bool file = strchr(what, '/') || strstr(what, ".toml");
	struct policy *policy;
	int ret = file ? policy_load(what, what, &policy, arena, err) :
			 policy_load_name(what, &policy, arena, err);

	if (ret)
		return ret;
	printf("%s: valid: mode %s, default %s, %zu rule%s\n", what, mode_names[policy->mode],
	       policy->allow ? "allow" : "deny", policy->n_rules, policy->n_rules == 1 ? "" : "s");
	return 0;
}

static int check(int argc, char **argv, struct arena *arena, struct error *err)
{
	int ret = 0;

	if (argc < 1)
		return error_set(err, EINVAL, "usage: callgate policy check FILE|NAME ...");
	for (int i = 0; i < argc && !ret; i++)
		ret = check_one(argv[i], arena, err);
	return ret;
}

/* Who comes to be subject to it. */
static const char *use(const struct policy_config *config, const char *name)
{
	if (config->default_name && !strcmp(config->default_name, name))
		return "every container";
	for (size_t i = 0; i < config->choices.n; i++)
		if (!fnmatch(config->choices.v[i], name, 0))
			return "by annotation";
	return "-";
}

static void list_one(const struct policy_config *config, const char *name, struct arena *arena)
{
	struct policy *policy;
	struct error err;

	if (policy_load_name(name, &policy, arena, &err))
		printf("%-20s %-8s %-8s %5s  %-15s  %s\n", name, "invalid", "-", "-", use(config, name), err.text);
	else
		printf("%-20s %-8s %-8s %5zu  %s\n", name, mode_names[policy->mode],
		       policy->allow ? "allow" : "deny", policy->n_rules, use(config, name));
}

static int is_policy(const struct dirent *entry)
{
	return !fnmatch("*.toml", entry->d_name, FNM_PERIOD);
}

static int list(struct arena *arena, struct error *err)
{
	const char *dir = arena_printf(arena, "%s/policy.d", policy_config_dir());
	struct policy_config config;
	struct dirent **entries;
	int ret = policy_read_config(&config, arena, err);
	int n;

	if (ret)
		return ret;
	n = scandir(dir, &entries, is_policy, alphasort);
	if (n < 0 && errno != ENOENT)
		return error_errno(err, errno, "%s", dir);
	printf("%-20s %-8s %-8s %5s  %s\n", "NAME", "MODE", "DEFAULT", "RULES", "USE");
	for (int i = 0; i < n; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		list_one(&config, entries[i]->d_name, arena);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return 0;
}

/* Without a file it is the log of this configuration. */
static int learn(const struct globals *globals, const char *name, const char *log, struct arena *arena,
		 struct error *err)
{
	struct policy_config config;
	int ret = policy_read_config(&config, arena, err);

	if (ret)
		return ret;
	if (!log)
		log = config.log ? config.log : policy_default_log(globals->root, arena);
	return policy_learn(log, name, stdout, err);
}

int cmd_policy(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };

	if (argc >= 2 && !strcmp(argv[1], "check"))
		return check(argc - 2, argv + 2, &arena, err);
	if (argc == 2 && !strcmp(argv[1], "list"))
		return list(&arena, err);
	if (argc >= 3 && argc <= 4 && !strcmp(argv[1], "learn"))
		return learn(globals, argv[2], argv[3], &arena, err);
	return error_set(err, EINVAL, "usage: callgate policy check FILE|NAME ..., policy learn NAME [LOG], or policy list");
}
