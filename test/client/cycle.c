// SPDX-License-Identifier: Apache-2.0
//
// Many links one after another, each had by a child of its own; half of the children are killed.
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t random_state;

static uint64_t chance(uint64_t below) {  // splitmix64
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

// What a child tells its parent: how far it is, and how long its request took.
enum stage { BORN, ASKED, HAS, STAGES };
struct step { enum stage stage; uint32_t us; };

static void tell(int to, enum stage stage, uint64_t us) {
    struct step step = {stage, (uint32_t)us};
    if (write(to, &step, sizeof step) != sizeof step) _exit(UNABLE);
}

static void child(const char *path, const char *type, const char *text, int queues, bool holder, bool stays,
                  bool releases, int to) {
    static struct message got;
    if (into_namespace(type)) fresh_namespace();
    uint64_t begin = now_us();
    int s = connect_to(path);
    tell(to, ASKED, 0);
    attach(s, text, type, &got);
    tell(to, HAS, now_us() - begin);
    verify(&got, type, queues, holder);
    if (stays)
        for (;;) pause();
    if (releases) {
        struct ifreq r;
        release(s, value_of(&got, "id"));
        if (into_namespace(type) ? if_nametoindex(value_of(&got, "link")) != 0 : ioctl(got.fd[0], TUNGETIFF, &r) == 0)
            die(WRONG, "the link %s is there after its release", value_of(&got, "link"));
    }
    exit(OK);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int cycle(const char *path, char **words) {
    int n = words[0] ? atoi(words[0]) : 0, queues = 1;
    if (n < 1 || !words[1]) die(USAGE, "cycle N TYPE [--kill-half SEED] [KEY=VALUE…]");
    const char *type = words[1];
    bool kills = false, holder = false;
    char text[8192] = "ontap 1 attach\n", line[64];
    snprintf(line, sizeof line, "type=%s", type);
    add_line(text, sizeof text, line);
    for (words += 2; *words; words++) {
        if (strcmp(*words, "--kill-half") == 0 && words[1]) {
            kills = true;
            random_state = strtoull(*++words, NULL, 10);
            printf("cycle: seed %s\n", *words);
        } else if (!add_line(text, sizeof text, *words)) {
            die(USAGE, "neither KEY=VALUE nor an option: %s", *words);
        } else if (strncmp(*words, "queues=", 7) == 0) {
            queues = atoi(*words + 7);
        } else {
            holder |= strcmp(*words, "lease=holder") == 0;
        }
    }
    uint32_t *took = calloc(n, sizeof *took);
    uint64_t spans = 0, started = now_us();
    int had = 0, clean = 0, failed = 0, killed[STAGES] = {0};
    for (int i = 0; i < n && failed < 5; i++) {
        // the first ones end by themselves: how long a cycle takes says when to kill the others
        bool kill_it = kills && i >= 4 && (i % 2 == 0 || i < 8);
        int channel[2], status;
        if (pipe2(channel, O_CLOEXEC) < 0) unable("make a pipe");
        fflush(NULL);
        uint64_t begin = now_us();
        pid_t pid = fork();
        if (pid < 0) unable("fork");
        if (pid == 0) child(path, type, text, queues, holder, kill_it, i % 4 == 1, channel[1]);
        close(channel[1]);
        if (kill_it) {
            uint64_t us = chance(spans / clean * 3 / 2);
            nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
            kill(pid, SIGKILL);
        }
        if (waitpid(pid, &status, 0) < 0) unable("wait");
        uint64_t span = now_us() - begin;
        struct step step = {BORN, 0};
        while (read(channel[0], &step, sizeof step) == sizeof step) {}
        close(channel[0]);
        if (step.stage == HAS) took[had++] = step.us;
        if (kill_it && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            killed[step.stage]++;
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == OK && !kill_it) {
            clean++;
            spans += span;
        } else {
            printf("cycle: number %d of %s failed (status %#x)\n", i + 1, type, status);
            failed++;
        }
    }
    qsort(took, had, sizeof *took, ascending);
    printf("cycle: %d of %s: %d ended by themselves; killed: %d before they asked, %d before the answer, %d with it\n", n,
           type, clean, killed[BORN], killed[ASKED], killed[HAS]);
    if (had)
        printf("cycle: %d answers after p50 %.1f ms, p99 %.1f ms, at most %.1f ms; %.1f s in all\n", had, took[had / 2] / 1e3,
               took[had * 99 / 100] / 1e3, took[had - 1] / 1e3, (now_us() - started) / 1e6);
    puts(failed ? "cycle: failed" : "cycle: passed");
    return failed ? WRONG : OK;
}
