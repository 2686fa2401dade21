/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call sites that a kernel may rewrite: one that each of many children uses once; one behind an instruction that is
 * relative to rip; those of several threads that use them at the same time. `patch_family show`: says which were rewritten.
 */
#include "check.h"
#include <pthread.h>
#include <sys/syscall.h>

#define SITE(name, before)                                                                        \
	__asm__(".pushsection .text\n.balign 4096\n.skip 512, 0x90\n.type " #name ", @function\n" #name ":\n"              \
		"push %rbx\nmov %edi, %ebx\nxor %esi, %esi\nlea 1(%rsi), %edx\nmov %edx, %ecx\nmov $110, %eax\n" #name "_last:\n" \
		before "\nsyscall\nadd %ebx, %eax\npop %rbx\nret\n.balign 64\n.popsection");                               \
	long name(int);                                                                           \
	extern const unsigned char name##_last[]

static const char text[] __attribute__((used)) = "text";
SITE(once_a_child, "mov $110, %eax");
SITE(relative, "lea text(%rip), %rdx");
SITE(together, "mov $110, %eax");
SITE(together2, "mov $110, %eax");

static void children(void)
{
	int me = getpid();

	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(once_a_child(i) == me + i ? 0 : 1);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

/* Often, and until it is rewritten: while one site is, that of another thread has to wait. */
static void use(long (*call)(int), const unsigned char *last)
{
	int parent = getppid();

	for (int i = 0; i < 20000 && (i < 100 || *(const volatile unsigned char *)last != 0xe9); i++)
		CHECK(call(i) == parent + i);
}

static void *other_thread(void *arg)
{
	use(together2, together2_last);
	return arg;
}

static void threads(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, other_thread, NULL));
	use(together, together_last);
	CHECK(!pthread_join(thread, NULL));
}

/* The instruction before the syscall still finds what it names. */
static void address(void)
{
	int parent = getppid();

	for (int i = 0; i < 100; i++) {
		const char *found;
		long ret;

		__asm__ volatile("call relative" : "=a"(ret), "=d"(found) : "D"(i) : "rcx", "rsi", "r11", "memory");
		CHECK(ret == parent + i && found == text);
	}
}

int main(int argc, char **argv)
{
	children();
	threads();
	address();
	if (argc > 1 && !strcmp(argv[1], "show"))
		printf("%d %d %d %d\n", *once_a_child_last == 0xe9, *relative_last == 0xe9, *together_last == 0xe9,
		       *together2_last == 0xe9);
	return 0;
}
