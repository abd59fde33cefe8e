// SPDX-License-Identifier: Apache-2.0
//
// A client of ontapd that knows nothing but doc/protocol.md: it is written from that text, so that the text
// is held to what the daemon does, and it starts in a millisecond, so that hundreds of links can be had
// where a JVM would be slow.
//
//   gcc -std=c11 -O1 -Wall -Wextra -Werror -o ontap-client ontap-client.c protocol.c cycle.c
//
//   ontap-client SOCKET attach KEY=VALUE… [--netns PATH | --unshare] -- PROG ARGS…
//   ontap-client SOCKET leases
//   ontap-client SOCKET release ID
//   ontap-client SOCKET say                        one packet from stdin, as it is; prints every answer
//   ontap-client SOCKET cycle N TYPE [--kill-half SEED] [KEY=VALUE…]
//
// attach: KEYs are those of the request (type=ipvlan name=www …). The link goes into the network namespace
// of PATH, a fresh one or the caller's, and PROG runs there, with ONTAP_IFNAME, ONTAP_HWADDR, ONTAP_MTU,
// ONTAP_FD0 … and ONTAP_LEASE_FD.
// cycle: N children one after another take a link each (of ipvlan and macvlan in a fresh namespace) and look
// at it from inside. They end by themselves, every other one after a release; with --kill-half half of them
// are killed at a random moment. Prints counts and times, `cycle: passed` when every one was as it should be.
//
// Exit status: 0; 1 something is not as the protocol says; 3 refused; 100 usage; 111 unable to.
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_number(const char *name, int n) {
    char text[12];
    snprintf(text, sizeof text, "%d", n);
    setenv(name, text, 1);
}

static int attach_and_run(const char *socket_path, char **words) {
    static struct message got;
    char text[8192] = "ontap 1 attach\n";
    const char *type = "";
    int before = -1;
    for (; *words && strcmp(*words, "--") != 0; words++) {
        if (strcmp(*words, "--unshare") == 0) {
            fresh_namespace();
        } else if (strcmp(*words, "--netns") == 0 && words[1]) {
            before = open(*++words, O_RDONLY | O_CLOEXEC);
            if (before < 0 || setns(before, CLONE_NEWNET) < 0) unable("enter the namespace");
        } else if (!add_line(text, sizeof text, *words)) {
            die(USAGE, "neither KEY=VALUE nor an option: %s", *words);
        } else if (strncmp(*words, "type=", 5) == 0) {
            type = *words + 5;
        }
    }
    if (!*words || !words[1]) die(USAGE, "attach … -- PROG ARGS…");
    int s = connect_to(socket_path);
    attach(s, text, type, &got);
    close(s);
    setenv("ONTAP_IFNAME", must(&got, "link"), 1);
    setenv("ONTAP_HWADDR", must(&got, "hwaddr"), 1);
    setenv("ONTAP_MTU", must(&got, "mtu"), 1);
    const char *fds = value_of(&got, "fds");
    int taps = 0, i = 0;
    for (; fds && *fds; i++) {
        size_t length = strcspn(fds, " ");
        if (i >= got.fds) die(WRONG, "fewer descriptors than words in `fds`");
        char name[24] = "ONTAP_LEASE_FD";
        if (length == 3 && strncmp(fds, "tap", 3) == 0) snprintf(name, sizeof name, "ONTAP_FD%d", taps++);
        else if (length != 5 || strncmp(fds, "lease", 5) != 0) die(WRONG, "neither tap nor lease: %s", fds);
        set_number(name, got.fd[i]);
        fcntl(got.fd[i], F_SETFD, 0);
        fds += length + strspn(fds + length, " ");
    }
    if (i != got.fds) die(WRONG, "%d words in `fds`, %d descriptors", i, got.fds);
    execvp(words[1], words + 1);
    unable(words[1]);
    return UNABLE;
}

static void print(const struct message *m) {
    printf("%s", m->word);
    for (int i = 0; i < m->lines; i++) printf(" %s=%s", m->key[i], m->value[i]);
    puts("");
}

static int leases(const char *socket_path) {
    static struct message got;
    int s = connect_to(socket_path), n = 0;
    ask(s, "ontap 1 leases\n", 15, -1);
    for (need_answer(s, &got); strcmp(got.word, "lease") == 0; need_answer(s, &got), n++) print(&got);
    need_ok(&got);
    if (atoi(must(&got, "count")) != n) die(WRONG, "`count %s` after %d leases", value_of(&got, "count"), n);
    return OK;
}

static int say(const char *socket_path) {
    static struct message got;
    static char text[65536];
    size_t size = fread(text, 1, sizeof text, stdin);
    int s = connect_to(socket_path);
    ask(s, text, size, -1);
    shutdown(s, SHUT_WR);
    while (answer(s, &got)) print(&got);
    return OK;
}

int main(int argc, char **argv) {
    if (argc < 3) die(USAGE, "SOCKET attach | leases | release | say | cycle …");
    const char *path = argv[1], *verb = argv[2];
    if (strcmp(verb, "attach") == 0) return attach_and_run(path, argv + 3);
    if (strcmp(verb, "leases") == 0 && argc == 3) return leases(path);
    if (strcmp(verb, "say") == 0 && argc == 3) return say(path);
    if (strcmp(verb, "cycle") == 0) return cycle(path, argv + 3);
    if (strcmp(verb, "release") != 0 || argc != 4) die(USAGE, "attach | leases | release ID | say | cycle …");
    release(connect_to(path), argv[3]);
    return OK;
}
