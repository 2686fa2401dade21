/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that has taken over a guest process, and writes the container's trace itself: head (more than there can be),
 * noise (no records at all), lies (records whose contents make no sense), sums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "trace_ring.h"

static struct trace_header *const head = (struct trace_header *)(KRING_BASE + RING_TRACE_OFF);
static unsigned char *const data = (unsigned char *)(KRING_BASE + RING_TRACE_DATA_OFF);
static struct guest_counters *const counters = (struct guest_counters *)(KRING_BASE + RING_COUNTERS_OFF);

static void noise(void *to, size_t n)
{
	unsigned char *p = to;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(rand() >> 7);
}

static void publish(u32 n)
{
	__atomic_store_n(&head->head, head->head + n, __ATOMIC_SEQ_CST);
}

/* A record of proper size, all else by chance; the data full of escape sequences. */
static void lie(u32 size)
{
	unsigned char room[TRACE_RECORD_MAX];
	struct trace_record *r = (void *)room;
	u32 at = head->head % TRACE_DATA_SIZE;

	noise(room, sizeof(room));
	for (u32 i = sizeof(*r); i + 8 < size; i += 8)
		memcpy(room + i, rand() % 2 ? "\33[2J\33]0;" : (char[]){ (char)(rand() % 6), 0, 30, 0, 27, 7, 10, 13 }, 8);
	r->size = size;
	r->type = (u16)(rand() % 6);
	if (r->type == TRACE_SHORT)
		size = r->size = (u32)(sizeof(struct trace_short) + 8 * (size_t)(rand() % 7));
	if (rand() % 8)
		r->nr %= COUNTED_CALLS;
	if (at + size > TRACE_DATA_SIZE)
		return;
	memcpy(data + at, r, size);
	publish(size);
}

static void attack(const char *how)
{
	if (!strcmp(how, "head")) {
		publish(head->tail - head->head + TRACE_DATA_SIZE + 8);
	} else if (!strcmp(how, "noise")) {
		noise(data, TRACE_DATA_SIZE);
		publish(TRACE_DATA_SIZE / 2);
	} else if (!strcmp(how, "lies")) {
		for (int i = 0; i < 500; i++)
			lie((u32)(sizeof(struct trace_record) + 8 * (size_t)(rand() % 200)));
	} else {
		noise(head->sums, sizeof(head->sums));
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	while (!__atomic_load_n(&counters->tracing, __ATOMIC_SEQ_CST))
		usleep(1000);
	attack(argv[1]);
	puts("done");
	fflush(stdout);
	while (__atomic_load_n(&counters->tracing, __ATOMIC_SEQ_CST))
		usleep(1000);
	puts("alive");
	fflush(stdout);
	sleep(100);
	return 0;
}
