// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How long messages take to read, to write and to be looked at, and what they leave behind. A program:
 * {@code java -cp … ontap.mdns.CodecLoop [SECONDS]}; each line has a job, nanoseconds of CPU time and bytes of garbage.
 */
public final class CodecLoop {
    private static final int MANY = 1_000;

    private static long sink;

    private CodecLoop() {
    }

    private interface Job {
        long once();
    }

    /** Measures and prints. */
    public static void main(final String... words) {
        final double seconds = words.length > 0 ? Double.parseDouble(words[0]) : 1;
        final MdnsMessage address = Messages.response(Messages.host("arroyocc"), List.of());
        final MdnsMessage service = Messages.response(
                List.of(Messages.pointer("_http._tcp.local", "arroyocc._http._tcp.local")),
                Messages.service("arroyocc", "_http._tcp"));
        final List<MdnsRecord> hosts = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            hosts.addAll(Messages.host("arroyo" + i));
        }
        final MdnsMessage several = Messages.response(hosts, List.of());
        final byte[] one = MessageWriter.packets(address, Messages.MAX, false).get(0);
        final byte[] browsed = MessageWriter.packets(service, Messages.MAX, false).get(0);
        final byte[] full = MessageWriter.packets(several, Messages.MAX, false).get(0);
        final byte[] query = MessageWriter.packets(
                Messages.query(List.of(Messages.question("somebody.local", Messages.A)), List.of(), List.of()), Messages.MAX, false).get(0);
        final List<String> names = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            names.add(Messages.name("arroyo" + i + ".local"));
        }
        final Interest interest = Interest.in(names);
        for (int round = 0; round < 3; round++) {
            time("look at a query for another", seconds, () -> interest.matters(query, query.length) ? 1 : 0);
            time("read a query", seconds, () -> MessageReader.read(query, query.length).flags());
            time("read A, AAAA, NSEC in " + one.length + " bytes", seconds, () -> MessageReader.read(one, one.length).flags());
            time("write them", seconds, () -> MessageWriter.packets(address, Messages.MAX, false).size());
            time("read a service in " + browsed.length + " bytes", seconds,
                    () -> MessageReader.read(browsed, browsed.length).flags());
            time("write it", seconds, () -> MessageWriter.packets(service, Messages.MAX, false).size());
            time("read " + full.length + " bytes", seconds, () -> MessageReader.read(full, full.length).flags());
            time("write " + hosts.size() + " records in " + MessageWriter.packets(several, Messages.MAX, false).size(), seconds,
                    () -> MessageWriter.packets(several, Messages.MAX, false).size());
        }
    }

    private static void time(final String what, final double seconds, final Job job) {
        final var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        final long from = threads.getCurrentThreadCpuTime();
        final long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        final long until = from + (long) (seconds * 1e9);
        long times = 0;
        long now;
        do {
            for (int i = 0; i < MANY; i++) {
                sink += job.once();
            }
            times += MANY;
            now = threads.getCurrentThreadCpuTime();
        } while (now < until);
        final long garbage = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - before;
        System.out.printf(Locale.ROOT, "%-40s %8.0f ns %8d bytes%n", what, (now - from) / (double) times, garbage / times);
    }
}
