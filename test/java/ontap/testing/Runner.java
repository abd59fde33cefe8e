// SPDX-License-Identifier: Apache-2.0
package ontap.testing;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClasspathRoots;

import java.io.IOException;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import ontap.sys.Fd;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the tests and says how they went. The Java tests are those of the folder of classes that this class is in;
 * {@link ClojureTests} shows the Clojure tests as Java tests.
 */
public final class Runner {

    private static volatile Options options = Options.parse();

    private Runner() { }

    /** What this run was asked for. */
    static Options options() {
        return options;
    }

    /** Runs what the words ask for ({@link Options}) and ends the JVM: 0 = all passed, 1 = some failed or none ran. */
    public static void main(final String... words) throws IOException {
        final Options asked;
        try {
            asked = Options.parse(words);
        } catch (IllegalArgumentException mistake) {
            System.err.println("ontap tests: fatal: " + mistake.getMessage());
            System.exit(100);
            return;
        }
        final Report report = run(asked, System.out);
        if (asked.countsFile() != null) {
            Files.writeString(Path.of(asked.countsFile()), report.counts() + "\n");
        }
        System.out.flush();
        // A test that overran its limit may have left a thread that never ends.
        Runtime.getRuntime().exit(report.good() ? 0 : 1);
    }

    /**
     * Runs the Java tests alone, for another test runner (tests.edn).
     *
     * @return the report's text when a test failed or none ran, nullable: all passed
     */
    public static String javaFailures(final PrintStream out) {
        final Report report = run(Options.parse("--java"), out);
        return report.good() ? null : report.failures();
    }

    private static Report run(final Options asked, final PrintStream out) {
        options = asked;
        final Report report = new Report(out, asked);
        try {
            LauncherFactory.create().execute(request(asked), report);
            // With -Dontap.fd.trace=true (bin/test) each line says where the descriptor was made. The standard three
            // are lent to children, never closed.
            report.check("ontap.testing/no-descriptor-is-left-open", "left open:",
                    Fd.open().stream().filter(line -> !line.matches("[012] .*")).toList());
        } finally {
            report.close();
        }
        return report;
    }

    private static LauncherDiscoveryRequest request(final Options asked) {
        final LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request()
                .selectors(selectClasspathRoots(Set.of(classes())))
                .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(isWanted(test, asked)))
                .configurationParameter("junit.jupiter.execution.timeout.default", Options.LIMIT_SECONDS + " s")
                .configurationParameter("junit.jupiter.execution.timeout.testfactory.method.default", "600 s")
                .configurationParameter("junit.jupiter.execution.timeout.thread.mode.default", "SEPARATE_THREAD");
        if (!asked.longOnes()) {
            request.filters(TagFilter.excludeTags("long"));
        }
        if (!asked.floor()) {
            request.filters(TagFilter.excludeTags("floor"));
        }
        return request.build();
    }

    private static boolean isWanted(final TestDescriptor test, final Options asked) {
        if (test.getSource().orElse(null) instanceof MethodSource method) {
            return method.getClassName().equals(ClojureTests.class.getName())
                    ? !asked.javaOnly() // it asks each of its tests itself
                    : asked.wants(method.getClassName() + "/" + method.getMethodName());
        }
        return true;
    }

    private static Path classes() {
        try {
            return Path.of(Runner.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
