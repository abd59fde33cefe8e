// SPDX-License-Identifier: Apache-2.0
//
// A guest on a tap: a host of its own that speaks raw Ethernet through the descriptors of ontap, as a virtual
// machine would, without the seconds that one takes to boot.
//
//   gcc -std=c11 -O1 -Wall -Wextra -Werror -o guest guest.c dhcp.c frames.c
//   ontap -t ipvtap -m 4 PORT -- guest [NAME]          reads ONTAP_HWADDR and ONTAP_FD0 …
//
// Commands, one a line on stdin:
//   dhcp [unicast]     ask for an address; `unicast` leaves the broadcast flag out, as most clients do
//   release            give it back
//   addr ADDRESS       look whether nobody has it (ARP probe, or DAD), announce it, answer for it from then on
//   drop ADDRESS       answer for it no more, and tell nobody
//   ping ADDRESS [Q]   three echo requests at most, through queue Q
//   counts             how many frames came through each queue since the last time
//   quit               (or the end of stdin)
// Events, one a line on stdout:
//   guest NAME queues N mac M · dhcp A/PREFIX router R lease SECONDS · dhcp none · have A · conflict A · defended A
//   asked A by B · echo A from B · pong A from queue Q · silent A · counts N … · gone QUEUE
#define _GNU_SOURCE
#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 32, PROBES = 3, PROBE_MS = 200, DAD_MS = 1000, PING_MS = 1000, PINGS = 3, DEFEND_MS = 10000 };

// An address: being probed until `steps` is 0. A ping: waiting for the neighbour until `known`, then for the echo.
static struct own { struct address a; int steps; int64_t at, defended; bool used; } own[MOST];
static struct ping { struct address to; unsigned char mac[6]; int q, tries, sent; int64_t at; bool known, used; } ping[MOST];
static unsigned long came[MOST_QUEUES];
const char *guest_name = "guest";

int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct own *find(const struct address *a) {
    for (int i = 0; i < MOST; i++)
        if (own[i].used && same(&own[i].a, a)) return own + i;
    return NULL;
}

static bool have(const struct address *a) {
    struct own *o = find(a);
    return o && o->steps == 0;
}

void take(const struct address *a, bool probe) {
    struct own *o = find(a);
    for (int i = 0; !o && i < MOST; i++)
        if (!own[i].used) o = own + i;
    if (!o) return;
    *o = (struct own){.a = *a, .steps = probe ? PROBES : 0, .at = now_ms(), .defended = -DEFEND_MS, .used = true};
    if (!probe) printf("have %s\n", text_of(a));
}

void drop(const struct address *a) {
    struct own *o = find(a);
    if (o) o->used = false;
}

// The address of this host that speaks to `to`: of the same network when there is one.
static const struct address *source_for(const struct address *to) {
    const struct address *any = NULL;
    for (int i = 0; i < MOST; i++) {
        struct own *o = own + i;
        if (!o->used || o->steps || is4(&o->a) != is4(to)) continue;
        if (memcmp(o->a.b, to->b, is4(to) ? 15 : 8) == 0) return &o->a;
        any = &o->a;
    }
    return any ? any : is4(to) ? &nobody4 : &nobody6;
}

static void announce(const struct address *a) {
    if (is4(a)) send_arp(0, 1, NULL, a, a);
    else send_advertisement(0, NULL, a, &all_nodes6);
}

// One more step of finding out whether an address is free.
static void probe(struct own *o) {
    if (--o->steps > 0) {
        if (is4(&o->a)) send_arp(0, 1, NULL, &nobody4, &o->a);
        else send_solicitation(0, &nobody6, &o->a);
        o->at += is4(&o->a) ? PROBE_MS : DAD_MS;
        if (!is4(&o->a)) o->steps = 1;  // RFC 4862: one is sent
        return;
    }
    announce(&o->a);
    printf("have %s\n", text_of(&o->a));
}

static void try_ping(struct ping *p) {
    if (p->tries++ == PINGS) {
        printf("silent %s\n", text_of(&p->to));
        p->used = false;
        return;
    }
    const struct address *from = source_for(&p->to);
    if (p->known) send_echo(p->q, p->mac, from, &p->to, ++p->sent);
    else if (is4(&p->to)) send_arp(p->q, 1, NULL, from, &p->to);
    else send_solicitation(p->q, from, &p->to);
    p->at = now_ms() + PING_MS;
}

// Somebody said where `a` is.
static void neighbour(const struct address *a, const unsigned char *mac) {
    for (int i = 0; i < MOST; i++) {
        struct ping *p = ping + i;
        if (!p->used || p->known || !same(&p->to, a)) continue;
        memcpy(p->mac, mac, 6);
        p->known = true;
        p->tries--;
        try_ping(p);
    }
    struct own *o = find(a);
    if (o && o->steps) {
        printf("conflict %s\n", text_of(a));
        o->used = false;
    } else if (o && now_ms() - o->defended >= DEFEND_MS) {  // RFC 5227 2.4 (c)
        printf("defended %s\n", text_of(a));
        o->defended = now_ms();
        announce(a);
    }
}

static void handle_arp(const struct frame *f) {
    if (!same(&f->from, &nobody4)) neighbour(&f->from, f->source_mac);
    if (f->arp == 1 && have(&f->to)) {
        send_arp(f->queue, 2, f->source_mac, &f->to, &f->from);
        printf("asked %s by %s\n", text_of(&f->to), text_of(&f->from));
    }
}

static void handle_icmp6(const struct frame *f) {
    struct address target;
    if (f->size >= 24) memcpy(target.b, f->data + 8, 16);
    if (f->data[0] == ADVERTISEMENT && f->size >= 24) neighbour(&target, f->source_mac);
    if (f->data[0] != SOLICITATION || f->size < 24) return;
    bool from_nobody = same(&f->from, &nobody6);
    struct own *o = find(&target);
    if (o && o->steps && from_nobody) neighbour(&target, f->source_mac);  // both want it: neither gets it
    if (!have(&target)) return;
    send_advertisement(f->queue, from_nobody ? NULL : f->source_mac, &target, from_nobody ? &all_nodes6 : &f->from);
    printf("asked %s by %s\n", text_of(&target), text_of(&f->from));
}

static void handle_echo(const struct frame *f) {
    bool four = f->kind == 0x800;
    if (f->data[0] == (four ? ECHO : ECHO6) && have(&f->to)) {
        unsigned char back[LARGEST];
        memcpy(back, f->data, f->size);
        back[0] = four ? ECHO_REPLY : ECHO6_REPLY;
        send_ip(f->queue, f->source_mac, &f->to, &f->from, f->protocol, back, f->size);
        printf("echo %s from %s\n", text_of(&f->to), text_of(&f->from));
    }
    if (f->data[0] != (four ? ECHO_REPLY : ECHO6_REPLY)) return;
    for (int i = 0; i < MOST; i++)
        if (ping[i].used && same(&ping[i].to, &f->from)) {
            printf("pong %s from queue %d\n", text_of(&f->from), ping[i].q);
            ping[i].used = false;
        }
}

static void handle(const struct frame *f) {
    came[f->queue]++;
    if (f->kind == 0x806) handle_arp(f);
    else if (f->protocol == UDP && f->size > 8) dhcp_answer(f);
    else if ((f->protocol == ICMP || f->protocol == ICMP6) && f->size >= 8) {
        handle_echo(f);
        if (f->protocol == ICMP6) handle_icmp6(f);
    }
}

static void command(char *line) {
    char *verb = strtok(line, " \n"), *what = strtok(NULL, " \n"), *more = strtok(NULL, " \n");
    struct address a;
    if (!verb) return;
    if (strcmp(verb, "quit") == 0) exit(0);
    if (strcmp(verb, "dhcp") == 0) {
        dhcp_begin(!what);
    } else if (strcmp(verb, "release") == 0) {
        dhcp_release();
    } else if (strcmp(verb, "counts") == 0) {
        printf("counts");
        for (int q = 0; q < queues; q++) printf(" %lu", came[q]);
        puts("");
        memset(came, 0, sizeof came);
    } else if (!what || !address_of(what, &a)) {
        printf("no command: %s\n", verb);
    } else if (strcmp(verb, "addr") == 0) {
        take(&a, true);
    } else if (strcmp(verb, "drop") == 0) {
        drop(&a);
    } else if (strcmp(verb, "ping") == 0) {
        for (int i = 0; i < MOST; i++) {
            if (ping[i].used) continue;
            ping[i] = (struct ping){.to = a, .q = more ? atoi(more) % queues : 0, .used = true};
            try_ping(ping + i);
            return;
        }
    } else {
        printf("no command: %s\n", verb);
    }
}

// Does what is due; the milliseconds until something else is, or -1.
static int due(void) {
    int64_t now = now_ms(), next = dhcp_due(now);
    for (int i = 0; i < MOST; i++) {
        if (own[i].used && own[i].steps && own[i].at <= now) probe(own + i);
        if (ping[i].used && ping[i].at <= now) try_ping(ping + i);
        if (own[i].used && own[i].steps && own[i].at < next) next = own[i].at;
        if (ping[i].used && ping[i].at < next) next = ping[i].at;
    }
    return next == INT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

int main(int argc, char **argv) {
    unsigned char *m = own_mac;
    const char *mac = getenv("ONTAP_HWADDR");
    if (argc > 1) guest_name = argv[1];
    if (!mac || sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6) {
        fputs("guest: no ONTAP_HWADDR\n", stderr);
        return 100;
    }
    for (; queues < MOST_QUEUES; queues++) {
        char name[24];
        snprintf(name, sizeof name, "ONTAP_FD%d", queues);
        const char *fd = getenv(name);
        if (!fd) break;
        queue[queues] = atoi(fd);
        if (fcntl(queue[queues], F_SETFL, O_NONBLOCK) < 0) perror(name);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("guest %s queues %d mac %s\n", guest_name, queues, mac);

    struct pollfd look[MOST_QUEUES + 1] = {{.fd = 0, .events = POLLIN}};
    for (int q = 0; q < queues; q++) look[q + 1] = (struct pollfd){.fd = queue[q], .events = POLLIN};
    char line[256];
    size_t used = 0;
    for (;;) {
        poll(look, queues + 1, due());
        struct frame f;
        for (int q = 0; q < queues; q++)
            if (look[q + 1].revents & POLLIN) {
                while (receive(q, &f)) handle(&f);
            } else if (look[q + 1].revents) {
                printf("gone %d\n", q);
                look[q + 1].fd = -1;
            }
        if (!look[0].revents) continue;
        ssize_t got = read(0, line + used, sizeof line - 1 - used);
        if (got <= 0) return 0;
        line[used += got] = 0;
        for (char *end; (end = strchr(line, '\n')); memmove(line, end + 1, used + 1)) {
            used -= end + 1 - line;
            *end = 0;
            command(line);
        }
        if (used == sizeof line - 1) used = 0;
    }
}
