/* SPDX-License-Identifier: Apache-2.0 */
/* What exec tests run: prints its arguments, one per line, and exits with their number. */
#include <stdio.h>

int main(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		puts(argv[i]);
	return argc;
}
