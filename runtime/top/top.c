// SPDX-License-Identifier: Apache-2.0
/*
 * callgate top: PROGRAM ROOT SECONDS. A program of its own, so that no other command loads a terminal library.
 * Its numbers are what PROGRAM --root ROOT metrics --format json prints.
 */
#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <ncurses.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ID_MIN 8
#define ID_MAX 40
#define STATUS_WIDTH 9

enum { CPU, MEMORY, PIDS, CALLS, PV_CALLS, CONNECTIONS, NUMBERS };

static const struct column {
	char key; /* sorts by it */
	const char *head;
	int width;
} columns[NUMBERS] = {
	[CPU] = { 'c', "CPU%", 7 },	       [MEMORY] = { 'm', "MEMORY", 9 },	     [PIDS] = { 'p', "PIDS", 6 },
	[CALLS] = { 's', "CALLS/S", 10 },      [PV_CALLS] = { 'v', "PV/S", 9 },	     [CONNECTIONS] = { 'n', "SOCKETS", 8 },
};

struct row {
	const char *id, *status;
	double v[NUMBERS]; /* < 0: unknown */
};

struct top {
	const char *program, *root;
	int interval; /* ms */
	json_t *now, *before;
	double at, before_at; /* seconds */
	struct row *rows;
	size_t n, first;
	int sort;
	bool reverse;
	char message[120];
};

/* ---- numbers ---- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static json_t *run_metrics(const struct top *t)
{
	int fds[2];
	pid_t pid;
	FILE *f;
	json_t *list;

	if (pipe(fds))
		return NULL;
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		execl(t->program, t->program, "--root", t->root, "metrics", "--format", "json", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	list = f ? json_loadf(f, 0, NULL) : NULL;
	if (f)
		fclose(f);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return list;
}

static void sample(struct top *t)
{
	json_t *list = run_metrics(t);

	if (!list) {
		snprintf(t->message, sizeof(t->message), "%s metrics has failed", t->program);
		return;
	}
	t->message[0] = '\0';
	json_decref(t->before);
	t->before = t->now;
	t->before_at = t->at;
	t->now = list;
	t->at = seconds();
}

static const char *text(const json_t *c, const char *key)
{
	const char *s = json_string_value(json_object_get(c, key));

	return s ? s : "?";
}

static double number(const json_t *c, const char *key)
{
	const json_t *v = json_object_get(c, key);

	return v ? json_number_value(v) : -1;
}

static const json_t *same_before(const struct top *t, const char *id)
{
	json_t *c;
	size_t i;

	json_array_foreach(t->before, i, c) {
		if (!strcmp(text(c, "id"), id))
			return c;
	}
	return NULL;
}

/* How fast it grows, each second; < 0: unknown. */
static double rate(const struct top *t, const json_t *c, const json_t *old, const char *key)
{
	double now = number(c, key), then = old ? number(old, key) : -1, time = t->at - t->before_at;

	return now < 0 || then < 0 || now < then || time <= 0 ? -1 : (now - then) / time;
}

static double sockets(const json_t *c)
{
	const json_t *list = json_object_get(c, "connections");
	double all = list ? 0 : -1;
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		all += number(entry, "n");
	return all;
}

static void fill(const struct top *t, struct row *r, const json_t *c)
{
	const json_t *old = same_before(t, text(c, "id"));
	double local = rate(t, c, old, "local"), proxied = rate(t, c, old, "proxied"), missing = rate(t, c, old, "missing");
	double cpu = rate(t, c, old, "cpu");

	r->id = text(c, "id");
	r->status = text(c, "status");
	r->v[CPU] = cpu < 0 ? cpu : cpu / 1e7;
	r->v[MEMORY] = number(c, "memory");
	r->v[PIDS] = number(c, "pids");
	r->v[CALLS] = local < 0 ? local : local + (proxied > 0 ? proxied : 0) + (missing > 0 ? missing : 0);
	r->v[PV_CALLS] = rate(t, c, old, "pvCalls");
	r->v[CONNECTIONS] = sockets(c);
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top *t = arg;
	const struct row *x = a, *y = b;
	int order = 0;

	if (t->sort < NUMBERS)
		order = x->v[t->sort] < y->v[t->sort] ? 1 : x->v[t->sort] > y->v[t->sort] ? -1 : 0;
	if (t->reverse)
		order = -order;
	return order ? order : strcmp(x->id, y->id);
}

static void make_rows(struct top *t)
{
	json_t *c;
	size_t i;

	free(t->rows);
	t->n = json_array_size(t->now);
	t->rows = calloc(t->n + 1, sizeof(*t->rows));
	if (!t->rows)
		t->n = 0;
	json_array_foreach(t->now, i, c)
		if (i < t->n)
			fill(t, &t->rows[i], c);
	if (t->rows)
		qsort_r(t->rows, t->n, sizeof(*t->rows), compare, t);
}

/* ---- screen ---- */

static void print_number(int column, double v)
{
	static const char units[] = " KMGTP";
	int width = columns[column].width, unit = 0;

	if (v < 0) {
		printw(" %*s", width, "-");
		return;
	}
	if (column == CPU) {
		printw(" %*.1f", width, v);
		return;
	}
	while (column == MEMORY && v >= 1024 && unit < 5) {
		v /= 1024;
		unit++;
	}
	if (unit)
		printw(" %*.1f%c", width - 1, v, units[unit]);
	else
		printw(" %*.0f", width, v);
}

/* How many columns of numbers there is room for. */
static int shown(void)
{
	int rest = COLS - STATUS_WIDTH - ID_MIN, n = 0;

	while (n < NUMBERS && (rest -= columns[n].width + 1) >= 0)
		n++;
	return n;
}

static int id_width(void)
{
	int rest = COLS - STATUS_WIDTH;

	for (int k = 0; k < shown(); k++)
		rest -= columns[k].width + 1;
	return rest < 0 ? 0 : rest > ID_MAX ? ID_MAX : rest;
}

static void draw_head(const struct top *t)
{
	char clock[16];
	time_t now = time(NULL);
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	mvprintw(0, 0, "callgate top  %s  %zu containers  %s", clock, t->n, t->message);
	attron(A_REVERSE);
	mvprintw(2, 0, "%-*s %-8s", id_width(), "CONTAINER", "STATUS");
	for (int k = 0; k < shown(); k++) {
		attr_t mark = k == t->sort ? A_BOLD | A_UNDERLINE : 0;

		attron(mark);
		printw(" %*s", columns[k].width, columns[k].head);
		attroff(mark);
	}
	for (int x = getcurx(stdscr); x > 0 && x < COLS; x++)
		addch(' ');
	attroff(A_REVERSE);
}

static void draw(struct top *t)
{
	size_t room = LINES > 4 ? (size_t)LINES - 4 : 0;

	erase();
	draw_head(t);
	if (t->first + room > t->n)
		t->first = t->n > room ? t->n - room : 0;
	for (size_t i = 0; i < room && t->first + i < t->n; i++) {
		const struct row *r = &t->rows[t->first + i];

		mvprintw((int)i + 3, 0, "%-*.*s %-8.8s", id_width(), id_width(), r->id, r->status);
		for (int k = 0; k < shown(); k++)
			print_number(k, r->v[k]);
	}
	mvprintw(LINES - 1, 0, "%.*s", COLS - 1,
		 "sort: c CPU  m memory  p pids  s calls  v PV calls  n sockets  i name   r reverse   q quit");
	refresh();
}

/* False: enough. */
static bool press(struct top *t, int key)
{
	for (int k = 0; k < NUMBERS; k++)
		if (key == columns[k].key)
			t->sort = k;
	if (key == 'i')
		t->sort = NUMBERS;
	else if (key == 'r')
		t->reverse = !t->reverse;
	else if (key == KEY_RESIZE)
		clearok(stdscr, TRUE); /* what the terminal has made of its contents is its own affair */
	else if (key == KEY_DOWN)
		t->first++;
	else if (key == KEY_UP && t->first)
		t->first--;
	make_rows(t);
	return key != 'q' && key != 3;
}

/* Keys are served at once, until it is time for new numbers. False: enough. */
static bool wait_keys(struct top *t)
{
	double until = seconds() + t->interval / 1e3;

	for (;;) {
		double left = until - seconds();
		int key;

		if (left <= 0)
			return true;
		timeout((int)(left * 1e3) + 1);
		key = getch();
		if (key != ERR && !press(t, key))
			return false;
		draw(t);
	}
}

int main(int argc, char **argv)
{
	struct top t = { .sort = CPU };

	if (argc != 4) {
		fprintf(stderr, "this is a part of callgate top\n");
		return 2;
	}
	t.program = argv[1];
	t.root = argv[2];
	t.interval = (int)(strtod(argv[3], NULL) * 1e3);
	setlocale(LC_ALL, "");
	sample(&t);
	if (!t.now) {
		fprintf(stderr, "%s\n", t.message);
		return 1;
	}
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	do {
		make_rows(&t);
		draw(&t);
		if (!wait_keys(&t))
			break;
		sample(&t);
	} while (true);
	endwin();
	return 0;
}
