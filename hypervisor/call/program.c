/* SPDX-License-Identifier: Apache-2.0 */
/* PV_EXEC_ID, and the table of programs that it fills. */
#include "call/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "call/control.h"
#include "call/path.h"
#include "call/server_impl.h"

#define LINEAGE_MAX 512

struct programs *programs_new(const struct policies *policies)
{
	struct programs *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->hash_lock, NULL);
	t->want_hashes = policies_want_hashes(policies);
	return t;
}

void programs_free(struct programs *t)
{
	for (u32 i = 0; t && i < PV_MAX_EXEC_IDS; i++)
		if (t->v[i])
			program_put(t->v[i]);
	free(t);
}

struct program *program_get(struct programs *t, u32 number)
{
	struct program *p;

	pthread_mutex_lock(&t->lock);
	p = number < PV_MAX_EXEC_IDS ? t->v[number] : NULL;
	if (p)
		__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&t->lock);
	return p;
}

void program_put(struct program *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(p);
}

static void program_set(struct programs *t, u32 number, struct program *p)
{
	struct program *old;

	pthread_mutex_lock(&t->lock);
	old = t->v[number];
	t->v[number] = p;
	pthread_mutex_unlock(&t->lock);
	if (old)
		program_put(old);
}

/* ---- the call ---- */

#define KINDS_EXECUTABLE (KIND(FILE) | KIND(MEMFD) | KIND(STREAM))

int exec_id_decode(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	int ret = 0;

	if (!c->srv->programs)
		return violation(c, "cmd", "a program that nobody wants to know");
	if (!r->off || r->off >= PV_MAX_EXEC_IDS)
		return violation(c, "off", "program number out of range");
	if (r->id)
		ret = decode_handle(c, "id", r->id, KINDS_EXECUTABLE, &c->h);
	if (!ret && r->id2)
		ret = decode_handle(c, "id2", r->id2, KINDS_EXECUTABLE, &c->h2);
	if (!ret)
		ret = decode_cred(c, r->cred);
	/* It reads the whole file. */
	c->blocks = c->srv->programs->want_hashes;
	return ret;
}

static void look_at(struct call *c, const struct pv_handle *h, char *path, struct policy_file *out)
{
	struct stat st;
	int len;

	path[0] = '\0';
	out->path = path;
	if (!h)
		return;
	len = path_of_fd(c, h->fd, path);
	path[len < 0 ? 0 : len] = '\0';
	if (len < 0 || fstat(h->fd, &st) < 0)
		return;
	out->known = true;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	if (c->srv->programs->want_hashes)
		out->hashed = programs_hash(c->srv->programs, h->fd, &out->hash);
}

/* The script counts as what was run; a process that has not executed anything adds nothing. */
static void write_lineage(const struct program *before, char out[LINEAGE_MAX])
{
	const struct policy_program *is = before ? &before->is : NULL;

	out[0] = '\0';
	if (is)
		snprintf(out, LINEAGE_MAX, "%s%s%s", is->script.known ? is->script.path : is->file.path,
			 is->lineage[0] ? " < " : "", is->lineage);
}

static struct program *make(const struct policy_program *is)
{
	size_t path = strlen(is->file.path) + 1, script = strlen(is->script.path) + 1;
	size_t lineage = strlen(is->lineage) + 1;
	struct program *p = malloc(sizeof(*p) + path + script + lineage);

	if (!p)
		return NULL;
	p->refs = 1;
	p->is = *is;
	p->is.file.path = memcpy(p->text, is->file.path, path);
	p->is.script.path = memcpy(p->text + path, is->script.path, script);
	p->is.lineage = memcpy(p->text + path + script, is->lineage, lineage);
	return p;
}

int exec_id(struct call *c)
{
	const struct pv_req_handle *r = &c->req.u.handle;
	struct policy_program is = { .preloaded = r->flags & PV_EXEC_PRELOADED };
	char lineage[LINEAGE_MAX];
	struct program *p;

	look_at(c, c->h, c->path[0], &is.file);
	look_at(c, c->h2, c->path[1], &is.script);
	write_lineage(c->program, lineage);
	is.lineage = lineage;
	p = make(&is);
	if (!p)
		return -ENOMEM;
	program_set(c->srv->programs, (u32)r->off, p);
	return 0;
}
