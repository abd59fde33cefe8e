// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@ExtendWith(FdLeaks.class)
class MountsTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void privileged() {
        Privilege.toUnshare();
    }

    @Test
    void mountsBelongToTheThreadThatMadeThemPrivate() {
        final String at = folder.toString();
        final List<Mounts.Mount> before = Mounts.all();
        inPrivate(() -> {
            Mounts.tmpfs(at, "mode=710,size=64k");
            assertEquals(Io.S_IFDIR | 0710, Io.stat(at).mode(), "the options count");
            assertEquals("tmpfs", Mounts.typeAt(at));
            Io.mkdir(at + "/sys fs\\", 0700);
            Mounts.sysfs(at + "/sys fs\\");
            assertEquals("sysfs", Mounts.typeAt(at + "/sys fs\\"), "a path of any characters");
            assertTrue(new File(at + "/sys fs\\/class/net/lo").exists(), "a sysfs has the loopback link");
            Io.mkdir(at + "/again", 0700);
            Mounts.bind(at + "/sys fs\\", at + "/again");
            assertEquals("sysfs", Mounts.typeAt(at + "/again"), "the same once more");
            Mounts.unmount(at + "/again");
            assertNull(Mounts.typeAt(at + "/again"), "a mount no more");
            assertEquals("umount2 EINVAL", failure(() -> Mounts.unmount(at + "/again")));
            assertEquals("mount ENOENT", failure(() -> Mounts.tmpfs(at + "/none", null)));
            return null;
        });
        assertEquals(before, Mounts.all(), "the rest of the process should have the mounts it had");
        assertEquals(List.of(), List.of(folder.toFile().list()), "and nothing in the folder");
    }

    @Test
    void tellsWhereANamespaceIsBound() {
        final String at = folder + "/net";
        Io.open(at, Io.O_CREAT, 0600).close();
        inPrivate(() -> {
            assertNull(Mounts.typeAt(at), "a file like others");
            Mounts.bind("/proc/thread-self/ns/net", at);
            assertEquals("nsfs", Mounts.typeAt(at), "now it is a namespace");
            try (Fd net = Io.open(at, Io.O_RDONLY, 0); Fd proc = Namespaces.ofThread("net")) {
                assertEquals("nsfs", Mounts.typeOf(FdInfo.of(net).mountId()), "also by its number");
                assertNull(Mounts.typeOf(FdInfo.of(proc).mountId()), "the kernel's own mount is in nobody's list");
                assertEquals(Namespaces.id(proc), Namespaces.id(net), "ours");
            }
            Mounts.tmpfs(folder.toString(), null);
            Io.open(at, Io.O_CREAT, 0600).close();
            Mounts.bind("/dev/null", at);
            assertNotNull(Mounts.typeAt(at));
            assertTrue(!Mounts.typeAt(at).equals("nsfs"), "the last mount counts");
            return null;
        });
    }

    @Test
    void coversAFileAndALink() throws IOException {
        final Path own = Files.writeString(folder.resolve("own"), "own");
        final Path theirs = Files.writeString(folder.resolve("theirs"), "theirs");
        final Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("theirs"));
        final Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("nowhere"));
        inPrivate(() -> {
            for (final Path at : List.of(theirs, link, dangling)) {
                Mounts.cover(own.toString(), at.toString());
                assertEquals("own", Files.readString(at), at + " shows the other file");
            }
            assertEquals("move_mount ENOENT", failure(() -> Mounts.cover(own.toString(), folder + "/none")));
            assertEquals("open_tree ENOENT", failure(() -> Mounts.cover(folder + "/none", own.toString())));
            assertEquals("move_mount EINVAL", failure(() -> Mounts.cover(folder.toString(), own.toString())));
            return null;
        });
        assertEquals("theirs", Files.readString(link), "others see what was there");
    }

    @Test
    void aDetachedFileSystemIsNowhere() {
        inPrivate(() -> {
            final List<Mounts.Mount> before = Mounts.all();
            try (Fd tmpfs = Mounts.detached("tmpfs")) {
                final String node = "/proc/self/fd/" + tmpfs.raw() + "/zero";
                Io.mknod(node, Io.S_IFCHR | 0600, Io.device(1, 5));
                assertEquals(Io.device(1, 5), Io.stat(node).rdev(), "the device asked for");
                try (Fd zero = Io.open(node, Io.O_RDONLY, 0)) {
                    assertEquals(8, Io.read(zero, new byte[8], 0, 8), "its node should work");
                }
                assertEquals(before, Mounts.all(), "mounted nowhere");
            }
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            try (Fd sysfs = Mounts.detached("sysfs")) {
                final String net = "/proc/self/fd/" + sysfs.raw() + "/class/net";
                assertTrue(new File(net + "/lo").exists() && !new File(net + "/eth0").exists(),
                        "the thread's own network namespace");
            }
            return null;
        });
        assertEquals("fsopen ENODEV", failure(() -> Mounts.detached("nosuchfs").close()));
    }

    @Test
    void readsLinesOfTheKernel() {
        assertEquals(new Mounts.Mount(36, "/mnt 1\t\\#", "ext3"), Mounts.parse(
                "36 35 98:0 /mnt /mnt\\0401\\011\\134\\043 rw,noatime master:1 shared:2 - ext3 /dev/root rw"));
        assertEquals(new Mounts.Mount(1, "/", "rootfs"), Mounts.parse("1 1 0:2 / / rw - rootfs none rw"));
        for (final String wrong : List.of("", "1 1 0:2 / / rw", "1 1 0:2 / / rw -", "36 35 98:0 /mnt /mnt rw ext3")) {
            assertThrows(IllegalArgumentException.class, () -> Mounts.parse(wrong), "Not a line: " + wrong);
        }
    }

    private static String failure(final Runnable action) {
        final SysException e = assertThrows(SysException.class, action::run);
        return e.call() + " " + e.errnoName();
    }

    private static void inPrivate(final Callable<Void> body) {
        NsThread.call("mounts", () -> {
            Namespaces.unshare(Namespaces.CLONE_FS | Namespaces.CLONE_NEWNS);
            Mounts.makePrivate("/", true);
            return body.call();
        });
    }
}
