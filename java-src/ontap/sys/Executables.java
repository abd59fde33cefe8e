// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** Where programs are, as execvp(3) looks for them. */
public final class Executables {
    /** What execvp of glibc takes for an unset PATH. */
    private static final String DEFAULT_PATH = "/bin:/usr/bin";

    private Executables() {
    }

    /**
     * The file to execute: the name itself when it holds a slash, else the first match on the path. It is a regular
     * file this process may execute; whether another user may is told by execve alone.
     *
     * @param path directories separated by colons, an empty one being the working directory of the JVM; null when unset
     * @return null when there is none
     */
    public static String find(final String prog, final String path) {
        if (prog.isEmpty()) {
            return null;
        }
        if (prog.indexOf('/') >= 0) {
            return isProgram(prog) ? prog : null;
        }
        for (final String directory : (path == null ? DEFAULT_PATH : path).split(":", -1)) {
            final String candidate = (directory.isEmpty() ? "." : directory) + "/" + prog;
            if (isProgram(candidate)) {
                return candidate;
            }
        }
        return null;
    }

    private static boolean isProgram(final String file) {
        try {
            final Path path = Path.of(file);
            return Files.isRegularFile(path) && Files.isExecutable(path);
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
