// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Objects;

/**
 * All that answers are made of, at one moment. Swapped as a whole through a volatile field.
 *
 * @param catalog what is published
 * @param askers who sees which part of it
 */
public record Snapshot(Catalog catalog, Askers askers) {
    /** Refuses null. */
    public Snapshot {
        Objects.requireNonNull(catalog);
        Objects.requireNonNull(askers);
    }
}
