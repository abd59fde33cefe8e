// SPDX-License-Identifier: Apache-2.0
//
// How long an attach takes: many of them one after another, for test/bench/attach.
//
//   gcc -std=c11 -O1 -Wall -Wextra -Werror -o attaches attaches.c protocol.c
//
//   attaches SOCKET TYPE [KEY=VALUE…] -- PID…
//
// One link for each PID: for ipvlan and macvlan in its network namespace, for the others as descriptors.
// Each is asked for on a connection of its own. Prints the microseconds of each, from before the connect to
// after the answer, a line each; then ends, and leaves a process behind that holds what came with the
// answers: its pid is the last line.
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int namespace_of(const char *pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int main(int argc, char **argv) {
    static struct message got;
    char text[8192] = "ontap 1 attach\n", line[64];
    if (argc < 5) die(USAGE, "attaches SOCKET TYPE [KEY=VALUE…] -- PID…");
    const char *path = argv[1], *type = argv[2];
    snprintf(line, sizeof line, "type=%s", type);
    add_line(text, sizeof text, line);
    char **words = argv + 3;
    for (; *words && strcmp(*words, "--") != 0; words++)
        if (!add_line(text, sizeof text, *words)) die(USAGE, "not KEY=VALUE: %s", *words);
    if (!*words) die(USAGE, "-- PID…");
    int n = argv + argc - ++words;
    uint64_t *took = calloc(n, sizeof *took);
    for (int i = 0; i < n; i++) {
        uint64_t begin = now_us();
        int net = into_namespace(type) ? namespace_of(words[i]) : -1;
        if (into_namespace(type) && net < 0) unable(words[i]);
        int s = connect_to(path);
        ask(s, text, strlen(text), net);
        need_answer(s, &got);
        took[i] = now_us() - begin;
        need_ok(&got);
        close(s);
        if (net >= 0) close(net);
    }
    for (int i = 0; i < n; i++) printf("%llu\n", (unsigned long long)took[i]);
    fflush(stdout);
    pid_t holder = fork();
    if (holder < 0) unable("fork");
    if (holder == 0) {
        fclose(stdout);
        for (;;) pause();
    }
    printf("%d\n", holder);
    return OK;
}
