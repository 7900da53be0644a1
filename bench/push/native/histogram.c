#include "histogram.h"

#include <string.h>

/* Below PARTS each number is a class; above, each power of two has PARTS of them. */
static unsigned class_of(uint64_t ns)
{
    if (ns < PARTS)
        return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    return (power - PART_BITS + 1) * PARTS + (unsigned)(ns >> (power - PART_BITS)) - PARTS;
}

static uint64_t top_of(unsigned class)
{
    if (class < PARTS)
        return class;
    unsigned shift = class / PARTS - 1;
    return ((uint64_t)(class % PARTS + PARTS + 1) << shift) - 1;
}

void histogram_clear(struct histogram *histogram) { memset(histogram, 0, sizeof *histogram); }

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->classes[class_of(ns)]++;
    histogram->count++;
    if (ns > histogram->max)
        histogram->max = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count), passed = 0;
    for (unsigned class = 0; class < CLASSES; class++) {
        passed += histogram->classes[class];
        if (passed > wanted)
            return top_of(class) < histogram->max ? top_of(class) : histogram->max;
    }
    return histogram->max;
}
