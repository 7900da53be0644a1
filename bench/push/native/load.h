/* Owns what the commands of the load generator share: what it is at work on, and waiting for something to do. */
#ifndef LOAD_H
#define LOAD_H

#include "clients.h"
#include "publisher.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

struct load {
    struct plan plan;
    struct ledger ledger;
    struct histogram latencies;
    struct clients clients;
    struct publisher publisher;
    int epoll;
    uint64_t patience;      /* of the plan, in ns */
    uint64_t events;        /* published, ever */
    uint32_t users, stride; /* of the sockets that there are, and from one to the next that is published to */
    uint32_t at;
    bool commanded, over; /* standard input has something to say; it has ended */
};

struct order {
    uint64_t events; /* 0: until the time is over */
    double rate;     /* events a second; 0: as fast as they are taken */
    uint64_t window; /* frames that may be on their way */
    double seconds;  /* 0: until the events are over */
};

static const uint64_t LOOK = 100 * MILLISECOND; /* at the clock at least so often */

/* Wait for something to happen, at most for so long, and do what it asks for. */
void load_serve(struct load *load, uint64_t timeout);

double cpu_seconds(void);
double seconds_since(uint64_t began);

/* The commands; each prints its answer. */
void load_open(struct load *load, uint32_t wanted, bool again);

void load_publish(struct load *load, const struct order *order);
void load_total(const struct load *load);

/* Have events published to so many users, in an order in which neighbours are far apart. */
void load_address(struct load *load, uint32_t users);

#endif
