/* SPDX-License-Identifier: Apache-2.0 */
/* Start and end of the stub machine, its heap and its console. */
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace_ring.h"
#include "stub_impl.h"
#include "stub_server.h"

struct ring_header *stub_ring;
int stub_channel;

static char *heap;
static size_t heap_used;

void stub_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "stub machine: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	abort();
}

static void *reserve(size_t len, int flags)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);

	STUB_CHECK(p != MAP_FAILED);
	return p;
}

const struct boot_info *stub_boot_info(void)
{
	return (const struct boot_info *)((char *)stub_ring + RING_BOOT_OFF);
}

const void *mc_boot_info(void)
{
	return stub_boot_info();
}

struct guest_counters *mc_counters(void)
{
	return (struct guest_counters *)((char *)stub_ring + RING_COUNTERS_OFF);
}

struct trace_header *mc_trace(u8 **data)
{
	*data = (u8 *)stub_ring + RING_TRACE_DATA_OFF;
	return (struct trace_header *)((char *)stub_ring + RING_TRACE_OFF);
}

void *mc_heap_grow(size_t len)
{
	size_t at = __atomic_fetch_add(&heap_used, len, __ATOMIC_RELAXED);

	STUB_CHECK(len % PAGE == 0);
	if (at + len <= KHEAP_MAX)
		return heap + at;
	__atomic_fetch_sub(&heap_used, len, __ATOMIC_RELAXED);
	return NULL;
}

void mc_console(const char *text, size_t len)
{
	STUB_CHECK(write(STDERR_FILENO, text, len) >= 0);
}

void mc_set_cmdline(const char *args, size_t len)
{
}

void mc_panic(const char *text)
{
	void *frames[32];

	fprintf(stderr, "guest kernel panic: %s\n", text);
	backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
	abort();
}

void mc_poweroff(int wait_status)
{
	fflush(NULL);
	_exit(WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status));
}

void stub_init(const char *root, const struct boot_info *boot, const struct stub_mount *mounts,
	       u32 nmounts)
{
	int channel[2];

	stub_ring = reserve(RING_SIZE, MAP_SHARED);
	heap = reserve(KHEAP_MAX, MAP_PRIVATE);
	STUB_CHECK(boot->size <= RING_BOOT_MAX);
	memcpy((char *)stub_ring + RING_BOOT_OFF, boot, boot->size);
	STUB_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0);
	stub_channel = channel[1];
	stub_server_start(root, stub_ring, channel[0], mounts, nmounts);
}
