/* SPDX-License-Identifier: Apache-2.0 */
/* System V IPC: shared memory, semaphores with undo, message queues. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static key_t key;

static void test_shm(void)
{
	int id = OK(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
	struct shmid_ds ds;
	char *a, *b;

	FAILS(EEXIST, shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
	FAILS(EINVAL, shmget(key, 20000, 0));
	CHECK(shmget(key, 0, 0) == id);
	a = OK(shmat(id, NULL, 0));
	b = OK(shmat(id, NULL, SHM_RDONLY));
	CHECK(a != b && a[9999] == 0);
	a[9999] = 'x';
	CHECK(b[9999] == 'x');
	IN_CHILD(a[1] = 'c'; OK(shmdt(a)));
	CHECK(b[1] == 'c');
	OK(shmctl(id, IPC_STAT, &ds));
	CHECK(ds.shm_nattch == 2 && ds.shm_segsz == 10000 && (ds.shm_perm.mode & 0777) == 0600);
	CHECK(ds.shm_cpid == getpid());
	FAILS(EINVAL, shmat(id, a + 1, 0));
	FAILS(EINVAL, shmat(id, a, 0));
	OK(shmdt(b));
	FAILS(EINVAL, shmdt(b));
	OK(shmctl(id, IPC_RMID, NULL));
	FAILS(ENOENT, shmget(key, 0, 0));
	b = OK(shmat(id, NULL, 0)); /* removed, but somebody has it */
	CHECK(b[1] == 'c');
	OK(shmdt(a));
	OK(shmdt(b));
	CHECK(shmat(id, NULL, 0) == (void *)-1 && (errno == EINVAL || errno == EIDRM));
}

static int op(int id, int number, int value, int flags)
{
	struct sembuf b = { number, value, flags };

	return semop(id, &b, 1);
}

static void test_sem(void)
{
	int id = OK(semget(IPC_PRIVATE, 3, 0600));
	unsigned short values[3] = { 1, 2, 3 };
	struct sembuf both[2] = { { 0, -1, 0 }, { 1, -5, IPC_NOWAIT } };
	struct timespec soon = { 0, 20000000 };
	pid_t pid;

	OK(semctl(id, 0, SETALL, values));
	FAILS(EAGAIN, semop(id, both, 2)); /* all or nothing */
	CHECK(semctl(id, 0, GETVAL) == 1);
	FAILS(EAGAIN, semtimedop(id, &(struct sembuf){ 0, -2, 0 }, 1, &soon));
	FAILS(EFBIG, op(id, 3, 1, 0));
	FAILS(ERANGE, op(id, 0, 32767, 0));
	IN_CHILD(OK(op(id, 2, 4, SEM_UNDO)); CHECK(semctl(id, 2, GETVAL) == 7));
	CHECK(semctl(id, 2, GETVAL) == 3);
	IN_CHILD(OK(op(id, 2, -2, SEM_UNDO)));
	CHECK(semctl(id, 2, GETVAL) == 3);
	pid = fork();
	if (!pid) {
		OK(op(id, 0, -2, 0));
		_exit(7);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	OK(op(id, 0, 1, 0));
	CHECK(reap(pid) == 7 && semctl(id, 0, GETVAL) == 0 && semctl(id, 0, GETPID) == pid);
	pid = fork();
	if (!pid) {
		FAILS(EIDRM, op(id, 0, -1, 0));
		_exit(0);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	OK(semctl(id, 0, IPC_RMID));
	CHECK(reap(pid) == 0);
	FAILS(EINVAL, semctl(id, 0, GETVAL));
}

struct message {
	long type;
	char text[64];
};

static void on_alarm(int sig)
{
}

static void test_msg(void)
{
	int id = OK(msgget(IPC_PRIVATE, 0600));
	struct message m = { 3, "three" }, got;
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct msqid_ds ds;

	OK(msgsnd(id, &m, 6, 0));
	m = (struct message){ 2, "two" };
	OK(msgsnd(id, &m, 4, 0));
	CHECK(msgrcv(id, &got, 64, -5, 0) == 4 && got.type == 2 && !strcmp(got.text, "two"));
	FAILS(E2BIG, msgrcv(id, &got, 2, 3, 0));
	FAILS(ENOMSG, msgrcv(id, &got, 64, 2, IPC_NOWAIT));
	CHECK(msgrcv(id, &got, 2, 0, MSG_NOERROR) == 2 && got.type == 3);
	FAILS(EINVAL, msgsnd(id, &(struct message){ 0, "" }, 1, 0));
	for (int i = 0; i < 256; i++)
		OK(msgsnd(id, &m, 64, IPC_NOWAIT));
	FAILS(EAGAIN, msgsnd(id, &m, 64, IPC_NOWAIT));
	OK(msgctl(id, IPC_STAT, &ds));
	CHECK(ds.msg_qnum == 256 && ds.msg_lspid == getpid());
	for (int i = 0; i < 256; i++)
		OK(msgrcv(id, &got, 64, 0, 0));
	IN_CHILD(OK(msgsnd(id, &m, 4, 0)));
	CHECK(msgrcv(id, &got, 64, 0, 0) == 4);
	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 0);
	FAILS(EINTR, msgrcv(id, &got, 64, 0, 0)); /* never restarted */
	OK(msgctl(id, IPC_RMID, NULL));
}

int main(void)
{
	key = 0x63670000 + (getpid() & 0xffff);
	test_shm();
	test_sem();
	test_msg();
	return 0;
}
