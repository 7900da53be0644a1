/* Owns opening sockets until there are as many as were asked for. */
#include <stdio.h>

#include "fail.h"
#include "load.h"
#include "net.h"

enum { OPENING_MAX = 64, REFUSALS_MAX = 1000 };

static const uint64_t OPENING_PATIENCE = 20 * SECOND;

static uint32_t divisor(uint32_t one, uint32_t other) { return other == 0 ? one : divisor(other, one % other); }

void load_address(struct load *load, uint32_t users)
{
    if (users > load->plan.users)
        fail(EXIT_PLAN, "there are %u users, not %u", load->plan.users, users);
    load->users = users;
    load->at = 0;
    load->stride = load->users * 5 / 8 + 1;
    while (load->users > 0 && divisor(load->users, load->stride) != 1)
        load->stride++;
}

/* What is being opened. */
struct attempt {
    uint32_t wanted, next, open; /* sockets; the first that was not tried yet; how many were open when last looked */
    uint32_t refusals;           /* before */
    uint64_t got, missed;        /* frames before, and that must come behind the greetings */
    uint64_t progress;           /* when there was any */
    bool again;
};

static struct attempt begin(struct load *load, uint32_t wanted, bool again)
{
    struct clients *clients = &load->clients;
    struct tally *tally = &load->ledger.tally;
    struct attempt attempt = {.wanted = wanted, .next = clients->open, .open = clients->open, .again = again,
                              .refusals = clients->refusals, .got = tally->got, .progress = now_ns()};
    uint64_t expected = tally->expected;
    for (uint32_t number = attempt.next; again && number < wanted; number++)
        seen_join_again(&clients->all[number].seen, &load->ledger, number / load->plan.devices);
    attempt.missed = tally->expected - expected;
    return attempt;
}

static void open_more(struct clients *clients, struct attempt *attempt)
{
    while (attempt->next < attempt->wanted && clients->opening < OPENING_MAX)
        client_open(clients, attempt->next++, attempt->again);
    if (attempt->next == attempt->wanted && clients->opening == 0)
        while (clients->opening < OPENING_MAX && client_open_refused(clients, attempt->again))
            ;
}

static bool has_all(const struct load *load, const struct attempt *attempt)
{
    return load->clients.open >= attempt->wanted && load->ledger.tally.got - attempt->got >= attempt->missed;
}

/* Whether it is worth waiting on; what was missed may never come, but a socket must open. */
static bool goes_on(const struct load *load, struct attempt *attempt)
{
    const struct clients *clients = &load->clients;
    if (clients->open != attempt->open || clients->last_frame > attempt->progress) {
        attempt->open = clients->open;
        attempt->progress = now_ns();
        return true;
    }
    uint64_t waited = now_ns() - attempt->progress;
    if (waited > OPENING_PATIENCE || clients->refusals - attempt->refusals > attempt->wanted + REFUSALS_MAX)
        fail(EXIT_PEER, "%u of %u sockets are not greeted; %u were refused%s%s", attempt->wanted - clients->open,
             attempt->wanted, clients->refusals, clients->refusals ? ", the last one with " : "", clients->reason);
    return clients->open < attempt->wanted || waited < load->patience;
}

void load_open(struct load *load, uint32_t wanted, bool again)
{
    struct clients *clients = &load->clients;
    if (wanted > clients->room || (again && wanted > clients->count))
        fail(EXIT_PLAN, "there are %u sockets to be had, not %u", again ? clients->count : clients->room, wanted);
    if (clients->open != 0 && clients->open != clients->count)
        fail(EXIT_PEER, "the server has ended %u sockets", clients->ended);
    double cpu = cpu_seconds();
    struct attempt attempt = begin(load, wanted, again);
    uint64_t began = attempt.progress;
    while (!has_all(load, &attempt) && goes_on(load, &attempt)) {
        open_more(clients, &attempt);
        load_serve(load, LOOK);
    }
    clients->count = wanted;
    load_address(load, clients->count / load->plan.devices);
    printf("{\"open\":%u,\"seconds\":%.6f,\"missed\":%llu,\"got\":%llu,\"refused\":%u,\"cpu\":%.6f}\n",
           clients->open, seconds_since(began), (unsigned long long)attempt.missed,
           (unsigned long long)(load->ledger.tally.got - attempt.got), clients->refusals - attempt.refusals,
           cpu_seconds() - cpu);
}
