// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Arrays;
import java.util.List;
import org.xbill.DNS.Name;

/**
 * What the server publishes: for each view the sets of its zones. Immutable; {@link #with} makes the next one out of
 * it and shares what stays, in time that goes with the change and not with what is there.
 *
 * <p>A zone begins at each name that has a SOA, and takes all names below it, except for those below a zone further
 * down. What is in no zone is not published. Each zone knows its last changes, for IXFR: a change of a zone without a
 * newer SOA makes it forget them.
 */
public final class Catalog {
    /** Views there are: private askers, those on our links, the rest. */
    public static final int VIEWS = 3;

    private final Contents[] views;

    private Catalog(final Contents[] views) {
        this.views = views;
    }

    /**
     * The name and type of a set.
     *
     * @param name absolute; capitals and a dot at the end do not matter
     * @param type its number, or {@link RrSet#NOTHING}
     */
    public record Key(String name, int type) {
        /** Makes the letters small. */
        public Key {
            name = WireName.text(name);
        }
    }

    /**
     * A change of one view.
     *
     * @param view 0 to 2
     * @param put the sets that are there now, in the place of those of the same name and type
     * @param gone what is not there any more, unless it is in {@code put}
     */
    public record Change(int view, List<RrSet> put, List<Key> gone) {
        /** Keeps copies. */
        public Change {
            if (view < 0 || view >= VIEWS) {
                throw new IllegalArgumentException("no view: " + view);
            }
            put = List.copyOf(put);
            gone = List.copyOf(gone);
        }
    }

    /** Nothing published. */
    public static Catalog empty() {
        final Contents[] views = new Contents[VIEWS];
        Arrays.fill(views, Contents.EMPTY);
        return new Catalog(views);
    }

    /** What there is after these changes, made one after the other. */
    public Catalog with(final List<Change> changes) {
        final Contents[] changed = views.clone();
        for (final Change change : changes) {
            changed[change.view()] = changed[change.view()].with(change);
        }
        return new Catalog(changed);
    }

    /** The zone that begins at this name; null when none does. */
    public Zone zone(final int view, final Name apex) {
        final Node node = views[view].apex(apex.toWireCanonical());
        return node == null ? null : new Zone(views[view], node.zone);
    }

    /** The zone that begins at this absolute name; null when none does. */
    public Zone zone(final int view, final String apex) {
        final Node node = views[view].apex(WireName.of(apex));
        return node == null ? null : new Zone(views[view], node.zone);
    }

    /** All zones of a view, in no order. */
    public List<Zone> zones(final int view) {
        return views[view].journals().stream().map(journal -> zone(view, journal.soa.name())).toList();
    }

    /** The set of this name and type, or null. */
    public RrSet set(final int view, final String name, final int type) {
        final Node node = views[view].names.find(WireName.of(name), 0);
        return node == null ? null : node.set(type);
    }

    /** How many names a view has, with those that are there for others below them only. */
    public int names(final int view) {
        return views[view].names.size();
    }

    Contents contents(final int view) {
        return views[view];
    }
}
