// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.util.List;

/**
 * What became of one request.
 *
 * @param messages the answers, in order, without the acknowledgement
 * @param error the refusal, null when the kernel acknowledged
 */
public record Reply(List<Message> messages, NetlinkException error) {
    /** The answers; throws the refusal when there is one. */
    public List<Message> orThrow() {
        if (error != null) {
            throw error;
        }
        return messages;
    }
}
