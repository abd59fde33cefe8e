// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the tests of both languages with the JUnit Platform: one line per test with its time, failures in full,
 * and a count at the end. Of the program it asks only which descriptors are still open;
 * of Clojure it knows one function, by name.
 */
package ontap.testing;
