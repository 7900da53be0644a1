#include "marks.h"

#include <stdbool.h>
#include <string.h>

void digits_write(char *to, unsigned digits, uint64_t number)
{
    while (digits-- > 0) {
        to[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

static bool digits_read(const char *from, unsigned digits, uint64_t *number)
{
    *number = 0;
    for (unsigned at = 0; at < digits; at++) {
        if (from[at] < '0' || from[at] > '9')
            return false;
        *number = 10 * *number + (uint64_t)(from[at] - '0');
    }
    return true;
}

enum { NUMBER_AT = 1 + USER_DIGITS + 1, STAMP_AT = NUMBER_AT + NUMBER_DIGITS + 1 };

void mark_write(char *to, struct mark mark)
{
    to[0] = to[MARK_SIZE - 1] = '~';
    to[NUMBER_AT - 1] = to[STAMP_AT - 1] = '.';
    digits_write(to + 1, USER_DIGITS, mark.user);
    digits_write(to + NUMBER_AT, NUMBER_DIGITS, mark.number);
    digits_write(to + STAMP_AT, STAMP_DIGITS, mark.stamp);
}

static bool mark_read(const char *from, struct mark *mark)
{
    uint64_t user, number;
    if (from[MARK_SIZE - 1] != '~' || !digits_read(from + 1, USER_DIGITS, &user) ||
        !digits_read(from + NUMBER_AT, NUMBER_DIGITS, &number) ||
        !digits_read(from + STAMP_AT, STAMP_DIGITS, &mark->stamp))
        return false;
    mark->user = (uint32_t)user;
    mark->number = (uint32_t)number;
    return true;
}

/* Complete the mark whose beginning was kept; returns how many bytes of the part belong to it. */
static size_t complete(struct beginning *kept, const char *bytes, size_t size, found_mark *found, void *context)
{
    struct mark mark;
    size_t missing = MARK_SIZE - (size_t)kept->size, taken = missing < size ? missing : size;
    memcpy(kept->bytes + kept->size, bytes, taken);
    kept->size = (uint8_t)(kept->size + taken);
    if (kept->size < MARK_SIZE)
        return taken;
    kept->size = 0;
    if (!mark_read(kept->bytes, &mark))
        return 0;
    found(context, mark);
    return taken;
}

void marks_find(struct beginning *kept, const char *bytes, size_t size, found_mark *found, void *context)
{
    struct mark mark;
    const char *end = bytes + size, *at = bytes;
    if (kept->size > 0)
        at += complete(kept, bytes, size, found, context);
    while (at < end && (at = memchr(at, '~', (size_t)(end - at))) != NULL) {
        if (end - at < MARK_SIZE) {
            kept->size = (uint8_t)(end - at);
            memcpy(kept->bytes, at, kept->size);
            return;
        }
        if (mark_read(at, &mark)) {
            found(context, mark);
            at += MARK_SIZE;
        } else {
            at++;
        }
    }
}
