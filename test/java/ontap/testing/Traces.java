// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Stack traces as text, without the frames of the test machinery, which say nothing about a test. */
public final class Traces {

    private static final int MOST_LINES = 60;
    private static final int MOST_FRAMES = 20;
    private static final List<String> MACHINERY = List.of("org.junit.", "jdk.internal.", "java.util.", "java.lang.reflect.",
            "clojure.test$", "clojure.lang.", "clojure.core$", "clojure.main", "ontap.testing.");

    private Traces() { }

    /** The trace of what was thrown, with its causes; null gives an empty text. */
    public static String of(final Throwable thrown) {
        if (thrown == null) {
            return "";
        }
        final StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text, true));
        final StringBuilder kept = new StringBuilder();
        text.toString().lines().filter(line -> !line.startsWith("\tat ") || tells(line.substring(4)))
                .limit(MOST_LINES).forEach(line -> kept.append(line).append('\n'));
        return kept.toString().strip();
    }

    /** What the threads of this JVM are doing now; those that only the machinery uses are left out. */
    public static String ofAllThreads() {
        final Map<String, String> texts = new TreeMap<>();
        Thread.getAllStackTraces().forEach((thread, frames) -> {
            final StringBuilder text = new StringBuilder();
            int told = 0;
            for (final StackTraceElement frame : frames) {
                if (told < MOST_FRAMES && tells(frame.toString())) {
                    text.append("\n    at ").append(frame);
                    told++;
                }
            }
            if (told > 0 && thread.getThreadGroup() != null && thread.getThreadGroup().getName().equals("main")
                    && !thread.getName().equals("ontap-test-ticker")) {
                texts.put(thread.getName() + " " + thread.getId(), "  \"" + thread.getName() + "\" " + thread.getState() + text);
            }
        });
        return String.join("\n", texts.values());
    }

    /** Whether a frame, as printed, is of the program, the test, or where the JDK was asked by them. */
    private static boolean tells(final String frame) {
        // A loader or a module may stand before the class: "app//org…", "java.base@17.0.15/java.util…".
        final int slash = frame.indexOf('/');
        final boolean led = slash > 0 && frame.substring(0, slash).indexOf('$') < 0;
        final String method = led ? frame.substring(frame.startsWith("//", slash) ? slash + 2 : slash + 1) : frame;
        return MACHINERY.stream().noneMatch(method::startsWith);
    }
}
