// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * The names of a view: a hash table of chains, cut in pages. Immutable; a {@link Draft} of it copies the pages that
 * change, and the rest is shared.
 */
final class NameTable {
    static final NameTable EMPTY = new NameTable(new Node[1][NameTable.PAGE], 0);

    private static final int PAGE_BITS = 6;
    private static final int PAGE = 1 << PAGE_BITS;
    /** With fewer names than chains by this factor, the table shrinks. */
    private static final int SPARSE = 8;

    private final Node[][] pages;
    private final int mask;
    private final int size;

    private NameTable(final Node[][] pages, final int size) {
        this.pages = pages;
        this.size = size;
        mask = pages.length * PAGE - 1;
    }

    /** How many names. */
    int size() {
        return size;
    }

    /** The name in a message, at least eight octets behind the message's beginning; null when it is not there. */
    Node find(final ByteBuffer message, final int at, final int length) {
        final long hash = WireName.hash(message, at, length);
        final int chain = (int) hash & mask;
        Node node = pages[chain >>> PAGE_BITS][chain & PAGE - 1];
        while (node != null && (node.hash != hash || node.length != length
                || !WireName.same(node.words, message, at, length))) {
            node = node.next;
        }
        return node;
    }

    /** The name that is these octets from {@code from} to their end; null when it is not there. */
    Node find(final byte[] octets, final int from) {
        return find(WireName.words(octets, from), octets.length - from);
    }

    /** The name of these numbers; null when it is not there. */
    Node find(final long[] words, final int length) {
        return find(pages, mask, words, length);
    }

    void forEach(final Consumer<Node> each) {
        for (final Node[] page : pages) {
            for (final Node first : page) {
                for (Node node = first; node != null; node = node.next) {
                    each.accept(node);
                }
            }
        }
    }

    private static Node find(final Node[][] pages, final int mask, final long[] words, final int length) {
        final long hash = WireName.hash(words, length);
        final int chain = (int) hash & mask;
        Node node = pages[chain >>> PAGE_BITS][chain & PAGE - 1];
        while (node != null && (node.hash != hash || node.length != length || !Arrays.equals(node.words, words))) {
            node = node.next;
        }
        return node;
    }

    /** A table in the making, for one thread. */
    static final class Draft {
        private NameTable from;
        private Node[][] pages;
        private int size;

        Draft(final NameTable from) {
            this.from = from;
            pages = from.pages.clone();
            size = from.size;
        }

        Node find(final byte[] octets, final int at) {
            return NameTable.find(pages, from.mask, WireName.words(octets, at), octets.length - at);
        }

        /** Puts the node where its name is or was not yet. */
        void put(final Node node) {
            final boolean there = replace(node, true);
            if (!there && ++size > pages.length * PAGE) {
                resize(pages.length * 2);
            }
        }

        /** Takes the node's name out, which is there. */
        void remove(final Node node) {
            replace(node, false);
            if (--size * SPARSE < pages.length * PAGE && pages.length > 1) {
                resize(pages.length / 2);
            }
        }

        void forEach(final Consumer<Node> each) {
            new NameTable(pages, size).forEach(each);
        }

        NameTable done() {
            return new NameTable(pages, size);
        }

        private boolean replace(final Node node, final boolean keep) {
            final int chain = (int) node.hash & from.mask;
            final Node[] page = own(chain >>> PAGE_BITS);
            final Node first = page[chain & PAGE - 1];
            final Node rest = without(first, node);
            page[chain & PAGE - 1] = keep ? node.withNext(rest) : rest;
            return rest != first;
        }

        /** A page that is ours alone. */
        private Node[] own(final int page) {
            if (page < from.pages.length && pages[page] == from.pages[page]) {
                pages[page] = pages[page].clone();
            }
            return pages[page];
        }

        /** The chain without the node's name: the same object when it was not there. */
        private static Node without(final Node first, final Node node) {
            if (first == null) {
                return null;
            }
            if (first.hash == node.hash && first.length == node.length && Arrays.equals(first.words, node.words)) {
                return first.next;
            }
            return first.withNext(without(first.next, node));
        }

        private void resize(final int count) {
            final NameTable old = new NameTable(pages, size);
            pages = new Node[count][PAGE];
            // compared with in `own`: none of the new pages is shared
            from = new NameTable(new Node[count][], size);
            old.forEach(node -> {
                final int chain = (int) node.hash & from.mask;
                final Node[] page = pages[chain >>> PAGE_BITS];
                page[chain & PAGE - 1] = node.withNext(page[chain & PAGE - 1]);
            });
        }
    }
}
