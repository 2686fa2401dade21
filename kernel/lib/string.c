/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and memory. The compiler may call the mem* functions on its own. */
#include "kernel.h"

/* Words that may lie anywhere and overlay anything. */
typedef u64 __attribute__((aligned(1), may_alias)) word_t;

/* From here on the microcoded copy is faster than a loop of words. */
#define REP_MIN 256

static void copy_rep(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* n < 8 */
static void copy_bytes(u8 *d, const u8 *s, size_t n)
{
	while (n--)
		*d++ = *s++;
}

void *memcpy(void *to, const void *from, size_t n)
{
	u8 *d = to;
	const u8 *s = from;

	if (n >= REP_MIN) {
		copy_rep(to, from, n);
		return to;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(word_t *)d = *(const word_t *)s;
	copy_bytes(d, s, n);
	return to;
}

static void copy_backwards(u8 *d, const u8 *s, size_t n)
{
	for (; n >= 8; n -= 8) {
		u64 w = *(const word_t *)(s + n - 8);

		*(word_t *)(d + n - 8) = w;
	}
	while (n--)
		d[n] = s[n];
}

void *memmove(void *to, const void *from, size_t n)
{
	/* Not above the source by less than n: memcpy() goes upwards and reads each word before it
	 * is overwritten. */
	if ((u64)to - (u64)from >= n)
		return memcpy(to, from, n);
	copy_backwards(to, from, n);
	return to;
}

void *memset(void *to, int c, size_t n)
{
	u8 *d = to;
	u64 w = (u8)c * 0x0101010101010101ULL;

	if (n >= REP_MIN) {
		void *p = to;

		__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
		return to;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word_t *)d = w;
	while (n--)
		*d++ = (u8)c;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8 && *(const word_t *)x == *(const word_t *)y; n -= 8, x += 8, y += 8)
		;
	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++) {
		if (*p == (u8)c)
			return (void *)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (!strncmp(s, needle, n))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

bool strstarts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

size_t strlcpy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (size) {
		size_t len = min(n, size - 1);

		memcpy(to, from, len);
		to[len] = 0;
	}
	return n;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Resolve base 0 and skip an 0x prefix, if digits follow it. */
static const char *number_prefix(const char *s, int *base)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16;

	if (*base == 0)
		*base = hex ? 16 : s[0] == '0' ? 8 : 10;
	return *base == 16 && hex ? s + 2 : s;
}

bool parse_u64(const char *s, const char **end, int base, u64 *val)
{
	const char *p = number_prefix(s, &base);
	const char *start = p;
	u64 v = 0;

	for (; digit_value(*p) < base; p++) {
		if (__builtin_mul_overflow(v, (u64)base, &v) ||
		    __builtin_add_overflow(v, (u64)digit_value(*p), &v))
			return false;
	}
	if (p == start)
		return false;
	if (end)
		*end = p;
	*val = v;
	return true;
}
