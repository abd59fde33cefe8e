// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class LimitsTest {
    @Test
    void reachesChildren() {
        final int core = Limits.NAMES.get("core");
        final Limits.Limit before = Limits.get(core);
        final long soft = before.hard() == Limits.INFINITY ? 4096 : before.hard() / 2;
        Limits.set(core, new Limits.Limit(soft, before.hard()));
        try {
            assertEquals(new Limits.Limit(soft, before.hard()), Limits.get(core));
            assertEquals(row(soft) + row(before.hard()), line("Max core file size"), "A child should have the limit.");
        } finally {
            Limits.set(core, before);
        }
        assertEquals(before, Limits.get(core));
    }

    @Test
    void numbersAreTheKernels() {
        assertEquals(row(Limits.get(Limits.NAMES.get("nofile")).soft()) + row(Limits.get(7).hard()),
                line("Max open files"), "nofile should be the limit on open files.");
        assertEquals(row(Limits.get(Limits.NAMES.get("nproc")).soft()) + row(Limits.get(6).hard()),
                line("Max processes"), "nproc should be the limit on processes.");
        assertEquals(row(Limits.get(Limits.NAMES.get("memlock")).soft()) + row(Limits.get(8).hard()),
                line("Max locked memory"), "memlock should be the limit on locked memory.");
    }

    @Test
    void saysWhatIsWrong() {
        final SysException unknown = assertThrows(SysException.class, () -> Limits.get(99));
        assertEquals("prlimit(resource 99): Invalid argument (EINVAL)", unknown.getMessage());
        final SysException upside = assertThrows(SysException.class, () -> Limits.set(7, new Limits.Limit(2, 1)));
        assertEquals("prlimit(nofile): Invalid argument (EINVAL)", upside.getMessage());
    }

    private static String line(final String name) {
        for (final String line : Child.output("/bin/cat", "/proc/self/limits").split("\n")) {
            if (line.startsWith(name + " ")) {
                final String[] words = line.substring(name.length()).trim().split(" +");
                return words[0] + "," + words[1] + ",";
            }
        }
        throw new AssertionError("There should be a limit " + name);
    }

    private static String row(final long limit) {
        return (limit == Limits.INFINITY ? "unlimited" : Long.toUnsignedString(limit)) + ",";
    }
}
