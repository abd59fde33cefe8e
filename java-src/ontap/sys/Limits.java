// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Resource limits of this process, all its threads and the children to come (getrlimit(2)). HotSpot raises the soft
 * limit of nofile at its start unless run with {@code -XX:-MaxFDLimit}.
 */
public final class Limits {
    /** No limit: RLIM_INFINITY, all bits set. */
    public static final long INFINITY = -1;

    /** Name to resource number, by asm-generic/resource.h, in the order of the numbers. */
    public static final Map<String, Integer> NAMES = names("cpu", "fsize", "data", "stack", "core", "rss", "nproc",
            "nofile", "memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime");

    /** Unsigned 64-bit numbers in the resource's own unit; INFINITY for none. */
    public record Limit(long soft, long hard) {
    }

    private Limits() {
    }

    /** The limit in force; EINVAL for an unknown resource. */
    public static Limit get(final int resource) {
        final long[] old = new long[2];
        if (LibcProc.prlimit64(0, resource, null, old) < 0) {
            throw SysException.last("prlimit", name(resource));
        }
        return new Limit(old[0], old[1]);
    }

    /** Changes the limit; EPERM when the hard one would rise without CAP_SYS_RESOURCE, EINVAL when soft is above it. */
    public static void set(final int resource, final Limit limit) {
        if (LibcProc.prlimit64(0, resource, new long[] {limit.soft(), limit.hard()}, null) < 0) {
            throw SysException.last("prlimit", name(resource));
        }
    }

    private static String name(final int resource) {
        for (final Map.Entry<String, Integer> entry : NAMES.entrySet()) {
            if (entry.getValue() == resource) {
                return entry.getKey();
            }
        }
        return "resource " + resource;
    }

    private static Map<String, Integer> names(final String... names) {
        final Map<String, Integer> numbers = new LinkedHashMap<>();
        for (int number = 0; number < names.length; number++) {
            numbers.put(names[number], number);
        }
        return Collections.unmodifiableMap(numbers);
    }
}
