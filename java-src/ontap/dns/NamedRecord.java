// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import org.xbill.DNS.Compression;
import org.xbill.DNS.DClass;
import org.xbill.DNS.DNSInput;
import org.xbill.DNS.DNSOutput;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.Tokenizer;

/**
 * A record whose data is written as it stands. A name in it that people read (RFC 6763, section 4.1.1) would else be
 * compressed to one that is the same but for the case of its letters, and lose its capitals.
 */
final class NamedRecord extends Record {
    private static final long serialVersionUID = 1L;

    private final byte[] data;

    NamedRecord(final Name owner, final int type, final long ttl, final byte[] data) {
        super(owner, type, DClass.IN, ttl);
        this.data = data;
    }

    @Override
    protected void rrToWire(final DNSOutput out, final Compression compression, final boolean canonical) {
        out.writeByteArray(data);
    }

    @Override
    protected String rrToString() {
        return Record.newRecord(getName(), getType(), getDClass(), getTTL(), data).rdataToString();
    }

    @Override
    protected void rrFromWire(final DNSInput in) throws IOException {
        throw new UnsupportedOperationException();
    }

    @Override
    protected void rdataFromString(final Tokenizer tokens, final Name origin) throws IOException {
        throw new UnsupportedOperationException();
    }
}
