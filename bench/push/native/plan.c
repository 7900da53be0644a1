#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { READ_SIZE = 64 * 1024 };

static const char *const PUBLISHING[] = {"nats", "jetstream", "http", "lines"};

/* What a file holds, with a NUL behind it. */
static char *read_file(const char *name)
{
    struct buffer text = {0};
    FILE *file = fopen(name, "r");
    if (file == NULL)
        fail(EXIT_PLAN, "%s: %s", name, strerror(errno));
    for (size_t size; (size = fread(buffer_reserve(&text, READ_SIZE), 1, READ_SIZE, file)) > 0;)
        buffer_grew(&text, size);
    if (ferror(file))
        fail(EXIT_PLAN, "%s cannot be read", name);
    fclose(file);
    buffer_append(&text, "", 1);
    return text.memory;
}

/* Cut the next line off, without its end; NULL behind the last one. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

static void unescape(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0') {
            text++;
            *to++ = *text == 'r' ? '\r' : *text == 'n' ? '\n' : *text;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static uint32_t number_of(const char *name, const char *value, uint32_t max)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (*value == '\0' || *end != '\0' || number == 0 || number > max)
        fail(EXIT_PLAN, "%s is a number from 1 to %u, not '%s'", name, max, value);
    return (uint32_t)number;
}

static enum publishing publishing_of(const char *value)
{
    for (size_t kind = 0; kind < sizeof PUBLISHING / sizeof *PUBLISHING; kind++)
        if (strcmp(value, PUBLISHING[kind]) == 0)
            return (enum publishing)kind;
    fail(EXIT_PLAN, "there is no publishing by '%s'", value);
}

static void add_text(struct texts *texts, const char *value)
{
    if (texts->count == TEXTS_MAX)
        fail(EXIT_PLAN, "there are more than %d texts of one name", TEXTS_MAX);
    texts->texts[texts->count++] = template_of(value);
}

static void read_tokens(struct plan *plan, const char *name)
{
    char *rest = read_file(name);
    plan->tokens = allocate(plan->users, sizeof *plan->tokens);
    for (uint32_t user = 0; user < plan->users; user++) {
        plan->tokens[user] = next_line(&rest);
        if (plan->tokens[user] == NULL)
            fail(EXIT_PLAN, "%s has tokens for %u users, not for %u", name, user, plan->users);
    }
}

/* Whether the name is one of an opening. */
static bool set_opening(struct opening *opening, const char *name, const char *value)
{
    if (strcmp(name, "path") == 0)
        opening->path = template_of(value);
    else if (strcmp(name, "header") == 0)
        add_text(&opening->headers, value);
    else if (strcmp(name, "message") == 0)
        add_text(&opening->messages, value);
    else if (strcmp(name, "greeting") == 0)
        opening->greeting = value;
    else if (strcmp(name, "ping") == 0)
        opening->ping = value;
    else if (strcmp(name, "pong") == 0)
        opening->pong = value;
    else
        return false;
    return true;
}

static void set(struct plan *plan, const char *name, const char *value)
{
    if (strcmp(name, "users") == 0)
        plan->users = number_of(name, value, 1000000); /* numbered from 0, in six digits */
    else if (strcmp(name, "devices") == 0)
        plan->devices = number_of(name, value, 1000);
    else if (strcmp(name, "patience") == 0)
        plan->patience = number_of(name, value, 60);
    else if (strcmp(name, "port") == 0)
        plan->port = (uint16_t)number_of(name, value, UINT16_MAX);
    else if (strcmp(name, "publish") == 0)
        plan->publishing = publishing_of(value);
    else if (strcmp(name, "publish_port") == 0)
        plan->publish_port = (uint16_t)number_of(name, value, UINT16_MAX);
    else if (strcmp(name, "connections") == 0)
        plan->connections = number_of(name, value, 256);
    else if (strcmp(name, "address") == 0)
        plan->address = template_of(value);
    else if (strcmp(name, "body") == 0)
        plan->body = template_of(value);
    else if (strcmp(name, "publish_header") == 0)
        add_text(&plan->publish_headers, value);
    else if (strcmp(name, "tokens") == 0)
        read_tokens(plan, value);
    else if (!(strncmp(name, "again_", 6) == 0 ? set_opening(&plan->again, name + 6, value)
                                               : set_opening(&plan->first, name, value)))
        fail(EXIT_PLAN, "the plan says nothing by '%s'", name);
}

static void check(const struct plan *plan)
{
    if (plan->tokens == NULL || plan->devices == 0 || plan->patience == 0 || plan->port == 0 || plan->publish_port == 0)
        fail(EXIT_PLAN, "the plan lacks users, devices, patience, tokens or a port");
    if (plan->first.path.count == 0 || plan->first.greeting == NULL)
        fail(EXIT_PLAN, "the plan lacks the path or the greeting");
    if (!template_has(&plan->body, MARK))
        fail(EXIT_PLAN, "the body has no mark");
}

struct plan plan_read(const char *name)
{
    struct plan plan = {.connections = 1};
    char *rest = plan.text = read_file(name);
    for (char *line; (line = next_line(&rest)) != NULL;) {
        char *value = strchr(line, ' ');
        if (value == NULL)
            fail(EXIT_PLAN, "%s: '%s' has no value", name, line);
        *value++ = '\0';
        unescape(value);
        set(&plan, line, value);
    }
    check(&plan);
    return plan;
}
