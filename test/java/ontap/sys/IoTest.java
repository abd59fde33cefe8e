// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@ExtendWith(FdLeaks.class)
final class IoTest {
    private static final long FIONREAD = 0x541B;

    @TempDir
    private Path folder;

    @Test
    void writesAndReadsBack() throws IOException {
        final byte[] bytes = new byte[200_000];
        new Random(7).nextBytes(bytes);
        try (Fd fd = Io.open(path("f"), Io.O_WRONLY | Io.O_CREAT | Io.O_EXCL, 0640)) {
            Io.writeAll(fd, bytes);
            Io.fsync(fd);
        }
        assertArrayEquals(bytes, Files.readAllBytes(folder.resolve("f")), "what was written should be there");
        final byte[] back = new byte[bytes.length + 2];
        try (Fd fd = Io.open(path("f"), Io.O_RDONLY, 0)) {
            int n = 1;
            while (n < back.length - 1) {
                final int came = Io.read(fd, back, n, back.length - 1 - n);
                assertTrue(came > 0, "the file should not end before its end");
                n += came;
            }
            assertEquals(0, Io.read(fd, back, 0, 10), "the end of a file should read as 0");
        }
        assertEquals(0, back[0], "the byte before the offset should be untouched");
        assertEquals(0, back[back.length - 1], "the byte after the length should be untouched");
        assertArrayEquals(bytes, Arrays.copyOfRange(back, 1, back.length - 1), "the bytes should be the same");
    }

    @Test
    void nonblockingPipeSaysAgain() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            final byte[] buffer = new byte[4096];
            assertEquals(Io.AGAIN, Io.read(in, buffer, 0, 10), "an empty pipe has nothing");
            int n = 0;
            while (n != Io.AGAIN) {
                n = Io.write(out, buffer, 0, buffer.length);
            }
            assertEquals(Io.POLLIN, Io.await(in, Io.POLLIN, -1), "a full pipe is readable");
            assertEquals(0, Io.await(out, Io.POLLOUT, 20), "a full pipe has no room within the time");
        }
    }

    @Test
    void peekingLeavesTheBytesThere() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]) {
            assertArrayEquals(new byte[0], Io.peek(in, 10), "nothing waits");
            Io.writeAll(pipe[1], new byte[] {1, 2, 3});
            assertArrayEquals(new byte[] {1, 2}, Io.peek(in, 2), "no more than asked for");
            assertArrayEquals(new byte[] {1, 2, 3}, Io.peek(in, 10), "they still wait");
            final byte[] buffer = new byte[10];
            assertEquals(3, Io.read(in, buffer, 0, 10), "they can be read afterwards");
            pipe[1].close();
            assertArrayEquals(new byte[0], Io.peek(in, 10), "all who write have closed it");
        }
    }

    @Test
    void writeAllWaitsForRoom() throws InterruptedException {
        final byte[] bytes = new byte[1_000_000];
        new Random(8).nextBytes(bytes);
        final byte[] back = new byte[bytes.length];
        final Fd[] pipe = Io.pipe(true);
        final Thread writer = new Thread(() -> {
            Io.writeAll(pipe[1], bytes);
            pipe[1].close();
        });
        try (Fd in = pipe[0]) {
            writer.start();
            int done = 0;
            int n = 1;
            while (n != 0) {
                n = Io.read(in, back, done, back.length - done);
                if (n == Io.AGAIN) {
                    Io.await(in, Io.POLLIN, -1);
                } else {
                    done += n;
                }
                if (done == back.length) {
                    break;
                }
            }
            writer.join();
        }
        assertArrayEquals(bytes, back, "all of it should come through, in order");
    }

    @Test
    void brokenPipeIsAnErrorNotASignal() {
        final Fd[] pipe = Io.pipe(false);
        pipe[0].close();
        try (Fd out = pipe[1]) {
            final SysException e = assertThrows(SysException.class, () -> Io.write(out, new byte[1], 0, 1));
            assertEquals("EPIPE", e.errnoName(), "nobody reads the pipe");
        }
    }

    @Test
    void statTellsWhatJavaTells() throws IOException {
        assertNull(Io.stat(path("absent")), "an absent path has no stat");
        Files.write(folder.resolve("f"), new byte[123]);
        Io.chmod(path("f"), 0604);
        final Io.Stat stat = Io.stat(path("f"));
        final Map<String, Object> java = Files.readAttributes(folder.resolve("f"), "unix:*");
        assertEquals(java.get("ino"), stat.ino(), "the inode number should be Java's");
        assertEquals(java.get("dev"), stat.dev(), "the device should be Java's");
        assertEquals(java.get("mode"), stat.mode(), "the mode should be Java's");
        assertEquals(java.get("uid"), stat.uid(), "the owner should be Java's");
        assertEquals(java.get("gid"), stat.gid(), "the group should be Java's");
        assertEquals(123, stat.size(), "the size should be what was written");
        assertEquals(0604, stat.mode() & 07777, "the permissions should be what was set");
        try (Fd fd = Io.open(path("f"), Io.O_PATH, 0)) {
            assertEquals(stat, Io.fstat(fd), "the descriptor should lead to the same file");
        }
        final SysException e = assertThrows(SysException.class, () -> Io.stat(path("f") + "/x"));
        assertEquals("ENOTDIR", e.errnoName(), "other errors than ENOENT should be thrown");
    }

    @Test
    void statKnowsDevices() {
        final Io.Stat stat = Io.stat("/dev/null");
        assertEquals(Io.S_IFCHR, stat.mode() & Io.S_IFMT, "/dev/null is a character device");
        assertEquals(0x103, stat.rdev(), "/dev/null is 1:3");
    }

    @Test
    void openFlagsMeanWhatTheySay() throws IOException {
        Files.createFile(folder.resolve("f"));
        Files.createSymbolicLink(folder.resolve("l"), folder.resolve("f"));
        assertEquals("ENOTDIR", errno(() -> Io.open(path("f"), Io.O_DIRECTORY, 0)), "a file is no folder");
        assertEquals("ELOOP", errno(() -> Io.open(path("l"), Io.O_NOFOLLOW, 0)), "a link should not be followed");
        assertEquals("EEXIST", errno(() -> Io.open(path("f"), Io.O_CREAT | Io.O_EXCL, 0600)), "the file is there");
        Io.open(folder.toString(), Io.O_DIRECTORY, 0).close();
    }

    @Test
    void namesOutsideAsciiAreUtf8() {
        final String name = "K\u00fcche-\u53a8\u623f";
        Io.mkdir(path(name), 0700);
        assertEquals(name, lastOf(path(name)), "the kernel should have the same name");
        Io.rmdir(path(name));
    }

    @Test
    void removingWhatIsAbsentIsFine() throws IOException {
        Io.unlink(path("absent"));
        Io.rmdir(path("absent"));
        Files.createFile(folder.resolve("f"));
        assertEquals("ENOTDIR", errno(() -> Io.rmdir(path("f"))), "other errors should be thrown");
        Io.rename(path("f"), path("g"));
        assertTrue(Files.exists(folder.resolve("g")), "the file should have its new name");
        Io.unlink(path("g"));
        assertFalse(Files.exists(folder.resolve("g")), "the file should be gone");
    }

    @Test
    void fifoTellsWhenItsLastHolderIsGone() {
        Io.mkfifo(path("lease"), 0600);
        assertEquals(Io.S_IFIFO, Io.stat(path("lease")).mode() & Io.S_IFMT, "it should be a FIFO");
        try (Fd in = Io.open(path("lease"), Io.O_RDONLY | Io.O_NONBLOCK, 0)) {
            final Fd holder = Io.open(path("lease"), Io.O_WRONLY, 0);
            assertEquals(Io.AGAIN, Io.read(in, new byte[1], 0, 1), "a holder lives");
            holder.close();
            assertEquals(0, Io.read(in, new byte[1], 0, 1), "no holder is left");
            assertEquals(Io.POLLHUP, Io.await(in, 0, -1), "the hang-up should be told");
        }
    }

    @Test
    void onlyOneOpenFileHoldsTheLock() {
        final Fd first = Io.open(path("lock"), Io.O_RDWR | Io.O_CREAT, 0600);
        assertTrue(Io.tryLock(first), "a free lock should be had");
        assertTrue(Io.tryLock(first), "the holder has it");
        try (Fd second = Io.open(path("lock"), Io.O_RDWR, 0)) {
            assertFalse(Io.tryLock(second), "a held lock should not be had");
            first.close();
            assertTrue(Io.tryLock(second), "closing should give the lock back");
        }
    }

    @Test
    void truncatesAndChangesOwner() {
        try (Fd fd = Io.open(path("f"), Io.O_RDWR | Io.O_CREAT, 0600)) {
            Io.ftruncate(fd, 5_000_000_000L);
            assertEquals(5_000_000_000L, Io.fstat(fd).size(), "sizes past 32 bits should be kept");
            Io.ftruncate(fd, 0);
            assertEquals(0, Io.fstat(fd).size(), "the file should be cut");
            Io.fchown(fd, Io.getuid(), -1);
            Io.chown(path("f"), -1, Io.getgid());
            assertEquals(Io.getuid(), Io.fstat(fd).uid(), "the owner should be the caller");
        }
    }

    @Test
    void linkNamesTheOpenFile() {
        try (Fd fd = Io.open("/dev/null", Io.O_RDONLY, 0)) {
            assertEquals("/dev/null", Io.link(fd), "the kernel should know the file");
        }
        final Fd[] pipe = Io.pipe(false);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            assertTrue(Io.link(in).startsWith("pipe:["), "a pipe has no path");
            assertEquals(Io.link(in), Io.link(out), "both ends are one pipe");
        }
    }

    @Test
    void ioctlCopiesBackAndForth() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            Io.writeAll(out, new byte[300]);
            final byte[] count = new byte[4];
            assertEquals(0, Io.ioctl(in, FIONREAD, count), "the call should succeed");
            assertEquals(300, ByteBuffer.wrap(count).order(ByteOrder.nativeOrder()).getInt(), "300 bytes wait");
            assertEquals("ENOTTY", errno(() -> Io.ioctl(in, 0xb703, 0)), "a pipe is no namespace");
        }
    }

    @Test
    void knowsTheCaller() throws InterruptedException {
        assertEquals(ProcessHandle.current().pid(), Io.getpid(), "the pid should be Java's");
        final int[] tid = new int[1];
        final Thread thread = new Thread(() -> tid[0] = Io.gettid());
        thread.start();
        thread.join();
        assertNotEquals(Io.getpid(), tid[0], "another thread is not the main thread");
        assertNotEquals(Io.gettid(), tid[0], "another thread has another number");
        assertEquals(Io.getuid(), Io.geteuid(), "the JVM is not set-uid");
        Io.kill(Io.getpid(), 0);
        assertEquals("ESRCH", errno(() -> Io.kill(0x3fffffff, 0)), "no such process can be");
        final int mask = Io.umask(077);
        assertEquals(077, Io.umask(mask), "the mask should be the one set");
        Io.chdir(".");
        assertEquals("ENOENT", errno(() -> Io.chdir(path("absent"))), "there is no such folder");
    }

    private String path(final String name) {
        return folder + "/" + name;
    }

    /** The last part of what the kernel calls the path. */
    private static String lastOf(final String path) {
        try (Fd fd = Io.open(path, Io.O_PATH, 0)) {
            final String link = Io.link(fd);
            return link.substring(link.lastIndexOf('/') + 1);
        }
    }

    private static String errno(final Executable call) {
        return assertThrows(SysException.class, call, "the call should fail").errnoName();
    }
}
