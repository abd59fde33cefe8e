// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.xbill.DNS.Type;

/**
 * A view's contents while they change. What it takes care of: names above others are there, each knows how many are
 * below it, in which zone it is and whether somebody else's begins above it; each zone's journal tells what changed.
 */
final class ContentsDraft {
    private final NameTable.Draft names;
    private Journal[] zones;
    /** What changed in the zones that were there and still are: their numbers to old and new sets, side by side. */
    private final Map<Integer, Changed> changed = new HashMap<>();

    private static final class Changed {
        private final List<RrSet> removed = new ArrayList<>();
        private final List<RrSet> added = new ArrayList<>();
        private RrSet soa;
        /** Names moved between zones: what changed is not told by these lists. */
        private boolean untold;
    }

    ContentsDraft(final Contents from) {
        names = new NameTable.Draft(from.names);
        zones = from.zones.clone();
    }

    /**
     * Makes the change. Zones begin before what is in them comes, and end after it went, so that names change their
     * zone only when they have to.
     */
    void apply(final Catalog.Change change) {
        final Map<Catalog.Key, RrSet> news = new LinkedHashMap<>();
        change.gone().forEach(key -> news.put(key, null));
        change.put().forEach(set -> news.put(new Catalog.Key(set.name(), set.type()), set));
        news.forEach((key, set) -> {
            if (key.type() == Type.SOA && set != null) {
                set(key, set);
            }
        });
        news.forEach((key, set) -> {
            if (key.type() != Type.SOA) {
                set(key, set);
            }
        });
        news.forEach((key, set) -> {
            if (key.type() == Type.SOA && set == null) {
                set(key, null);
            }
        });
    }

    Contents done() {
        changed.forEach((zone, c) -> {
            final Journal was = zones[zone];
            if (was != null) {
                final RrSet soa = c.soa == null ? was.soa : c.soa;
                zones[zone] = c.untold ? Journal.begin(soa) : was.after(soa, c.removed, c.added);
            }
        });
        return new Contents(names.done(), zones);
    }

    private void set(final Catalog.Key key, final RrSet set) {
        final byte[] octets = WireName.of(key.name());
        final Node was = names.find(octets, 0);
        final RrSet old = was == null ? null : was.set(key.type());
        if (old == null ? set == null : old.equals(set)) {
            return;
        }
        final Node node = (was == null ? inserted(octets) : was).with(key.type(), set);
        names.put(node);
        if ((was == null || was.sets.length == 0) != (node.sets.length == 0)) {
            count(octets, node.sets.length == 0 ? -1 : 1);
        }
        if (key.type() == Type.SOA) {
            soa(octets, old, set);
        } else {
            if (node.zone != Node.NO_ZONE) {
                told(node.zone, old, set);
            }
            if (key.type() == Type.NS) {
                restamp(octets);
            }
        }
        if (node.sets.length == 0) {
            prune(octets);
        }
    }

    /** A name that was not there, and those above it, which may not have been either. */
    private Node inserted(final byte[] octets) {
        final int parent = 1 + octets[0];
        final Node above;
        if (octets.length == 1) {
            above = null;
        } else {
            final Node found = names.find(octets, parent);
            above = found == null ? inserted(Arrays.copyOfRange(octets, parent, octets.length)) : found;
            if (octets[0] == 1 && octets[1] == '*' && !above.has(Node.WILDCARD_BELOW)) {
                names.put(above.withFlags(above.flags | Node.WILDCARD_BELOW));
            }
        }
        final Node node = stamped(Node.fresh(WireName.words(octets, 0), octets.length), above);
        names.put(node);
        return node;
    }

    private static Node stamped(final Node node, final Node above) {
        final int flags = node.flagsBelow(above);
        return node.withFlags(flags).withZone((flags & Node.APEX) != 0 ? node.zone : Node.zoneBelow(above));
    }

    /** Tells the names above that one more, or one less, has sets. */
    private void count(final byte[] octets, final int more) {
        for (int at = 1 + octets[0]; at <= octets.length && octets.length > 1; at += 1 + octets[at]) {
            final Node above = names.find(octets, at);
            names.put(above.withBelow(above.below + more));
            if (at == octets.length - 1) {
                return;
            }
        }
    }

    /** Takes the name out, and those above it that were there for it only. */
    private void prune(final byte[] octets) {
        int at = 0;
        Node node = names.find(octets, 0);
        while (node != null && node.isEmpty()) {
            names.remove(node);
            if (at == octets.length - 1) {
                return;
            }
            final boolean wildcard = octets[at] == 1 && octets[at + 1] == '*';
            at += 1 + octets[at];
            node = names.find(octets, at);
            if (wildcard && !node.isEmpty()) {
                names.put(node.withFlags(node.flags & ~Node.WILDCARD_BELOW));
            }
        }
    }

    private void soa(final byte[] octets, final RrSet old, final RrSet set) {
        if (old != null && set != null) {
            of(names.find(octets, 0).zone).soa = set;
            return;
        }
        final Node node = names.find(octets, 0);
        if (set != null) {
            final int zone = free();
            zones[zone] = Journal.begin(set);
            if (node.zone != Node.NO_ZONE) {
                of(node.zone).untold = true;
            }
            names.put(node.withZone(zone));
        } else {
            zones[node.zone] = null;
        }
        restamp(octets);
    }

    private int free() {
        for (int zone = 0; zone < zones.length; zone++) {
            if (zones[zone] == null) {
                return zone;
            }
        }
        zones = Arrays.copyOf(zones, zones.length + 1);
        return zones.length - 1;
    }

    private Changed of(final int zone) {
        return changed.computeIfAbsent(zone, number -> new Changed());
    }

    private void told(final int zone, final RrSet old, final RrSet set) {
        final RrSet removed = old == null ? null : old.without(set);
        final RrSet added = set == null ? null : set.without(old);
        // a zone that began with this change has one more state, which nobody has seen
        final Changed c = of(zone);
        if (removed != null) {
            c.removed.add(removed);
        }
        if (added != null) {
            c.added.add(added);
        }
    }

    /** After a name became the beginning of a zone or ceased to be one: what follows for it and all below it. */
    private void restamp(final byte[] octets) {
        final Node top = names.find(octets, 0);
        if (!restampOne(octets) || top.below == 0) {
            return;
        }
        final List<byte[]> below = new ArrayList<>();
        names.forEach(node -> {
            if (node.length > octets.length) {
                final byte[] name = WireName.octets(node.words, node.length);
                if (isBelow(name, octets)) {
                    below.add(name);
                }
            }
        });
        below.sort(Comparator.comparingInt(name -> name.length));
        below.forEach(this::restampOne);
    }

    /** True: it changed. */
    private boolean restampOne(final byte[] octets) {
        final Node node = names.find(octets, 0);
        final Node above = octets.length == 1 ? null : names.find(octets, 1 + octets[0]);
        final Node stamped = stamped(node, above);
        if (stamped.zone != node.zone && node.sets.length > 0) {
            for (final int zone : new int[] {node.zone, stamped.zone}) {
                if (zone != Node.NO_ZONE) {
                    of(zone).untold = true;
                }
            }
        }
        if (stamped.zone == node.zone && stamped.flags == node.flags) {
            return false;
        }
        names.put(stamped);
        return true;
    }

    /** Does a name end with all labels of another? */
    private static boolean isBelow(final byte[] name, final byte[] other) {
        int at = 0;
        while (name.length - at > other.length) {
            at += 1 + name[at];
        }
        return name.length - at == other.length && Arrays.equals(name, at, name.length, other, 0, other.length);
    }
}
