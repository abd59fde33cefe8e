// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a test run was asked for. A test's name is {@code package.ClassTest/method} in Java and
 * {@code name.space-test/var} in Clojure.
 *
 * @param patterns a test runs when its name contains one of these; {@code *} stands for anything; empty = all
 * @param longOnes whether tests marked long run too (Java: {@code @Tag("long")}, Clojure: {@code ^:long})
 * @param floor whether this is the oldest JDK supported, on which tests marked for it run
 *     (Java: {@code @Tag("floor")}, Clojure: {@code ^{:jdk :floor}})
 * @param requireAll whether a skip is a failure ({@code ONTAP_REQUIRE=all})
 * @param javaOnly whether the Clojure tests are left out
 * @param countsFile where the four numbers go, nullable
 */
record Options(List<String> patterns, boolean longOnes, boolean floor, boolean requireAll, boolean javaOnly,
        String countsFile) {

    /** Seconds that a test may take which says nothing else (Java: {@code @Timeout}, Clojure: {@code :timeout}). */
    static final int LIMIT_SECONDS = 120;

    /** Reads command line words. @throws IllegalArgumentException on one that begins with a dash and is not known */
    static Options parse(final String... words) {
        final List<String> patterns = new ArrayList<>();
        boolean longOnes = false;
        boolean javaOnly = false;
        String countsFile = null;
        boolean floor = Runtime.version().feature() == 17;
        for (final String word : words) {
            if (word.equals("--long")) {
                longOnes = true;
            } else if (word.equals("--java")) {
                javaOnly = true;
            } else if (word.equals("--floor")) {
                floor = true;
            } else if (word.startsWith("--counts=")) {
                countsFile = word.substring("--counts=".length());
            } else if (word.startsWith("-")) {
                throw new IllegalArgumentException("unknown option " + word
                        + ": should be --long, --java, --floor, --counts=FILE or a part of a test's name");
            } else {
                patterns.add(word);
            }
        }
        final String require = System.getenv().getOrDefault("ONTAP_REQUIRE", "");
        return new Options(List.copyOf(patterns), longOnes, floor, require.equals("all"), javaOnly, countsFile);
    }

    /** Whether a test of this name was asked for. */
    boolean wants(final String name) {
        return patterns.isEmpty() || patterns.stream().anyMatch(pattern -> contains(name, pattern));
    }

    private static boolean contains(final String name, final String pattern) {
        final String text = name.toLowerCase(Locale.ROOT);
        int from = 0;
        for (final String part : pattern.toLowerCase(Locale.ROOT).split("\\*")) {
            final int at = text.indexOf(part, from);
            if (at < 0) {
                return false;
            }
            from = at + part.length();
        }
        return true;
    }
}
