// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * Writes one line per test as it ends, a failure's details at once and again at the end, and the counts. A test that
 * takes long is named every now and then while it runs.
 *
 * <p>An aborted test was skipped; when its reason begins with {@code not applicable: } it does not apply to this
 * machine, which is neither a pass, a failure nor a skip.
 */
final class Report implements TestExecutionListener, AutoCloseable {

    private static final String NOT_APPLICABLE = "not applicable: ";
    private static final String ASSUMPTION = "Assumption failed: ";

    private record Running(String name, long since) { }

    private final PrintStream out;
    private final Options asked;
    private final long began = System.nanoTime();
    private final Map<String, Running> running = new ConcurrentHashMap<>();
    private final List<String> failures = new ArrayList<>();
    private final Map<String, List<String>> skipped = new TreeMap<>();
    private final Map<String, List<String>> notApplicable = new TreeMap<>();
    private final Thread ticker = new Thread(this::tick, "ontap-test-ticker");
    private TestPlan plan;
    private int passed;

    Report(final PrintStream out, final Options asked) {
        this.out = out;
        this.asked = asked;
        ticker.setDaemon(true);
        ticker.start();
    }

    /** Whether something ran and nothing failed. */
    boolean good() {
        return passed > 0 && failures.isEmpty();
    }

    /** Adds a failure of the run itself when there is something to tell. */
    synchronized void check(final String name, final String title, final List<String> found) {
        if (!found.isEmpty()) {
            failed(name, "         ", title + "\n  " + String.join("\n  ", found));
        }
    }

    /** Four numbers: passed, failed, skipped, not applicable. */
    String counts() {
        return passed + " " + failures.size() + " " + size(skipped) + " " + size(notApplicable);
    }

    /** The details of all failures, as text. */
    String failures() {
        return passed == 0 && failures.isEmpty() ? "no test ran" : String.join("\n", failures);
    }

    @Override
    public void testPlanExecutionStarted(final TestPlan started) {
        plan = started;
    }

    @Override
    public void executionStarted(final TestIdentifier test) {
        if (test.isTest()) {
            running.put(test.getUniqueId(), new Running(name(test), System.nanoTime()));
        }
    }

    @Override
    public synchronized void executionSkipped(final TestIdentifier test, final String reason) {
        leftOut(test, reason, "       ");
    }

    @Override
    public synchronized void executionFinished(final TestIdentifier test, final TestExecutionResult result) {
        final Running ran = running.remove(test.getUniqueId());
        final String time = ran == null ? "         " : seconds(System.nanoTime() - ran.since());
        final Throwable thrown = result.getThrowable().orElse(null);
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (test.isTest()) {
                    passed++;
                    line("ok  ", time, name(test));
                }
            }
            case ABORTED -> leftOut(test, thrown == null ? "" : String.valueOf(thrown.getMessage()), time);
            default -> failed(name(test), time, details(thrown));
        }
    }

    private void leftOut(final TestIdentifier test, final String said, final String time) {
        final String reason = said.startsWith(ASSUMPTION) ? said.substring(ASSUMPTION.length()) : said;
        final String name = name(test);
        if (reason.startsWith(NOT_APPLICABLE)) {
            line("n/a ", time, name + ": " + reason);
            notApplicable.computeIfAbsent(reason.substring(NOT_APPLICABLE.length()), r -> new ArrayList<>()).add(name);
        } else if (asked.requireAll()) {
            failed(name, time, "skipped, which ONTAP_REQUIRE=all does not allow: " + reason);
        } else {
            line("skip", time, name + ": " + reason);
            skipped.computeIfAbsent(reason, r -> new ArrayList<>()).add(name);
        }
    }

    private void failed(final String name, final String time, final String details) {
        line("FAIL", time, name);
        final String text = "  " + details.strip().replace("\n", "\n  ");
        out.println(text);
        failures.add(name + "\n" + text);
    }

    private void line(final String word, final String time, final String text) {
        out.println(word + " " + time + "  " + text);
    }

    /** Stops the ticker and writes the summary. */
    @Override
    public synchronized void close() {
        ticker.interrupt();
        group("not applicable here", notApplicable);
        group("skipped", skipped);
        if (!failures.isEmpty()) {
            out.println("\nfailed:");
            failures.forEach(out::println);
        }
        out.println("\non Java " + Runtime.version() + ": " + passed + " tests passed, " + failures.size() + " failed, "
                + size(skipped) + " skipped, " + size(notApplicable) + " not applicable,"
                + seconds(System.nanoTime() - began));
        out.flush();
    }

    private void group(final String title, final Map<String, List<String>> reasons) {
        if (!reasons.isEmpty()) {
            out.println("\n" + title + ":");
            reasons.forEach((reason, names) -> out.println("  " + names.size() + "  " + reason + "  ("
                    + names.get(0) + (names.size() > 1 ? " …" : "") + ")"));
        }
    }

    private void tick() {
        try {
            for (int beat = 1;; beat++) {
                Thread.sleep(10_000);
                final int now = beat;
                // Ten and twenty seconds on, then every half minute.
                running.values().stream()
                        .filter(test -> now % 3 == 0 || System.nanoTime() - test.since() < 20_000_000_000L)
                        .filter(test -> System.nanoTime() - test.since() > 9_000_000_000L)
                        .forEach(test -> line("... ", seconds(System.nanoTime() - test.since()), test.name() + " is running"));
                out.flush();
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    /** The test's name as a person types it: {@code ontap.sys.FdTest/closesOnce}. */
    private String name(final TestIdentifier test) {
        if (!(test.getSource().orElse(null) instanceof MethodSource method)) {
            return test.getDisplayName();
        }
        if (method.getClassName().equals(ClojureTests.class.getName())) {
            return test.isTest() ? test.getDisplayName() : "Clojure tests";
        }
        final String name = method.getClassName() + "/" + method.getMethodName();
        // Of a parametrised test, each run has the same method, and a name of its own.
        return test.getDisplayName().startsWith(method.getMethodName() + "(") ? name : name + " " + test.getDisplayName();
    }

    private static String details(final Throwable thrown) {
        if (thrown instanceof ClojureFailure) {
            return thrown.getMessage();
        }
        return Traces.of(thrown) + (thrown instanceof TimeoutException
                ? "\nthe threads are:\n" + Traces.ofAllThreads() : "");
    }

    private static int size(final Map<String, List<String>> reasons) {
        return reasons.values().stream().mapToInt(List::size).sum();
    }

    private static String seconds(final long nanos) {
        return String.format(java.util.Locale.ROOT, "%7.2f s", nanos / 1e9);
    }
}
