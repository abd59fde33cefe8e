// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/** A family's names, lent to the sockets of this room for errors and for the debug print. */
public interface Dialect {
    /** The name of a message type of the family, {@code UNKNOWN(n)} for one it does not know. */
    String type(int type);

    /** What a message of that type does. */
    Names.Verb verb(int type);

    /** Bytes of the fixed header before the attributes of that type. */
    int header(int type);

    /** The name of an attribute at the top level of a message of that type. */
    String attribute(int type, int attribute);

    /** The dialect of an unknown family: numbers only. */
    Dialect NUMBERS = new Dialect() {
        @Override
        public String type(final int type) {
            return Names.type(type);
        }

        @Override
        public Names.Verb verb(final int type) {
            return Names.Verb.ANSWER;
        }

        @Override
        public int header(final int type) {
            return 0;
        }

        @Override
        public String attribute(final int type, final int attribute) {
            return Names.unknown(attribute);
        }
    };
}
