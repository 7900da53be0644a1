/* Owns giving up: one line on standard error, and an exit code that says whose fault it was. */
#ifndef FAIL_H
#define FAIL_H

#include <stddef.h>

enum {
    EXIT_PLAN = 2,   /* the plan, the arguments or a command cannot be carried out as they are */
    EXIT_SYSTEM = 3, /* the kernel refused something that we need */
    EXIT_PEER = 4,   /* a server, or whoever gives the commands, did not do its part */
};

_Noreturn void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed memory, or the end: nothing here works with less. */
void *allocate(size_t count, size_t size);

#endif
