// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

/** Names and numbers of signals (signal(7); the same on x86_64 and aarch64), and signals sent to this process. */
public final class Signals {
    private static final String[] NAMES = {
        null, "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS"
    };
    /** SIGRTMIN as glibc has it: it keeps 32 and 33 to itself. */
    private static final int RTMIN = 34;
    private static final int RTMAX = 64;

    private Signals() {
    }

    /**
     * Takes these signals ("TERM", "INT", "HUP", ...) away from the JVM until the queue is closed.
     * IllegalArgumentException for a name the JVM does not know or keeps to itself (with -Xrs also TERM, INT, HUP).
     */
    public static SignalQueue on(final String... names) {
        return new SignalQueue(names);
    }

    /** The number of "TERM", "SIGTERM", "15", "RTMIN+3"; -1 when there is no such signal. Case does not matter. */
    public static int number(final String name) {
        final String bare = name.regionMatches(true, 0, "SIG", 0, 3) ? name.substring(3) : name;
        for (int i = 1; i < NAMES.length; i++) {
            if (NAMES[i].equalsIgnoreCase(bare)) {
                return i;
            }
        }
        if (bare.regionMatches(true, 0, "RTMIN", 0, 5)) {
            final int above = bare.length() == 5 ? 0 : bare.charAt(5) == '+' ? decimal(bare.substring(6)) : -1;
            return above >= 0 && RTMIN + above <= RTMAX ? RTMIN + above : -1;
        }
        if (bare.length() != name.length()) {
            return -1;
        }
        final int number = decimal(name);
        return number >= 1 && number <= RTMAX ? number : -1;
    }

    /** The name without SIG, {@code TERM} or {@code RTMIN+3}; {@code UNKNOWN(99)} when there is none. */
    public static String name(final int number) {
        if (number >= 1 && number < NAMES.length) {
            return NAMES[number];
        }
        if (number >= RTMIN && number <= RTMAX) {
            return number == RTMIN ? "RTMIN" : "RTMIN+" + (number - RTMIN);
        }
        return "UNKNOWN(" + number + ")";
    }

    /** One to three digits, -1 for anything else. */
    private static int decimal(final String text) {
        if (text.isEmpty() || text.length() > 3) {
            return -1;
        }
        int value = 0;
        for (int i = 0; i < text.length(); i++) {
            final char c = text.charAt(i);
            if (c < '0' || c > '9') {
                return -1;
            }
            value = value * 10 + c - '0';
        }
        return value;
    }
}
