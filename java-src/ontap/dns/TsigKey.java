// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.xbill.DNS.Name;
import org.xbill.DNS.TextParseException;

/** A secret that two servers share, under a name (RFC 8945). Immutable; for any thread. */
public final class TsigKey {
    /** Algorithm to its name in Java; section 6 without MD5 and GSS, and the truncated ones of RFC 4868. */
    private static final Map<String, Algorithm> ALGORITHMS = Map.of(
            "hmac-sha1", new Algorithm("HmacSHA1", 20),
            "hmac-sha224", new Algorithm("HmacSHA224", 28),
            "hmac-sha256", new Algorithm("HmacSHA256", 32),
            "hmac-sha256-128", new Algorithm("HmacSHA256", 16),
            "hmac-sha384", new Algorithm("HmacSHA384", 48),
            "hmac-sha384-192", new Algorithm("HmacSHA384", 24),
            "hmac-sha512", new Algorithm("HmacSHA512", 64),
            "hmac-sha512-256", new Algorithm("HmacSHA512", 32));

    private final Name name;
    private final Name algorithm;
    private final Algorithm mac;
    private final SecretKeySpec secret;

    private record Algorithm(String javaName, int length) {
    }

    private TsigKey(final Name name, final Name algorithm, final Algorithm mac, final SecretKeySpec secret) {
        this.name = name;
        this.algorithm = algorithm;
        this.mac = mac;
        this.secret = secret;
    }

    /**
     * A key.
     *
     * @param name a domain name, with or without the dot at its end
     * @param algorithm such as {@code hmac-sha256}
     * @param secret base64
     * @throws IllegalArgumentException for an unknown algorithm, a name that is none, a secret that is empty or no
     *     base64; the secret is not in its text
     */
    public static TsigKey of(final String name, final String algorithm, final String secret) {
        final String lower = algorithm.toLowerCase(Locale.ROOT);
        final Algorithm mac = ALGORITHMS.get(lower);
        if (mac == null) {
            throw new IllegalArgumentException("unknown algorithm of a key: " + algorithm);
        }
        final byte[] octets;
        try {
            octets = Base64.getDecoder().decode(secret.strip());
        } catch (final IllegalArgumentException e) {
            throw new IllegalArgumentException("the secret of key " + name + " is not base64", e);
        }
        if (octets.length == 0) {
            throw new IllegalArgumentException("the secret of key " + name + " is empty");
        }
        try {
            return new TsigKey(canonical(name), canonical(lower), mac, new SecretKeySpec(octets, mac.javaName));
        } catch (final TextParseException e) {
            throw new IllegalArgumentException("the name of key " + name + " is not a domain name", e);
        } finally {
            Arrays.fill(octets, (byte) 0);
        }
    }

    /** Its name, in lower case. */
    public Name name() {
        return name;
    }

    /** The name of its algorithm, in lower case. */
    Name algorithm() {
        return algorithm;
    }

    /** Octets of a whole MAC. */
    int macLength() {
        return mac.length;
    }

    /** The least octets of a truncated MAC (section 5.2.2.1). */
    int macLeast() {
        final int tenOctets = 10;
        return Math.min(mac.length, Math.max(tenOctets, hmac().getMacLength() / 2));
    }

    /** The MAC of the parts, one after the other. */
    byte[] mac(final byte[]... parts) {
        final Mac hmac = hmac();
        for (final byte[] part : parts) {
            hmac.update(part);
        }
        final byte[] whole = hmac.doFinal();
        return whole.length == mac.length ? whole : Arrays.copyOf(whole, mac.length);
    }

    @Override
    public String toString() {
        return "key " + name;
    }

    private Mac hmac() {
        try {
            final Mac hmac = Mac.getInstance(mac.javaName);
            hmac.init(secret);
            return hmac;
        } catch (final GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Name canonical(final String text) throws TextParseException {
        return Name.fromString(text, Name.root).canonicalize();
    }
}
