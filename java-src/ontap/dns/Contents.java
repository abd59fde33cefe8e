// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Arrays;
import java.util.List;

/** What one view has: its names and its zones. Immutable. */
final class Contents {
    static final Contents EMPTY = new Contents(NameTable.EMPTY, new Journal[0]);

    final NameTable names;
    /** By the nodes' numbers of zones; null where a number is free. */
    final Journal[] zones;

    Contents(final NameTable names, final Journal[] zones) {
        this.names = names;
        this.zones = zones;
    }

    /** The node of the zone with this name, or null. */
    Node apex(final byte[] octets) {
        final Node node = names.find(octets, 0);
        return node != null && node.has(Node.APEX) ? node : null;
    }

    /** The name of these octets, or else the nearest one above it that is there; null in an empty view. */
    Node encloser(final byte[] octets) {
        Node node = null;
        for (int at = 0; node == null && at < octets.length; at += 1 + octets[at]) {
            node = names.find(octets, at);
        }
        return node;
    }

    /** The name above the node's, which is there; null above the root. */
    Node above(final Node node) {
        final byte[] octets = WireName.octets(node.words, node.length);
        return octets.length == 1 ? null : names.find(octets, 1 + octets[0]);
    }

    /** The name {@code *} below this one, or null (RFC 4592). */
    Node wildcard(final Node encloser) {
        if (!encloser.has(Node.WILDCARD_BELOW)) {
            return null;
        }
        final byte[] octets = new byte[2 + encloser.length];
        octets[0] = 1;
        octets[1] = '*';
        System.arraycopy(WireName.octets(encloser.words, encloser.length), 0, octets, 2, encloser.length);
        return names.find(octets, 0);
    }

    Contents with(final Catalog.Change change) {
        final ContentsDraft draft = new ContentsDraft(this);
        draft.apply(change);
        return draft.done();
    }

    List<Journal> journals() {
        return Arrays.stream(zones).filter(zone -> zone != null).toList();
    }
}
