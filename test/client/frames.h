// SPDX-License-Identifier: Apache-2.0
//
// Ethernet frames of a host that speaks ARP, IPv4, IPv6, ICMP and UDP, on the descriptors of a tap.
#ifndef ONTAP_FRAMES_H
#define ONTAP_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d.
struct address { unsigned char b[16]; };

enum { ETHERNET = 14, MOST_QUEUES = 64, LARGEST = 65536 };
enum { ICMP = 1, UDP = 17, ICMP6 = 58 };
enum { ECHO = 8, ECHO_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129, SOLICITATION = 135, ADVERTISEMENT = 136 };

// The tap: its queues and the hardware address of the host behind it.
extern int queue[MOST_QUEUES], queues;
extern unsigned char own_mac[6];
extern const unsigned char all_hosts[6];
extern const struct address nobody4, nobody6, all_hosts4, all_nodes6;

// What is of interest in a frame that came.
struct frame {
    int queue;
    const unsigned char *source_mac;
    uint16_t kind;  // 0x806 ARP, 0x800, 0x86dd; 0 for what is none of these or cut short
    struct address from, to;  // of ARP: sender and target
    int arp, protocol;
    const unsigned char *data;  // of IP: what comes after its header
    size_t size;
};

bool is4(const struct address *a);
bool same(const struct address *a, const struct address *b);
bool address_of(const char *text, struct address *a);
struct address address4(const unsigned char *four);
// Its text, in one of four places used in turn.
const char *text_of(const struct address *a);
struct address solicited_node(const struct address *a);

// Reads one frame from a queue; false when there is none. `f` points into a place that the next one overwrites.
bool receive(int q, struct frame *f);

// Each of these sends one frame through queue `q`. `to_mac` may be NULL: then it goes to all hosts or the group.
void send_arp(int q, int operation, const unsigned char *to_mac, const struct address *from, const struct address *to);
void send_ip(int q, const unsigned char *to_mac, const struct address *from, const struct address *to, int protocol,
             unsigned char *data, size_t size);
void send_echo(int q, const unsigned char *to_mac, const struct address *from, const struct address *to, int number);
void send_solicitation(int q, const struct address *from, const struct address *target);
void send_advertisement(int q, const unsigned char *to_mac, const struct address *target, const struct address *to);

#endif
