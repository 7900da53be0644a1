/* Takes events, live ones and those that a consumer reads from the stream, out of what NATS has sent, as `arrivals.py`
   and `messages.py` do in Python, which say what holds.

   It takes what is usual, message after message, and stops at whatever is not: a message that nobody here takes, one
   that is no event, another command. That is for nats-py, and what nats-py then hands over for `messages.py`. So what is
   accepted here must be read as it is there, and what is wrong need not be told here. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <stdbool.h>
#include <string.h>

enum {
    CONTROL_LINE_MAX = 4096, /* bytes, as in nats-py: a longer one is for it to complain of */
    DIGITS_MAX = 18,         /* of a number: any such one fits into 64 bits with a sign */
    FRAME_HEAD_MAX = 10,     /* bytes before a WebSocket message (RFC 6455 section 5.2) */
    TOKENS_MAX = 12,         /* of the subject by which a consumer's message is acknowledged (NATS ADR-15) */
};

struct text {
    const char *start;
    Py_ssize_t size;
};

enum extent { OTHER, PART, WHOLE };

struct message {
    struct text subject, reply, headers, body;
    long long subscription;
    Py_ssize_t size; /* on the wire */
};

/* Where a message stands in the stream, its number in the consumer, and how many are behind it. */
struct place {
    long long seq, number, pending;
};

struct event {
    struct text name, id, seq, previous, republished;
};

/* The numeric value of digits; -1 if it is anything else. */
static long long number(struct text text)
{
    long long value = 0;
    if (text.size == 0 || text.size > DIGITS_MAX)
        return -1;
    for (Py_ssize_t i = 0; i < text.size; i++) {
        if (text.start[i] < '0' || text.start[i] > '9')
            return -1;
        value = value * 10 + (text.start[i] - '0');
    }
    return value;
}

/* The next word of a line up to `end`, which `*at` is moved behind. */
static struct text word(const char **at, const char *end)
{
    const char *start = *at;
    while (start < end && *start == ' ')
        start++;
    const char *space = memchr(start, ' ', (size_t)(end - start));
    *at = space != NULL ? space : end;
    return (struct text){start, *at - start};
}

/* HMSG <subject> <sid> [reply] <size of headers> <size of all>\r\n<headers><body>\r\n; of the headers it is only known
   that they end where the sizes say. */
static enum extent message_at(const char *data, Py_ssize_t size, struct message *message)
{
    static const char OPERATION[] = "HMSG ";
    const Py_ssize_t operation = sizeof OPERATION - 1;
    if (memcmp(data, OPERATION, (size_t)(size < operation ? size : operation)) != 0)
        return OTHER;
    const char *end = memmem(data, (size_t)(size < CONTROL_LINE_MAX ? size : CONTROL_LINE_MAX), "\r\n", 2);
    if (end == NULL)
        return size < CONTROL_LINE_MAX ? PART : OTHER;
    const char *at = data + operation;
    struct text words[5];
    int count = 0;
    while (count < 5 && (words[count] = word(&at, end)).size > 0)
        count++;
    if (count < 4 || word(&at, end).size > 0)
        return OTHER;
    long long of_headers = number(words[count - 2]), of_all = number(words[count - 1]);
    message->subject = words[0];
    message->reply = count == 5 ? words[2] : (struct text){NULL, 0};
    message->subscription = number(words[1]);
    if (message->subscription < 0 || of_headers < 0 || of_all < of_headers || of_all > PY_SSIZE_T_MAX / 2)
        return OTHER;
    const char *headers = end + 2;
    message->size = headers - data + (Py_ssize_t)of_all + 2;
    if (message->size > size)
        return PART;
    message->headers = (struct text){headers, (Py_ssize_t)of_headers};
    message->body = (struct text){headers + of_headers, (Py_ssize_t)(of_all - of_headers)};
    return WHOLE;
}

/* What a consumer says of a message by the subject for its acknowledgement; whether it says that. */
static bool place_of(struct text reply, struct place *place)
{
    static const char PREFIX[] = "$JS.ACK.";
    const Py_ssize_t prefix = sizeof PREFIX - 1;
    if (reply.size < prefix || memcmp(reply.start, PREFIX, (size_t)prefix) != 0)
        return false;
    struct text tokens[TOKENS_MAX];
    const char *end = reply.start + reply.size;
    int count = 0;
    for (const char *at = reply.start, *dot; at != NULL; at = dot != NULL ? dot + 1 : NULL) {
        if (count == TOKENS_MAX)
            return false;
        dot = memchr(at, '.', (size_t)(end - at));
        tokens[count++] = (struct text){at, (dot != NULL ? dot : end) - at};
    }
    const int first = count == 9 ? 5 : 7;
    if (count < first + 4)
        return false;
    *place = (struct place){number(tokens[first]), number(tokens[first + 1]), number(tokens[first + 3])};
    return place->seq >= 0 && place->number >= 0 && place->pending >= 0;
}

static bool is_blank(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static struct text stripped(const char *start, const char *end)
{
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    return (struct text){start, end - start};
}

/* Look for the few headers that are needed, to the letter; of several of a name the first one counts. */
static void read_headers(struct text headers, struct event *event)
{
    struct {
        const char *name;
        struct text *value;
    } wanted[] = {
        {"ce-type", &event->name},
        {"ce-id", &event->id},
        {"Nats-Sequence", &event->seq},
        {"Nats-Last-Sequence", &event->previous},
        {"ce-republished", &event->republished},
    };
    const char *end = headers.start + headers.size;
    const char *line = memmem(headers.start, (size_t)headers.size, "\r\n", 2);
    while (line != NULL) {
        line += 2;
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (next == NULL)
            return;
        const char *colon = memchr(line, ':', (size_t)(next - line));
        for (size_t i = 0; colon != NULL && i < sizeof wanted / sizeof *wanted; i++) {
            size_t size = strlen(wanted[i].name);
            if ((size_t)(colon - line) == size && memcmp(line, wanted[i].name, size) == 0) {
                if (wanted[i].value->start == NULL)
                    *wanted[i].value = stripped(colon + 1, next);
                break;
            }
        }
        line = next;
    }
}

/* Whether a text can stand between quotation marks in JSON as it is. */
static bool is_quotable(struct text text)
{
    for (Py_ssize_t i = 0; i < text.size; i++) {
        char character = text.start[i];
        if (character < ' ' || character > '~' || character == '"' || character == '\\')
            return false;
    }
    return text.start != NULL;
}

/* Whether a body is a JSON object. What might hide a number that JSON does not have is left to `messages.py`. */
static bool is_object(struct text body, PyObject *read_object)
{
    if (memmem(body.start, (size_t)body.size, "NaN", 3) != NULL ||
        memmem(body.start, (size_t)body.size, "Infinity", 8) != NULL)
        return false;
    PyObject *bytes = PyBytes_FromStringAndSize(body.start, body.size);
    PyObject *read = bytes != NULL ? PyObject_CallOneArg(read_object, bytes) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(read);
    return read != NULL;
}

static char *append(char *at, const char *start, Py_ssize_t size)
{
    memcpy(at, start, (size_t)size);
    return at + size;
}

/* A text message of a server as it goes over the wire; see `text_frame` and `contracts.frames.event`. */
static PyObject *frame(const struct event *event, long long seq, struct text body)
{
    char digits[DIGITS_MAX + 2];
    const Py_ssize_t of_digits = snprintf(digits, sizeof digits, "%lld", seq);
    const struct text parts[] = {
        {"{\"event\":\"", 10}, event->name, {"\",\"seq\":", 8}, {digits, of_digits},
        {",\"id\":\"", 7},     event->id,   {"\",\"data\":", 9}, body, {"}", 1},
    };
    Py_ssize_t payload = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        payload += parts[i].size;
    unsigned char head[FRAME_HEAD_MAX] = {0x81};
    int of_length = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
    head[1] = (unsigned char)(of_length == 0 ? payload : of_length == 2 ? 126 : 127);
    for (int i = 0; i < of_length; i++)
        head[2 + i] = (unsigned char)((unsigned long long)payload >> (8 * (of_length - 1 - i)));
    PyObject *encoded = PyBytes_FromStringAndSize(NULL, 2 + of_length + payload);
    if (encoded == NULL)
        return NULL;
    char *at = append(PyBytes_AS_STRING(encoded), (char *)head, 2 + of_length);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        at = append(at, parts[i].start, parts[i].size);
    return encoded;
}

/* A `StoredEvent`; NULL without an exception if the message is no event, or none that is usual. `read`: where one that a
   consumer has delivered stands; NULL for a live one, whose headers say so. */
static PyObject *event_of(const struct message *message, const struct place *read, PyTypeObject *type,
                          PyObject *read_object)
{
    struct event event = {0};
    read_headers(message->headers, &event);
    long long seq = read != NULL ? read->seq : number(event.seq);
    long long previous = read != NULL ? 0 : number(event.previous);
    const char *dot = memrchr(message->subject.start, '.', (size_t)message->subject.size);
    if (seq < 0 || previous < 0 || dot == NULL || event.republished.start != NULL || !is_quotable(event.name) ||
        !is_quotable(event.id))
        return NULL;
    if (!is_object(message->body, read_object)) {
        if (PyErr_ExceptionMatches(PyExc_ValueError))
            PyErr_Clear();
        return NULL;
    }
    const Py_ssize_t of_source = message->subject.start + message->subject.size - dot - 1;
    PyObject *framed = frame(&event, seq, message->body);
    PyObject *values =
        read != NULL ? Py_BuildValue("((y#LONy#))", dot + 1, of_source, seq, Py_None, framed, "", (Py_ssize_t)0)
                     : Py_BuildValue("((y#LLNy#))", dot + 1, of_source, seq, previous, framed, message->headers.start,
                                     message->headers.size);
    if (values == NULL)
        return NULL;
    PyObject *made = PyTuple_Type.tp_new(type, values, NULL); /* past the constructor in Python of a NamedTuple */
    Py_DECREF(values);
    return made;
}

/* The second token of a subject; NULL if none follows it. */
static struct text user_of(struct text subject)
{
    const char *end = subject.start + subject.size;
    const char *first = memchr(subject.start, '.', (size_t)subject.size);
    const char *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    return second != NULL ? (struct text){first + 1, second - first - 1} : (struct text){NULL, 0};
}

/* Hand over one message; 1 if that was done, 0 if it is not for here, -1 with an exception. `*taken` grows by its size as
   soon as it is handed over. */
static int take_one(const struct message *message, PyObject *takers, PyObject *readers, PyTypeObject *type,
                    PyObject *read_object, Py_ssize_t *taken)
{
    const bool read = message->reply.size > 0;
    PyObject *subscription = PyLong_FromLongLong(message->subscription);
    PyObject *taker = subscription != NULL ? PyDict_GetItemWithError(read ? readers : takers, subscription) : NULL;
    Py_XDECREF(subscription);
    struct place place;
    const struct text user = user_of(message->subject);
    if (taker == NULL || (read && (user.start == NULL || !place_of(message->reply, &place))))
        return PyErr_Occurred() ? -1 : 0;
    PyObject *event = event_of(message, read ? &place : NULL, type, read_object);
    if (event == NULL)
        return PyErr_Occurred() ? -1 : 0;
    *taken += message->size;
    Py_INCREF(taker); /* it may be given up while it is called */
    PyObject *done = read ? PyObject_CallFunction(taker, "Oy#LL", event, user.start, user.size, place.number,
                                                  place.pending)
                          : PyObject_CallOneArg(taker, event);
    Py_DECREF(taker);
    Py_DECREF(event);
    Py_XDECREF(done);
    return done != NULL ? 1 : -1;
}

/* Hand over what stands at the beginning of `data`; how much that was. `*waits`: what follows is the beginning of a
   message that may be for here. -1 with an exception if one was raised, `*taken` saying how much was handed over. */
static int take_all(const char *data, Py_ssize_t size, PyObject *takers, PyObject *readers, PyTypeObject *type,
                    PyObject *read_object, Py_ssize_t *taken, bool *waits)
{
    while (*taken < size) {
        struct message message;
        enum extent extent = message_at(data + *taken, size - *taken, &message);
        *waits = extent == PART;
        if (extent != WHOLE)
            return 0;
        int done = take_one(&message, takers, readers, type, read_object, taken);
        if (done <= 0)
            return done;
    }
    *waits = false;
    return 0;
}

PyDoc_STRVAR(take_doc,
             "take(buffer, takers, readers, event_type, read_object, /) -> (taken, waits, error)\n\n"
             "Call takers[subscription](event) for each message at the beginning of buffer, as far as they are events\n"
             "of subscriptions in takers, or readers[subscription](event, user, number, pending) for one that a consumer\n"
             "has delivered. Gives how many bytes that were, whether what follows is the beginning of a message that is\n"
             "to be waited for, and the exception that stopped it, or None.");

static PyObject *take(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer buffer;
    PyObject *takers, *readers, *type, *read_object;
    if (!PyArg_ParseTuple(arguments, "y*O!O!O!O", &buffer, &PyDict_Type, &takers, &PyDict_Type, &readers, &PyType_Type,
                          &type, &read_object))
        return NULL;
    Py_ssize_t taken = 0;
    bool waits = false;
    int failed =
        take_all(buffer.buf, buffer.len, takers, readers, (PyTypeObject *)type, read_object, &taken, &waits);
    PyBuffer_Release(&buffer);
    if (!failed)
        return Py_BuildValue("nOO", taken, waits ? Py_True : Py_False, Py_None);
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    PyErr_NormalizeException(&kind, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    Py_XDECREF(kind);
    Py_XDECREF(traceback);
    return Py_BuildValue("nON", taken, Py_False, error);
}

static PyMethodDef METHODS[] = {{"take", take, METH_VARARGS, take_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_arrivals",
    .m_doc = "Takes events out of what NATS has sent.",
    .m_size = 0,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__arrivals(void)
{
    PyObject *module = PyModule_Create(&MODULE);
    if (module != NULL && PyModule_AddStringConstant(module, "FINGERPRINT", FINGERPRINT) < 0)
        Py_CLEAR(module);
    return module;
}
