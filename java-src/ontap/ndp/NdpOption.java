// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.net.Inet6Address;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** An option of a message of neighbour discovery (RFC 4861, section 4.6): type, length in units of 8 bytes, value. */
public sealed interface NdpOption {
    /** For ever, as a lifetime in seconds. */
    long INFINITY = 0xffffffffL;
    /** Bytes in a unit of length. */
    int UNIT = 8;
    /** Type and length. */
    int HEADER = 2;

    /** The number of this kind of option. */
    int type();

    /** Bytes in all, a multiple of 8. */
    int size();

    /** Writes the value, what follows type and length, {@code size() - 2} bytes. */
    void writeValue(ByteBuffer out);

    /**
     * Prefix Information (RFC 4861, section 4.6.2).
     *
     * @param prefix what is behind the prefix length is not looked at
     * @param length bits, 0 to 128
     * @param flags {@link #ON_LINK}, {@link #AUTONOMOUS}
     * @param validSeconds up to {@link NdpOption#INFINITY}
     * @param preferredSeconds up to {@link NdpOption#INFINITY}
     */
    record Prefix(Inet6Address prefix, int length, int flags, long validSeconds, long preferredSeconds)
            implements NdpOption {
        public static final int TYPE = 3;
        /** Addresses of the prefix are reached without a router. */
        public static final int ON_LINK = 0x80;
        /** Hosts make themselves an address of it (RFC 4862). */
        public static final int AUTONOMOUS = 0x40;
        private static final int SIZE = 32;
        private static final int LENGTH_MAX = 128;

        public Prefix {
            within("prefix length", length, LENGTH_MAX);
            within("flags", flags, 0xff);
            within("valid lifetime", validSeconds, INFINITY);
            within("preferred lifetime", preferredSeconds, INFINITY);
        }

        @Override
        public int type() {
            return TYPE;
        }

        @Override
        public int size() {
            return SIZE;
        }

        @Override
        public void writeValue(final ByteBuffer out) {
            out.put((byte) length).put((byte) flags);
            out.putInt((int) validSeconds).putInt((int) preferredSeconds).putInt(0);
            out.put(prefix.getAddress());
        }
    }

    /** MTU of the link, bytes (RFC 4861, section 4.6.4). */
    record Mtu(long bytes) implements NdpOption {
        public static final int TYPE = 5;

        public Mtu {
            within("MTU", bytes, INFINITY);
        }

        @Override
        public int type() {
            return TYPE;
        }

        @Override
        public int size() {
            return UNIT;
        }

        @Override
        public void writeValue(final ByteBuffer out) {
            out.putShort((short) 0).putInt((int) bytes);
        }
    }

    /** Addresses of resolvers and how long they may be asked (RFC 8106, section 5.1). */
    record Rdnss(long lifetimeSeconds, List<Inet6Address> addresses) implements NdpOption {
        public static final int TYPE = 25;
        private static final int MOST = 127;

        public Rdnss {
            within("lifetime", lifetimeSeconds, INFINITY);
            addresses = List.copyOf(addresses);
            if (addresses.isEmpty() || addresses.size() > MOST) {
                throw new IllegalArgumentException("should have 1 to " + MOST + " addresses: " + addresses.size());
            }
        }

        @Override
        public int type() {
            return TYPE;
        }

        @Override
        public int size() {
            return UNIT * (1 + 2 * addresses.size());
        }

        @Override
        public void writeValue(final ByteBuffer out) {
            out.putShort((short) 0).putInt((int) lifetimeSeconds);
            for (final Inet6Address address : addresses) {
                out.put(address.getAddress());
            }
        }
    }

    /**
     * Domains in which short names are looked up, and how long (RFC 8106, section 5.2). Of what was read, only those
     * are here that are names of hosts: letters, digits, hyphens and underscores.
     *
     * @param domains {@code lan.example.org}, without a dot at the end
     */
    record Dnssl(long lifetimeSeconds, List<String> domains) implements NdpOption {
        public static final int TYPE = 31;
        private static final int SIZE_MAX = 0xff * UNIT;

        public Dnssl {
            within("lifetime", lifetimeSeconds, INFINITY);
            domains = List.copyOf(domains);
            for (final String domain : domains) {
                if (!Domains.isDomain(domain)) {
                    throw new IllegalArgumentException("should be a domain: \"" + domain + "\"");
                }
            }
            if (domains.isEmpty() || UNIT + Domains.size(domains) > SIZE_MAX) {
                throw new IllegalArgumentException("should be 1 to some 1000 characters of domains: " + domains.size());
            }
        }

        @Override
        public int type() {
            return TYPE;
        }

        @Override
        public int size() {
            return UNIT + (Domains.size(domains) + UNIT - 1) / UNIT * UNIT;
        }

        @Override
        public void writeValue(final ByteBuffer out) {
            final int end = out.position() + size() - HEADER;
            out.putShort((short) 0).putInt((int) lifetimeSeconds);
            Domains.write(domains, out);
            while (out.position() < end) {
                out.put((byte) 0);
            }
        }
    }

    /**
     * Any other option, and Source Link-Layer Address (RFC 4861, section 4.6.1), which is bytes too: the hardware
     * address, with zeros behind it up to a multiple of 8.
     *
     * @param type 0 to 255
     * @param value what follows type and length: 6, 14, 22… bytes; not to be changed
     */
    record Raw(int type, byte[] value) implements NdpOption {
        public static final int SOURCE_LINK_LAYER = 1;
        private static final int VALUE_MAX = 0xff * UNIT - HEADER;

        public Raw {
            within("type", type, 0xff);
            if ((value.length + HEADER) % UNIT != 0 || value.length == 0 || value.length > VALUE_MAX) {
                throw new IllegalArgumentException("should be 6 bytes, or a multiple of 8 more: " + value.length);
            }
        }

        /** Source Link-Layer Address; 6 bytes on Ethernet. */
        public static Raw sourceLinkLayer(final byte[] hwaddr) {
            final int units = (hwaddr.length + HEADER + UNIT - 1) / UNIT;
            return new Raw(SOURCE_LINK_LAYER, Arrays.copyOf(hwaddr, units * UNIT - HEADER));
        }

        @Override
        public int size() {
            return HEADER + value.length;
        }

        @Override
        public void writeValue(final ByteBuffer out) {
            out.put(value);
        }

        // A record compares arrays by identity.

        @Override
        public boolean equals(final Object other) {
            return other instanceof Raw o && type == o.type && Arrays.equals(value, o.value);
        }

        @Override
        public int hashCode() {
            return 31 * type + Arrays.hashCode(value);
        }

        @Override
        public String toString() {
            return "Raw[type=" + type + ", value=" + HexFormat.of().formatHex(value) + "]";
        }
    }

    /** Writes type, length and value. */
    static void write(final NdpOption option, final ByteBuffer out) {
        out.put((byte) option.type()).put((byte) (option.size() / UNIT));
        option.writeValue(out);
    }

    /** The options in these bytes, one after the other; {@link NdpFormatException} when they are not whole. */
    static List<NdpOption> parse(final byte[] bytes) {
        final NdpReader in = new NdpReader(bytes, 0, bytes.length, "options");
        final List<NdpOption> options = new ArrayList<>();
        while (in.left() > 0) {
            final NdpOption option = read(in);
            in.check();
            options.add(option);
        }
        return options;
    }

    /** Reads the next option; null and a sticky error when there is none. A length of 0 is refused (section 6.1.2). */
    static NdpOption read(final NdpReader in) {
        final int type = in.u8();
        final int units = in.u8();
        if (units == 0) {
            in.reject("option " + type + " of length 0");
        }
        final NdpReader value = in.part(units * UNIT - HEADER, "option " + type);
        final NdpOption option = switch (type) {
            case Prefix.TYPE -> prefix(value);
            case Mtu.TYPE -> mtu(value);
            case Rdnss.TYPE -> rdnss(value);
            case Dnssl.TYPE -> dnssl(value);
            default -> value.left() == 0 ? null : new Raw(type, value.bytes(value.left()));
        };
        if (value.left() > 0) {
            value.reject(value.left() + " bytes more than are due");
        }
        value.check();
        return option;
    }

    private static NdpOption prefix(final NdpReader in) {
        final int length = in.u8();
        if (length > Prefix.LENGTH_MAX) {
            in.reject("a prefix of " + length + " bits");
        }
        final int flags = in.u8();
        final long valid = in.u32();
        final long preferred = in.u32();
        in.skip(Integer.BYTES);
        final Inet6Address prefix = in.ip();
        return prefix == null ? null : new Prefix(prefix, length, flags, valid, preferred);
    }

    private static NdpOption mtu(final NdpReader in) {
        in.skip(Short.BYTES);
        return new Mtu(in.u32());
    }

    private static NdpOption rdnss(final NdpReader in) {
        in.skip(Short.BYTES);
        final long lifetime = in.u32();
        final List<Inet6Address> addresses = new ArrayList<>();
        do {
            final Inet6Address address = in.ip();
            if (address == null) {
                return null;
            }
            addresses.add(address);
        } while (in.left() > 0);
        return new Rdnss(lifetime, addresses);
    }

    private static NdpOption dnssl(final NdpReader in) {
        in.skip(Short.BYTES);
        final long lifetime = in.u32();
        final List<String> domains = Domains.read(in);
        if (domains.isEmpty()) {
            in.reject("no domain");
            return null;
        }
        return new Dnssl(lifetime, domains);
    }

    private static void within(final String what, final long value, final long max) {
        if (value < 0 || value > max) {
            throw new IllegalArgumentException(what + " should be 0 to " + max + ": " + value);
        }
    }
}
