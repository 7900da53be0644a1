/* Owns durations in nanoseconds, counted in classes that are at most 1.6 % wide. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { PART_BITS = 6, PARTS = 1 << PART_BITS, CLASSES = (64 - PART_BITS + 1) * PARTS };

struct histogram {
    uint64_t count, max;
    uint64_t classes[CLASSES];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t ns);

/* The duration that this share (0 to 1) of all did not exceed, rounded up by at most 1.6 %; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
