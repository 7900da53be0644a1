/* Owns what was published to whom and what each socket got of it, and with that every accusation.

   A socket must get exactly its user's events, each once, in the order of their numbers. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "marks.h"

/* What one socket got, of its user's events behind those that it missed because it was not there. */
struct seen {
    uint32_t next;   /* the number that comes next if all is well */
    uint64_t recent; /* bit n: it has got number next - 1 - n, or need not */
};

struct tally {
    uint64_t expected;    /* frames that the sockets must get */
    uint64_t got;         /* of these */
    uint64_t doubled;     /* further copies */
    uint64_t disordered;  /* of those that it got, how many came behind a later one */
    uint64_t misaddressed; /* events of another user, or that nobody has published */
};

struct ledger {
    uint32_t *published; /* to each user: the number of the last event */
    struct tally tally;
};

struct ledger ledger_of(uint32_t users);

/* The socket takes part from the next event on. */
void seen_join(struct seen *seen, const struct ledger *ledger, uint32_t user);

/* The socket takes part again, and must also get what it missed. */
void seen_join_again(const struct seen *seen, struct ledger *ledger, uint32_t user);

/* The socket of `user` got this; whether it was what it should get now. */
bool ledger_got(struct ledger *ledger, struct seen *seen, uint32_t user, struct mark mark);

#endif
