// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void die(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("ontap-client: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(status);
}


const char *value_of(const struct message *m, const char *key) {
    for (int i = 0; i < m->lines; i++)
        if (strcmp(m->key[i], key) == 0) return m->value[i];
    return NULL;
}

const char *must(const struct message *m, const char *key) {
    const char *value = value_of(m, key);
    if (!value) die(WRONG, "the answer `%s` has no `%s`", m->word, key);
    return value;
}

int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) die(USAGE, "this path is too long: %s", path);
    strcpy(address.sun_path, path);
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address) < 0) unable(path);
    return s;
}

void ask(int s, const char *text, size_t size, int fd) {
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = {0};
    struct iovec io = {(char *)text, size};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    if (sendmsg(s, &m, MSG_NOSIGNAL) < 0) unable("ask");
}

bool answer(int s, struct message *to) {
    union { struct cmsghdr header; char space[CMSG_SPACE(MOST_FDS * sizeof(int))]; } control;
    struct iovec io = {to->text, sizeof to->text - 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
    if (size < 0) unable("read the answer");
    if (size == 0) return false;
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) die(WRONG, "the answer is too long");
    to->text[size] = 0;
    to->fds = to->lines = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            to->fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(to->fd, CMSG_DATA(c), to->fds * sizeof(int));
        }
    if (strlen(to->text) != (size_t)size || to->text[size - 1] != '\n') die(WRONG, "the answer is not lines of text");
    bool first = true;
    for (char *line = to->text, *end; *line; line = end + 1, first = false) {
        end = strchr(line, '\n');
        *end = 0;
        if (first) {
            if (strncmp(line, "ontap 1 ", 8) != 0 || !line[8]) die(WRONG, "no answer of version 1: %s", line);
            to->word = line + 8;
            continue;
        }
        char *space = strchr(line, ' ');
        if (!space || space == line || !space[1] || to->lines == MOST_LINES) die(WRONG, "no line KEY VALUE: %s", line);
        *space = 0;
        if (value_of(to, line)) die(WRONG, "`%s` comes twice", line);
        to->key[to->lines] = line;
        to->value[to->lines++] = space + 1;
    }
    return true;
}

void need_ok(const struct message *m) {
    if (strcmp(m->word, "ok") == 0) return;
    if (strcmp(m->word, "refused") != 0) die(WRONG, "neither `ok` nor `refused`: %s", m->word);
    const char *wait = value_of(m, "wait");
    if (wait && strcmp(wait, "yes") != 0) die(WRONG, "`wait %s`", wait);
    die(REFUSED, "%s (rule %s%s)", must(m, "message"), must(m, "rule"), wait ? ", wait" : "");
}

void need_answer(int s, struct message *m) {
    if (!answer(s, m)) die(UNABLE, "the daemon closed the connection");
}

bool into_namespace(const char *type) { return strcmp(type, "ipvlan") == 0 || strcmp(type, "macvlan") == 0; }

bool add_line(char *text, size_t size, const char *word) {
    const char *equals = strchr(word, '=');
    if (!equals || equals == word) return false;
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%.*s %s\n", (int)(equals - word), word, equals + 1);
    return true;
}

static int own_namespace(void) {
    int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (ns < 0) unable("open /proc/self/ns/net");
    return ns;
}

void fresh_namespace(void) {
    if (unshare(CLONE_NEWNET) < 0) unable("make a network namespace");
}

void attach(int s, const char *text, const char *type, struct message *got) {
    int ns = into_namespace(type) ? own_namespace() : -1;
    ask(s, text, strlen(text), ns);
    if (ns >= 0) close(ns);
    need_answer(s, got);
    need_ok(got);
}

void verify(const struct message *m, const char *type, int queues, bool holder) {
    static const char *const always[] = {"id", "type", "port", "link", "index", "hwaddr", "mtu"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) must(m, always[i]);
    if (strcmp(value_of(m, "type"), type) != 0) die(WRONG, "asked for %s, got %s", type, value_of(m, "type"));
    bool inside = into_namespace(type);
    char expected[MOST_FDS * 6] = "";
    if (!inside)
        for (int i = 0; i < queues; i++) strcat(expected, i ? " tap" : "tap");
    if (!inside || holder) strcat(expected, *expected ? " lease" : "lease");
    const char *fds = value_of(m, "fds");
    if (strcmp(fds ? fds : "", expected) != 0) die(WRONG, "`fds %s`, expected `%s`", fds ? fds : "", expected);
    int taps = inside ? 0 : queues, count = taps + (!inside || holder);
    if (m->fds != count) die(WRONG, "%d descriptors came with `fds %s`", m->fds, fds ? fds : "");

    const char *link = value_of(m, "link");
    char mac[18];
    struct ifreq r = {0};
    int probe = inside ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    for (int i = 0; i < (inside ? 1 : taps); i++) {
        int fd = inside ? probe : m->fd[i];
        if (!inside) {
            if (ioctl(fd, TUNGETIFF, &r) < 0) unable("ask the tap for its link (TUNGETIFF)");
            if (strcmp(r.ifr_name, link) != 0) die(WRONG, "queue %d is of %s, not of %s", i, r.ifr_name, link);
            int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0), header = 0;
            if ((r.ifr_flags & flags) != flags) die(WRONG, "queue %d has the flags %#hx", i, r.ifr_flags);
            if (ioctl(fd, TUNGETVNETHDRSZ, &header) < 0 || header != 10) die(WRONG, "queue %d has headers of %d bytes", i, header);
        } else if (if_nametoindex(link) != (unsigned)atoi(value_of(m, "index")))
            die(WRONG, "the link %s has the number %u, not %s", link, if_nametoindex(link), value_of(m, "index"));
        snprintf(r.ifr_name, sizeof r.ifr_name, "%s", link);
        if (ioctl(fd, SIOCGIFHWADDR, &r) < 0) unable("ask for the hardware address");
        const unsigned char *a = (unsigned char *)r.ifr_hwaddr.sa_data;
        snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
        // behind a tap on a bridge the guest has an address of its own; elsewhere it has the link's
        bool other = strcmp(type, "tap") == 0;
        if ((strcmp(mac, value_of(m, "hwaddr")) != 0) != other) die(WRONG, "hwaddr is %s, the link's %s", value_of(m, "hwaddr"), mac);
        if (inside && ioctl(fd, SIOCGIFMTU, &r) < 0) unable("ask for the MTU");
        if (inside && r.ifr_mtu != atoi(value_of(m, "mtu"))) die(WRONG, "mtu is %d", r.ifr_mtu);
    }
    if (probe >= 0) close(probe);
    if (count > taps) {
        struct stat st;
        int lease = m->fd[taps];
        if (fstat(lease, &st) < 0 || !S_ISFIFO(st.st_mode) || (fcntl(lease, F_GETFL) & O_ACCMODE) != O_WRONLY)
            die(WRONG, "the lease is not the write end of a FIFO");
    }
}

void release(int s, const char *id) {
    static struct message got;
    char text[64];
    snprintf(text, sizeof text, "ontap 1 release\nid %s\n", id);
    ask(s, text, strlen(text), -1);
    need_answer(s, &got);
    need_ok(&got);
}
