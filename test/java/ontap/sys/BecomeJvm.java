// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM that runs {@link Become}, and what comes of it. */
final class BecomeJvm {
    /** Where the class path has no reader but root, the JVM that becomes nobody has read it before. */
    private static final List<String> JVM = List.of(System.getProperty("java.home") + "/bin/java",
            "-XX:-MaxFDLimit", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx64m",
            "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
            Become.class.getName());

    /** One that has ended. */
    record Result(long pid, int status, String output, String errors) {
    }

    private BecomeJvm() {
    }

    /** The command line, to be put after those of others such as unshare(1). */
    static List<String> command(final List<String> prefix, final String... arguments) {
        final List<String> command = new ArrayList<>(prefix);
        command.addAll(JVM);
        command.addAll(List.of(arguments));
        return command;
    }

    /** The output of what the JVM became, which has to end with 0. */
    static String output(final String... arguments) {
        final Result result = run(command(List.of(), arguments));
        assertEquals(0, result.status(), "The program should exit with 0: " + result.errors());
        return result.output();
    }

    static Result run(final List<String> command) {
        Path errors = null;
        try {
            errors = Files.createTempFile("become", ".err");
            final Process process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
            process.getOutputStream().close();
            final Thread guard = NsThread.start("become-guard", () -> endLate(process));
            final byte[] output = process.getInputStream().readAllBytes();
            assertTrue(process.waitFor(Child.DEADLINE_MILLIS, TimeUnit.MILLISECONDS),
                    "The program should end in time.");
            guard.interrupt();
            return new Result(process.pid(), process.exitValue(), new String(output, StandardCharsets.UTF_8),
                    Files.readString(errors));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError("The program should end in time.", e);
        } finally {
            if (errors != null) {
                Io.unlink(errors.toString());
            }
        }
    }

    private static void endLate(final Process process) {
        try {
            if (!process.waitFor(Child.DEADLINE_MILLIS, TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            // It has ended.
            Thread.currentThread().interrupt();
        }
    }
}
