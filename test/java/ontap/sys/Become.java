// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.lang.management.ClassLoadingMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a JVM started by a test runs: words that say who to become and how, then {@code --} and the program.
 *
 * <pre>
 * uid=N gid=N groups=A,B caps=0x… nnp=true   take this identity (groups=keep leaves them)
 * unshare=net,uts   hostname=NAME            before that
 * cwd=DIR
 * fd=N:PATH                                  promise a descriptor
 * env=K=V
 * count=true                                 print how many classes identity and a failed execve loaded
 * </pre>
 *
 * Exit 3 and the exception's message on stderr when it cannot be done.
 */
public final class Become {
    private static final int FAILED = 3;

    private Become() {
    }

    /** See the class. */
    public static void main(final String[] args) {
        final Map<String, String> words = new TreeMap<>();
        final Map<Integer, Fd> fds = new TreeMap<>();
        final List<String> env = new ArrayList<>();
        int i = 0;
        for (; !args[i].equals("--"); i++) {
            final String[] pair = args[i].split("=", 2);
            if (pair[0].equals("fd")) {
                final String[] fd = pair[1].split(":", 2);
                fds.put(Integer.valueOf(fd[0]), Io.open(fd[1], Io.O_RDONLY, 0));
            } else if (pair[0].equals("env")) {
                env.add(pair[1]);
            } else {
                words.put(pair[0], pair[1]);
            }
        }
        final List<String> argv = List.of(args).subList(i + 1, args.length);
        final Identity identity = words.containsKey("uid") ? identity(words) : null;
        Exec.prepare(argv.get(0), argv, env, fds);
        final long[] loaded = new long[2];
        final ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
        classes.getTotalLoadedClassCount();
        try {
            NsThread.call("become", () -> {
                enter(words);
                loaded[0] = classes.getTotalLoadedClassCount();
                try {
                    if (identity != null) {
                        identity.take();
                    }
                    Exec.run(argv.get(0), argv, env, fds);
                } finally {
                    loaded[1] = classes.getTotalLoadedClassCount();
                }
                return null;
            });
        } catch (SysException e) {
            System.err.println(e.getMessage());
            if (words.containsKey("count")) {
                System.out.println(loaded[1] - loaded[0]);
            }
            // Proof that classes can still be read.
            System.out.println(new java.util.zip.CRC32C().getValue());
            System.exit(FAILED);
        }
    }

    private static void enter(final Map<String, String> words) {
        int flags = 0;
        for (final String kind : words.getOrDefault("unshare", "").split(",")) {
            flags |= switch (kind) {
                case "net" -> Namespaces.CLONE_NEWNET;
                case "uts" -> Namespaces.CLONE_NEWUTS;
                default -> 0;
            };
        }
        if (flags != 0) {
            Namespaces.unshare(flags);
        }
        if (words.containsKey("hostname")) {
            Namespaces.setHostname(words.get("hostname"));
        }
        if (words.containsKey("cwd")) {
            Namespaces.unshare(Namespaces.CLONE_FS);
            Io.chdir(Path.of(words.get("cwd")).toString());
        }
    }

    private static Identity identity(final Map<String, String> words) {
        final String groups = words.getOrDefault("groups", "");
        final int[] numbers = groups.equals("keep") ? null
                : groups.isEmpty() ? new int[0]
                : java.util.Arrays.stream(groups.split(",")).mapToInt(Integer::parseInt).toArray();
        return new Identity(Integer.parseInt(words.get("uid")), Integer.parseInt(words.get("gid")), numbers,
                Long.decode(words.getOrDefault("caps", "0")), Boolean.parseBoolean(words.get("nnp")));
    }
}
