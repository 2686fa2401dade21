/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, by group, and the decoders that the groups share. */
#include <string.h>

#include "call/call.h"
#include "call/cred.h"
#include "call/program.h"
#include "call/server_impl.h"

static const struct group {
	const struct pv_command *commands;
	u32 first, count, index; /* index: where its statistics start */
} groups[] = {
	{ xen_commands, PV_SOCKET, PV_POLL - PV_SOCKET + 1, 0 },
	{ path_commands, PV_OPEN, PV_PATHS_OF - PV_OPEN + 1, 8 },
	{ file_commands, PV_GETDENTS, PV_TAKE_FD - PV_GETDENTS + 1, 36 },
	{ sock_commands, PV_GETSOCKNAME, PV_RECVFROM - PV_GETSOCKNAME + 1, 52 },
	{ object_commands, PV_MEMFD, PV_DEVICE - PV_MEMFD + 1, 59 },
	{ control_commands, PV_CRED_NEW, PV_AFFINITY - PV_CRED_NEW + 1, 64 },
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct group *group_of(u32 cmd)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (cmd - groups[i].first < groups[i].count)
			return &groups[i];
	}
	return NULL;
}

const struct pv_command *pv_command_find(u32 cmd)
{
	const struct group *g = group_of(cmd);
	const struct pv_command *command = g ? &g->commands[cmd - g->first] : NULL;

	return command && command->perform ? command : NULL;
}

u32 command_index(u32 cmd)
{
	const struct group *g = group_of(cmd);

	return g ? g->index + cmd - g->first : COMMANDS;
}

const struct pv_command *command_at(u32 index)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (index - groups[i].index < groups[i].count)
			return &groups[i].commands[index - groups[i].index];
	}
	return NULL;
}

void fetch(void *to, const void *shared, size_t len)
{
	memcpy(to, shared, len);
	/* From here on the source counts as changed: only the copy is what was checked. */
	__asm__ volatile("" ::: "memory");
}

int fetch_string(struct call *c, const char *field, size_t off, size_t len, char *to)
{
	if (off > RING_BUF_SIZE || len > RING_BUF_SIZE - off)
		return violation(c, field, "string over the end of the buffer");
	fetch(to, c->buf + off, len);
	to[len] = '\0';
	if (memchr(to, '\0', len))
		return violation(c, field, "NUL byte in a string");
	return 0;
}

int decode_program(struct call *c, u32 cred)
{
	u32 number = cred >> PV_EXEC_ID_SHIFT;

	if (number && c->srv->programs)
		c->program = program_get(c->srv->programs, number);
	return c->program || !number ? 0 : violation(c, "cred", "a program that was not registered");
}

int decode_cred(struct call *c, u32 cred)
{
	int ret = decode_program(c, cred);

	if (ret < 0)
		return ret;
	c->cred = cred_get(&c->srv->creds, cred & (PV_MAX_CREDS - 1));
	return c->cred ? 0 : violation(c, "cred", "credentials that do not exist");
}

int decode_handle(struct call *c, const char *field, u64 id, u32 kinds, struct pv_handle **out)
{
	*out = NULL;
	if (id >= MAX_HANDLES)
		return violation(c, field, "handle number out of range");
	*out = handle_get(&c->srv->handles, id);
	if (!*out)
		return violation(c, field, "a handle that does not exist");
	if (!(kinds & (1u << (*out)->kind)))
		return violation(c, field, "a handle of the wrong kind");
	return 0;
}

int decode_new_handle(struct call *c, const char *field, u64 id)
{
	if (id == 0 || id >= MAX_HANDLES)
		return violation(c, field, "handle number out of range");
	if (handle_in_use(&c->srv->handles, id))
		return violation(c, field, "a new handle's number is in use");
	return 0;
}

int decode_len(struct call *c, const char *field, u64 len)
{
	return len <= RING_BUF_SIZE ? 0 : violation(c, field, "length over the buffer");
}

void call_end(struct call *c)
{
	struct pv_handle *held[] = { c->h, c->h2, c->dir[0], c->dir[1], c->root };

	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		if (held[i])
			handle_put(held[i]);
	}
	for (size_t i = 0; i < PV_RELEASE_MORE; i++) {
		if (c->more[i])
			handle_put(c->more[i]);
	}
	if (c->cred)
		cred_put(c->cred);
	if (c->program)
		program_put(c->program);
}
