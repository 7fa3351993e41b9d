#include <stdint.h>
#include <time.h>

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As Class in worker/gap, without its upper end. */
static unsigned class_of(uint64_t v)
{
	if (v < 16)
		return (unsigned)v;
	unsigned shift = 59u - (unsigned)__builtin_clzll(v);
	return (shift + 1) * 16 + ((v >> shift) & 15);
}

void sluice_spin(uint64_t ns, uint64_t turn, uint64_t *counts, unsigned classes, uint64_t *max)
{
	uint64_t last = now(), end = last + ns;
	*max = 0;
	while (last < end) {
		uint64_t t, gap;
		do {
			t = now();
			gap = t - last;
		} while (gap < turn);
		unsigned class = class_of(gap);
		counts[class < classes ? class : classes - 1]++;
		if (gap > *max)
			*max = gap;
		last = t;
	}
}
