/* Owns the mark by which an event is known wherever it stands: ~user.number.stamp~, digits of fixed width.

   A mark may be cut anywhere, and is found in whatever is around it. */
#ifndef MARKS_H
#define MARKS_H

#include <stddef.h>
#include <stdint.h>

enum { USER_DIGITS = 6, NUMBER_DIGITS = 10, STAMP_DIGITS = 16 };
enum { MARK_SIZE = USER_DIGITS + NUMBER_DIGITS + STAMP_DIGITS + 4 };

struct mark {
    uint32_t user;
    uint32_t number; /* from 1 for each user */
    uint64_t stamp;  /* CLOCK_MONOTONIC in ns when it was published, or should have been */
};

/* What is kept of one stream of bytes between two parts of it. */
struct beginning {
    char bytes[MARK_SIZE];
    uint8_t size;
};

typedef void found_mark(void *context, struct mark mark);

/* Write MARK_SIZE bytes. */
void mark_write(char *to, struct mark mark);

/* Write a number in so many digits. */
void digits_write(char *to, unsigned digits, uint64_t number);

/* Call `found` for each mark in the next part of a stream. */
void marks_find(struct beginning *kept, const char *bytes, size_t size, found_mark *found, void *context);

#endif
