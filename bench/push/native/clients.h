/* Owns the sockets: opening them as the plan says, answering what must be answered, and reading what they are sent. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "frames.h"
#include "histogram.h"
#include "ledger.h"
#include "plan.h"

enum { REASON_SIZE = 160 };

enum state { CLOSED, CONNECTING, UPGRADING, GREETING, OPEN };

struct client {
    int socket;
    uint32_t user;
    enum state state;
    struct seen seen;
    struct frames frames;
    struct beginning beginning;
    struct buffer before; /* what it was sent before it was open */
};

struct clients {
    const struct plan *plan;
    struct ledger *ledger;
    struct histogram *latencies;
    int epoll;
    uint32_t kind;            /* of the tags of its sockets, for epoll */
    uint32_t room, count;     /* sockets that there can be, and that were ever opened */
    uint32_t opening, open;   /* how many are on their way, and how many are open */
    uint32_t ended;           /* how many the server has closed */
    struct buffer refused;    /* numbers of those that were closed instead of greeted, to be opened once more */
    uint32_t refusals;        /* how often that happened */
    char reason[REASON_SIZE]; /* what the server said to the last of these */
    uint64_t pings;           /* answered, protocol's and application's */
    uint64_t events;          /* that had been published, to anybody, when the sockets were closed */
    uint64_t last_frame;      /* when an event came last */
    uint32_t *devices;        /* of each user, that are open */
    struct client *all;
    const struct opening *how;
    struct client *reading; /* whose bytes are being looked at, and when they came */
    uint64_t came;
};

void clients_start(struct clients *clients, const struct plan *plan, struct ledger *ledger,
                   struct histogram *latencies, int epoll, uint32_t kind);

/* Begin to open the socket with this number. `again`: it was open before, and must be sent what it missed. */
void client_open(struct clients *clients, uint32_t number, bool again);

/* Begin to open one that was refused once more; false if there is none. */
bool client_open_refused(struct clients *clients, bool again);

/* epoll says that something can be done for this socket, and what. */
void client_serve(struct clients *clients, uint32_t number, uint32_t events);

/* Close all sockets, without a word; so many events have been published. */
void clients_close(struct clients *clients, uint64_t events);

#endif
