/* SPDX-License-Identifier: Apache-2.0 */
/* Which files the executables of a policy are: looked up once, so that what is put in their place later is another. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/policy.h"

static void pin(struct policy_pin *p, int rootfd)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, rootfd, p->path, &how, sizeof(how));
	struct stat st;

	if (fd < 0)
		return;
	p->pinned = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (p->pinned) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
	}
	close(fd);
}

static void pin_files(struct policy_files *files, int rootfd)
{
	for (size_t i = 0; i < files->n_pins; i++)
		pin(&files->pins[i], rootfd);
}

void policies_pin(const struct policies *all, int rootfd)
{
	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->v[i]->n_executables; k++) {
			pin_files(&all->v[i]->executables[k].file, rootfd);
			pin_files(&all->v[i]->executables[k].script, rootfd);
		}
	}
}

bool policies_want_hashes(const struct policies *all)
{
	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->v[i]->n_executables; k++) {
			const struct policy_executable *e = &all->v[i]->executables[k];

			if (e->file.n_hashes || e->script.n_hashes)
				return true;
		}
	}
	return false;
}

bool policies_want_names(const struct policies *all)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i]->n_rules; k++)
			if (all->v[i]->rules[k].n_hosts)
				return true;
	return false;
}

static bool has_udp_servers(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->allow && rule->operations & 1u << POLICY_LISTEN && rule->protocols & 1u << POLICY_UDP)
			return true;
	}
	return false;
}

bool policies_want_datagrams(const struct policies *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (has_udp_servers(all->v[i]))
			return true;
	return policies_want_names(all);
}
