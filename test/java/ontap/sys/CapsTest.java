// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class CapsTest {
    @Test
    void readsTheSetsOfTheCallingThread() {
        assertEquals(fromProc(), Caps.ofThread(), "/proc should show the same.");
        Privilege.toUnshare();
        NsThread.call("fewer", () -> {
            new Identity(Io.geteuid(), Io.getgid(), null, Caps.bounding() & ~(1L << Caps.number("bpf")), false).take();
            assertEquals(fromProc(), Caps.ofThread(), "/proc should show the same of a thread with fewer.");
            assertEquals(Caps.ofThread().bnd(), Caps.bounding(), "There is one bounding set.");
            return null;
        });
    }

    @Test
    void knowsTheLastOne() {
        final String last = Child.output("/bin/cat", "/proc/sys/kernel/cap_last_cap").trim();
        assertEquals(Integer.parseInt(last), Caps.last());
    }

    @Test
    void namesNumbersAsTheHeaderDoes() {
        assertEquals(41, Caps.NAMES.size(), "Names should reach CAP_CHECKPOINT_RESTORE.");
        assertEquals(0, Caps.number("chown"));
        assertEquals(10, Caps.number("net_bind_service"));
        assertEquals(13, Caps.number("net_raw"));
        assertEquals(21, Caps.number("sys_admin"));
        assertEquals(27, Caps.number("mknod"));
        assertEquals(34, Caps.number("syslog"));
        assertEquals(40, Caps.number("checkpoint_restore"));
        assertEquals(-1, Caps.number("cap_net_raw"), "Names are without CAP_.");
        assertEquals("net_admin,net_raw,cap_63", Caps.describe(1L << 12 | 1L << 13 | 1L << 63));
    }

    private static Caps.Sets fromProc() {
        final String status;
        try {
            status = Files.readString(Path.of("/proc/thread-self/status"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return new Caps.Sets(hex(status, "CapInh"), hex(status, "CapPrm"), hex(status, "CapEff"),
                hex(status, "CapBnd"), hex(status, "CapAmb"));
    }

    private static long hex(final String status, final String name) {
        return Long.parseUnsignedLong(Child.field(status, name), 16);
    }
}
