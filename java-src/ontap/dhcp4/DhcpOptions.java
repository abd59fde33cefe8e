// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The options of a message (RFC 2132): code to bytes, and what the bytes mean. A value that cannot be what it should be
 * is as if the option were not there.
 */
public final class DhcpOptions {
    public static final int MASK = 1;
    public static final int ROUTERS = 3;
    public static final int DNS = 6;
    public static final int HOSTNAME = 12;
    public static final int DOMAIN = 15;
    public static final int MTU = 26;
    public static final int BROADCAST = 28;
    public static final int STATIC_ROUTES = 33;
    public static final int NTP = 42;
    public static final int REQUESTED = 50;
    public static final int LEASE = 51;
    public static final int TYPE = 53;
    public static final int SERVER_ID = 54;
    /** The options that a client asks for. */
    public static final int WANTED = 55;
    public static final int MESSAGE = 56;
    /** Of the longest message that the client takes. */
    public static final int MAX_SIZE = 57;
    public static final int T1 = 58;
    public static final int T2 = 59;
    public static final int CLIENT_ID = 61;
    /** RFC 3397. */
    public static final int SEARCH = 119;
    /** RFC 3442. */
    public static final int CLASSLESS_ROUTES = 121;
    /** No options. */
    public static final DhcpOptions NONE = new DhcpOptions(new TreeMap<>());

    private static final int MTU_LEAST = 576;

    private final SortedMap<Integer, byte[]> values;

    private DhcpOptions(final SortedMap<Integer, byte[]> values) {
        this.values = values;
    }

    /** Options of these codes, 1 to 254 without 52, with copies of these values. */
    public static DhcpOptions of(final Map<Integer, byte[]> values) {
        final SortedMap<Integer, byte[]> copies = new TreeMap<>();
        values.forEach((code, value) -> copies.put(checked(code), value.clone()));
        return new DhcpOptions(copies);
    }

    /** These options and one more, or one in another's place. */
    public DhcpOptions with(final int code, final byte[] value) {
        final SortedMap<Integer, byte[]> more = new TreeMap<>(values);
        more.put(checked(code), value.clone());
        return new DhcpOptions(more);
    }

    /** The codes there are, in ascending order. */
    public Set<Integer> codes() {
        return new TreeMap<>(values).navigableKeySet();
    }

    /** A copy of an option's bytes; null when it is not there. */
    public byte[] bytes(final int code) {
        final byte[] value = values.get(code);
        return value == null ? null : value.clone();
    }

    /** The same as hexadecimal text. */
    public String hex(final int code) {
        final byte[] value = values.get(code);
        return value == null ? null : HexFormat.of().formatHex(value);
    }

    /** Type of the message; 0 when it is not said. */
    public int type() {
        return has(TYPE, 1) ? values.get(TYPE)[0] & 0xff : 0;
    }

    /** An option that is one address; null for none. */
    public InetAddress address(final int code) {
        return has(code, Integer.BYTES) ? ip4(values.get(code), 0) : null;
    }

    /** An option that is a list of addresses. */
    public List<InetAddress> addresses(final int code) {
        final List<InetAddress> addresses = new ArrayList<>();
        final byte[] value = values.get(code);
        if (value != null && value.length % Integer.BYTES == 0) {
            for (int at = 0; at < value.length; at += Integer.BYTES) {
                addresses.add(ip4(value, at));
            }
        }
        return addresses;
    }

    /** An option that is a number of seconds, 0 to {@link DhcpMessage#INFINITY}; null for none. */
    public Long seconds(final int code) {
        return has(code, Integer.BYTES) ? Integer.toUnsignedLong(ByteBuffer.wrap(values.get(code)).getInt()) : null;
    }

    /** Length of the prefix that the mask tells; 0 for none, and where a mask has holes. */
    public int prefix() {
        final int bits = has(MASK, Integer.BYTES) ? ByteBuffer.wrap(values.get(MASK)).getInt() : 0;
        final int length = Integer.numberOfLeadingZeros(~bits);
        return bits == mask(length) ? length : 0;
    }

    /** MTU of the link; 0 for none, and for one that IPv4 does not work well with. */
    public int mtu() {
        final int mtu = has(MTU, Short.BYTES) ? ByteBuffer.wrap(values.get(MTU)).getShort() & 0xffff : 0;
        return mtu < MTU_LEAST ? 0 : mtu;
    }

    /** An option that is a name of DNS; null for none, and for what is no such name. */
    public String name(final int code) {
        return values.containsKey(code) ? OptionText.name(values.get(code)) : null;
    }

    /** What the server or the client says for people to read; null for nothing. */
    public String message() {
        return values.containsKey(MESSAGE) ? OptionText.sentence(values.get(MESSAGE)) : null;
    }

    /** Domains to look names up in. */
    public List<String> search() {
        return values.containsKey(SEARCH) ? SearchList.read(values.get(SEARCH)) : List.of();
    }

    /** Routes to networks with a prefix; where there are any, routers and static routes do not count (RFC 3442). */
    public List<DhcpRoute> classlessRoutes() {
        return values.containsKey(CLASSLESS_ROUTES) ? RouteList.classless(values.get(CLASSLESS_ROUTES)) : List.of();
    }

    /** Routes to networks whose prefix is that of their class, or to single hosts. */
    public List<DhcpRoute> staticRoutes() {
        return values.containsKey(STATIC_ROUTES) ? RouteList.classful(values.get(STATIC_ROUTES)) : List.of();
    }

    @Override
    public boolean equals(final Object other) {
        return other instanceof DhcpOptions o && values.keySet().equals(o.values.keySet())
                && values.keySet().stream().allMatch(code -> Arrays.equals(values.get(code), o.values.get(code)));
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }

    /** Codes and bytes in hexadecimal. */
    @Override
    public String toString() {
        final List<String> texts = new ArrayList<>();
        values.forEach((code, value) -> texts.add(code + "=" + HexFormat.of().formatHex(value)));
        return texts.toString();
    }

    /** Not to be changed, nor the arrays in it. */
    SortedMap<Integer, byte[]> values() {
        return values;
    }

    static int mask(final int length) {
        return length == 0 ? 0 : -1 << Integer.SIZE - length;
    }

    static InetAddress ip4(final int bits) {
        return ip4(ByteBuffer.allocate(Integer.BYTES).putInt(bits).array(), 0);
    }

    static InetAddress ip4(final byte[] bytes, final int at) {
        try {
            return InetAddress.getByAddress(Arrays.copyOfRange(bytes, at, at + Integer.BYTES));
        } catch (final UnknownHostException e) {
            throw new IllegalStateException("four bytes are an address", e);
        }
    }

    private boolean has(final int code, final int length) {
        final byte[] value = values.get(code);
        return value != null && value.length == length;
    }

    private static int checked(final int code) {
        if (!OptionFields.says(code)) {
            throw new IllegalArgumentException("no code of an option: " + code);
        }
        return code;
    }
}
