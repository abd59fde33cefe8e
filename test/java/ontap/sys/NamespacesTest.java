// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NamespacesTest {
    @BeforeEach
    void privileged() {
        Privilege.toUnshare();
    }

    @Test
    void unshareAndSetnsChangeTheCallingThreadOnly() {
        final Namespaces.NsId ours = idOfThread("net");
        try (Fd theirs = NsThread.call("maker", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            return Namespaces.ofThread("net");
        })) {
            assertNotEquals(ours, Namespaces.id(theirs), "The maker should have a namespace of its own.");
            assertEquals(ours, idOfThread("net"), "The caller should be where it was.");
            final Namespaces.NsId entered = NsThread.call("guest", () -> {
                Namespaces.setns(theirs, Namespaces.CLONE_NEWNET);
                return idOfThread("net");
            });
            assertEquals(Namespaces.id(theirs), entered, "The guest should be in the maker's namespace.");
        }
    }

    @Test
    void hostnameBelongsToTheUtsNamespace() {
        final String ours = Namespaces.hostname();
        final String theirs = NsThread.call("named", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWUTS);
            Namespaces.setHostname("printer");
            final SysException e = assertThrows(SysException.class, () -> Namespaces.setHostname("x".repeat(65)));
            assertEquals(Errno.EINVAL, e.errno(), "65 bytes are too many.");
            assertEquals("printer\n", Child.output("/bin/hostname"), "A child should see the thread's hostname.");
            return Namespaces.hostname();
        });
        assertEquals("printer", theirs);
        assertEquals(ours, Namespaces.hostname(), "The machine's hostname should be untouched.");
    }

    @Test
    void tellsTypeAndOwner() {
        try (Fd net = Namespaces.ofThread("net"); Fd uts = Namespaces.ofThread("uts");
                Fd user = Namespaces.ofThread("user"); Fd none = Io.open("/dev/null", Io.O_RDONLY, 0)) {
            assertEquals(Namespaces.CLONE_NEWNET, Namespaces.type(net));
            assertEquals(Namespaces.CLONE_NEWUTS, Namespaces.type(uts));
            assertEquals(Namespaces.CLONE_NEWUSER, Namespaces.type(user));
            assertEquals(Errno.ENOTTY, assertThrows(SysException.class, () -> Namespaces.type(none)).errno());
            assertEquals(Namespaces.ownerUid(user), Namespaces.ownerUid(net), "One owner made both.");
            final SysException e = assertThrows(SysException.class,
                    () -> Namespaces.setns(uts, Namespaces.CLONE_NEWNET), "The type should be asserted.");
            assertEquals("setns(/proc/thread-self/ns/uts): Invalid argument (EINVAL)", e.getMessage());
        }
    }

    @Test
    void ownerIsWhoMadeTheUserNamespace() {
        Privilege.toBecomeOthers();
        try (Child child = Child.start("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "unshare", "-Un", "sh", "-c", "echo ready; read x")) {
            assumeTrue(child.line().equals("ready"), "User namespaces are not to be had.");
            try (Fd net = Namespaces.ofProcess(child.pid, "net")) {
                assertEquals(65534, Namespaces.ownerUid(net), "nobody made it.");
            }
        }
    }

    @Test
    void findsTheNamespaceOfAProcess() {
        NsThread.call("parent", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            try (Child child = Child.start("/bin/cat"); Fd ns = Namespaces.ofProcess(child.pid, "net")) {
                assertEquals(idOfThread("net"), Namespaces.id(ns), "A child should be in its thread's namespace.");
            }
            return null;
        });
    }

    @Test
    void opensNamedNamespacesAndNothingElse() {
        NsThread.call("named", () -> {
            Namespaces.unshare(Namespaces.CLONE_FS | Namespaces.CLONE_NEWNS | Namespaces.CLONE_NEWNET);
            Child.output("/bin/sh", "-ec", "mount --make-rprivate /; mount -t tmpfs none /run; mkdir /run/netns;"
                    + "cd /run/netns; touch net uts file; mount --bind /proc/self/ns/net net;"
                    + "mount --bind /proc/self/ns/uts uts; mkfifo fifo");
            try (Fd net = Namespaces.named("net")) {
                assertEquals(idOfThread("net"), Namespaces.id(net), "The name should mean the bound namespace.");
            }
            for (final String wrong : new String[] {"uts", "file", "fifo"}) {
                final SysException e = assertThrows(SysException.class, () -> Namespaces.named(wrong),
                        wrong + " is no network namespace.");
                assertEquals("open(/run/netns/" + wrong + ", not a network namespace): Invalid argument (EINVAL)",
                        e.getMessage());
            }
            assertEquals(Errno.ENOENT, assertThrows(SysException.class, () -> Namespaces.named("none")).errno());
            return null;
        });
        for (final String name : new String[] {"", ".", "..", "../../proc/self/ns/net"}) {
            assertThrows(IllegalArgumentException.class, () -> Namespaces.named(name), "Not a name: " + name);
        }
    }

    @Test
    void threadPassesOnWhatTheBodyThrows() {
        final IOException thrown = new IOException("as it is");
        final IOException caught = assertThrows(IOException.class, () -> NsThread.call("failing", () -> {
            throw thrown;
        }));
        assertSame(thrown, caught, "A checked exception should come back unwrapped.");
    }

    @Test
    void threadEndsBeforeTheCallReturns() {
        final Thread thread = NsThread.call("inner", Thread::currentThread);
        assertTrue(!thread.isAlive() && thread.getName().equals("inner"), "It should be a dead thread of that name.");
        Thread.currentThread().interrupt();
        assertEquals(1, NsThread.call("inner", () -> 1), "An interrupt should not cut the wait short.");
        assertTrue(Thread.interrupted(), "The interrupt should be kept for later.");
    }

    @Test
    void namesTheFlagsOfAFailure() {
        final SysException e =
                assertThrows(SysException.class, () -> Namespaces.unshare(Namespaces.CLONE_NEWUSER | 0x10));
        assertEquals("unshare(user|0x10): Invalid argument (EINVAL)", e.getMessage());
    }

    private static Namespaces.NsId idOfThread(final String kind) {
        try (Fd ns = Namespaces.ofThread(kind)) {
            return Namespaces.id(ns);
        }
    }
}
