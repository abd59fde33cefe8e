// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.net.Inet6Address;
import java.net.UnknownHostException;
import java.util.Arrays;

/**
 * A cursor over a message in network byte order, with a sticky error: after the first mistake all getters give zero or
 * nothing, and only {@link #check} throws.
 */
final class NdpReader {
    private static final int IP = 16;

    private final byte[] bytes;
    private final int end;
    private final String what;
    private int at;
    private String error;

    /** The bytes from {@code start} to {@code end}; {@code what} names them in the error. */
    NdpReader(final byte[] bytes, final int start, final int end, final String what) {
        this.bytes = bytes;
        this.at = start;
        this.end = Math.min(end, bytes.length);
        this.what = what;
    }

    /** Bytes that are left; none after a mistake. */
    int left() {
        return error == null ? end - at : 0;
    }

    int u8() {
        return take(1) ? bytes[at - 1] & 0xff : 0;
    }

    int u16() {
        final int high = u8();
        return high << 8 | u8();
    }

    long u32() {
        final long high = u16();
        return high << 16 | u16();
    }

    void skip(final int count) {
        take(count);
    }

    /** A copy of the next {@code count} bytes; empty after a mistake. */
    byte[] bytes(final int count) {
        return take(count) ? Arrays.copyOfRange(bytes, at - count, at) : new byte[0];
    }

    /** Sixteen bytes stay an IPv6 address, also where InetAddress would see an IPv4 one in them; null after a mistake. */
    Inet6Address ip() {
        final byte[] ip = bytes(IP);
        try {
            return ip.length == IP ? Inet6Address.getByAddress(null, ip, -1) : null;
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** The next {@code count} bytes as a message of their own; the cursor goes past them. */
    NdpReader part(final int count, final String name) {
        final int start = at;
        if (take(count)) {
            return new NdpReader(bytes, start, start + count, name);
        }
        final NdpReader none = new NdpReader(bytes, 0, 0, name);
        none.error = error;
        return none;
    }

    void reject(final String text) {
        if (error == null) {
            error = what + ": " + text;
        }
    }

    /** Says what is wrong, if anything is. */
    void check() {
        if (error != null) {
            throw new NdpFormatException(error);
        }
    }

    private boolean take(final int count) {
        if (error == null && (count < 0 || count > end - at)) {
            reject(end - at + " bytes left where " + count + " are due");
        }
        if (error != null) {
            return false;
        }
        at += count;
        return true;
    }
}
