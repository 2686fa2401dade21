/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a folder, without libFuzzer: no input that was ever found may fail again. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

struct input {
	uint8_t *data;
	size_t size;
};

static int skip_dots(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static struct input load(const char *dir, const char *name)
{
	struct input in = { malloc(INPUT_MAX), 0 };
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f || !in.data) {
		perror(path);
		exit(1);
	}
	in.size = fread(in.data, 1, INPUT_MAX, f);
	fclose(f);
	return in;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int n = argc == 2 ? scandir(argv[1], &names, skip_dots, alphasort) : -1;
	struct input *inputs;

	if (n <= 0) {
		fprintf(stderr, "usage: %s FOLDER (with at least one input)\n", argv[0]);
		return 2;
	}
	/* All of them now: the target may leave this file system behind. */
	inputs = calloc((size_t)n, sizeof(*inputs));
	for (int i = 0; i < n; i++)
		inputs[i] = load(argv[1], names[i]->d_name);
	if (LLVMFuzzerInitialize(&argc, &argv))
		return 1;
	for (int i = 0; i < n; i++) {
		fprintf(stderr, "%s\n", names[i]->d_name);
		LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
		free(inputs[i].data);
		free(names[i]);
	}
	free(inputs);
	free(names);
	printf("%d inputs\n", n);
	return 0;
}
