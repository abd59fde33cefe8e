// SPDX-License-Identifier: Apache-2.0
package ontap.bench;

/** A program that does nothing: what a JVM costs while it waits. */
public final class Empty {
    private Empty() {}

    /** Waits until the process is ended. */
    public static void main(final String[] args) throws InterruptedException {
        Thread.currentThread().join();
    }
}
