#define _GNU_SOURCE
#include "nats.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static const char HELLO[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1,"
    "\"lang\":\"c\",\"version\":\"1\",\"name\":\"bench\"}\r\n";
static const char VERSION[] = "NATS/1.0\r\n";
static const char LINE_END[] = "\r\n";

enum { LINE_END_SIZE = 2, FIELDS_MAX = 6 };

struct field {
    const char *text;
    size_t size;
};

void nats_hello(struct buffer *out) { buffer_append(out, HELLO, sizeof HELLO - 1); }

static void append(struct buffer *out, const struct buffer *what)
{
    buffer_append(out, buffer_data(what), buffer_size(what));
}

void nats_publish(struct buffer *out, const struct buffer *subject, const char *reply, const struct buffer *headers,
                  const struct buffer *body)
{
    size_t headers_size = buffer_size(headers), body_size = buffer_size(body);
    size_t block = headers_size ? sizeof VERSION - 1 + headers_size + LINE_END_SIZE : 0;
    buffer_append(out, block ? "HPUB " : "PUB ", block ? 5 : 4);
    append(out, subject);
    buffer_print(out, " %s ", reply);
    if (block)
        buffer_print(out, "%zu ", block);
    buffer_print(out, "%zu\r\n", block + body_size);
    if (block) {
        buffer_append(out, VERSION, sizeof VERSION - 1);
        append(out, headers);
        buffer_append(out, LINE_END, LINE_END_SIZE);
    }
    append(out, body);
    buffer_append(out, LINE_END, LINE_END_SIZE);
}

/* Cut a line at its blanks; returns how many fields it has. */
static unsigned cut(const char *line, const char *end, struct field *fields)
{
    unsigned count = 0;
    while (line < end && count < FIELDS_MAX) {
        const char *blank = memchr(line, ' ', (size_t)(end - line));
        if (blank == NULL)
            blank = end;
        if (blank > line)
            fields[count++] = (struct field){line, (size_t)(blank - line)};
        line = blank + 1;
    }
    return count;
}

/* The message behind its line, if it is there whole; returns its bytes with the line, 0 if it is not. */
static size_t read_message(const struct buffer *in, const char *end, bool headers, struct nats_message *message)
{
    struct field fields[FIELDS_MAX];
    unsigned count = cut(buffer_data(in), end, fields);
    if (count < (headers ? 5u : 4u))
        fail(EXIT_PEER, "NATS says '%.*s'", (int)(end - buffer_data(in)), buffer_data(in));
    const char *payload = end + LINE_END_SIZE;
    size_t size = strtoul(fields[count - 1].text, NULL, 10);
    size_t block = headers ? strtoul(fields[count - 2].text, NULL, 10) : 0;
    size_t whole = (size_t)(payload - buffer_data(in)) + size + LINE_END_SIZE;
    *message = (struct nats_message){
        .subject = fields[1].text, .subject_size = fields[1].size, .headers = payload, .headers_size = block,
        .body = payload + block, .body_size = size - block,
        .subscription = (uint32_t)strtoul(fields[2].text, NULL, 10)};
    return whole <= buffer_size(in) ? whole : 0;
}

/* Take the first line, with what belongs to it; returns its bytes, 0 if something is still to come. */
static size_t read_one(struct buffer *in, struct buffer *out, const struct nats_handler *handler,
                       void *context)
{
    struct nats_message message;
    const char *line = buffer_data(in), *end = memmem(line, buffer_size(in), LINE_END, LINE_END_SIZE);
    if (end == NULL)
        return 0;
    if (*line == 'M' || *line == 'H') {
        size_t size = read_message(in, end, *line == 'H', &message);
        if (size > 0)
            handler->got(context, &message);
        return size;
    }
    if (*line == '-')
        fail(EXIT_PEER, "NATS complains: %.*s", (int)(end - line), line);
    if (end - line == 4 && memcmp(line, "PING", 4) == 0)
        buffer_append(out, "PONG\r\n", 6);
    if (end - line == 4 && memcmp(line, "PONG", 4) == 0 && handler->ponged != NULL)
        handler->ponged(context);
    return (size_t)(end - line) + LINE_END_SIZE;
}

void nats_read(struct buffer *in, struct buffer *out, const struct nats_handler *handler, void *context)
{
    for (size_t size; buffer_size(in) > 0 && (size = read_one(in, out, handler, context)) > 0;)
        buffer_take(in, size);
}
