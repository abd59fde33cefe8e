// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

/** A Clojure test failed; the message holds all its reports, so there is no stack trace to show. */
public final class ClojureFailure extends AssertionError {

    private static final long serialVersionUID = 1L;

    /** @param reports the reports of all failed assertions, as lines */
    public ClojureFailure(final String reports) {
        super(reports);
        setStackTrace(new StackTraceElement[0]);
    }
}
