/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that has taken over a guest process: calls the hostcall site, whose address is
 * argv[1], with the number argv[2] and the arguments that follow. "page" stands for the
 * address of a page that holds "/etc/passwd", "sock" for one with an internet address.
 * Prints what came back, if anything did.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char page[4096] __attribute__((aligned(4096))) = "/etc/passwd";
static struct sockaddr_in sock;

static long value(const char *text)
{
	if (!strcmp(text, "page"))
		return (long)page;
	if (!strcmp(text, "sock"))
		return (long)&sock;
	return strtoul(text, NULL, 0);
}

int main(int argc, char **argv)
{
	long a[7] = { 0 }, ret, site;

	if (argc < 3)
		return 2;
	sock = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(9),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	site = value(argv[1]);
	for (int i = 0; i < 7 && i + 2 < argc; i++)
		a[i] = value(argv[i + 2]);
	puts("up");
	fflush(stdout);

	register long r10 __asm__("r10") = a[4];
	register long r8 __asm__("r8") = a[5];
	register long r9 __asm__("r9") = a[6];

	__asm__ volatile("call *%[site]" /* no red zone in use here: main keeps nothing below rsp */
			 : "=a"(ret)
			 : "a"(a[0]), "D"(a[1]), "S"(a[2]), "d"(a[3]), "r"(r10), "r"(r8), "r"(r9), [site] "b"(site)
			 : "rcx", "r11", "memory");
	printf("returned %ld\n", ret);
	fflush(stdout);
	sleep(3);
	puts("alive");
	return 0;
}
