// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Starts the JVM the test runs on once more, with the same class path, stderr joined to stdout. */
final class ChildJvm {
    private ChildJvm() {
    }

    static Process start(final Class<?> main, final String... options) throws IOException {
        final List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (Runtime.version().feature() >= 22) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(List.of(options));
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }
}
