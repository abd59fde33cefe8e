// SPDX-License-Identifier: Apache-2.0
//
// The protocol of doc/protocol.md, as a client sees it. What cannot go on ends the program.
#ifndef ONTAP_PROTOCOL_H
#define ONTAP_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

// How the program ends.
enum { OK = 0, WRONG = 1, REFUSED = 3, USAGE = 100, UNABLE = 111 };

enum { MOST_FDS = 65, MOST_LINES = 64 };

// An answer: the word of its first line, its lines and the descriptors that came with it.
struct message {
    char text[65536], *word, *key[MOST_LINES], *value[MOST_LINES];
    int lines, fd[MOST_FDS], fds;
};

// Ends the program with a sentence.
void die(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
#define unable(what) die(UNABLE, "unable to %s: %s", (what), strerror(errno))

int connect_to(const char *path);

// Sends one packet, with a descriptor unless fd is -1.
void ask(int s, const char *text, size_t size, int fd);

// Reads one answer; false when the daemon has closed the connection.
bool answer(int s, struct message *to);
void need_answer(int s, struct message *to);

// Ends the program unless the answer is `ok`.
void need_ok(const struct message *m);

// The value of a line; NULL when there is none, or for must() the end of the program.
const char *value_of(const struct message *m, const char *key);
const char *must(const struct message *m, const char *key);

// Appends the line that the word KEY=VALUE stands for; false when it is no such word.
bool add_line(char *text, size_t size, const char *word);

// Does this type's link go into the network namespace of the client?
bool into_namespace(const char *type);
void fresh_namespace(void);

// Asks for a link, with the network namespace of this process where the type wants one.
void attach(int s, const char *text, const char *type, struct message *got);
void release(int s, const char *id);

// The link is what the answer says, seen by its descriptors or from inside the namespace, else the program ends.
void verify(const struct message *m, const char *type, int queues, bool holder);

// N links one after another: the command `cycle`.
int cycle(const char *path, char **words);

#endif
