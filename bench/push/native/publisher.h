/* Owns publishing: taking events as fast as whoever distributes them does, in the way that the plan says. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <stdbool.h>

#include "plan.h"

struct event {
    struct mark mark;
    uint64_t id;
};

struct connection {
    int socket;
    bool writing; /* epoll tells when it takes more */
    bool busy;    /* http: a POST is not answered yet */
    struct buffer in, out;
};

enum { AT_ONCE_MAX = 500 /* events of one batch: what a relay reads at a time */ };

struct publisher {
    const struct plan *plan;
    int epoll;
    uint32_t kind; /* of the tags of its connections, for epoll */
    uint32_t count;
    struct connection *connections;
    uint32_t staged, unanswered; /* jetstream: events of the next batch, and acknowledgements to come */
    struct event stage[AT_ONCE_MAX];
    uint64_t batches;
    struct buffer subject, headers, body;
};

/* Connect. Ends the process if nobody listens. */
void publisher_start(struct publisher *publisher, const struct plan *plan, int epoll, uint32_t kind);

/* Whether it takes an event for this user now. */
bool publisher_takes(const struct publisher *publisher, uint32_t user);

/* Take an event; it is on its way after `publisher_flush`. */
void publisher_put(struct publisher *publisher, const struct event *event);
void publisher_flush(struct publisher *publisher);

/* Whether everything that it took has left, and has been acknowledged where that is usual. */
bool publisher_idle(const struct publisher *publisher);

/* epoll says that something can be done for this connection. */
void publisher_serve(struct publisher *publisher, uint32_t connection);

#endif
