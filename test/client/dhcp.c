// SPDX-License-Identifier: Apache-2.0
//
// The guest's DHCP client (RFC 2131): DISCOVER, REQUEST, RELEASE. It does not renew: a test wants to see what
// becomes of a lease that runs out. It tells nobody of the address it got, as most clients do not.
#define _GNU_SOURCE
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE };
enum { HEADER = 240, TRIES = 8, AGAIN_MS = 2000 };

static int asking;  // DISCOVER, REQUEST, or 0 for nothing
static int tries;
static bool broadcasts;
static uint32_t xid;
static int64_t again;
static struct address offered, server, leased;
static unsigned char server_mac[6];

static void option(unsigned char **at, int code, const void *value, size_t size) {
    *(*at)++ = code;
    *(*at)++ = size;
    memcpy(*at, value, size);
    *at += size;
}

static void send_message(unsigned char type) {
    unsigned char m[8 + 576] = {0, 68, 0, 67, [8] = 1, 1, 6}, *d = m + 8, *at = d + HEADER;
    memcpy(d + 4, &xid, 4);
    if (broadcasts) d[10] = 0x80;
    if (type == RELEASE) memcpy(d + 12, leased.b + 12, 4);
    memcpy(d + 28, own_mac, 6);
    memcpy(d + 236, "\x63\x82\x53\x63", 4);
    option(&at, 53, &type, 1);
    // Guests of one port have one hardware address: the identifier tells them apart. 0: it is none of a known kind.
    unsigned char id[64] = {0};
    size_t size = strnlen(guest_name, sizeof id - 1);
    memcpy(id + 1, guest_name, size);
    option(&at, 61, id, size + 1);
    if (type == REQUEST) option(&at, 50, offered.b + 12, 4);
    if (type != DISCOVER) option(&at, 54, server.b + 12, 4);
    if (type != RELEASE) option(&at, 55, "\1\3\63", 3);
    *at++ = 255;
    size_t length = at - m < 8 + 300 ? 8 + 300 : at - m;  // the least that RFC 1542 allows
    m[4] = length >> 8;
    m[5] = length;
    if (type == RELEASE) send_ip(0, server_mac, &leased, &server, UDP, m, length);
    else send_ip(0, NULL, &nobody4, &all_hosts4, UDP, m, length);
}

void dhcp_begin(bool broadcast) {
    if (getrandom(&xid, sizeof xid, 0) != sizeof xid) abort();
    broadcasts = broadcast;
    asking = DISCOVER;
    tries = 0;
    again = 0;
}

int64_t dhcp_due(int64_t now) {
    if (asking && again <= now) {
        if (tries++ == TRIES) {
            asking = 0;
            puts("dhcp none");
        } else {
            send_message(asking);
            again = now + AGAIN_MS;
        }
    }
    return asking ? again : INT64_MAX;
}

static const unsigned char *find(const struct frame *f, int code, int size) {
    for (size_t i = 8 + HEADER; i + 1 < f->size && f->data[i] != 255; i += f->data[i] ? 2 + f->data[i + 1] : 1)
        if (f->data[i] == code && f->data[i + 1] >= size && i + 2 + f->data[i + 1] <= f->size) return f->data + i + 2;
    return NULL;
}

void dhcp_answer(const struct frame *f) {
    const unsigned char *d = f->data + 8, *type, *by;
    if (!asking || f->size < 8 + HEADER || f->data[2] || f->data[3] != 68 || d[0] != 2 || memcmp(d + 4, &xid, 4) != 0) return;
    type = find(f, 53, 1);
    by = find(f, 54, 4);
    if (!type || !by) return;
    if (*type == OFFER && asking == DISCOVER) {
        offered = address4(d + 16);
        server = address4(by);
        asking = REQUEST;
        again = tries = 0;
    } else if (*type == ACK && asking == REQUEST) {
        const unsigned char *mask = find(f, 1, 4), *router = find(f, 3, 4), *time = find(f, 51, 4);
        int prefix = 0;
        for (int i = 0; mask && i < 32; i++) prefix += mask[i / 8] >> (7 - i % 8) & 1;
        struct address gate = router ? address4(router) : nobody4;
        asking = 0;
        leased = address4(d + 16);
        memcpy(server_mac, f->source_mac, 6);
        printf("dhcp %s/%d router %s lease %u\n", text_of(&leased), prefix, text_of(&gate),
               time ? (unsigned)time[0] << 24 | time[1] << 16 | time[2] << 8 | time[3] : 0);
        take(&leased, false);
    } else if (*type == NAK && asking == REQUEST) {
        puts("dhcp refused");
        asking = DISCOVER;
        again = 0;
    }
}

void dhcp_release(void) {
    send_message(RELEASE);
    drop(&leased);
}
