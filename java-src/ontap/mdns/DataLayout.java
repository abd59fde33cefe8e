// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

/**
 * Where names are in the data of a record: those that may be compressed (RFC 6762 section 18.14).
 *
 * @param before   bytes before the first name
 * @param names    how many names follow one another
 * @param after    bytes after them, or {@link #ANY}
 * @param familiar whether any resolver of DNS looks for pointers there: the types of RFC 1035 alone (RFC 3597 section 4)
 */
record DataLayout(int before, int names, int after, boolean familiar) {
    /** As many as there are. */
    static final int ANY = -1;

    private static final DataLayout PLAIN = new DataLayout(0, 0, ANY, true);
    private static final DataLayout NAME = new DataLayout(0, 1, 0, true);
    private static final DataLayout DNAME = new DataLayout(0, 1, 0, false);
    /** The next name, then the types there are (RFC 4034 section 4.1). */
    private static final DataLayout NSEC = new DataLayout(0, 1, ANY, false);
    /** Two names, five numbers of four bytes. */
    private static final DataLayout SOA = new DataLayout(0, 2, 20, true);
    private static final DataLayout RP = new DataLayout(0, 2, 0, false);
    private static final DataLayout MX = new DataLayout(2, 1, 0, true);
    private static final DataLayout PREFERENCE = new DataLayout(2, 1, 0, false);
    private static final DataLayout PX = new DataLayout(2, 2, 0, false);
    /** Priority, weight, port, target (RFC 2782). */
    private static final DataLayout SRV = new DataLayout(6, 1, 0, false);

    static DataLayout of(final int type) {
        switch (type) {
            case 2: // NS
            case 5: // CNAME
            case 12: // PTR
                return NAME;
            case 6:
                return SOA;
            case 15:
                return MX;
            case 17:
                return RP;
            case 18: // AFSDB
            case 21: // RT
            case 36: // KX
                return PREFERENCE;
            case 26:
                return PX;
            case 33:
                return SRV;
            case 39:
                return DNAME;
            case 47:
                return NSEC;
            default:
                return PLAIN;
        }
    }
}
