/* Owns the plan: the file that says how sockets are opened and events published.

   Lines of a name, a blank and a value, in which \r, \n and \\ stand for what they do in C. `#` begins nothing: there
   are no comments. A name with an "s" below may be given several times. */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>

#include "template.h"

enum { TEXTS_MAX = 16 };

enum publishing { PUBLISH_NATS, PUBLISH_JETSTREAM, PUBLISH_HTTP, PUBLISH_LINES };

struct texts {
    unsigned count;
    struct template texts[TEXTS_MAX];
};

/* How a socket is opened. */
struct opening {
    struct template path;
    struct texts headers, messages;
    const char *greeting, *ping, *pong; /* ping and pong may be empty */
};

struct plan {
    char *text;              /* of the file, in which all that follows points */
    uint32_t users, devices; /* socket number n is the user's number n / devices */
    uint32_t patience;       /* seconds without any progress; then what is missing is lost */
    uint16_t port;
    struct opening first, again; /* `again`: so that what was missed is sent */
    enum publishing publishing;
    uint16_t publish_port;
    uint32_t connections;
    struct template address, body;
    struct texts publish_headers;
    char **tokens; /* of each user */
};

/* Read the plan and the file of tokens, one a line, that it names. */
struct plan plan_read(const char *file);

#endif
