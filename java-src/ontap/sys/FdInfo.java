// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.nio.charset.StandardCharsets;

/**
 * What the kernel tells of a descriptor without asking the file behind it (proc_pid_fdinfo(5)): safe for one that a
 * stranger sent.
 *
 * @param flags the O_ bits it was opened with and has got since; O_CLOEXEC is this descriptor's own
 * @param mountId the mount it was opened on, as in /proc/self/mountinfo of a mount namespace that has it
 * @param position the offset of the next read or write
 */
public record FdInfo(int flags, long mountId, long position) {
    private static final int SHORT_FILE = 4096;

    /** The descriptor of this process; SysException when it is closed (ENOENT). */
    public static FdInfo of(final Fd fd) {
        return of(fd.raw());
    }

    /** The same of a number that nobody owns here. */
    public static FdInfo of(final int raw) {
        final byte[] bytes = new byte[SHORT_FILE];
        try (Fd info = Io.open("/proc/self/fdinfo/" + raw, Io.O_RDONLY, 0)) {
            final int length = Io.read(info, bytes, 0, bytes.length);
            final String text = new String(bytes, 0, length, StandardCharsets.US_ASCII);
            return new FdInfo((int) number(text, "flags:\t", 8), number(text, "mnt_id:\t", 10),
                    number(text, "pos:\t", 10));
        }
    }

    /** Is it closed by execve(2)? */
    public boolean closeOnExec() {
        return (flags & Io.O_CLOEXEC) != 0;
    }

    private static long number(final String text, final String key, final int radix) {
        final int from = text.indexOf(key) + key.length();
        return Long.parseLong(text.substring(from, text.indexOf('\n', from)), radix);
    }
}
