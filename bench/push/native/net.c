#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

enum { BACKLOG = 1024, ADDRESSES = 8 };

uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void net_raise_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        fail(EXIT_SYSTEM, "the limit of open files: %s", strerror(errno));
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        fail(EXIT_SYSTEM, "the limit of open files cannot be raised: %s", strerror(errno));
}

static int open_socket(void)
{
    int one = 1, opened = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (opened < 0)
        fail(EXIT_SYSTEM, "a socket cannot be opened: %s", strerror(errno));
    if (setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail(EXIT_SYSTEM, "TCP_NODELAY: %s", strerror(errno));
    return opened;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connected(int opened, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    if (connect(opened, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        fail(EXIT_PEER, "nobody can be reached at port %u: %s", port, strerror(errno));
    return opened;
}

int net_connect(uint16_t port)
{
    return connected(open_socket(), port);
}

int net_connect_from(uint32_t number, uint16_t port)
{
    struct sockaddr_in address = loopback(0);
    int one = 1, opened = open_socket();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number % ADDRESSES);
    if (setsockopt(opened, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0
        || bind(opened, (struct sockaddr *)&address, sizeof address) != 0)
        fail(EXIT_SYSTEM, "an address of this machine cannot be used: %s", strerror(errno));
    return connected(opened, port);
}

int net_listen(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int one = 1, opened = open_socket();
    setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(opened, (struct sockaddr *)&address, sizeof address) != 0 || listen(opened, BACKLOG) != 0)
        fail(EXIT_SYSTEM, "port %u cannot be listened on: %s", port, strerror(errno));
    return opened;
}

bool net_connected(int socket)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

ssize_t net_receive(int socket, void *bytes, size_t size)
{
    ssize_t came = recv(socket, bytes, size, 0);
    if (came > 0)
        return came;
    return came < 0 && (errno == EAGAIN || errno == EINTR) ? NET_NOTHING : NET_CLOSED;
}

bool net_flush(int socket, struct buffer *buffer)
{
    while (buffer_size(buffer) > 0) {
        ssize_t sent = send(socket, buffer_data(buffer), buffer_size(buffer), MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(buffer, (size_t)sent);
    }
    return true;
}

void net_reset(int socket)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(socket);
}

void net_watch(int epoll, int socket, uint32_t events, uint32_t kind, uint32_t index, bool change)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)kind << TAG_BITS | index};
    if (epoll_ctl(epoll, change ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0)
        fail(EXIT_SYSTEM, "epoll: %s", strerror(errno));
}
