/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text, and the kernel's own messages. */
#include <stdarg.h>

#include "kernel.h"
#include "ring.h"

#define MESSAGE_MAX 512

struct out {
	char *buf;
	size_t size;
	size_t len; /* wanted so far; may exceed size */
};

/* One conversion: %[flags][width][.precision][length]type */
struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* -1: none */
	int length;    /* -2 hh, -1 h, 0, 1 l, 2 ll, 1 z */
};

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		out_char(o, c);
}

static void out_text(struct out *o, const struct spec *s, const char *text, size_t n)
{
	if (!s->left)
		out_pad(o, ' ', s->width - (int)n);
	for (size_t i = 0; i < n; i++)
		out_char(o, text[i]);
	if (s->left)
		out_pad(o, ' ', s->width - (int)n);
}

/* The digits of v, least significant first. */
static int digits(char *to, u64 v, unsigned int base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0;

	for (; v; v /= base)
		to[n++] = set[v % base];
	return n;
}

/* prefix: sign or 0x. Leading zeros come from the precision, or from the flag 0 and the width. */
static void out_number(struct out *o, const struct spec *s, const char *prefix, u64 v,
		       unsigned int base, bool upper)
{
	char text[24];
	int n = digits(text, v, base, upper);
	int plen = (int)strlen(prefix);
	int least = s->precision >= 0 ? s->precision : 1;
	int zeros;

	if (base == 8 && s->alt && least <= n)
		least = n + 1;
	zeros = max(least - n, 0);
	if (s->zero && !s->left && s->precision < 0)
		zeros = max(zeros, s->width - plen - n);
	if (!s->left)
		out_pad(o, ' ', s->width - plen - zeros - n);
	while (*prefix)
		out_char(o, *prefix++);
	out_pad(o, '0', zeros);
	for (int i = n; i > 0; i--)
		out_char(o, text[i - 1]);
	if (s->left)
		out_pad(o, ' ', s->width - plen - zeros - n);
}

static void out_signed(struct out *o, const struct spec *s, s64 v)
{
	const char *sign = v < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

	out_number(o, s, sign, v < 0 ? -(u64)v : (u64)v, 10, false);
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return f;
		}
	}
}

static const char *parse_int(const char *f, int *val)
{
	for (*val = 0; *f >= '0' && *f <= '9'; f++)
		*val = *val * 10 + (*f - '0');
	return f;
}

static const char *parse_length(const char *f, struct spec *s)
{
	for (;; f++) {
		if (*f == 'h')
			s->length--;
		else if (*f == 'l')
			s->length++;
		else if (*f == 'z' || *f == 't' || *f == 'j')
			s->length = 1;
		else
			return f;
	}
}

/* va_list is an array type: passed on by a pointer to a structure that holds it. */
struct args {
	va_list ap;
};

static const char *parse_spec(const char *f, struct spec *s, struct args *a)
{
	*s = (struct spec){.precision = -1};
	f = parse_flags(f, s);
	if (*f == '*') {
		s->width = va_arg(a->ap, int);
		f++;
		if (s->width < 0) {
			s->left = true;
			s->width = -s->width;
		}
	} else {
		f = parse_int(f, &s->width);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			s->precision = va_arg(a->ap, int);
			f++;
		} else {
			f = parse_int(f, &s->precision);
		}
	}
	return parse_length(f, s);
}

static s64 arg_signed(const struct spec *s, struct args *a)
{
	if (s->length > 0)
		return va_arg(a->ap, long);
	switch (s->length) {
	case 0:
		return va_arg(a->ap, int);
	case -1:
		return (short)va_arg(a->ap, int);
	default:
		return (signed char)va_arg(a->ap, int);
	}
}

static u64 arg_unsigned(const struct spec *s, struct args *a)
{
	if (s->length > 0)
		return va_arg(a->ap, unsigned long);
	switch (s->length) {
	case 0:
		return va_arg(a->ap, unsigned int);
	case -1:
		return (unsigned short)va_arg(a->ap, unsigned int);
	default:
		return (unsigned char)va_arg(a->ap, unsigned int);
	}
}

static void convert_string(struct out *o, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	out_text(o, s, text, s->precision < 0 ? strlen(text) : strnlen(text, s->precision));
}

static void convert(struct out *o, char type, const struct spec *s, struct args *a)
{
	char c;
	u64 v;

	switch (type) {
	case 'd':
	case 'i':
		out_signed(o, s, arg_signed(s, a));
		break;
	case 'u':
		out_number(o, s, "", arg_unsigned(s, a), 10, false);
		break;
	case 'o':
		out_number(o, s, "", arg_unsigned(s, a), 8, false);
		break;
	case 'x':
	case 'X':
		v = arg_unsigned(s, a);
		out_number(o, s,
			   !s->alt || !v ? ""
			   : type == 'x' ? "0x"
					 : "0X",
			   v, 16, type == 'X');
		break;
	case 'p':
		out_number(o, s, "0x", (u64)va_arg(a->ap, void *), 16, false);
		break;
	case 'c':
		c = (char)va_arg(a->ap, int);
		out_text(o, s, &c, 1);
		break;
	case 's':
		convert_string(o, s, va_arg(a->ap, const char *));
		break;
	default: /* %% */
		out_char(o, type);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};
	struct args a;
	struct spec s;

	va_copy(a.ap, ap);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			out_char(&o, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s, &a);
		if (!*fmt)
			break;
		convert(&o, *fmt, &s, &a);
	}
	va_end(a.ap);
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

char *kasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = kmalloc((size_t)n + 1);
	if (!text)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

static const char *level_name(int level)
{
	return level <= LOG_ERR	    ? "error: "
	       : level <= LOG_WARN  ? "warning: "
	       : level >= LOG_DEBUG ? "debug: "
				    : "";
}

/* Errors are always shown, the rest up to the level the container was started with. */
void printk(int level, const char *fmt, ...)
{
	const struct boot_info *boot = mc_boot_info();
	char text[MESSAGE_MAX];
	va_list ap;
	size_t n;

	if (level > LOG_ERR && (!boot || (u32)level > boot->debug))
		return;
	n = (size_t)snprintf(text, sizeof(text), "kernel: %s", level_name(level));
	va_start(ap, fmt);
	n += (size_t)vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	n = min(n, sizeof(text) - 1);
	if (n && text[n - 1] != '\n')
		text[n < sizeof(text) - 1 ? n++ : n - 1] = '\n';
	mc_console(text, n);
}

void panic(const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mc_panic(text);
}
