// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// Every frame on a tap of ontap comes after a struct virtio_net_hdr; zeros say that nothing is left to do for it.
enum { VNET = 10 };

int queue[MOST_QUEUES], queues;
unsigned char own_mac[6];
const unsigned char all_hosts[6] = {255, 255, 255, 255, 255, 255};
const struct address nobody4 = {{[10] = 255, 255, 0, 0, 0, 0}}, nobody6 = {{0}},
                     all_hosts4 = {{[10] = 255, 255, 255, 255, 255, 255}}, all_nodes6 = {{255, 2, [15] = 1}};

bool is4(const struct address *a) { return memcmp(a->b, nobody4.b, 12) == 0; }
bool same(const struct address *a, const struct address *b) { return memcmp(a->b, b->b, 16) == 0; }

struct address address4(const unsigned char *four) {
    struct address a = nobody4;
    memcpy(a.b + 12, four, 4);
    return a;
}

bool address_of(const char *text, struct address *a) {
    unsigned char four[4];
    if (inet_pton(AF_INET6, text, a->b) == 1) return true;
    if (inet_pton(AF_INET, text, four) != 1) return false;
    *a = address4(four);
    return true;
}

const char *text_of(const struct address *a) {
    static char places[4][INET6_ADDRSTRLEN];
    static int next;
    char *place = places[next++ % 4];
    if (is4(a)) inet_ntop(AF_INET, a->b + 12, place, INET6_ADDRSTRLEN);
    else inet_ntop(AF_INET6, a->b, place, INET6_ADDRSTRLEN);
    return place;
}

struct address solicited_node(const struct address *a) {
    struct address group = {{255, 2, [11] = 1, 255}};
    memcpy(group.b + 13, a->b + 13, 3);
    return group;
}

static void put16(unsigned char *at, unsigned n) {
    at[0] = n >> 8;
    at[1] = n;
}

static unsigned get16(const unsigned char *at) { return at[0] << 8 | at[1]; }

static unsigned sum(unsigned so_far, const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) so_far += i % 2 ? bytes[i] : bytes[i] << 8;
    return so_far;
}

static unsigned folded(unsigned sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

bool receive(int q, struct frame *f) {
    static unsigned char buffer[VNET + LARGEST];
    ssize_t got = read(queue[q], buffer, sizeof buffer);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) perror("guest: read");
        return false;
    }
    const unsigned char *eth = buffer + VNET, *d = eth + ETHERNET;
    ssize_t size = got - VNET - ETHERNET;
    *f = (struct frame){.queue = q, .source_mac = eth + 6, .kind = size > 0 ? get16(eth + 12) : 0};
    if (f->kind == 0x806 && size >= 28) {
        f->arp = get16(d + 6);
        f->from = address4(d + 14);
        f->to = address4(d + 24);
    } else if (f->kind == 0x800 && size >= 20 && (d[0] & 15) >= 5 && size >= (d[0] & 15) * 4) {
        size_t header = (d[0] & 15) * 4, all = get16(d + 2);
        if (all < header || all > (size_t)size) all = size;  // the rest is padding
        f->from = address4(d + 12);
        f->to = address4(d + 16);
        f->protocol = d[9];
        f->data = d + header;
        f->size = all - header;
    } else if (f->kind == 0x86dd && size >= 40) {
        memcpy(f->from.b, d + 8, 16);
        memcpy(f->to.b, d + 24, 16);
        f->protocol = d[6];  // extension headers are not looked into: they are of no use here
        f->data = d + 40;
        f->size = get16(d + 4) < (unsigned)size - 40 ? get16(d + 4) : (size_t)size - 40;
    } else {
        f->kind = 0;
    }
    return true;
}

static void put_frame(int q, const unsigned char *to_mac, unsigned kind, const void *head, size_t head_size,
                      const void *data, size_t size) {
    unsigned char first[VNET + ETHERNET] = {0};
    memcpy(first + VNET, to_mac, 6);
    memcpy(first + VNET + 6, own_mac, 6);
    put16(first + VNET + 12, kind);
    struct iovec parts[3] = {{first, sizeof first}, {(void *)head, head_size}, {(void *)data, size}};
    if (writev(queue[q], parts, size ? 3 : 2) < 0) perror("guest: write");
}

void send_arp(int q, int operation, const unsigned char *to_mac, const struct address *from, const struct address *to) {
    unsigned char body[28] = {0, 1, 8, 0, 6, 4, 0, operation};
    memcpy(body + 8, own_mac, 6);
    memcpy(body + 14, from->b + 12, 4);
    if (to_mac) memcpy(body + 18, to_mac, 6);
    memcpy(body + 24, to->b + 12, 4);
    put_frame(q, to_mac ? to_mac : all_hosts, 0x806, body, sizeof body, NULL, 0);
}

void send_ip(int q, const unsigned char *to_mac, const struct address *from, const struct address *to, int protocol,
             unsigned char *data, size_t size) {
    const unsigned char group[6] = {0x33, 0x33, to->b[12], to->b[13], to->b[14], to->b[15]};
    if (!is4(to)) {
        unsigned char head[40] = {0x60, [6] = protocol, 255};
        put16(head + 4, size);
        memcpy(head + 8, from->b, 16);
        memcpy(head + 24, to->b, 16);
        if (protocol == ICMP6) {
            put16(data + 2, 0);
            put16(data + 2, folded(sum(sum(size + protocol, head + 8, 32), data, size)));
        }
        put_frame(q, to_mac ? to_mac : group, 0x86dd, head, sizeof head, data, size);
        return;
    }
    unsigned char head[20] = {0x45, [8] = 64, protocol};
    put16(head + 2, sizeof head + size);
    memcpy(head + 12, from->b + 12, 4);
    memcpy(head + 16, to->b + 12, 4);
    put16(head + 10, folded(sum(0, head, sizeof head)));
    if (protocol == ICMP) {
        put16(data + 2, 0);
        put16(data + 2, folded(sum(0, data, size)));
    }
    put_frame(q, to_mac ? to_mac : all_hosts, 0x800, head, sizeof head, data, size);
}

void send_echo(int q, const unsigned char *to_mac, const struct address *from, const struct address *to, int number) {
    unsigned char data[24] = {is4(to) ? ECHO : ECHO6, [4] = 0x6f, 0x74};
    put16(data + 6, number);
    send_ip(q, to_mac, from, to, is4(to) ? ICMP : ICMP6, data, sizeof data);
}

void send_solicitation(int q, const struct address *from, const struct address *target) {
    unsigned char data[32] = {SOLICITATION, [24] = 1, 1};
    struct address group = solicited_node(target);
    memcpy(data + 8, target->b, 16);
    memcpy(data + 26, own_mac, 6);
    // RFC 4861 4.3: no link-layer address in what comes from nobody yet
    send_ip(q, NULL, from, &group, ICMP6, data, same(from, &nobody6) ? 24 : 32);
}

void send_advertisement(int q, const unsigned char *to_mac, const struct address *target, const struct address *to) {
    unsigned char data[32] = {ADVERTISEMENT, [4] = to_mac ? 0x60 : 0x20, [24] = 2, 1};
    memcpy(data + 8, target->b, 16);
    memcpy(data + 26, own_mac, 6);
    send_ip(q, to_mac, target, to, ICMP6, data, sizeof data);
}
