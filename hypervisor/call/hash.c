/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of executables. By nettle, whose part for it is linked in: it has no state and no start-up, uses the CPU's
 * instructions where there are any, and works in a thread that may make few host calls. (AF_ALG would need more of
 * them, and a host kernel that has it.)
 */
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/program.h"

#define CHUNK 65536

static bool same_file(const struct hashed_file *a, const struct hashed_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_sec == b->mtime_sec &&
	       a->mtime_nsec == b->mtime_nsec && a->ctime_sec == b->ctime_sec && a->ctime_nsec == b->ctime_nsec;
}

static bool look(int fd, struct hashed_file *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	*f = (struct hashed_file){ .dev = st.st_dev,
				   .ino = st.st_ino,
				   .size = (u64)st.st_size,
				   .mtime_sec = st.st_mtim.tv_sec,
				   .mtime_nsec = (u32)st.st_mtim.tv_nsec,
				   .ctime_sec = st.st_ctim.tv_sec,
				   .ctime_nsec = (u32)st.st_ctim.tv_nsec };
	return true;
}

static bool cached(struct programs *t, struct hashed_file *f)
{
	bool found = false;

	pthread_mutex_lock(&t->hash_lock);
	for (size_t i = 0; i < HASH_CACHE && !found; i++) {
		found = t->hashed[i].ino && same_file(&t->hashed[i], f);
		if (found)
			f->hash = t->hashed[i].hash;
	}
	pthread_mutex_unlock(&t->hash_lock);
	return found;
}

static bool digest(int fd, struct policy_hash *out)
{
	u8 *buf = malloc(CHUNK);
	struct sha256_ctx ctx;
	off_t at = 0;
	ssize_t n;

	if (!buf)
		return false;
	sha256_init(&ctx);
	while ((n = pread(fd, buf, CHUNK, at)) > 0) {
		sha256_update(&ctx, (size_t)n, buf);
		at += n;
	}
	sha256_digest(&ctx, sizeof(out->b), out->b);
	free(buf);
	return n == 0;
}

bool programs_hash(struct programs *t, int fd, struct policy_hash *out)
{
	struct hashed_file before, after;

	if (!look(fd, &before))
		return false;
	if (!cached(t, &before)) {
		/* One that is changed meanwhile has the hash of nothing. */
		if (!digest(fd, &before.hash) || !look(fd, &after) || !same_file(&before, &after))
			return false;
		pthread_mutex_lock(&t->hash_lock);
		t->hashed[t->next++ % HASH_CACHE] = before;
		pthread_mutex_unlock(&t->hash_lock);
	}
	*out = before.hash;
	return true;
}
