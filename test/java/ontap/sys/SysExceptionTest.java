// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class SysExceptionTest {
    @Test
    void namesCallDetailAndError() {
        final SysException e = new SysException("setns", "/run/netns/a", Errno.EPERM);
        assertEquals("setns(/run/netns/a): Operation not permitted (EPERM)", e.getMessage(),
                "the message should read so");
        assertEquals("setns", e.call(), "the call should be kept");
        assertEquals("/run/netns/a", e.detail(), "the detail should be kept");
        assertEquals(1, e.errno(), "the number should be kept");
        assertEquals("EPERM", e.errnoName(), "the name should be that of the number");
    }

    @Test
    void leavesOutAnEmptyDetail() {
        assertEquals("unshare: Invalid argument (EINVAL)", new SysException("unshare", "", Errno.EINVAL).getMessage(),
                "no parentheses should stand around nothing");
    }

    @Test
    void printsNumbersNobodyKnows() {
        assertEquals("E?(999)", Errno.name(999), "an unknown number should print");
        assertEquals("Unknown error 999", Errno.text(999), "an unknown number should have a text");
        assertEquals("E?(0)", Errno.name(0), "zero is no error");
        assertEquals("E?(-1)", Errno.name(-1), "a negative number is no error");
        assertEquals("E?(41)", Errno.name(41), "41 is a gap in the table");
    }

    @Test
    void hasTheEndsOfTheTable() {
        assertEquals("EPERM", Errno.name(1), "the first should be there");
        assertEquals("EHWPOISON", Errno.name(133), "the last should be there");
        assertEquals("EAGAIN", Errno.name(Errno.EWOULDBLOCK), "EAGAIN should be the name of both");
        assertEquals("EOPNOTSUPP", Errno.name(95), "EOPNOTSUPP is what the kernel calls it");
        assertEquals("Resource temporarily unavailable", Errno.text(Errno.EAGAIN), "the text should be strerror's");
    }

    @Test
    void reportsTheErrorOfARealCall() {
        final SysException e = assertThrows(SysException.class, () -> Io.open("/nonexistent/x", Io.O_RDONLY, 0));
        assertEquals("open(/nonexistent/x): No such file or directory (ENOENT)", e.getMessage(),
                "the error number should be the call's own");
    }

    @Test
    void letsSubclassesWordTheirMessage() {
        final class Own extends SysException {
            private static final long serialVersionUID = 1L;

            Own() {
                super("own words", "call", "detail", Errno.EBUSY);
            }
        }

        assertEquals("own words", new Own().getMessage(), "the subclass decides what the message is");
        assertEquals("EBUSY", new Own().errnoName(), "the number should be kept");
    }
}
