/* SPDX-License-Identifier: Apache-2.0 */
/* System V IPC: what only a checked build shows, and the edges of the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/msg.h>
#include <linux/sem.h>

#include "harness.h"

#define SLOTS 32000 /* kernel.msgmni */
#define CREATE (IPC_CREAT | 0600)

VM_TEST(slots_and_identifiers)
{
	long first = sc(__NR_msgget, IPC_PRIVATE, CREATE), id = first;

	for (int i = 1; i < SLOTS; i++)
		CHECK((id = sc(__NR_msgget, IPC_PRIVATE, CREATE)) >= 0);
	CHECK_EQ(sc(__NR_msgget, IPC_PRIVATE, CREATE), -ENOSPC);
	CHECK_EQ(sc(__NR_msgctl, first, IPC_RMID, 0), 0);
	id = sc(__NR_msgget, 77, CREATE | IPC_EXCL);
	CHECK(id >= 0 && id != first); /* the slot is the same, the identifier is not */
	CHECK_EQ(sc(__NR_msgctl, first, IPC_RMID, 0), -EINVAL);
	CHECK_EQ(sc(__NR_msgget, 77, CREATE | IPC_EXCL), -EEXIST);
	CHECK_EQ(sc(__NR_msgget, 77, 0), id);
	CHECK_EQ(sc(__NR_msgget, 78, 0), -ENOENT);
	CHECK_EQ(sc(__NR_msgctl, -1, IPC_STAT, ualloc(4096)), -EINVAL);
}

VM_TEST(messages_that_nobody_takes)
{
	struct { long type; char text[32]; } m = { 5, "left behind" };
	long id = sc(__NR_msgget, IPC_PRIVATE, CREATE);
	uaddr_t buf = uput(&m, sizeof(m));

	for (int i = 0; i < 20; i++)
		CHECK_EQ(sc(__NR_msgsnd, id, buf, 12, 0), 0);
	CHECK_EQ(sc(__NR_msgsnd, id, 8, 12, 0), -EFAULT);
	CHECK_EQ(sc(__NR_msgsnd, id, buf, MSGMAX + 1, 0), -EINVAL);
	CHECK_EQ(sc(__NR_msgrcv, id, 8, 32, 0, 0), -EFAULT); /* is gone all the same */
	CHECK_EQ(sc(__NR_msgrcv, id, buf, 32, 5, MSG_EXCEPT | IPC_NOWAIT), -ENOMSG);
	CHECK_EQ(sc(__NR_msgctl, id, IPC_RMID, 0), 0);
}

static long queue(const char *name)
{
	return sc(__NR_mq_open, ustr(name), O_RDWR | O_CREAT, 0600, 0);
}

static int receive(void *arg)
{
	sc(__NR_mq_timedreceive, *(long *)arg, ualloc(8192), 8192, 0, 0);
	return 0;
}

VM_TEST(posix_messages_that_nobody_takes)
{
	long fd = queue("one"), waits = queue("two"), pid = fork_run(receive, &waits);
	const s64 past[2] = { 1, 0 };
	uaddr_t text = ustr("left behind"), then = uput(past, sizeof(past));

	for (int i = 0; i < 10; i++)
		CHECK_EQ(sc(__NR_mq_timedsend, fd, text, 12, i * 1000, 0), 0);
	CHECK_EQ(sc(__NR_mq_timedsend, fd, text, 12, 0, then), -ETIMEDOUT);
	CHECK_EQ(sc(__NR_mq_timedreceive, fd, 8, 8192, 0, 0), -EFAULT); /* is gone all the same */
	CHECK_EQ(sc(__NR_mq_timedsend, fd, text, 12, 0, 0), 0);
	CHECK_EQ(sc(__NR_mq_unlink, ustr("one")), 0);
	CHECK_EQ(sc(__NR_close, fd), 0);
	CHECK_EQ(sc(__NR_kill, pid, SIGKILL), 0); /* in the queue's list of receivers */
	CHECK_EQ(wait_status(pid), SIGKILL);
	CHECK_EQ(sc(__NR_mq_timedsend, waits, text, 12, 0, 0), 0); /* is for nobody now */
	CHECK_EQ(sc(__NR_mq_timedreceive, waits, ualloc(8192), 8192, 0, 0), 12);
}

static long op(long id, int number, int value, int flags)
{
	struct sembuf b = { (u16)number, (s16)value, (s16)flags };

	return sc(__NR_semop, id, uput(&b, sizeof(b)), 1);
}

static int take_with_undo(void *arg)
{
	long id = *(long *)arg;

	CHECK_EQ(op(id, 0, -2, SEM_UNDO), 0);
	CHECK_EQ(op(id, 1, 3, SEM_UNDO), 0);
	return 0;
}

static int remove_set(void *arg)
{
	long id = *(long *)arg;

	CHECK_EQ(op(id, 0, 1, SEM_UNDO), 0);
	CHECK_EQ(sc(__NR_semctl, id, 0, IPC_RMID, 0), 0);
	return 0; /* and nothing is left to undo */
}

VM_TEST(undo)
{
	long id = sc(__NR_semget, IPC_PRIVATE, 2, CREATE);

	CHECK_EQ(sc(__NR_semctl, id, 0, SETVAL, 5), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(wait_status(fork_run(take_with_undo, &id)), 0);
		CHECK_EQ(sc(__NR_semctl, id, 0, GETVAL, 0), 5);
		CHECK_EQ(sc(__NR_semctl, id, 1, GETVAL, 0), 0);
	}
	CHECK_EQ(op(id, 0, -1, SEM_UNDO), 0);
	CHECK_EQ(wait_status(fork_run(remove_set, &id)), 0);
	CHECK_EQ(op(id, 0, 1, 0), -EINVAL);
}

static int wait_for_ever(void *arg)
{
	return (int)-op(*(long *)arg, 0, -1, 0);
}

VM_TEST(removal_wakes)
{
	long id = sc(__NR_semget, IPC_PRIVATE, 1, CREATE);
	long one = fork_run(wait_for_ever, &id), two = fork_run(wait_for_ever, &id);

	EVENTUALLY(sc(__NR_semctl, id, 0, GETNCNT, 0) == 2);
	CHECK_EQ(sc(__NR_semctl, id, 0, IPC_RMID, 0), 0);
	CHECK_EQ(wait_status(one), EIDRM << 8);
	CHECK_EQ(wait_status(two), EIDRM << 8);
}

VM_TEST(segments)
{
	long id = sc(__NR_shmget, 1, 8192, CREATE), at, again;

	at = sc(__NR_shmat, id, 0, 0);
	CHECK(at > 0);
	poke32((uaddr_t)at + 8188, 4711);
	again = sc(__NR_shmat, id, 0, 010000 /* SHM_RDONLY */);
	CHECK(again > 0 && again != at);
	CHECK_EQ(peek32((uaddr_t)again + 8188), 4711);
	CHECK_EQ(sc(__NR_shmctl, id, IPC_RMID, 0), 0);
	CHECK_EQ(sc(__NR_shmget, 1, 0, 0), -ENOENT);
	CHECK_EQ(sc(__NR_shmdt, at), 0);
	CHECK_EQ(sc(__NR_shmdt, at), -EINVAL);
	CHECK_EQ(sc(__NR_shmdt, again), 0);
	CHECK(sc(__NR_shmat, id, 0, 0) < 0);
	for (int i = 0; i < 3000; i++) { /* slots of dead segments are used again */
		id = sc(__NR_shmget, IPC_PRIVATE, 4096, CREATE);
		CHECK(id >= 0);
		CHECK_EQ(sc(__NR_shmctl, id, IPC_RMID, 0), 0);
	}
	CHECK_EQ(sc(__NR_shmget, IPC_PRIVATE, 0, CREATE), -EINVAL);
	CHECK_EQ(sc(__NR_shmget, IPC_PRIVATE, ~0ULL, CREATE), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_and_identifiers),
		cmocka_unit_test(messages_that_nobody_takes),
		cmocka_unit_test(posix_messages_that_nobody_takes),
		cmocka_unit_test(undo),
		cmocka_unit_test(removal_wakes),
		cmocka_unit_test(segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
