// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class NamesTest {
    @Test
    void namesFlagsByWhatTheMessageDoes() {
        assertEquals("request|dump|0x800", Names.flags(0xb01, Names.Verb.GET), "a dump and an unknown bit");
        assertEquals("request|ack|excl|create", Names.flags(0x605, Names.Verb.MAKE), "a creation");
        assertEquals("request|root", Names.flags(0x101, Names.Verb.GET), "half of a dump");
        assertEquals("request|ack|nonrec", Names.flags(0x105, Names.Verb.DELETE), "a deletion");
        assertEquals("capped|ack-tlvs", Names.flags(0x300, Names.Verb.ANSWER), "an acknowledgement");
        assertEquals("multi|dump-intr", Names.flags(0x12, Names.Verb.ANSWER), "part of a dump");
        assertEquals("0", Names.flags(0, Names.Verb.GET), "no flags");
    }

    @Test
    void keepsUnknownNumbersReadable() {
        assertEquals("NLMSG_DONE", Names.type(3), "a known type");
        assertEquals("UNKNOWN(7)", Names.type(7), "an unknown type");
        assertEquals("UNKNOWN(16)", Dialect.NUMBERS.type(16), "a family without names");
    }

    @Test
    void printsAMessage() {
        final Message m = new Message(
                NetlinkConstants.NLMSG_DONE, NetlinkConstants.NLM_F_MULTI, 9, 1, new byte[4], 3);
        assertEquals(
                "nl: < NLMSG_DONE multi seq 9 bytes 20 nsid 3: 00000000", Trace.text('<', m, Dialect.NUMBERS), "control");
        final Message r = new Message(
                16, NetlinkConstants.NLM_F_REQUEST, 1, 0, new AttributeWriter().string(3, "eth0").toBytes(), null);
        final String text = Trace.text('>', r, Dialect.NUMBERS);
        assertTrue(text.contains("UNKNOWN(3) 6574683000 \"eth0\""), "an attribute on a line of its own: " + text);
    }
}
