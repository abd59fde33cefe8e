// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What a stranger's descriptor is, without asking whoever serves the file behind it. */
@Timeout(60)
@ExtendWith(FdLeaks.class)
class StrangeDescriptorTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void privileged() {
        Privilege.toUnshare();
    }

    @Test
    void knowsNetworkNamespacesFromTheRest() {
        final String fifo = folder + "/net:[4026531840]";
        Io.mkfifo(fifo, 0600);
        final Fd[] pipe = Io.pipe(true);
        try (Fd net = Namespaces.ofThread("net"); Fd fresh = freshNet(); Fd uts = Namespaces.ofThread("uts");
                Fd user = Namespaces.ofThread("user"); Fd file = Io.open("/proc/self/status", Io.O_RDONLY, 0);
                Fd zero = Io.open("/dev/zero", Io.O_RDWR, 0); Fd in = pipe[0]; Fd out = pipe[1];
                Fd socket = Sockets.socket(Sockets.AF_UNIX, Sockets.SOCK_DGRAM, 0); Fd self = PidFd.open(Io.getpid());
                Fd path = Io.open("/proc/self/ns/net", Io.O_PATH, 0); Fd fifoPath = Io.open(fifo, Io.O_PATH, 0);
                Fd fifoOpen = Io.open(fifo, Io.O_RDWR, 0); Fd dir = Io.open("/", Io.O_DIRECTORY, 0)) {
            for (final Fd yes : List.of(net, fresh)) {
                assertTrue(Namespaces.isNetwork(yes), yes + " is one");
            }
            for (final Fd no : List.of(uts, user, file, zero, in, out, socket, self, path, fifoPath, fifoOpen, dir)) {
                assertFalse(Namespaces.isNetwork(no), no + " is none");
            }
        }
    }

    @Test
    void knowsThoseThatWereBoundToAPath() {
        for (final String name : List.of("net", "uts", "pid")) {
            Io.open(folder + "/" + name, Io.O_CREAT, 0600).close();
        }
        final Fd[] opened = NsThread.call("binder", () -> {
            Namespaces.unshare(Namespaces.CLONE_FS | Namespaces.CLONE_NEWNS | Namespaces.CLONE_NEWNET);
            Mounts.makePrivate("/", true);
            Mounts.bind("/proc/thread-self/ns/net", folder + "/net");
            Mounts.bind("/proc/thread-self/ns/uts", folder + "/uts");
            final Fd net = Io.open(folder + "/net", Io.O_RDONLY, 0);
            assertEquals(folder + "/net", Io.link(net), "its name looks like a file's");
            assertTrue(Namespaces.isNetwork(net), "it is one where it is mounted");
            return new Fd[] {net, Io.open(folder + "/uts", Io.O_RDONLY, 0), Io.open(folder + "/net", Io.O_PATH, 0)};
        });
        try (Fd net = opened[0]; Fd uts = opened[1]; Fd path = opened[2]; Fd own = Namespaces.ofThread("net")) {
            assertTrue(Namespaces.isNetwork(net), "and where that mount cannot be seen");
            assertFalse(Namespaces.isNetwork(uts), "another kind of namespace");
            assertFalse(Namespaces.isNetwork(path), "a path alone is not enough");
            assertNotEquals(Namespaces.id(own), Namespaces.id(net));
            final Namespaces.NsId before = Namespaces.id(own);
            try (Fd after = Namespaces.ofThread("net")) {
                assertEquals(before, Namespaces.id(after), "looking should not move the caller");
            }
        }
    }

    @Test
    void doesNotWaitForWhoServesTheFile() {
        NsThread.call("fuse", () -> {
            Namespaces.unshare(Namespaces.CLONE_FS | Namespaces.CLONE_NEWNS);
            Mounts.makePrivate("/", true);
            try (FuseWitness fuse = new FuseWitness(folder.toString());
                    Fd file = Io.open(folder.toString(), Io.O_RDONLY | Io.O_DIRECTORY, 0);
                    Fd path = Io.open(folder.toString(), Io.O_PATH, 0)) {
                assertFalse(Namespaces.isNetwork(file), "a file is no namespace");
                assertFalse(Namespaces.isNetwork(path), "nor is its path");
                assertEquals("fuse", Mounts.typeOf(FdInfo.of(file).mountId()), "what kind it is can be told");
                assertEquals(List.of(), fuse.asked(), "without a question to its server");
            }
            return null;
        });
    }

    @Test
    void tellsFlagsPositionAndMount() {
        try (Fd file = Io.open(folder + "/file", Io.O_RDWR | Io.O_CREAT, 0600);
                Fd none = Io.open("/dev/null", Io.O_WRONLY | Io.O_NONBLOCK | Io.O_APPEND, 0)) {
            Io.writeAll(file, new byte[12]);
            final FdInfo info = FdInfo.of(file);
            assertEquals(12, info.position(), "behind what was written");
            assertEquals(Io.O_RDWR, info.flags() & 3, "to read and write");
            assertTrue(info.closeOnExec(), "as all are");
            assertEquals(info, FdInfo.of(file.raw()), "by its number as well");
            final int all = Io.O_WRONLY | Io.O_NONBLOCK | Io.O_APPEND | Io.O_CLOEXEC;
            assertEquals(all, FdInfo.of(none).flags() & (all | Io.O_RDWR), "all that was asked for");
            assertNotEquals(null, Mounts.typeOf(info.mountId()), "it is on a mount of ours");
        }
        final SysException e = assertThrows(SysException.class, () -> FdInfo.of(1 << 20));
        assertEquals("ENOENT", e.errnoName(), "nothing is told of what is closed");
    }

    @Test
    void namespacesHaveNumbersOfTheirOwn() {
        try (Fd one = Namespaces.ofThread("net"); Fd same = Namespaces.ofThread("net"); Fd fresh = freshNet();
                Fd none = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final long number = Namespaces.idNumber(one);
            assertEquals(number, Namespaces.idNumber(same), "one namespace has one number");
            assertEquals(number == 0, Namespaces.idNumber(fresh) == 0, "all have one, or none has");
            assertTrue(number == 0 || number != Namespaces.idNumber(fresh), "another has another");
            assertEquals(0, Namespaces.idNumber(none), "what is no namespace has none");
        }
    }

    private static Fd freshNet() {
        return NsThread.call("fresh", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            return Namespaces.ofThread("net");
        });
    }
}
