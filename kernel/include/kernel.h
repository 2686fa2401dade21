/* SPDX-License-Identifier: Apache-2.0 */
/* What every file of the guest kernel includes: types, macros, messages, strings. */
#ifndef KERNEL_H
#define KERNEL_H

#include <asm/errno.h>

#include "machine.h"
#include "types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ULL
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define HZ 100 /* USER_HZ, what clock ticks in /proc and times(2) count */
#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define clamp(x, lo, hi) ({ __typeof__(x) _x = (x), _lo = (lo), _hi = (hi); _x < _lo ? _lo : _x > _hi ? _hi : _x; })
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier() __asm__ __volatile__("" ::: "memory")
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __must_check __attribute__((warn_unused_result))
#define __cleanup(f) __attribute__((cleanup(f)))
/*
 * Tables that are large, or that few calls need, lie behind all other data: what every new process touches is on few pages
 *. BSS_HEAP: the first of them.
 */
#define BSS_HEAP __attribute__((section(".bss.heap")))
#define BSS_LARGE __attribute__((section(".bss.large")))

/* Pointers that may carry an errno, as in Linux. */
static inline void *ERR_PTR(long err) { return (void *)err; }
static inline long PTR_ERR(const void *p) { return (long)p; }
static inline bool IS_ERR(const void *p) { return (u64)p >= (u64)-4095; }

/* Never seen by user code: kernel_user_work() turns them into EINTR or a restart (signal/). */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* ---- messages ---- */
enum log_level { LOG_ERR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };
void printk(int level, const char *fmt, ...) __printf(2, 3);
void panic(const char *fmt, ...) __printf(1, 2) __attribute__((noreturn));
#define BUG_ON(cond) do { if (unlikely(cond)) panic("BUG: %s at %s:%d", #cond, __FILE__, __LINE__); } while (0)

/* ---- strings and memory (kernel/lib/string.c) ---- */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
bool strstarts(const char *s, const char *prefix);
size_t strlcpy(char *to, const char *from, size_t size); /* length of `from` */
/* %d %i %u %x %X %o %c %s %p %%, h/hh/l/ll/z, width, precision, 0, -, +, # and *; returns the length wanted, as C99. */
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list ap);
/* The number at s (base 0: 0x, 0 prefixes); *end behind it. False if there is none or it overflows. */
bool parse_u64(const char *s, const char **end, int base, u64 *val);
u64 hash_u64(u64 x);
u64 hash_bytes(const void *p, size_t n);

/* ---- memory (kernel/lib/alloc.c): any size; 16-byte aligned, page aligned from a page up; never fails for ordinary sizes ---- */
void *kmalloc(size_t size);  /* NULL only when the VM's heap is exhausted */
void *kzalloc(size_t size);
void *krealloc(void *p, size_t size);
void kfree(void *p);         /* NULL is allowed */
size_t ksize(const void *p);
char *kstrdup(const char *s);
char *kstrndup(const char *s, size_t n);
char *kasprintf(const char *fmt, ...) __printf(1, 2);
u64 kheap_bytes(void); /* in use, for meminfo */

static inline void kfree_cleanup(void *pp) { kfree(*(void **)pp); }
#define __kfree __cleanup(kfree_cleanup)

/* ---- reference counts ---- */
typedef struct { u32 n; } refcount_t;
static inline void ref_init(refcount_t *r) { __atomic_store_n(&r->n, 1, __ATOMIC_RELAXED); }
static inline void ref_get(refcount_t *r) { __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED); }
/* True when the last reference went: the caller frees. */
static inline bool ref_put(refcount_t *r) { return __atomic_sub_fetch(&r->n, 1, __ATOMIC_ACQ_REL) == 0; }
static inline u32 ref_read(refcount_t *r) { return __atomic_load_n(&r->n, __ATOMIC_RELAXED); }
/* For objects found in a table: false if it is already dying. */
static inline bool ref_get_unless_zero(refcount_t *r)
{
	u32 n = __atomic_load_n(&r->n, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(&r->n, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	return n != 0;
}

/* ---- random numbers (kernel/lib/random.c): ChaCha20 seeded at boot ---- */
void random_bytes(void *buf, size_t n);
u64 random_u64(void);

#endif
