/* SPDX-License-Identifier: Apache-2.0 */
/* Argument and environment strings of execve. */
#include "exec.h"

#define MAX_STRING (32 * PAGE_SIZE) /* MAX_ARG_STRLEN, with the NUL */
#define MIN_LIMIT  (32 * PAGE_SIZE) /* always allowed */
#define MAX_LIMIT  (6ULL << 20)	    /* three quarters of the default stack */
#define FIRST_ROOM 4096u
#define POINTERS   32u /* read at once */

/* A quarter of the stack's limit, as execve(2) says. */
void strings_init(struct exec_strings *s)
{
	*s = (struct exec_strings){.limit = clamp(rlimit(RLIMIT_STACK) / 4, MIN_LIMIT, MAX_LIMIT)};
}

void strings_free(struct exec_strings *s)
{
	kfree(s->block);
	s->block = NULL;
}

static size_t pointer_bytes(const struct exec_strings *s)
{
	return ((size_t)s->argc + s->envc + 2) * sizeof(u64);
}

/* Room for n more bytes. */
static int grow(struct exec_strings *s, size_t n)
{
	char *block;

	if (s->room - s->len >= n)
		return 0;
	n = max(s->room * 2, s->len + n);
	n = max(n, (size_t)FIRST_ROOM);
	block = krealloc(s->block, n);
	if (!block)
		return -ENOMEM;
	s->block = block;
	s->room = n;
	return 0;
}

static int over_limit(const struct exec_strings *s)
{
	return s->len + pointer_bytes(s) > s->limit ? -E2BIG : 0;
}

int strings_add(struct exec_strings *s, const char *text)
{
	size_t n = strlen(text) + 1;
	int ret = n > MAX_STRING ? -E2BIG : grow(s, n);

	if (ret)
		return ret;
	memcpy(s->block + s->len, text, n);
	s->len += n;
	return over_limit(s);
}

/* Straight into the block; more room if the string does not fit. */
static int add_user(struct exec_strings *s, uaddr_t text)
{
	size_t want = 256;
	s64 n;

	for (;;) {
		int ret = grow(s, want);

		if (ret)
			return ret;
		n = mc_strncpy_from_user(s->block + s->len, text,
					 min(s->room - s->len, (size_t)MAX_STRING));
		if (n != -ENAMETOOLONG)
			break;
		if (s->room - s->len >= MAX_STRING)
			return -E2BIG;
		want = min((s->room - s->len) * 2, (size_t)MAX_STRING);
	}
	if (n < 0)
		return (int)n;
	s->len += (size_t)n + 1;
	return over_limit(s);
}

/* Pointers are read up to the end of a page at most: the array may end where memory does. */
static u32 pointers_at(uaddr_t at)
{
	u64 n = (PAGE_SIZE - (at & ~PAGE_MASK)) / sizeof(u64);

	return (u32)clamp(n, 1ULL, (u64)POINTERS);
}

static int copy_array(struct exec_strings *s, uaddr_t array, u32 *count)
{
	u64 ptrs[POINTERS];

	while (array) {
		u32 n = pointers_at(array);

		if (mc_copy_from_user(ptrs, array, n * sizeof(u64)))
			return -EFAULT;
		for (u32 i = 0; i < n; i++) {
			int ret = ptrs[i] ? add_user(s, ptrs[i]) : 0;

			if (ret || !ptrs[i])
				return ret;
			++*count;
		}
		array += n * sizeof(u64);
	}
	return 0;
}

int strings_copy_user(struct exec_strings *s, uaddr_t argv, uaddr_t envp)
{
	int ret = copy_array(s, argv, &s->argc);

	/* Programs trust argv[0] to be there. */
	if (!ret && !s->argc) {
		ret = strings_add(s, "");
		s->argc = 1;
	}
	s->env_off = s->len;
	return ret ? ret : copy_array(s, envp, &s->envc);
}

int strings_finish(struct exec_strings *s, const char *filename)
{
	s->name_off = s->len;
	return strings_add(s, filename);
}

int strings_script(struct exec_strings *s, const char *interp, const char *arg, const char *script)
{
	struct exec_strings n = {.limit = s->limit};
	size_t skip = strlen(s->block) + 1; /* argv[0] */
	int ret = strings_add(&n, interp);

	if (!ret && arg)
		ret = strings_add(&n, arg);
	if (!ret)
		ret = strings_add(&n, script);
	if (!ret)
		ret = grow(&n, s->len - skip);
	if (ret) {
		strings_free(&n);
		return ret;
	}
	n.env_off = n.len + s->env_off - skip;
	memcpy(n.block + n.len, s->block + skip, s->len - skip);
	n.len += s->len - skip;
	n.argc = s->argc + 1 + (arg != NULL);
	n.envc = s->envc;
	strings_free(s);
	*s = n;
	return over_limit(s);
}
