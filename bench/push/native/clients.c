#define _GNU_SOURCE
#include "clients.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "fail.h"
#include "net.h"

enum { READ_SIZE = 256 * 1024 };

static const char HANDSHAKE[] =
    " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
static const char HEADERS_END[] = "\r\n\r\n";

static char incoming[READ_SIZE];

void clients_start(struct clients *clients, const struct plan *plan, struct ledger *ledger,
                   struct histogram *latencies, int epoll, uint32_t kind)
{
    *clients = (struct clients){.plan = plan, .ledger = ledger, .latencies = latencies, .epoll = epoll, .kind = kind};
    clients->room = plan->users * plan->devices;
    clients->devices = allocate(plan->users, sizeof *clients->devices);
    clients->all = allocate(clients->room, sizeof *clients->all);
}

void client_open(struct clients *clients, uint32_t number, bool again)
{
    struct client *client = &clients->all[number];
    struct seen seen = client->seen;
    *client = (struct client){.user = number / clients->plan->devices, .state = CONNECTING, .seen = seen};
    clients->how = again ? &clients->plan->again : &clients->plan->first;
    client->socket = net_connect_from(number, clients->plan->port);
    clients->opening++;
    if (!again)
        seen_join(&client->seen, clients->ledger, client->user);
    net_watch(clients->epoll, client->socket, EPOLLIN | EPOLLOUT, clients->kind, number, false);
}

bool client_open_refused(struct clients *clients, bool again)
{
    uint32_t number;
    if (buffer_size(&clients->refused) == 0)
        return false;
    memcpy(&number, buffer_data(&clients->refused), sizeof number);
    buffer_take(&clients->refused, sizeof number);
    client_open(clients, number, again);
    return true;
}

static struct filling filling_of(const struct clients *clients, const struct client *client)
{
    const char *token = clients->plan->tokens[client->user];
    return (struct filling){
        .user = client->user, .token = token, .last = client->seen.next - 1, .events = clients->events};
}

/* Nothing that a client says fills a socket. If the server has gone, reading will tell. */
static void say(struct client *client, struct buffer *words)
{
    if (net_flush(client->socket, words) && buffer_size(words) > 0)
        fail(EXIT_PEER, "a socket does not take the few bytes that a client says");
    buffer_free(words);
}

static void say_hello(struct clients *clients, struct client *client)
{
    struct buffer request = {0};
    struct filling filling = filling_of(clients, client);
    if (!net_connected(client->socket))
        fail(EXIT_PEER, "the server does not take a connection at port %u", clients->plan->port);
    buffer_append(&request, "GET ", 4);
    template_fill(&clients->how->path, &filling, &request);
    buffer_print(&request, HANDSHAKE, clients->plan->port);
    for (uint32_t number = 0; number < clients->how->headers.count; number++) {
        template_fill(&clients->how->headers.texts[number], &filling, &request);
        buffer_append(&request, "\r\n", 2);
    }
    buffer_append(&request, "\r\n", 2);
    say(client, &request);
    client->state = UPGRADING;
}

static void say_messages(struct clients *clients, struct client *client)
{
    struct buffer text = {0}, words = {0};
    struct filling filling = filling_of(clients, client);
    for (uint32_t number = 0; number < clients->how->messages.count; number++) {
        template_fill(&clients->how->messages.texts[number], &filling, &text);
        frame_append(&words, OP_TEXT, buffer_data(&text), buffer_size(&text));
        buffer_take(&text, buffer_size(&text));
    }
    say(client, &words);
    buffer_free(&text);
    client->state = GREETING;
}

static void answer(struct clients *clients, enum opcode opcode, const char *payload, size_t size)
{
    struct buffer words = {0};
    frame_append(&words, opcode, payload, size);
    say(clients->reading, &words);
    clients->pings++;
}

static void found(void *context, struct mark mark)
{
    struct clients *clients = context;
    struct client *client = clients->reading;
    ledger_got(clients->ledger, &client->seen, client->user, mark);
    histogram_add(clients->latencies, clients->came > mark.stamp ? clients->came - mark.stamp : 0);
    clients->last_frame = clients->came;
}

/* Until a socket is open all that it is sent is kept, as the greeting may come in parts. */
static void look_for_greeting(struct clients *clients, const char *bytes, size_t size)
{
    struct client *client = clients->reading;
    const char *greeting = clients->how->greeting;
    buffer_append(&client->before, bytes, size);
    if (memmem(buffer_data(&client->before), buffer_size(&client->before), greeting, strlen(greeting)) == NULL)
        return;
    buffer_free(&client->before);
    client->state = OPEN;
    clients->opening--;
    clients->open++;
    clients->devices[client->user]++;
}

static void got_part(void *context, const char *bytes, size_t size)
{
    struct clients *clients = context;
    marks_find(&clients->reading->beginning, bytes, size, found, clients);
    if (clients->reading->state == GREETING)
        look_for_greeting(clients, bytes, size);
}

/* The server does not want this socket now: a client comes back, and so do we. */
static void refuse(struct clients *clients, struct client *client, const char *reason)
{
    uint32_t number = (uint32_t)(client - clients->all);
    snprintf(clients->reason, sizeof clients->reason, "%s", reason);
    buffer_append(&clients->refused, &number, sizeof number);
    clients->refusals++;
    clients->opening--;
}

static void ended(struct clients *clients, struct client *client, const char *reason)
{
    if (client->state == OPEN) {
        clients->open--;
        clients->ended++;
        clients->devices[client->user]--;
    } else {
        refuse(clients, client, reason);
    }
    net_reset(client->socket);
    buffer_free(&client->before);
    client->state = CLOSED;
}

/* The server says goodbye: there is no need to wait for the end. */
static void closed(struct clients *clients, const char *payload, size_t size)
{
    char reason[REASON_SIZE] = "without a code";
    if (size >= 2)
        snprintf(reason, sizeof reason, "%d %.*s", (unsigned char)payload[0] << 8 | (unsigned char)payload[1],
                 (int)size - 2, payload + 2);
    if (clients->reading->state != CLOSED)
        ended(clients, clients->reading, reason);
}

static void got_small(void *context, enum opcode opcode, const char *payload, size_t size)
{
    struct clients *clients = context;
    const struct opening *how = clients->how;
    if (clients->reading->state == CLOSED)
        return;
    if (opcode == OP_PING)
        answer(clients, OP_PONG, payload, size);
    else if (opcode == OP_CLOSE)
        closed(clients, payload, size);
    else if (opcode == OP_TEXT || opcode == OP_BINARY || opcode == OP_CONTINUATION) {
        if (*how->ping != '\0' && size == strlen(how->ping) && memcmp(payload, how->ping, size) == 0)
            answer(clients, OP_TEXT, how->pong, strlen(how->pong));
        got_part(clients, payload, size);
    }
}

static const struct frame_handler HANDLER = {.small = got_small, .part = got_part};

/* The answer to the handshake; what may stand behind it are frames already. */
static void read_answer(struct clients *clients, struct client *client, const char *bytes, size_t size)
{
    buffer_append(&client->before, bytes, size);
    const char *answer = buffer_data(&client->before);
    const char *end = memmem(answer, buffer_size(&client->before), HEADERS_END, 4);
    if (end == NULL)
        return;
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0)
        fail(EXIT_PEER, "a handshake was answered with %.*s", (int)(end - answer), answer);
    struct buffer whole = client->before;
    client->before = (struct buffer){0};
    say_messages(clients, client);
    buffer_take(&whole, (size_t)(end + 4 - answer));
    frames_read(&client->frames, buffer_data(&whole), buffer_size(&whole), &HANDLER, clients);
    buffer_free(&whole);
}

/* Whether there may be more to read: the buffer was too small, or the end has come behind what was read. */
static bool read_once(struct clients *clients, struct client *client, bool over)
{
    ssize_t size = net_receive(client->socket, incoming, sizeof incoming);
    if (size == NET_NOTHING)
        return false;
    if (size == NET_CLOSED) {
        ended(clients, client, "without a word");
        return false;
    }
    clients->came = now_ns();
    if (client->state == UPGRADING)
        read_answer(clients, client, incoming, (size_t)size);
    else
        frames_read(&client->frames, incoming, (size_t)size, &HANDLER, clients);
    return over || (size_t)size == sizeof incoming;
}

/* An open socket tells of each arrival once, so that epoll need not look at it again. */
void client_serve(struct clients *clients, uint32_t number, uint32_t events)
{
    struct client *client = &clients->all[number];
    clients->reading = client;
    if (client->state == CONNECTING) {
        say_hello(clients, client);
        net_watch(clients->epoll, client->socket, EPOLLIN | EPOLLRDHUP | EPOLLET, clients->kind, number, true);
        return;
    }
    while (client->state != CLOSED && read_once(clients, client, (events & (EPOLLRDHUP | EPOLLHUP)) != 0))
        ;
}

void clients_close(struct clients *clients, uint64_t events)
{
    clients->events = events;
    for (uint32_t number = 0; number < clients->room; number++) {
        struct client *client = &clients->all[number];
        if (client->state == CLOSED)
            continue;
        net_reset(client->socket);
        buffer_free(&client->before);
        client->state = CLOSED;
        clients->devices[client->user] = 0;
    }
    clients->open = clients->opening = 0;
}
