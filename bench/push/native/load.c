/* The load generator: many WebSockets, events for their users, and what became of them.

   Usage: load PLAN. Takes commands on standard input, one a line, and answers each with one line of JSON; both end
   with standard input.

     open N            open sockets until there are N; each must be greeted, at most OPENING_MAX at a time
     users N           publish to N users, with sockets or without; if this is not said, to those who have some
     again N           the same for sockets that were closed: they must be sent what they missed, too
     publish E R W S   to one user after another: E events or S seconds, whichever comes first (0: without end), R
                       events a second (0: as fast as they are taken), at most W frames behind; then wait for the rest
     close             close all sockets
     total             the tally

   One process and no threads; it never blocks but in epoll. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fail.h"
#include "net.h"

enum kind { COMMANDS, CLIENTS, PUBLISHER };

enum { EVENTS_MAX = 512, COMMAND_MAX = 256 };

/* Wait for something to happen, at most for so long, and do what it asks for. */
void load_serve(struct load *load, uint64_t timeout)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = (time_t)(timeout / SECOND), .tv_nsec = (long)(timeout % SECOND)};
    int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &wait, NULL);
    if (count < 0 && errno != EINTR)
        fail(EXIT_SYSTEM, "epoll: %s", strerror(errno));
    for (int number = 0; number < count; number++) {
        uint32_t index = (uint32_t)events[number].data.u64;
        switch ((enum kind)(events[number].data.u64 >> TAG_BITS)) {
        case COMMANDS: load->commanded = true; break;
        case CLIENTS: client_serve(&load->clients, index, events[number].events); break;
        case PUBLISHER: publisher_serve(&load->publisher, index); break;
        }
    }
}

double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double seconds_since(uint64_t began) { return (double)(now_ns() - began) / (double)SECOND; }

static void carry_out(struct load *load, const char *command)
{
    uint32_t sockets, users;
    struct order order;
    if (sscanf(command, "open %u", &sockets) == 1)
        load_open(load, sockets, false);
    else if (sscanf(command, "again %u", &sockets) == 1)
        load_open(load, sockets, true);
    else if (sscanf(command, "users %u", &users) == 1) {
        load_address(load, users);
        printf("{\"users\":%u}\n", users);
    } else if (sscanf(command, "publish %lu %lf %lu %lf", &order.events, &order.rate, &order.window, &order.seconds) == 4)
        load_publish(load, &order);
    else if (strcmp(command, "close") == 0) {
        clients_close(&load->clients, load->events);
        printf("{\"open\":0}\n");
    } else if (strcmp(command, "total") == 0)
        load_total(load);
    else
        fail(EXIT_PLAN, "'%s' is no command", command);
    fflush(stdout);
}

/* Commands come one at a time, each behind the answer to the one before. */
static void read_command(struct load *load)
{
    char command[COMMAND_MAX];
    ssize_t size = read(STDIN_FILENO, command, sizeof command - 1);
    load->commanded = false;
    load->over = size <= 0;
    if (load->over)
        return;
    command[size] = '\0';
    command[strcspn(command, "\n")] = '\0';
    carry_out(load, command);
}

int main(int count, char **arguments)
{
    static struct load load;
    if (count != 2)
        fail(EXIT_PLAN, "usage: load PLAN, and commands on standard input");
    net_raise_limit();
    prctl(PR_SET_TIMERSLACK, 1);
    load.plan = plan_read(arguments[1]);
    load.patience = load.plan.patience * SECOND;
    load.ledger = ledger_of(load.plan.users);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load.epoll < 0)
        fail(EXIT_SYSTEM, "epoll: %s", strerror(errno));
    net_watch(load.epoll, STDIN_FILENO, EPOLLIN, COMMANDS, 0, false);
    clients_start(&load.clients, &load.plan, &load.ledger, &load.latencies, load.epoll, CLIENTS);
    publisher_start(&load.publisher, &load.plan, load.epoll, PUBLISHER);
    while (!load.over) {
        load_serve(&load, SECOND);
        publisher_flush(&load.publisher);
        if (load.commanded)
            read_command(&load);
    }
    return 0;
}
