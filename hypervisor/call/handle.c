/* SPDX-License-Identifier: Apache-2.0 */
#include "call/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void handles_init(struct handle_table *t)
{
	pthread_mutex_init(&t->lock, NULL);
	for (u32 i = 0; i < MAX_HANDLES / HANDLE_CHUNK; i++)
		t->chunks[i] = NULL;
}

void handles_destroy(struct handle_table *t)
{
	for (u32 i = 0; i < MAX_HANDLES / HANDLE_CHUNK; i++) {
		for (u32 j = 0; t->chunks[i] && j < HANDLE_CHUNK; j++) {
			if (t->chunks[i][j])
				handle_put(t->chunks[i][j]);
		}
		free(t->chunks[i]);
	}
	pthread_mutex_destroy(&t->lock);
}

/* The entry's place, or NULL: out of range, or never used. Lock held. */
static struct pv_handle **entry(struct handle_table *t, u32 id)
{
	struct pv_handle **chunk;

	if (id == 0 || id >= MAX_HANDLES)
		return NULL;
	chunk = t->chunks[id / HANDLE_CHUNK];
	return chunk ? &chunk[id % HANDLE_CHUNK] : NULL;
}

bool handle_in_use(struct handle_table *t, u32 id)
{
	struct pv_handle **slot;
	bool used;

	pthread_mutex_lock(&t->lock);
	slot = entry(t, id);
	used = slot && *slot;
	pthread_mutex_unlock(&t->lock);
	return used;
}

static int insert_locked(struct handle_table *t, u32 id, struct pv_handle *h)
{
	struct pv_handle ***chunk = &t->chunks[id / HANDLE_CHUNK];

	if (!*chunk)
		*chunk = calloc(HANDLE_CHUNK, sizeof(**chunk));
	if (!*chunk)
		return -ENOMEM;
	if ((*chunk)[id % HANDLE_CHUNK])
		return -EEXIST;
	(*chunk)[id % HANDLE_CHUNK] = h;
	return 0;
}

int handle_insert(struct handle_table *t, u32 id, enum handle_kind kind, int fd, bool foreign, struct pv_handle **out)
{
	struct pv_handle *h;
	int ret;

	if (id == 0 || id >= MAX_HANDLES)
		return -EBADF;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->refs = out ? 2 : 1;
	h->fd = fd;
	h->kind = kind;
	h->foreign = foreign;
	pthread_mutex_lock(&t->lock);
	ret = insert_locked(t, id, h);
	pthread_mutex_unlock(&t->lock);
	if (ret < 0)
		free(h);
	else if (out)
		*out = h;
	return ret;
}

struct pv_handle *handle_ref(struct pv_handle *h)
{
	__atomic_fetch_add(&h->refs, 1, __ATOMIC_RELAXED);
	return h;
}

struct pv_handle *handle_get(struct handle_table *t, u32 id)
{
	struct pv_handle **slot, *h;

	pthread_mutex_lock(&t->lock);
	slot = entry(t, id);
	h = slot && *slot ? handle_ref(*slot) : NULL;
	pthread_mutex_unlock(&t->lock);
	return h;
}

void handle_put(struct pv_handle *h)
{
	/* Release: our use of the descriptor comes before the close by whoever drops the last. */
	if (__atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	close(h->fd);
	free(h->info);
	free(h->peers);
	free(h->unix_path);
	free(h);
}

u32 handles_next_chunk(struct handle_table *t, u32 id)
{
	pthread_mutex_lock(&t->lock);
	while (id < MAX_HANDLES && !t->chunks[id / HANDLE_CHUNK])
		id = (id / HANDLE_CHUNK + 1) * HANDLE_CHUNK;
	pthread_mutex_unlock(&t->lock);
	return id;
}

struct pv_handle *handle_remove(struct handle_table *t, u32 id)
{
	struct pv_handle **slot, *h = NULL;

	pthread_mutex_lock(&t->lock);
	slot = entry(t, id);
	if (slot) {
		h = *slot;
		*slot = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	return h;
}

void handle_drop(struct handle_table *t, u32 id, struct pv_handle *h)
{
	struct pv_handle **slot;
	bool found;

	pthread_mutex_lock(&t->lock);
	slot = entry(t, id);
	found = slot && *slot == h;
	if (found)
		*slot = NULL;
	pthread_mutex_unlock(&t->lock);
	if (found)
		handle_put(h);
}

enum handle_kind handle_kind_of(int fd)
{
	struct stat st = { 0 };
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_PATH))
		return HANDLE_PATH;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return HANDLE_FILE;
	if (S_ISDIR(st.st_mode))
		return HANDLE_DIR;
	return HANDLE_STREAM;
}
