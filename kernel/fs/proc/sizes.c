// SPDX-License-Identifier: Apache-2.0
/* How large a process is. */
#include "proc.h"

#include <linux/mman.h>
#include <linux/time.h>

static u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

/* Text, libraries and data as Linux counts them: by what may be done to the mapping. */
static void add_vma(struct mm_sizes *z, const struct mm *mm, const struct vma *v)
{
	u64 pages = vma_pages(v);

	if (v->flags & VMA_KERNEL)
		return;
	z->total += pages;
	if (v->flags & MAP_GROWSDOWN)
		z->stack += pages;
	else if ((v->prot & PROT_WRITE) && !(v->flags & MAP_SHARED))
		z->data += pages;
	if ((v->prot & PROT_EXEC) && !(v->prot & PROT_WRITE) && v->file) {
		if (v->start < mm->code_end && v->end > mm->code_start)
			z->text += pages;
		else
			z->lib += pages;
	}
}

bool host_proc_stat(const struct pseudo_ctx *c, struct pv_proc_stat *out)
{
	struct task *t;

	memset(out, 0, sizeof(*out));
	guard(&tasklist_lock);
	return proc_find(c, &t) && t && mc_usage(t, out) == 0;
}

#define SAMPLE_INTERVAL (100 * NSEC_PER_MSEC)

/* The highest that was seen: the host is asked now and then, as some programs call getrusage all the time. */
u64 process_maxrss(void)
{
	struct process *p = current->proc;
	const struct pseudo_ctx c = { .pid = p->pid };
	u64 now = mc_clock(CLOCK_MONOTONIC);
	struct pv_proc_stat st;

	if (!p->rss_sampled || now - p->rss_sampled > SAMPLE_INTERVAL) {
		p->rss_sampled = now;
		if (host_proc_stat(&c, &st))
			p->maxrss = max(p->maxrss, KB(st.resident));
	}
	return p->maxrss;
}

void mm_sizes(struct mm *mm, const struct pv_proc_stat *host, struct mm_sizes *z)
{
	struct vma_iter it = {0};
	const struct vma *v;

	memset(z, 0, sizeof(*z));
	if (!mm)
		return;
	z->rss = host->resident >> PAGE_SHIFT;
	z->rss_file = min(host->shared >> PAGE_SHIFT, z->rss);
	guard(&mm->lock);
	z->locked = mm->locked_pages;
	while ((v = vma_next(mm, &it)))
		add_vma(z, mm, v);
	/* The guest kernel's own pages are among what the host counts. */
	z->rss = min(z->rss, z->total);
	z->rss_file = min(z->rss_file, z->rss);
}
