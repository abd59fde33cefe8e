// SPDX-License-Identifier: Apache-2.0
//
// What the guest and its DHCP client know of one another.
#ifndef ONTAP_GUEST_H
#define ONTAP_GUEST_H

#include "frames.h"

extern const char *guest_name;
int64_t now_ms(void);

// From now on the guest has this address; with `probe` only after it has seen that nobody else has.
void take(const struct address *a, bool probe);
void drop(const struct address *a);

void dhcp_begin(bool broadcast);
void dhcp_answer(const struct frame *f);
void dhcp_release(void);
// Asks again when it is time; when it will be time next.
int64_t dhcp_due(int64_t now);

#endif
