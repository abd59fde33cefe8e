// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import ontap.sys.Endpoint;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.SysException;

/**
 * A server in a JVM without a free descriptor. For the first line of its stdin it prints what its thread used of a
 * second, in hundredths, and frees three descriptors; it ends with its stdin.
 */
final class Starved {
    private Starved() {
    }

    public static void main(final String[] arguments) throws Exception {
        final TcpServer server = TcpServer.start(DnsSockets.open(List.of(Endpoint.of("127.0.0.1", 53))).tcp(),
                new EchoAnswerer(), TcpServer.Limits.USUAL, failure -> { });
        final Path thread = ServerThreads.named("dns-tcp").get(0);
        // Loads every class that is needed later: it takes a descriptor.
        ServerThreads.ticks(thread);
        try (TcpClient client = new TcpClient("127.0.0.1", "127.0.0.1", 53)) {
            client.check(1);
            Io.open("/nowhere", Io.O_RDONLY, 0).close();
        } catch (final SysException e) {
            System.err.print("");
        }
        while (server.counters().open() > 0) {
            Thread.onSpinWait();
        }
        final List<Fd> taken = new ArrayList<>();
        takeAll(taken);
        // To read the thread's times.
        taken.remove(0).close();
        final long before = ServerThreads.ticks(thread);
        takeAll(taken);
        System.out.println("starved");
        waitForLine();
        // The time watched, not a wait for something to happen.
        Thread.sleep(1_000);
        // All three before the times are read, for the server takes one of them for whoever waits.
        for (int i = 0; i < 3; i++) {
            taken.remove(0).close();
        }
        final long used = ServerThreads.ticks(thread) - before;
        System.out.println(used);
        waitForLine();
        server.close();
    }

    /** Takes each descriptor that is free. */
    private static void takeAll(final List<Fd> taken) {
        try {
            while (true) {
                taken.add(Io.open("/dev/null", Io.O_RDONLY, 0));
            }
        } catch (final SysException e) {
            if (e.errno() != Errno.EMFILE) {
                throw e;
            }
        }
    }

    private static void waitForLine() throws IOException {
        int c;
        do {
            c = System.in.read();
        } while (c >= 0 && c != '\n');
    }
}
