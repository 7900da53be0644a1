/* Owns publishing events at a rate or as fast as they are delivered, and saying what became of them. */
#include <stdio.h>
#include <time.h>

#include "fail.h"
#include "load.h"
#include "net.h"

static const uint64_t LINGER = 30 * MILLISECOND; /* for copies of the last frames */

/* How often is looked for frames: when they come as fast as they can, and at a rate, where latency counts. */
static const struct timespec OFTEN = {.tv_nsec = 250000}, VERY_OFTEN = {.tv_nsec = 50000};

/* Let frames come. Nobody may have to wake us: the kernel would do that on the account of whoever sends, at a third of
   what sending costs, and real clients are on other machines. So we sleep by the clock. Not at all would be better
   for latencies, but what publishes for some of the contenders runs on the same core. */
static void look(struct load *load, const struct order *order)
{
    nanosleep(order->rate > 0 ? &VERY_OFTEN : &OFTEN, NULL);
    load_serve(load, 0);
}

static uint64_t outstanding(const struct load *load) { return load->ledger.tally.expected - load->ledger.tally.got; }

static void publish_one(struct load *load, uint64_t stamp)
{
    uint32_t user = load->at;
    uint32_t number = ++load->ledger.published[user];
    struct event event = {.mark = {.user = user, .number = number, .stamp = stamp}, .id = ++load->events};
    load->ledger.tally.expected += load->clients.devices[user];
    load->at = (user + load->stride) % load->users;
    publisher_put(&load->publisher, &event);
}

/* Publish what is due, as far as the window and the publisher let us. */
static void publish_due(struct load *load, const struct order *order, uint64_t began, uint64_t first)
{
    for (;;) {
        uint64_t done = load->events - first, now = now_ns();
        uint64_t due = order->rate > 0 ? began + (uint64_t)((double)done * (double)SECOND / order->rate) : now;
        if (due > now || (order->events > 0 && done >= order->events) || outstanding(load) >= order->window ||
            !publisher_takes(&load->publisher, load->at))
            break;
        publish_one(load, due);
    }
    publisher_flush(&load->publisher);
}

static bool order_done(const struct load *load, const struct order *order, uint64_t began, uint64_t first)
{
    return (order->events > 0 && load->events - first >= order->events) ||
           (order->seconds > 0 && seconds_since(began) >= order->seconds);
}

/* Wait for what is still on its way, and a little longer for what should not be. */
static void drain(struct load *load, const struct order *order)
{
    uint64_t progress = now_ns();
    while (outstanding(load) > 0 || !publisher_idle(&load->publisher)) {
        look(load, order);
        publisher_flush(&load->publisher);
        if (load->clients.last_frame > progress)
            progress = load->clients.last_frame;
        if (now_ns() - progress > load->patience)
            break;
    }
    for (uint64_t end = now_ns() + LINGER; now_ns() < end;)
        look(load, order);
}

static void print_tally(const struct tally *tally, const struct tally *before)
{
    uint64_t expected = tally->expected - before->expected, got = tally->got - before->got;
    printf("\"expected\":%llu,\"got\":%llu,\"lost\":%lld,\"doubled\":%llu,\"disordered\":%llu,\"misaddressed\":%llu",
           (unsigned long long)expected, (unsigned long long)got, (long long)(expected - got),
           (unsigned long long)(tally->doubled - before->doubled),
           (unsigned long long)(tally->disordered - before->disordered),
           (unsigned long long)(tally->misaddressed - before->misaddressed));
}

static double ms(const struct load *load, double share)
{
    return (double)histogram_quantile(&load->latencies, share) / (double)MILLISECOND;
}

void load_publish(struct load *load, const struct order *order)
{
    if (load->users == 0 || order->window == 0 || (order->events == 0 && order->seconds <= 0))
        fail(EXIT_PLAN, "there is nobody to publish to, or no window or no end");
    struct tally before = load->ledger.tally;
    uint64_t began = now_ns(), first = load->events;
    uint32_t ended = load->clients.ended;
    double cpu = cpu_seconds();
    histogram_clear(&load->latencies);
    load->clients.last_frame = 0;
    while (!order_done(load, order, began, first)) {
        publish_due(load, order, began, first);
        look(load, order);
        uint64_t now = now_ns();
        if (outstanding(load) > 0 && load->clients.last_frame + load->patience < now && began + load->patience < now)
            break; /* what fills the window is lost */
    }
    double publishing = seconds_since(began);
    drain(load, order);
    uint64_t last = load->clients.last_frame;
    printf("{\"events\":%llu,\"publishing\":%.6f,\"seconds\":%.6f,", (unsigned long long)(load->events - first),
           publishing, last > began ? (double)(last - began) / (double)SECOND : 0);
    print_tally(&load->ledger.tally, &before);
    printf(",\"ended\":%u,\"cpu\":%.6f,\"ms\":{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%.4f,\"max\":%.4f}}\n",
           load->clients.ended - ended, cpu_seconds() - cpu, ms(load, 0.5), ms(load, 0.9), ms(load, 0.99),
           ms(load, 0.999), (double)load->latencies.max / (double)MILLISECOND);
}

void load_total(const struct load *load)
{
    struct tally nothing = {0};
    printf("{\"open\":%u,\"events\":%llu,\"ended\":%u,\"pings\":%llu,", load->clients.open,
           (unsigned long long)load->events, load->clients.ended, (unsigned long long)load->clients.pings);
    print_tally(&load->ledger.tally, &nothing);
    printf("}\n");
}
