#define _GNU_SOURCE
#include "publisher.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "fail.h"
#include "nats.h"
#include "net.h"

enum {
    WAITING_MAX = 256 * 1024, /* bytes that may wait to be sent before no more events are taken */
    BATCH_FROM = 8,           /* events from which on they go as a batch: chassis/publisher.py */
    READ_SIZE = 64 * 1024,
    CONNECT_MS = 5000,
};

static const char INBOX[] = "_INBOX.bench";
static const char HEADERS_END[] = "\r\n\r\n";
static const char LENGTH[] = "Content-Length:";

static void flush(struct publisher *publisher, uint32_t number)
{
    struct connection *connection = &publisher->connections[number];
    if (!net_flush(connection->socket, &connection->out))
        fail(EXIT_PEER, "the connection for publishing was ended");
    bool writing = buffer_size(&connection->out) > 0;
    if (writing != connection->writing) {
        connection->writing = writing;
        net_watch(publisher->epoll, connection->socket, EPOLLIN | (writing ? EPOLLOUT : 0), publisher->kind, number,
                  true);
    }
}

static void connect_one(struct publisher *publisher, uint32_t number)
{
    uint16_t port = publisher->plan->publish_port;
    struct connection *connection = &publisher->connections[number];
    connection->socket = net_connect(port);
    struct pollfd wait = {.fd = connection->socket, .events = POLLOUT};
    if (poll(&wait, 1, CONNECT_MS) != 1 || !net_connected(connection->socket))
        fail(EXIT_PEER, "nobody takes events at port %u", port);
    net_watch(publisher->epoll, connection->socket, EPOLLIN, publisher->kind, number, false);
}

void publisher_start(struct publisher *publisher, const struct plan *plan, int epoll, uint32_t kind)
{
    publisher->plan = plan;
    publisher->epoll = epoll;
    publisher->kind = kind;
    publisher->count = plan->publishing == PUBLISH_HTTP ? plan->connections : 1;
    publisher->connections = allocate(publisher->count, sizeof *publisher->connections);
    for (uint32_t number = 0; number < publisher->count; number++)
        connect_one(publisher, number);
    struct buffer *out = &publisher->connections[0].out;
    if (plan->publishing == PUBLISH_NATS || plan->publishing == PUBLISH_JETSTREAM)
        nats_hello(out);
    if (plan->publishing == PUBLISH_JETSTREAM)
        buffer_print(out, "SUB %s 1\r\n", INBOX);
    flush(publisher, 0);
}

static uint32_t connection_of(const struct publisher *publisher, uint32_t user) { return user % publisher->count; }

bool publisher_takes(const struct publisher *publisher, uint32_t user)
{
    const struct connection *connection = &publisher->connections[connection_of(publisher, user)];
    switch (publisher->plan->publishing) {
    case PUBLISH_JETSTREAM: return publisher->unanswered == 0 && publisher->staged < AT_ONCE_MAX;
    case PUBLISH_HTTP: return !connection->busy;
    default: return buffer_size(&connection->out) < WAITING_MAX;
    }
}

/* Write the parts of an event into the three buffers. */
static void render(struct publisher *publisher, const struct event *event)
{
    const struct plan *plan = publisher->plan;
    struct filling filling = {.user = event->mark.user, .token = "", .mark = event->mark, .id = event->id};
    buffer_take(&publisher->subject, buffer_size(&publisher->subject));
    buffer_take(&publisher->headers, buffer_size(&publisher->headers));
    buffer_take(&publisher->body, buffer_size(&publisher->body));
    template_fill(&plan->address, &filling, &publisher->subject);
    template_fill(&plan->body, &filling, &publisher->body);
    for (uint32_t number = 0; number < plan->publish_headers.count; number++) {
        template_fill(&plan->publish_headers.texts[number], &filling, &publisher->headers);
        buffer_append(&publisher->headers, "\r\n", 2);
    }
}

static void append(struct buffer *out, const struct buffer *what)
{
    buffer_append(out, buffer_data(what), buffer_size(what));
}

static void post(struct publisher *publisher, struct buffer *out)
{
    buffer_append(out, "POST ", 5);
    append(out, &publisher->subject);
    buffer_print(out, " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %zu\r\n", publisher->plan->publish_port,
                 buffer_size(&publisher->body));
    append(out, &publisher->headers);
    buffer_append(out, "\r\n", 2);
    append(out, &publisher->body);
}

static void write_line(struct publisher *publisher, struct buffer *out)
{
    append(out, &publisher->subject);
    buffer_append(out, " ", 1);
    append(out, &publisher->body);
    buffer_append(out, "\n", 1);
}

void publisher_put(struct publisher *publisher, const struct event *event)
{
    struct connection *connection = &publisher->connections[connection_of(publisher, event->mark.user)];
    if (publisher->plan->publishing == PUBLISH_JETSTREAM) {
        publisher->stage[publisher->staged++] = *event;
        return;
    }
    render(publisher, event);
    switch (publisher->plan->publishing) {
    case PUBLISH_HTTP:
        post(publisher, &connection->out);
        connection->busy = true;
        break;
    case PUBLISH_LINES: write_line(publisher, &connection->out); break;
    default: nats_publish(&connection->out, &publisher->subject, "", &publisher->headers, &publisher->body); break;
    }
}

static void flush_one_by_one(struct publisher *publisher)
{
    for (uint32_t number = 0; number < publisher->staged; number++) {
        render(publisher, &publisher->stage[number]);
        nats_publish(&publisher->connections[0].out, &publisher->subject, INBOX, &publisher->headers,
                     &publisher->body);
    }
    publisher->unanswered = publisher->staged;
}

/* All or nothing, in order: NATS ADR-50. */
static void flush_batch(struct publisher *publisher)
{
    publisher->batches++;
    for (uint32_t number = 1; number <= publisher->staged; number++) {
        bool last = number == publisher->staged;
        render(publisher, &publisher->stage[number - 1]);
        buffer_print(&publisher->headers, "Nats-Batch-Id: bench%llu\r\nNats-Batch-Sequence: %u\r\n%s",
                     (unsigned long long)publisher->batches, number, last ? "Nats-Batch-Commit: 1\r\n" : "");
        nats_publish(&publisher->connections[0].out, &publisher->subject, last ? INBOX : "", &publisher->headers,
                     &publisher->body);
    }
    publisher->unanswered = 1;
}

void publisher_flush(struct publisher *publisher)
{
    if (publisher->staged > 0) {
        if (publisher->staged < BATCH_FROM)
            flush_one_by_one(publisher);
        else
            flush_batch(publisher);
        publisher->staged = 0;
    }
    for (uint32_t number = 0; number < publisher->count; number++)
        if (buffer_size(&publisher->connections[number].out) > 0 && !publisher->connections[number].writing)
            flush(publisher, number);
}

bool publisher_idle(const struct publisher *publisher)
{
    for (uint32_t number = 0; number < publisher->count; number++)
        if (publisher->connections[number].busy || buffer_size(&publisher->connections[number].out) > 0)
            return false;
    return publisher->unanswered == 0;
}

static void acknowledged(void *context, const struct nats_message *message)
{
    struct publisher *publisher = context;
    if (memmem(message->body, message->body_size, "\"seq\"", 5) == NULL ||
        memmem(message->body, message->body_size, "\"error\"", 7) != NULL)
        fail(EXIT_PEER, "the stream does not take an event: %.*s%.*s", (int)message->headers_size, message->headers,
             (int)message->body_size, message->body);
    publisher->unanswered--;
}

static const struct nats_handler NATS = {.got = acknowledged};

static const char *next_line(const char *line, const char *end)
{
    return (const char *)memmem(line, (size_t)(end - line) + 2, "\r\n", 2) + 2;
}

/* Take the answer to a POST if it is there whole; returns its bytes, 0 if it is not. */
static size_t read_answer(const struct buffer *in)
{
    const char *answer = buffer_data(in), *end = memmem(answer, buffer_size(in), HEADERS_END, 4);
    if (end == NULL)
        return 0;
    if (strncmp(answer, "HTTP/1.1 2", 10) != 0)
        fail(EXIT_PEER, "an event was answered with %.*s", (int)strcspn(answer, "\r"), answer);
    for (const char *line = answer; line < end; line = next_line(line, end)) {
        if (strncasecmp(line, LENGTH, sizeof LENGTH - 1) == 0) {
            size_t whole = (size_t)(end - answer) + 4 + strtoul(line + sizeof LENGTH - 1, NULL, 10);
            return whole <= buffer_size(in) ? whole : 0;
        }
    }
    return (size_t)(end - answer) + 4; /* 204, which has no body */
}

static void read_answers(struct connection *connection)
{
    for (size_t size; buffer_size(&connection->in) > 0 && (size = read_answer(&connection->in)) > 0;) {
        buffer_take(&connection->in, size);
        connection->busy = false;
    }
}

void publisher_serve(struct publisher *publisher, uint32_t number)
{
    struct connection *connection = &publisher->connections[number];
    ssize_t came = net_receive(connection->socket, buffer_reserve(&connection->in, READ_SIZE), READ_SIZE);
    if (came == NET_CLOSED)
        fail(EXIT_PEER, "the connection for publishing was ended: %.*s", (int)buffer_size(&connection->in),
             buffer_data(&connection->in));
    buffer_grew(&connection->in, (size_t)came);
    switch (publisher->plan->publishing) {
    case PUBLISH_HTTP: read_answers(connection); break;
    case PUBLISH_LINES: buffer_take(&connection->in, buffer_size(&connection->in)); break;
    default: nats_read(&connection->in, &connection->out, &NATS, publisher); break;
    }
    flush(publisher, number);
}
