// SPDX-License-Identifier: Apache-2.0
//
// How long many links take to get an IPv4 address each, for test/bench/dhcp.
//
//   gcc -std=c11 -O1 -Wall -Wextra -Werror -o binds binds.c protocol.c
//
//   binds COUNT PEER [COMMAND…]
//
// Makes COUNT network namespaces, each held by a process that waits for the start and is then COMMAND, or goes
// on holding when there is none. Their pids are its first line. PEER is a process in the namespace of lan0, the
// far end of the cable. Then it does what the lines of its standard input say, and answers each by a line:
//
//   watch [PID]    listens for addresses in each namespace, and notes the threads that PID (an ontapd) has
//   room PID       makes room for all requests at once in the sockets of PID, the server
//   up             sets each eth0 up, without IPv6, whose first steps would be in the way
//   start cable    sets lan0 up, which is the start; the time runs until each namespace has an address
//   start now      lets COMMAND start in each namespace at once; the same
//   used           what memory and CPU PID, or the processes of COMMAND, took since the start
//   end            ends the processes of the namespaces, and itself
//
// The witness is the kernel, by a netlink socket of ours in each namespace. Threads that the JVM starts and ends as
// it thinks fit (compilers, collectors) are not counted.
#define _GNU_SOURCE
#include "protocol.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 90000, SETTLE_MS = 500, EACH_MS = 5, MOST_THREADS = 256 };

struct space { pid_t pid; int events; uint64_t at_us, cpu_us; struct in_addr ip; };
static struct space *spaces;
static int count, poller, gate[2];
static bool command;
static pid_t daemon_pid;
static uint64_t begin_us, daemon_us;
static int before[MOST_THREADS], befores, most;
static char most_names[1024];

static uint64_t clock_us(clockid_t which) {
    struct timespec t;
    if (clock_gettime(which, &t) < 0) return 0;
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static uint64_t now_us(void) { return clock_us(CLOCK_MONOTONIC); }

// What all threads of a process have used, those that are gone too.
static uint64_t cpu_us(pid_t pid) {
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_us(clock) : 0;
}

// What of memory is a process's own, and its part of what it shares, in KiB.
static long pss_kb(pid_t pid) {
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Pss: %ld", &kb) == 1) break;
    if (f) fclose(f);
    return kb;
}

// Goes into the network namespace of a process; 0 is our own.
static void go_to(pid_t pid) {
    static int home = -1;
    char path[64];
    if (home < 0) home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    int net = pid ? open(path, O_RDONLY | O_CLOEXEC) : home;
    if (net < 0 || setns(net, CLONE_NEWNET) < 0) unable(path);
    if (pid) close(net);
}

static int socket_in(pid_t pid, int family, int type, int protocol) {
    go_to(pid);
    int s = socket(family, type | SOCK_CLOEXEC, protocol);
    if (s < 0) unable("socket");
    go_to(0);
    return s;
}

static void without_ipv6(pid_t pid) {
    go_to(pid);
    int f = open("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", O_WRONLY | O_CLOEXEC);
    // a kernel without IPv6 has no such file
    if (f >= 0 && write(f, "1", 1) != 1) unable("switch IPv6 off");
    if (f >= 0) close(f);
    go_to(0);
}

static void set_up(int s, const char *link) {
    struct ifreq r = {0};
    strcpy(r.ifr_name, link);
    if (ioctl(s, SIOCGIFFLAGS, &r) < 0) unable(link);
    r.ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &r) < 0) unable(link);
}

// ---- namespaces

static void hold(char **words, int made) {
    char c;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) < 0) unable("unshare");
    if (write(made, "", 1) != 1) unable("write");
    close(gate[1]);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    while (read(gate[0], &c, 1) != 0) { }
    if (words[0]) execvp(words[0], words);
    for (;;) pause();
}

static void make_spaces(char **words) {
    int made[2];
    char c;
    if (pipe2(made, O_CLOEXEC) < 0 || pipe2(gate, O_CLOEXEC) < 0) unable("pipe");
    spaces = calloc(count, sizeof *spaces);
    for (int i = 0; i < count; i++) {
        spaces[i].pid = fork();
        if (spaces[i].pid < 0) unable("fork");
        if (spaces[i].pid == 0) hold(words, made[1]);
    }
    close(made[1]);
    for (int i = 0; i < count; i++)
        if (read(made[0], &c, 1) != 1) die(UNABLE, "only %d of %d namespaces were made", i, count);
    for (int i = 0; i < count; i++) printf("%d%c", spaces[i].pid, i + 1 < count ? ' ' : '\n');
}

// ---- threads of the daemon

static bool is_of_the_jvm(const char *name) {
    static const char *const ours[] = {"C1 Compiler", "C2 Compiler", "GC Thread", "G1 ", "VM ", "Sweeper", "Monitor D"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strncmp(name, ours[i], strlen(ours[i])) == 0) return true;
    return false;
}

static void name_of(int tid, char *name, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", daemon_pid, tid);
    name[0] = 0;
    FILE *f = fopen(path, "re");
    if (!f) return;
    if (fgets(name, size, f)) name[strcspn(name, "\n")] = 0;
    fclose(f);
}

static int tasks(int *tids) {
    char path[64];
    int n = 0;
    struct dirent *each;
    snprintf(path, sizeof path, "/proc/%d/task", daemon_pid);
    DIR *dir = opendir(path);
    if (!dir) die(UNABLE, "the daemon is gone");
    while ((each = readdir(dir)) && n < MOST_THREADS)
        if (isdigit(each->d_name[0])) tids[n++] = atoi(each->d_name);
    closedir(dir);
    return n;
}

// The threads that were not there before, and their names.
static int added(char *names, size_t size) {
    int tids[MOST_THREADS], n = tasks(tids), more = 0;
    names[0] = 0;
    for (int i = 0; i < n; i++) {
        char name[32];
        bool known = false;
        for (int j = 0; j < befores && !known; j++) known = before[j] == tids[i];
        if (known) continue;
        name_of(tids[i], name, sizeof name);
        // without a name it has ended meanwhile
        if (!name[0] || is_of_the_jvm(name)) continue;
        more++;
        snprintf(names + strlen(names), size - strlen(names), "%s%s", more > 1 ? ", " : "", name);
    }
    return more;
}

// Keeps the most there were at one time, where a second look, by when a thread that was just ending is gone, says
// the same.
static void look(void) {
    static const struct timespec moment = {.tv_nsec = 2000000};
    char names[sizeof most_names];
    if (added(names, sizeof names) <= most) return;
    nanosleep(&moment, NULL);
    int again = added(names, sizeof names);
    if (again > most) most = again, strcpy(most_names, names);
}

// ---- the server

// A queue of the usual size loses packets of 200 clients that begin together, and each loss costs seconds.
static int make_room(pid_t pid) {
    int s, size = 16 << 20, kind, roomy = 0, process = syscall(SYS_pidfd_open, pid, 0);
    socklen_t length = sizeof kind;
    if (process < 0) unable("pidfd_open");
    for (int fd = 0; fd < 64; fd++) {
        if ((s = syscall(SYS_pidfd_getfd, process, fd, 0)) < 0) continue;
        if (getsockopt(s, SOL_SOCKET, SO_DOMAIN, &kind, &length) == 0 && kind == AF_INET)
            roomy += setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0;
        close(s);
    }
    close(process);
    return roomy;
}

// ---- addresses

static void watch(pid_t pid) {
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) unable("epoll_create1");
    for (int i = 0; i < count; i++) {
        struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
        struct epoll_event what = {.events = EPOLLIN, .data.u32 = i};
        spaces[i].events = socket_in(spaces[i].pid, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
        if (bind(spaces[i].events, (struct sockaddr *)&to, sizeof to) < 0) unable("bind");
        if (epoll_ctl(poller, EPOLL_CTL_ADD, spaces[i].events, &what) < 0) unable("epoll_ctl");
    }
    daemon_pid = pid;
    if (pid) befores = tasks(before);
    printf("watching threads %d memory %.1f\n", befores, pid ? pss_kb(pid) / 1024.0 : 0);
}

static bool address_in(struct nlmsghdr *h, struct in_addr *ip) {
    struct ifaddrmsg *a = NLMSG_DATA(h);
    if (h->nlmsg_type != RTM_NEWADDR || a->ifa_family != AF_INET) return false;
    int left = h->nlmsg_len - NLMSG_LENGTH(sizeof *a);
    for (struct rtattr *r = IFA_RTA(a); RTA_OK(r, left); r = RTA_NEXT(r, left))
        if (r->rta_type == IFA_LOCAL) memcpy(ip, RTA_DATA(r), sizeof *ip);
    return ip->s_addr && (ntohl(ip->s_addr) >> 24) != IN_LOOPBACKNET;
}

// What there is to read of one namespace: 1 when it has its first address now.
static int take(struct space *s, uint64_t at) {
    char buffer[8192] __attribute__((aligned(8)));
    int bound = 0;
    ssize_t n;
    while ((n = recv(s->events, buffer, sizeof buffer, 0)) > 0) {
        unsigned left = n;
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            struct in_addr ip = {0};
            if (!s->at_us && address_in(h, &ip)) s->at_us = at, s->ip = ip, bound = 1;
        }
    }
    return bound;
}

static int by_time(const void *a, const void *b) {
    uint64_t x = ((const struct space *)a)->at_us - 1, y = ((const struct space *)b)->at_us - 1;
    return x < y ? -1 : x > y; // 0, never, is last
}
static int by_ip(const void *a, const void *b) {
    uint32_t x = ntohl(((const struct space *)a)->ip.s_addr), y = ntohl(((const struct space *)b)->ip.s_addr);
    return x < y ? -1 : x > y;
}

static void say_times(int bound) {
    struct space all[count];
    memcpy(all, spaces, sizeof all);
    qsort(all, count, sizeof *all, by_ip);
    int distinct = 0;
    for (int i = 0; i < count; i++) distinct += all[i].ip.s_addr && (i == 0 || by_ip(all + i - 1, all + i) != 0);
    printf("bound %d distinct %d", bound, distinct);
    qsort(all, count, sizeof *all, by_time);
    const struct { const char *name; int i; } which[] = {
        {"first", 0}, {"median", bound / 2}, {"p90", bound * 9 / 10}, {"last", bound - 1}};
    for (int i = 0; bound && i < 4; i++) printf(" %s %.1f", which[i].name, (all[which[i].i].at_us - begin_us) / 1000.0);
    printf(" threads %d (%s)\n", most, most_names);
}

static void start(const char *how, int cable) {
    struct epoll_event what[64];
    int bound = 0;
    uint64_t end = 0;
    for (int i = 0; i < count; i++) {
        if (command) spaces[i].cpu_us = cpu_us(spaces[i].pid);
        take(&spaces[i], 0);
    }
    if (daemon_pid) daemon_us = cpu_us(daemon_pid);
    begin_us = now_us();
    if (strcmp(how, "cable") == 0) set_up(cable, "lan0");
    close(gate[1]);
    gate[1] = -1;
    // and for a moment more, which may have threads and costs of its own
    for (uint64_t now = begin_us; now < (end ? end : begin_us + LIMIT_MS * 1000ull); now = now_us()) {
        int n = epoll_wait(poller, what, 64, EACH_MS);
        uint64_t at = now_us();
        for (int i = 0; i < n; i++) bound += take(&spaces[what[i].data.u32], at);
        if (daemon_pid) look();
        if (bound == count && !end) end = at + SETTLE_MS * 1000;
    }
    if (daemon_pid) daemon_us = cpu_us(daemon_pid) - daemon_us;
    say_times(bound);
}

// ---- what it takes

// Ends the processes of the namespaces: the CPU that they took since the start, with their children.
static uint64_t end_spaces(void) {
    uint64_t used = 0;
    for (int i = 0; i < count; i++) kill(spaces[i].pid, SIGKILL);
    for (int i = 0; i < count; i++) {
        struct rusage u;
        int status;
        if (spaces[i].events > 0) close(spaces[i].events);
        wait4(spaces[i].pid, &status, 0, &u);
        used += (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ull + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
        used -= spaces[i].cpu_us;
        spaces[i].pid = 0;
    }
    return used;
}

static void say_used(void) {
    long kb = 0;
    if (daemon_pid) kb = pss_kb(daemon_pid);
    else for (int i = 0; i < count; i++) kb += pss_kb(spaces[i].pid);
    uint64_t us = daemon_pid ? daemon_us : end_spaces();
    printf("memory %.1f cpu %.1f\n", kb / 1024.0, us / 1000.0);
}

int main(int argc, char **argv) {
    char line[64];
    if (argc < 3 || (count = atoi(argv[1])) < 1) die(USAGE, "binds COUNT PEER [COMMAND…]");
    int cable = socket_in(atoi(argv[2]), AF_INET, SOCK_DGRAM, 0);
    command = argc > 3;
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_spaces(argv + 3);
    while (fgets(line, sizeof line, stdin)) {
        char *words[2] = {strtok(line, " \n"), strtok(NULL, " \n")};
        if (!words[0]) continue;
        if (strcmp(words[0], "end") == 0) break;
        if (strcmp(words[0], "watch") == 0) watch(words[1] ? atoi(words[1]) : 0);
        else if (strcmp(words[0], "start") == 0 && words[1]) start(words[1], cable);
        else if (strcmp(words[0], "used") == 0) say_used();
        else if (strcmp(words[0], "room") == 0 && words[1]) printf("room %d\n", make_room(atoi(words[1])));
        else if (strcmp(words[0], "up") == 0) {
            for (int i = 0; i < count; i++) without_ipv6(spaces[i].pid), set_up(spaces[i].events, "eth0");
            puts("up");
        } else die(USAGE, "no such line: %s", words[0]);
    }
    for (int i = 0; i < count; i++)
        if (spaces[i].pid) kill(spaces[i].pid, SIGKILL);
    while (wait(NULL) > 0) { }
    return OK;
}
