// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.net.Inet6Address;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What a router tells the hosts of its link (RFC 4861, section 4.2), without the ICMPv6 checksum, which the kernel
 * makes and verifies.
 *
 * @param hopLimit what hosts shall send with, 0 says nothing
 * @param flags {@link #MANAGED}, {@link #OTHER}, and bits of later RFCs
 * @param lifetimeSeconds how long it may be a default router, 0 to 65535; 0: it is none
 * @param reachableMs 0 says nothing
 * @param retransmitMs 0 says nothing
 * @param options in their order
 */
public record RouterAdvertisement(
        int hopLimit, int flags, int lifetimeSeconds, long reachableMs, long retransmitMs, List<NdpOption> options) {
    /** ICMPv6 type of an advertisement. */
    public static final int TYPE = 134;
    /** ICMPv6 type of the solicitation that asks for one (section 4.1). */
    public static final int SOLICITATION = 133;
    /** Addresses are to be had by DHCPv6. */
    public static final int MANAGED = 0x80;
    /** Other things are to be had by DHCPv6. */
    public static final int OTHER = 0x40;

    private static final int SIZE = 16;
    private static final int SOLICITATION_SIZE = 8;
    private static final int HOP_LIMIT = 64;
    private static final int LIFETIME_SECONDS = 1800;
    private static final long DAY_SECONDS = 86400;

    /** IllegalArgumentException for a number that its field cannot hold. */
    public RouterAdvertisement {
        options = List.copyOf(options);
        if ((hopLimit | flags) >>> 8 != 0 || lifetimeSeconds >>> 16 != 0
                || (reachableMs | retransmitMs) >>> 32 != 0) {
            throw new IllegalArgumentException("should have hop limit and flags of 8 bits, a lifetime of 16 and times"
                    + " of 32: " + hopLimit + " " + flags + " " + lifetimeSeconds + " " + reachableMs + " "
                    + retransmitMs);
        }
    }

    /** A default router of a link with these prefixes, of which hosts make themselves addresses. */
    public static RouterAdvertisement of(final List<NdpOption> options) {
        return new RouterAdvertisement(HOP_LIMIT, 0, LIFETIME_SECONDS, 0, 0, options);
    }

    /** A prefix on the link, valid for a day, preferred for half of one. */
    public static NdpOption.Prefix prefix(final Inet6Address prefix, final int length) {
        final int flags = NdpOption.Prefix.ON_LINK | NdpOption.Prefix.AUTONOMOUS;
        return new NdpOption.Prefix(prefix, length, flags, DAY_SECONDS, DAY_SECONDS / 2);
    }

    /** The same with one more option at the end. */
    public RouterAdvertisement with(final NdpOption option) {
        final List<NdpOption> more = new ArrayList<>(options);
        more.add(option);
        return new RouterAdvertisement(hopLimit, flags, lifetimeSeconds, reachableMs, retransmitMs, more);
    }

    /** The last one of a router that goes away (section 6.2.5). */
    public RouterAdvertisement farewell() {
        return new RouterAdvertisement(hopLimit, flags, 0, reachableMs, retransmitMs, options);
    }

    /** The message, its checksum 0. */
    public byte[] encode() {
        int size = SIZE;
        for (final NdpOption option : options) {
            size += option.size();
        }
        final ByteBuffer out = ByteBuffer.allocate(size);
        out.put((byte) TYPE).put((byte) 0).putShort((short) 0);
        out.put((byte) hopLimit).put((byte) flags).putShort((short) lifetimeSeconds);
        out.putInt((int) reachableMs).putInt((int) retransmitMs);
        for (final NdpOption option : options) {
            NdpOption.write(option, out);
        }
        return out.array();
    }

    /**
     * Reads a message as section 6.1.2 wants it; the checksum and reserved fields are not looked at.
     * {@link NdpFormatException} for anything else.
     */
    public static RouterAdvertisement parse(final byte[] bytes, final int length) {
        final NdpReader in = new NdpReader(bytes, 0, length, "router advertisement");
        header(in, TYPE);
        final int hopLimit = in.u8();
        final int flags = in.u8();
        final int lifetime = in.u16();
        final long reachable = in.u32();
        final long retransmit = in.u32();
        final List<NdpOption> options = options(in);
        return new RouterAdvertisement(hopLimit, flags, lifetime, reachable, retransmit, options);
    }

    /**
     * The options of a router solicitation that is as section 6.1.1 wants it; {@link NdpFormatException} for anything
     * else. Hop limit and source address are the receiver's to look at.
     */
    public static List<NdpOption> parseSolicitation(final byte[] bytes, final int length) {
        final NdpReader in = new NdpReader(bytes, 0, length, "router solicitation");
        header(in, SOLICITATION);
        in.skip(SOLICITATION_SIZE - Integer.BYTES);
        return options(in);
    }

    private static void header(final NdpReader in, final int type) {
        final int found = in.u8();
        final int code = in.u8();
        if (in.left() > 0 && (found != type || code != 0)) {
            in.reject("ICMPv6 type " + found + " code " + code);
        }
        in.skip(Short.BYTES);
    }

    private static List<NdpOption> options(final NdpReader in) {
        final List<NdpOption> options = new ArrayList<>();
        in.check();
        while (in.left() > 0) {
            final NdpOption option = NdpOption.read(in);
            in.check();
            options.add(option);
        }
        return options;
    }
}
