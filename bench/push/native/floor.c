/* The floor: about the least that a process can do which takes events from NATS and writes them to WebSockets.

   Usage: floor PORT NATS_PORT. `GET /u000042` opens a socket of that user, who need not prove to be it; what
   `push.u000042.*` brings is written to the user's sockets as the frame that Tandem would write, one write a frame.
   It checks no predecessor and no token, resumes nobody, and knows the one Sec-WebSocket-Key that its only client
   uses. What it costs is what the kernel costs, and parsing. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "fail.h"
#include "marks.h"
#include "nats.h"
#include "net.h"

enum kind { LISTENER, BUS, SOCKET };

enum { SOCKETS_MAX = 32768, USERS_MAX = 1000000, EVENTS_MAX = 512, READ_SIZE = 256 * 1024, REQUEST_MAX = 4096 };

static const char SWITCHING[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char HELLO[] = "{\"event\":\"hello\"}";

struct socket {
    uint32_t user;
    int next; /* another socket of the user, or 0: 0 is standard input */
    struct buffer out;
};

static int epoll, listener, bus;
static struct buffer bus_in, bus_out;
static struct socket sockets[SOCKETS_MAX]; /* by file descriptor */
static int first_of[USERS_MAX];            /* each user's first socket, or 0 */
static struct buffer greet;                /* sockets that wait for their subscription, in order */
static struct buffer frame;                /* the one that is being written */

static void hang_up(int number)
{
    int *link = &first_of[sockets[number].user];
    while (*link != 0 && *link != number)
        link = &sockets[*link].next;
    if (*link == number)
        *link = sockets[number].next;
    buffer_free(&sockets[number].out);
    if (first_of[sockets[number].user] == 0)
        buffer_print(&bus_out, "UNSUB %u\r\n", sockets[number].user);
    net_reset(number);
}

static void frame_begin(size_t size)
{
    const unsigned char small[] = {0x81, (unsigned char)size}, large[] = {0x81, 126, (unsigned char)(size >> 8),
                                                                          (unsigned char)size};
    buffer_take(&frame, buffer_size(&frame));
    if (size < 126)
        buffer_append(&frame, small, sizeof small);
    else
        buffer_append(&frame, large, sizeof large);
}

/* Write the frame; what the kernel does not take waits for epoll. */
static void write_frame(int number)
{
    struct socket *socket = &sockets[number];
    ssize_t sent = 0;
    if (buffer_size(&socket->out) == 0)
        sent = send(number, buffer_data(&frame), buffer_size(&frame), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return; /* reading will tell that it has gone */
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == buffer_size(&frame))
        return;
    buffer_append(&socket->out, buffer_data(&frame) + done, buffer_size(&frame) - done);
    net_watch(epoll, number, EPOLLIN | EPOLLOUT, SOCKET, (uint32_t)number, true);
}

/* The value of a header; the relay and the server write names to the letter. */
static size_t header(const struct nats_message *message, const char *name, const char **value)
{
    const char *line = memmem(message->headers, message->headers_size, name, strlen(name));
    if (line == NULL)
        fail(EXIT_PEER, "a message has no header%s", name + 1);
    *value = line + strlen(name);
    while (**value == ' ')
        ++*value;
    return (size_t)((const char *)memchr(*value, '\r', message->headers_size) - *value);
}

static void deliver(void *context, const struct nats_message *message)
{
    const char *type, *sequence, *id;
    char head[REQUEST_MAX];
    int type_size = (int)header(message, "\r\nce-type:", &type), id_size = (int)header(message, "\r\nce-id:", &id);
    int sequence_size = (int)header(message, "\r\nNats-Sequence:", &sequence);
    int size = snprintf(head, sizeof head, "{\"event\":\"%.*s\",\"seq\":%.*s,\"id\":\"%.*s\",\"data\":", type_size, type,
                        sequence_size, sequence, id_size, id);
    (void)context;
    frame_begin((size_t)size + message->body_size + 1);
    buffer_append(&frame, head, (size_t)size);
    buffer_append(&frame, message->body, message->body_size);
    buffer_append(&frame, "}", 1);
    for (int number = first_of[message->subscription]; number != 0; number = sockets[number].next)
        write_frame(number);
}

/* The subscription of the socket that has waited longest is in effect. */
static void greet_next(void *context)
{
    int number;
    (void)context;
    memcpy(&number, buffer_data(&greet), sizeof number);
    buffer_take(&greet, sizeof number);
    frame_begin(sizeof HELLO - 1);
    buffer_append(&frame, HELLO, sizeof HELLO - 1);
    write_frame(number);
}

static const struct nats_handler HANDLER = {.got = deliver, .ponged = greet_next};

static void serve_bus(void)
{
    ssize_t size = net_receive(bus, buffer_reserve(&bus_in, READ_SIZE), READ_SIZE);
    if (size == NET_CLOSED)
        fail(EXIT_PEER, "NATS has gone");
    buffer_grew(&bus_in, (size_t)size);
    nats_read(&bus_in, &bus_out, &HANDLER, NULL);
}

static void welcome(void)
{
    int number;
    while ((number = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (number >= SOCKETS_MAX)
            fail(EXIT_SYSTEM, "there are more than %d sockets", SOCKETS_MAX);
        sockets[number] = (struct socket){.user = USERS_MAX};
        net_watch(epoll, number, EPOLLIN, SOCKET, (uint32_t)number, false);
    }
}

static void upgrade(int number, const char *request)
{
    uint32_t user = 0;
    if (sscanf(request, "GET /u%6u ", &user) != 1)
        fail(EXIT_PEER, "a client asks for %.40s", request);
    if (send(number, SWITCHING, sizeof SWITCHING - 1, MSG_NOSIGNAL) != sizeof SWITCHING - 1)
        fail(EXIT_PEER, "a client does not take its handshake");
    if (first_of[user] == 0)
        buffer_print(&bus_out, "SUB push.u%06u.* %u\r\n", user, user);
    buffer_append(&bus_out, "PING\r\n", 6);
    sockets[number].user = user;
    sockets[number].next = first_of[user];
    first_of[user] = number;
    buffer_append(&greet, &number, sizeof number);
}

/* A client's request comes in one piece, and there is nothing else that it says. */
static void serve_socket(int number, uint32_t events)
{
    static char bytes[REQUEST_MAX];
    struct socket *socket = &sockets[number];
    if (events & EPOLLOUT && net_flush(number, &socket->out) && buffer_size(&socket->out) == 0)
        net_watch(epoll, number, EPOLLIN, SOCKET, (uint32_t)number, true);
    ssize_t size = net_receive(number, bytes, sizeof bytes - 1);
    if (size == NET_CLOSED) {
        if (socket->user == USERS_MAX)
            net_reset(number);
        else
            hang_up(number);
    } else if (size > 0 && socket->user == USERS_MAX) {
        bytes[size] = '\0';
        upgrade(number, bytes);
    }
}

static uint16_t port_of(const char *text)
{
    int port = atoi(text);
    if (port <= 0 || port > UINT16_MAX)
        fail(EXIT_PLAN, "'%s' is no port", text);
    return (uint16_t)port;
}

static void serve(void)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR)
        fail(EXIT_SYSTEM, "epoll: %s", strerror(errno));
    for (int number = 0; number < count; number++) {
        switch ((enum kind)(events[number].data.u64 >> TAG_BITS)) {
        case LISTENER: welcome(); break;
        case BUS: serve_bus(); break;
        case SOCKET: serve_socket((int)(uint32_t)events[number].data.u64, events[number].events); break;
        }
    }
    if (!net_flush(bus, &bus_out))
        fail(EXIT_PEER, "NATS has gone");
}

int main(int count, char **arguments)
{
    if (count != 3)
        fail(EXIT_PLAN, "usage: floor PORT NATS_PORT");
    net_raise_limit();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    listener = net_listen(port_of(arguments[1]));
    bus = net_connect(port_of(arguments[2]));
    net_watch(epoll, listener, EPOLLIN, LISTENER, 0, false);
    net_watch(epoll, bus, EPOLLIN, BUS, 0, false);
    nats_hello(&bus_out);
    for (;;)
        serve();
}
