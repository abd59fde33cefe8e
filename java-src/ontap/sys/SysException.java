// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;

/**
 * A system call that failed: which call, on what, and the error number.
 * The message reads {@code setns(/run/netns/a): Operation not permitted (EPERM)}; without detail {@code unshare: ...}.
 */
public class SysException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final String detail;
    private final int errno;

    /**
     * @param call the call's C name
     * @param detail what it was done to; empty when there is nothing to say
     * @param errno the positive error number
     */
    public SysException(final String call, final String detail, final int errno) {
        this(message(call, detail, errno), call, detail, errno);
    }

    /** For subclasses that word their message themselves. */
    protected SysException(final String message, final String call, final String detail, final int errno) {
        super(message);
        this.call = call;
        this.detail = detail;
        this.errno = errno;
    }

    /** The exception for the call this thread has just made; to be asked for before any other native call. */
    static SysException last(final String call, final String detail) {
        return new SysException(call, detail, Native.getLastError());
    }

    /** The call's C name. */
    public final String call() {
        return call;
    }

    /** What the call was done to; may be empty. */
    public final String detail() {
        return detail;
    }

    /** The positive error number. */
    public final int errno() {
        return errno;
    }

    /** The error's name, such as {@code EPERM}. */
    public final String errnoName() {
        return Errno.name(errno);
    }

    private static String message(final String call, final String detail, final int errno) {
        return (detail.isEmpty() ? call : call + "(" + detail + ")")
                + ": " + Errno.text(errno) + " (" + Errno.name(errno) + ")";
    }
}
