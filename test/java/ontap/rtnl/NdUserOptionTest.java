// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import ontap.netlink.Message;
import ontap.netlink.NetlinkFormatException;
import org.junit.jupiter.api.Test;

/** struct nduseroptmsg of linux/rtnetlink.h, written by hand. */
class NdUserOptionTest {
    private static final byte[] OPTION = {25, 1, 0, 0, 0, 0, 14, 16};

    @Test
    void readsOneOption() {
        final RtnlEvent.NdUserOption event = (RtnlEvent.NdUserOption) RtnlMonitor.event(message(10, 134, 8, 3, payload()));
        assertEquals(3, event.nsid(), "whose");
        assertEquals(7, event.index(), "on which link");
        assertArrayEquals(OPTION, event.option(), "and what; the router's address behind it is no option");
        assertEquals(event, RtnlMonitor.event(message(10, 134, 8, 3, payload())), "two readings are equal");
        assertNull(((RtnlEvent.NdUserOption) RtnlMonitor.event(message(10, 134, 8, null, payload()))).nsid(), "our own");
    }

    @Test
    void leavesAloneWhatIsNoAdvertisement() {
        assertNull(RtnlMonitor.event(message(2, 134, 8, null, payload())), "of IPv4");
        assertNull(RtnlMonitor.event(message(10, 137, 8, null, payload())), "of another ICMPv6 type");
    }

    @Test
    void refusesWhatIsCut() {
        final byte[] whole = payload();
        for (int n = 0; n < 16 + OPTION.length; n++) {
            final Message cut = message(10, 134, 8, null, Arrays.copyOf(whole, n));
            assertThrows(NetlinkFormatException.class, () -> RtnlMonitor.event(cut), n + " bytes");
        }
        final Message tooLong = message(10, 134, 0xffff, null, whole);
        assertThrows(NetlinkFormatException.class, () -> RtnlMonitor.event(tooLong), "more options than there are bytes");
    }

    /** The header is written by {@link #message}; then come the option, and NDUSEROPT_SRCADDR. */
    private static byte[] payload() {
        return ByteBuffer.allocate(16 + OPTION.length + 20).order(ByteOrder.nativeOrder())
                .position(16).put(OPTION).putShort((short) 20).putShort((short) 1).array();
    }

    private static Message message(final int family, final int icmp, final int length, final Integer nsid,
            final byte[] payload) {
        final ByteBuffer b = ByteBuffer.wrap(Arrays.copyOf(payload, Math.max(16, payload.length)))
                .order(ByteOrder.nativeOrder());
        b.put(0, (byte) family).putShort(2, (short) length).putInt(4, 7).put(8, (byte) icmp);
        return new Message(RtnlConstants.RTM_NEWNDUSEROPT, 0, 0, 0, Arrays.copyOf(b.array(), payload.length), nsid);
    }
}
