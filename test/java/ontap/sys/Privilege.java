// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** What a test needs to be allowed; without it the test is skipped. */
final class Privilege {
    private static final int NOBODY = 65534;

    private Privilege() {
    }

    /** Unsharing namespaces: root, or root of a user namespace. */
    static void toUnshare() {
        assumeTrue((Caps.ofThread().eff() >>> Caps.number("sys_admin") & 1) != 0, "Unsharing needs CAP_SYS_ADMIN.");
    }

    /** Becoming any user: root in a user namespace that maps more than itself. */
    static void toBecomeOthers() {
        final String[] map = Child.output("/bin/cat", "/proc/self/uid_map").trim().split(" +");
        assumeTrue(Io.geteuid() == 0 && Long.parseLong(map[2]) > NOBODY, "Becoming others needs root and their uids.");
    }
}
